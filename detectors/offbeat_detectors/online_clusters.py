"""The detector "clusters": is an event of a source, all its fields together, like any kind that it usually has?"""
from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors import ewma, groups
from offbeat_detectors.contract import Found, Opinions, State
from offbeat_detectors.groups import NEVER, PLACES, bounded
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import AHEAD, prefetch

CLUSTERS = 16
SAMPLE = 32
"""So many events of the past are kept, to know how near events are to one another; the first clusters are made of as
many."""
NEAREST = 6
"""A fifth of them, the event itself counted, is what a cluster reaches around it, as in mean shift (``mean_shift``)."""
SAMPLE_OVER = 2048
"""Once full, the sample is of about so many events, each as likely."""
SETTLED = 5
"""Events that make a cluster one that others may be near to: a fault that comes once is none."""
REACH = 4.0
"""So many mean deviations farther than the mean of its events' distances a cluster reaches; the width at least."""
RATE = 1.0 / 400.0
"""The least weight of the newest event in a centre, in what is known of distances from it, and in the width."""
SCATTER = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio: multiples of it are spread evenly, by which the sample is drawn without a generator."""
VALUE_MAX = 1e6
MAX = ewma.MAX

PANEL = np.dtype([
    ("events", "i8"), ("far", "i8"),
    *((name, ewma.SERIES[name]) for name in ewma.SERIES.names or ()),
    ("rank", "i4", PLACES), ("members", "i4"), ("left", "i4"), ("used", "i4"), ("open", "i4"),
    ("grown", "i4"), ("idle", "i4"),
    ("value", "f8", PLACES), ("unit", "f8", PLACES), ("time", "i8"), ("width", "f8"),
    ("named", "i8"), ("latest", "i8"),
    ("sample", "f8", SAMPLE * PLACES), ("sample_time", "i8", SAMPLE),
    ("id", "i8", CLUSTERS), ("count", "i8", CLUSTERS), ("first_ms", "i8", CLUSTERS),
    ("last_ms", "i8", CLUSTERS), ("fed", "i8", CLUSTERS), ("centre", "f8", CLUSTERS * PLACES),
    ("scatter", "f8", CLUSTERS * PLACES), ("away", "f8", CLUSTERS), ("uneven", "f8", CLUSTERS),
])
"""What is known of one source: a row of 9,800 bytes.

Behind the first two, lest numba takes a row for one of those, stand the fields of ewma's SERIES: the law of how far an
event is from the nearest cluster, settled or not: of a new kind only the first event is far.
rank            of whom a place is, 0: nobody's; members, left: ranks given, and members forgotten; used: places taken
open            the places whose fields have come of the event that is not whole yet, as bits; its time is ``time``
grown           1: one of its fields is new, so that nobody knows when it is whole; idle: nothing
value, unit     of each field the latest value, and its own spread
events, far     events learned; of them, those that the nearest settled cluster did not reach
width           how far a cluster reaches at least, in spreads: the mean distance of an event to the NEAREST of
                the sample
named, latest   ids given; the cluster that the newest event went to
sample          events, and their times
id, count       of each cluster; a count of 0: none
first_ms, last_ms  times of its first and newest event; fed: which event that was
centre, scatter  means of its events, and of their absolute deviations from it
away, uneven    means of their distances from it, in spreads, and of the absolute deviations of these
"""
MEMBER = np.dtype([("rank", "i4"), ("compared", "i4")])
"""rank: which of its source's fields, in the order of their first points, 0: none yet; compared: its readings."""


@kernel
def apart(x: float, y: float, unit: float) -> float:
    """How many *unit* two values are apart, at most VALUE_MAX; 0 if nothing is known of the unit."""
    if x == y or unit <= 0.0:
        return 0.0
    return min(VALUE_MAX, min(MAX, abs(x - y)) / unit)


@kernel
def distance(panel: Any, rows: Any, row: int, mask: int) -> float:
    """How far the panel's values are from a *row* of *rows*, in the fields of *mask*."""
    total = 0.0
    for i in range(panel.used):
        if (mask >> i) & 1:
            d = apart(panel.value[i], rows[row * PLACES + i], panel.unit[i])
            total += d * d
    return math.sqrt(total)


