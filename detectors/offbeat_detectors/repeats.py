"""Has the like of this happened before at this rhythm? A short memory of what stood out, and when."""
from __future__ import annotations

from typing import Any

import numpy as np

from offbeat_detectors.civil import DAY_MS
from offbeat_detectors.kernel import kernel

JUMPS, PATTERNS = 12, 3
"""Places for jumps and for patterns."""

REPEATS = np.dtype([
    ("time_s", "u4", (JUMPS + PATTERNS,)), ("size", "f4", (JUMPS + PATTERNS,)), ("jumps", "u2"), ("patterns", "u2"),
], align=True)
"""One series: 124 bytes. When each was, in seconds since 1970 UTC, and its size: of a jump its signed height, of a
pattern its novelty. jumps, patterns: how many there were, which also says where the newest stands."""

SIMILAR = 0.4  # of the size
REGULAR = 0.05  # of the interval between the two before
DAY_TOLERANCE_S = 1_800
DAY_S = DAY_MS // 1000
HALF_DAY_S = DAY_S // 2
DAYS_KNOWN = 2
"""So many times on other days about this time of day, and it is a habit."""


@kernel
def remembered(r: Any, first: int, places: int, time_s: int, zone_s: int, size: float) -> bool:
    """Whether what happens now has a rhythm: the last two like it lie at equal intervals, or DAYS_KNOWN like it were
    about this time of other days.

    first, places  which part of the memory: 0, JUMPS or JUMPS, PATTERNS
    zone_s         civil time less UTC, now: what is nightly follows the clock, also over its changes
    """
    count: int = r.jumps if first == 0 else r.patterns
    before = between = np.int64(-1)
    days = 0
    for k in range(min(count, places)):
        place = first + (count - 1 - k) % places
        ago = time_s - np.int64(r.time_s[place])
        if ago <= 0 or not abs(size - r.size[place]) <= SIMILAR * abs(size):
            continue
        if before < 0:
            before = ago
        elif between < 0:
            between = ago - before
        phase = ago % DAY_S
        if ago > HALF_DAY_S and min(phase, DAY_S - phase) <= DAY_TOLERANCE_S:
            days += 1
    regular = between >= 0 and abs(before - between) <= REGULAR * between
    return bool(regular or days >= DAYS_KNOWN)


@kernel
def remember(r: Any, first: int, places: int, time_s: int, size: float) -> None:
    """Keep what happened now; the oldest of its part of the memory goes. What follows at once is the same thing."""
    count: int = r.jumps if first == 0 else r.patterns
    if count > 0 and time_s <= np.int64(r.time_s[first + (count - 1) % places]):
        return
    place = first + count % places
    r.time_s[place] = np.uint32(time_s)
    r.size[place] = np.float32(size)
    count = count + 1 if count < 60_000 else count + 1 - 48_000 // places * places
    if first == 0:
        r.jumps = np.uint16(count)
    else:
        r.patterns = np.uint16(count)
