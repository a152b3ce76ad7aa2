"""What every detector must pass, ours and a plug-in's. In a plug-in's test: ``assert not checks.check(MyDetector)``."""
from __future__ import annotations

import gc
import io
import random
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Detector, Opinions, State

Make = Callable[[int], Detector]
"""Makes a detector of a given capacity, always with the same parameters."""

COLUMNS = ("novelty", "probability", "typical", "lower", "upper")
SERIES = 3  # that a check uses at once
CAPACITY = 8
MEMORY_SLACK_BYTES = 16_384


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
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return Opinions(**columns)


def taken(opinions: Opinions, part: slice | NDArray[np.bool_]) -> Opinions:
    """The opinions of some of the points."""
    columns: dict[str, Any] = {name: getattr(opinions, name)[part] for name in COLUMNS}
    return Opinions(**columns)


def difference(one: Opinions, other: Opinions) -> str:
    """Where two runs differ first, bit for bit (NaN equals NaN); empty if nowhere."""
    for name in COLUMNS:
        a, b = getattr(one, name), getattr(other, name)
        if a.shape != b.shape:
            return f"{name} has {a.size} values, then {b.size}."
        wrong = np.flatnonzero(~((a == b) | (np.isnan(a) & np.isnan(b))))
        if wrong.size:
            i = int(wrong[0])
            return f"{name} of point {i} is {float(a[i])!r}, then {float(b[i])!r}."
    return ""


def every_slot(count: int = CAPACITY) -> NDArray[np.int32]:
    return np.arange(count, dtype=np.int32)


def _shape(make: Make, readings: int) -> str:
    some = points(readings)
    detector = make(CAPACITY)
    for part in (some[slice(0, 0)], some):
        said = detector.process(part.slot, part.time_ms, part.value)
        for name in COLUMNS:
            column = getattr(said, name)
            if column.dtype != np.float64 or column.shape != (len(part),):
                return f"{name} of {len(part)} points is {column.dtype} of shape {column.shape}."
    left = detector.warmup_left(every_slot())
    if left.dtype != np.int64 or left.shape != (CAPACITY,):
        return f"warmup_left of {CAPACITY} slots is {left.dtype} of shape {left.shape}."
    return "" if detector.bytes_per_series > 0 else f"bytes_per_series is {detector.bytes_per_series}."


