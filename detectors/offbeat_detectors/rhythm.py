"""The detector "rhythm": does a series do what it has done before? The default of the daemon, with no configuration."""
from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors import (
    arrival,
    civil,
    counters,
    drift,
    experts,
    incidents,
    jumps,
    outside,
    parts,
    patterns,
    prior,
    repeats,
    rhythm_divided,
    settling,
    stuck,
)
from offbeat_detectors.contract import (
    EVIDENCE_MIN,
    NOTE_PRIOR,
    NOTE_REPEATS,
    NOTE_SETTLING,
    Account,
    Evidence,
    Opinions,
    Settled,
    State,
)
from offbeat_detectors.kernel import inlined_kernel, kernel, lean_kernel
from offbeat_detectors.rows import (
    AHEAD,
    NEAR,
    as_bytes,
    copy_of,
    offset_of,
    prefetch_at,
    prefetch_until,
    restore_rows,
    save_rows,
    zero_rows,
)
from offbeat_detectors.tails import TAIL, heaviness, learn_tail

SERIES = np.dtype([
    ("small", patterns.SCALE), ("middle", patterns.SCALE), ("large", patterns.SCALE), ("jump", jumps.JUMP),
    ("arrival", arrival.ARRIVAL), ("stuck", stuck.STUCK), ("drift", drift.DRIFT), ("incidents", incidents.INCIDENTS),
    ("outside", outside.OUTSIDE), ("novelty", "f4"), ("shape", "f4"), ("sudden", "f4"),
    ("counter", counters.COUNTER), ("seen", "i4"), ("began_s", "u4"), ("tail", TAIL),
    ("taught", "u1"), ("rate", "u1"), ("repeats", repeats.REPEATS),
], align=True)
"""One series, beside its three rings and its experts.

small, middle, large  the three scales of patterns
tail, novelty         the law of what they say together, and what they say now, compressed by it
shape, sudden         what the smallest scale and the jumps say, fading
counter               whether it is a total, and starts again
seen, began_s         readings, and the time of the first, seconds since 1970
taught                whether the series has taught its group
rate                  what the rate of the last block of arrivals was worth, for whoever asks why, in RATE_GRAIN
What is before "tail" is needed at every reading, and fills nine lines of the cache; that itself at the end of a block
of the smallest scale, and the rest seldom.
"""
_HOT = offset_of(SERIES, "tail")
_SECONDS_MAX = 2**32 - 1

SMALL, MIDDLE, LARGE = 4, 16, 64
"""Readings a block, at the three scales."""
MEMORY_SMALL, MEMORY_MIDDLE, MEMORY_LARGE = 2000.0, 500.0, 125.0
MIDDLE_SHARE, LARGE_SHARE = 0.8, 0.14
NORMAL, HEAVY_MAX = 0.6, 3.0  # heaviness of what the patterns say of normal noise; more is not believed
TAIL_KNOWN = 120.0  # blocks after which half of the own tail is believed
TAIL_RATE_MIN, TAIL_RATE_MAX, COMMON_MIN = 0.005, 0.15, 0.05
SHAPE_FADE, SUDDEN_FADE, SUDDEN_SHARE = 0.95, 0.7, 0.6
"""What is novel stays so for some readings, for whoever looks at the novelty alone."""
RARELY = 2.0
"""Below this novelty nothing is looked up among the repeats."""
JUMP_REPEATED, JUMP_HABITUAL, PATTERN_REPEATED = 0.05, 0.5, 0.15
JUMP_SOFT, PATTERN_SOFT, SOFT = 8.0, 9.0, 1.0
"""Beyond it a novelty counts by its logarithm: of a series whose bursts differ by orders of magnitude, each would be
the first of its kind."""
RATE_GRAIN = 0.02  # of the novelty that is kept of a block's rate
WARMUP = 30
_END = 1 << 62

PIECES = ("jump", "shape", "pattern", "long pattern", "drift", "stuck", "rate", "silence", "outside")
JUMP, SHAPE, PATTERN, LONG, DRIFT, STUCK, RATE, SILENCE, OUTSIDE = range(9)
COMPONENTS = (
    "jump", "shape", "pattern", "long pattern", "drift", "stuck", "rate", "tails", "repeats", "settling", "peers",
    "experts", "outside",
)
_TAILS, _REPEATS, _SETTLING, _PEERS, _EXPERTS, _OUTSIDE = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12
TIERS = {"light": (96, 34, 0), "standard": (224, 138, 40), "large": (512, 256, 64)}
"""Lags remembered at the three scales."""


