"""How much a finding of a young series counts: much of what it shows first is only what it has not shown yet."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.civil import DAY_MS
from offbeat_detectors.kernel import kernel

READINGS, DAYS = 1500.0, 5.0
"""A series has settled after so many readings or so many days, whichever comes first: a reading an hour knows the week
after 120 of them, where 600 of one every five minutes have seen two nights."""
BEARS = 0.006
"""The strength that each reading so far can bear: that the next is beyond them all says little while they are few, by
however much it is (a constant that moves for the first time, a first morning)."""


@kernel
def settled(seen: int, age_ms: float) -> float:
    """How far a series has settled that has *seen* so many readings in *age_ms*, 0 to 1."""
    return min(1.0, max(seen / READINGS, age_ms / (DAYS * DAY_MS)))


@kernel
def allowed(strength: float, seen: int, age_ms: float) -> float:
    """What is left of the *strength* of a finding of such a series."""
    return min(strength * settled(seen, age_ms), BEARS * seen)


def left(seen: NDArray[np.int64], age_ms: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Readings that n series still need to settle, and milliseconds: the first of the two settles it; 0 when it has.

    seen  (n,) int64 readings so far    age_ms  (n,) float64 from the first reading to the latest
    """
    readings = np.maximum(0, int(READINGS) - seen)
    span_ms = np.maximum(0.0, DAYS * DAY_MS - age_ms)
    done = (readings == 0) | (span_ms == 0.0)
    return np.where(done, 0, readings), np.where(done, 0.0, span_ms)
