"""What a checkpoint holds: a shard set aside, written or put back, and given to another engine that goes on with it."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from offbeat.engine import buckets, rollups
from offbeat.engine.catalog import Catalog
from offbeat.engine.engine import Engine, Frozen
from offbeat.engine.tail import Tail, by_shard
from tests.engine.run import BEAT, Create, Event, Run, Step, Tick, living_steps, random_steps

BY_SOURCE = replace(BEAT, id="by-source", parameters=(("by", "source"), ("warmup_readings", 5)))


def state_of(engine: Engine) -> dict[str, bytes]:
    """Every bit of every model and counter."""
    everyone, every = np.arange(engine.source_count), np.arange(engine.series_count)
    parts = {"ledger": engine.ledger.save(everyone, every)}
    parts |= {f"job:{number}": job.save(everyone, every) for number, job in engine.jobs.items()}
    return {f"{part}.{name}": array.tobytes() for part, state in parts.items() for name, array in state.items()}


def tail_of(engine: Engine) -> dict[int, tuple[bytes, ...]]:
    """Everything that is in no chunk, by shard, in order."""
    found = {}
    for shard in sorted(engine.tail.shards()):
        tails = engine.tail.of(shard)
        parts = [column.tobytes() for tail in tails for column in tail.all_readings()]
        joined = (
            [b"".join(tail.all_readings()[i].tobytes() for tail in tails) for i in range(3)]
            + [b"".join(tail.all_windows().tobytes() for tail in tails)]
            + [b"".join(tail.all_closed(job).tobytes() for tail in tails) for job in sorted(engine.jobs)]
        )
        assert len(parts) == 3 * len(tails)
        found[shard] = tuple(joined)
    return found


def loaded(catalog: Catalog) -> Catalog:
    """The catalog as the store would give it back."""
    again = Catalog(catalog.limits)
    again.load(
        catalog.sources.texts(),
        catalog.source_shard[: catalog.sources.count],
        catalog.fields.texts(),
        catalog.series_source[: catalog.series_count],
        catalog.series_field[: catalog.series_count],
    )
    return again


def shards_of(run: Run) -> list[int]:
    return sorted(set(run.catalog.source_shard[: run.catalog.sources.count].tolist()))


def recovered(run: Run, frozen: dict[int, Frozen]) -> Engine:
    """An engine from these checkpoints and the whole journal."""
    engine = Engine(loaded(run.catalog))
    for job in run.engine.jobs.values():
        engine.add_job(job.job)
    for one in frozen.values():
        engine.restore(one)
    alive = set(run.engine.jobs)
    for entry in run.journal:
        if entry.kind == "job_created" and entry.body.number not in alive:  # type: ignore[union-attr]
            continue  # as the store has it: a job that was deleted since is not there at all
        engine.apply(entry)
    return engine


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5])
def test_checkpoints_of_shards_taken_at_any_moments_and_a_replay_give_every_bit_of_the_uninterrupted_engine(
    seed: int,
) -> None:
    rng, run, frozen = random.Random(seed), Run(), dict[int, Frozen]()
    for part in range(12):
        run.take(random_steps(seed * 100 + part, 70) if part % 4 != 3 else quiet(rng), random.Random(part))
        for shard in shards_of(run):
            if rng.random() < 0.3 and (one := run.engine.freeze(shard)) is not None:
                frozen[shard] = one
                run.engine.written(one)
    assert len(frozen) > 1
    again = recovered(run, frozen)
    assert state_of(again) == state_of(run.engine)
    assert tail_of(again) == tail_of(run.engine)


@pytest.mark.parametrize("seed", range(3))
def test_so_they_do_of_one_that_watches_for_silence_and_has_groups(seed: int) -> None:
    rng, run, frozen = random.Random(seed), Run(watch=BEAT), dict[int, Frozen]()
    for part in range(12):
        run.take(living_steps(seed * 100 + part, 60, run.now_ms), random.Random(part))
        if part == 4:
            run.step(Create(BY_SOURCE))
        for shard in shards_of(run):
            if rng.random() < 0.3 and (one := run.engine.freeze(shard)) is not None:
                frozen[shard] = one
                run.engine.written(one)
    assert len(frozen) > 1 and any(math.isnan(f.actual) for f in run.records.values())
    again = recovered(run, frozen)
    assert state_of(again) == state_of(run.engine)
    assert tail_of(again) == tail_of(run.engine)


def quiet(rng: random.Random) -> list[Step]:
    """Most series say nothing; then one says something."""
    return [Tick(), Event("a", 1_700_000_000_000 + rng.randrange(10**6), {"x": 1.0})]


def test_a_restored_shard_of_which_only_one_series_goes_on_keeps_the_models_of_all() -> None:
    """A checkpoint holds the series that a job follows, also one that was silent since the restart."""
    run = Run().take([Event("a", 1000 * i, {"x": float(i % 5), "y": float(i % 3)}) for i in range(50)])
    (shard,) = shards_of(run)
    first = run.engine.freeze(shard)
    assert first is not None
    run.engine.written(first)
    again = recovered(run, {shard: first})
    run.step(Event("a", 60_000, {"x": 1.0}))
    again.apply(run.journal[-1])
    second = again.freeze(shard)
    assert second is not None
    assert second.states["job:1"]["mine"].tolist() == [0, 1]
    third = recovered(run, {shard: second})
    assert state_of(third) == state_of(run.engine)


@pytest.mark.parametrize("seed", range(3))
def test_a_checkpoint_that_could_not_be_written_leaves_everything_as_if_it_had_not_been_tried(seed: int) -> None:
    run, calm = Run(), Run()
    rng = random.Random(seed)
    for part in range(6):
        todo = random_steps(seed * 10 + part, 50)
        refused = [one for s in shards_of(run) if rng.random() < 0.7 and (one := run.engine.freeze(s)) is not None]
        for one in refused:
            assert run.engine.freeze(one.shard) is None, "one at a time"
        run.take(todo, random.Random(part))
        calm.take(todo, random.Random(part))
        assert run.buckets(1) == calm.buckets(1), "what is set aside can still be read"
        for one in refused:
            run.engine.not_written(one)
        assert state_of(run.engine) == state_of(calm.engine)
        assert tail_of(run.engine) == tail_of(calm.engine)
        assert run.engine.covered() == calm.engine.covered()
        assert run.engine.tail.row_count == calm.engine.tail.row_count


def test_the_journal_is_covered_up_to_the_oldest_entry_that_a_shard_still_needs() -> None:
    run = Run()
    run.take([Event(name, 0, dict.fromkeys("xyz", 1.0)) for name in ("a", "ab", "b", "c")])
    assert len(shards_of(run)) > 1 and run.engine.covered() == 1
    for shard in shards_of(run)[:-1]:
        one = run.engine.freeze(shard)
        assert one is not None
        run.engine.written(one)
    assert run.engine.covered() == 4, "the last source's entry is the only one that is needed"
    last = run.engine.freeze(shards_of(run)[-1])
    assert last is not None and run.engine.covered() == 4
    run.step(Event("a", 1, {"x": 1.0}))
    run.engine.written(last)
    assert run.engine.covered() == 5
    assert run.engine.tail.row_count == 1


def test_nothing_is_frozen_where_nothing_changed() -> None:
    run = Run().take([Event("a", 0, {"x": 1.0})])
    one = run.engine.freeze(0)
    assert one is not None
    run.engine.written(one)
    run.step(Tick())
    assert run.engine.freeze(0) is None
    assert run.engine.freeze(7) is None


def test_an_event_without_values_still_changes_its_source() -> None:
    run = Run().take([Event("a", 5, {})])
    one = run.engine.freeze(0)
    assert one is not None and one.states["ledger"]["sources"][0, 0] == 1


def test_rows_are_divided_among_shards_in_their_order() -> None:
    rng = np.random.default_rng(2)
    for highest in (1, 3, 100_000):
        shards = rng.integers(0, highest, 500).astype(np.int32)
        for shard, rows in by_shard(shards):
            expected = [i for i, s in enumerate(shards.tolist()) if s == shard]
            assert (list(range(500)) if rows is None else rows.tolist()) == expected
    assert by_shard(np.zeros(0, np.int32)) == []


def test_a_tail_begins_with_the_entry_that_first_touched_it() -> None:
    tail = Tail()
    tail.touch(3, 10, 1000)
    tail.touch(3, 11, 2000)
    assert (tail.active[3].since_seq, tail.active[3].since_ms) == (10, 1000)


def given(tail: Tail, shard: int, count: int, at_ms: int = 0) -> None:
    """So many readings for *shard*."""
    columns = np.zeros(count, np.int32), np.zeros(count, np.int64), np.zeros(count)
    tail.add_readings([(shard, None)], columns, 1, at_ms)


def test_readings_closed_buckets_closed_windows_and_events_without_values_all_count() -> None:
    tail = Tail()
    given(tail, 1, 10)
    tail.weigh(1, 4)
    tail.add_windows(np.array([1, 2], np.int32), np.zeros((2, rollups.ROW)), 2, 0)
    tail.add_closed(1, np.array([2, 2, 1], np.int32), np.zeros((3, buckets.ROW)), 3, 0)
    assert (tail.row_count, tail.active[1].row_count, tail.active[2].row_count) == (19, 16, 3)
    tail.freeze(1)
    given(tail, 1, 5)
    assert tail.row_count == 24
    tail.written(1)
    assert tail.row_count == 8
    tail.freeze(2)
    tail.not_written(2)
    assert (tail.row_count, tail.given_count) == (8, 24)


def test_the_largest_shards_are_written_once_the_largest_might_not_come_again_until_a_fifth_less_is_left() -> None:
    tail = Tail()
    for shard, count in ((1, 100), (2, 200), (3, 140), (4, 240)):
        given(tail, shard, count)
    assert tail.due(1000, -1) == [], "680, and 240 more would have room"
    given(tail, 3, 90)
    assert tail.due(1000, -1) == [4], "770, of which 616 may be left"
    given(tail, 1, 200)
    assert tail.due(1000, -1) == [1], "970, of which 776 may be left"
    tail.freeze(1)
    assert tail.due(1000, -1) == [], "what is being written counts no more"


def test_a_shard_that_has_everything_is_written_from_a_half_of_what_may_be_kept() -> None:
    tail = Tail()
    given(tail, 1, 499)
    assert tail.due(1000, -1) == []
    given(tail, 1, 1)
    assert tail.due(1000, -1) == [1]


def test_what_is_written_for_another_reason_makes_room_as_well() -> None:
    tail = Tail()
    for shard, count, at_ms in ((1, 300, 100), (2, 310, 200), (3, 90, 200)):
        given(tail, shard, count, at_ms=at_ms)
    assert tail.due(1000, 100) == [1]
    assert tail.due(1000, -1) == [2]


def test_a_small_shard_is_written_when_its_time_has_come_or_much_has_come_to_the_others() -> None:
    tail = Tail()
    given(tail, 1, 1, at_ms=100)
    given(tail, 2, 1, at_ms=200)
    assert (tail.due(1000, 99), tail.due(1000, 100), tail.due(1000, 200)) == ([], [1], [1, 2])
    for _ in range(8):
        given(tail, 3, 250)
        assert 1 not in tail.due(1002, -1)
        tail.freeze(3)
        tail.written(3)
    given(tail, 3, 2)
    assert tail.due(1002, -1) == [1], "the journal would have to be kept for it"
