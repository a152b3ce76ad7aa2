"""More series than models: who has one, who loses it, and that this is a matter of the order of readings alone."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.engine.catalog import Limits
from offbeat.engine.engine import Engine
from offbeat.engine.job import JobState
from offbeat.engine.places import PATIENCE
from offbeat.engine.views import diagnosed, job_totals
from offbeat.records import JobSpec
from offbeat_detectors.contract import NOTE_PRIOR
from tests.engine.naive import twin
from tests.engine.run import BEAT, SPECS, WATCH, Clock, Create, Event, Run, Step, Tick, living_steps, random_steps
from tests.engine.test_engine import hold_together

MODELS, SHARDS = 6, 2
LIMITS = Limits(64, 64, 256, MODELS // SHARDS, SHARDS)


def bounded(spec: JobSpec, models_max: int = MODELS, shards: int = SHARDS) -> JobSpec:
    """*spec* with a limit to its models."""
    return replace(spec, models_max=models_max, shards=shards)


def one_shard(models_max: int, spec: JobSpec = WATCH) -> Run:
    return Run(Limits(4096, 64, 8192, models_max, 1), bounded(spec, models_max, 1))


def in_turns(names: str, count: int) -> list[Step]:
    """*count* readings of each of the sources, one after the other."""
    return [Event(name, 10_000 * turn + i, {"x": 10.0}) for turn in range(count) for i, name in enumerate(names)]


def with_model(run: Run, job: int = 1) -> str:
    """The sources whose series have a model, in the order of their names."""
    numbers = np.arange(run.engine.series_count, dtype=np.int32)
    held = numbers[run.engine.jobs[job].slot_of(numbers) >= 0]
    return "".join(sorted({run.engine.name_of(int(s))[0] for s in held}))


def agree(run: Run, todo: list[Step], start_ms: int) -> int:
    """The engine did what the slow one does; how many models that has evicted."""
    names, shards = run.catalog.sources.texts(), run.catalog.source_shard.tolist()
    shard_of = dict(zip(names, shards, strict=False)).__getitem__
    spec = run.engine.jobs[1].job.spec
    slow = twin(todo, start_ms, spec, shard_of)
    hold_together(run, slow)
    for number, job in slow.jobs.items():
        totals = job_totals(run.engine, number)
        assert totals.model_count == sum(len(p.held) for p in job.places.values())
        assert totals.evicted_count == sum(p.evicted for p in job.places.values())
        assert totals.unjudged_count == sum(p.unjudged for p in job.places.values())
        series = np.arange(run.engine.series_count, dtype=np.int32)
        held = series[run.engine.jobs[number].slot_of(series) >= 0]
        assert {run.engine.name_of(int(s)) for s in held} == {s for p in job.places.values() for s in p.held}
    return sum(p.evicted for p in slow.jobs[1].places.values())


CROWD = ("a", "ab", "b", "c", "a?", "d", "e1", "e2", "e3")


def coming_and_going(seed: int, count: int) -> list[Step]:
    """Events of sources of which only some send at a time; jobs come, and are bounded as well."""
    steps: list[Step] = []
    rng = random.Random(seed)
    for part in range(count // 100):
        some = rng.sample(CROWD, 4)
        steps += [s for s in random_steps(seed + part, 100, 1_700_000_000_000 + part * 10**7, some)
                  if not isinstance(s, Create)]
    steps[count // 3 : count // 3] = [Create(bounded(SPECS[0])), Create(bounded(SPECS[1]))]
    return steps


@pytest.mark.parametrize("seed", range(4))
def test_the_engine_agrees_with_the_definition_however_events_are_cut_into_blocks(seed: int) -> None:
    todo = coming_and_going(seed, 1200)
    run = Run(LIMITS, bounded(WATCH), 1_700_000_060_000).take(todo, random.Random(seed))
    assert agree(run, todo, 1_700_000_060_000) > 4, "the run must hold what it is to show"


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), models=st.integers(1, 9), shards=st.integers(1, 3))
def test_so_it_does_with_any_limit(seed: int, models: int, shards: int) -> None:
    shards = min(models, shards)
    todo = coming_and_going(seed, 300)
    todo = [replace(s, spec=bounded(s.spec, models, shards)) if isinstance(s, Create) else s for s in todo]
    limits = Limits(64, 64, 256, models // shards, shards)
    run = Run(limits, bounded(WATCH, models, shards), 1_700_000_060_000).take(todo, random.Random(seed))
    agree(run, todo, 1_700_000_060_000)


@pytest.mark.parametrize("by", ["field", "source"])
@pytest.mark.parametrize("seed", range(2))
def test_so_it_does_with_a_model_that_watches_for_silence_and_learns_from_peers(seed: int, by: str) -> None:
    spec = bounded(replace(BEAT, parameters=(*BEAT.parameters, ("by", by))), 8, 2)
    todo = living_steps(seed, 600)
    run = Run(Limits(64, 64, 256, 4, 2), spec).take(todo, random.Random(seed))
    assert agree(run, todo, 1_700_000_000_000) > 0
    assert any(time_ms is None for _, time_ms, _ in run.strongest(1).values()), "something fell silent"


@pytest.mark.parametrize("seed", range(3))
def test_a_single_block_gives_the_bits_of_one_event_at_a_time(seed: int) -> None:
    todo = [step for step in coming_and_going(seed, 1000) if isinstance(step, Event)]
    spec = bounded(replace(WATCH, model="rhythm", parameters=()))
    one, many = Run(LIMITS, spec), Run(LIMITS, spec)
    one.send(todo)
    for event in todo:
        many.send([event])
    everyone, every = np.arange(one.catalog.sources.count), np.arange(one.catalog.series_count)
    a, b = (run.engine.jobs[1].save(everyone, every) for run in (one, many))
    assert a.keys() == b.keys()
    assert [name for name in a if a[name].tobytes() != b[name].tobytes()] == []
    assert job_totals(one.engine, 1).evicted_count > 0


@pytest.mark.parametrize("model", ["rhythm", "ewma", "population", "joint", "clusters"])
def test_a_shard_that_is_restored_goes_on_whatever_the_others_have_behind_them(model: str) -> None:
    """Each shard has the journal up to a place of its own behind it, as after a crash."""
    todo = [step for step in coming_and_going(9, 1000) if isinstance(step, Event)]
    spec = bounded(replace(WATCH, model=model, parameters=()))
    calm, rng = Run(LIMITS, spec), random.Random(1)
    frozen = {}
    for at, event in enumerate(todo):
        calm.send([event])
        for shard in range(SHARDS):
            if at < 700 and rng.random() < 0.01 and (one := calm.engine.freeze(shard)) is not None:
                calm.engine.written(one)
                frozen[shard] = one
    assert len({one.seq for one in frozen.values()}) == SHARDS
    again = Engine(calm.catalog)
    again.add_job(calm.engine.jobs[1].job)
    for one in frozen.values():
        again.restore(one)
    for entry in calm.journal[1:]:
        again.apply(entry)
    everyone, every = np.arange(calm.catalog.sources.count), np.arange(calm.catalog.series_count)
    a, b = (engine.jobs[1].save(everyone, every) for engine in (calm.engine, again))
    assert [name for name in a if a[name].tobytes() != b[name].tobytes()] == []
    assert job_totals(again, 1).evicted_count == job_totals(calm.engine, 1).evicted_count > 0


# ── the rule ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_sends_keeps_its_model_and_the_newcomer_waits() -> None:
    run = one_shard(4).take(in_turns("abcdef", 50))
    assert with_model(run) == "abcd"
    assert job_totals(run.engine, 1).evicted_count == 0
    assert job_totals(run.engine, 1).unjudged_count == 100


def test_the_place_of_the_series_that_has_been_silent_for_longest_goes_to_the_newcomer() -> None:
    run = one_shard(4).take([*in_turns("abcd", 10), *in_turns("cd", 20)])
    run.step(Event("e", 10**6, {"x": 10.0}))
    assert with_model(run) == "bcde"
    run.step(Event("a", 10**6, {"x": 10.0}))
    assert with_model(run) == "acde"
    assert job_totals(run.engine, 1).evicted_count == 2 and job_totals(run.engine, 1).unjudged_count == 0


@pytest.mark.parametrize(("others", "lost"), [(PATIENCE * 4 - 1, False), (PATIENCE * 4, True)])
def test_a_series_is_overdue_after_four_of_its_pauses(others: int, lost: bool) -> None:
    run = one_shard(4).take(in_turns("abcd", 10))
    run.take([Event("d", 200_000 + i, {"x": 10.0}) for i in range(others - 3)])
    run.step(Event("e", 10**6, {"x": 10.0}))
    assert with_model(run) == ("bcde" if lost else "abcd")


def test_readings_that_are_sent_together_do_not_make_their_series_look_fast() -> None:
    """Series a collects 40 readings before it sends them; newcomers come all the while."""
    run = one_shard(4).take(in_turns("abcd", 1))
    for turn in range(1, 20):
        crowd = "bcd" if turn == 1 else "bcde"
        run.take([Event(name, 10_000 * turn + i, {"x": 10.0}) for i in range(50) for name in crowd])
        run.take([Event("a", 10_000 * turn + i, {"x": 10.0}) for i in range(40)])
    assert with_model(run) == "abcd"


def test_everything_of_an_evicted_series_but_its_model_stays() -> None:
    run = one_shard(2).take([*in_turns("ab", 20), Event("a", 10**6, {"x": 900.0}), *in_turns("b", 30)])
    told = run.strongest(1)
    assert told
    run.step(Event("c", 10**6, {"x": 1.0}))
    assert with_model(run) == "bc"
    assert run.strongest(1) == told and run.windows()["1m"]["a", "x", 0][0] > 0
    assert run.engine.ledger.series[0].tolist()[0] == 21


def test_limit_counts_for_each_job_alone() -> None:
    run = one_shard(3)
    run.step(Create(bounded(replace(WATCH, id="some", sources=("a*",)), 3, 1)))
    run.take([*in_turns("bcd", 5), *in_turns("bcda", 5)])
    assert (with_model(run, 1), with_model(run, 2)) == ("bcd", "a")


def test_memory_is_that_of_the_models_that_may_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    from offbeat_detectors import registry

    create = registry.create
    monkeypatch.setattr(registry, "create", lambda name, n, p: (asked.append(n), create(name, n, p))[1])
    run = one_shard(4, replace(BEAT, parameters=(*BEAT.parameters, ("by", "source"))))
    for part in range(60):  # many more series, and groups, than there is room for at once
        run.take([Event(f"s{part}-{i % 3}", 10_000 * part + i, {"x": 10.0}) for i in range(60)])
    job = run.engine.jobs[1]
    assert asked == [4] and job.alert.memory.size == 4
    assert job_totals(run.engine, 1).model_count == 4 and job_totals(run.engine, 1).evicted_count > 50
    assert run.engine.series_count == 180


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    todo = random_steps(3, 600)
    plain, roomy = Run(Limits(64, 64, 256, 64)), Run(Limits(64, 64, 256, 64, 1), bounded(WATCH, 64, 1))
    for run in (plain, roomy):
        run.take([s for s in todo if not isinstance(s, Create)], random.Random(1))
    assert roomy.strongest(1) == plain.strongest(1) and roomy.buckets(1) == plain.buckets(1)
    assert job_totals(roomy.engine, 1).evicted_count == job_totals(roomy.engine, 1).unjudged_count == 0


# ── what the series that comes back is judged by, and what is said of it ──────────────────────────────────────────


def fleet(rng: random.Random, names: list[str], first: int, count: int) -> list[Step]:
    """Readings of sources of one kind: around 10, a minute apart."""
    return [
        Event(name, 60_000 * (first + i), {"x": 10.0 + rng.gauss(0.0, 0.5)}) for i in range(count) for name in names
    ]


def test_an_evicted_series_is_judged_by_its_peers_from_its_first_reading() -> None:
    rng, start_ms = random.Random(1), 1_700_000_000_000
    run = Run(Limits(64, 64, 256, 6, 1), bounded(JobSpec("watch", model="rhythm"), 6, 1), start_ms)
    peers = [f"p{i}" for i in range(5)]
    run.take(fleet(rng, [*peers, "mine"], 0, 300))
    run.take(fleet(rng, peers, 300, 40))  # mine is silent,
    run.step(Event("new", 60_000 * 340, {"x": 10.0}))  # loses its place to another,
    mine, job = 5, run.engine.jobs[1]
    assert run.engine.name_of(mine) == ("mine", "x") and job.slot_of(np.array([mine], np.int32)).tolist() == [-1]
    run.take(fleet(rng, peers, 341, 40))  # which is gone as well
    judged = judgement(job, run, Event("mine", 60_000 * 381, {"x": 40.0}))
    assert job.detector.warmup_left(job.slot_of(np.array([mine], np.int32)))[0] > 0, "it begins anew"
    assert judged[0] > 1.0 and judged[1] & NOTE_PRIOR, "and is judged by what its peers have taught"


def judgement(job: JobState, run: Run, event: Event) -> tuple[float, int]:
    """Novelty and notes of the one reading of *event*."""
    said = []
    process = job.detector.process
    job.detector.process = lambda *points: (said.append(process(*points)), said[-1])[1]  # type: ignore[method-assign]
    run.step(event)
    assert said[-1].evidence is not None
    return float(said[-1].novelty[0]), int(said[-1].evidence.notes[0])


def test_the_diagnosis_knows_who_has_no_model_and_who_lost_one() -> None:
    run = one_shard(4).take([*in_turns("abcd", 10), *in_turns("cd", 20), Clock(5_000)])
    run.step(Event("e", 10**6, {"x": 10.0}))
    a = diagnosed(run.engine, 0, np.array([0], np.int32), run.now_ms)["watch"].series[0]
    assert (a.with_model, a.places, a.evicted_count, a.evicted_ms) == (False, 4, 1, run.now_ms)
    evicted_ms = run.now_ms
    run.take([Clock(5_000), Event("a", 10**6, {"x": 10.0}), Tick()])
    a = diagnosed(run.engine, 0, np.array([0], np.int32), run.now_ms)["watch"].series[0]
    assert (a.with_model, a.evicted_count, a.evicted_ms) == (True, 1, evicted_ms)
    assert a.warmup_left > 0
