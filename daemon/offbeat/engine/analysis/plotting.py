"""The model plot: of each bucket and entity what was expected, the band around it, and what came."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.results import PlotPoint
from offbeat.engine.analysis.spec import ModelPlot
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.model import BucketOpinions

POINTS_MAX = 500
"""Of one detector and bucket; what is beyond is counted."""
PERCENTILE = 98.0
"""What lies in the band of a model."""
PERCENTILE_MAX = 99.9999
"""A band with everything in it would have no end."""
UNKNOWN = -1
Values = tuple[str | None, str | None, str | None]


class Plotting:
    """Points of one detector. *values_of* says the partition, by and over value of a member."""

    def __init__(
        self, index: int, function: Function, asked: ModelPlot, values_of: Callable[[int], Values]
    ) -> None:
        self._index, self._function, self._values_of = index, function, values_of
        self._terms = frozenset(asked.terms)
        self._wide = deviations_of(asked.percentile) / deviations_of(PERCENTILE)
        self._fits = np.zeros(0, np.int8)

    def points(
        self, feature: int, member: NDArray[np.int32], value: NDArray[np.float64], said: BucketOpinions
    ) -> list[PlotPoint]:
        """One of each member of whom something was expected, in their order; all (n,)."""
        wanted = np.flatnonzero(~np.isnan(said.typical) & self._wanted(member))
        typical = said.typical
        lower = typical - self._wide * (typical - said.lower)
        upper = typical + self._wide * (said.upper - typical)
        if self._function.kind != "metric":
            lower = np.maximum(lower, 0.0)
        return [
            PlotPoint(
                self._index,
                self._function.descriptions[feature],
                *self._values_of(int(member[i])),
                float(lower[i]),
                float(typical[i]),
                float(upper[i]),
                float(value[i]),
            )
            for i in wanted.tolist()
        ]

    def _wanted(self, member: NDArray[np.int32]) -> NDArray[np.bool_]:
        if not self._terms or not member.size:
            return np.ones(member.size, np.bool_)
        if (most := int(member.max()) + 1) > self._fits.size:
            more = np.full(max(most, 2 * self._fits.size) - self._fits.size, UNKNOWN, np.int8)
            self._fits = np.concatenate([self._fits, more])
        for one in member[self._fits[member] == UNKNOWN].tolist():
            self._fits[one] = not self._terms.isdisjoint(self._values_of(one))
        fits: NDArray[np.bool_] = self._fits[member] == 1
        return fits

    def forget(self) -> None:
        """Numbers of members may stand for others now."""
        self._fits = np.zeros(0, np.int8)


def deviations_of(percentile: float) -> float:
    """How many deviations of the normal law the middle *percentile* of it reaches to either side."""
    return NormalDist().inv_cdf(0.5 + 0.005 * min(percentile, PERCENTILE_MAX))
