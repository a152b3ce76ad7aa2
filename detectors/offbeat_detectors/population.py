"""The detector "population": does a series still do what its peers do, the same field of other sources?"""
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
from offbeat_detectors.scores import PROBABILITY_MIN, novelty_of_probability

MEMBER = np.dtype([
    ("intercept", "f8"), ("centre", "f8"), ("variance", "f8"), ("slope", "f8"), ("scatter", "f8"),
    ("near", "f8"), ("before", "f8"), ("mark", "i8"), ("time", "i8"), ("interval", "f8"),
    ("rank", "i4"), ("compared", "i4"),
])
"""What a series has to do with its peers: a row of 88 bytes.

centre, variance  of the peers' median, in spreads from each one's own level, at the times of this member's readings
intercept, slope  of the line that gives this member's value, in its own spreads, from the peers' median
scatter           mean absolute distance from the line
near, before      the smallest departure, with its sign, since the peers were last heard, and in the round before
mark              the group's arrivals when ``near`` began
time, interval    of the last reading; the usual interval between readings, in milliseconds
rank              among the members of the group, in the order of their first points; 0: none yet
compared          readings that have been compared with peers
"""

PEERS_MIN = 3  # of two peers one may be odd, and the median of two is their mean
ROUND_ARRIVALS = 8  # so many arrivals make half a panel new: by then the peers have followed, if they follow
INSIDE = 4.0  # standard deviations of the median: so far the line has been learned
INSIDE_MIN = 0.5  # spreads
INSIDE_FROM = 20  # readings: before them the deviation is not known
DOUBT = 0.5  # of what lies beyond: there the member is expected to follow one to one, and may be off by this share
HUBER = 4.0  # scatters: no reading pulls the line by more
SLOPE_PRIOR_READINGS = 10.0
SLOPE_MAX = 3.0
SCATTER_MIN = 1e-6  # spreads: from 0 it could never grow again
BAND = 3.0  # scatters: 98 % of normal deviations
LAW_HALF_LIFE_READINGS = 400.0
MAX = ewma.MAX


