"""Has the like of this happened before at this rhythm? A short memory of what stood out, and when."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.civil import DAY_MS
from offbeat_detectors.kernel import kernel

JUMPS, PATTERNS = 11, 3
"""Places for jumps and for patterns."""

REPEATS = np.dtype([("time_s", "u4", (JUMPS + PATTERNS,)), ("size", "f4", (JUMPS + PATTERNS,))], align=True)
"""One series: 112 bytes. When each was, in seconds since 1970 UTC (0: an empty place), and its size: of a jump its
signed height, of a pattern its novelty."""

AS_LARGE = 0.6
"""What is on the same side and at least so large beside the new one is its like: a smaller one repeats it, too."""
REGULAR = 0.05  # of the interval between the two before
DAY_TOLERANCE_S = 1_800
DAY_S = DAY_MS // 1000
HALF_DAY_S = DAY_S // 2
OLD_S = 8 * DAY_S
DAYS_KNOWN = 2
"""So many times on other days about this time of day, and it has a rhythm."""
ALIKE, HABIT = 0.75, 6
"""So many of at most this ratio to the new one within OLD_S, at whatever intervals, and it is a habit."""
NEVER = 1 << 40
NEW, HABITUAL, RHYTHMIC = 0, 1, 2


@kernel
def remembered(r: Any, first: int, places: int, time_s: int, size: float) -> int:
    """How well what happens now is known. RHYTHMIC: the last two like it lie at equal intervals, or DAYS_KNOWN like it
    were about this time of other days. HABITUAL: HABIT like it were there lately. Else NEW.

    r              a row of dtype REPEATS
    first, places  which part of the memory: 0, JUMPS or JUMPS, PATTERNS
    time_s         in civil time, so that what is nightly follows the clock, also over its changes
    """
    last: Any = NEVER  # two whole numbers of either kind
    before: Any = NEVER
    days = alike = 0
    for place in range(first, first + places):
        if r.time_s[place] == 0:
            continue
        ago = time_s - np.int64(r.time_s[place])
        if ago <= 0 or not r.size[place] * math.copysign(1.0, size) >= AS_LARGE * abs(size):
            continue
        if ago <= OLD_S and ALIKE * abs(r.size[place]) <= abs(size):
            alike += 1
        if ago < last:
            before = last
            last = ago
        elif ago < before:
            before = ago
        phase = ago % DAY_S
        if ago > HALF_DAY_S and min(phase, DAY_S - phase) <= DAY_TOLERANCE_S:
            days += 1
    between = before - last
    regular = before < NEVER and abs(last - between) <= REGULAR * between
    if regular or days >= DAYS_KNOWN:
        return RHYTHMIC
    return HABITUAL if alike >= HABIT else NEW


@kernel
def remember(r: Any, first: int, places: int, time_s: int, size: float) -> None:
    """Keep what happened now, in an empty place, else that of the oldest if it is older than OLD_S, else of the oldest
    of those about as small as the smallest: so the last ones of many alike stay, and tell their interval.

    Nothing is kept while a place holds a time that is not past: what happens at once is the same thing.
    """
    oldest, longest, least = first, np.int64(-1), 1e300
    for place in range(first, first + places):
        ago = time_s - np.int64(r.time_s[place])
        if ago <= 0:
            return
        if ago > longest:  # an empty place holds the time 0
            oldest, longest = place, ago
        least = min(least, abs(np.float64(r.size[place])))
    worst = oldest
    if longest <= OLD_S:
        longest = np.int64(-1)
        for place in range(first, first + places):
            ago = time_s - np.int64(r.time_s[place])
            if AS_LARGE * abs(np.float64(r.size[place])) <= least and ago > longest:
                worst, longest = place, ago
    r.time_s[worst] = np.uint32(time_s)
    r.size[worst] = np.float32(size)
