"""What waits together is decoded together; little waits for company, and only where company is likely."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from offbeat.config import IngestConfig
from offbeat.intake import decoding as module
from offbeat.intake.committer import Committer, Ended
from offbeat.intake.decoding import Decoding
from offbeat.intake.parcels import SMALL_BYTES, Parcel, Waiter
from offbeat.metrics import Metrics
from offbeat.records import Decoded
from offbeat.wire.options import Format, Options

LINE = b'{"source": "a", "time": 1000, "v": 1}\n'
LARGE = LINE * (SMALL_BYTES // len(LINE) + 1)


class Committing:
    """A committer of which the test says what it last did."""

    def __init__(self) -> None:
        self.ended = Ended()
        self.over = asyncio.Event()
        self.over.set()
        self.parcels: asyncio.Queue[Parcel] = asyncio.Queue()
        self.last_call: Callable[[], list[Parcel]]

    @property
    def under_way(self) -> bool:
        return not self.over.is_set()

    async def commit_over(self) -> None:
        await self.over.wait()

    def put(self, parcel: Parcel) -> None:
        self.parcels.put_nowait(parcel)

    def answered(self, bodies: int, *, took_s: float) -> None:
        """A transaction has ended just now."""
        self.ended = Ended(asyncio.get_running_loop().time(), took_s, bodies)
        self.over.set()

    async def parcel(self) -> Parcel:
        return await asyncio.wait_for(self.parcels.get(), 10)


@asynccontextmanager
async def decoding() -> AsyncIterator[tuple[Decoding, Committing]]:
    committing = Committing()
    made = Decoding(2, Metrics(), cast(Committer, committing))
    task = asyncio.create_task(made.run())
    try:
        yield made, committing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.close()


def waiter(body: bytes = LINE, format: Format = "ndjson") -> Waiter:
    return Waiter(body, Options.of(IngestConfig(), format), 1000, None, None)


async def settled() -> None:
    """Everything that can run without anything new has run."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("since_s", [0.0, 1000.0])
async def test_a_lone_sender_waits_for_nobody(since_s: float) -> None:
    async with decoding() as (made, committing):
        committing.answered(1, took_s=100.0)  # its own body before this one
        committing.ended = Ended(committing.ended.at_s - since_s, 100.0, 1)
        made.put(waiter())
        await settled()
        assert len((committing.parcels.get_nowait()).waiters) == 1


async def test_bodies_that_come_while_a_transaction_is_under_way_go_together() -> None:
    async with decoding() as (made, committing):
        committing.over.clear()
        for _ in range(3):
            made.put(waiter())
            await settled()
        assert committing.parcels.empty()
        committing.answered(0, took_s=100.0)
        parcel = await committing.parcel()
        assert (len(parcel.waiters), parcel.decoded.table.source.size) == (3, 3)


async def test_the_next_bodies_of_senders_that_were_just_answered_go_along() -> None:
    async with decoding() as (made, committing):
        committing.over.clear()
        made.put(waiter())
        await settled()
        committing.answered(2, took_s=1000.0)
        for more in range(2):
            await settled()
            assert committing.parcels.empty(), more
            made.put(waiter())
        assert len((await committing.parcel()).waiters) == 3


async def test_they_are_waited_for_no_longer_than_a_part_of_a_transaction() -> None:
    async with decoding() as (made, committing):
        committing.answered(100, took_s=0.01)
        made.put(waiter())
        assert len((await committing.parcel()).waiters) == 1


async def test_a_transaction_that_begins_anyway_takes_the_little_along() -> None:
    async with decoding() as (made, committing):
        committing.answered(100, took_s=1000.0)
        for _ in range(2):
            made.put(waiter())
        await settled()
        assert committing.parcels.empty()
        (parcel,) = committing.last_call()
        assert (len(parcel.waiters), committing.last_call()) == (2, [])


async def test_the_little_waits_for_nothing_that_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    free, decoded = threading.Event(), module.decoded_of

    def held(waiters: list[Waiter], careful_max: int | None = None) -> Decoded:
        assert careful_max is not None or free.wait(30)
        return decoded(waiters, careful_max)

    monkeypatch.setattr(module, "decoded_of", held)
    async with decoding() as (made, committing):
        for _ in range(8):
            made.put(waiter(LARGE))
        made.put(waiter())
        assert (await committing.parcel()).waiters[0].body == LINE
        free.set()
        assert [len(w.body) for _ in range(2) for w in (await committing.parcel()).waiters] == 8 * [len(LARGE)]


async def test_the_little_that_is_much_together_waits_for_no_company() -> None:
    async with decoding() as (made, committing):
        committing.over.clear()
        count = 20
        for _ in range(count):
            made.put(waiter(LINE * (SMALL_BYTES // len(LINE) // count + 1)))
        assert len((await committing.parcel()).waiters) == count


async def test_bodies_of_several_formats_that_wait_together_become_one_transaction() -> None:
    async with decoding() as (made, committing):
        committing.over.clear()
        for format, body in (("ndjson", LINE), ("influx", b"m,source=a v=1 1000000\n"), ("ndjson", LINE)):
            made.put(waiter(body, cast(Format, format)))
        committing.answered(0, took_s=100.0)
        await settled()
        assert [p.waiters[0].options.format for p in list(committing.parcels._queue)] == [  # type: ignore[attr-defined]
            "ndjson", "influx", "ndjson",
        ]


async def test_a_little_body_that_takes_long_does_not_hold_up_the_event_loop() -> None:
    """It is decoded on a thread, and nothing of it is lost."""
    async with decoding() as (made, committing):
        odd = b'{"source": "\\u0061", "time": 1000, "v": 1}\n' * 2000
        made.put(waiter(odd + b"x\n"))
        await settled()
        assert committing.parcels.empty()
        decoded = (await committing.parcel()).decoded
        assert (decoded.table.source.size, decoded.rejected_codes) == (2000, {"bad_json": 1})
