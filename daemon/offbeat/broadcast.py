"""Findings to whoever follows: live ones as they are made, missed ones from the store, in the order of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Job
from offbeat.engine.outcome import BucketChange, Finding, Outcome
from offbeat.errors import BadRequest, TooManyClients
from offbeat.store.database import Database
from offbeat.store.queries import Bucket, Record, StreamEvent
from offbeat.store.record_queries import findings_after, record_of

QUEUE_MAX = 4096
PAGE = 1000
Place = tuple[int, int]


class Broadcast:
    """The followers. *settle* writes all findings so far and answers the sequence up to which the store has them."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        jobs: Callable[[], Mapping[int, Job]],
        settle: Callable[[], Awaitable[int]],
        clients_max: Callable[[], int],
        on_clients: Callable[[int], None],
    ) -> None:
        self._database, self._catalog, self._jobs, self._settle = database, catalog, jobs, settle
        self._clients_max, self._on_clients = clients_max, on_clients
        self._queues: set[asyncio.Queue[StreamEvent | None]] = set()

    def publish(self, outcome: Outcome) -> None:
        """Tell all followers what entries gave."""
        if not self._queues:
            return
        jobs = self._jobs()
        both: list[Finding | BucketChange] = [*outcome.findings, *outcome.changes]
        for one in sorted(both, key=lambda one: (one.seq, one.ordinal)):
            if (job := jobs.get(one.job)) is not None:
                self._send(StreamEvent(f"{one.seq}-{one.ordinal}", *self._form(one, job)))

    def say(self, **status: Any) -> None:
        """Tell all followers something of the daemon itself."""
        self._send(StreamEvent(None, "status", status))

    def _form(self, one: Finding | BucketChange, job: Job) -> tuple[Any, Record | Bucket]:
        if isinstance(one, Finding):
            row = (
                one.series,
                one.bucket_ms,
                one.source,
                one.time_ms,
                one.actual,
                one.typical,
                one.lower,
                one.upper,
                one.novelty,
                one.probability,
                one.score,
                one.evidence,
            )
            return "record", record_of(job, row, self._series_name(one.series))
        return "bucket", Bucket(
            job.spec.id,
            self._catalog.sources.text(one.source),
            one.start_ms,
            job.spec.bucket_span_s,
            one.event_count,
            one.record_count,
            one.novelty,
            one.score,
            not one.closed,
        )

    def _series_name(self, series: int) -> tuple[str, str]:
        catalog = self._catalog
        return catalog.sources.text(int(catalog.series_source[series])), catalog.fields.text(
            int(catalog.series_field[series])
        )

    def _send(self, event: StreamEvent) -> None:
        for queue in list(self._queues):
            if (
                queue.qsize() >= QUEUE_MAX
            ):  # too slow: its stream ends, and goes on from its last event id when it comes back
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    @asynccontextmanager
    async def follow(
        self,
        *,
        job: str | None,
        sources: tuple[str, ...],
        min_score: float,
        kinds: frozenset[str],
        last_event_id: str | None,
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Events from now, or all after *last_event_id*; ends when the daemon stops or the follower is too slow.

        Raises TooManyClients, and BadRequest for an id that no event ever had.
        """
        if len(self._queues) >= self._clients_max():
            raise TooManyClients(
                f"{self._clients_max()} clients follow already", hint="http.stream_clients_max says how many may"
            )
        after = _place_of(last_event_id)
        queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue()
        self._queues.add(queue)
        self._on_clients(len(self._queues))

        def wanted(event: StreamEvent) -> bool:
            if event.kind not in kinds:
                return False
            if not isinstance(event.body, Record | Bucket):
                return True
            return (
                (job is None or event.body.job == job)
                and (not sources or event.body.source in sources)
                and event.body.score >= min_score
            )

        events = self._events(queue, after, wanted)
        try:
            yield events
        finally:
            await events.aclose()  # type: ignore[attr-defined]
            self._queues.discard(queue)
            self._on_clients(len(self._queues))

    async def _events(
        self, queue: asyncio.Queue[StreamEvent | None], after: Place | None, wanted: Callable[[StreamEvent], bool]
    ) -> AsyncIterator[StreamEvent]:
        seen: Place = (0, 0)
        if after is not None:
            upto = await self._settle()
            seen = (upto, 1 << 60)
            while page := await findings_after(
                self._database, self._jobs(), after, upto, PAGE, self._series_name, self._catalog.sources.text
            ):
                for event in page:
                    if wanted(event):
                        yield event
                after = _place_of(page[-1].id) or after
        while (live := await queue.get()) is not None:
            place = _place_of(live.id)
            if wanted(live) and (place is None or place > seen):
                yield live

    def close(self) -> None:
        """End all streams."""
        for queue in self._queues:
            queue.put_nowait(None)
        self._queues.clear()


def _place_of(event_id: str | None) -> Place | None:
    if event_id is None:
        return None
    seq, _, ordinal = event_id.partition("-")
    if not (seq.isdecimal() and ordinal.isdecimal() and len(seq) < 19 and len(ordinal) < 19):
        raise BadRequest(
            f"{event_id!r} is not the id of an event", hint="ids look like 17-0", where={"header": "Last-Event-ID"}
        )
    return int(seq), int(ordinal)
