"""A back-test over what a real daemon has stored, stopped or running: the same configuration finds the same."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offbeat.backtest.comparison import Comparison, over_stored
from offbeat.backtest.question import Change, Scope, StoredReadings
from offbeat.backtest.stored import learns_together
from offbeat.backtest.workers import share_out
from offbeat.cli import main
from offbeat.clock import ManualClock
from offbeat.errors import BadRequest, NotFound, StoreUnusable
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store.database import FILE_NAME
from tests.backtest.work import at_home, quietly
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, everything, round_made, send

SOURCES, STEPS, STEP_MS = 70, 240, 20_000
AS_IT_IS, ALL = Change(), Scope()
OTHER = Change(parameters={"half_life_readings": 8.0, "warmup_readings": 80})


def events(seed: int = 3, first: int = 0, count: int = STEPS) -> list[Event]:
    """Steps of all sources in the order of time, with faults; each has two fields, the last one three."""
    rng = random.Random(f"{seed} {first}")
    made = []
    for step in range(first, first + count):
        for number in range(SOURCES):
            fault = rng.uniform(6, 14) if rng.random() < 0.006 else 0.0
            values = {"heat": 50 + rng.gauss(0, 2) + fault, "load": rng.gauss(10, 1)}
            if number == SOURCES - 1:
                values["spin"] = rng.gauss(0, 1)
            made.append(Event(f"m{number}", START_MS + step * STEP_MS, values))
    return made


async def sent(service: Service, some: list[Event]) -> None:
    """*some*, in bodies of uneven size."""
    for first in range(0, len(some), 977):
        await send(service, some[first : first + 977])
    await applied(service)


@asynccontextmanager
async def daemon(state: Path) -> AsyncIterator[Service]:
    """A daemon whose clock stands still."""
    async with running(config(state, watch={"model": "ewma"}), clock=ManualClock(START_MS)) as service:
        yield service


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a daemon that took everything, in two rounds of checkpoints, and was stopped. Tests only read it."""
    state = tmp_path_factory.mktemp("stopped") / "state"

    async def life() -> None:
        async with daemon(state) as service:
            heat = JobSpec("heat", sources=("m1*",), fields=("heat",), bucket_span_s=300, model="ewma")
            await service.jobs.create(replace(heat, parameters=(("warmup_readings", 10),)))
            await sent(service, events(count=100))
            await round_made(service)
            await sent(service, events(first=100, count=STEPS - 100))

    asyncio.run(life())
    return state


def over(state: Path, change: Change = AS_IT_IS, scope: Scope = ALL, workers: int = 0, **asked: Any) -> Comparison:
    """The answer, by so many processes; 0: in this one, as if there were three."""
    share = share_out if workers else at_home
    return over_stored(StoredReadings(state, **asked), change, scope, workers or 3, quietly, share)


def test_the_same_configuration_over_the_same_readings_finds_the_same_whatever_the_workers(stopped):
    bytes_before = (stopped / FILE_NAME).read_bytes()
    one, three = over(stopped, workers=1), over(stopped, workers=3)
    for c in (one, three):
        assert c.counts == {"kept": c.unchanged_count, "moved": 0, "gone": 0, "new": 0} and c.unchanged_count > 30
        assert (c.ran.series_count, c.ran.reading_count) == (2 * SOURCES + 1, (2 * SOURCES + 1) * STEPS)
        assert (c.ran.first_ms, c.ran.last_ms) == (START_MS, START_MS + (STEPS - 1) * STEP_MS)
        assert c.left_out == {}
    assert one.differences == three.differences
    assert (stopped / FILE_NAME).read_bytes() == bytes_before, "nothing is written"


def test_another_parameter_gives_other_findings_each_with_its_reason_whatever_the_workers(stopped):
    one, two = over(stopped, OTHER), over(stopped, OTHER, workers=1)
    assert one.differences == two.differences
    assert one.counts["gone"] and one.counts["new"] and one.counts["kept"]
    for d in one.differences:
        assert d.reason or d.unchanged
        if d.kind == "gone":
            assert "novelty there is" in d.reason or "warming up" in d.reason or "stronger finding" in d.reason


