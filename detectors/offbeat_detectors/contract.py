"""What a detector is. Everything that scores a series, ours or a plug-in's, has this form and passes ``checks``."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""What is saved of some slots: plain arrays by name (numeric dtypes only, no objects)."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """What a detector says of n points, each judged before it was learned.

    novelty      (n,) float64  how unlike anything lately, 0 or more; NaN: no opinion (warm-up)
    probability  (n,) float64  tail probability in (0, 1]; NaN where the detector is not probabilistic
    typical      (n,) float64  what was expected, in the unit of the series; NaN: no opinion
    lower        (n,) float64  lower bound of what was expected
    upper        (n,) float64  upper bound
    """

    novelty: NDArray[np.float64]
    probability: NDArray[np.float64]
    typical: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


class Detector(Protocol):
    """One model for each of up to *capacity* series; a series is known by its slot, 0 to capacity − 1.

    Implementations are constructed as ``cls(capacity, **parameters)`` and raise ValueError for a bad parameter.
    State arrays may be allocated for the whole capacity with ``np.zeros``: the system commits pages when they are
    first written.
    """

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes (for a model of Python objects: an estimate)."""
        ...

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in the order given, as if they came one by one.

        The same slot may occur many times. Times of one slot may step back. Values are finite. The answer must not
        depend on how a sequence of points is cut into calls. The input arrays are left as they were.
        """
        ...

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one."""
        ...

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots (each once)."""
        ...

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots; going on is as if uninterrupted, bit for bit."""
        ...

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        ...
