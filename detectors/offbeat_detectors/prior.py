"""What a new series may be expected to do: what its peers, the same field of other sources, have taught."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel, lean_kernel

PRIOR = np.dtype([
    ("level", "f8"), ("reach", "f8"), ("peaks", "f4"), ("seen", "i4"), ("members", "i4"), ("living", "i4"),
], align=True)
"""One group: 32 bytes.

level    of the readings of its settled members; reach: so far from it lie all but 2 % of them
peaks    what a settled member's account of jumps has added up to
seen     lessons; members: series that have given one
living   members that have had a point, while in memory
"""

SETTLED = 200  # readings after which a member teaches
EVERY = 16  # a member teaches with every sixteenth reading
MEMBERS_MIN, SEEN_MIN = 3, 60
OWN = 60  # readings after which a series stands on its own
RATE = 0.02
OUTSIDE = 0.02
CLIP = 3.0
GAIN, NOVELTY_MAX = 2.0, 30.0
FIRST, FURTHER = 1.0, 2.0  # a lesson that is to be taught later: of a member that has given none yet, or another one

Due = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]]
"""Lessons to be taught, in order of the points that gave them: (m,) their rows, groups and readings, and (m, 2) which
they are, FIRST or FURTHER, and the account of jumps."""


@kernel
def teach(g: Any, first: bool, x: float, peaks: float) -> None:
    """Let group *g*, a row of dtype PRIOR, learn from a settled member: its reading *x*, and its account of jumps.

    first  whether it is the member's first lesson
    Level and reach move by stochastic approximation (H. Robbins, S. Monro, 1951), the reach in proportion to itself.
    """
    if first:
        g.members += 1
    g.seen = min(g.seen + 1, 1 << 30)
    if g.seen == 1:
        g.level, g.peaks = x, np.float32(peaks)
        return
    rate = max(RATE, 1.0 / g.seen)
    away = abs(x - g.level)
    if g.reach == 0.0:
        g.reach = away
    else:
        g.reach *= 1.0 + 4.0 * rate * (1.0 - OUTSIDE) if away > g.reach else 1.0 - 4.0 * rate * OUTSIDE
    pull = min(away, CLIP * g.reach) if g.reach > 0.0 else away
    g.level += rate * math.copysign(pull, x - g.level)
    g.peaks = np.float32(g.peaks + rate * (peaks - g.peaks))


@lean_kernel
def teach_until(rows: NDArray[Any], due: Due, first: int, row: int) -> int:
    """Teach the lessons of *due*, from number *first* on, that were given before *row*; the number of the next one."""
    given, group, value, lesson = due
    while first < given.size and given[first] < row:
        teach(rows[group[first]], lesson[first, 0] == FIRST, value[first], lesson[first, 1])
        first += 1
    return first


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
