"""The detector "joint": do the fields of one source still behave together as they used to?"""
from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors import ewma, groups
from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.groups import NEVER, PLACES, RESOLUTION, bounded, enter, in_spreads, less, usual_interval
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import AHEAD, prefetch

PAIRS = PLACES * (PLACES + 1) // 2
MEMBER = np.dtype([
    ("time", "i8"), ("interval", "f8"), ("rank", "i4"), ("compared", "i4"),
    ("weight", "f4", PLACES), ("cross", "f4", PLACES), ("moment", "f4", PAIRS),
])
"""What a field has to do with the others of its source: a row of 696 bytes.

time, interval  of the last reading; the usual interval between readings, in milliseconds
rank            among the fields of the source, in the order of their first points; 0: none yet
compared        readings that have been compared with other fields
weight          what the field is expected to be is the sum of weight · value over the panel, in spreads
cross, moment   exponentially weighted products of this field with the others, and of the others with one another, all
                as this field finds them when it comes; the lower triangle of the matrix, row after row
"""

CLIP = 4.0  # spreads: no value counts for more, in learning or in prediction; what lies beyond is doubt
SOLVE_EVERY, SOLVE_EVERY_FIRST, SOLVE_FIRST = 32, 8, 128  # readings
RIDGE, RIDGE_FIRST = 0.03, 8.0  # of the shrinkage; the second is divided by the readings
PIVOT_MIN = 1e-3
WEIGHTS_MAX = 3.0  # sum of |weight|: a nearly singular matrix cannot make a prediction wild
BAND = 3.0  # spreads: 98 % of normal deviations
LAW_HALF_LIFE_READINGS = 400.0
MAX = ewma.MAX


@kernel
def solve(m: Any, places: int, readings: int, factor: NDArray[np.float64], half: NDArray[np.float64]) -> None:
    """Set m.weight to the ridge regression of the field on the *places* others.

    factor (PLACES, PLACES), half (PLACES,) float64  scratch

    The matrix is a weighted sum of outer products, so it has no negative eigenvalue; the ridge, larger while few
    readings are known, keeps it away from singular. By Cholesky's factorisation.
    Source: A. Hoerl, R. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", 1970.
    """
    ridge = RIDGE + RIDGE_FIRST / (readings + 1.0)
    at = 0
    for i in range(places):
        for j in range(i + 1):
            total = float(m.moment[at])
            at += 1
            if i == j:
                total += ridge
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                factor[i, i] = math.sqrt(max(PIVOT_MIN, total))
            else:
                factor[i, j] = total / factor[j, j]
        total = float(m.cross[i])
        for k in range(i):
            total -= factor[i, k] * half[k]
        half[i] = total / factor[i, i]
    size = 0.0
    for i in range(places - 1, -1, -1):
        total = half[i]
        for k in range(i + 1, places):
            total -= factor[k, i] * half[k]
        half[i] = total / factor[i, i]
        size += abs(half[i])
    shrink = min(1.0, WEIGHTS_MAX / size) if size > 0.0 else 0.0
    for i in range(places):
        m.weight[i] = half[i] * shrink


