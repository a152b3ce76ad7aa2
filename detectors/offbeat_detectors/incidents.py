"""One incident, one finding: three accounts of what stands out, each with a hold and the series' own peaks."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.kernel import inlined_kernel, kernel

ACCOUNT = np.dtype([("held", "f4"), ("top", "f4"), ("peaks", "f4"), ("age", "i4")], align=True)
"""Novelty of the last finding, the highest since, decayed sum of earlier peaks, readings since."""

INCIDENTS = np.dtype([
    ("pattern", ACCOUNT), ("jump", ACCOUNT), ("slow", ACCOUNT), ("last", "f4"), ("age", "i4"),
], align=True)
"""One series: 56 bytes. last, age: strength of the last finding of any account, and readings since."""

OVERRIDE = 1.75
QUIET, LASTING = 0.3, 800
"""An incident lasts until its hold is over and its novelty down to this share of what was told; or so many readings."""
PATTERN_DECAY, JUMP_DECAY = 0.5 ** (1.0 / 2600.0), 0.5 ** (1.0 / 1900.0)
PATTERN_HOLD, PATTERN_PEAK, PATTERN_CAP, PATTERN_START = 100, 1.05, 2.2, 0.75
JUMP_HOLD, JUMP_PEAK, JUMP_CAP, JUMP_START = 3, 1.0, 0.5, 64.0
JUMP_WORTH = 1.23
STRENGTH = 1.3
"""What brings what patterns and jumps say to the scale of the scores, see docs/detectors.md."""
SLOW_HOLD, SLOW_PEAK = 100, 2.0
SAME, SAME_OVERRIDE = 8, 1.75
"""So many readings after a finding of one account, what another says is the same incident, unless it is stronger."""
ALARM = 1.4
"""Or unless it is the first that comes to a score of 50: a weak beginning does not hide it."""


@inlined_kernel
def account(
    a: Any, novelty: float, hold: int, peak: float, cap: float, power: int, decay: float, weight: float,
) -> float:
    """The strength of the finding that this novelty is in one account, 0 if it is none.

    After a finding the next *hold* readings, and those after them until it is QUIET, speak only if OVERRIDE times as
    novel. The strength is *weight* (less than 1 for what is known to repeat) times the novelty, over
    1 + √(decayed sum of earlier peaks, each over *peak*, at most *cap*, to the power 1 or 2): who cries often must cry
    louder. A sum and not a count: a series whose peaks stay just below a limit is not taken for a quiet one.
    """
    a.age += 1
    a.peaks = np.float32(a.peaks * decay)
    if a.age > hold and a.held > 0.0 and (novelty < QUIET * a.held or a.age > LASTING):
        tall = min(a.top / peak, cap)
        a.peaks = np.float32(a.peaks + (tall * tall if power == 2 else tall))
        a.held = a.top = np.float32(0.0)
    if weight * novelty > a.top:
        a.top = np.float32(weight * novelty)
    if novelty > OVERRIDE * a.held:
        a.held = np.float32(novelty)
        a.age = 0
        return weight * novelty / (1.0 + math.sqrt(a.peaks))
    return 0.0


@kernel
def begin(s: Any) -> None:
    """A series of which nothing is known is supposed to cry as often as noise does, until it has shown otherwise."""
    s.pattern.peaks = np.float32(PATTERN_START)
    s.jump.peaks = np.float32(JUMP_START)


@inlined_kernel
def strength_of(s: Any, pattern: float, jump: float, slow: float, pattern_weight: float, jump_weight: float) -> float:
    """The strength of the finding that these three novelties are, 0 if they are none: what pattern, jump or slow
    evidence says, unless the incident has been told."""
    by_pattern = STRENGTH * account(
        s.pattern, pattern, PATTERN_HOLD, PATTERN_PEAK, PATTERN_CAP, 2, PATTERN_DECAY, pattern_weight)
    by_jump = STRENGTH * JUMP_WORTH * account(
        s.jump, jump, JUMP_HOLD, JUMP_PEAK, JUMP_CAP, 1, JUMP_DECAY, jump_weight)
    by_slow = account(s.slow, slow, SLOW_HOLD, SLOW_PEAK, 2.0, 1, PATTERN_DECAY, 1.0)
    strength = max(by_pattern, by_jump, by_slow)
    s.age += 1
    if strength > 0.0:
        alarm = s.last < ALARM <= strength
        if s.age <= SAME and strength <= SAME_OVERRIDE * s.last and not alarm:
            return 0.0
        s.last = np.float32(strength)
        s.age = 0
    return strength
