"""Is a value as those before it let expect? A curve from the past days: the usual day, a straight line, or a level."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.civil import DAY_MS, MINUTE_MS, WINDOWS, Windows, civil_ms, iso, weekday
from offbeat_detectors.checks.contract import Needs, NotJudged, Parameter, Result, Status
from offbeat_detectors.checks.judging import (
    JUDGE,
    apart,
    at,
    farthest,
    number,
    offending,
    series,
    share_told,
    to_judge,
)
from offbeat_detectors.checks.parameters import above_zero, checked, not_above, refuse
from offbeat_detectors.checks.readings import Readings

DAY_MINUTES = 1440
DAYS_MAX = 400
BLOCKS = 100  # a straight line goes through the medians of so many pieces of the past
SCORE_MAX = 1e6
LEAST_SPREAD = 1e-3  # of the range of the values


@dataclass(frozen=True, slots=True)
class Past:
    """The readings that a curve is made from: times ascending, values without NaN, minutes of the civil day."""

    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    minute: NDArray[np.float64]


class Curve:
    """A value far from the curve of the past days."""

    about = "The value is near to a curve that the past days make: their usual day, their trend, or their level."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("days", "number", f"how many days the curve is made from, at most {DAYS_MAX}", required=True,
                  unit="days"),
        Parameter("shape", "choice", "daily: the median of each time of day; trend: a straight line; level: the median",
                  default="daily", choices=("daily", "trend", "level")),
        Parameter("bin_minutes", "integer", "length of a time of day, a divisor of 1,440; from one to the next the "
                                            "curve is straight", default=30, unit="min"),
        Parameter("weekend", "flag", "Saturday and Sunday have a curve of their own", default=False),
        Parameter("yellow", "number", "so many spreads from the curve are YELLOW", default=3.0),
        Parameter("red", "number", "so many spreads from the curve are RED", default=5.0),
        Parameter("min_spread", "number", "the spread is never less; by default a thousandth of the range of values"),
        Parameter("min_readings", "integer", "with fewer readings in those days nothing is said", default=20),
        *WINDOWS,
        JUDGE,
    )
    needs = Needs(history_s=7 * DAY_MS / 1000, readings=1)

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        above_zero(given, "days", "yellow", "red", "min_spread", "bin_minutes")
        if given["days"] > DAYS_MAX:
            raise refuse("days", given["days"], f"at most {DAYS_MAX}")
        if DAY_MINUTES % given["bin_minutes"] or given["bin_minutes"] < 5:
            raise refuse("bin_minutes", given["bin_minutes"], "5 or more, a divisor of 1440")
        not_above(given, "yellow", "red")
        if given["min_readings"] < 2:
            raise refuse("min_readings", given["min_readings"], "2 or more")
        self.days_ms = int(given["days"] * DAY_MS)
        self.shape, self.bin_minutes, self.weekend = given["shape"], given["bin_minutes"], given["weekend"]
        self.yellow, self.red, self.min_spread = given["yellow"], given["red"], given["min_spread"]
        self.min_readings, self.judge, self.windows = given["min_readings"], given["judge"], Windows.of(given)
        self.needs = Needs(history_s=self.days_ms / 1000, readings=1)

    def run(self, data: Readings) -> Result:
        """The worst of the readings that are judged, by a curve from those before all of them."""
        values = data.column()
        moments = to_judge(data, ~np.isnan(values), self.judge, self.windows, lambda: f"{series(data)} has no reading")
        first = data.new_from if data.new_from < len(data) else int(moments[0])
        until_ms = int(data.time_ms[first])
        past = np.flatnonzero(~np.isnan(values[:first]) & (data.time_ms[:first] >= until_ms - self.days_ms))
        civil = civil_ms(data.time_ms, data.zone)
        minute = (civil % DAY_MS) / MINUTE_MS
        kind = weekday(civil // DAY_MS) >= 5 if self.weekend else np.zeros(len(data), bool)
        expected, spread = np.zeros(moments.size), np.zeros(moments.size)
        curves = {}
        for which in np.unique(kind[moments]).tolist():
            of_past, asked = past[kind[past] == which], kind[moments] == which
            if of_past.size < self.min_readings:
                of_days = f" on {'weekends' if which else 'weekdays'}" if self.weekend else ""
                raise NotJudged(f"{series(data)} has {of_past.size} readings{of_days} in the {self.days_ms / DAY_MS:g} "
                                f"days before {at(data, first)}: expected {self.min_readings}")
            curve = _Curve.through(Past(data.time_ms[of_past], values[of_past], minute[of_past]), self)
            expected[asked] = curve.at(data.time_ms[moments[asked]], minute[moments[asked]])
            spread[asked], curves[which] = curve.spread, curve
        score = np.minimum(np.abs(values[moments] - expected) / spread, SCORE_MAX)
        level = (score >= self.yellow).astype(int) + (score >= self.red)
        worst = Status(int(level.max()))
        offend = moments[level == worst]
        told = farthest(offend, score[level == worst]) if worst else int(moments[-1])
        place = int(np.searchsorted(moments, told))
        details = {
            "value": float(values[told]), "expected": float(expected[place]), "score": float(score[place]),
            "spread": float(spread[place]), "yellow": self.yellow, "red": self.red,
            "time": iso(int(data.time_ms[told])), "judged": int(moments.size), "past": int(past.size),
            "zone": data.zone.key, "curve": curves[bool(kind[told])].drawn(int(data.time_ms[told])),
        }
        if worst is Status.GREEN:
            return Result(worst, "", details)
        shown, usual = apart(float(values[told]), float(expected[place]))
        limit = self.red if worst is Status.RED else self.yellow
        return Result(
            worst, f"{series(data)} was {shown} at {at(data, told)}, expected {usual} ± {number(spread[place], 3)}: "
                   f"{number(score[place], 3)} spreads away, {number(limit)} or more is {worst.name}"
                   f"{share_told(offend.size, moments.size)}",
            {**details, **offending(data, offend)})


@dataclass(frozen=True, slots=True)
class _Curve:
    """x and y of its corners. A daily one has minutes as x and goes round; the others have times."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    spread: float
    daily: bool

    @classmethod
    def through(cls, past: Past, asked: Curve) -> _Curve:
        """The curve of this shape, with the spread of *past* around it: 1.4826 × MAD."""
        if asked.shape == "daily":
            x, y = _usual_day(past.minute, past.values, asked.bin_minutes)
        elif asked.shape == "trend":
            x, y = _straight(past.time_ms.astype(np.float64), past.values)
        else:
            x, y = past.time_ms[[0, -1]].astype(np.float64), np.full(2, np.median(past.values))
        curve = cls(x, y, 0.0, asked.shape == "daily")
        spread = 1.4826 * float(np.median(np.abs(past.values - curve.at(past.time_ms, past.minute))))
        reach = float(np.ptp(past.values)) or float(np.max(np.abs(past.values)))
        least = asked.min_spread or LEAST_SPREAD * reach or LEAST_SPREAD
        return cls(x, y, max(spread, least), curve.daily)

    def at(self, time_ms: NDArray[np.int64], minute: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) what is expected at these times."""
        if self.daily:
            daily: NDArray[np.float64] = np.interp(minute, self.x, self.y, period=DAY_MINUTES)
            return daily
        (x, x_end), (y, y_end) = self.x.tolist(), self.y.tolist()
        slope = (y_end - y) / (x_end - x) if x_end > x else 0.0
        straight: NDArray[np.float64] = y + slope * (time_ms.astype(np.float64) - x)
        return straight

    def drawn(self, told_ms: int) -> dict[str, Any]:
        """The corners, for who draws it: by the minute of the civil day in ``zone``, or by time up to the reading told.
        """
        if self.daily:
            return {"minutes": self.x.tolist(), "expected": self.y.tolist()}
        ends = np.array([self.x[0], told_ms], np.int64)
        return {"times": [iso(int(ms)) for ms in ends], "expected": self.at(ends, np.zeros(2)).tolist()}


def _usual_day(
    minute: NDArray[np.float64], values: NDArray[np.float64], bin_minutes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The times of day that have readings, each at the mean of when they were, and the median of each.

    Not at their middles: readings on the hour would be expected as they are between two of them.
    """
    by_value = np.argsort(values)
    place = (minute[by_value] // bin_minutes).astype(np.uint16)
    order = by_value[np.argsort(place, kind="stable")]  # of small integers: counted, not compared
    count = np.bincount(place, minlength=DAY_MINUTES // bin_minutes)
    filled = np.flatnonzero(count)
    begin = (np.cumsum(count) - count)[filled]
    low, high = order[begin + (count[filled] - 1) // 2], order[begin + count[filled] // 2]
    mean_minute: NDArray[np.float64] = np.bincount(place, minute[by_value], count.size)[filled] / count[filled]
    return mean_minute, values[low] + (values[high] - values[low]) / 2


def _straight(time_ms: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64],
                                                                                  NDArray[np.float64]]:
    """Two points of the line through the readings.

    Source: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968; here of the medians of
    up to a hundred pieces of equal count, so that the pairs are bounded.
    """
    blocks = min(BLOCKS, values.size)
    size = values.size // blocks
    newest = slice(values.size - blocks * size, None)
    t: NDArray[np.float64] = np.median(time_ms[newest].reshape(blocks, size), axis=1)
    v: NDArray[np.float64] = np.median(values[newest].reshape(blocks, size), axis=1)
    one, other = np.triu_indices(blocks, 1)
    slope = float(np.median((v[other] - v[one]) / (t[other] - t[one]))) if blocks > 1 else 0.0
    middle = float(t[blocks // 2])
    level = float(np.median(v - slope * (t - middle)))
    ends = time_ms[[0, -1]].tolist()
    return np.array(ends), np.array([level + slope * (end - middle) for end in ends])
