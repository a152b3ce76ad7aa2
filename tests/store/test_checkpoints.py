"""A checkpoint that cannot be written loses nothing; one that was lets the journal be pruned, and no further."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from offbeat import applier
from offbeat.assembly import assembled
from offbeat.clock import ManualClock
from offbeat.errors import NotYet, StoreUnavailable
from offbeat.service import Service, running
from offbeat.store import checkpoints
from offbeat.store.database import Database
from offbeat.verification import verify
from tests.engine.run import Event, random_steps
from tests.store.process import START_MS, applied, config, copied, everything, journal_of, round_made, send


@asynccontextmanager
async def full_disk(service: Service) -> AsyncIterator[None]:
    """Nothing can be written: the file may not grow by a page."""
    database = service.database
    await database.read("SELECT 1")
    async with database.transaction() as db:
        await db.execute("INSERT INTO counter VALUES ('probe', 1) ON CONFLICT DO UPDATE SET value = value + 1")
    ((pages,),) = await database._writer.execute_fetchall("PRAGMA page_count")
    await database._writer.execute_fetchall(f"PRAGMA max_page_count={pages}")
    try:
        yield
    finally:
        await database._writer.execute_fetchall("PRAGMA max_page_count=1073741823")


def events(seed: int, count: int = 400) -> list[Event]:
    return [e for e in random_steps(seed, count, absurd=0.1) if isinstance(e, Event)]


async def uninterrupted(state: Path, todo: list[Event]) -> dict[str, Any]:
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        await send(service, todo)
        return await everything(service)


async def test_a_checkpoint_that_the_disk_refuses_loses_nothing_and_succeeds_later(tmp_path: Path) -> None:
    todo = events(1)
    expected = await uninterrupted(tmp_path / "calm", todo)
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, todo[:300])
        await applied(service)
        before = await everything(service)
        async with full_disk(service):
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await service.applier.checkpoint_all()
            assert await everything(service) == before
        await send(service, todo[300:])
        assert await everything(service) == expected
        await service.applier.checkpoint_all()
        assert await everything(service) == expected
        tail = await service.applier.ask(lambda engine: (engine.tail.row_count, engine.tail.shards()))
        assert tail == (0, set())
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        assert await everything(service) == expected


@pytest.mark.parametrize("again", ["in the same life", "after a crash"])
async def test_a_checkpoint_that_is_cut_short_after_any_of_its_transactions_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    monkeypatch.setattr(checkpoints, "WRITTEN_AT_ONCE_BYTES", 400)
    todo = events(1)
    expected = await uninterrupted(tmp_path / "calm", todo)
    whole, left = Database.write, 0

    async def write(database: Database, statements: Any) -> None:
        nonlocal left
        if any(table in sql for sql, _ in statements for table in ("checkpoint", "chunk", "INTO shard")):
            left -= 1
            if left < 0:
                raise StoreUnavailable("cut short")
        await whole(database, statements)

    for cut in (0, 1, 2, 4, 8, 12, 1000):
        state, left = tmp_path / str(cut), cut
        async with running(config(state), clock=ManualClock(START_MS)) as service:
            await send(service, todo[:150])
            await applied(service)
            await service.applier.checkpoint_all()
            await send(service, todo[150:300])
            await applied(service)
            monkeypatch.setattr(Database, "write", write)
            try:
                await service.applier.checkpoint_all()
            except StoreUnavailable:
                assert cut < 1000
            monkeypatch.setattr(Database, "write", whole)
            if again == "in the same life":
                await send(service, todo[300:])
                assert await everything(service) == expected
                await service.applier.checkpoint_all()
                assert await everything(service) == expected
            else:
                state = await copied(service, tmp_path / f"copy-{cut}")
        async with running(config(state), clock=ManualClock(START_MS)) as service:
            if again == "after a crash":
                await send(service, todo[300:])
                await applied(service)
            assert await everything(service) == expected
            await service.applier.checkpoint_all()
            assert await everything(service) == expected
        assert left < min(cut, 1000 - 12), "each of them was reached"


async def test_a_checkpoint_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    todo = events(2)
    expected = await uninterrupted(tmp_path / "calm", todo)
    for waits in range(0, 30, 3):  # turns of the loop: before, in the middle of, and after the transaction
        async with running(config(tmp_path / f"state{waits}"), clock=ManualClock(START_MS)) as service:
            await send(service, todo)
            await applied(service)
            writing = asyncio.create_task(service.applier.checkpoint_all())
            for _ in range(waits):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            crashed = await copied(service, tmp_path / f"copy{waits}")
        async with running(config(crashed), clock=ManualClock(START_MS)) as service:
            assert await everything(service) == expected


async def test_findings_that_the_disk_refuses_are_not_read_until_they_are_written(tmp_path: Path) -> None:
    todo = events(3)
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, todo[:50])
        await applied(service)
        service.applier._writing = asyncio.Lock()
        async with service.applier._writing:  # nothing is written meanwhile
            receipt = await send(service, todo[50:])
            with pytest.raises(NotYet):
                await service.applier.reached(receipt.sequence, 0.05)
        await applied(service)
        records = await service.database.read("SELECT count(*) FROM record")
        assert records[0][0] > 3


async def test_the_journal_keeps_one_round_more_than_recovery_needs(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        firsts = []
        for part in range(5):
            firsts.append(service.committer.seq + 1)
            for first in range(0, 60, 20):
                await send(service, events(part + 10, 100)[first : first + 20])
            await applied(service)
            await round_made(service)
            held = [entry.seq for entry in await journal_of(service)]
            assert held == list(range(firsts[part] if part else 1, service.committer.seq + 1))
        crashed = await copied(service, tmp_path / "copy")
    report = await verify(crashed, lambda database: assembled(database, config(crashed)))
    assert report.differences == () and report.entries == 3


async def test_sequences_go_on_where_they_were_although_the_journal_is_empty(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        await send(service, events(1, 50))
        await applied(service)
        for _ in range(3):
            await round_made(service)
        newest = service.committer.seq
        assert await journal_of(service) == []
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        assert service.committer.seq == newest
        receipt = await send(service, events(1, 5))
        assert receipt.sequence == newest + 1


async def test_a_checkpoint_is_due_when_its_time_has_come_or_memory_is_full(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    settings = config(tmp_path / "state", store={"checkpoint_s": 100.0, "tail_readings_max": 1000})
    async with running(settings, clock=clock) as service:
        await send(service, [Event("a", START_MS, {"x": 1.0})])
        await applied(service)
        await service.applier._checkpoint_due()
        assert await service.database.read("SELECT count(*) FROM shard") == [(0,)]
        clock.move(100_000)
        await service.applier._checkpoint_due()
        assert await service.database.read("SELECT count(*) FROM shard") == [(1,)]
        await send(service, [Event("a", START_MS + i, {"x": 1.0}) for i in range(1200)])
        await applied(service)
        await service.applier._checkpoint_due()
        assert await service.applier.ask(lambda engine: engine.tail.row_count) == 0


async def test_settings_that_results_depend_on_hold_from_their_entry_on_also_in_a_replay(tmp_path: Path) -> None:
    state, todo = tmp_path / "state", events(5)
    strict = {"record_score_min": 100.0}
    async with running(config(state), clock=ManualClock(START_MS)) as service:
        await send(service, todo[:200])
        await applied(service)
        lax = await service.database.read("SELECT count(*) FROM record WHERE score < 100")
    async with running(config(state, store=strict), clock=ManualClock(START_MS)) as service:
        await applied(service)
        assert service.engine.settings.score_min == 100.0
        await send(service, todo[200:])
        expected = await everything(service)
        crashed = await copied(service, tmp_path / "copy")
        after = await service.database.read("SELECT count(*) FROM record WHERE score < 100")
    assert lax == after != [(0,)]
    async with running(config(crashed, store=strict), clock=ManualClock(START_MS)) as service:
        assert await everything(service) == expected


async def test_pieces_of_a_checkpoint_that_was_not_finished_are_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = events(4)
    expected = await uninterrupted(tmp_path / "calm", todo)

    async def pieces(service: Service) -> list[int]:
        counts = "SELECT (SELECT count(*) FROM chunk), (SELECT count(*) FROM checkpoint)"
        return list((await service.database.read(counts))[0])

    async def refused(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, todo[:200])
        await applied(service)
        await service.applier.checkpoint_all()
        await send(service, todo[200:])
        await applied(service)
        finished = await pieces(service)
        with monkeypatch.context() as patch:
            patch.setattr(applier, "keep_shard", refused)
            with pytest.raises(StoreUnavailable):
                await service.applier.checkpoint_all()
            assert all(now > then for now, then in zip(await pieces(service), finished, strict=True)), "they are there"
            assert await everything(service) == expected
            crashed = await copied(service, tmp_path / "copy")
            with pytest.raises(StoreUnavailable):
                await service.applier.checkpoint_all()
        await service.applier.checkpoint_all()
        assert await everything(service) == expected
    async with running(config(crashed), clock=ManualClock(START_MS)) as service:
        assert await pieces(service) == finished
        assert await everything(service) == expected
