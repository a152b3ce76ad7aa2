"""The runner of analyses: checkpoints at the same time, one that fails, what waits, what a kill leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offbeat.analyses.running import AnalysisFailed
from offbeat.clock import ManualClock
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.results import Outcome
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.errors import IntakeFull
from offbeat.service import Service, running
from offbeat.store import analyses as kept
from offbeat.store.database import Statements
from tests.engine.analysis.logs import Row, calm, records_of, spec_of
from tests.store.process import START_MS, applied, config, round_made

ROWS = calm(1_200, 8)
COUNT = spec_of(DetectorSpec("count", by="host"))
OTHER = AnalysisSpec("other", COUNT.detectors, COUNT.bucket_span_s)


async def parts(service: Service, id: str, rows: list[tuple[int, Row]], size: int) -> AsyncIterator[Upload]:
    job = service.analyses.get(id)
    for first in range(0, len(rows), size):
        yield Upload(job.number, records_of(rows[first : first + size], job.spec.columns))


async def send(service: Service, id: str, rows: list[tuple[int, Row]], size: int = 100) -> dict[str, int]:
    return (await service.analyses.upload(id, parts(service, id, rows, size))).counts


def failing_at(monkeypatch: pytest.MonkeyPatch, id: str, time_ms: int) -> None:
    take = Analysis.take

    def fails(self: Analysis, upload: Upload) -> Outcome:
        if self.spec.id == id and upload.records.time_ms.max() >= time_ms:
            raise ArithmeticError("this number is none")
        return take(self, upload)

    monkeypatch.setattr(Analysis, "take", fails)


async def test_checkpoints_that_begin_at_the_same_time_do_not_undo_each_other(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        for first in range(0, 1_200, 300):
            sending = asyncio.create_task(send(service, "test", ROWS[first : first + 300], 20))
            while not sending.done():
                await asyncio.gather(*(service.runner.checkpoint(1) for _ in range(3)))
        await service.runner.checkpoint(1)
        (one,) = await kept.load(service.database)
        assert one.seq == service.runner.settled
        state = await kept.load_state(service.database, 1, kept.position(one.seq))
        now = await service.runner.ask(1, Analysis.save)
        assert {name: array.tobytes() for name, array in state.items()} == {n: a.tobytes() for n, a in now.items()}
        assert service.runner.covered(one.seq) == one.seq


def held_up(service: Service, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """The first result of an analysis is on its way to the store, when the first event is set, until the second is."""
    begun, go_on, write = asyncio.Event(), asyncio.Event(), service.database.write

    async def slow(statements: Statements) -> None:
        if any("result_bucket" in sql for sql, _ in statements):
            begun.set()
            await go_on.wait()
        await write(statements)

    monkeypatch.setattr(service.database, "write", slow)
    return begun, go_on


async def test_records_are_analysed_while_the_results_of_those_before_are_written_and_none_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        begun, go_on = held_up(service, monkeypatch)
        sending = asyncio.create_task(send(service, "test", ROWS, 300))
        await begun.wait()
        written = service.runner.settled
        for _ in range(100_000):  # the second part is applied
            if await service.runner.ask(1, lambda one: one.totals.counts["processed_record"]) == 600:
                break
        checkpoint = asyncio.create_task(service.runner.checkpoint(1))
        for _ in range(20):
            await asyncio.sleep(0)
        assert service.runner.settled == written and not checkpoint.done()
        assert (await kept.load(service.database))[0].seq == 0, "a checkpoint never passes results that are not stored"
        go_on.set()
        assert (await sending)["processed_record"] == len(ROWS)
        await checkpoint
        buckets = await service.database.read("SELECT count(*) FROM result_bucket")
        assert buckets == [((await service.runner.ask(1, lambda one: one.totals.counts["bucket"])),)]


async def test_what_came_before_a_failure_is_stored_before_the_failure_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, "test", ROWS[400][0])
    remembered = "SELECT count(*) FROM analysis_state WHERE name = ?"
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        begun, go_on = held_up(service, monkeypatch)
        sending = asyncio.create_task(send(service, "test", ROWS, 300))
        await begun.wait()
        for _ in range(100_000):  # the second part is applied, and fails
            if service.runner.failed:
                break
            await asyncio.sleep(0)
        assert service.runner.failed == 1
        for _ in range(20):
            await asyncio.sleep(0)
        assert await service.database.read(remembered, (kept.FAILED,)) == [(0,)]
        go_on.set()
        with pytest.raises(AnalysisFailed):
            await sending
        assert await service.database.read(remembered, (kept.FAILED,)) == [(1,)]
        (held,) = await service.database.read("SELECT count(*), max(start_ms) FROM result_bucket")
        assert held[0] and held[1] < ROWS[400][0]


async def test_an_analysis_that_fails_stands_still_alone_says_why_and_does_not_hold_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, "test", ROWS[600][0])
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        await service.analyses.create(OTHER, {})
        with pytest.raises(AnalysisFailed, match="this number is none"):
            await send(service, "test", ROWS)
        assert (await send(service, "other", ROWS))["processed_record"] == len(ROWS)
        assert service.analyses.get("test").status == "FAILED"
        assert service.runner.failed == 1
        await service.runner.checkpoint_all()
        assert service.runner.covered(service.runner.settled) == service.runner.settled
        await applied(service)
        await round_made(service)
        await round_made(service)
    monkeypatch.undo()
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        assert service.analyses.get("test").status == "FAILED", "what it missed is gone"
        assert (await service.analyses.runner.ask(2, lambda one: one.totals.counts))["processed_record"] == len(ROWS)
        with pytest.raises(AnalysisFailed):
            await send(service, "test", ROWS)
        await service.analyses.close("test")
        assert (await send(service, "test", ROWS))["processed_record"] == len(ROWS)
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        assert service.analyses.get("test").status == "CLOSED"


async def test_a_checkpoint_that_cannot_be_read_is_the_failure_of_one_analysis(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        await service.analyses.create(OTHER, {})
        for id in ("test", "other"):
            await send(service, id, ROWS[:600])
        await service.runner.checkpoint_all()
        await service.database.write([("UPDATE analysis_state SET body = x'00' WHERE job = ?", [(1,)])])
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        assert "cannot be read" in service.runner.failure(1)
        assert [service.analyses.get(id).status for id in ("test", "other")] == ["FAILED", "CLOSED"]
        assert (await send(service, "other", ROWS[600:]))["processed_record"] == len(ROWS) - 600


async def test_records_that_wait_count_against_the_bound_of_the_intake(tmp_path: Path) -> None:
    small = config(tmp_path, ingest={"pending_bytes_max": 4_096})
    async with running(small, clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        await service.analyses.create(OTHER, {})
        async with service.runner._turn:  # nothing is applied
            first = asyncio.create_task(send(service, "test", ROWS[:600], 300))
            while not service.budget.pending_bytes:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0)
            with pytest.raises(IntakeFull):
                await send(service, "other", ROWS[:600], 300)
        assert (await first)["processed_record"] == 600, "what has begun waits for room"
        assert service.budget.pending_bytes == 0


async def test_a_start_deletes_what_a_kill_left_behind(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        await send(service, "test", ROWS)
        await service.runner.checkpoint(1)
        state = await service.runner.ask(1, Analysis.save)
        for job, name in ((1, kept.position(10**6)), (1, "snapshot:77"), (9, kept.position(3)), (9, "snapshot:78")):
            await kept.keep_state(service.database, job, name, state)
        await service.database.write(
            [("INSERT INTO result_bucket SELECT 9, start_ms, interim, event_count, record_count, probability, "
              "anomaly_score, initial_anomaly_score, normalized_max, score, body FROM result_bucket WHERE job = ?",
              [(1,)])]
        )
        assert len(await service.database.read("SELECT DISTINCT job, name FROM analysis_state")) == 5
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        assert len(await service.database.read("SELECT DISTINCT job, name FROM analysis_state")) == 1
        assert await service.database.read("SELECT DISTINCT job FROM result_bucket") == [(1,)]


async def test_a_job_deleted_while_its_checkpoint_is_written_leaves_nothing(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(COUNT, {})
        await send(service, "test", ROWS)
        await asyncio.gather(service.runner.checkpoint(1), service.analyses.delete("test"))
        for table in (*kept.RESULTS, "analysis", "analysis_state"):
            assert await service.database.read(f"SELECT 1 FROM {table}") == [], table
