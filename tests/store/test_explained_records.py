"""A record keeps why it is one; asked for by itself, it knows when the similar moments were, and its series' facts."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offbeat.assembly import assembled
from offbeat.clock import ManualClock
from offbeat.config import Config, IngestConfig, RetentionConfig
from offbeat.engine.entries import Job
from offbeat.engine.outcome import Finding
from offbeat.errors import NotFound
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store.findings import Findings, statements_of
from offbeat.store.queries import Record, RecordQuery
from offbeat.store.record_queries import findings_after, id_of, key_of
from offbeat.store.results import watched_since
from offbeat.store.retention import retire
from offbeat.verification import verify
from offbeat_detectors.explain import Reason, pack, unpack
from tests.detectors.explaining import NEAR, NEXT
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, copied, everything, pages, round_made, send, tick

FOR_EVER = RetentionConfig(0, 0, 0, 0, 0, 0, 0)
STEP_MS = 20_000
NAME = st.text(min_size=1, max_size=6) | st.sampled_from([":", "%", "a:b", "%3A", "a%253Ab", "plant/1", "0"])


def explaining(state: Path) -> Config:
    """The job watch has a detector that says why."""
    parameters = {"warmup_readings": 5}
    return config(state, watch={"model": "tests.detectors.explaining:Explained", "parameters": parameters})


def readings(rng: random.Random, first: int, count: int) -> list[Event]:
    """Of two sources, readings at their own pace; every hundredth of one is wild."""
    return [
        Event(source, START_MS + STEP_MS * i + 7 * len(source), {"x": 1e6 + i if wild else rng.gauss(10, 1), "y": 1.0})
        for i in range(first, first + count)
        for source, wild in (("pump:1", i % 100 == 99), ("other", False))
    ]


@asynccontextmanager
async def watched(tmp_path: Path, checkpoints: float = 0.3) -> AsyncIterator[Service]:
    """600 readings a series in small bodies, checkpoints at random places in between."""
    rng = random.Random(3)
    async with running(explaining(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        for first in range(0, 600, 10):
            await send(service, readings(rng, first, 10))
            await applied(service)
            if rng.random() < checkpoints:
                await service.applier.checkpoint_all()
        yield service


async def found(service: Service) -> list[Record]:
    rows = await pages(service.results.records, RecordQuery(sources=("pump:1",), fields=("x",), limit=100))
    assert len(rows) > 4, "the run must hold what it is to show"
    return rows


async def test_what_stands_behind_a_record_is_kept_over_restarts_and_crashes(tmp_path: Path) -> None:
    async with watched(tmp_path) as service:
        rows = await found(service)
        assert {row.model for row in rows} == {"tests.detectors.explaining:Explained"}
        assert {name for row in rows for name, _ in unpack(row.evidence).pieces} == {"jump", "swing"}
        before = await everything(service)
        crashed = await copied(service, tmp_path / "crashed")
    for state in (tmp_path / "state", crashed):
        async with running(explaining(state), clock=ManualClock(START_MS)) as service:
            assert await everything(service) == before


@pytest.mark.parametrize("checkpoints", [0.0, 0.3, 1.0])
async def test_similar_moments_are_counted_back_from_a_record_wherever_its_readings_are_kept(
    tmp_path: Path, checkpoints: float
) -> None:
    async with watched(tmp_path, checkpoints) as service:
        chunks = await service.database.read("SELECT count(*) FROM chunk WHERE kind = 'readings'")
        assert (chunks[0][0] > 20) == (checkpoints == 1.0)
        for row in await found(service):
            full = await service.results.record(row.id)
            assert full.record == row
            assert full.similar_ms == (row.time_ms - NEAR * STEP_MS, row.time_ms - NEXT * STEP_MS)
            assert full.last_ms == row.time_ms - STEP_MS


async def test_a_moment_of_which_the_reading_is_gone_has_no_time(tmp_path: Path) -> None:
    async with watched(tmp_path, 1.0) as service:
        newest = (await found(service))[-1]
        async with service.database.transaction() as db:
            await db.execute(
                "DELETE FROM chunk WHERE kind = 'readings' AND end_ms < ?", (newest.time_ms - 2 * NEAR * STEP_MS,)
            )
        full = await service.results.record(newest.id)
        assert full.similar_ms == (newest.time_ms - NEAR * STEP_MS, None)
        await retire(service.database, replace(FOR_EVER, readings_days=1e-9), IngestConfig(), START_MS + 10**9)
        full = await service.results.record(newest.id)
        assert (full.similar_ms, full.last_ms) == ((None, None), None)


async def test_a_record_knows_how_often_its_series_has_reached_its_score_and_since_when_it_is_watched(
    tmp_path: Path,
) -> None:
    async with watched(tmp_path) as service:
        rows = await found(service)
        for row in rows:
            full = await service.results.record(row.id)
            assert full.reached == sum(other.score >= row.score for other in rows)
            assert (full.since_ms, full.reading_count) == (START_MS + 7 * len("pump:1"), 600)
        assert max(row.score for row in rows) > min(row.score for row in rows)


def test_a_job_watches_a_source_from_its_first_event_or_from_the_jobs_own_beginning() -> None:
    watch, later = Job(1, JobSpec("watch"), 5_000, 1), Job(2, JobSpec("later"), 5_000, 9)
    assert watched_since(watch, 1_000, 9_000) == 1_000
    assert watched_since(later, 1_000, 9_000) == 5_000
    assert watched_since(later, 7_000, 9_000) == 7_000
    assert watched_since(later, 1_000, 3_000) == 1_000  # history, sent after the job began


@pytest.mark.parametrize("id", [
    "", "x", "watch:0:pump%3A1:x", "watch:0:pump:1:x:1700001980042", "watch:1:pump%3A1:x:1700001960000",
    "nothing:0:pump%3A1:x:1700001960000", "watch:0:nobody:x:1700001960000", "watch:0:pump%3A1:nothing:1700001960000",
    "watch:0:pump%3A1:x:1", "watch:0:pump%3A1:x:99999999999999999999", "watch:0:pump%3A1:x:١",
])
async def test_a_record_that_is_not_there_is_not_found(tmp_path: Path, id: str) -> None:
    async with running(explaining(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, readings(random.Random(3), 0, 110))
        await applied(service)
        assert [r.id for r in await pages(service.results.records, RecordQuery(min_score=99.0))] == [
            "watch:0:pump%3A1:x:1700001960000"
        ]
        with pytest.raises(NotFound) as refusal:
            await service.results.record(id)
        assert refusal.value.where == {"record": id}


@given(NAME, NAME, st.integers(-(10**15), 10**15))
@example("a:b", "c", 0)
def test_an_id_leads_back_to_the_record_whatever_its_names(source: str, field: str, bucket_ms: int) -> None:
    assert key_of(id_of("watch", source, field, bucket_ms)) == ("watch", source, field, bucket_ms)


@given(st.text())
def test_a_text_that_is_no_id_leads_nowhere(text: str) -> None:
    key = key_of(text)
    assert key is None or id_of(*key) == text


async def test_a_replay_gives_the_same_reasons(tmp_path: Path) -> None:
    async with watched(tmp_path) as service:
        await round_made(service)
        await send(service, readings(random.Random(4), 600, 101))
        await applied(service)
        assert (await found(service))[-1].bucket_start_ms > START_MS + 600 * STEP_MS
    report = await verify(tmp_path / "state", lambda database: assembled(database, explaining(tmp_path / "state")))
    assert report.differences == ()
    assert report.entries > 0


async def test_a_replay_gives_the_same_silences(tmp_path: Path) -> None:
    watch = {"model": "tests.engine.heartbeat:Heartbeat"}
    beating = config(tmp_path / "state", watch=watch, engine={"tick_s": 3600.0})
    clock = ManualClock(START_MS)
    async with running(beating, clock=clock) as service:
        await send(service, [Event("a", START_MS - 1000 * i, {"x": 1.5}) for i in reversed(range(60))])
        await applied(service)
        await round_made(service)
        for _ in range(30):
            clock.move(7_200_000)
            await tick(service)
        await applied(service)
        rows = await pages(service.results.records, RecordQuery())
        assert rows and all(math.isnan(row.actual) for row in rows)
        full = await service.results.record(rows[0].id)
        assert full.last_ms == START_MS
    report = await verify(tmp_path / "state", lambda database: assembled(database, beating))
    assert report.differences == ()
    assert report.entries >= 30


async def test_a_record_that_nothing_came_has_no_value_on_the_whole_way(tmp_path: Path) -> None:
    async with watched(tmp_path) as service:
        newest_ms = START_MS + 599 * STEP_MS + 7 * len("pump:1")
        time_ms = newest_ms + 3_600_000
        bucket_ms = time_ms - time_ms % 60_000
        series, source = (await service.database.read(
            "SELECT series.id, source FROM series JOIN source ON source.id = source JOIN field ON field.id = field "
            "WHERE source.name = 'pump:1' AND field.name = 'x'"))[0]
        due, nan = float(newest_ms + 60_000), math.nan
        why = pack(Reason((("silence", 3.0),), (1,)))
        silence = Finding(10**6, 0, START_MS, 1, source, series, bucket_ms, time_ms, nan, due, nan, nan, 3.0, nan, 75.0,
                          why)
        findings = Findings({(1, series, bucket_ms): silence})
        for _ in range(2):
            await service.database.write(statements_of(findings))
        (row,) = (await service.results.records(RecordQuery(start_ms=bucket_ms))).rows
        jobs, after = service.jobs.by_number, (10**6 - 1, 0)
        (event,) = await findings_after(
            service.database, jobs, after, 10**6, 10, lambda _: ("pump:1", "x"), lambda _: "")
        for kept in (row, event.body):
            assert isinstance(kept, Record)
            assert math.isnan(kept.actual)
            assert (kept.typical, kept.score, kept.evidence) == (due, 75.0, why)
        full = await service.results.record(row.id)
        assert (full.last_ms, full.similar_ms) == (newest_ms, (newest_ms,))
