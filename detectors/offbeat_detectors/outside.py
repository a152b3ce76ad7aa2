"""Off its usual course for long: readings stay away from what the day expects, or stray wider than they ever do."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.extremes import learn_peak, novelty_of_share, shape_of, surprise_beyond
from offbeat_detectors.kernel import inlined_kernel, kernel

EXCURSION = np.dtype([
    ("peak", "f4"), ("farthest", "f4"), ("far", "f4"), ("median", "f4"), ("known", "i2"), ("lasts", "i2"),
], align=True)
"""What is known of one kind of excursion.

peak           the farthest in the present epoch
farthest, far  the two farthest of past epochs, fading; median: of the epochs; known: how many epochs
lasts          readings since one was said that still goes on; 0: none
"""
OUTSIDE = np.dtype([
    ("away", EXCURSION), ("wide", EXCURSION), ("level", "f4"), ("usual", "f4"), ("count", "i2"),
], align=True)
"""One series: 52 bytes.

away, level  how far the readings lie from the course of the day, in grains of its table: level, with its sign
wide, usual  how far they lie from what was typical, against usual, the long mean of that distance
count        readings of the present epoch
"""

EPOCH = 256  # readings
FADE = 0.5 ** (1.0 / 120.0)  # an epoch: by half in 30,000 readings
KNOWN_MIN, KNOWN_MAX = 3, 120  # epochs: before the first opinion, and that count
LOG10_EPOCH = 0.7  # an excursion of an epoch judges five of its readings or more
ECHO = 0.3  # of the farthest: a table that has learned a fault shows a part of it on the days after
BACK = 0.5  # of the distance to go beyond: so near again, an excursion is over
SAID = 3.0  # the novelty of an excursion, said once it is as rare as a score of 75
SPOKEN_READINGS = 64  # so long it is said
LASTING = 0.3  # and then held below what makes a finding, while it lasts
LASTS_MAX = 32_000
DAYS_MIN = 2  # midnights before the table of the day is one
LEVEL_GAIN = 1.0 / 96.0
AWAY_MIN = 8.0  # grains, a quarter of the usual error of forecasts: what is nearer is no excursion that matters
AWAY_SHAPE_MIN, AWAY_SHAPE_MAX = 0.7, 2.0
WARM = 512  # readings that teach nothing of how wide they stray
USUAL_GAIN = 1.0 / 2048.0
WIDE_MIN = 0.4  # more than usual
WIDE_SHAPE = 1.0
DISTANCE_MAX = 1e30


@kernel
def judge_excursion(
    s: Any, far: float, least: float, echo: float, shape_min: float, shape_max: float, ends: bool,
) -> float:
    """Novelty of being so *far* away, against the two farthest excursions of the past; then learn it.

    s      a row of dtype EXCURSION, changed in place
    least  what is nearer is none; echo: nor is what is nearer than this share of the farthest
    shape_min, shape_max  of the tail
    ends   whether the epoch ends: its peak is learned when the series has come back, so an excursion is one peak

    0, SAID for the first SPOKEN_READINGS of an excursion, or LASTING.
    """
    second = max(s.far, least)
    gate = max(second, echo * s.farthest)
    if s.lasts > 0:
        s.lasts = min(s.lasts + 1, LASTS_MAX)
        if far <= BACK * gate:
            s.lasts = 0
    elif far > gate and s.known >= KNOWN_MIN:
        known = float(s.known)
        shape = shape_of(second, max(s.median, BACK * least), known, shape_min, shape_max)
        if novelty_of_share(surprise_beyond(far / gate, shape, known) + LOG10_EPOCH) >= SAID:
            s.lasts = 1
    s.peak = max(s.peak, far)
    if ends and s.lasts == 0 and far <= BACK * max(s.peak, least):
        learn_peak(s, s.known, echo, FADE)
        s.known = min(KNOWN_MAX, s.known + 1)
    if s.lasts == 0:
        return 0.0
    return SAID if s.lasts <= SPOKEN_READINGS else LASTING


@inlined_kernel
def judge(s: Any, expert: Any) -> float:
    """Novelty of the course that a series is on, 0 if it is the usual one; then learn it.

    s       a row of dtype OUTSIDE, changed in place
    expert  the row of its experts, which have just learned this reading; left as it is

    Two questions. How far is the recent level, what the table of the day leaves over, from where it is in the long
    run: a cycle that does not come, a shift or a drift within the daily swing. And how far do the readings lie from
    what was typical, against the long mean of that: noise. Both are judged against the two farthest excursions of past
    epochs of 256 readings, by the tail that arrival, stuck and drift use. Said once, for 64 readings, at a score of 75
    before damping; while it lasts, the novelty is 0.3, which is no finding. The first question has no answer before
    the third day, the second none in the first 1,280 readings.
    Source: S. Roberts, "Control chart tests based on geometric moving averages", 1959 (the means).
    """
    s.count += 1
    ends = s.count >= EPOCH
    if ends:
        s.count = 0
    away, wide = 0.0, 0.0
    if expert.day_passes >= DAYS_MIN and expert.grain > 0.0:
        left = min(DISTANCE_MAX, max(-DISTANCE_MAX, (expert.day_level - expert.anchor) / expert.grain))
        s.level += LEVEL_GAIN * (left - s.level)
        away = judge_excursion(s.away, abs(s.level), AWAY_MIN, ECHO, AWAY_SHAPE_MIN, AWAY_SHAPE_MAX, ends)
    distance = min(DISTANCE_MAX, expert.scale)
    if s.usual == 0.0:
        s.usual = distance
    s.usual += max(USUAL_GAIN, 1.0 / max(1, expert.seen)) * (distance - s.usual)
    if expert.seen > WARM and s.usual > 0.0:
        wider = min(DISTANCE_MAX, distance / s.usual - 1.0)
        wide = judge_excursion(s.wide, wider, WIDE_MIN, 0.0, WIDE_SHAPE, WIDE_SHAPE, ends)
    return float(max(away, wide))


@kernel
def judge_then_learn(rows: NDArray[Any], experts: NDArray[Any], slot: int) -> float:
    """``judge`` of the row *slot* of *rows*, and of its *experts*."""
    return judge(rows[slot], experts[slot])
