"""What is over goes by the age of its arrival, or as the oldest readings of a file too large; what is young stays."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from offbeat.clock import ManualClock
from offbeat.config import IngestConfig, RetentionConfig
from offbeat.records import JobSpec
from offbeat.service import Service, running
from offbeat.store.queries import BucketQuery, RecordQuery
from offbeat.store.retention import DAY_MS, retire, used_bytes
from tests.engine.run import Event
from tests.store.process import START_MS, applied, config, everything, pages, send

FOR_EVER = RetentionConfig(0, 0, 0, 0, 0, 0, 0)
KINDS = {"readings": "readings_days", "1m": "rollups_1m_days", "1h": "rollups_1h_days", "1d": "rollups_1d_days",
         "buckets": "buckets_days"}

WARM = (("warmup_readings", 5),)


@asynccontextmanager
async def aged(tmp_path: Path) -> AsyncIterator[tuple[Service, ManualClock]]:
    """Ten days: each day brings the history of other years, a finding, and a checkpoint."""
    clock = ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        for day in range(10):
            at_ms = 1_000_000_000_000 + day * 40 * DAY_MS
            events = [Event(f"d{day}s{i % 3}", at_ms + i * 3_600_000, {"x": float(i % 7)}) for i in range(90)]
            await send(service, [*events, Event(f"d{day}s0", events[-1].time_ms + 60_000, {"x": 1e6})])
            await applied(service)
            await service.applier.checkpoint_all()
            clock.move(DAY_MS)
        yield service, clock


async def ages(service: Service, now_ms: int, sql: str) -> list[float]:
    """Ages in days of what is left, oldest first."""
    return sorted(((now_ms - made) / DAY_MS for (made,) in await service.database.read(sql)), reverse=True)


@pytest.mark.parametrize("kind", KINDS)
async def test_chunks_go_by_the_age_of_their_arrival_each_kind_by_its_own(tmp_path: Path, kind: str) -> None:
    async with aged(tmp_path) as (service, clock):
        now = clock.now_ms()
        sql = "SELECT DISTINCT made_ms FROM chunk WHERE kind = '{}'"
        kinds = [*KINDS, "spans"]  # which go with the buckets that they tell of
        before = {k: await ages(service, now, sql.format(k)) for k in kinds}
        assert all(len(left) > 5 for left in before.values())
        assert await retire(service.database, replace(FOR_EVER, **{KINDS[kind]: 4.0}), IngestConfig(), now)
        for k in kinds:
            goes = k == kind or (k, kind) == ("spans", "buckets")
            expected = [age for age in before[k] if age <= 4.0] if goes else before[k]
            assert await ages(service, now, sql.format(k)) == expected


async def test_records_and_bucket_rows_go_by_the_age_of_their_arrival(tmp_path: Path) -> None:
    async with aged(tmp_path) as (service, clock):
        now = clock.now_ms()
        tables = {"record": "records_days", "finding_bucket": "buckets_days", "job_bucket": "buckets_days"}
        before = {t: await ages(service, now, f"SELECT made_ms FROM {t}") for t in tables}
        await retire(service.database, replace(FOR_EVER, records_days=2.0, buckets_days=5.0), IngestConfig(), now)
        for table, limit in (("record", 2.0), ("finding_bucket", 5.0), ("job_bucket", 5.0)):
            left = await ages(service, now, f"SELECT made_ms FROM {table}")
            assert left == [age for age in before[table] if age <= limit] and 0 < len(left) < len(before[table])


async def test_nothing_goes_that_is_young_or_kept_for_ever(tmp_path: Path) -> None:
    async with aged(tmp_path) as (service, clock):
        before = await everything(service)
        for retention in (FOR_EVER, RetentionConfig(*[10.5] * 6, 10**12)):
            assert await retire(service.database, retention, IngestConfig(), clock.now_ms()) == 0
        assert await everything(service) == before


async def test_rollups_answer_when_the_readings_are_gone(tmp_path: Path) -> None:
    async with aged(tmp_path) as (service, clock):
        await retire(service.database, replace(FOR_EVER, readings_days=0.001), IngestConfig(), clock.now_ms())
        found = await everything(service)
        assert sum(source["event_count"] for source in found["sources"]) == 910
        assert await service.database.read("SELECT count(*) FROM chunk WHERE kind = 'readings'") == [(0,)]
        assert found["buckets watch source time"] and found["records watch time"]


async def test_what_a_deleted_job_left_goes_and_what_others_have_stays(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        await service.jobs.create(JobSpec("gone", bucket_span_s=60, model="ewma", parameters=WARM))
        events = [Event("a", START_MS + i * 20_000, {"x": 1e6 if i % 50 == 49 else float(i % 7)}) for i in range(300)]
        await send(service, events)
        await applied(service)
        await service.applier.checkpoint_all()
        assert await pages(service.results.records, RecordQuery(job="gone"))
        await service.jobs.delete("gone")
        await applied(service)
        before = await everything(service)
        assert await retire(service.database, FOR_EVER, IngestConfig(), clock.now_ms()) > 0
        for table in ("record", "finding_bucket", "job_bucket", "chunk"):
            left = await service.database.read(f"SELECT count(*) FROM {table} WHERE job NOT IN (0, 1)")
            assert left == [(0,)], table
        assert await everything(service) == before
        assert before["records watch time"]


async def test_a_file_that_is_too_large_loses_its_oldest_readings_and_gives_the_pages_back(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        rng = random.Random(1)
        for part in range(12):
            times = range(START_MS + part * 90_000, START_MS + (part + 1) * 90_000, 10)
            await send(service, [Event("a", time_ms, {"x": rng.random()}) for time_ms in times])
            await applied(service)
            await service.applier.checkpoint_all()
            clock.move(60_000)
        await service.applier.checkpoint_all()
        path = service.database.path
        await service.database.move_log()
        before_bytes, used = path.stat().st_size, await used_bytes(service.database)
        oldest = await service.database.read("SELECT made_ms FROM chunk WHERE kind = 'readings' ORDER BY made_ms")
        bytes_max = used - 300_000
        others = await service.database.read("SELECT count(*) FROM chunk WHERE kind != 'readings'")
        small = replace(FOR_EVER, file_bytes_max=bytes_max)
        assert await retire(service.database, small, IngestConfig(), clock.now_ms())
        assert await used_bytes(service.database) <= bytes_max
        assert await service.database.read("SELECT freelist_count FROM pragma_freelist_count") == [(0,)]
        await service.database.move_log()
        assert path.stat().st_size < before_bytes - 250_000
        left = await service.database.read("SELECT made_ms FROM chunk WHERE kind = 'readings' ORDER BY made_ms")
        assert left == oldest[len(oldest) - len(left) :] and 0 < len(left) < len(oldest)
        assert await service.database.read("SELECT count(*) FROM chunk WHERE kind != 'readings'") == others
        assert (await service.results.buckets(BucketQuery(limit=1))).rows


async def test_idempotency_keys_go_when_their_window_is_over(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with running(config(tmp_path / "state"), clock=clock) as service:
        async with service.database.transaction() as db:
            for key, age_s in (("old", 101), ("young", 99)):
                row = (key, START_MS - age_s * 1000, b"", 1, 0, "{}")
                await db.execute("INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)", row)
        assert await retire(service.database, FOR_EVER, IngestConfig(idempotency_window_s=100), START_MS) == 1
        assert await service.database.read("SELECT key FROM idempotency") == [("young",)]