@inlined_kernel
def number(z: float) -> float:
    """*z*, or 0 where nothing is known."""
    return z if z > 0.0 else 0.0


@inlined_kernel
def soft(novelty: float, limit: float) -> float:
    """*novelty*, beyond *limit* by its logarithm."""
    return novelty if novelty <= limit else limit * (1.0 + SOFT * math.log(novelty / limit))


@kernel
def compressed(tail: Any, novelty: float) -> float:
    """What the patterns say together, less where that has a heavier tail than for normal noise."""
    if novelty <= tail.common:
        return novelty
    heavy = min(HEAVY_MAX, max(NORMAL, heaviness(tail)))
    believed = tail.seen / (tail.seen + TAIL_KNOWN)
    power = 1.0 + believed * (NORMAL / heavy - 1.0)
    return float(tail.common * (novelty / tail.common) ** power)


@inlined_kernel
def judge_patterns(
    s: Any, slot: int, x: float, small: NDArray[np.int16], middle: NDArray[np.int16], large: NDArray[np.int16],
    without: int,
) -> bool:
    """Take *x* into the blocks of the three scales; True if one has ended, so that ``novelty`` is new."""
    ended = patterns.take_reading(small[slot], s.small, x, SMALL, MEMORY_SMALL)
    if middle.shape[1] > 0:
        patterns.take_reading(middle[slot], s.middle, x, MIDDLE, MEMORY_MIDDLE)
    if large.shape[1] > 0:
        patterns.take_reading(large[slot], s.large, x, LARGE, MEMORY_LARGE)
    if not ended:  # a block of the larger scales ends only with one of the small
        return False
    together = 0.0
    if not without & (1 << SHAPE):
        together += number(s.small.z)
    if not without & (1 << PATTERN):
        together += MIDDLE_SHARE * number(s.middle.z)
    if not without & (1 << LONG):
        together += LARGE_SHARE * number(s.large.z)
    if s.tail.seen == 0:
        s.tail.common = np.float32(1.0)
        s.tail.rare = np.float32(1.75)
    s.novelty = np.float32(together if without & _TAILS else compressed(s.tail, together))
    learn_tail(s.tail, together, TAIL_RATE_MIN, TAIL_RATE_MAX, COMMON_MIN)
    return True


@lean_kernel
def readings_ago(scale: Any, blocks: int, block: int) -> int:
    """How many readings back the pattern so many *blocks* before the last lies; 0: there is none."""
    return blocks * block + scale.rows if blocks > 0 else 0