@kernel
def present(panel: Any) -> int:
    """The places that are somebody's, as bits."""
    mask = 0
    for i in range(panel.used):
        if panel.rank[i] != 0:
            mask |= 1 << i
    return mask


@kernel
def settled_from(panel: Any) -> int:
    """The count from which a cluster is settled: the largest always is."""
    most = 1
    for i in range(CLUSTERS):
        most = max(most, panel.count[i])
    return min(SETTLED, most)


@kernel
def nearest(panel: Any, mask: int, floor: int) -> tuple[int, float]:
    """Of the clusters of *floor* events the nearest to the panel's values in the fields of *mask*, and how far it is;
    −1: none."""
    best, least = -1, np.inf
    for i in range(CLUSTERS):
        if panel.count[i] >= floor:
            d = distance(panel, panel.centre, i, mask)
            if d < least:
                best, least = i, d
    return best, least


@kernel
def reach_of(panel: Any, cluster: int) -> float:
    """How far from its centre a cluster reaches, in spreads."""
    reach: float = max(panel.width, panel.away[cluster] + REACH * panel.uneven[cluster])
    return reach


@kernel
def width_here(panel: Any, mask: int, scratch: NDArray[np.float64]) -> float:
    """How far from the panel's values the NEAREST-th event of the sample is."""
    for i in range(SAMPLE):
        scratch[i] = distance(panel, panel.sample, i, mask)
    scratch.sort()
    return float(scratch[NEAREST - 1])


@kernel
def merge(panel: Any, grown: int, mask: int) -> None:
    """Lay *grown* together with clusters where the larger reaches the centre of the other; it keeps its id.

    Done once: what has grown by it is looked at when it is fed next.
    """
    for j in range(CLUSTERS):
        if j == grown or panel.count[j] == 0:
            continue
        total = 0.0
        for i in range(panel.used):
            if (mask >> i) & 1:
                d = apart(panel.centre[grown * PLACES + i], panel.centre[j * PLACES + i], panel.unit[i])
                total += d * d
        n, m = panel.count[grown], panel.count[j]
        if math.sqrt(total) > reach_of(panel, grown if n >= m else j):
            continue
        share = m / (n + m)
        panel.away[grown] = panel.away[grown] * (1.0 - share) + panel.away[j] * share
        panel.uneven[grown] = panel.uneven[grown] * (1.0 - share) + panel.uneven[j] * share
        for i in range(PLACES):
            a, b = grown * PLACES + i, j * PLACES + i
            panel.centre[a] = panel.centre[a] * (1.0 - share) + panel.centre[b] * share
            panel.scatter[a] = panel.scatter[a] * (1.0 - share) + panel.scatter[b] * share
        if m > n or (m == n and panel.id[j] < panel.id[grown]):
            panel.id[grown] = panel.id[j]
        panel.count[grown] = n + m
        panel.first_ms[grown] = min(panel.first_ms[grown], panel.first_ms[j])
        panel.last_ms[grown] = max(panel.last_ms[grown], panel.last_ms[j])
        panel.fed[grown] = max(panel.fed[grown], panel.fed[j])
        panel.count[j] = 0


@kernel
def place_for(panel: Any) -> int:
    """Where a new cluster goes: a free place, or that of the one not fed for longest, settled ones last."""
    best, oldest, unsettled = 0, np.int64(0), False
    for i in range(CLUSTERS):
        if panel.count[i] == 0:
            return i
        loose = panel.count[i] < SETTLED
        if i == 0 or (loose and not unsettled) or (loose == unsettled and panel.fed[i] < oldest):
            best, oldest, unsettled = i, panel.fed[i], loose
    return best


