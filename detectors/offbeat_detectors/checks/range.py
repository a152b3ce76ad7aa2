"""Is a value where it may be? Limits on both sides, by season, weekday and hour."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso
from offbeat_detectors.checks.contract import Needs, NotJudged, Parameter, Result, Status
from offbeat_detectors.checks.judging import (
    JUDGE,
    Limits,
    apart,
    at,
    farthest,
    held,
    number,
    offending,
    series,
    share_told,
    to_judge,
)
from offbeat_detectors.checks.parameters import BadParameters, checked, not_above, one_of, refuse
from offbeat_detectors.checks.readings import Readings

LOOK_BACK = 500  # readings in which a limit that was reached and never cleared is still known
NO_DATA = "no_data"


class Range:
    """A value within limits."""

    about = "The value lies within limits; they may hold in a season, on weekdays or at hours only."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("min", "number", "below it is RED"),
        Parameter("max", "number", "above it is RED"),
        Parameter("yellow_margin", "number", "inside, but nearer than this to min or max is YELLOW", default=0.0),
        Parameter("yellow_min", "number", "below it is YELLOW, instead of a margin"),
        Parameter("yellow_max", "number", "above it is YELLOW, instead of a margin"),
        Parameter("clear_margin", "number", "a limit that was passed counts until the value is inside by this much",
                  default=0.0),
        *WINDOWS,
        JUDGE,
        Parameter("on_missing", "choice", "what it is if there is no reading at all", default=NO_DATA,
                  choices=(NO_DATA, "yellow", "red")),
    )
    needs = Needs(readings=1)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, "min", "max", "yellow_min", "yellow_max")
        for name in ("yellow_margin", "clear_margin"):
            if given[name] < 0:
                raise refuse(name, given[name], "0 or more")
        self.limits = _limits(given)
        self.clear_margin: float = given["clear_margin"]
        self.windows, self.judge, self.on_missing = Windows.of(given), given["judge"], given["on_missing"]
        if self.clear_margin:
            self.needs = Needs(readings=LOOK_BACK)

    def run(self, data: Readings) -> Result:
        """The worst of the readings that are judged, told by the one that is farthest beyond its limit."""
        values = data.column()
        try:
            moments = to_judge(data, ~np.isnan(values), self.judge, self.windows,
                               lambda: f"{series(data)} has no reading")
        except NotJudged as missing:
            if self.on_missing == NO_DATA:
                raise
            return Result(Status[self.on_missing.upper()], str(missing))
        level = self._levels(values)[moments]
        worst = Status(int(level.max()))
        offend = moments[level == worst]
        if worst is Status.GREEN:
            newest = int(moments[-1])
            return Result(worst, "", {**self._said(data, newest), "judged": int(moments.size)})
        told = farthest(offend, self.limits.beyond(values[offend], worst))
        name, limit, side = self.limits.nearest(value := float(values[told]), worst)
        shown, of_limit = apart(value, limit)
        is_beyond = value < limit if side == "below" else value > limit
        how = (f"{side} {name} {of_limit}" if is_beyond else
               f"not yet back from {name} {of_limit} by clear_margin {number(self.clear_margin)}")
        return Result(
            worst, f"{series(data)} was {shown} at {at(data, told)}: {how}{share_told(offend.size, moments.size)}",
            {**self._said(data, told), "limit": limit, "broken": name, "judged": int(moments.size),
             **offending(data, offend)})

    def _levels(self, values: NDArray[np.float64]) -> NDArray[np.int8]:
        level = self.limits.levels(values)
        if not self.clear_margin:
            return level
        lasting, present = np.zeros_like(level), ~np.isnan(values)
        lasting[present] = held(level[present], self.limits.levels(values[present], self.clear_margin))
        return lasting

    def _said(self, data: Readings, moment: int) -> dict[str, Any]:
        return {"value": float(data.column()[moment]), "time": iso(int(data.time_ms[moment])),
                "limits": self.limits.as_dict()}


def _limits(given: Mapping[str, Any]) -> Limits:
    low, high, margin = given["min"], given["max"], given["yellow_margin"]
    red_below = -np.inf if low is None else low
    red_above = np.inf if high is None else high
    not_above(given, "min", "max")
    not_above(given, "min", "yellow_min")
    not_above(given, "yellow_max", "max")
    not_above(given, "yellow_min", "yellow_max")
    explicit = [name for name in ("yellow_min", "yellow_max") if given[name] is not None]
    if margin and explicit:
        message = f"yellow_margin and {explicit[0]} say the same: expected one of them"
        raise BadParameters(message, parameter=explicit[0])
    yellow_below = red_below + margin if given["yellow_min"] is None else given["yellow_min"]
    yellow_above = red_above - margin if given["yellow_max"] is None else given["yellow_max"]
    return Limits(red_below, yellow_below, yellow_above, red_above, ("min", "yellow_min", "yellow_max", "max"))