@inlined_kernel
def judge_then_learn(
    series: NDArray[Any], expert: NDArray[Any], slot: int, time_ms: int, x: float, zone_s: int, without: int,
    small: NDArray[np.int16], middle: NDArray[np.int16], large: NDArray[np.int16],
    group: int, groups: NDArray[Any], share: NDArray[np.float32], similar: NDArray[np.int32],
    lesson: NDArray[np.float32], later: bool,
) -> tuple[float, float, int]:
    """Novelty, strength and notes of reading *x* of series *slot*; then learn it.

    series               (capacity,) of dtype SERIES, changed in place, as the three rings (capacity, ROWS · lags) are
    expert               (capacity,) of the experts, which have just learned *x*
    zone_s               what civil time is ahead of UTC
    without              bits of COMPONENTS that are left out
    group, groups        the group of the series, −1: none; (capacity,) of dtype PRIOR
    share, similar       (8,), (2,): filled with the evidence if the novelty is EVIDENCE_MIN or more
    lesson, later        (2,): if *later*, filled with what the group is to learn of this reading, not taught now
    """
    s = series[slot]
    seen: int = s.seen
    notes = 0
    by_peers = group >= 0 and seen < prior.OWN and not without & _PEERS and prior.knows(groups, group)
    if seen == 0:
        s.began_s = np.uint32(min(_SECONDS_MAX, max(0, time_ms // 1000)))
        incidents.begin(s.incidents)
        if group >= 0:
            groups[group].living += 1
        if by_peers:
            s.incidents.jump.peaks = groups[group].peaks
    s.seen = np.int32(min(seen + 1, 1 << 30))
    civil_s = min(_SECONDS_MAX, max(1, time_ms // 1000 + zone_s))

    judge_patterns(s, slot, x, small, middle, large, without)
    pattern = soft(np.float64(s.novelty), PATTERN_SOFT)

    jump, height = jumps.judge_jump(s.jump, x)
    if by_peers:
        peers = prior.judge_by_peers(groups, group, seen, x)
        if peers > jump:
            jump = peers
            notes |= NOTE_PRIOR
    if without & (1 << JUMP):
        jump = 0.0
    jump_weight = pattern_weight = 1.0
    restarted = seen > 0 and counters.restarted(s.counter, s.jump.first[s.jump.at], x)
    if not without & _REPEATS:
        if jump > RARELY and jump > incidents.OVERRIDE * s.incidents.jump.held:
            known = repeats.remembered(s.repeats, 0, repeats.JUMPS, civil_s, height)
            repeats.remember(s.repeats, 0, repeats.JUMPS, civil_s, height)
            if known != repeats.NEW:
                jump_weight = JUMP_REPEATED if known == repeats.RHYTHMIC else JUMP_HABITUAL
                notes |= NOTE_REPEATS
        if pattern > RARELY and pattern > incidents.OVERRIDE * s.incidents.pattern.held:
            first, places = repeats.JUMPS, repeats.PATTERNS
            known = repeats.remembered(s.repeats, first, places, civil_s, pattern)
            repeats.remember(s.repeats, first, places, civil_s, pattern)
            if known != repeats.NEW:
                pattern_weight = PATTERN_REPEATED
                notes |= NOTE_REPEATS
        if restarted:
            jump_weight, pattern_weight = min(jump_weight, JUMP_REPEATED), PATTERN_REPEATED
            notes |= NOTE_REPEATS
    jump = soft(jump, JUMP_SOFT)
    jumps.learn_jump(s.jump, x, height)

    drifting = 0.0 if without & (1 << DRIFT) else drift.judge(s.drift, time_ms, x)
    held = 0.0 if without & (1 << STUCK) else stuck.judge(s.stuck, time_ms, x)
    rate = 0.0 if without & (1 << RATE) else arrival.judge(s.arrival, time_ms)
    if s.arrival.count == 1 and s.arrival.behind == 0:  # a block has ended: its rate stands until the next has
        s.rate = np.uint8(min(255.0, rate / RATE_GRAIN))
    away = 0.0 if without & _OUTSIDE else outside.judge(s.outside, expert[slot])
    slow = max(drifting, held, rate, away)

    s.shape = np.float32(max(number(s.small.z), SHAPE_FADE * s.shape))
    s.sudden = np.float32(max(jump_weight * jump, SUDDEN_FADE * s.sudden))
    middle_part, large_part = MIDDLE_SHARE * number(s.middle.z), LARGE_SHARE * number(s.large.z)
    novelty = s.shape + middle_part + large_part + SUDDEN_SHARE * s.sudden
    novelty = max(novelty, slow)
    strength = incidents.strength_of(s.incidents, pattern, jump, slow, pattern_weight, jump_weight)
    if strength > 0.0 and not notes & NOTE_PRIOR and not without & _SETTLING:
        whole = strength
        strength = settling.allowed(whole, seen, float(time_ms) - 1000.0 * s.began_s)
        if strength < whole:
            notes |= NOTE_SETTLING
    novelty = max(novelty, strength)
    if seen < WARMUP and not by_peers:
        return np.nan, 0.0, 0

    if novelty >= EVIDENCE_MIN:
        together = number(s.small.z) + middle_part + large_part
        per = incidents.STRENGTH * pattern / together if together > 0.0 else 0.0
        share[JUMP] = np.float32(incidents.STRENGTH * incidents.JUMP_WORTH * jump)
        share[SHAPE] = np.float32(per * number(s.small.z))
        share[PATTERN] = np.float32(per * middle_part)
        share[LONG] = np.float32(per * large_part)
        share[DRIFT], share[STUCK] = np.float32(drifting), np.float32(held)
        share[RATE] = np.float32(max(rate, RATE_GRAIN * s.rate))
        share[SILENCE], share[OUTSIDE] = np.float32(0.0), np.float32(away)
        if middle_part > number(s.small.z):
            similar[0] = readings_ago(s.middle, s.middle.nearest, MIDDLE)
            similar[1] = readings_ago(s.middle, s.middle.second, MIDDLE)
        else:
            similar[0] = readings_ago(s.small, s.small.nearest, SMALL)
            similar[1] = readings_ago(s.small, s.small.second, SMALL)
    if group >= 0 and seen >= prior.SETTLED and seen % prior.EVERY == 0:
        if later:
            lesson[0], lesson[1] = prior.FIRST if s.taught == 0 else prior.FURTHER, s.incidents.jump.peaks
        else:
            prior.teach(groups[group], s.taught == 0, x, s.incidents.jump.peaks)
        s.taught = np.uint8(1)
    return novelty, strength, notes


@inlined_kernel
def prefetch_rest(
    series: NDArray[Any], expert: NDArray[Any], slot: int,
    small: NDArray[np.int16], middle: NDArray[np.int16], large: NDArray[np.int16],
) -> None:
    """Ask for what the next reading of series *slot* needs, by what its rows say, which should have come by now: the
    rings in which a block will end, and the numbers of the tables."""
    s = series[slot]
    if s.small.rows == SMALL - 1:
        prefetch_at(series, slot, _HOT)
        prefetch_until(small, slot, 2 * small.shape[1])
        if s.middle.rows == MIDDLE - 1:
            prefetch_until(middle, slot, 2 * middle.shape[1])
            if s.large.rows == LARGE - 1:
                prefetch_until(large, slot, 2 * large.shape[1])
    experts.prefetch_tables(expert, slot)


@lean_kernel
def process_all(
    series: NDArray[Any], expert: NDArray[Any], slot: NDArray[np.int32], time_ms: NDArray[np.int64],
    value: NDArray[np.float64], transitions_ms: NDArray[np.int64], offsets_ms: NDArray[np.int64], without: int,
    small: NDArray[np.int16], middle: NDArray[np.int16], large: NDArray[np.int16],
    group: NDArray[np.int32], groups: NDArray[Any],
    novelty: NDArray[np.float64], strength: NDArray[np.float64], typical: NDArray[np.float64],
    lower: NDArray[np.float64], upper: NDArray[np.float64],
    share: NDArray[np.float32], similar: NDArray[np.int32], notes: NDArray[np.uint8],
    lesson: NDArray[np.float32], later: bool, row: NDArray[np.int64], due: prior.Due,
) -> None:
    """``judge_then_learn``, and what the experts say, for n points in order; eight columns, (n, …), are filled.

    lesson, later  (n, 2) float32: if *later*, filled with what is to be taught, not taught now
    row, due       (n,) the places of the points among others, and what those have to teach, in order: what lies before
        a point is taught before it
    """
    span = taught = 0
    for i in range(slot.size):
        if due[0].size > 0:
            taught = prior.teach_until(groups, due, taught, row[i])
        ahead = slot[min(i + AHEAD, slot.size - 1)]
        prefetch_until(series, ahead, _HOT)
        experts.prefetch_levels(expert, ahead)
        prefetch_rest(series, expert, slot[min(i + NEAR, slot.size - 1)], small, middle, large)
        one, t = slot[i], time_ms[i]
        x = min(experts.VALUE_MAX, max(-experts.VALUE_MAX, value[i]))
        span = civil.span_at(transitions_ms, t, span)
        offset_ms = offsets_ms[span]
        if without & _EXPERTS:
            typical[i] = lower[i] = upper[i] = np.nan
        else:
            following = patterns.successor(series[one].small)
            typical[i], lower[i], upper[i] = experts.judge_then_learn(expert, one, t, x, offset_ms, following)
        novelty[i], strength[i], notes[i] = judge_then_learn(
            series, expert, one, t, x, offset_ms // 1000, without, small, middle, large, group[one], groups,
            share[i], similar[i], lesson[i if later else 0], later)
        if np.isnan(novelty[i]):
            typical[i] = lower[i] = upper[i] = np.nan
    if due[0].size > 0:
        prior.teach_until(groups, due, taught, _END)


@kernel
def overdue_all(
    series: NDArray[Any], slot: NDArray[np.int32], now_ms: NDArray[np.int64], novelty: NDArray[np.float64],
    expected_ms: NDArray[np.float64],
) -> None:
    """``arrival.overdue_by`` for n series; the last two, (n,), are filled."""
    for i in range(slot.size):
        novelty[i], expected_ms[i] = arrival.overdue_by(series[slot[i]].arrival, now_ms[i])


class Rhythm:
    """The detector "rhythm": patterns at three scales, jumps, drift, stuck values, the rhythm of arrival.

    tier       "light" (2 KB a series), "standard" (4.5 KB) or "large" (8 KB): how much it remembers
    time_zone  IANA name: what is daily and weekly follows its civil time
    without    names of COMPONENTS to leave out, for measuring what each is worth

    typical, lower and upper are those of the experts (``experts``); the novelty is that of the strongest evidence, and
    the strength is this detector's own account of incidents (``incidents``). Raises ValueError for a bad parameter.
    """

    COMPONENTS = COMPONENTS
    group_by: Literal["field", "source"] = "field"

    def __init__(
        self, capacity: int, *, tier: str = "standard", time_zone: str = "UTC", without: Iterable[str] = (),
    ) -> None:
        if tier not in TIERS:
            raise ValueError(f"tier is {tier!r}: expected one of {', '.join(TIERS)}")
        unknown = [name for name in without if name not in COMPONENTS]
        if unknown:
            raise ValueError(f"without names {unknown[0]!r}: expected some of {', '.join(COMPONENTS)}")
        self._transitions, self._offsets = civil.transitions(time_zone)
        self._without = sum(1 << COMPONENTS.index(name) for name in set(without))
        self._series = zero_rows(capacity, SERIES)
        self._bytes = as_bytes(self._series)
        self._experts = zero_rows(capacity, experts.EXPERTS_LIGHT if tier == "light" else experts.EXPERTS)
        self._rings = tuple(
            zero_rows(capacity * lags * patterns.ROWS, np.dtype(np.int16)).reshape(capacity, lags * patterns.ROWS)
            for lags in TIERS[tier]
        )
        self._group = np.full(capacity, -1, np.int32)
        self._groups = zero_rows(capacity, prior.PRIOR)
        self._group_bytes = as_bytes(self._groups)
        self.divide(1, parts.Team(1).run)

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes, its place in the group and the group included."""
        rings = sum(ring.shape[1] * ring.itemsize for ring in self._rings)
        return SERIES.itemsize + self._experts.itemsize + rings + 4 + prior.PRIOR.itemsize

    @property
    def pieces(self) -> tuple[str, ...]:
        """The names of the pieces of evidence."""
        return PIECES

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Series *slot* belongs to *group*: a new member is judged by what the others taught."""
        self._group[slot] = group

    def divide(self, threads: int, run: parts.Run) -> None:
        """From now on, ``process`` may give its work to *run* in pieces, at most *threads* at a time."""
        self._threads, self._run = threads, run

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        points = rhythm_divided.Points(slot, time_ms, value)
        room = rhythm_divided.room_for(slot.size, len(PIECES))
        if self._threads == 1 or slot.size < rhythm_divided.POINTS_MIN:
            self._process(points, room)
        else:
            rhythm_divided.process(points, room, self._process, self._series, self._group, self._threads, self._run)
        novelty, strength, typical, lower, upper, probability = room.numbers
        probability.fill(np.nan)
        evidence = Evidence(room.share, room.similar, room.notes)
        return Opinions(novelty, probability, typical, lower, upper, evidence, strength)

    def _process(self, points: rhythm_divided.Points, room: rhythm_divided.Room) -> None:
        small, middle, large = self._rings
        novelty, strength, typical, lower, upper, _ = room.numbers
        process_all(
            self._series, self._experts, points.slot, points.time_ms, points.value, self._transitions, self._offsets,
            self._without, small, middle, large, self._group, self._groups, novelty, strength, typical, lower, upper,
            room.share, room.similar, room.notes, points.lesson, points.lesson.size > 0, points.row, points.due)

    def overdue(self, slot: NDArray[np.int32], now_ms: NDArray[np.int64]) -> Opinions:
        """Judge the silence of n series until *now_ms*; learns nothing."""
        n = slot.size
        novelty, expected = np.empty(n), np.empty(n)
        overdue_all(self._series, slot, now_ms, novelty, expected)
        share = np.zeros((n, len(PIECES)), np.float32)
        share[:, SILENCE] = novelty
        nothing = np.full(n, np.nan)
        evidence = Evidence(share, np.zeros((n, 2), np.int32), np.zeros(n, np.uint8))
        return Opinions(novelty, nothing, expected, nothing, nothing, evidence)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one."""
        left: NDArray[np.int64] = np.maximum(0, WARMUP - self._series["seen"][slot].astype(np.int64))
        return left

    def settled(self, slot: NDArray[np.int32]) -> Settled:
        """How far these slots have settled by their latest readings; what their peers have found counts in full."""
        rows = self._series[slot]
        seen = rows["seen"].astype(np.int64)
        age_ms = rows["arrival"]["last"].astype(np.float64) - 1000.0 * rows["began_s"]
        if self._without & _SETTLING:
            return settling.state_of(np.full(slot.size, 1 << 30), age_ms)
        return settling.state_of(seen, np.where(seen > 0, np.maximum(age_ms, 0.0), 0.0))

    def account(self, slot: NDArray[np.int32]) -> Account:
        """The incidents of these slots, as they stand: those of the patterns, which last longest."""
        m = self._series["incidents"]["pattern"][slot]
        damping = 1.0 + np.sqrt(np.asarray(m["peaks"], np.float64))
        return Account(damping, np.asarray(m["held"], np.float64), m["age"].astype(np.int64), incidents.PATTERN_HOLD)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots, and of what their groups know, for each slot anew."""
        state: State = {"series": copy_of(self._bytes, slot)}
        state |= {f"expert.{name}": column for name, column in save_rows(self._experts, slot).items()}
        state |= {f"ring.{i}": copy_of(ring, slot) for i, ring in enumerate(self._rings)}
        known = self._groups[np.maximum(self._group[slot], 0)]
        known["living"] = 0  # follows from the series
        state["prior"] = as_bytes(known)
        return state

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots, and their groups, to what ``save`` gave for as many slots."""
        if state["series"].shape != (slot.size, SERIES.itemsize):
            raise ValueError(f"state 'series' has the shape {state['series'].shape}: expected {slot.size} rows of "
                             f"{SERIES.itemsize} bytes")
        group = self._group[slot]
        joined = group >= 0
        living = self._living(slot[joined])
        self._bytes[slot] = state["series"]
        restore_rows(self._experts, slot, {
            name.removeprefix("expert."): column for name, column in state.items() if name.startswith("expert.")})
        for i, ring in enumerate(self._rings):
            ring[slot] = state[f"ring.{i}"]
        held = self._groups["living"][group[joined]] - living + self._living(slot[joined])
        self._group_bytes[group[joined]] = state["prior"][joined]
        self._groups["living"][group[joined]] = held

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point; what they taught stays while their group has members."""
        joined = slot[self._group[slot] >= 0]
        groups = self._group[joined]
        np.subtract.at(self._groups["members"], groups, self._series["taught"][joined])
        np.subtract.at(self._groups["living"], groups, self._series["seen"][joined] > 0)
        self._series[slot] = np.zeros((), SERIES)
        self._experts[slot] = np.zeros((), self._experts.dtype)
        for ring in self._rings:
            ring[slot] = 0
        self._groups[groups[self._groups["living"][groups] == 0]] = np.zeros((), prior.PRIOR)

    def _living(self, slot: NDArray[np.int32]) -> NDArray[np.int32]:
        """For each of n series that have joined a group, how many of them in its group have had a point, (n,) int32."""
        if not slot.size:
            return np.zeros(0, np.int32)
        _, at = np.unique(self._group[slot], return_inverse=True)
        return np.bincount(at, self._series["seen"][slot] > 0).astype(np.int32)[at]