@kernel
def assign(panel: Any, event: int, time_ms: int, mask: int) -> None:
    """Put the panel's values, which are *event*, into the nearest cluster that reaches them, or into a new one."""
    best, least = nearest(panel, mask, 1)
    if best >= 0 and least <= reach_of(panel, best):
        panel.count[best] += 1
        panel.first_ms[best] = min(panel.first_ms[best], time_ms)
        panel.last_ms[best] = max(panel.last_ms[best], time_ms)
        gain = max(RATE, 1.0 / panel.count[best])
        off = abs(least - panel.away[best])
        panel.away[best] = panel.away[best] * (1.0 - gain) + least * gain
        panel.uneven[best] = panel.uneven[best] * (1.0 - gain) + off * gain
        for i in range(panel.used):
            at = best * PLACES + i
            moved = min(MAX, abs(panel.value[i] - panel.centre[at]))
            panel.scatter[at] = panel.scatter[at] * (1.0 - gain) + moved * gain
            panel.centre[at] = panel.centre[at] * (1.0 - gain) + panel.value[i] * gain
    else:
        best = place_for(panel)
        panel.named += 1
        panel.id[best] = panel.named
        panel.count[best] = 1
        panel.first_ms[best] = panel.last_ms[best] = time_ms
        panel.away[best] = panel.uneven[best] = 0.0
        for i in range(PLACES):
            panel.centre[best * PLACES + i] = panel.value[i]
            panel.scatter[best * PLACES + i] = 0.0
    panel.fed[best] = event
    merge(panel, best, mask)
    panel.latest = panel.id[best]


@kernel
def keep(panel: Any, place: int) -> None:
    """The panel's values become one of the sample."""
    for i in range(PLACES):
        panel.sample[place * PLACES + i] = panel.value[i]
    panel.sample_time[place] = panel.time


@kernel
def finish(
    panels: NDArray[Any], group: int, rate: float, rate_spread: float, scratch: NDArray[np.float64]
) -> None:
    """Learn the event that is open. Fields that it does not have count as they were last.

    scratch  (SAMPLE,) float64
    """
    panel = panels[group]
    n, mask = panel.events, present(panel)
    panel.open = panel.grown = 0
    panel.events = n + 1
    if n < SAMPLE:
        keep(panel, n)
        if n == SAMPLE - 1:
            total = 0.0
            for i in range(SAMPLE):
                for j in range(PLACES):
                    panel.value[j] = panel.sample[i * PLACES + j]
                total += width_here(panel, mask, scratch)
            panel.width = total / SAMPLE
            for i in range(SAMPLE):  # the last of them is the event itself: the values are then what they were
                for j in range(PLACES):
                    panel.value[j] = panel.sample[i * PLACES + j]
                assign(panel, i, panel.sample_time[i], mask)
        return
    ewma.judge_then_learn(panels, group, nearest(panel, mask, 1)[1], rate, rate_spread, ewma.FIRST, NEVER)
    near, far = nearest(panel, mask, settled_from(panel))
    if far > reach_of(panel, near):
        panel.far += 1
    panel.width += max(RATE, 1.0 / (n + 1.0)) * (width_here(panel, mask, scratch) - panel.width)
    drawn = (np.uint64(n) * SCATTER) >> np.uint64(32)
    place = (drawn * np.uint64(min(n + 1, SAMPLE_OVER))) >> np.uint64(32)
    if place < np.uint64(SAMPLE):
        keep(panel, int(place))
    assign(panel, n, panel.time, mask)


@kernel
def largest(panel: Any) -> int:
    """The cluster of the most events."""
    best = 0
    for i in range(CLUSTERS):
        if panel.count[i] > panel.count[best]:
            best = i
    return best


