"""Is this a total that has started again at zero, as it has before? Of such a series that is no news."""
from __future__ import annotations

from typing import Any

import numpy as np

from offbeat_detectors.kernel import inlined_kernel

COUNTER = np.dtype([("landing", "f4"), ("rises", "u2"), ("falls", "u1"), ("since", "u1")], align=True)
"""One series: 8 bytes.

rises, falls  readings above and below the one before, both halved when one is full
landing       the highest reading that a fall has ended at
since         readings since a restart that was known, 0: none lately
"""

RISES_MIN, RISES_A_FALL = 30, 20
"""A series is a total if it rises so often, and so many times as often as it falls."""
KNOWN = 2  # restarts before the one that is no news
NEAR = 0.1  # of the fall: so near to where earlier ones ended, it is the same
LASTS = 64  # readings in which the patterns see the restart
_RISES_MAX, _FALLS_MAX = 60_000, 250


@inlined_kernel
def restarted(c: Any, before: float, x: float) -> bool:
    """Whether the readings up to *x*, which comes after *before*, hold a restart as there were before; learns *x*.

    c  a row of dtype COUNTER, changed in place
    """
    falls, rises = np.int64(c.falls), np.int64(c.rises)
    if c.since > 0:
        c.since = np.uint8(c.since + 1 if c.since < LASTS else 0)
    if x > before:
        rises += 1
    elif x < before:
        total = rises >= RISES_MIN and rises >= RISES_A_FALL * falls
        if total and falls >= KNOWN and x - c.landing <= NEAR * (before - c.landing):
            c.since = np.uint8(1)
        if falls == 0 or x > c.landing:
            c.landing = np.float32(x)
        falls += 1
    if rises >= _RISES_MAX or falls >= _FALLS_MAX:
        rises //= 2
        falls = (falls + 1) // 2
    c.rises, c.falls = np.uint16(rises), np.uint8(falls)
    return bool(c.since > 0)
