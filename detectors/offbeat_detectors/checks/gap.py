"""Does a series still send? The dead man's switch, by a time or by its own habit."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso, when
from offbeat_detectors.checks.contract import Needs, NotJudged, NotNow, Parameter, Result, Status
from offbeat_detectors.checks.judging import lasted, series
from offbeat_detectors.checks.parameters import above_zero, checked, not_above, one_of, refuse
from offbeat_detectors.checks.readings import Readings

LEARNED_FROM = 200  # readings from which the usual interval is learned
LEARNED_MIN = 10  # intervals


class Gap:
    """No reading for too long."""

    about = "A reading came not too long ago; how long is a number, or a multiple of the interval that it usually has."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("max_age", "number", "no reading for longer is RED", unit="s"),
        Parameter("yellow_age", "number", "no reading for longer is YELLOW", unit="s"),
        Parameter("max_intervals", "number", "no reading for so many usual intervals is RED; the usual one is the "
                                             f"median of the last {LEARNED_FROM}"),
        Parameter("yellow_intervals", "number", "no reading for so many usual intervals is YELLOW"),
        *WINDOWS,
    )
    needs = Needs(readings=1, clock=True)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, "max_age", "yellow_age", "max_intervals", "yellow_intervals")
        above_zero(given, "max_age", "yellow_age")
        for name in ("max_intervals", "yellow_intervals"):
            if given[name] is not None and given[name] < 1:
                raise refuse(name, given[name], "1 or more")
        not_above(given, "yellow_age", "max_age")
        not_above(given, "yellow_intervals", "max_intervals")
        self.red = _either(given, "max_age", "max_intervals")
        self.yellow = _either(given, "yellow_age", "yellow_intervals")
        self.learns = given["max_intervals"] is not None or given["yellow_intervals"] is not None
        self.windows = Windows.of(given)
        if self.learns:
            self.needs = Needs(readings=LEARNED_FROM, clock=True)

    def run(self, data: Readings) -> Result:
        """How long ago the newest reading came; time outside of the windows just before does not count."""
        if not self.windows.hold(data.now_ms, data.zone):
            raise NotNow
        last_ms = int(data.last_ms[0])
        if last_ms < 0:
            raise NotJudged(f"{series(data)} has never had a reading")
        usual_s = self._usual_s(data) if self.learns else np.nan
        red_s, yellow_s = (min(age, intervals * usual_s) if np.isfinite(usual_s) else age
                           for age, intervals in (self.red, self.yellow))
        if not np.isfinite(min(red_s, yellow_s)):
            raise NotJudged(f"{series(data)} has too few readings to know its usual interval")
        age_s = max(0, data.now_ms - last_ms) / 1000
        beyond_s = max(limit_s for limit_s in (red_s, yellow_s) if np.isfinite(limit_s)) + 60
        back_ms = int(min(age_s, beyond_s) * 1000)
        counted_s = self.windows.open_for_ms(data.now_ms, back_ms, data.zone) / 1000
        details = {"age_s": age_s, "last": iso(last_ms)}
        details |= {name: limit_s for name, limit_s in (("red_s", red_s), ("yellow_s", yellow_s), ("usual_s", usual_s))
                    if np.isfinite(limit_s)}
        status = Status.RED if counted_s > red_s else Status.YELLOW if counted_s > yellow_s else Status.GREEN
        if status is Status.GREEN:
            return Result(status, "", details)
        limit_s = red_s if status is Status.RED else yellow_s
        by_habit = f", usually one comes every {lasted(usual_s)}" if np.isfinite(usual_s) else ""
        return Result(status, f"{series(data)} has had no reading for {lasted(age_s)}, since "
                              f"{when(last_ms, data.zone)}: longer than {lasted(limit_s)}{by_habit}",
                      {**details, "limit_s": limit_s})

    def _usual_s(self, data: Readings) -> float:
        times = data.time_ms[~np.isnan(data.column())][-LEARNED_FROM:]
        return float(np.median(np.diff(times))) / 1000 if times.size > LEARNED_MIN else np.nan


def _either(given: Mapping[str, Any], age: str, intervals: str) -> tuple[float, float]:
    """Seconds and intervals, infinite where they are not given."""
    return (np.inf if given[age] is None else given[age]), (np.inf if given[intervals] is None else given[intervals])