@kernel
def median_of_peers(panel: Any, rank: int, time_ms: int, scratch: NDArray[np.float64]) -> tuple[float, int]:
    """The median of the panel's values of members other than *rank* that are not too old, and how many those are."""
    k = 0
    for i in range(panel.used):
        if panel.rank[i] != 0 and panel.rank[i] != rank and time_ms <= panel.until[i]:
            value = panel.value[i]
            j = k
            while j > 0 and scratch[j - 1] > value:
                scratch[j] = scratch[j - 1]
                j -= 1
            scratch[j] = value
            k += 1
    if k == 0:
        return 0.0, 0
    return 0.5 * (scratch[(k - 1) // 2] + scratch[k // 2]), k


@kernel
def lasting(a: float, b: float) -> float:
    """The smaller of two departures on the same side; 0 if they are on different sides."""
    if a > 0.0 and b > 0.0:
        return min(a, b)
    if a < 0.0 and b < 0.0:
        return max(a, b)
    return 0.0


@kernel
def take_place(panel: Any, rank: int) -> int:
    """The place of member *rank* in the panel: the one that it has, or the longest held of all."""
    for i in range(panel.used):
        if panel.rank[i] == rank:
            return i
    place = int(panel.next)
    panel.next = (place + 1) % PLACES
    panel.used = max(panel.used, place + 1)
    return place


@kernel
def judge_then_learn(
    member: NDArray[Any], own: NDArray[Any], single: NDArray[Any], held: NDArray[Any], panels: NDArray[Any],
    slot: int, group: int, time_ms: int, x: float,
    level: float, spread: float, rate: float, rate_held: float, warmup: int, relearn: int,
    scratch: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:
    """Novelty, tail probability, typical value, lower and upper bound of reading *x* of series *slot*; then learn *x*.

    member         (capacity,) of dtype MEMBER, panels of dtype PANEL, changed in place
    own            (capacity,) of ewma's SERIES: the level and spread of the series by itself
    single, held   the laws of its departures, and of departures that last
    level, spread  weight of the newest reading in the level and in the spread of ``own``; rate, rate_held: of the laws
    warmup         comparisons before the first opinion; until then all five are NaN, and without enough peers
    relearn        departures in a row after which the series has parted from its peers for good
    scratch        (PLACES,) float64

    When all peers fall, the first to fall has departed from them, until they follow. So what is judged is the smallest
    departure since before the peers were last heard: a departure counts from its second reading on. Its tail has a law
    of its own, and is held to be no rarer than the 3/2 power of that of a single departure: twice the same reading is
    less than two independent ones.
    Sources: P. Huber, "Robust estimation of a location parameter", 1964 (how far a reading pulls the line); H. Robbins,
    S. Monro, "A stochastic approximation method", 1951.
    """
    m, o, panel = member[slot], own[slot], panels[group]
    seen = o.seen
    if m.rank == 0:
        panel.members += 1
        m.rank = panel.members
    m.interval = usual_interval(m.interval, time_ms - m.time, seen)
    m.time = time_ms
    panel.arrivals += 1
    opinion = (np.nan, np.nan, np.nan, np.nan, np.nan)
    if seen < ewma.FIRST:
        ewma.judge_then_learn(own, slot, x, level, spread, ewma.FIRST, NEVER)
        return opinion

    unit = max(o.spread, o.step)
    z = in_spreads(x, o.location, unit)
    peers, count = median_of_peers(panel, m.rank, time_ms, scratch)
    if count >= PEERS_MIN:
        n = m.compared
        if n == 0:
            m.intercept, m.centre, m.slope, m.mark = z, peers, 1.0, panel.arrivals
        moved = peers - m.centre
        inside = moved
        if n >= INSIDE_FROM:
            inside = bounded(moved, max(INSIDE_MIN, INSIDE * math.sqrt(m.variance)))
        beyond = moved - inside
        expected = m.intercept + m.slope * inside + beyond
        doubt = DOUBT * abs(beyond) * unit
        typical = bounded(o.location + unit * expected, MAX)
        departure = less(x - typical, doubt + RESOLUTION * o.step)
        if panel.arrivals - m.mark >= min(count, ROUND_ARRIVALS):
            m.before = m.near
            m.near = departure
            m.mark = panel.arrivals
        else:
            m.near = lasting(m.near, departure)
        once = ewma.judge_then_learn(single, slot, departure, rate, rate_held, ewma.FIRST, relearn)[1]
        p = ewma.judge_then_learn(held, slot, lasting(m.near, m.before), rate, rate_held, ewma.FIRST, relearn)[1]
        if n >= warmup:
            p = max(PROBABILITY_MIN, p, once * math.sqrt(once))
            reach = BAND * m.scatter * unit + doubt
            opinion = (novelty_of_probability(p), p, typical, max(-MAX, typical - reach), min(MAX, typical + reach))

        gain = max(level, 1.0 / (n + 2.0))
        error = z - expected
        if n > 0 and unit > 0.0:  # a constant has no line: its first change is no measure of anything
            pull = bounded(error, max(SCATTER_MIN, HUBER * m.scatter))
            share = 0.0
            if m.variance > 0.0:
                share = min(1.0, max(level, 1.0 / (n + SLOPE_PRIOR_READINGS)) * inside * inside / m.variance)
            if share > 1e-12:
                m.slope = bounded(m.slope + share * pull / inside, SLOPE_MAX)
            # The line is given at the centre: when the centre moves, the intercept moves along the line.
            m.intercept += gain * (pull + m.slope * inside)
            m.variance += gain * (inside * inside - m.variance)
            m.centre += gain * inside
            wide = max(SCATTER_MIN, HUBER * m.scatter if n >= ewma.FIRST else INSIDE)
            m.scatter += gain * (min(abs(error), wide) - m.scatter)
        m.compared = min(n + 1, groups.COUNT_MAX)

    place = take_place(panel, m.rank)
    enter(panel, place, m.rank, z, unit > 0.0 or x == o.location, time_ms, m.interval)
    ewma.judge_then_learn(own, slot, x, level, spread, ewma.FIRST, NEVER)
    return opinion


@kernel
def process_all(
    member: NDArray[Any], own: NDArray[Any], single: NDArray[Any], held: NDArray[Any], panels: NDArray[Any],
    group_of: NDArray[np.int32], slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64],
    level: float, spread: float, rate: float, rate_held: float, warmup: int, relearn: int,
    novelty: NDArray[np.float64], probability: NDArray[np.float64],
    typical: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64],
) -> None:
    """``judge_then_learn`` for n points in order; the last five, (n,) float64, are filled: NaN without a group."""
    scratch = np.empty(PLACES, np.float64)
    for i in range(slot.size):
        ahead = slot[min(i + AHEAD, slot.size - 1)]
        prefetch(own, ahead)
        prefetch(member, ahead)
        prefetch(single, ahead)
        prefetch(held, ahead)
        group = group_of[slot[i]] - 1
        if group < 0:
            novelty[i] = probability[i] = typical[i] = lower[i] = upper[i] = np.nan
            continue
        novelty[i], probability[i], typical[i], lower[i], upper[i] = judge_then_learn(
            member, own, single, held, panels, slot[i], group, time_ms[i], value[i],
            level, spread, rate, rate_held, warmup, relearn, scratch)


class Population:
    """The detector "population": does a series depart from what the median of its peers implies for it now?

    half_life_readings  of a series' own level, and of how it follows its peers
    warmup_readings     comparisons with at least three peers before the first opinion
    relearn_readings    after so many departures in a row the new distance is normal

    Peers are the last 16 members that were heard of, those too old left out. typical is what they imply for the series;
    lower to upper is where about 98 % of its readings are expected. A series without a group, or with fewer than three
    peers, is never compared: its warm-up does not get shorter. Raises ValueError for a parameter out of its range.
    """

    group_by: Literal["field", "source"] = "field"
    pieces = ("peers",)

    def __init__(
        self, capacity: int, *,
        half_life_readings: float = 200.0, warmup_readings: int = 60, relearn_readings: int = 60,
    ) -> None:
        groups.check_parameters(half_life_readings, warmup_readings, relearn_readings, INSIDE_FROM)
        self._constants = (
            groups.rate_of(half_life_readings), groups.rate_of(4.0 * half_life_readings),
            groups.rate_of(LAW_HALF_LIFE_READINGS), groups.rate_of(4.0 * LAW_HALF_LIFE_READINGS),
            warmup_readings, relearn_readings)
        self._warmup = warmup_readings
        law = ewma.SERIES
        self._members = groups.Members(capacity, {"member": MEMBER, "own": law, "single": law, "held": law})

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes, the panel of a group of its own included."""
        return self._members.bytes_per_series

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Series *slot* belongs to *group*, the same field of several sources."""
        self._members.join(slot, group)

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        filled = np.empty((5, slot.size), np.float64)
        kept, rows = self._members, self._members.rows
        process_all(
            rows["member"], rows["own"], rows["single"], rows["held"], kept.panels, kept.of, slot, time_ms, value,
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
