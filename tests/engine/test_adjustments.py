"""Feedback in the engine: it acts from its entry on, on its series alone, counts what it hides, and leaves no trace."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offbeat.engine.adjustments import HIDDEN, REVEALED, TOTAL_MAX, Adjustments, total_of
from offbeat.engine.engine import Engine, Frozen
from offbeat.engine.entries import Adjustment, AdjustmentEnd
from offbeat.engine.outcome import EndedAdjustment
from offbeat.records import JobSpec
from offbeat_detectors.contract import EVIDENCE_MIN
from tests.engine import naive
from tests.engine.run import SPECS, Create, Delete, Event, Run

STRENGTH = st.one_of(st.just(0.0), st.floats(0.0, 40.0))
FACTOR = st.floats(0.125, 8.0)
EWMA = JobSpec("watch", model="ewma", parameters=(("warmup_readings", 5),))


@settings(deadline=None)  # the first call compiles
@given(
    points=st.lists(st.tuples(st.integers(0, 2), STRENGTH, st.floats(1.0, 9.0)), max_size=30),
    factors=st.lists(st.tuples(st.integers(0, 2), FACTOR), max_size=6),
    score_min=st.sampled_from([0.0, 10.0, 25.0]),
)
@example(points=[(0, 0.34, 1.0), (0, 0.36, 1.0), (0, math.nan, 1.0)], factors=[(0, 0.125)], score_min=10.0)
def test_the_kernel_agrees_with_the_definition(
    points: list[tuple[int, float, float]], factors: list[tuple[int, float]], score_min: float
) -> None:
    series = np.array([p[0] for p in points], np.int32)
    strength = np.array([p[1] for p in points])
    novelty = strength * np.array([p[2] for p in points])  # a strength is a novelty made weaker
    adjustments, expected = Adjustments(3), []
    for number, (one, factor) in enumerate(factors):
        adjustments.begin(Adjustment(number, 1, one, factor))
    counts = np.zeros((3, 2), int)
    for s, e, f in zip(series.tolist(), strength.tolist(), novelty.tolist(), strict=True):
        mine = [factor for one, factor in factors if one == s]
        score, effect = naive.adjusted(e, f, mine, score_min)
        expected.append(score)
        counts[s] += {"hidden": (1, 0), "revealed": (0, 1), "": (0, 0)}[effect]
    found, hidden = adjustments.score(series, novelty, strength, score_min)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert adjustments.counted(np.arange(3, dtype=np.int32)).tolist() == counts.tolist()
    assert hidden == counts[:, HIDDEN].sum()


def test_what_several_come_to_is_bounded() -> None:
    assert total_of([2.0, 3.0]) == 6.0
    assert total_of([8.0, 8.0]) == TOTAL_MAX
    assert total_of([0.125] * 3) == 1 / TOTAL_MAX
    assert total_of([]) == 1.0


@given(st.lists(FACTOR, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_in_which_they_came_into_memory_does_not_matter(factors: list[float], order: random.Random) -> None:
    given_ = [Adjustment(number, 1, 0, factor) for number, factor in enumerate(factors)]
    shuffled = list(given_)
    order.shuffle(shuffled)
    one, other = Adjustments(1), Adjustments(1)
    for a, b in zip(given_, shuffled, strict=True):
        one.begin(a)
        other.begin(b)
    point = np.zeros(1, np.int32), np.array([9.0]), np.array([9.0])
    assert one.score(*point, 10.0)[0].tobytes() == other.score(*point, 10.0)[0].tobytes()


def test_a_novelty_of_which_nothing_is_known_is_no_finding_however_keen_one_is() -> None:
    adjustments = Adjustments(1)
    adjustments.begin(Adjustment(1, 1, 0, 0.125))
    novelty = np.array([np.nextafter(EVIDENCE_MIN, 0.0), EVIDENCE_MIN])
    score, _ = adjustments.score(np.zeros(2, np.int32), novelty, novelty, 10.0)
    assert score[0] == 0.0 and score[1] > 50.0
    assert adjustments.did(1) == (0, 1)


# ── in the journal ────────────────────────────────────────────────────────────────────────────────────────────────


def spiky(count: int, start: int = 0) -> list[Event]:
    """A calm source with a spike, every 300 readings, in two fields at once."""
    rng = random.Random(start)
    return [
        Event("a", (start + i) * 10_000, {"x": v, "y": v})
        for i in range(count)
        for v in (10.0 + rng.randrange(9) / 8 + (9.0 if i % 300 == 299 else 0.0),)
    ]


def scores_of(run: Run, field: str, job: int = 1) -> dict[int, float]:
    return {bucket: score for (_, name, bucket), (_, _, score) in run.strongest(job).items() if name == field}


def adjust(run: Run, number: int, factor: float, series: int = 0, job: int = 1) -> None:
    run.entry("adjustment_added", Adjustment(number, job, series, factor))


def undo(run: Run, number: int, series: int = 0, job: int = 1) -> EndedAdjustment | None:
    entry = run.entry("adjustment_removed", AdjustmentEnd(number, job, series))
    assert entry.seq == len(run.journal)
    return run.ended.pop(number, None)


def test_it_acts_from_its_entry_on_and_on_its_series_alone() -> None:
    plain, run = Run(watch=EWMA, start_ms=0).take(spiky(1800)), Run(watch=EWMA, start_ms=0).take(spiky(900))
    adjust(run, 1, 2.0)
    run.take(spiky(1800)[900:])
    assert scores_of(run, "y") == scores_of(plain, "y")
    before, after = scores_of(plain, "x"), scores_of(run, "x")
    place = 900 * 10_000
    assert {b: s for b, s in after.items() if b < place} == {b: s for b, s in before.items() if b < place}
    later = [b for b in before if b >= place]
    assert len(later) >= 2 and all(after.get(b, 0.0) < before[b] for b in later)


def test_undone_later_findings_score_as_if_it_had_never_been() -> None:
    plain, run = Run(watch=EWMA, start_ms=0).take(spiky(1800)), Run(watch=EWMA, start_ms=0).take(spiky(600))
    adjust(run, 1, 8.0)
    run.take(spiky(1800)[600:1200])
    ended = undo(run, 1)
    run.take(spiky(1800)[1200:])
    place = 1200 * 10_000
    before, after = scores_of(plain, "x"), scores_of(run, "x")
    assert {b: s for b, s in after.items() if b >= place} == {b: s for b, s in before.items() if b >= place} != {}
    hidden = len([b for b in before if 600 * 10_000 <= b < place and b not in after])
    assert ended == EndedAdjustment(1, hidden, 0) and hidden > 0
    assert run.hidden_count == hidden
    every = np.arange(2, dtype=np.int32)
    assert run.engine.jobs[1].hidden(every).tolist() == [hidden, 0]
    assert undo(run, 1) is None, "twice is once"


def test_what_each_hid_counts_from_when_it_began() -> None:
    run = Run(watch=EWMA, start_ms=0).take(spiky(600))
    adjust(run, 1, 8.0)
    run.take(spiky(1200)[600:])
    adjust(run, 2, 1.5)
    run.take(spiky(1800)[1200:])
    adjustments = run.engine.jobs[1].adjustments
    (one, _), (two, _) = adjustments.did(1), adjustments.did(2)
    assert one > two > 0
    assert adjustments.counted(np.zeros(1, np.int32))[0, REVEALED] == 0
    assert [a.number for a in adjustments.of(0)] == [1, 2] and adjustments.of(1) == []


def test_that_of_a_job_that_was_deleted_goes_with_it() -> None:
    run = Run(watch=EWMA, start_ms=0).take([*spiky(30), Create(SPECS[1])])
    adjust(run, 1, 2.0, job=2)
    run.step(Delete())
    assert undo(run, 1, job=2) is None
    adjust(run, 2, 2.0, job=2)
    assert list(run.engine.jobs) == [1]


# ── over checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────


def noisy(rng: random.Random) -> float:
    """Noise, and now and then a spike."""
    return rng.gauss(10.0, 1.0) + (rng.uniform(4.0, 9.0) if rng.random() < 0.01 else 0.0)


def journey(seed: int) -> Run:
    """Random events, with adjustments of random series that come and go."""
    rng, run, numbers = random.Random(seed), Run(watch=EWMA), dict[int, Adjustment]()
    start_ms = 1_700_000_000_000
    events = [Event(f"s{i % 8}", start_ms + i * 1_000, {n: noisy(rng) for n in ("x", "y")}) for i in range(3_000)]
    for first in range(0, len(events), 100):
        run.send(events[first : first + 100])
        if rng.random() < 0.5:
            number = len(run.journal)
            series, factor = rng.randrange(run.catalog.series_count), rng.choice([0.2, 3.0, 8.0])
            numbers[number] = Adjustment(number, 1, series, factor)
            run.entry("adjustment_added", numbers[number])
        elif numbers and rng.random() < 0.5:
            gone = numbers.pop(rng.choice(sorted(numbers)))
            run.entry("adjustment_removed", AdjustmentEnd(gone.number, gone.job, gone.series))
    return run


def state_of(engine: Engine) -> dict[str, bytes]:
    everyone, every = np.arange(engine.source_count), np.arange(engine.series_count)
    return {name: array.tobytes() for name, array in engine.jobs[1].save(everyone, every).items()}


@pytest.mark.parametrize("seed", range(4))
def test_shards_that_a_checkpoint_holds_at_different_entries_come_to_the_same(seed: int) -> None:
    whole, rng = journey(seed), random.Random(seed)
    assert whole.hidden_count > 0 and whole.engine.jobs[1].adjustments.in_force
    frozen: dict[int, Frozen] = {}
    first = Engine(whole.catalog)
    for entry in whole.journal[: len(whole.journal) * 2 // 3]:
        first.apply(entry)
        for shard in sorted(first.tail.active):
            if rng.random() < 0.1:
                held = first.freeze(shard)
                assert held is not None
                first.written(held)
                frozen[shard] = held
    assert len({held.seq for held in frozen.values()}) > 1
    second, ended = Engine(whole.catalog), dict[int, EndedAdjustment]()
    second.apply(whole.journal[0])
    for held in frozen.values():
        second.restore(held)
    for entry in whole.journal:
        ended |= {one.number: one for one in second.apply(entry).ended}
    assert state_of(second) == state_of(whole.engine)
    assert ended.items() <= whole.ended.items(), "what a shard has done already is not told again, and never otherwise"


def test_a_series_that_was_never_adjusted_costs_a_checkpoint_nothing() -> None:
    run = Run(watch=EWMA, start_ms=0).take(spiky(30))
    every = np.arange(2)
    before = run.engine.jobs[1].save(every, every)
    assert not [name for name in before if name.startswith("adjustments")]
    adjust(run, 1, 2.0)
    assert run.engine.tail.active, "the shard is due for a checkpoint, so that the entry may be pruned one day"
    saved = run.engine.jobs[1].save(every, every)
    assert saved["adjustments.numbers"].tolist() == [1] and saved["adjustments.before"].tolist() == [[0, 0]]
