"""One feed at work: it reads, hands on what it read with the cursor behind it, waits, and tries again what failed."""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from offbeat.analyses.job import Job
from offbeat.analyses.life import Analyses
from offbeat.clock import Clock
from offbeat.engine.analysis.entries import Upload
from offbeat.errors import Refused
from offbeat.feeds.batch import Batch, Bounds, Reading, cursor_of, cursor_text
from offbeat.feeds.errors import FeedTrouble
from offbeat.feeds.spec import FeedSpec, FileSource, SearchSource
from offbeat.metrics import Metrics

log = logging.getLogger(__name__)
State = Literal["STARTED", "STOPPING", "STOPPED"]
Wait = Callable[[float, asyncio.Event], Awaitable[None]]
"""Returns after so many seconds, or when the event is set."""
AGAIN_FIRST_S, AGAIN_MAX_S = 1.0, 300.0
"""How long after a failure it is tried again; each time twice as long, up to the second."""
TOLD_MAX = 20


async def wait_for(seconds: float, stopping: asyncio.Event) -> None:
    """As ``Wait`` by the machine's clock."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


@dataclass(slots=True)
class Trouble:
    """Why the source cannot be read: since when, how often it was tried, when again."""

    message: str
    since_ms: int
    tries: int
    again_ms: int


@dataclass(slots=True)
class Report:
    """What a feed has to say of itself since it was started. told: the newest last, each with its time."""

    record_count: int = 0
    outside_count: int = 0
    batch_count: int = 0
    trouble_count: int = 0
    last_read_ms: int | None = None
    trouble: Trouble | None = None
    told: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=TOLD_MAX))


class Feed:
    """The feed of *job* from its start to its end. *opened* opens the source, for the fields that the job needs."""

    def __init__(
        self, job: Job, spec: FeedSpec, bounds: Bounds, analyses: Analyses, clock: Clock, metrics: Metrics, wait: Wait,
        opened: Callable[[Job, FeedSpec], Reading],
    ) -> None:
        self.job, self.spec, self.bounds = job, spec, bounds
        self._analyses, self._clock, self._metrics, self._wait, self._opened = analyses, clock, metrics, wait, opened
        self.stopping = asyncio.Event()
        self.report = Report()
        self.ended = False  # it has read all that it was started for
        self._reading: Reading | None = None
        self._advanced_ms: int | None = None

    @property
    def state(self) -> State:
        """STARTED until it is to stop."""
        return "STOPPING" if self.stopping.is_set() else "STARTED"

    async def run(self) -> None:
        """Read until there is no more to come, or it is to stop; what is under way then is finished first."""
        try:
            await self._read()
        finally:
            if self._reading is not None:
                await self._reading.close()

    async def _read(self) -> None:
        while not (self.stopping.is_set() or self.ended):
            try:
                if self._reading is None:
                    self._reading = self._opened(self.job, self.spec)
                await self._drain(self._reading)
                self.report.trouble = None
            except (FeedTrouble, Refused) as e:
                await self._again(e.message if isinstance(e, Refused) else str(e))
                continue
            except Exception as e:  # a fault of ours must not end the feed, nor the daemon
                log.exception("the feed of job %s failed", self.job.spec.id)
                await self._again(f"{type(e).__name__}: {e}")
                continue
            if not self.ended:
                await self._wait(self.spec.looks_every_s(self.job.spec.bucket_span_s), self.stopping)

    async def _drain(self, reading: Reading) -> None:
        """Take all that there is now. The next is read while what was read before is analysed."""
        cursor = cursor_of(await self._analyses.runner.ask(self.job.number, lambda analysis: analysis.cursor))
        ahead = asyncio.ensure_future(reading.read(cursor, self.bounds))
        try:
            while (batch := await self._unless_stopped(ahead)) is not None:
                ahead = asyncio.ensure_future(reading.read(batch.cursor, self.bounds))
                await self._take(batch)
                if self._is_past(batch):
                    self.ended = True
                    return
        finally:
            if not ahead.done():
                ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
        if self.stopping.is_set():
            return
        await self._complete(reading)
        self.ended = self._is_over()

    async def _unless_stopped(self, ahead: asyncio.Future[Batch | None]) -> Batch | None:
        stopped = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((ahead, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return None if self.stopping.is_set() else ahead.result()

    async def _take(self, batch: Batch) -> None:
        """Hand on one batch, alone: were it lost with a later one kept, there would be a gap."""
        upload = Upload(self.job.number, batch.records, batch.counts, cursor_text(batch.cursor))

        async def one() -> AsyncIterator[Upload]:
            yield upload

        await self._analyses.upload(self.job.spec.id, one(), by_feed=True)
        report = self.report
        report.record_count += batch.records.size
        report.outside_count += batch.outside
        report.batch_count += 1
        report.last_read_ms = self._clock.now_ms()
        report.trouble = None
        self._metrics.feed_records_total.inc(batch.records.size)
        for message in batch.told:
            report.told.append((report.last_read_ms, message))
            log.warning("the feed of job %s: %s", self.job.spec.id, message)

    def _is_past(self, batch: Batch) -> bool:
        end_ms = self.bounds.end_ms
        if end_ms is None or batch.reached_ms is None:
            return False
        return batch.reached_ms >= end_ms + 1000 * self.job.spec.latency_s

    def _is_over(self) -> bool:
        """Now that there is nothing more: will there be none?"""
        source, end_ms = self.spec.source, self.bounds.end_ms
        if isinstance(source, FileSource) and not source.tail:
            return True
        delay_ms = 1000 * self.spec.query_delay_s if isinstance(source, SearchSource) else 0
        return end_ms is not None and self._clock.now_ms() >= end_ms + delay_ms

    async def _complete(self, reading: Reading) -> None:
        """Close the buckets that a search has read to their end: no document of them is waited for."""
        if reading.complete_ms is None:
            return
        span_ms = 1000 * self.job.spec.bucket_span_s
        upto_ms = reading.complete_ms - reading.complete_ms % span_ms
        latest_ms = await self._analyses.runner.ask(self.job.number, lambda analysis: analysis.latest_ms)
        if latest_ms is None or upto_ms <= max(latest_ms, self._advanced_ms or latest_ms):
            return
        await self._analyses.flush(
            self.job.spec.id, interim=False, start_ms=None, end_ms=None, advance_ms=upto_ms, by_feed=True)
        self._advanced_ms = upto_ms

    async def _again(self, message: str) -> None:
        report, now_ms = self.report, self._clock.now_ms()
        report.trouble_count += 1
        self._metrics.feed_troubles_total.inc()
        before = report.trouble
        tries = 1 if before is None else before.tries + 1
        wait_s = min(AGAIN_MAX_S, AGAIN_FIRST_S * 2.0 ** min(tries - 1, 20))
        since_ms = now_ms if before is None else before.since_ms
        report.trouble = Trouble(message, since_ms, tries, now_ms + int(1000 * wait_s))
        if before is None or before.message != message:
            log.warning("the feed of job %s cannot read: %s; it tries again", self.job.spec.id, message)
        await self._wait(wait_s, self.stopping)
