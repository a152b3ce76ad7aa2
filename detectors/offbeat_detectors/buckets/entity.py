"""One entity of a model of buckets: what a value says to it, and what it learns from the value. Compiled."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.buckets import given as given_season
from offbeat_detectors.buckets import residuals, season
from offbeat_detectors.buckets.normal import PROBABILITY_MIN, both_sides, tail
from offbeat_detectors.buckets.residuals import ABSURD, COUNT, METRIC, RESIDUALS, SUM
from offbeat_detectors.buckets.season import COURSE
from offbeat_detectors.kernel import inlined_kernel, kernel

FIRST = 5  # values before the first opinion
HELD = 6  # far values, net, after which level or scale has changed for good

ENTITY = np.dtype([
    ("seen", "i2"), ("held", "i2"), ("run", "f4"), ("others", "f4"), ("odd", "f4"), ("zeros", "f4"),
    ("total", "f4"), ("positives", "f4"), ("step", "f8"), ("before", "f8"), ("positive", "f8"), ("ring", "f8", (HELD,)),
    ("residuals", RESIDUALS), ("course", COURSE),
])
"""One entity, 1,092 bytes.

seen         values learned, at most SEEN_MAX
ring, held   the first raw values; later what the latest far ones were off by, and how many it holds
run          far values, less half of those that were not
step         a low quantile of the steps from value to value: the resolution; 0: a constant so far
before       the latest value that was not far
others       of a constant: values that were another
odd          decayed count of far values that did not follow another
zeros, total of a sum or count: decayed counts of zeros and of all
positive, positives  mean of a count where it is not zero, and of how many it is one
"""

FAR = 1e-3  # one-sided probability below which a value teaches less
FAR_LEAST = 0.01  # of its weight, from a hundredth of FAR down
PROVES = 1e-3  # of FAR: what is odder proves no heavy tail, it may be the anomaly
SEEN_MAX = 10_000
RUN_BACK = 0.5
OTHERS_KEEP, ZEROS_KEEP = 0.999, 0.998
SPARSE = 0.8  # of the buckets are empty
POSITIVES_MAX, POSITIVE_CLIP = 50.0, 8.0
STEP_RISE = 1.02
ROUNDING = 1e-12  # of the value: a smaller step is an error of arithmetic
TABLE_ROUNDING = 1e-5  # of the value: what is off by less may be an error of a season's 32 bits
CONSTANT_UNIT = 0.01  # of a constant: what a small change of it is, while no change has been seen
CLIP = 5.0  # deviations: no value moves a level further
ODD_KEEP, ODD_PRIOR = 0.998, 100.0  # values
ODD_RATE = 0.004  # of the values; at three times that they teach in full
CLIP_ODD = 50.0  # deviations, then
BLURRED = 0.25  # of the variance: an edge whose square is more hides how far a value strays
SPREAD_OF_MEDIAN = 1.4826  # of the normal law: its deviation over the median distance


@inlined_kernel
def half_step(s: Any, kind: int) -> float:
    """Half the resolution of the entity's values: a count's is 1."""
    return 0.5 if kind == COUNT else 0.5 * s.step


@inlined_kernel
def least_scale(expected: float, half: float) -> float:
    """The least standard deviation that a series of this resolution has."""
    return max(half, ROUNDING * abs(expected), 1.0 / ABSURD)


@kernel
def expected_of(s: Any, kind: int, bucket: int, span_s: int, lift: float) -> float:
    """What entity *s*, a row of dtype ENTITY, expects of a whole *bucket*; of a sum: if it is not zero."""
    expected = season.expect(s.course, s.course.active, bucket, span_s) + lift
    if kind == COUNT:
        return float(max(expected, 0.5 / (s.residuals.known + 1.0)))
    if kind == SUM:
        return float(max(expected, 0.0))
    return float(expected)


@inlined_kernel
def constant_tail(s: Any, kind: int, x: float) -> float:
    """The probability of *x*, which is another value than all before: by Laplace's rule of succession, and its size.

    (others + 1) / (seen + 2) is the probability that another value comes; its power grows with the logarithm of how
    many units it is off, for what never moved has shown no scale but that of its number: a hundredth of it.
    """
    off = abs(x - s.before)
    unit = 1.0 if kind == COUNT else CONSTANT_UNIT * abs(s.before)
    power = 1.0 + (math.log10(1.0 + off / unit) if kind == COUNT else
                   0.5 * math.log10(1.0 + off / unit) if unit > 0.0 else 1.0)
    return float(max(PROBABILITY_MIN, min(1.0, (s.others + 1.0) / (s.seen + 2.0)) ** power))


@kernel
def tails(
    s: Any, kind: int, x: float, expected: float, share: float,
) -> tuple[float, float, float, float]:
    """Probability of a value as high as *x*, as low, and the bounds; of a sum that is not zero: among such."""
    if s.step == 0.0:
        if abs(x - s.before) <= ROUNDING * abs(x):
            return 1.0, 1.0, expected, expected
        p = 0.5 * constant_tail(s, kind, x)
        return (p, 1.0 - p, expected, expected) if x > s.before else (1.0 - p, p, expected, expected)
    half = half_step(s, kind)
    up, down, lower, upper = residuals.deviations(
        s.residuals, kind, x, expected, half, least_scale(expected, half), share)
    if kind == METRIC:
        return tail(up), tail(-down), lower, upper
    high = tail(up)
    if kind == COUNT and x > 0.0 and s.zeros >= SPARSE * s.total and s.positives > 0.0:
        # Bursts between zeros: one comes as often as counted; its size is exponential, its mean known from k of them.
        some = 1.0 - s.zeros / (s.total + 1.0)
        known = s.positives
        more = math.exp(-(known + 1.0) * math.log1p((x - 1.0) / (known * s.positive)))
        high = max(high, min(1.0, some * share) * more)
    return high, tail(-down), max(0.0, lower), upper


@inlined_kernel
def foresee(
    s: Any, kind: int, bucket: int, span_s: int, x: float, share: float, lift: tuple[float, float],
) -> tuple[float, float, float, float, float]:
    """What is expected of the part of the bucket that has passed, and the ``tails`` of *x*; NaN while it is unknown.

    lift  what a given season adds, and how far that may be off: as ``given.lifted`` says
    """
    if s.seen < FIRST or not math.isfinite(x):
        return np.nan, np.nan, np.nan, np.nan, np.nan
    part = 1.0 if kind == METRIC else share
    expected = part * expected_of(s, kind, bucket, span_s, lift[0])
    edge = part * (season.edge(s.course, bucket, span_s) + lift[1])
    high, low, lower, upper = tails(s, kind, nearer(min(ABSURD, max(-ABSURD, x)), expected, edge), expected, part)
    if kind == METRIC:
        return expected, high, low, lower - edge, upper + edge
    return expected, high, low, max(0.0, lower - edge), upper + edge


@inlined_kernel
def nearer(x: float, expected: float, edge: float) -> float:
    """*x*, by *edge* nearer to what was expected."""
    if edge == 0.0:
        return x
    return float(expected + math.copysign(max(0.0, abs(x - expected) - edge), x - expected))


@inlined_kernel
def opinion(
    s: Any, kind: int, x: float, share: float, foreseen: tuple[float, float, float, float, float],
) -> tuple[float, float, float, float, float, float]:
    """The six numbers of ``BucketOpinions`` of value *x*; *s*, a row of dtype ENTITY, is left as it is.

    share     of the bucket that has passed, above 0 up to 1
    foreseen  what ``foresee`` says

    A sum is zero with a probability of its own, learned by counting; what is not zero is judged among its like.
    """
    expected, high, low, lower, upper = foreseen
    zero = 0.0
    if kind == SUM and s.total > 0.0:
        zero = (s.zeros / (s.total + 1.0)) ** share
    if math.isnan(expected):
        if kind != SUM or s.total < FIRST or s.seen >= FIRST or not math.isfinite(x):
            return np.nan, np.nan, np.nan, np.nan, np.nan, np.nan
        # Of a sum that has hardly ever been anything but zero, only that is known.
        if x == 0.0:
            return 1.0, 1.0, max(PROBABILITY_MIN, zero), 0.0, 0.0, 0.0
        p = min(1.0, (s.total - s.zeros + 1.0) / (s.total + 2.0))
        return p, p, 1.0, 0.0, 0.0, 0.0
    if kind == SUM:
        if x > 0.0:
            high, low = (1.0 - zero) * high, zero + (1.0 - zero) * low
        else:
            high, low = zero + (1.0 - zero) * high, zero + (1.0 - zero) * low
        expected *= 1.0 - zero
        if zero > 0.01:
            lower = 0.0
    high = min(1.0, max(PROBABILITY_MIN, high))
    low = min(1.0, max(PROBABILITY_MIN, low))
    return both_sides(high, low), high, low, expected, min(lower, expected), max(upper, expected)


@kernel
def begin(s: Any, bucket: int, kind: int) -> None:
    """Begin entity *s* with the FIRST raw values in its ring: their trimmed mean, and the spread of all but one."""
    sort_ring(s)
    middle = (s.ring[1] + s.ring[2] + s.ring[3]) / 3.0
    square = largest = 0.0
    for i in range(FIRST):
        off = s.ring[i] - middle
        square += off * off
        largest = max(largest, off * off)
    variance = (square - largest) / (FIRST - 2.0) * 1.5
    s.step = 0.0
    for i in range(1, FIRST):
        moved = s.ring[i] - s.ring[i - 1]
        if moved > ROUNDING * abs(s.ring[i]) and (s.step == 0.0 or moved < s.step):
            s.step = moved
    if s.step == 0.0:
        middle, variance = s.before, 0.0
    half = half_step(s, kind)
    least = least_scale(middle, half)
    residuals.begin(s.residuals, kind, max(variance, least * least) if s.step > 0.0 else 0.0, middle,
                    s.ring[0] > 0.0)
    season.begin(s.course, s.course.first, bucket, middle, max(0.0, variance), FIRST)
    s.held = 0
    s.run = 0.0


@inlined_kernel
def sort_ring(s: Any) -> None:
    """Sort what the ring holds."""
    for i in range(1, s.held):
        x = s.ring[i]
        j = i - 1
        while j >= 0 and s.ring[j] > x:
            s.ring[j + 1] = s.ring[j]
            j -= 1
        s.ring[j + 1] = x


@kernel
def accept(s: Any, x: float, bucket: int, kind: int) -> None:
    """What was far time and again is normal from now on: the level moves by the median of what values were off by.

    The spread grows to what the median distance from that implies, if it was smaller, and both are learned anew.
    """
    sort_ring(s)
    off = 0.5 * (s.ring[HELD // 2 - 1] + s.ring[HELD // 2])
    if s.step == 0.0:
        for i in range(1, HELD):
            moved = s.ring[i] - s.ring[i - 1]
            if moved > ROUNDING * abs(x) and (s.step == 0.0 or moved < s.step):
                s.step = moved
    for i in range(HELD):
        s.ring[i] = abs(s.ring[i] - off)
    sort_ring(s)
    spread = SPREAD_OF_MEDIAN * 0.5 * (s.ring[HELD // 2 - 1] + s.ring[HELD // 2])
    season.shift(s.course, off, HELD)
    s.course.last = bucket
    if s.residuals.variance > 0.0:
        residuals.rescale(s.residuals, max(1.0, spread * spread / s.residuals.variance), HELD, 1.0)
    elif s.step > 0.0:
        residuals.begin(s.residuals, kind, max(spread * spread, s.step * s.step), s.course.level[0], x > 0.0)
    s.seen = FIRST if s.step == 0.0 else s.seen
    s.others = 0.0
    s.before = x
    s.held = 0
    s.run = 0.0


@inlined_kernel
def moved_by(s: Any, x: float, expected: float, lift: float) -> float:
    """The step from the latest value to *x*; where a given season lifts it, at most what *x* is off what it expects."""
    moved, off = abs(x - s.before), abs(x - expected)
    if lift != 0.0 and off > TABLE_ROUNDING * max(abs(x), abs(expected)):
        moved = min(moved, off)
    return float(moved)


@kernel
def learn_step(s: Any, x: float, moved: float) -> None:
    """Learn the resolution from a step of *moved*, and that *x* was here.

    It goes halfway (in logarithms) to a smaller step and up by 2 % at a larger one, so it rests where about 4 % of the
    steps are smaller.
    """
    if moved > ROUNDING * abs(x):
        if s.step == 0.0:
            s.step = moved
        elif moved < s.step:
            s.step = math.sqrt(s.step) * math.sqrt(moved)
        else:
            s.step *= STEP_RISE
    s.before = x


@kernel
def learn_spread(
    s: Any, kind: int, bucket: int, span_s: int, x: float, weight: float, enough: float, often: float,
    expected: float, high: float, low: float, lift: tuple[float, float],
) -> tuple[float, float]:
    """Learn all of *x* but the course.

    weight  0 to 1: how much of a whole bucket it stands for
    enough  net far values that are a new level or a new scale, HELD or more
    often   share of values from which on far ones are no anomalies, and teach: the law is wrong
    expected, high, low  what ``foresee`` says of a whole bucket
    lift    as of ``foresee``

    A value of a one-sided probability below FAR is learned with less weight, in proportion, unless such are frequent.
    The weight with which the course is to learn it, 0 for not at all, and the error that may move it at most.
    """
    if kind != METRIC:
        s.total = ZEROS_KEEP * s.total + 1.0
        s.zeros = ZEROS_KEEP * s.zeros + (1.0 if x == 0.0 else 0.0)
        if kind == SUM and x == 0.0:
            return 0.0, 0.0
        if x > 0.0:
            s.positives = min(POSITIVES_MAX, s.positives + 1.0)
            most = POSITIVE_CLIP * s.positive if s.positives > 1.0 else x
            s.positive += (min(x, most) - s.positive) / s.positives
    if s.seen < FIRST:
        if s.seen == 0:
            s.course.first = bucket
        s.ring[s.seen] = x
        s.seen += 1
        s.held = s.seen
        s.before = x
        if s.seen == FIRST:
            begin(s, bucket, kind)
        return 0.0, 0.0
    odd = min(high, low) / FAR
    far = odd < 1.0
    constant = s.step == 0.0
    s.seen = min(s.seen + 1, SEEN_MAX)
    s.others *= OTHERS_KEEP
    s.odd = ODD_KEEP * s.odd + (1.0 if far and s.run == 0.0 else 0.0)
    if constant and abs(x - s.before) > ROUNDING * abs(x):
        s.others += 1.0
    usual = 0.0
    if far:
        push(s, x - expected)
        if s.run >= enough and s.held == HELD:
            accept(s, x, bucket, kind)
            return 0.0, 0.0
        rate = s.odd / (min(float(s.seen), 1.0 / (1.0 - ODD_KEEP)) + ODD_PRIOR)
        usual = min(1.0, max(0.0, (rate / often - 1.0) / 2.0))
        if constant and usual < 0.5:  # what a constant strays by is not known from one value
            return 0.0, 0.0
    else:
        s.run = max(0.0, s.run - RUN_BACK)
        if s.run == 0.0:
            s.held = 0
    share = max(FAR_LEAST, odd, usual) if far else 1.0
    if share >= 0.5:
        learn_step(s, x, moved_by(s, x, expected, lift[0]))
    if constant and s.step > 0.0:
        residuals.begin(s.residuals, kind, s.step * s.step / s.seen, expected, min(x, expected) > 0.0)
        s.residuals.known = min(residuals.KNOWN_MAX, float(s.seen))
    half = half_step(s, kind)
    least = least_scale(expected, half)
    clip = CLIP + usual * (CLIP_ODD - CLIP)
    reach = clip * max(least, math.sqrt(s.residuals.variance))
    edge = season.edge(s.course, bucket, span_s) + lift[1]
    if edge * edge <= BLURRED * s.residuals.variance:  # else the residual is that of the season, not of the value
        near = nearer(x, expected, edge)
        if not far or (s.run <= 1.0 and (odd >= PROVES or usual > 0.0)):
            residuals.compare(s.residuals, kind, near, expected, half, least)
        residuals.learn(s.residuals, kind, near, expected, half, least, weight * share, weight, clip)
    return weight * share, reach


@inlined_kernel
def push(s: Any, off: float) -> None:
    """Keep what a far value was off by, in the place of the oldest."""
    if s.held == HELD:
        for i in range(1, HELD):
            s.ring[i - 1] = s.ring[i]
        s.held -= 1
    s.ring[s.held] = off
    s.held += 1
    s.run += 1.0


@kernel
def learn(
    s: Any, kind: int, bucket: int, span_s: int, x: float, weight: float, expected: float, high: float, low: float,
    lift: tuple[float, float],
) -> tuple[float, float]:
    """Learn all of *x* but the course; what it is to learn with. Arguments and result as of ``learn_spread``."""
    if not math.isfinite(x) or not weight > 0.0:
        return 0.0, 0.0
    return learn_spread(
        s, kind, bucket, span_s, bounded(x), min(1.0, weight), HELD, ODD_RATE, expected, high, low, lift)


@kernel
def learn_course(s: Any, bucket: int, span_s: int, x: float, share: float, reach: float, seasonal: float) -> None:
    """Learn *x* in the course.

    share, reach  as ``learn`` said
    seasonal      what of it is that of a given season
    """
    smaller = season.learn(s.course, bucket, span_s, bounded(x) - seasonal, share, reach)
    if smaller != 1.0:
        residuals.rescale(s.residuals, smaller, float(s.course.seen[s.course.active]), 0.5)


@kernel
def learn_season(
    s: Any, given: Any, both: Any, season_s: int, bucket: int, span_s: int, x: float, share: float, reach: float,
) -> float:
    """Learn *x* in a given season, before the course does; what of it is the season's.

    given, both  its row of ``GivenSeason.proof``, and of its table
    """
    smaller, seasonal = given_season.learn(given, both, s.course, season_s, bucket, span_s, bounded(x), share, reach)
    if smaller != 1.0:
        residuals.rescale(s.residuals, smaller, float(given.seen), 0.5)
    return float(seasonal)


@inlined_kernel
def bounded(x: float) -> float:
    """*x*, so that its square is finite."""
    return min(ABSURD, max(-ABSURD, x))
