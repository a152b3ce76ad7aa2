"""Silence is found by the clock, once for each source that is dead, and peers are those of one shard."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.engine.buckets import AHEAD, DAMPED, FOUND, HELD, RULES, SILENCE
from offbeat.engine.catalog import Limits
from offbeat.engine.entries import Adjustment
from offbeat.engine.groups import Groups
from offbeat.engine.views import diagnosed
from offbeat.records import JobSpec
from offbeat_detectors import explain
from tests.engine.naive import twin
from tests.engine.run import (
    BEAT,
    SPECS,
    STARTS_MS,
    Clock,
    Create,
    Event,
    Run,
    Step,
    Tick,
    living_steps,
    steps,
)
from tests.engine.test_engine import hold_together

START_MS = 1_700_000_000_000 - 1_700_000_000_000 % 60_000
BEATS = [replace(spec, model=BEAT.model) for spec in SPECS]
BY_SOURCE = replace(BEAT, parameters=(("by", "source"), ("warmup_readings", 5)))


def beating(
    sources: dict[str, int], seconds: int, start_ms: int = START_MS, fields: tuple[str, ...] = ("x",)
) -> list[Step]:
    """Each of *sources* every so many seconds, as it happens; no ticks."""
    todo: list[Step] = []
    for second in range(1, seconds + 1):
        todo.append(Clock(1_000))
        for name, every in sources.items():
            if second % every == 0:
                todo.append(Event(name, start_ms + 1_000 * second, dict.fromkeys(fields, 1.0)))
    return todo


def ticks(count: int, every_ms: int = 5_000) -> list[Step]:
    return [step for _ in range(count) for step in (Clock(every_ms), Tick())]


def silences(run: Run, job: int = 1) -> list[tuple[str, str, int]]:
    """Source, field and time of the findings that nothing came."""
    return [(*run.engine.name_of(f.series), f.time_ms) for f in run.records.values() if math.isnan(f.actual)]


def shard_of(run: Run):  # type: ignore[no-untyped-def]
    names = run.catalog.sources.texts()
    shards = dict(zip(names, run.catalog.source_shard.tolist(), strict=False))
    return lambda name: shards[name]


# ── as the definition has it ──────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40)
@given(
    todo=steps(), seed=st.integers(0, 9), start_ms=st.sampled_from(STARTS_MS), watch=st.sampled_from([BEAT, BY_SOURCE])
)
def test_silence_agrees_with_the_definition_in_short_journals(
    todo: list[Step], seed: int, start_ms: int, watch: JobSpec
) -> None:
    run = Run(start_ms=start_ms + 60_000, watch=watch).take(todo, random.Random(seed))
    hold_together(run, twin(todo, start_ms + 60_000, watch, shard_of(run)))


@pytest.mark.parametrize("seed", range(4))
def test_silence_agrees_with_the_definition_in_the_life_of_a_fleet(seed: int) -> None:
    todo = living_steps(seed, 500)
    todo[100:100] = [Create(spec) for spec in BEATS]
    watch = BEAT if seed % 2 else replace(BY_SOURCE, peer_groups=("a*", "d?"))
    run = Run(watch=watch).take(todo, random.Random(seed))
    slow = twin(todo, 1_700_000_000_000, watch, shard_of(run))
    hold_together(run, slow)
    assert len(silences(run)) >= 3, "the run must hold what it is to show"
    assert any(bucket.count == 0 for bucket in slow.jobs[1].buckets.values())
    assert any(rule == "silence" for _, rule in slow.jobs[1].untold)


@pytest.mark.parametrize("seed", range(2))
def test_where_the_clock_ticked_changes_nothing_for_a_detector_that_watches_while_no_series_falls_silent(
    seed: int,
) -> None:
    patient = replace(BEAT, parameters=(("patience", 1e9), ("warmup_readings", 5)))
    todo = living_steps(seed, 300)
    without = [step for step in todo if not isinstance(step, Tick)]
    first, second = Run(watch=patient).take(todo, random.Random(1)), Run(watch=patient).take(without, random.Random(1))
    everyone, every = np.arange(first.engine.source_count), np.arange(first.engine.series_count)
    one, other = (run.engine.jobs[1].save(everyone, every) for run in (first, second))
    assert [name for name in one if name != "opened" and one[name].tobytes() != other[name].tobytes()] == []
    assert {k: row for k, (row, _) in first.buckets(1).items()} == {k: row for k, (row, _) in second.buckets(1).items()}
    assert first.strongest(1) == second.strongest(1)


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_falls_silent_is_a_record_in_a_bucket_without_events() -> None:
    run = Run(watch=BEAT, start_ms=START_MS).take([*beating({"a": 2}, 120), *ticks(2)])
    (found,) = [f for f in run.records.values() if math.isnan(f.actual)]
    assert found.time_ms == START_MS + 130_000, "6 s are not overdue until the tick at 10"
    assert found.typical == START_MS + 126_000, "the time by which a reading was due"
    assert math.isnan(found.lower) and math.isnan(found.upper)
    assert explain.unpack(found.evidence).pieces[0][0] == "silence"
    bucket, is_open = run.buckets(1)["a", START_MS + 120_000]
    assert bucket == (1, found.novelty, found.score, 1)  # the last event was at its start
    assert is_open
    run.take(ticks(30))
    later = run.buckets(1)["a", START_MS + 180_000]
    assert later[0][0] == 0 and later[0][3] == 1, "it spoke again in a bucket with no event, being much stronger"


def test_a_silence_speaks_again_only_if_it_is_clearly_stronger_and_the_ticks_between_change_nothing() -> None:
    run = Run(watch=BEAT, start_ms=START_MS).take([*beating({"a": 2}, 120), *ticks(2)])
    first = run.engine.jobs[1].alert.save(np.zeros(1, np.int32))
    assert float(first["held"][0]) > 0.0
    touched = run.engine.freeze(0)
    assert touched is not None
    run.engine.written(touched)
    run.step(Tick())
    assert run.engine.freeze(0) is None, "nothing changed, so nothing is to be written"
    run.take(ticks(60))
    novelties = sorted(f.novelty for f in run.records.values())
    assert all(b > 1.75 * a for a, b in pairwise(novelties))
    assert len(novelties) <= AHEAD + 1


def test_of_a_source_that_is_dead_one_series_speaks_and_the_others_are_counted() -> None:
    fields = tuple(f"f{i:02}" for i in range(20))
    run = Run(Limits(8, 64, 64, 64), BEAT, START_MS)
    run.take([*beating({"a": 2}, 120, fields=fields), *ticks(2)])
    assert [(source, field) for source, field, _ in silences(run)] == [("a", "f00")]
    assert run.engine.jobs[1].counters[0, [FOUND, HELD, DAMPED, SILENCE]].tolist() == [1, 0, 0, 19]
    said = diagnosed(run.engine, 0, np.arange(20, dtype=np.int32), run.now_ms)["watch"]
    assert said.suppressed == {"held": 0, "damped": 0, "silence": 19, "adjusted": 0}
    assert {state.silent_since_ms for state in said.series.values()} == {START_MS + 120_000}


def test_a_series_that_dies_by_itself_is_found_and_a_second_one_later_too() -> None:
    run = Run(watch=BEAT, start_ms=START_MS).take(beating({"a": 2}, 120, fields=("x", "y", "z")))
    late = START_MS + 120_000
    todo: list[Step] = []
    for second in range(2, 121, 2):
        values = {"x": 1.0, "y": 1.0} if second < 60 else {"x": 1.0}
        todo += [Clock(2_000), Event("a", late + 1_000 * second, values), Tick()]
    run.take(todo)
    assert {field for _, field, _ in silences(run)} == {"y", "z"}


def test_a_source_that_is_filling_in_history_is_not_missed() -> None:
    run = Run(watch=BEAT, start_ms=START_MS + 10_000_000).take([*beating({"a": 2}, 120), *ticks(30)])
    assert silences(run) == []
    (state,) = diagnosed(run.engine, 0, np.zeros(1, np.int32), run.now_ms)["watch"].series.values()
    assert state.late_ms == 10_000_000 and state.silent_since_ms is None


def test_a_source_that_collects_for_an_hour_before_it_sends_is_silent_once_it_is_known_to_only_after_that() -> None:
    run, now = Run(watch=BEAT, start_ms=START_MS), START_MS
    found = []
    for _ in range(5):
        hour: list[Step] = [Clock(60_000), Tick()] * 60
        run.take([*hour, *(Event("a", now + 60_000 * minute, {"x": 1.0}) for minute in range(1, 61))])
        now += 3_600_000
        found.append(len(silences(run)))
    assert found[0] == 0 and found[1] == found[4], "what it does is known from the second time on"
    run.take([step for _ in range(70) for step in (Clock(60_000), Tick())])
    assert len(silences(run)) > found[4]


def test_when_readings_come_again_an_event_takes_over_the_bucket_that_the_silence_began() -> None:
    run = Run(watch=BEAT, start_ms=START_MS).take([*beating({"a": 2}, 110), *ticks(4)])
    start = START_MS + 120_000
    assert run.buckets(1)["a", start][0][0] == 0
    run.take([Event("a", start + 11_000, {"x": 1.0})])
    (count, _, score, records), is_open = run.buckets(1)["a", start]
    assert (count, records, is_open) == (1, 1, True) and score > 0.0
    run.take([Event("a", start + 70_000, {"x": 1.0})])
    closed = np.concatenate([t.all_closed(1) for t in run.engine.tail.of(0)])
    assert [row[1:3] for row in closed.tolist() if row[1] == start] == [[start, 1.0]]


def test_there_is_room_for_so_many_silences_ahead_and_what_has_none_is_counted() -> None:
    spec = replace(BEAT, bucket_span_s=1)
    run = Run(watch=spec, start_ms=START_MS).take(beating({"a": 2}, 120))
    run.take(ticks(400, every_ms=60_000))
    ahead = [start for (_, start), (row, _) in run.buckets(1).items() if row[0] == 0]
    assert len(ahead) == AHEAD
    assert run.engine.jobs[1].counters[0, SILENCE] > 0
    run.take([Event("a", START_MS + 400 * 60_000 + 200_000, {"x": 1.0})])
    assert [row for row in run.engine.jobs[1].opened[0, 1:].tolist() if any(row)] == []


def test_feedback_weakens_the_findings_of_a_silence_too() -> None:
    todo = [*beating({"a": 2}, 120)]
    run = Run(watch=BEAT, start_ms=START_MS).take(todo)
    run.engine.jobs[1].adjustments.begin(Adjustment(1, 1, 0, 4.0))
    run.take(ticks(3))
    assert silences(run) == [], "1.75 divided by 4 scores 8, which is no record"
    run.take(ticks(60))
    assert silences(run)
    assert all(explain.unpack(f.evidence).adjustment == 0.25 for f in run.records.values())


def test_a_detector_that_does_not_watch_finds_no_silence() -> None:
    run = Run(start_ms=START_MS).take([*beating({"a": 2}, 120), *ticks(100)])
    assert silences(run) == []


def test_what_is_found_and_not_told_is_told_in_numbers() -> None:
    run = Run(start_ms=START_MS)
    run.take([Event("a", START_MS + 1_000 * i, {"x": float(i % 7)}) for i in range(100)])
    run.take([Event("a", START_MS + 100_000 + i, {"x": 900.0}) for i in range(3)])
    assert run.engine.jobs[1].counters[0, [FOUND, HELD]].tolist() == [1, 2]
    assert run.untold == dict(zip(RULES, (2, 0, 0), strict=True))


# ── groups ────────────────────────────────────────────────────────────────────────────────────────────────────────


def groups_of(run: Run, by: str, *patterns: str) -> dict[tuple[str, str], int]:
    numbers = np.arange(run.catalog.series_count, dtype=np.int32)
    made = Groups(by, patterns, run.catalog).join(numbers)  # type: ignore[arg-type]
    return {run.engine.name_of(i): int(group) for i, group in enumerate(made)}


def test_peers_are_the_same_field_of_the_sources_of_a_shard() -> None:
    run = Run(Limits(64, 64, 256, 4)).take([Event(name, 0, {"x": 1.0, "y": 1.0}) for name in ("a", "b", "c")])
    assert groups_of(run, "field") == {
        ("a", "x"): 0, ("a", "y"): 1, ("b", "x"): 0, ("b", "y"): 1, ("c", "x"): 2, ("c", "y"): 3,
    }  # a shard is full at four series
    assert groups_of(run, "source") == {
        ("a", "x"): 0, ("a", "y"): 0, ("b", "x"): 1, ("b", "y"): 1, ("c", "x"): 2, ("c", "y"): 2,
    }


def test_patterns_divide_the_peers_and_the_first_that_matches_counts() -> None:
    run = Run(Limits(64, 64, 256, 64)).take([Event(name, 0, {"x": 1.0}) for name in ("a1", "b1", "a2", "ab", "c", "d")])
    groups = groups_of(run, "field", "a?", "*b*")
    assert [group for _, group in sorted(groups.items())] == [0, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_of_groups_do_not_depend_on_when_they_are_asked_for(seed: int) -> None:
    run = Run().take(living_steps(seed, 60))
    rng, numbers = random.Random(seed), np.arange(run.catalog.series_count, dtype=np.int32)
    for by in ("field", "source"):
        whole, cut = Groups(by, ("a*",), run.catalog), Groups(by, ("a*",), run.catalog)  # type: ignore[arg-type]
        edges = sorted(rng.sample(range(1, numbers.size), 3))
        parts = [cut.join(part) for part in np.split(numbers, edges)]
        assert np.concatenate(parts).tolist() == whole.join(numbers).tolist()


def test_a_new_series_is_judged_by_what_its_peers_taught() -> None:
    run = Run(watch=BEAT, start_ms=START_MS).take([*beating({"a": 2}, 120)])
    run.take([Event("b", START_MS + 120_000, {"x": 1.0}), *ticks(4)])
    assert ("b", "x") in {(source, field) for source, field, _ in silences(run)}