@kernel
def judge(
    panel: Any, place: int, unit: float, rate: float, rate_spread: float, law: NDArray[Any]
) -> tuple[float, float, float, float, float]:
    """The five columns for the field in *place*, by what has come of the event so far, itself included.

    unit  of the field, before this reading
    law   (1,) of ewma's SERIES: scratch

    Fewer fields are nearer: what is far already can only become farther. A field that adds less than half of its share
    to the distance is as usual, whatever the others are. What is expected of it is the value of the cluster that those
    before it are nearest to; of the first of an event, that of the largest. The bounds are where the event would be
    within 98 % of all.
    """
    floor = settled_from(panel)
    best, far = nearest(panel, panel.open, floor)
    before, count, expected, rest = panel.open & ~(1 << place), 0, largest(panel), 0.0
    for i in range(panel.used):
        count += (panel.open >> i) & 1
    if before != 0:
        expected, rest = nearest(panel, before, floor)
    typical = panel.centre[expected * PLACES + place]
    own = apart(panel.value[place], panel.centre[best * PLACES + place], panel.unit[place])
    s = law[0]
    s.location, s.spread, s.reach, s.excess = panel.location, panel.spread, panel.reach, panel.excess
    s.step, s.last, s.seen, s.run, s.fresh = panel.step, panel.last, panel.seen, panel.run, panel.fresh
    usual = s.location
    novelty, p, _, _, edge = ewma.judge_then_learn(law, 0, far, rate, rate_spread, ewma.FIRST, NEVER)
    if far <= usual or 2.0 * count * own * own < far * far:
        novelty, p = 0.0, 1.0
    reach = 0.0
    if unit > 0.0:
        reach = min(MAX, unit * math.sqrt(max(0.0, edge * edge - rest * rest)))
    return novelty, p, typical, bounded(typical - reach, MAX), bounded(typical + reach, MAX)


@kernel
def judge_then_learn(
    member: NDArray[Any], own: NDArray[Any], panels: NDArray[Any], slot: int, group: int, time_ms: int, x: float,
    level: float, spread: float, rate: float, rate_spread: float, warmup: int,
    law: NDArray[Any], scratch: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:
    """Novelty, tail probability, typical value, lower and upper bound of reading *x* of series *slot*; then learn *x*.

    member, own    (capacity,) of MEMBER and of ewma's SERIES; panels of PANEL; all changed in place
    level, spread  weight of the newest reading in ``own``, whose spread is the unit of the field; rate, rate_spread: in
                   the law of distances
    warmup         readings before the first opinion; until then all five are NaN, and beyond PLACES fields always
    law, scratch   (1,) of ewma's SERIES, (SAMPLE,) float64

    An event is what comes of a source with one time. It is learned once the last of its fields is there, or another
    event begins. Micro-clusters that are merged where they overlap, those of few events waiting: F. Cao, M. Ester,
    W. Qian, A. Zhou, "Density-based clustering over an evolving data stream with noise", 2006. Their width is not given
    but followed, as the bandwidth of D. Comaniciu, P. Meer, "Mean shift", 2002, and what is far is what the tail of all
    distances so far says, not a multiple of it.
    """
    m, o, panel = member[slot], own[slot], panels[group]
    new = m.rank == 0
    if new:
        panel.members += 1
        m.rank = panel.members
        if m.rank <= PLACES:
            place = m.rank - 1
            panel.used = m.rank
            panel.rank[place] = m.rank
            panel.value[place], panel.unit[place] = x, 0.0
            for i in range(SAMPLE):
                panel.sample[i * PLACES + place] = x
            for i in range(CLUSTERS):
                panel.centre[i * PLACES + place] = x
    unit = max(o.spread, o.step) if o.seen >= ewma.FIRST else 0.0
    ewma.judge_then_learn(own, slot, x, level, spread, ewma.FIRST, NEVER)
    opinion = (np.nan, np.nan, np.nan, np.nan, np.nan)
    if m.rank > PLACES:
        return opinion
    place = m.rank - 1
    if panel.open != 0 and (panel.time != time_ms or (panel.open >> place) & 1):
        finish(panels, group, rate, rate_spread, scratch)
    panel.open |= 1 << place
    if new:
        panel.grown = 1
    panel.time = time_ms
    panel.value[place] = x
    panel.unit[place] = max(o.spread, o.step) if o.seen >= ewma.FIRST else 0.0
    if m.compared >= warmup:
        opinion = judge(panel, place, unit, rate, rate_spread, law)
    else:
        m.compared += 1
    if panel.open == present(panel) and panel.grown == 0:
        finish(panels, group, rate, rate_spread, scratch)
    return opinion


@kernel
def process_all(
    member: NDArray[Any], own: NDArray[Any], panels: NDArray[Any], group_of: NDArray[np.int32],
    slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64],
    level: float, spread: float, rate: float, rate_spread: float, warmup: int, law: NDArray[Any],
    novelty: NDArray[np.float64], probability: NDArray[np.float64],
    typical: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64],
) -> None:
    """``judge_then_learn`` for n points in order; the last five, (n,) float64, are filled: NaN without a group."""
    scratch = np.empty(SAMPLE, np.float64)
    for i in range(slot.size):
        ahead = slot[min(i + AHEAD, slot.size - 1)]
        prefetch(own, ahead)
        prefetch(member, ahead)
        group = group_of[slot[i]] - 1
        if group < 0:
            novelty[i] = probability[i] = typical[i] = lower[i] = upper[i] = np.nan
            continue
        novelty[i], probability[i], typical[i], lower[i], upper[i] = judge_then_learn(
            member, own, panels, slot[i], group, time_ms[i], value[i],
            level, spread, rate, rate_spread, warmup, law, scratch)


