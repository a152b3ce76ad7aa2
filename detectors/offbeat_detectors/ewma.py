"""The detector "ewma": robust, exponentially weighted level and spread of each series, and a tail that it learns."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import AHEAD, prefetch, restore_rows, save_rows, zero_rows
from offbeat_detectors.scores import PROBABILITY_MIN, novelty_of_probability, novelty_of_surprise

SERIES = np.dtype([
    ("location", "f8"), ("spread", "f8"), ("reach", "f8"), ("excess", "f8"), ("step", "f8"), ("last", "f8"),
    ("seen", "i8"), ("run", "i4"), ("fresh", "i4"),
])
"""One series: a row of 64 bytes, not eight columns, so that it is one line of the processor's cache.

location, spread  exponentially weighted level, and mean absolute deviation from it, both winsorised
reach             so many spreads from the location hold 98 % of the readings
excess            mean of log(deviation / reach) of the 2 % beyond: one over the exponent of the tail
step              a low quantile of the non-zero steps from reading to reading: the data's own resolution
last              the last reading
seen, fresh       readings since the beginning, and since the level was last learned anew
run               readings in a row beyond the reach, above (positive) or below (negative), less those within
While seen < FIRST, the first fields hold the raw readings.
"""

FIRST = 5  # readings from which location and spread are taken at the start: the median bears two absurd values
OUTSIDE = 0.02  # share of the readings beyond the reach
MAX = 1.7976931348623157e308
LOCATION_CLIP = 2.5  # spreads: no reading moves the location by more than gain times this
SPREAD_CLIP = 4.0  # spreads
REACH_START, REACH_MIN, REACH_MAX = 4.0, 1.5, 1e300
EXCESS_START, EXCESS_MIN, EXCESS_MAX = 0.25, 0.08, 50.0
EXCESS_CLIP = 4.0  # means: the exponential law of the log-excess has under 2 % of its readings there
EXCESS_PRIOR, EXCESS_KNOWN_MAX = 4.0, 50.0  # deviations beyond the reach that the start is worth, that are remembered
REACH_RATE, REACH_RATE_FIRST = 0.04, 4.0
STEP_RISE = 1.02
ROUNDING = 1e-12  # of the value: a smaller step is an error of arithmetic
UNSURE = 4.0  # what is known from n readings reaches 1 + UNSURE/n as far
FRESH_AGAIN = 2
FRESH_MAX = 1 << 30
_OUTSIDE_LOG = math.log(OUTSIDE)
_PER_LOG10 = -1.0 / math.log(10.0)
_MIN_LOG = math.log(PROBABILITY_MIN)


@kernel
def first_sight(s: Any) -> None:
    """Location and spread of the FIRST raw readings in *s*: their median, and the median deviation from it."""
    first = np.empty(FIRST, np.float64)
    first[0], first[1], first[2], first[3], first[4] = s.location, s.spread, s.reach, s.excess, s.step
    step = 0.0
    for i in range(1, FIRST):
        d = min(MAX, abs(first[i] - first[i - 1]))
        if d > ROUNDING * abs(first[i]) and (step == 0.0 or d < step):
            step = d
    first.sort()
    s.location = first[FIRST // 2]
    for i in range(FIRST):
        first[i] = min(MAX, abs(first[i] - s.location))
    first.sort()
    s.spread = first[FIRST // 2]
    s.reach = REACH_START
    s.excess = EXCESS_START
    s.step = step


@kernel
def judge_then_learn(
    series: NDArray[Any], slot: int, x: float, alpha: float, beta: float, warmup: int, relearn: int,
) -> tuple[float, float, float, float, float]:
    """Novelty, tail probability, typical value, lower and upper bound of reading *x* of series *slot*; then learn *x*.

    series       (capacity,) of dtype SERIES, changed in place
    alpha, beta  weight of the newest reading in location and in spread
    warmup       readings before the first opinion; until then all five are NaN
    relearn      readings beyond the same side of the reach, net, after which the level has moved for good

    Within the reach the two-sided tail is 0.02^(u√u), u = deviation / reach, close to the normal law. Beyond it, it is
    Pareto's, the exponent being known only from k deviations of mean log-excess h: 0.02 (1 + log u / (h k))^(−k), or
    0.02 u^(−1/h) for large k. One mean fits it; the generalised Pareto law of A. Siffer et al., "Anomaly detection in
    streams with extreme value theory", 2017, needs the excesses themselves.
    Sources: B. Hill, "A simple general approach to inference about the tail of a distribution", 1975 (the exponent;
    the tail is the predictive one of an exponential log-excess whose rate has a gamma law); H. Robbins, S. Monro, "A
    stochastic approximation method", 1951 (the reach; in steps proportional to itself, so that no value, however far,
    moves it more than another).
    """
    s = series[slot]
    seen = s.seen
    s.seen = seen + 1
    if seen < FIRST:
        if seen == 0:
            s.location = x
        elif seen == 1:
            s.spread = x
        elif seen == 2:
            s.reach = x
        elif seen == 3:
            s.excess = x
        else:
            s.step = x
            first_sight(s)
        s.last = x
        s.fresh = seen + 1
        return np.nan, np.nan, np.nan, np.nan, np.nan

    location, step, reach, excess = s.location, s.step, s.reach, s.excess
    deviation = min(MAX, abs(x - location))
    gain = 1.0 / (s.fresh + 1.0)
    unit = max(s.spread, step)  # a constant or quantised series has no less spread than its resolution
    edge = min(MAX, reach * unit)

    if unit > 0.0:
        u = min(MAX, deviation / edge)
        excess_log = math.log(u) if u > 1.0 else 0.0
        unsure = 1.0 + UNSURE * gain
        v = u / unsure
        known = min(EXCESS_KNOWN_MAX, EXCESS_PRIOR + OUTSIDE * s.fresh)
        if v <= 1.0:
            tail_log = _OUTSIDE_LOG * v * math.sqrt(v)
        else:
            tail_log = max(_MIN_LOG, _OUTSIDE_LOG - known * math.log1p(math.log(v) / (excess * known)))
        novelty = novelty_of_surprise(tail_log * _PER_LOG10)
        p = math.exp(tail_log)
        band = min(MAX, edge * unsure)
    else:
        # Nothing but one value so far. That the next differs has the probability 1/(n + 2), by Laplace's rule of
        # succession, and less if it differs by more than the level itself.
        excess_log, known = 0.0, EXCESS_PRIOR
        p = 1.0
        band = 0.0
        if deviation > 0.0:
            p = 1.0 / (seen + 2.0)
            if location != 0.0:
                p = max(PROBABILITY_MIN, p / max(1.0, deviation / abs(location)))
        novelty = novelty_of_probability(p)

    if seen >= warmup:
        opinion = (novelty, p, location, max(-MAX, location - band), min(MAX, location + band))
    else:
        opinion = (np.nan, np.nan, np.nan, np.nan, np.nan)

    # The resolution goes halfway (in logarithms) to a smaller step and up by 2 % at a larger one: it rests where about
    # 4 % of the steps are smaller, on the atom of a quantised series, and one odd step does not spoil it.
    moved = min(MAX, abs(x - s.last))
    if moved > ROUNDING * abs(x):
        if step == 0.0:
            s.step = moved
        elif moved < step:
            s.step = math.sqrt(step) * math.sqrt(moved)
        else:
            s.step = min(MAX, step * STEP_RISE)

    s.fresh = min(s.fresh + 1, FRESH_MAX)
    if unit > 0.0:
        rate = max(REACH_RATE, REACH_RATE_FIRST * gain)
        outside = u > 1.0
        if outside:
            s.reach = min(REACH_MAX, reach * (1.0 + rate * (1.0 - OUTSIDE)))
            excess += (min(excess_log, EXCESS_CLIP * excess) - excess) / known
            s.excess = min(EXCESS_MAX, max(EXCESS_MIN, excess))
            side = 1 if x > location else -1
            s.run = s.run + side if s.run * side >= 0 else side
        else:
            s.reach = max(REACH_MIN, reach * (1.0 - rate * OUTSIDE))
            if s.run > 0:
                s.run -= 1
            elif s.run < 0:
                s.run += 1
        s.spread += max(beta, gain) * (min(deviation, SPREAD_CLIP * unit) - s.spread)
        if s.spread < 1e-12 * step:  # subnormal numbers are slow
            s.spread = 0.0
        pull = max(alpha, gain) * min(deviation, LOCATION_CLIP * unit)
        s.location = location + math.copysign(pull, x - location)
        if abs(s.run) >= relearn:
            # The nearer of two readings, so that one absurd value is never taken for the new level.
            s.location = x if abs(x - location) < abs(s.last - location) else s.last
            s.run = 0
            s.fresh = FRESH_AGAIN
    s.last = x
    return opinion


@kernel
def process_all(
    series: NDArray[Any], slot: NDArray[np.int32], value: NDArray[np.float64],
    alpha: float, beta: float, warmup: int, relearn: int,
    novelty: NDArray[np.float64], probability: NDArray[np.float64],
    typical: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64],
) -> None:
    """``judge_then_learn`` for n points in order; the last five, (n,) float64, are filled."""
    for i in range(slot.size):
        prefetch(series, slot[min(i + AHEAD, slot.size - 1)])
        novelty[i], probability[i], typical[i], lower[i], upper[i] = judge_then_learn(
            series, slot[i], value[i], alpha, beta, warmup, relearn)


def is_count(number: object, least: int) -> bool:
    """Whether *number* is a whole number from *least* to a million."""
    return isinstance(number, int) and not isinstance(number, bool) and least <= number <= 1_000_000


class Ewma:
    """The detector "ewma": how far is a reading from the series' recent level, by the series' own law of deviations?

    half_life_readings  of the level; the spread forgets four times as slowly
    warmup_readings     readings before the first opinion
    relearn_readings    after so many readings beyond a lasting shift the new level is normal

    typical is the level; lower to upper is where about 98 % of the readings are expected. Forgetting is by reading, not
    by time. Raises ValueError for a parameter out of its range.
    """

    bytes_per_series = SERIES.itemsize

    def __init__(
        self, capacity: int, *,
        half_life_readings: float = 20.0, warmup_readings: int = 30, relearn_readings: int = 40,
    ) -> None:
        if not 1.0 <= half_life_readings <= 1e6:
            raise ValueError(f"half_life_readings is {half_life_readings}: expected 1 to 1000000")
        if not is_count(warmup_readings, FIRST):
            raise ValueError(f"warmup_readings is {warmup_readings}: expected a whole number, {FIRST} to 1000000")
        if not is_count(relearn_readings, 2):
            raise ValueError(f"relearn_readings is {relearn_readings}: expected a whole number, 2 to 1000000")
        self._alpha = 1.0 - 0.5 ** (1.0 / half_life_readings)
        self._beta = 1.0 - 0.5 ** (1.0 / (4.0 * half_life_readings))
        self._warmup = warmup_readings
        self._relearn = relearn_readings
        self._series = zero_rows(capacity, SERIES)

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        filled = np.empty((5, slot.size), np.float64)
        constants = self._alpha, self._beta, self._warmup, self._relearn
        process_all(self._series, slot, value, *constants, *filled)
        return Opinions(*filled)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one."""
        left: NDArray[np.int64] = np.maximum(0, self._warmup - self._series["seen"][slot])
        return left

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots, one plain array a column."""
        return save_rows(self._series, slot)

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots."""
        restore_rows(self._series, slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        self._series[slot] = np.zeros((), SERIES)
