"""Is one reading far from those just before it, by this series' own law of such distances?"""
from __future__ import annotations

from typing import Any

import numpy as np

from offbeat_detectors.kernel import inlined_kernel
from offbeat_detectors.tails import TAIL, heaviness, learn_tail

BEFORE = 5
LEARN = 20
"""Non-zero distances that begin the law."""

JUMP = np.dtype([
    ("unit", "f8"), ("first", "f8", (BEFORE,)), ("tail", TAIL), ("top", "f4"), ("second", "f4"),
    ("seen", "i4"), ("at", "i4"),
], align=True)
"""One series: 80 bytes.

first        the last BEFORE readings, in a ring; at: the newest; seen: readings, up to BEFORE
unit         the first non-zero distance: the distances of the law are kept in it
tail         the law of the non-zero distances
top, second  the two largest distances lately, fading
"""

NORMAL = 0.34  # heaviness of the distances of a normal law: nothing lighter is stretched
POWER = 3.0  # of the heaviness over the normal one: what makes t(3) speak as often as normal noise
HEAVY_MAX = 1.5
GAIN = 2.5
RATE_MIN, RATE_MAX = 0.002, 0.9
FADE = 0.5 ** (1.0 / 3900.0)
LARGEST, TOP_POWER = 8.0, 0.65
DISTANCE_MAX = 1e30


@inlined_kernel
def median_of_five(a: float, b: float, c: float, d: float, e: float) -> float:
    """The median of five numbers, without a sort."""
    low = max(min(a, b), min(c, d))
    high = min(max(a, b), max(c, d))
    return max(min(low, high), min(max(low, high), e))


@inlined_kernel
def judge_jump(j: Any, x: float) -> tuple[float, float]:
    """Novelty of *x* as a jump from the median of the BEFORE readings before it, and its signed height; learns nothing.

    With u the height over the quantile that 20 % of the non-zero heights exceed: GAIN · (u^γ − 1), γ ≤ 1 the less the
    heavier the tail is; and no more than LARGEST · (height / second largest lately)^TOP_POWER. 0 until LEARN heights
    are known.
    """
    if j.seen < BEFORE:
        return 0.0, 0.0
    f = j.first
    height = x - median_of_five(f[0], f[1], f[2], f[3], f[4])
    if j.unit == 0.0 or j.tail.seen < LEARN:
        return 0.0, height
    distance = min(DISTANCE_MAX, abs(height) / j.unit)
    u = distance / j.tail.common
    if not u > 1.0:
        return 0.0, height
    heavy = min(HEAVY_MAX, max(NORMAL, heaviness(j.tail)))
    novelty = GAIN * (u ** ((NORMAL / heavy) ** POWER) - 1.0)
    if j.second > 0.0:
        novelty = min(novelty, LARGEST * (distance / j.second) ** TOP_POWER)
    return novelty, height


@inlined_kernel
def learn_jump(j: Any, x: float, height: float) -> None:
    """Take the height of a reading into the law, and the reading among the BEFORE last."""
    if j.seen >= BEFORE:
        away = abs(height)
        j.top = np.float32(j.top * FADE) if j.top > 1e-30 else np.float32(0.0)
        j.second = np.float32(j.second * FADE) if j.second > 1e-30 else np.float32(0.0)
        if away > 0.0:
            if j.unit == 0.0:
                j.unit = away
                j.tail.common = np.float32(1.0)
                j.tail.rare = np.float32(1.75)
            distance = min(DISTANCE_MAX, away / j.unit)
            learn_tail(j.tail, distance, RATE_MIN, RATE_MAX, 1e-30)
            if distance > j.top:
                j.second = j.top
                j.top = np.float32(distance)
            elif distance > j.second:
                j.second = np.float32(distance)
    else:
        j.seen += 1
    j.at = j.at + 1 if j.at + 1 < BEFORE else 0
    j.first[j.at] = x
