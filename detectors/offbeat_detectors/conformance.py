"""What every detector must pass, ours and others'. In the test of one: ``assert not conformance.check(MyDetector)``."""
from __future__ import annotations

import gc
import io
import random
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Detector, Divisible, Explaining, Grouped, Opinions, State
from offbeat_detectors.opinions import COLUMNS, difference, joined_opinions, taken
from offbeat_detectors.parts import Run, Team

Make = Callable[[int], Detector]
"""Makes a detector of a given capacity, always with the same parameters."""

SERIES, CAPACITY = 3, 12  # that a check uses at once, and has room for
MEMBERS = 5  # as many of a Grouped detector: one group
MEMORY_SLACK_BYTES, MEMORY_LOOKS, DIVIDED_POINTS = 16_384, 3, 20_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is asked of a detector. *function* (make, readings) answers what is wrong, empty if nothing is."""

    name: str
    sentence: str
    function: Callable[[Make, int], str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that a detector does not pass, and where it was seen."""

    check: str
    sentence: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.sentence} {self.detail}"


@dataclass(frozen=True, slots=True)
class Points:
    """n points of some series, in order of arrival: the arguments of ``Detector.process``."""

    slot: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]

    def __getitem__(self, part: slice | NDArray[np.bool_]) -> Points:
        return Points(self.slot[part], self.time_ms[part], self.value[part])

    def __len__(self) -> int:
        return int(self.slot.size)


def check(make: Make, *, readings: int = 1000) -> list[Failure]:
    """A Failure for each check that the detectors made by *make* do not pass; none if all is well.

    readings  of each series in a check: more than the warm-up, and more than any window that the detector fills once
    """
    failures = []
    for one in CHECKS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                detail = one.function(make, readings)
        except Exception as error:  # a plug-in may raise anything
            detail = f"It raised {type(error).__name__}: {error}"
        if detail:
            failures.append(Failure(one.name, one.sentence, detail))
    return failures


def ready(make: Make) -> Detector:
    """A detector of CAPACITY. If it is Grouped, the first MEMBERS slots are one group, the last are another."""
    detector = make(CAPACITY)
    if isinstance(detector, Grouped):
        group = every_slot()
        group[:MEMBERS], group[-MEMBERS:] = 0, 1
        detector.join(every_slot(), group)
    return detector


def series_of(make: Make) -> int:
    """How many series a check needs at once: those of one group, if the detector is Grouped."""
    return MEMBERS if isinstance(make(CAPACITY), Grouped) else SERIES


def points(readings: int, seed: int = 0, series: int = SERIES) -> Points:
    """*readings* of each of *series* series, mixed: a wave with noise at different levels, and a spike now and then."""
    rng = np.random.default_rng(seed)
    n = readings * series
    slot = rng.permutation(np.repeat(np.arange(series, dtype=np.int32), readings))
    time_ms = 1_700_000_000_000 + 1000 * np.arange(n, dtype=np.int64)
    value = 10.0 ** (1 + slot) + np.sin(np.arange(n) / 50.0) + rng.normal(size=n) * 0.3
    value[rng.random(n) < 0.005] += 25.0
    return Points(slot, time_ms, value)


def judged(detector: Detector, some: Points, cuts: Sequence[int] = ()) -> Opinions:
    """What *detector* says of the points, given to it in pieces cut before the positions *cuts*."""
    edges = [0, *cuts, len(some)]
    parts = []
    for start, stop in pairwise(edges):
        piece = some[slice(start, stop)]
        parts.append(detector.process(piece.slot, piece.time_ms, piece.value))
    return joined_opinions(parts)


def every_slot(count: int = CAPACITY) -> NDArray[np.int32]:
    return np.arange(count, dtype=np.int32)