def _causal(make: Make, readings: int) -> str:
    past, future = points(readings), points(readings // 4, seed=1)
    other = Points(future.slot[::-1], future.time_ms, -5.0 * future.value)
    said = [taken(judged(make(CAPACITY), joined(past, after)), slice(0, len(past))) for after in (future, other)]
    if wrong := difference(*said):
        return f"With other points after it: {wrong}"
    # What was expected of the last point, when it is another one.
    last = np.append(np.zeros(len(past) - 1, bool), True)
    moved = Points(past.slot, past.time_ms, np.where(last, past.value + 10.0, past.value))
    for name in ("typical", "lower", "upper"):
        a, b = (float(getattr(judged(make(CAPACITY), run), name)[-1]) for run in (past, moved))
        if a != b and not (np.isnan(a) and np.isnan(b)):
            return f"{name} of the last point is {a!r}, but {b!r} if that point is higher by 10."
    return ""


def joined(first: Points, then: Points) -> Points:
    """The points of both, one after the other."""
    return Points(np.concatenate([first.slot, then.slot]), np.concatenate([first.time_ms, then.time_ms]),
                  np.concatenate([first.value, then.value]))


def _cuts(make: Make, readings: int) -> str:
    some = points(readings)
    whole = judged(make(CAPACITY), some)
    rng = np.random.default_rng(2)
    for cuts in (sorted(rng.choice(len(some), 20, replace=False).tolist()), list(range(1, min(len(some), 400)))):
        if wrong := difference(whole, judged(make(CAPACITY), some, cuts)):
            return f"In {len(cuts) + 1} calls instead of one: {wrong}"
    return ""


def _slots(make: Make, readings: int) -> str:
    some = points(readings)
    whole = judged(make(CAPACITY), some)
    for s in range(SERIES):
        mine = some.slot == s
        if wrong := difference(taken(whole, mine), judged(make(CAPACITY), some[mine])):
            return f"Series {s} without the others: {wrong}"
        elsewhere = Points(np.full(mine.sum(), CAPACITY - 1, np.int32), some.time_ms[mine], some.value[mine])
        if wrong := difference(taken(whole, mine), judged(make(CAPACITY), elsewhere)):
            return f"Series {s} in slot {CAPACITY - 1}: {wrong}"
    return ""


def through_bytes(state: State) -> State:
    """The state as it comes back from storage: each array through the bytes of ``np.save``, without objects."""
    back = {}
    for name, column in state.items():
        file = io.BytesIO()
        np.save(file, column, allow_pickle=False)
        back[name] = np.load(io.BytesIO(file.getvalue()), allow_pickle=False)
    return back


def _restore(make: Make, readings: int) -> str:
    some = points(readings)
    for half in (2 * SERIES, len(some) // 2):  # in the warm-up, and in the middle
        before, after = some[slice(0, half)], some[slice(half, None)]
        whole = make(CAPACITY)
        judged(whole, before)
        slots = np.array([2, 0, 1], np.int32)
        kept = whole.save(slots)
        state = through_bytes(kept)
        expected = judged(whole, after)
        for name, column in kept.items():
            if not np.array_equal(column, state[name], equal_nan=column.dtype.kind == "f"):
                return f"The saved {name} changed when the detector went on."
        if wrong := difference(expected, _gone_on(whole, slots, state, after)):
            return f"Restored in place: {wrong}"
        if wrong := difference(expected, _gone_on(make(CAPACITY), slots, state, after)):
            return f"Restored in another instance: {wrong}"
        elsewhere = np.array([5, 7, 6], np.int32)
        to = np.zeros(CAPACITY, np.int32)
        to[slots] = elsewhere
        moved = Points(to[after.slot], after.time_ms, after.value)
        used = make(CAPACITY)
        judged(used, Points(7 - before.slot, before.time_ms, before.value * 3.0))
        if wrong := difference(expected, _gone_on(used, elsewhere, state, moved)):
            return f"Restored in other slots, used before: {wrong}"
    return ""


def _gone_on(detector: Detector, slot: NDArray[np.int32], state: State, after: Points) -> Opinions:
    detector.restore(slot, state)
    return judged(detector, after)


def _forget(make: Make, readings: int) -> str:
    some = points(readings)
    detector = make(CAPACITY)
    judged(detector, some)
    detector.forget(np.array([0, 2], np.int32))
    fresh = make(CAPACITY)
    left, new = detector.warmup_left(every_slot()), fresh.warmup_left(every_slot())
    if (left[[0, 2]] != new[[0, 2]]).any():
        return f"A forgotten series has {left[0]} readings of warm-up left, a new one {new[0]}."
    forgotten = some[some.slot != 1]
    if wrong := difference(judged(fresh, forgotten), judged(detector, forgotten)):
        return f"New, then forgotten: {wrong}"
    kept = make(CAPACITY)
    judged(kept, some[some.slot == 1])
    again = some[some.slot == 1]
    return difference(judged(kept, again), judged(detector, again)) and "Forgetting some series changed another."


def _memory(make: Make, readings: int) -> str:
    first, more = points(readings), points(3 * readings, seed=3)
    detector = make(CAPACITY)
    tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        judged(detector, first)
        held, stored = _held(), _stored(detector)
        judged(detector, more)
        grown, swollen = _held() - held, _stored(detector) - stored
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
    some = points(readings)
    copy = points(readings)
    for column in (some.slot, some.time_ms, some.value):
        column.flags.writeable = False
    detector = make(CAPACITY)
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
    for name, wrong in (
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
    return _ranges_of(judged(make(CAPACITY), points(readings)))


def _no_opinion(make: Make, readings: int) -> str:
    said = judged(make(CAPACITY), points(readings))
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
    detector = make(CAPACITY)
    mine = points(readings, series=1)
    slot = np.zeros(1, np.int32)
    for i in range(readings):
        left = int(detector.warmup_left(slot)[0])
        one = mine[slice(i, i + 1)]
        none = bool(np.isnan(detector.process(one.slot, one.time_ms, one.value).novelty[0]))
        if none != (left > 0):
            return f"At reading {i} it said that {left} are left, and had {'no' if none else 'an'} opinion."
        if left > 0 and int(detector.warmup_left(slot)[0]) != left - 1:
            return f"After reading {i} {int(detector.warmup_left(slot)[0])} are left, before it {left}."
    left = int(detector.warmup_left(slot)[0])
    return f"After {readings} readings {left} are still left; give check() more readings." if left else ""


def _times(make: Make, readings: int) -> str:
    some = points(readings)
    shuffled = np.random.default_rng(4).permutation(some.time_ms)
    for time_ms in (np.full_like(some.time_ms, some.time_ms[0]), some.time_ms[::-1].copy(), shuffled):
        detector = make(CAPACITY)
        said = judged(detector, Points(some.slot, time_ms, some.value))
        if wrong := _ranges_of(said):
            return wrong
        if np.isnan(said.novelty[-1]) and detector.warmup_left(some.slot[-1:])[0] == 0:
            return "There is no opinion after such times."
    return ""


def _extremes(make: Make, readings: int) -> str:
    usual = points(readings, series=1)
    big, small = float(np.finfo(np.float64).max), 5e-324
    bursts = {
        "±1e300": [1e300, -1e300, 1e300, 1e300], "the largest numbers": [big, -big, big, -big],
        "subnormals": [small, -small, 2 * small, 0.0] * 20, "zeros": [0.0, -0.0] * 50, "one value": [7.25] * readings,
        "the smallest and the largest": [small, big, small, -big] * 5,
    }
    for name, burst in bursts.items():
        odd = Points(np.zeros(len(burst), np.int32), usual.time_ms[0] + np.arange(len(burst)), np.array(burst))
        for order in ((odd, usual), (usual, joined(odd, usual)), (odd, joined(odd, usual))):
            said = judged(make(CAPACITY), joined(*order))
            if wrong := _ranges_of(said):
                return f"With {name}: {wrong}"
            if np.isnan(said.novelty[-1]):
                return f"After {name} and {readings} usual readings there is no opinion."
    return ""


def _deterministic(make: Make, readings: int) -> str:
    some = points(readings)
    said = []
    states = random.getstate(), np.random.get_state()
    try:
        for seed in (1, 2):  # who draws from the global generators gives itself away
            random.seed(seed)
            np.random.seed(seed)
            said.append(judged(make(CAPACITY), some))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return difference(*said)


CHECKS: tuple[Check, ...] = (
    Check("shape", "Opinions are float64, one a point; no points are a valid call.", _shape),
    Check("causal", "A point is judged before it is learned; later points change nothing that was said.", _causal),
    Check("cuts", "How a sequence is cut into calls changes no bit.", _cuts),
    Check("slots", "A series is judged as if there were no other, whatever its slot.", _slots),
    Check("restore", "What was saved goes on bit for bit, also elsewhere and after it was stored as bytes.", _restore),
    Check("forget", "A forgotten series is as new; the others do not notice.", _forget),
    Check("memory", "Memory stops growing.", _memory),
    Check("inputs", "The arrays given are left as they were, and may be read-only.", _inputs),
    Check("no_opinion", "NaN means no opinion, for a whole point or a whole column.", _no_opinion),
    Check("ranges", "novelty ≥ 0, probability in (0, 1], lower ≤ typical ≤ upper, nothing infinite.", _ranges),
    Check("warmup", "The warm-up that is left is told truly, and ends.", _warmup),
    Check("times", "Times that repeat or step back do no harm.", _times),
    Check("extremes", "Extreme and constant values raise nothing, give nothing infinite, and pass.", _extremes),
    Check("deterministic", "Two instances say the same of the same points.", _deterministic),
)
"""All checks, in the order in which ``check`` runs them."""
