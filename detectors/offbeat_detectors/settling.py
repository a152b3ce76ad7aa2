"""How much a finding of a young series counts: much of what it shows first is only what it has not shown yet."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.civil import DAY_MS
from offbeat_detectors.contract import Settled
from offbeat_detectors.kernel import kernel

READINGS, DAYS, POWER = 1500.0, 5.0, 1.25
"""A series has settled after so many readings or so many days, whichever comes first: a reading an hour knows the week
after 120 of them, where 600 of one every five minutes have seen two nights."""
BEARS = 0.006
"""The strength that each reading so far can bear: that the next is beyond them all says little while they are few, by
however much it is (a constant that moves for the first time, a first morning)."""


@kernel
def settled(seen: int, age_ms: float) -> float:
    """How far a series has settled that has *seen* so many readings in *age_ms*, 0 to 1."""
    return float(min(1.0, max(seen / READINGS, age_ms / (DAYS * DAY_MS))) ** POWER)


@kernel
def allowed(strength: float, seen: int, age_ms: float) -> float:
    """What is left of the *strength* of a finding of such a series."""
    return min(strength * settled(seen, age_ms), BEARS * seen)


def state_of(seen: NDArray[np.int64], age_ms: NDArray[np.float64]) -> Settled:
    """The same of n series at once, for whoever asks.

    seen  (n,) int64 readings so far    age_ms  (n,) float64 from the first reading to the latest
    """
    share = np.minimum(1.0, np.maximum(seen / READINGS, age_ms / (DAYS * DAY_MS))) ** POWER
    young = share < 1.0
    return Settled(
        np.asarray(share, np.float64), np.asarray(BEARS * seen, np.float64),
        np.where(young, int(READINGS) - seen, 0), np.where(young, DAYS * DAY_MS - age_ms, 0.0))
