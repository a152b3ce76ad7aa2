"""What a new series may be expected to do: what its peers, the same field of other sources, have taught."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel

PRIOR = np.dtype([
    ("level", "f8"), ("reach", "f8"), ("distance", "f8"), ("heavy", "f4"), ("peaks", "f4"), ("seen", "i4"),
    ("members", "i4"),
], align=True)
"""One group: 40 bytes.

level     of the readings of its settled members; reach: so far from it lie all but 2 % of them
distance  a settled member's jump that only 20 % exceed; heavy: the heaviness of their tails
peaks     what a settled member's account of jumps has added up to
seen      lessons; members: series that have given one
"""

SETTLED = 200  # readings after which a member teaches
EVERY = 16  # a member teaches with every sixteenth reading
MEMBERS_MIN, SEEN_MIN = 3, 60
OWN = 60  # readings after which a series stands on its own
RATE = 0.02
OUTSIDE = 0.02
CLIP = 3.0
RATIO_MAX = 1e30  # of two distances: what is beyond has no number
GAIN, NOVELTY_MAX = 2.0, 30.0


@kernel
def teach(rows: NDArray[Any], group: int, first: bool, x: float, distance: float, heavy: float, peaks: float) -> None:
    """Let the group learn from a settled member: its reading *x*, and its law of jumps. *first*: its first lesson."""
    g = rows[group]
    if first:
        g.members += 1
    g.seen = min(g.seen + 1, 1 << 30)
    rate = max(RATE, 1.0 / g.seen)
    if g.seen == 1:
        g.level, g.distance = x, distance
        g.heavy, g.peaks = np.float32(heavy), np.float32(peaks)
        return
    away = abs(x - g.level)
    if g.reach == 0.0:
        g.reach = away
    else:
        step = max(rate, RATE)
        g.reach *= 1.0 + 4.0 * step * (1.0 - OUTSIDE) if away > g.reach else 1.0 - 4.0 * step * OUTSIDE
    pull = min(away, CLIP * g.reach) if g.reach > 0.0 else away
    g.level += rate * math.copysign(pull, x - g.level)
    if distance > 0.0:
        ratio = min(RATIO_MAX, distance / g.distance) if g.distance > 0.0 else 1.0
        g.distance = g.distance * ratio**rate if g.distance > 0.0 else distance
    g.heavy = np.float32(g.heavy + rate * (heavy - g.heavy))
    g.peaks = np.float32(g.peaks + rate * (peaks - g.peaks))


@kernel
def knows(rows: NDArray[Any], group: int) -> bool:
    """Whether the group has taught enough to judge a new member by it."""
    return group >= 0 and rows[group].members >= MEMBERS_MIN and rows[group].seen >= SEEN_MIN


@kernel
def judge_by_peers(rows: NDArray[Any], group: int, seen: int, x: float) -> float:
    """Novelty of reading *x* of a series that has *seen* few of its own, by where its peers' readings lie; fading out
    as the series learns its own ways."""
    g = rows[group]
    if not g.reach > 0.0:
        return 0.0
    u = abs(x - g.level) / g.reach
    if u <= 1.0:
        return 0.0
    return float(min(NOVELTY_MAX, GAIN * (u - 1.0)) * max(0.0, 1.0 - seen / OWN))