def _shape(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    detector = ready(make)
    for part in (some[slice(0, 0)], some):
        said = detector.process(part.slot, part.time_ms, part.value)
        for name in COLUMNS:
            column = getattr(said, name)
            if column.dtype != np.float64 or column.shape != (len(part),):
                return f"{name} of {len(part)} points is {column.dtype} of shape {column.shape}."
        if said.strength is not None and (said.strength.dtype != np.float64 or said.strength.shape != (len(part),)):
            return f"strength of {len(part)} points is {said.strength.dtype} of shape {said.strength.shape}."
        if isinstance(detector, Explaining):
            share = None if said.evidence is None else said.evidence.share.shape
            if share != (len(part), len(detector.pieces)):
                return f"The evidence of {len(part)} points has shares {share}: expected one for each of the pieces."
    left = detector.warmup_left(every_slot())
    if left.dtype != np.int64 or left.shape != (CAPACITY,):
        return f"warmup_left of {CAPACITY} slots is {left.dtype} of shape {left.shape}."
    return "" if detector.bytes_per_series > 0 else f"bytes_per_series is {detector.bytes_per_series}."


def _causal(make: Make, readings: int) -> str:
    past, future = points(readings, series=series_of(make)), points(readings // 4, seed=1, series=series_of(make))
    other = Points(future.slot[::-1], future.time_ms, -5.0 * future.value)
    said = [taken(judged(ready(make), joined(past, after)), slice(0, len(past))) for after in (future, other)]
    if wrong := difference(*said):
        return f"With other points after it: {wrong}"
    # What was expected of the last point, when it is another one.
    last = np.append(np.zeros(len(past) - 1, bool), True)
    moved = Points(past.slot, past.time_ms, np.where(last, past.value + 10.0, past.value))
    for name in ("typical", "lower", "upper"):
        a, b = (float(getattr(judged(ready(make), run), name)[-1]) for run in (past, moved))
        if a != b and not (np.isnan(a) and np.isnan(b)):
            return f"{name} of the last point is {a!r}, but {b!r} if that point is higher by 10."
    return ""


def joined(first: Points, then: Points) -> Points:
    """The points of both, one after the other."""
    return Points(np.concatenate([first.slot, then.slot]), np.concatenate([first.time_ms, then.time_ms]),
                  np.concatenate([first.value, then.value]))


def _cuts(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    whole = judged(ready(make), some)
    rng = np.random.default_rng(2)
    for cuts in (sorted(rng.choice(len(some), 20, replace=False).tolist()), list(range(1, min(len(some), 400)))):
        if wrong := difference(whole, judged(ready(make), some, cuts)):
            return f"In {len(cuts) + 1} calls instead of one: {wrong}"
    return ""


def _slots(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    grouped = isinstance(make(CAPACITY), Grouped)
    if grouped:  # what must not matter is another group
        some = joined(some, Points(_mirrored(some.slot), some.time_ms, -3.0 * some.value))
        order = np.argsort(some.time_ms, kind="stable")
        some = Points(some.slot[order], some.time_ms[order], some.value[order])
    whole = judged(ready(make), some)
    for mine in [some.slot < MEMBERS] if grouped else [some.slot == s for s in range(SERIES)]:
        alone = some[mine]
        if wrong := difference(taken(whole, mine), judged(ready(make), alone)):
            return f"{'A group' if grouped else 'A series'} without the others: {wrong}"
        elsewhere = Points(_mirrored(alone.slot), alone.time_ms, alone.value)
        if wrong := difference(taken(whole, mine), judged(ready(make), elsewhere)):
            return f"In slot {int(elsewhere.slot[0])} instead of {int(alone.slot[0])}: {wrong}"
    return ""


def _mirrored(slot: NDArray[np.int32]) -> NDArray[np.int32]:
    return (CAPACITY - 1 - slot).astype(np.int32)


def through_bytes(state: State) -> State:
    """The state as it comes back from storage: each array through the bytes of ``np.save``, without objects."""
    back = {}
    for name, column in state.items():
        file = io.BytesIO()
        np.save(file, column, allow_pickle=False)
        back[name] = np.load(io.BytesIO(file.getvalue()), allow_pickle=False)
    return back


def _restore(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    for half in (2 * series_of(make), len(some) // 2):  # in the warm-up, and in the middle
        before, after = some[slice(0, half)], some[slice(half, None)]
        whole = ready(make)
        judged(whole, before)
        slots = np.roll(every_slot(series_of(make)), 1)
        kept = whole.save(slots)
        state = through_bytes(kept)
        expected = judged(whole, after)
        for name, column in kept.items():
            if not np.array_equal(column, state[name], equal_nan=column.dtype.kind == "f"):
                return f"The saved {name} changed when the detector went on."
        if wrong := difference(expected, _gone_on(whole, slots, state, after)):
            return f"Restored in place: {wrong}"
        if wrong := difference(expected, _gone_on(ready(make), slots, state, after)):
            return f"Restored in another instance: {wrong}"
        elsewhere = _mirrored(slots)
        moved = Points(_mirrored(after.slot), after.time_ms, after.value)
        used = ready(make)
        judged(used, Points(_mirrored(before.slot), before.time_ms, before.value * 3.0))
        if wrong := difference(expected, _gone_on(used, elsewhere, state, moved)):
            return f"Restored in other slots, used before: {wrong}"
    return ""


def _gone_on(detector: Detector, slot: NDArray[np.int32], state: State, after: Points) -> Opinions:
    detector.restore(slot, state)
    return judged(detector, after)


def _forget(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    detector = ready(make)
    gone = np.array([0, 2], np.int32)
    if isinstance(detector, Grouped):  # a group is as new when the last of its members is forgotten
        gone = every_slot(MEMBERS)
        some = joined(some, Points(_mirrored(some.slot), some.time_ms, some.value))
    judged(detector, some)
    detector.forget(gone[:1])
    detector.forget(gone[1:])
    fresh = ready(make)
    left, new = detector.warmup_left(every_slot()), fresh.warmup_left(every_slot())
    if (left[gone] != new[gone]).any():
        return f"A forgotten series has {left[0]} readings of warm-up left, a new one {new[0]}."
    forgotten = np.isin(some.slot, gone)
    if wrong := difference(judged(fresh, some[forgotten]), judged(detector, some[forgotten])):
        return f"New, then forgotten: {wrong}"
    kept = ready(make)
    again = some[~forgotten]
    judged(kept, again)
    return difference(judged(kept, again), judged(detector, again)) and "Forgetting some series changed another."


def _memory(make: Make, readings: int) -> str:
    first, more = points(readings, series=series_of(make)), points(3 * readings, seed=3, series=series_of(make))
    detector = ready(make)
    tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        judged(detector, first)
        stored = _stored(detector)
        for _ in range(MEMORY_LOOKS):  # what others in this process hold once is not the detector's
            held = _held()
            judged(detector, more)
            if (grown := _held() - held) <= MEMORY_SLACK_BYTES:
                break
        swollen = _stored(detector) - stored
    finally:
        if not tracing:
            tracemalloc.stop()
    if grown > MEMORY_SLACK_BYTES:
        return f"{len(more)} further readings took {grown} bytes that were not given back."
    if swollen > MEMORY_SLACK_BYTES + stored // 10:
        return f"{len(more)} further readings took the saved state from {stored} to {stored + swollen} bytes."
    return ""


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _stored(detector: Detector) -> int:
    return sum(column.nbytes for column in detector.save(every_slot()).values())


def _inputs(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    copy = points(readings, series=series_of(make))
    for column in (some.slot, some.time_ms, some.value):
        column.flags.writeable = False
    detector = ready(make)
    detector.process(some.slot, some.time_ms, some.value)
    detector.process(copy.slot, copy.time_ms, copy.value)
    for name in ("slot", "time_ms", "value"):
        if not np.array_equal(getattr(some, name), getattr(copy, name)):
            return f"{name} was changed."
    return ""


def _ranges_of(said: Opinions) -> str:
    """What is outside its range in *said*, empty if nothing is."""
    for name in COLUMNS:
        if np.isinf(getattr(said, name)).any():
            return f"{name} of point {int(np.flatnonzero(np.isinf(getattr(said, name)))[0])} is infinite."
    strength = np.zeros(0) if said.strength is None else said.strength
    for name, wrong in (
        ("strength is under 0 or not finite", ~((strength >= 0.0) & np.isfinite(strength))),
        ("novelty is under 0", said.novelty < 0.0),
        ("probability is not in (0, 1]", (said.probability <= 0.0) | (said.probability > 1.0)),
        ("lower is above typical", said.lower > said.typical),
        ("typical is above upper", said.typical > said.upper),
    ):
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            return f"At point {i} {name}: {[float(getattr(said, column)[i]) for column in COLUMNS]}."
    return ""


def _ranges(make: Make, readings: int) -> str:
    return _ranges_of(judged(ready(make), points(readings, series=series_of(make))))


def _no_opinion(make: Make, readings: int) -> str:
    said = judged(ready(make), points(readings, series=series_of(make)))
    none = np.isnan(said.novelty)
    for name in COLUMNS[1:]:
        if (none & ~np.isnan(getattr(said, name))).any():
            return f"{name} is given where novelty is NaN."
    bounds = [np.isnan(getattr(said, name)) for name in ("typical", "lower", "upper")]
    if (bounds[0] != bounds[1]).any() or (bounds[0] != bounds[2]).any():
        return "Of typical, lower and upper, some are NaN and some are not."
    for name in ("probability", "typical"):
        missing = np.isnan(getattr(said, name))[~none]
        if missing.any() and not missing.all():
            return f"{name} is given for some points with an opinion and is NaN for others."
    return ""


def _warmup(make: Make, readings: int) -> str:
    detector = ready(make)
    peers = every_slot(series_of(make))[1:] if isinstance(detector, Grouped) else every_slot(0)
    mine = points(readings, series=1)
    slot = np.zeros(1, np.int32)
    for i in range(readings):
        one = mine[slice(i, i + 1)]
        detector.process(peers, np.repeat(one.time_ms, peers.size), one.value + peers)
        left = int(detector.warmup_left(slot)[0])
        none = bool(np.isnan(detector.process(one.slot, one.time_ms, one.value).novelty[0]))
        if none != (left > 0):
            return f"At reading {i} it said that {left} are left, and had {'no' if none else 'an'} opinion."
        if left > 0 and int(detector.warmup_left(slot)[0]) != left - 1:
            return f"After reading {i} {int(detector.warmup_left(slot)[0])} are left, before it {left}."
    left = int(detector.warmup_left(slot)[0])
    return f"After {readings} readings {left} are still left; give check() more readings." if left else ""


def _times(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    shuffled = np.random.default_rng(4).permutation(some.time_ms)
    for time_ms in (np.full_like(some.time_ms, some.time_ms[0]), some.time_ms[::-1].copy(), shuffled):
        detector = ready(make)
        said = judged(detector, Points(some.slot, time_ms, some.value))
        if wrong := _ranges_of(said):
            return wrong
        if np.isnan(said.novelty[-1]) and detector.warmup_left(some.slot[-1:])[0] == 0:
            return "There is no opinion after such times."
    return ""


def _extremes(make: Make, readings: int) -> str:
    usual = points(readings, series=series_of(make) if isinstance(make(CAPACITY), Grouped) else 1)
    big, small = float(np.finfo(np.float64).max), 5e-324
    bursts = {
        "±1e300": [1e300, -1e300, 1e300, 1e300], "the largest numbers": [big, -big, big, -big],
        "subnormals": [small, -small, 2 * small, 0.0] * 20, "zeros": [0.0, -0.0] * 50, "one value": [7.25] * readings,
        "the smallest and the largest": [small, big, small, -big] * 5,
    }
    for name, burst in bursts.items():
        odd = Points(np.zeros(len(burst), np.int32), usual.time_ms[0] + np.arange(len(burst)), np.array(burst))
        for order in ((odd, usual), (usual, joined(odd, usual)), (odd, joined(odd, usual))):
            said = judged(ready(make), joined(*order))
            if wrong := _ranges_of(said):
                return f"With {name}: {wrong}"
            if np.isnan(said.novelty[-1]):
                return f"After {name} and {readings} usual readings there is no opinion."
    return ""


def _deterministic(make: Make, readings: int) -> str:
    some = points(readings, series=series_of(make))
    said = []
    states = random.getstate(), np.random.get_state()
    try:
        for seed in (1, 2):  # who draws from the global generators gives itself away
            random.seed(seed)
            np.random.seed(seed)
            said.append(judged(ready(make), some))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return difference(*said)


def _group(make: Make, readings: int) -> str:
    """The two groups of ``ready``; one of them is saved, and restored where its members joined in another order."""
    whole, other = ready(make), make(CAPACITY)
    if not isinstance(other, Grouped):
        return ""
    some = points(readings, series=MEMBERS)
    half = len(some) // 2
    before, after = some[slice(0, half)], some[slice(half, None)]
    judged(whole, before)
    slots = every_slot(MEMBERS)
    state = through_bytes(whole.save(slots))
    expected = judged(whole, after)
    for s in (_mirrored(slots), slots[::-1]):
        other.join(s, np.full(MEMBERS, int(s[0] < MEMBERS), np.int32))
    strange = Points(_mirrored(some.slot), some.time_ms, 7.0 * some.value)
    alone = judged(ready(make), strange)
    first = judged(other, strange[slice(0, half)])
    other.restore(slots, state)
    if wrong := difference(expected, judged(other, after)):
        return f"Members joined in another order: {wrong}"
    if wrong := difference(taken(alone, slice(0, half)), first):
        return f"Groups of other numbers: {wrong}"
    wrong = difference(taken(alone, slice(half, None)), judged(other, strange[slice(half, None)]))
    return f"A group that was there before: {wrong}" if wrong else ""


def _unjoined(make: Make, readings: int) -> str:
    detector = make(CAPACITY)
    if not isinstance(detector, Grouped):
        return ""
    detector.join(every_slot(MEMBERS), np.zeros(MEMBERS, np.int32))
    some = points(readings, series=MEMBERS + 1)
    mine, lone = some.slot < MEMBERS, np.array([MEMBERS], np.int32)
    said = judged(detector, some)
    detector.restore(lone, detector.save(lone))
    detector.forget(lone)
    wrong = difference(taken(said, mine), judged(ready(make), some[mine])) or _ranges_of(said)
    return f"With a series of no group: {wrong}" if wrong else ""


def _divided(make: Make, readings: int) -> str:
    """Series that are known and others that are new, in a call that is long enough to be shared out."""
    if not isinstance(make(CAPACITY), Divisible):
        return ""
    known, new = points(readings), points(DIVIDED_POINTS // (2 * MEMBERS), series=MEMBERS)
    new = joined(new, Points(_mirrored(new.slot), new.time_ms, new.value))
    later = points(readings, seed=5, series=MEMBERS)

    def said(threads: int, run: Run) -> Opinions:
        detector = ready(make)
        judged(detector, known)
        if isinstance(detector, Divisible):
            detector.divide(threads, run)
        return joined_opinions([judged(detector, new), judged(detector, later)])

    expected = said(1, Team(1).run)
    for threads in (2, 3):
        with Team(threads) as team:
            for how, run in (("one after the other, the last first", backwards), ("at once", team.run)):
                if wrong := difference(expected, said(threads, run)):
                    return f"In {threads} pieces, {how}: {wrong}"
    return ""


def backwards(pieces: Sequence[Callable[[], None]]) -> None:
    for piece in pieces[::-1]:
        piece()


CHECKS: tuple[Check, ...] = (
    Check("shape", "Opinions are float64, one a point; no points are a valid call.", _shape),
    Check("causal", "A point is judged before it is learned; later points change nothing that was said.", _causal),
    Check("cuts", "How a sequence is cut into calls changes no bit.", _cuts),
    Check("slots", "A series, or a group, is judged as if there were no other, whatever its slots.", _slots),
    Check("restore", "What was saved goes on bit for bit, also elsewhere and after it was stored as bytes.", _restore),
    Check("forget", "A forgotten series is as new; the others do not notice.", _forget),
    Check("memory", "Memory stops growing.", _memory),
    Check("inputs", "The arrays given are left as they were, and may be read-only.", _inputs),
    Check("no_opinion", "NaN means no opinion, for a whole point or a whole column.", _no_opinion),
    Check("ranges", "novelty and strength ≥ 0, probability in (0, 1], lower ≤ typical ≤ upper, all finite.", _ranges),
    Check("warmup", "The warm-up that is left is told truly, and ends.", _warmup),
    Check("times", "Times that repeat or step back do no harm.", _times),
    Check("extremes", "Extreme and constant values raise nothing, give nothing infinite, and pass.", _extremes),
    Check("deterministic", "Two instances say the same of the same points.", _deterministic),
    Check("group", "A group that is restored whole goes on bit for bit, in whatever order it was joined.", _group),
    Check("unjoined", "A series that has joined no group does no harm.", _unjoined),
    Check("divided", "Work that is shared out among threads gives the same, bit for bit.", _divided),
)
"""All checks, in the order in which ``check`` runs them."""