def test_a_rerun_of_the_job_is_what_is_stored_and_tells_why_something_is_new(stopped):
    stored, rerun = over(stopped, OTHER), over(stopped, OTHER, rerun=Change())
    assert [(d.kind, d.baseline, d.candidate) for d in stored.differences] == [
        (d.kind, d.baseline, d.candidate) for d in rerun.differences
    ]
    assert {d.reason for d in stored.differences if d.kind == "new"} == {
        "nothing is stored there; a rerun of the job as it is would say why"
    }
    assert all("novelty there is" in d.reason or "bucket" in d.reason for d in rerun.differences if d.kind == "new")


def test_two_models_are_compared_over_the_same_readings(stopped):
    c = over(stopped, Change("ewma", {"warmup_readings": 30}), rerun=Change("ewma", {"warmup_readings": 100}))
    assert (c.baseline.parameters, c.candidate.parameters) == ((("warmup_readings", 100),), (("warmup_readings", 30),))
    assert any(d.reason == "the baseline has no opinion there yet: it is warming up" for d in c.differences)


def test_a_longer_bucket_span_gives_the_same_incidents_in_fewer_records(stopped):
    c = over(stopped, Change(bucket_span_s=3600))
    assert c.counts["kept"] and c.candidate_count <= c.baseline_count and c.counts["new"] == 0
    assert all(d.candidate.bucket_ms % 3_600_000 == 0 for d in c.differences if d.candidate)


def test_a_job_of_ones_own_is_run_over_the_series_that_it_selects(stopped):
    c = over(stopped, job="heat")
    assert c.counts == {"kept": c.unchanged_count, "moved": 0, "gone": 0, "new": 0} and c.unchanged_count
    assert c.ran.series_count == 11 and {d.found.field for d in c.differences} == {"heat"}


def test_patterns_and_times_choose_what_is_compared_and_what_is_learned(stopped):
    start_ms, end_ms = START_MS + 120 * STEP_MS, START_MS + 200 * STEP_MS
    scope = Scope(("m[12]*",), ("heat",), start_ms, end_ms)
    chosen = over(stopped, scope=scope)
    assert chosen.counts["kept"] == chosen.unchanged_count > 0 and sum(chosen.counts.values()) == chosen.unchanged_count
    assert all(start_ms <= d.found.time_ms < end_ms and d.found.field == "heat" for d in chosen.differences)
    assert (chosen.ran.first_ms, chosen.ran.last_ms) == (START_MS, end_ms - STEP_MS), "what came before is learned from"
    fresh = over(stopped, scope=replace(scope, read_from_ms=start_ms))
    assert fresh.ran.first_ms == start_ms
    assert fresh.counts["kept"] == 0 or fresh.unchanged_count < chosen.unchanged_count, "it has no past"


def test_a_least_score_leaves_out_weak_findings_on_both_sides(stopped):
    strong, everything_ = over(stopped, scope=Scope(score_min=25.0)), over(stopped, scope=Scope(score_min=0.0))
    assert 0 < strong.unchanged_count < everything_.unchanged_count
    assert all(d.found.score >= 25 for d in strong.differences)
    assert any("keeps no finding that scores less than 10" in note for note in everything_.notes)


