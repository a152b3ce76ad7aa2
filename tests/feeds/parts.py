"""A daemon without its doors, a job, and a wait that a test ends: what the tests of feeds share."""
from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from offbeat.clock import ManualClock
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.feeds.batch import Form
from offbeat.feeds.feed import Feed
from offbeat.feeds.spec import FeedSpec, spec_of
from offbeat.service import Service, running
from tests.store.process import config

START_S = 1_700_000_040
"""Where a bucket of a minute begins."""
SPAN_S = 60
JOB = AnalysisSpec("shop", (DetectorSpec("mean", field="value", by="host"), DetectorSpec("count")), SPAN_S,
                   influencers=("host",))
PATIENCE_S = 30.0


class Waits:
    """The waits of a feed: each lasts until the test lets it look again, or it is to stop. seconds: what was asked."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._go, self._asleep = asyncio.Event(), asyncio.Event()

    async def __call__(self, seconds: float, stopping: asyncio.Event) -> None:
        self.seconds.append(seconds)
        self._asleep.set()
        both = [asyncio.ensure_future(self._go.wait()), asyncio.ensure_future(stopping.wait())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for one in both:
            one.cancel()
        self._go.clear()
        self._asleep.clear()

    async def asleep(self) -> None:
        """Return once the feed waits."""
        async with asyncio.timeout(PATIENCE_S):
            await self._asleep.wait()

    async def look(self) -> None:
        """Let the feed look, and return once it waits again."""
        await self.asleep()
        self._asleep.clear()
        self._go.set()
        await self.asleep()


class House:
    """A daemon at work, its clock and the waits of its feeds."""

    def __init__(self, service: Service, clock: ManualClock, waits: Waits) -> None:
        self.service, self.clock, self.waits = service, clock, waits
        self.feeds, self.analyses = service.feeds, service.analyses

    async def fed(self, document: dict[str, Any], spec: AnalysisSpec = JOB, **bounds: int) -> None:
        """A job with this feed, at work."""
        await self.analyses.create(spec, {})
        await self.feeds.put(spec.id, spec_of(document))
        await self.feeds.start(spec.id, **bounds)

    def at_work(self, id: str = JOB.id) -> Feed:
        """The feed of a job, or the last that it had."""
        return self.feeds._last[id]

    async def ended(self, id: str = JOB.id) -> None:
        """Return once the feed has stopped by itself."""
        async with asyncio.timeout(PATIENCE_S):
            while id in self.feeds._at_work:
                await asyncio.wait((self.feeds._at_work[id][1],))

    async def found(self, id: str = JOB.id) -> dict[str, Any]:
        """All that a job has found and counted."""
        job = self.analyses.get(id)
        totals = await self.analyses.runner.ask(job.number, lambda one: one.totals.copy())
        tables = {}
        for table in ("result_bucket", "result_record", "result_influencer"):
            rows = await self.service.database.read(f"SELECT * FROM {table} WHERE job = ?", (job.number,))
            tables[table] = sorted(map(repr, rows))
        return {"counts": totals.counts, "latest": totals.latest_ms, **tables}

    async def values(self) -> list[int]:
        """How many records each bucket has, final or not."""
        await self.analyses.flush(JOB.id, interim=True, start_ms=None, end_ms=None, advance_ms=None, by_feed=True)
        rows = await self.service.database.read("SELECT event_count FROM result_bucket ORDER BY start_ms")
        return [count for (count,) in rows]


@asynccontextmanager
async def house(directory: Path, clock: ManualClock | None = None) -> AsyncIterator[House]:
    """A daemon over *directory*, drained at the end."""
    clock, waits = clock or ManualClock((START_S + 10_000_000) * 1000), Waits()
    async with running(config(directory), clock=clock) as service:
        service.feeds.wait = waits
        yield House(service, clock, waits)


async def uploaded(directory: Path, body: bytes, document: dict[str, Any], spec: AnalysisSpec = JOB) -> dict[str, Any]:
    """What a job finds that is sent all of *body* at once."""
    feed: FeedSpec = spec_of(document)

    async with house(directory) as home:
        job = await home.analyses.create(spec, {})
        records, counts = Form(feed.data, feed.transforms, spec.columns).records_of(body)

        async def one() -> AsyncIterator[Upload]:
            yield Upload(job.number, records, counts)

        await home.analyses.upload(spec.id, one())
        return await home.found(spec.id)


def rows(seed: int, count: int, start_s: int = START_S) -> list[tuple[int, str, float]]:
    """(time in s, host, value), some a second, in order."""
    dice = random.Random(seed)
    return [(start_s + i // 3, f"h{dice.randrange(3)}", round(dice.gauss(50, 5) + 400 * (i == count // 2), 3))
            for i in range(count)]


def csv(lines: Sequence[tuple[int, str, float]], header: bool = True) -> bytes:
    """*lines* as delimited text."""
    head = b"time,host,value\n" if header else b""
    return head + b"".join(f"{time},{host},{value}\n".encode() for time, host, value in lines)
