"""What the built-in checks share: which moments are judged, limits on both sides, and the words of their sentences."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.civil import Windows, iso, when
from offbeat_detectors.checks.contract import NotJudged, NotNow, Parameter, Status
from offbeat_detectors.checks.readings import Readings

JUDGE = Parameter(
    "judge", "choice", "every reading since the last run, of which the worst is told, or the newest alone; where "
                       "nothing is new, the newest", default="new", choices=("new", "newest"))
TOLD_MAX = 50
"""So many of the readings that offend are listed in details."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is red and yellow on both sides; infinite where there is no limit. A value equal to a limit is inside.

    names  what the four are called where a person set them: red below, yellow below, yellow above, red above
    """

    red_below: float
    yellow_below: float
    yellow_above: float
    red_above: float
    names: tuple[str, str, str, str]

    def levels(self, values: NDArray[np.float64], narrowed: float = 0.0) -> NDArray[np.int8]:
        """(n,) Status of each value, with all limits moved inwards by *narrowed*; GREEN for NaN."""
        yellow = (values < self.yellow_below + narrowed) | (values > self.yellow_above - narrowed)
        red = (values < self.red_below + narrowed) | (values > self.red_above - narrowed)
        return np.where(red, np.int8(2), yellow.astype(np.int8))

    def beyond(self, values: NDArray[np.float64], status: Status) -> NDArray[np.float64]:
        """(n,) how far each value is beyond the limits of this status; negative inside."""
        if status is Status.RED:
            return np.maximum(self.red_below - values, values - self.red_above)
        return np.maximum(self.yellow_below - values, values - self.yellow_above)

    def nearest(self, value: float, status: Status) -> tuple[str, float, str]:
        """The limit of this status that *value* is beyond, or nearest to: its name, itself, below or above."""
        red = status is Status.RED
        below, above = (self.red_below, self.red_above) if red else (self.yellow_below, self.yellow_above)
        if below - value > value - above:
            return self.names[0 if red else 1], below, "below"
        return self.names[3 if red else 2], above, "above"

    def as_dict(self) -> dict[str, float]:
        """The limits that there are, under their names; a yellow one that is the red one is none."""
        every = (self.red_below, self.yellow_below, self.yellow_above, self.red_above)
        is_own = (True, self.yellow_below != self.red_below, self.yellow_above != self.red_above, True)
        return {name: limit for name, limit, own in zip(self.names, every, is_own, strict=True)
                if own and np.isfinite(limit)}


def held(level: NDArray[np.int8], narrowed: NDArray[np.int8]) -> NDArray[np.int8]:
    """(n,) levels with hysteresis: once one is reached, it lasts until the level by narrowed limits is below it.

    level  (n,) 0 to 2 by the limits as they are; the first one holds as it is    narrowed  (n,) not below *level*
    """
    lasting = np.zeros(level.size, np.int8)
    for least in (1, 2):
        reached, decided = level >= least, (level >= least) | (narrowed < least)
        last = np.maximum.accumulate(np.where(decided, np.arange(level.size), -1))
        lasting[(last >= 0) & reached[last]] = least
    return lasting


def to_judge(
    data: Readings, present: NDArray[np.bool_], judge: str, windows: Windows, missing: Callable[[], str],
) -> NDArray[np.int64]:
    """(m,) the moments to be judged, ascending, at least one.

    present  (n,) which moments can be judged    missing  says what is not there

    Raises NotNow if all of them are outside of the windows, NotJudged if none is present.
    """
    moments = data.new_from + np.flatnonzero(present[data.new_from:])
    if judge == "newest" or not moments.size:
        moments = np.flatnonzero(present)[-1:]
    if not moments.size:
        if not windows.hold(data.now_ms, data.zone):
            raise NotNow
        raise NotJudged(missing())
    moments = moments[windows.holds(data.time_ms[moments], data.zone)]
    if not moments.size:
        raise NotNow
    return moments


def farthest(moments: NDArray[np.int64], beyond: NDArray[np.float64]) -> int:
    """The moment that is farthest beyond, the newest of equals."""
    return int(moments[moments.size - 1 - int(np.argmax(beyond[::-1]))])


def offending(data: Readings, moments: NDArray[np.int64]) -> dict[str, Any]:
    """Details of the readings that offend: how many, and when the newest of them were."""
    return {"count": int(moments.size), "offending": [iso(int(ms)) for ms in data.time_ms[moments[-TOLD_MAX:]]]}


def series(data: Readings, column: int = 0) -> str:
    """The series as a sentence names it."""
    return f"{data.columns[column]}{of_source(data)}"


def of_source(data: Readings) -> str:
    """Of which source columns are; nothing where several sources have them, for their names say it then."""
    are_several = len(data.columns) > 1 and data.columns[0].startswith(f"{data.source} ")
    return "" if are_several else f" of {data.source}"


def at(data: Readings, moment: int) -> str:
    """When the moment was, for a sentence."""
    return when(int(data.time_ms[moment]), data.zone)


def share_told(offend: int, judged: int) -> str:
    """How many of the readings offend, if more than one was judged."""
    return f" ({offend} of {judged} readings)" if judged > 1 else ""


def number(value: float, digits: int = 5) -> str:
    """A number with so many digits, more if it has more before the point, but not hundreds."""
    return _plain(f"{value:.0f}" if 10.0 ** digits <= abs(value) < 1e15 else f"{value:.{digits}g}")


def apart(value: float, limit: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to tell them apart."""
    for digits in range(5, 17):
        texts = number(value, digits), number(limit, digits)
        if texts[0] != texts[1] or value == limit:
            return texts
    return repr(value), repr(limit)


def lasted(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{number(seconds / length, 3)} {unit}"
    return f"{number(seconds, 3)} s"


def _plain(text: str) -> str:
    return "0" if text == "-0" else text
