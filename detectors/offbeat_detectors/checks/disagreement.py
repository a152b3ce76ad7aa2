"""Do redundant sensors say the same? Each is compared with the median of all; two are compared with one another."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.civil import WINDOWS, Windows, iso
from offbeat_detectors.checks.contract import Needs, Parameter, Result, Status
from offbeat_detectors.checks.judging import (
    JUDGE,
    apart,
    at,
    farthest,
    number,
    of_source,
    offending,
    series,
    share_told,
    to_judge,
)
from offbeat_detectors.checks.parameters import BadParameters, above_zero, checked, one_of, refuse
from offbeat_detectors.checks.readings import Readings

COLUMNS_MAX = 64
TOLD_COLUMNS_MAX = 8


class Disagreement:
    """Columns that should be alike and are not."""

    about = "Sensors of the same thing agree: none is far from the median of all."
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("max_difference", "number", "farther from the median is RED, from half of it on YELLOW"),
        Parameter("yellow", "number", "so far from the median or farther is YELLOW"),
        Parameter("red", "number", "farther from the median is RED, instead of max_difference"),
        *WINDOWS,
        JUDGE,
    )
    needs = Needs(readings=20, columns_min=2, columns_max=COLUMNS_MAX)  # columns seldom have values at all moments

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Raises BadParameters."""
        given = checked(parameters, self.parameters)
        one_of(given, "max_difference", "yellow", "red")
        above_zero(given, "max_difference", "yellow", "red")
        if given["max_difference"] is not None and given["red"] is not None:
            raise BadParameters("max_difference and red say the same: expected one of them", parameter="red")
        red = given["max_difference"] if given["red"] is None else given["red"]
        self.red: float = np.inf if red is None else red
        half = np.inf if given["max_difference"] is None else given["max_difference"] / 2
        self.yellow: float = half if given["yellow"] is None else given["yellow"]
        if given["yellow"] is not None and self.yellow > self.red:
            raise refuse("yellow", self.yellow, f"not more than {self.red}, which is RED")
        self.windows, self.judge = Windows.of(given), given["judge"]

    def run(self, data: Readings) -> Result:
        """The worst moment of those at which at least two columns have a value, and which column is the odd one."""
        count, median, away = _away(data.values)
        moments = to_judge(data, count >= 2, self.judge, self.windows, lambda: _missing(data))
        largest = np.fmax.reduce(away[:, moments])  # without NaN
        level = np.where(largest > self.red, 2, (largest >= self.yellow).astype(int))
        worst = Status(int(level.max()))
        offend = moments[level == worst]
        told = farthest(offend, largest[level == worst]) if worst else int(moments[-1])
        odd = int(np.nanargmax(away[:, told]))
        values = {name: None if np.isnan(value) else value
                  for name, value in zip(data.columns, data.values[told].tolist(), strict=True)}
        difference, value = float(away[odd, told]), float(data.values[told, odd])
        details = {"odd": data.columns[odd] if count[told] > 2 else None, "difference": difference, "values": values,
                   "median": float(median[told]), "time": iso(int(data.time_ms[told])), "judged": int(moments.size)}
        if worst is Status.GREEN:
            return Result(worst, "", details)
        limit = self.red if worst is Status.RED else self.yellow
        shown, of_limit = apart(difference, limit)
        than = f"more than {of_limit}" if worst is Status.RED else f"{of_limit} or more"
        those = ", ".join(f"{name} {number(each)}" for name, each in list(values.items())[:TOLD_COLUMNS_MAX]
                          if each is not None)
        what = (f"{series(data, odd)} was {number(value)} at {at(data, told)}, {shown} from the median of "
                f"{number(float(median[told]))}" if count[told] > 2 else
                f"the two columns{of_source(data)} that had a value at {at(data, told)} were {shown} apart")
        return Result(worst, f"{what}: {than} ({those}){share_told(offend.size, moments.size)}",
                      {**details, "limit": limit, **offending(data, offend)})


def _away(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """(n,) how many columns have a value; (n,) their median; (k, n) how far each is from it, or from the other one."""
    ascending = np.sort(values, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(values), axis=1)
    row = np.arange(values.shape[0])
    low, high = ascending[row, np.maximum(count - 1, 0) // 2], ascending[row, count // 2 % values.shape[1]]
    median = low + (high - low) / 2
    away = np.abs(np.ascontiguousarray(values.T) - median)  # k long rows: n short ones take five times as long
    pair = np.flatnonzero(count == 2)
    away[:, pair] = np.where(np.isnan(away[:, pair]), np.nan, (high - low)[pair])
    return count, median, away


def _missing(data: Readings) -> str:
    names = ", ".join(data.columns[:TOLD_COLUMNS_MAX])
    return f"there is no moment at which two of {names}{of_source(data)} have a value"
