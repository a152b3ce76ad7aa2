"""Slow drift: the level moves away for longer and farther than this series wanders by itself."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.extremes import learn_peak, novelty_of_share, shape_of, surprise_beyond
from offbeat_detectors.kernel import inlined_kernel, kernel

DRIFT = np.dtype([
    ("total", "f8"), ("level", "f8"), ("fast", "f8"), ("slow", "f8"), ("step", "f8"),
    ("peak", "f4"), ("farthest", "f4"), ("far", "f4"), ("median", "f4"), ("said", "f4"), ("seen", "i4"),
])
"""What is known of the wandering of a series: 64 bytes.

total             sum of the present block's readings, each divided by the block's length
level             mean of the last block
fast, slow        distance of the level from its exponentially weighted mean, short and long, jumps left out
step              typical move of the level from block to block, those that moved
peak              largest distance of the two means in the present epoch, in steps
farthest, far     the two largest peaks of past epochs, fading; median: of the peaks
said              novelty until the next block ends: above 0 while a drift goes on
seen              readings
"""

BLOCK = 16  # readings
FAST_GAIN, SLOW_GAIN = 1.0 / 12.0, 1.0 / 128.0  # a block: the last 200 readings against the last 2,000
EPOCH = 32  # blocks: 512 readings
SETTLE = 64  # blocks that teach no peak, for the slow mean is still young
KNOWN_MIN, KNOWN_MAX = 6.0, 60.0  # epochs: before the first opinion, and that count
STEP_GAIN, STEP_CLIP = 1.0 / 256.0, 4.0
JUMP = 6.0  # steps: a block that moves farther has jumped, and that is for the patterns to judge
FAR_MIN = 5.0  # steps: 1.4 standard deviations of white noise; what is nearer is no drift that matters
BACK = 0.5  # of the distance to go beyond: so near again, a drift is over
USUAL_MIN = 1.0  # steps: no series wanders less
FADE = 0.5 ** (1.0 / 60.0)  # an epoch
SHAPE_MIN, SHAPE_MAX = 0.5, 2.0
LOG10_EPOCH = 1.0  # a peak judges 10 readings or more; with 2.7, for 512 readings, random walks had thrice the findings
SPEAK, LOUDEST = 1.4, 5.0  # novelty from which a drift is said, and the most it comes to
SPOKEN_BLOCKS = 4  # at their next multiple a drift has been said
LASTING = 0.3  # and is held below what makes a finding, while it lasts
ACCEPT_BLOCKS = 512  # at their next multiple, 8,192 readings, a drift is accepted where it stands
DISTANCE_MAX = 1e30
SEEN_MAX = 1 << 30
LEVEL_MAX = 1e300  # beyond, sums of moves would overflow


@kernel
def judge_then_learn_block(s: Any) -> None:
    """Set ``said`` of row *s*, of which a block is complete; then learn the block."""
    k = s.seen // BLOCK
    level = min(LEVEL_MAX, max(-LEVEL_MAX, s.total))
    s.total = 0.0
    if k == 1:
        s.level = level
        return
    move = abs(level - s.level)
    up = level > s.level
    s.level = level
    if move > 0.0:
        if s.step == 0.0:
            s.step = move
        moved = move if move <= JUMP * s.step else 0.0
        s.step += max(STEP_GAIN, 1.0 / k) * (min(move, STEP_CLIP * s.step) - s.step)
        if not up:
            moved = -moved
        s.fast += moved
        s.slow += moved
    s.fast *= 1.0 - max(FAST_GAIN, 1.0 / k)
    s.slow *= 1.0 - max(SLOW_GAIN, 1.0 / k)
    if k <= SETTLE or s.step == 0.0:
        return
    known = min(KNOWN_MAX, float((k - 1 - SETTLE) // EPOCH))
    far = min(DISTANCE_MAX, abs(s.slow - s.fast) / s.step)
    gate = max(s.far, FAR_MIN)
    if s.said > 0.0:
        if far <= BACK * gate:
            s.said = 0.0
        elif k % ACCEPT_BLOCKS == 0:
            s.slow = s.fast
            s.said = 0.0
        elif k % SPOKEN_BLOCKS == 0:
            s.said = LASTING
    elif far > gate and known >= KNOWN_MIN:
        shape = shape_of(s.far, s.median, known, SHAPE_MIN, SHAPE_MAX)
        novelty = novelty_of_share(surprise_beyond(far / max(s.far, USUAL_MIN), shape, known) + LOG10_EPOCH)
        if novelty >= SPEAK:
            s.said = min(LOUDEST, novelty)
    s.peak = max(s.peak, far)
    if k % EPOCH == 0 and s.said == 0.0:  # a drift is one peak, however long
        learn_peak(s, known, 0.0, FADE)


@inlined_kernel
def judge(s: Any, time_ms: int, x: float) -> float:
    """Novelty of the drift that the series of row *s* is in, 0 if it is none; then learn reading *x*.

    s  a row of dtype DRIFT, changed in place
    time_ms  not used: a drift is told from wandering by readings

    Judged when a block of 16 is complete, as the distance between the mean of about the last 200 readings and that of
    the last 2,000, against the two largest such distances of past epochs: so a season, a random walk and a level that
    wanders by itself set their own measure. A block that jumps moves neither mean. The answer, 0 or from 1.4 to 5, is
    held for 1 to 4 blocks; while the drift lasts on it is 0.3, which is no finding. 0 for the first 4,111 readings.
    Sources: E. Page, "Continuous inspection schemes", 1954 (sums of deviations; here they leak, for a series wanders);
    S. Roberts, "Control chart tests based on geometric moving averages", 1959 (the means).
    """
    s.total += x * (1.0 / BLOCK)
    s.seen += 1
    if s.seen % BLOCK == 0:
        judge_then_learn_block(s)
        if s.seen >= SEEN_MAX:
            s.seen -= SEEN_MAX // 2
    return float(s.said)


@kernel
def judge_then_learn(rows: NDArray[Any], slot: int, time_ms: int, x: float) -> float:
    """``judge`` of the row *slot* of *rows*."""
    return judge(rows[slot], time_ms, x)
