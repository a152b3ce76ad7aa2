"""How heavy the tail of a novelty is, by two of its quantiles: what lets series of all kinds speak alike."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.kernel import inlined_kernel, kernel

TAIL = np.dtype([("common", "f4"), ("rare", "f4"), ("seen", "i4")], align=True)
"""Two quantiles of a novelty: 20 % and 8 % of its positive values lie above; seen: how many of them there were."""

COMMON, RARE = 0.2, 0.08
_LOG_SHARES = math.log(COMMON / RARE)
RATE_FIRST = 2.0
SEEN_MAX = 1 << 30


@kernel
def heaviness(tail: Any) -> float:
    """The tail's exponent between its two quantiles: log of their ratio, over the log of the ratio of their shares.

    Of |normal| 0.34, of |Student t(3)| 0.5. Two quantiles bear what a mean of log-excesses (B. Hill, 1975) does not:
    anomalies in up to 8 of 100 readings.
    """
    if not tail.rare > tail.common > 0.0:
        return 0.0
    return math.log(tail.rare / tail.common) / _LOG_SHARES


@inlined_kernel
def learn_tail(tail: Any, novelty: float, rate_min: float, rate_max: float, common_min: float) -> None:
    """Move both quantiles to where their shares of the positive novelties lie, in steps proportional to themselves.

    The step falls from *rate_max* to *rate_min* as novelties are seen; the first quantile stays above *common_min*.

    Source: H. Robbins, S. Monro, "A stochastic approximation method", 1951.
    """
    if not novelty > 0.0:
        return
    tail.seen = min(tail.seen + 1, SEEN_MAX)
    rate = max(rate_min, min(rate_max, RATE_FIRST / (tail.seen + 1.0)))
    common = tail.common * (1.0 + rate * (1.0 - COMMON) if novelty > tail.common else 1.0 - rate * COMMON)
    rare = tail.rare * (1.0 + 1.5 * rate * (1.0 - RARE) if novelty > tail.rare else 1.0 - 1.5 * rate * RARE)
    tail.common = np.float32(min(1e30, max(common, common_min)))
    tail.rare = np.float32(min(1e30, max(rare, 1e-30)))