class OnlineClusters:
    """The detector "clusters": sorts the events of a source into kinds, as they come, and finds those like none.

    half_life_readings  of the spread of a field, which is its unit, and of the law of distances
    warmup_readings     readings of a field before the first opinion

    An event is what a source sends with one time; a field that it lacks counts as it was last. The first 16 fields of a
    source, in the order of their first points, are what events are clustered by; others have no opinion. typical is the
    value of the cluster that the fields before it in the event are nearest to, or of the largest; lower to upper is
    where the event, as far as it has come, would be as near to a cluster as 98 % are. Raises ValueError for a parameter
    out of its range.
    """

    group_by: Literal["field", "source"] = "source"
    pieces = ("clusters",)

    def __init__(self, capacity: int, *, half_life_readings: float = 400.0, warmup_readings: int = 100) -> None:
        groups.check_parameters(half_life_readings, warmup_readings, 2, SAMPLE + ewma.FIRST + 3)
        level, spread = groups.rate_of(half_life_readings), groups.rate_of(4.0 * half_life_readings)
        self._constants = level, spread, level, spread, warmup_readings
        self._warmup = warmup_readings
        self._members = groups.Members(capacity, {"member": MEMBER, "own": ewma.SERIES}, PANEL)

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
            rows["member"], rows["own"], kept.panels, kept.of, slot, time_ms, value, *self._constants,
            np.zeros(1, ewma.SERIES), filled[0], filled[1], filled[2], filled[3], filled[4])
        return groups.opinions_of(filled)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one.

        Of a field beyond the sixteenth it does not get shorter.
        """
        left: NDArray[np.int64] = np.int64(self._warmup) - self._members.rows["member"]["compared"][slot]
        return left

    def clusters(self, slot: NDArray[np.int32]) -> Found:
        """The settled clusters of the group of these slots, the largest first."""
        of = self._members.of[slot]
        panel = self._members.panels[int(of.max(initial=1)) - 1]
        place = self._members.rows["member"]["rank"][slot].astype(np.int64) - 1
        mine = (of > 0) & (place >= 0) & (place < PLACES)
        count = np.array(panel["count"])
        chosen = np.flatnonzero((count > 0) & (count >= min(SETTLED, int(count.max()))))
        chosen = chosen[np.lexsort((panel["id"][chosen], -count[chosen]))]
        columns = {}
        for name in ("centre", "scatter"):
            column = np.full((chosen.size, slot.size), np.nan)
            column[:, mine] = panel[name].reshape(CLUSTERS, PLACES)[chosen][:, place[mine]]
            columns[name] = column
        ids, first, last = (np.array(panel[name])[chosen] for name in ("id", "first_ms", "last_ms"))
        return Found(
            int(panel["events"]), int(panel["far"]), int(panel["latest"]), float(panel["width"]),
            ids, count[chosen], first, last, columns["centre"], columns["scatter"])

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots and of their groups, which are saved whole."""
        return self._members.save(slot)

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots, which have joined their groups, to what ``save`` gave for as many slots."""
        self._members.restore(slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point; they stay in their groups."""
        self._members.forget(slot)
