"""Does a value stand still for longer than it does? Compared with the newest reading, within a tolerance."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso
from offbeat_detectors.checks.contract import Needs, NotJudged, NotNow, Parameter, Result, Status
from offbeat_detectors.checks.judging import at, lasted, number, series
from offbeat_detectors.checks.parameters import above_zero, checked, one_of, refuse
from offbeat_detectors.checks.readings import Readings


class Stuck:
    """The same value again and again."""

    about = "The newest readings are not all the same."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("readings", "integer", "so many equal readings in a row are stuck"),
        Parameter("duration", "number", "a value that stays for so long is stuck; with `readings`, both must be so",
                  unit="s"),
        Parameter("tolerance", "number", "readings are equal if they all lie within it", default=0.0),
        Parameter("resting", "number", "a value at which it may stay, like 0 of a rain gauge"),
        Parameter("status", "choice", "what stuck is", default="red", choices=("yellow", "red")),
        *WINDOWS,
    )
    needs = Needs(readings=2)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, "readings", "duration")
        above_zero(given, "duration")
        if given["readings"] is not None and given["readings"] < 2:
            raise refuse("readings", given["readings"], "2 or more")
        if given["tolerance"] < 0:
            raise refuse("tolerance", given["tolerance"], "0 or more")
        self.readings, self.duration_s = given["readings"] or 2, given["duration"] or 0.0
        self.tolerance, self.resting = given["tolerance"], given["resting"]
        self.status, self.windows = Status[given["status"].upper()], Windows.of(given)
        # Twice: where readings are less apart than *duration*, one is that old and not older than twice of it.
        self.needs = Needs(history_s=2 * self.duration_s, readings=max(self.readings, 3))

    def run(self, data: Readings) -> Result:
        """How long the value of the newest reading has stayed."""
        present = np.flatnonzero(~np.isnan(data.column()))
        if not present.size:
            if not self.windows.hold(data.now_ms, data.zone):
                raise NotNow
            raise NotJudged(f"{series(data)} has no reading")
        newest = int(present[-1])
        if not self.windows.hold(int(data.time_ms[newest]), data.zone):
            raise NotNow
        backwards = data.column()[present[::-1]]
        spread = np.maximum.accumulate(backwards) - np.minimum.accumulate(backwards)
        count = int(np.searchsorted(spread, self.tolerance, "right"))
        first, value = int(present[-count]), float(backwards[0])
        stayed_s = float(data.time_ms[newest] - data.time_ms[first]) / 1000
        details = {"value": value, "count": count, "stayed_s": stayed_s, "since": iso(int(data.time_ms[first])),
                   "time": iso(int(data.time_ms[newest]))}
        if count < self.readings or stayed_s < self.duration_s:
            if count == present.size:
                raise NotJudged(f"{series(data)} has {count} readings in {lasted(stayed_s)}, all the same: too few")
            return Result(Status.GREEN, "", details)
        if self.resting is not None and abs(value - self.resting) <= self.tolerance:
            return Result(Status.GREEN, "", details)
        more = "at least " if count == present.size else ""
        return Result(self.status, f"{series(data)} has stayed at {number(value)} for {more}{count} readings, "
                                   f"{lasted(stayed_s)}, until {at(data, newest)}", details)
