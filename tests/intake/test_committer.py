"""What waits together is one transaction, and one entry as far as that goes; each sender has its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from offbeat.clock import ManualClock
from offbeat.config import Config
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Block, Entry
from offbeat.errors import BadBody
from offbeat.intake.committer import ENTRY_EVENTS_MAX, Committer
from offbeat.intake.decoding import decoded_of
from offbeat.intake.parcels import Parcel, Waiter
from offbeat.metrics import Metrics
from offbeat.records import Receipt
from offbeat.store import journal
from offbeat.store.database import Database, Statements, prepare
from offbeat.wire.options import Format, Options

NOW_MS = 1_700_000_000_000


class Committing:
    """A committer over a real file; what it handed on and gave back."""

    def __init__(self, database: Database) -> None:
        self.fed: list[Entry] = []
        self.bytes: list[int] = []
        self.database = database
        self.committer = Committer(
            database, Catalog(Limits(1000, 100, 1000, 1000)), Config, ManualClock(NOW_MS), Metrics(), 0,
            self._feed, self.bytes.append)

    def _feed(self, entry: Entry, count: int) -> None:
        self.fed.append(entry)
        self.bytes.append(count)

    async def commit(self, *bodies: bytes) -> list[Receipt]:
        """Commit *bodies*, each a parcel, that wait together; the answers."""
        parcels = [parcel(body) for body in bodies]
        for one in parcels:
            self.committer.put(one)
        task = asyncio.create_task(self.committer.run())
        try:
            return [await asyncio.wait_for(one.waiters[0].taken, 30) for one in parcels]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def committing(directory: Path) -> AsyncIterator[Committing]:
    path = directory.with_suffix(".sqlite")
    prepare(path)
    async with Database(path) as database:
        yield Committing(database)


def parcel(body: bytes, beside: Statements = (), format: Format = "ndjson") -> Parcel:
    """One body, decoded; *beside* is to be written with it."""
    waiters = [Waiter(body, Options.of(Config().ingest, format), NOW_MS, None, None, beside)]
    return Parcel(decoded_of(waiters), waiters)


def body(source: str, count: int, more: str = "") -> bytes:
    lines = [f'{{"source": "{source}", "time": {NOW_MS - 10 * i}, "v": {i}{more}}}\n' for i in range(count)]
    return "".join(lines).encode()


def values(block: object) -> list[tuple[int, int, int, float]]:
    """Source, time, series and value of each reading."""
    assert isinstance(block, Block)
    rows = block.point_row
    columns = (block.source[rows], block.time_ms[rows], block.series, block.value)
    return list(zip(*[column.tolist() for column in columns], strict=True))


async def test_bodies_that_wait_together_become_one_entry_and_each_is_answered(tmp_path: Path) -> None:
    async with committing(tmp_path / "alone") as alone, committing(tmp_path / "together") as together:
        bodies = [body("a", 3), b"", body("b", 2) + b"broken\n", body("a", 1)]
        for one in bodies:
            await alone.commit(one)
        receipts = await together.commit(*bodies)
        assert [(r.accepted, r.rejected, r.sequence) for r in receipts] == [(3, 0, 1), (0, 0, 1), (2, 1, 1), (1, 0, 1)]
        assert [entry.seq for entry in together.fed] == [1]
        assert values(together.fed[0].body) == [value for entry in alone.fed for value in values(entry.body)]
        assert sum(together.bytes) == sum(alone.bytes) == sum(map(len, bodies))


async def test_texts_and_too_many_events_begin_an_entry_of_their_own(tmp_path: Path) -> None:
    async with committing(tmp_path / "state") as made:
        receipts = await made.commit(
            body("a", 2), body("b", 2, ', "text": "x"'), body("c", 2), body("d", ENTRY_EVENTS_MAX - 2), body("e", 1))
        assert [r.sequence for r in receipts] == [1, 2, 3, 3, 4]
        kept = [entry async for entry in journal.entries(made.database, 0)]
        assert [entry.seq for entry in kept] == [entry.seq for entry in made.fed] == [1, 2, 3, 4]
        for fed, read in zip(made.fed, kept, strict=True):
            assert isinstance(fed.body, Block) and isinstance(read.body, Block)
            assert values(fed.body) == values(read.body)
            for name in ("source", "time_ms", "point_row", "series", "value", "text_row", "text_field", "text_code"):
                one, other = getattr(fed.body, name), getattr(read.body, name)
                assert one.dtype == other.dtype and np.array_equal(one, other)


async def test_the_little_that_comes_before_the_writer_is_free_goes_along(tmp_path: Path) -> None:
    async with committing(tmp_path / "state") as made:
        little = [parcel(body("b", 2))]
        async with made.database.transaction():
            first = asyncio.create_task(made.commit(body("a", 1)))
            for _ in range(20):
                await asyncio.sleep(0)
            made.committer.last_call = lambda: little
        receipts = [*await first, await asyncio.wait_for(little[0].waiters[0].taken, 30)]
        assert [(r.accepted, r.sequence) for r in receipts] == [(1, 1), (2, 1)]


async def test_what_is_beside_a_body_is_written_with_it_or_not_at_all(tmp_path: Path) -> None:
    def noted(name: str) -> Statements:
        return [("INSERT INTO counter VALUES (?, 1)", [(name,)])]

    async with committing(tmp_path / "state") as made:
        refusing = "CREATE TRIGGER no BEFORE INSERT ON journal WHEN new.seq = 3 BEGIN SELECT raise(FAIL, 'no'); END"
        await made.database.write([(refusing, [()])])
        task = asyncio.create_task(made.committer.run())
        some = [
            parcel(body("a", 1), noted("with events")), parcel(b"", noted("without")), parcel(body("b", 1), noted("2"))]
        unread = parcel(b"[{", noted("of a body that cannot be read"), "json")
        for one in (*some[:2], unread):
            made.committer.put(one)
        await asyncio.wait([one.waiters[0].taken for one in (*some[:2], unread)], timeout=30)
        assert isinstance(unread.waiters[0].taken.exception(), BadBody)
        made.committer.put(some[2])
        await asyncio.wait_for(some[2].waiters[0].taken, 30)
        refused = parcel(body("c", 1), noted("refused"))
        made.committer.put(refused)
        await asyncio.wait([refused.waiters[0].taken], timeout=30)
        assert isinstance(refused.waiters[0].taken.exception(), Exception)
        task.cancel()
        kept = {name for name, _ in await made.database.read("SELECT * FROM counter")}
        assert kept & {"with events", "without", "2", "refused", "of a body that cannot be read"} == {
            "with events", "without", "2"}


async def test_a_transaction_that_failed_leaves_no_name_behind(tmp_path: Path) -> None:
    async with committing(tmp_path / "state") as made:
        await made.commit(body("a", 1))
        refusing = "CREATE TRIGGER no BEFORE INSERT ON journal BEGIN SELECT raise(FAIL, 'no'); END"
        await made.database.write([(refusing, [()])])
        failed = await asyncio.gather(made.commit(body("b", 1)), return_exceptions=True)
        assert isinstance(failed[0], Exception)
        await made.database.write([("DROP TRIGGER no", [()])])
        receipts = await made.commit(body("c", 1))
        assert receipts[0].sequence == 2
        assert [made.committer._catalog.sources.text(i) for i in range(2)] == ["a", "c"]
        assert await made.database.read("SELECT id, name FROM source ORDER BY id") == [(0, "a"), (1, "c")]
