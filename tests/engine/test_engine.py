"""The engine is a function of the events in their order: what it says is what the slow twin says."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.engine.buckets import RULES
from offbeat.engine.entries import Entry
from offbeat.records import Strings
from tests.engine import naive
from tests.engine.naive import twin
from tests.engine.run import LIMITS, STARTS_MS, WATCH, Clock, Create, Event, Run, Step, Tick, random_steps, steps


def hold_together(run: Run, slow: naive.Engine) -> None:
    """Everything that either can be asked is the same."""
    assert run.engine.jobs.keys() == slow.jobs.keys()
    catalog = run.catalog
    for number, job in slow.jobs.items():
        expected = {key: (bucket.row(), job.is_open(*key)) for key, bucket in job.buckets.items()}
        assert run.buckets(number) == expected
        assert run.strongest(number) == job.records
        counters = run.engine.jobs[number].counters[: catalog.sources.count].tolist()
        for i, source in enumerate(catalog.sources.texts()):
            mine = sum(1 for whose, *_ in job.records if whose == source)
            untold = [job.untold[source, rule] for rule in RULES]
            assert counters[i] == [job.events[source], job.late[source], mine, *untold]
    assert run.ledger() == {
        name: (s.events, s.first_ms, s.last_ms, s.arrival_ms, s.lag_ms, s.delay_ms) for name, s in slow.sources.items()
    }
    windows = run.windows()
    for level in naive.SPANS_MS:
        assert {key: tuple(row[:5]) for key, row in windows[level].items()} == slow.windows(level)
    bands = {key: tuple(row[5:]) for key, row in windows["1m"].items() if not math.isnan(row[5])}
    assert bands == slow.bands
    for number in range(catalog.series_count):
        source, name = run.engine.name_of(number)
        readings = slow.readings[source, name]
        newest = max(t for t, _ in readings)
        count, _, value, interval = run.engine.ledger.series[number].tolist()
        assert (count, value) == (len(readings), [v for t, v in readings if t == newest][-1])
        assert interval == usual_interval([t for t, _ in readings])


def usual_interval(times: list[int]) -> float:
    """The weighted mean of the steps forward; a step of more than four times that counts for four."""
    usual, newest = 0.0, times[0]
    for t in times[1:]:
        if t > newest:
            usual += 0.1 * (min(t - newest, 4.0 * usual) - usual) if usual else t - newest
            newest = t
    return usual


@settings(max_examples=80)
@given(todo=steps(), seed=st.integers(0, 9), start_ms=st.sampled_from(STARTS_MS))
def test_the_engine_agrees_with_the_definition_however_events_are_cut_into_blocks(
    todo: list[Step], seed: int, start_ms: int
) -> None:
    run = Run(start_ms=start_ms).take(todo, random.Random(seed))
    hold_together(run, twin(todo, start_ms))


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_agrees_with_the_definition_over_a_long_run(seed: int) -> None:
    start_ms = STARTS_MS[seed % 3]
    todo = random_steps(seed, 1000, start_ms)
    run = Run(start_ms=start_ms + 60_000).take(todo, random.Random(seed))
    slow = twin(todo, start_ms + 60_000)
    hold_together(run, slow)
    assert slow.jobs[1].records and any(slow.jobs[1].late.values()), "the run must hold what it is to show"
    assert any(bucket.silent for job in slow.jobs.values() for bucket in job.buckets.values())


@pytest.mark.parametrize("seed", range(3))
def test_a_single_block_gives_the_bits_of_one_event_at_a_time(seed: int) -> None:
    todo = [step for step in random_steps(seed, 800) if isinstance(step, Event)]
    one, many = Run(), Run()
    one.send(todo)
    for event in todo:
        many.send([event])
    assert one.catalog.sources.texts().data.tobytes() == many.catalog.sources.texts().data.tobytes()
    everyone, every = np.arange(one.catalog.sources.count), np.arange(one.catalog.series_count)
    for a, b in (
        (one.engine.ledger.save(everyone, every), many.engine.ledger.save(everyone, every)),
        (one.engine.jobs[1].save(everyone, every), many.engine.jobs[1].save(everyone, every)),
    ):
        assert a.keys() == b.keys()
        assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert one.late_count == many.late_count > 0


@pytest.mark.parametrize("seed", range(3))
def test_where_the_clock_ticked_does_not_change_the_final_results_of_a_detector_that_watches_no_silence(
    seed: int,
) -> None:
    todo = random_steps(seed, 900)
    without = [step for step in todo if not isinstance(step, Tick)]
    elsewhere = list(without)
    rng = random.Random(seed)
    for _ in range(40):
        elsewhere.insert(rng.randrange(len(elsewhere)), Tick())
    runs = [Run().take(some, random.Random(1)) for some in (todo, without, elsewhere)]
    first = runs[0]
    for other in runs[1:]:
        assert other.engine.jobs.keys() == first.engine.jobs.keys()
        for job in first.engine.jobs:
            assert {k: row for k, (row, _) in other.buckets(job).items()} == {
                k: row for k, (row, _) in first.buckets(job).items()
            }
            assert other.strongest(job) == first.strongest(job)


def test_a_bucket_that_a_tick_closed_is_open_again_when_its_source_goes_on_in_it() -> None:
    run = Run(start_ms=100_000)
    run.take([Event("a", 90_000, {"x": 1.0}), Clock(100_000), Tick()])
    assert run.buckets(1) == {("a", 60_000): ((1, 0.0, 0.0, 0), False)}
    run.step(Event("a", 91_000, {"x": 1.0}))
    assert run.buckets(1) == {("a", 60_000): ((2, 0.0, 0.0, 0), True)}
    assert run.engine.jobs[1].counters[0].tolist() == [2, 0, 0, 0, 0, 0]


def test_the_clock_leaves_a_source_alone_that_is_filling_in_history() -> None:
    run = Run(start_ms=10_000_000)
    run.take([Event("a", 90_000, {"x": 1.0}), Clock(1_000_000), Tick()])
    assert run.buckets(1) == {("a", 60_000): ((1, 0.0, 0.0, 0), True)}


def test_entries_up_to_the_creation_of_a_job_are_none_of_its_business() -> None:
    run = Run().take(random_steps(5, 100))
    engine = run.engine
    job = max(engine.jobs) + 1
    before = run.journal[-1]
    run.step(Create(WATCH))
    created = engine.jobs[max(engine.jobs)].job
    engine.apply(Entry(created.created_seq, "data", before.at_ms, before.body))
    assert run.engine.jobs[job].counters.sum() == 0


def test_names_that_the_catalog_gives_while_the_engine_works_are_not_the_engines_yet() -> None:
    """The catalog's thread is ahead by a group: sources without a shard, series of sources that were not counted."""
    run = Run().take([Event("a", 0, {"x": 1.0})])
    ahead = run.catalog
    ahead.sources.number(Strings.of(["b", "c"]))
    ahead.series_source[1], ahead.series_field[1], ahead.series_count = 2, 0, 2
    frozen = run.engine.freeze(0)
    assert frozen is not None
    assert (frozen.sources.tolist(), frozen.series.tolist()) == ([0], [0])
    run.step(Tick())


@pytest.mark.parametrize("shards", [0, 3])
def test_the_members_of_a_shard_are_those_that_the_catalog_names_however_many_came_between(shards: int) -> None:
    rng, run = random.Random(5), Run(replace(LIMITS, shards=shards))
    engine, catalog = run.engine, run.catalog
    for part in range(12):
        run.send([Event(f"s{rng.randrange(4 * part + 4)}", part, {rng.choice("abc"): 1.0}) for _ in range(5)])
        owner = catalog.source_shard[: engine.source_count]
        for shard in range(int(owner.max()) + 2) if part % 3 else [0]:
            sources, series = engine.members(shard)
            assert sources.tolist() == np.flatnonzero(owner == shard).tolist()
            assert series.tolist() == np.flatnonzero(
                owner[catalog.series_source[: engine.series_count]] == shard
            ).tolist()
