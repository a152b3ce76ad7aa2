"""The rhythm of arrival: a silence longer than this series' own gaps, and a lasting change of its rate."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.extremes import KNOWN_MAX, SHARE_LOG10, novelty_of_share, shape_of, surprise_beyond
from offbeat_detectors.kernel import inlined_kernel, kernel

ARRIVAL = np.dtype([
    ("last", "i8"), ("gap", "f4"), ("longest", "f4"), ("second", "f4"), ("known", "f4"),
    ("elapsed", "f4"), ("pace", "f4"), ("farthest", "f4"), ("far", "f4"), ("blocks", "f4"),
    ("count", "i2"), ("behind", "i2"),
])
"""What is known of the times of a series: 48 bytes. Gaps are milliseconds from one time to the next later one.

last             the latest time, milliseconds since 1970; behind: readings in a row that were not later
gap              median gap
longest, second  the two longest gaps, fading
known            how many gaps, fading
elapsed, count   of the present block: the sum of its gaps, each winsorised, and its readings and one; 0: none yet
pace             median of the mean gap of a block, over its readings
farthest, far    the two largest |log(mean gap of a block / pace)|, fading
blocks           how many blocks, fading
"""

KNOWN_MIN = 32.0  # gaps before the first opinion: with 8, the second batch of a sensor was a silence
STEADY = 3.0  # median gaps: no silence counts as long below it, however regular the series
MEDIAN_RATE, MEDIAN_RATE_FIRST = 0.02, 2.0
SHAPE_MIN, SHAPE_MAX = 0.2, 1.0
SHAPE_DOUBT = 0.6  # of the shape, which two gaps do not tell exactly: with 1, lognormal gaps had 0.4 findings in 10,000
SURPRISE_50, NOVELTY_50 = 3.5, 1.4  # the surprise of a finding of score 50; from there novelty grows
GROWTH, LOUDEST = 1.2, 5.0  # by so much with each doubling of the surprise, and no further
BLOCK = 16  # readings, or more if they come at one time: it ends with a later one
_COUNT_MAX = 30_000
LOG10_BLOCK = 0.4  # a block is judged once in 16 readings; with 1.2, all of that, Poisson arrivals had 0.13 in 10,000
PACE_RATE, PACE_RATE_FIRST = 0.05, 1.0
PACE_FLOOR = 0.35  # no block counts as of another rate below it: 40 % more or fewer readings
PACE_KNOWN_MIN = 8.0  # blocks before the first opinion of the rate
PACE_LOUDEST = 2.4  # a block of the new rate is not so much odder than one with half of it that it would speak again
FADE_HALF_LIFE_MS = 14.0 * 86_400_000.0
FADE_BLOCK_MIN = 0.98  # a series of few readings a day forgets by reading
BEHIND_MAX = 1000
GAP_MAX = 1e30


@kernel
def novelty_of_gap(gap: float, second: float, median: float, known: float) -> float:
    """The novelty of no reading for *gap*, when *second* is the second longest of *known* gaps: 0, or up to 5."""
    usual = max(second, STEADY * median)
    if gap <= usual:
        return 0.0
    shape = min(SHAPE_MAX, SHAPE_DOUBT * shape_of(usual, median, known, SHAPE_MIN, SHAPE_MAX / SHAPE_DOUBT))
    return slowly(surprise_beyond(gap / usual, shape, known))


@kernel
def slowly(surprise: float) -> float:
    """The novelty of a surprise, growing with its logarithm beyond a score of 50: longer is not much odder."""
    novelty = novelty_of_share(surprise)
    if novelty <= NOVELTY_50:
        return novelty
    return min(LOUDEST, NOVELTY_50 + GROWTH * math.log2((surprise - SHARE_LOG10) / SURPRISE_50))


@kernel
def judge_then_learn_block(s: Any) -> float:
    """Novelty of the rate of the block of readings that row *s* has complete; then learn it, and begin the next."""
    mean = s.elapsed / (s.count - 1)
    fade = max(FADE_BLOCK_MIN, 0.5 ** (s.elapsed / FADE_HALF_LIFE_MS))
    s.elapsed = 0.0
    s.count = 1
    s.longest *= fade
    s.second *= fade
    s.known *= fade
    if s.blocks == 0.0:
        s.pace = mean
    pace = s.pace
    far = abs(math.log(mean / pace))
    novelty = 0.0
    usual = max(s.far, PACE_FLOOR)
    if s.blocks >= PACE_KNOWN_MIN and far > usual:
        novelty = min(PACE_LOUDEST, slowly(surprise_beyond(far / usual, 1.0, s.blocks) + LOG10_BLOCK))
    rate = max(PACE_RATE, PACE_RATE_FIRST / (s.blocks + 3.0))
    if mean > pace:
        s.pace = min(mean, pace * (1.0 + rate))
    elif mean < pace:
        s.pace = max(mean, pace / (1.0 + rate))
    s.farthest *= fade
    s.far *= fade
    if far > s.far:
        s.far = min(far, s.farthest)
        s.farthest = max(far, s.farthest)
    s.blocks = min(KNOWN_MAX, s.blocks * fade + 1.0)
    return novelty


@kernel
def overdue_by(s: Any, now_ms: int) -> tuple[float, float]:
    """Novelty of the silence of the series of row *s* until *now_ms*, and when it was to speak at the latest (ms).

    Learns nothing. NaN, both, until 32 gaps are known. If a reading comes now, its gap has the same novelty.
    """
    if s.known < KNOWN_MIN:
        return np.nan, np.nan
    return (
        novelty_of_gap(float(now_ms) - float(s.last), s.second, s.gap, s.known), float(s.last) + max(s.second, s.gap))


@inlined_kernel
def judge(s: Any, time_ms: int) -> float:
    """Novelty of the gap that ends at *time_ms*, or of the rate of the last 16 if these are complete; then learn it.

    s  a row of dtype ARRIVAL, changed in place

    0 is normal, and the answer in the warm-up. A reading at the time of the one before says nothing of the gaps, but
    counts in the rate: the times of a fast sensor may be whole seconds. One at an earlier time is late and says nothing
    of the rhythm; after 1000 of both in a row the clock is taken to have been set back. The median moves
    in steps proportional to itself (H. Robbins, S. Monro, "A stochastic approximation method", 1951).
    """
    if s.count == 0:
        s.last = time_ms
        s.count = 1
        return 0.0
    wait = float(time_ms) - float(s.last)
    if wait <= 0.0:
        if wait == 0.0 and s.count < _COUNT_MAX:
            s.count += 1
        s.behind += 1
        if s.behind >= BEHIND_MAX:
            s.behind = 0
            s.last = time_ms
        return 0.0
    s.last = time_ms
    s.behind = 0
    gap = min(wait, GAP_MAX)
    known = s.known
    if known == 0.0:
        s.gap = gap
    median = s.gap
    novelty = novelty_of_gap(gap, s.second, median, known) if known >= KNOWN_MIN else 0.0

    s.elapsed += min(gap, STEADY * median)
    s.count += 1
    if s.count > BLOCK:
        novelty = max(novelty, judge_then_learn_block(s))
    rate = max(MEDIAN_RATE, MEDIAN_RATE_FIRST / (known + 3.0))
    if gap > median:
        s.gap = min(gap, median * (1.0 + rate))
    elif gap < median:
        s.gap = max(gap, median / (1.0 + rate))
    if gap > s.second:
        s.second = min(gap, s.longest)
        s.longest = max(gap, s.longest)
    s.known = min(KNOWN_MAX, s.known + 1.0)
    return novelty


@kernel
def judge_then_learn(rows: NDArray[Any], slot: int, time_ms: int) -> float:
    """``judge`` of the row *slot* of *rows*."""
    return judge(rows[slot], time_ms)


@kernel
def overdue(rows: NDArray[Any], slot: int, now_ms: int) -> tuple[float, float]:
    """``overdue_by`` of the row *slot* of *rows*."""
    return overdue_by(rows[slot], now_ms)
