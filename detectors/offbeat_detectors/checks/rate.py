"""Does a value change faster than it can? Rise and fall have limits of their own."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso
from offbeat_detectors.checks.contract import Needs, Parameter, Result, Status
from offbeat_detectors.checks.judging import (
    JUDGE,
    Limits,
    apart,
    at,
    farthest,
    number,
    offending,
    series,
    share_told,
    to_judge,
)
from offbeat_detectors.checks.parameters import checked, not_above, one_of, refuse
from offbeat_detectors.checks.readings import Readings

PER_S = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
NAMES = ("max_fall", "yellow_fall", "yellow_rise", "max_rise")


class Rate:
    """A change in so much time."""

    about = "The value rises and falls no faster than it may, from a reading to the next or over a longer time."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("max_rise", "number", "a faster rise is RED"),
        Parameter("max_fall", "number", "a faster fall is RED; 0 or more, as all four"),
        Parameter("yellow_rise", "number", "a faster rise is YELLOW"),
        Parameter("yellow_fall", "number", "a faster fall is YELLOW"),
        Parameter("per", "choice", "the time in which a value may change by so much", default="hour",
                  choices=tuple(PER_S)),
        Parameter("over", "number", "compare with the newest reading that is so much older, not with the one before",
                  default=0.0, unit="s"),
        *WINDOWS,
        JUDGE,
    )
    needs = Needs(readings=2)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, *reversed(NAMES))
        for name in (*NAMES, "over"):
            if given[name] is not None and given[name] < 0:
                raise refuse(name, given[name], "0 or more")
        not_above(given, "yellow_rise", "max_rise")
        not_above(given, "yellow_fall", "max_fall")
        fall, yellow_fall, yellow_rise, rise = (np.inf if given[name] is None else given[name] for name in NAMES)
        self.limits = Limits(-fall, -min(fall, yellow_fall), min(rise, yellow_rise), rise, NAMES)
        self.per: str = given["per"]
        self.over_ms = given["over"] * 1000
        self.windows, self.judge = Windows.of(given), given["judge"]
        if self.over_ms:  # twice: the reading to compare with is seldom exactly so old
            self.needs = Needs(history_s=2 * given["over"], readings=2)

    def run(self, data: Readings) -> Result:
        """The worst change of the readings that are judged."""
        rate, since = self._rates(data)
        moments = to_judge(data, ~np.isnan(rate), self.judge, self.windows, lambda: _missing(data))
        level = self.limits.levels(rate[moments])
        worst = Status(int(level.max()))
        offend = moments[level == worst]
        told = farthest(offend, self.limits.beyond(rate[offend], worst)) if worst else int(moments[-1])
        value, before = data.column()[[told, since[told]]].tolist()
        details = {"rate": float(rate[told]), "per": self.per, "value": value, "before": before,
                   "time": iso(int(data.time_ms[told])), "since": iso(int(data.time_ms[since[told]])),
                   "judged": int(moments.size)}
        if worst is Status.GREEN:
            return Result(worst, "", details)
        name, limit, side = self.limits.nearest(float(rate[told]), worst)
        verb = "rose" if side == "above" else "fell"
        shown, of_limit = apart(abs(float(rate[told])), abs(limit))
        return Result(
            worst, f"{series(data)} {verb} by {shown} per {self.per}, from {number(before)} to {number(value)} at "
                   f"{at(data, told)}: more than {name} {of_limit}{share_told(offend.size, moments.size)}",
            {**details, "limit": abs(limit), "broken": name, **offending(data, offend)})

    def _rates(self, data: Readings) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(n,) change since the reading that each is compared with, NaN without one; (n,) which that is."""
        values, rates = data.column(), np.full(len(data), np.nan)
        since = np.zeros(len(data), np.int64)
        present = np.flatnonzero(~np.isnan(values))
        time_ms = data.time_ms[present]
        partner = np.minimum(np.searchsorted(time_ms, time_ms - self.over_ms, "right"), np.arange(present.size)) - 1
        later, earlier = present[partner >= 0], present[partner[partner >= 0]]
        span = (data.time_ms[later] - data.time_ms[earlier]) / (1000 * PER_S[self.per])
        rates[later] = (values[later] - values[earlier]) / np.where(span > 0, span, np.nan)
        since[later] = earlier
        return rates, since


def _missing(data: Readings) -> str:
    return f"{series(data)} has no reading before the newest to compare it with"
