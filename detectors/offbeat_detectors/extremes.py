"""How rare is a value beyond the largest ones of the past? The tail that arrival, stuck and drift share."""
from __future__ import annotations

import math
from typing import Any

from offbeat_detectors.kernel import kernel
from offbeat_detectors.scores import novelty_of_surprise

KNOWN_MAX = 1000.0
MEDIAN_RATE, MEDIAN_RATE_FIRST = 0.05, 1.0
"""So many values of the past count, however many there were: older ones came under other conditions."""
SHARE_LOG10 = 1.5
"""A piece of evidence spends one part in 30 of the false findings that its score allows: the rest is the patterns'."""
_PER_LOG10 = 1.0 / math.log(10.0)
_LOG_2 = math.log(2.0)


@kernel
def shape_of(second: float, median: float, known: float, shape_min: float, shape_max: float) -> float:
    """The shape, within the limits, of the Weibull law through the median and the second largest of *known* values.

    1 is the exponential law, 2 falls like the normal law, below 1 are the heavy tails. Too few values: *shape_min*.
    Source: W. Weibull, "A statistical distribution function of wide applicability", 1951.
    """
    depth = math.log((min(known, KNOWN_MAX) + 1.0) / 2.0)
    if depth <= _LOG_2:
        return shape_min
    if second <= median:
        return shape_max
    if median <= 0.0:
        return shape_min
    return min(shape_max, max(shape_min, math.log(depth / _LOG_2) / math.log(second / median)))


@kernel
def surprise_beyond(ratio: float, shape: float, known: float) -> float:
    """−log10 of the probability that the next value is *ratio* times the second largest of *known* values, or more.

    That the next of exchangeable values is beyond the second largest of k has the probability 2/(k + 1), whatever their
    law. From there the tail is Weibull's: −log P grows as ratio^shape. The second largest and not the largest, so that
    one accident is not taken for a habit. *ratio* is 1 or more. From 50 exponential values, what this calls one in
    1,000 comes three times as often, for two of them do not tell the law exactly: SHARE_LOG10 covers that.
    Source: S. Wilks, "Determination of sample sizes for setting tolerance limits", 1941 (the rank statement).
    """
    depth = math.log((min(known, KNOWN_MAX) + 1.0) / 2.0)
    return float(max(0.0, depth) * ratio**shape * _PER_LOG10)


@kernel
def novelty_of_share(surprise: float) -> float:
    """The novelty of −log10 p under the part of the false findings that a piece of evidence may spend."""
    return novelty_of_surprise(max(0.0, surprise - SHARE_LOG10))


@kernel
def learn_peak(s: Any, known: float, echo: float, fade: float) -> None:
    """Learn the peak of an epoch: into the median of peaks and, unless it is an echo, among the two farthest.

    s      a row with the fields peak (taken, and set to 0), farthest, far (the second farthest) and median
    known  epochs before this one    fade  what the two farthest keep of themselves in an epoch
    echo   a peak of less than this share of the farthest is not among them
    Source: H. Robbins, S. Monro, "A stochastic approximation method", 1951 (the median).
    """
    peak = s.peak
    s.peak = 0.0
    s.farthest *= fade
    s.far *= fade
    if peak > s.far and peak > echo * s.farthest:
        s.far = min(peak, s.farthest)
        s.farthest = max(peak, s.farthest)
    if known == 0.0:
        s.median = peak
    rate = max(MEDIAN_RATE, MEDIAN_RATE_FIRST / (known + 3.0))
    if peak > s.median:
        s.median = min(peak, s.median * (1.0 + rate))
    elif peak < s.median:
        s.median = max(peak, s.median / (1.0 + rate))