@pytest.mark.parametrize(
    ("change", "asked", "scope", "error", "message"),
    [
        (Change(parameters={"half_life": 3}), {}, Scope(), BadRequest, "parameters do not fit ewma"),
        (Change(parameters={"warmup_readings": -1}), {}, Scope(), BadRequest, "warmup_readings is -1"),
        (Change("nothing"), {}, Scope(), BadRequest, "there is no model 'nothing'"),
        (Change(bucket_span_s=0), {}, Scope(), BadRequest, "bucket_span_s is 0"),
        (Change(), {"job": "none"}, Scope(), NotFound, "there is no job none"),
        (Change(), {}, Scope(sources=("x*",)), BadRequest, "no stored reading fits"),
        (Change(), {}, Scope(start_ms=5, end_ms=5), BadRequest, "the end is not after the start"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_its_place(stopped, change, asked, scope, error, message):
    with pytest.raises(error, match=message):
        over(stopped, change, scope, **asked)


async def test_a_daemon_that_runs_is_compared_up_to_its_last_checkpoint_and_goes_on_undisturbed(tmp_path):
    state = tmp_path / "state"
    async with daemon(state) as service:
        await sent(service, events(count=150))
        with pytest.raises(BadRequest, match="no stored reading fits"):
            await asyncio.to_thread(over, state)
        await round_made(service)
        await sent(service, events(first=150, count=60))
        before = await everything(service)
        c = await asyncio.to_thread(over, state)
        assert c.counts == {"kept": c.unchanged_count, "moved": 0, "gone": 0, "new": 0} and c.unchanged_count > 10
        assert c.ran.last_ms == START_MS + 149 * STEP_MS
        assert c.left_out["not_packed_yet"] > 0
        assert await everything(service) == before
        await sent(service, events(first=210, count=10))
    async with daemon(state) as service:
        assert (await service.jobs.get("watch")).event_count == SOURCES * 220
    c = await asyncio.to_thread(over, state)
    assert c.ran.reading_count == (2 * SOURCES + 1) * 220 and sum(c.counts.values()) == c.unchanged_count


def changed(stopped: Path, to: Path, *statements: str) -> Path:
    """A copy of the store in which *statements* were executed."""
    to.mkdir()
    with closing(sqlite3.connect(stopped / FILE_NAME)) as old, closing(sqlite3.connect(to / FILE_NAME)) as db:
        old.backup(db)
        with db:
            for statement in statements:
                db.execute(statement)
    return to


def test_findings_whose_readings_are_gone_are_left_out(stopped, tmp_path):
    state = changed(stopped, tmp_path / "copy", "DELETE FROM chunk WHERE kind = 'readings' AND seq = (SELECT min(seq) "
                    "FROM chunk WHERE kind = 'readings')")
    c = over(state)
    assert c.left_out["readings_gone"] > 0 and c.ran.first_ms > START_MS


def test_findings_of_silence_are_left_out_on_both_sides(stopped, tmp_path):
    whole = over(stopped)
    silent = "SELECT series, bucket_ms FROM record WHERE job = 1 ORDER BY bucket_ms DESC, series LIMIT 3"
    state = changed(stopped, tmp_path / "copy", f"UPDATE record SET actual = NULL WHERE (series, bucket_ms) IN "
                    f"({silent}) AND job = 1")
    c = over(state)
    assert c.left_out == {"of_silence": 3}
    assert c.counts == {"kept": whole.unchanged_count - 3, "moved": 0, "gone": 0, "new": 0}


def test_feedback_that_is_in_force_is_named_for_it_is_not_applied(stopped, tmp_path):
    given = "(1, 1, 0, 2.0, 'normal', '', 0, 1, 0, 5, NULL, NULL, 0, 0)"
    c = over(changed(stopped, tmp_path / "copy", f"INSERT INTO adjustment VALUES {given}"))
    assert "1 adjustment by feedback in force: not applied here" in c.notes


def test_the_command_says_the_same_and_its_status_what_a_pipeline_asked_for(stopped, capfd):
    same = main(["backtest", "--state-dir", str(stopped), "--workers", "2", "--exit-code", "--json"])
    document = json.loads(capfd.readouterr().out)
    assert same == 0 and document["baseline"]["findings"] == "stored" and document["differences"] == []
    assert document["counts"]["kept"] == document["counts"]["kept_unchanged"] > 30
    options = ["--job", "heat", "--parameter", "warmup_readings=200", "--workers", "1", "--max-gone", "0"]
    assert main(["backtest", "--state-dir", str(stopped), *options]) == 7
    out = capfd.readouterr().out
    assert "gone" in out and "ewma(warmup_readings=10) as stored" in out and "ewma(warmup_readings=200)" in out


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA application_id = 5", "not one of Offbeat"),
        ("PRAGMA user_version = 999", "is of another version"),
    ],
)
def test_a_store_that_is_not_ours_is_refused(stopped, tmp_path, statement, message):
    with pytest.raises(StoreUnusable, match=message):
        over(changed(stopped, tmp_path / "copy", statement))


def test_a_directory_without_a_store_and_a_file_that_is_none_are_refused(tmp_path):
    with pytest.raises(StoreUnusable, match="holds no"):
        over(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"no database at all, but long enough to be taken for one" * 99)
    with pytest.raises(StoreUnusable, match="cannot be read"):
        over(tmp_path)


def test_series_that_learn_from_one_another_are_told_by_their_model():
    assert not learns_together(JobSpec("watch", model="ewma"))
    assert learns_together(JobSpec("watch", model="tests.backtest.work:Together"))