@kernel
def judge_then_learn(
    member: NDArray[Any], own: NDArray[Any], law: NDArray[Any], panels: NDArray[Any],
    slot: int, group: int, time_ms: int, x: float,
    level: float, spread: float, rate: float, rate_spread: float, warmup: int, relearn: int,
    other: NDArray[np.float64], half: NDArray[np.float64], factor: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:
    """Novelty, tail probability, typical value, lower and upper bound of reading *x* of series *slot*; then learn *x*.

    member         (capacity,) of dtype MEMBER, panels of dtype PANEL, changed in place
    own            (capacity,) of ewma's SERIES: the level and spread of the series by itself
    law            (capacity,) of ewma's SERIES: how it departs from what the other fields imply
    level, spread  weight of the newest reading in the level and in the spread of ``own``; rate, rate_spread: of ``law``
    warmup         comparisons before the first opinion; until then all five are NaN, and while no other field is heard
    relearn        departures in a row after which the new relation is normal
    other, half    (PLACES,) float64, and factor (PLACES, PLACES): scratch

    The residual given the latest values of the other fields is one coordinate of Mahalanobis's distance, the one that
    names the field. A relation that is gone is found as soon as a residual of the new relation is far beyond the old
    ones: each field alone may be as usual. That is immediate where fields of one event come together; the first of them
    can only be judged by the event before.
    Source: P. Mahalanobis, "On the generalised distance in statistics", 1936.
    """
    m, o, panel = member[slot], own[slot], panels[group]
    seen = o.seen
    if m.rank == 0:
        panel.members += 1
        m.rank = panel.members
        if m.rank <= PLACES:
            panel.used = m.rank
    m.interval = usual_interval(m.interval, time_ms - m.time, seen)
    m.time = time_ms
    opinion = (np.nan, np.nan, np.nan, np.nan, np.nan)
    if seen < ewma.FIRST:
        ewma.judge_then_learn(own, slot, x, level, spread, ewma.FIRST, NEVER)
        return opinion

    unit = max(o.spread, o.step)
    z = in_spreads(x, o.location, unit)
    places, heard, expected, doubt = panel.used, 0, 0.0, 0.0
    for i in range(places):
        other[i] = 0.0
        if panel.rank[i] != 0 and panel.rank[i] != m.rank and time_ms <= panel.until[i]:
            heard += 1
            other[i] = bounded(panel.value[i], CLIP)
            expected += m.weight[i] * other[i]
            doubt += abs(m.weight[i] * (panel.value[i] - other[i]))
    if heard > 0:
        n = m.compared
        typical = bounded(o.location + unit * expected, MAX)
        departure = less(x - typical, doubt * unit + RESOLUTION * o.step)
        s = law[slot]
        usual = max(s.spread, s.step)
        novelty, p = ewma.judge_then_learn(law, slot, departure, rate, rate_spread, ewma.FIRST, relearn)[:2]
        if n >= warmup:
            reach = BAND * usual + doubt * unit
            opinion = (novelty, p, typical, max(-MAX, typical - reach), min(MAX, typical + reach))

        gain = max(level, 1.0 / (n + 1.0))
        mine, at = bounded(z, CLIP), 0
        cross, moment = m.cross, m.moment
        for i in range(places):
            cross[i] += gain * (mine * other[i] - cross[i])
            for j in range(i + 1):
                moment[at + j] += gain * (other[i] * other[j] - moment[at + j])
            at += i + 1
        m.compared = min(n + 1, groups.COUNT_MAX)
        if m.compared % (SOLVE_EVERY_FIRST if n < SOLVE_FIRST else SOLVE_EVERY) == 0:
            solve(m, places, n, factor, half)

    if m.rank <= PLACES:
        enter(panel, m.rank - 1, m.rank, z, unit > 0.0 or x == o.location, time_ms, m.interval)
    ewma.judge_then_learn(own, slot, x, level, spread, ewma.FIRST, NEVER)
    return opinion


@kernel
def process_all(
    member: NDArray[Any], own: NDArray[Any], law: NDArray[Any], panels: NDArray[Any],
    group_of: NDArray[np.int32], slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64],
    level: float, spread: float, rate: float, rate_spread: float, warmup: int, relearn: int,
    novelty: NDArray[np.float64], probability: NDArray[np.float64],
    typical: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64],
) -> None:
    """``judge_then_learn`` for n points in order; the last five, (n,) float64, are filled: NaN without a group."""
    other, half, factor = np.empty(PLACES, np.float64), np.empty(PLACES, np.float64), np.empty((PLACES, PLACES))
    for i in range(slot.size):
        ahead = slot[min(i + AHEAD, slot.size - 1)]
        prefetch(own, ahead)
        prefetch(member, ahead)
        prefetch(law, ahead)
        group = group_of[slot[i]] - 1
        if group < 0:
            novelty[i] = probability[i] = typical[i] = lower[i] = upper[i] = np.nan
            continue
        novelty[i], probability[i], typical[i], lower[i], upper[i] = judge_then_learn(
            member, own, law, panels, slot[i], group, time_ms[i], value[i],
            level, spread, rate, rate_spread, warmup, relearn, other, half, factor)


class Joint:
    """The detector "joint": does a field depart from what the other fields of its source imply for it?

    half_life_readings  of the level of a field, and of its relation to the others
    warmup_readings     comparisons with at least one other field before the first opinion
    relearn_readings    after so many departures in a row the new relation is normal

    Every field is judged; the first 16 of a source, in the order of their first points, are what fields are judged by.
    A value too old to be of about the same time counts as usual. typical is what the others imply for the field; lower
    to upper is where about 98 % of its readings are expected. A series without a group, or the only field of its
    source, is never compared: its warm-up does not get shorter. Raises ValueError for a parameter out of its range.
    """

    group_by: Literal["field", "source"] = "source"
    pieces = ("joint",)

    def __init__(
        self, capacity: int, *,
        half_life_readings: float = 400.0, warmup_readings: int = 100, relearn_readings: int = 60,
    ) -> None:
        groups.check_parameters(half_life_readings, warmup_readings, relearn_readings, 20)
        self._constants = (
            groups.rate_of(half_life_readings), groups.rate_of(4.0 * half_life_readings),
            groups.rate_of(LAW_HALF_LIFE_READINGS), groups.rate_of(4.0 * LAW_HALF_LIFE_READINGS),
            warmup_readings, relearn_readings)
        self._warmup = warmup_readings
        self._members = groups.Members(capacity, {"member": MEMBER, "own": ewma.SERIES, "law": ewma.SERIES})

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes, the panel of a group of its own included."""
        return self._members.bytes_per_series

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Series *slot* belongs to *group*, the fields of one source."""
        self._members.join(slot, group)

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        filled = np.empty((5, slot.size), np.float64)
        kept, rows = self._members, self._members.rows
        process_all(
            rows["member"], rows["own"], rows["law"], kept.panels, kept.of, slot, time_ms, value,
            *self._constants, filled[0], filled[1], filled[2], filled[3], filled[4])
        return groups.opinions_of(filled)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one.

        Only what can be compared counts: alone, a series comes no nearer.
        """
        return self._members.warmup_left(slot, self._warmup)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots and of their groups, which are saved whole."""
        return self._members.save(slot)

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots, which have joined their groups, to what ``save`` gave for as many slots."""
        self._members.restore(slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point; they stay in their groups."""
        self._members.forget(slot)
