"""Findings to whoever follows: live ones as they are made, missed ones from the store, in the order of the journal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Job
from offbeat.engine.outcome import BucketChange, Finding, Outcome
from offbeat.errors import BadRequest, TooManyClients
from offbeat.store.database import Database
from offbeat.store.queries import Bucket, Record, StreamEvent
from offbeat.store.record_queries import findings_after, record_of

QUEUE_MAX = 4096
PAGE = 1000
TOGETHER = 32
"""So many are handed on at a time: they go out in one write, and others have their turn before the next."""
Place = tuple[int, int]


class Follower:
    """What one who follows wants, and what waits for it."""

    def __init__(self, kinds: frozenset[str], job: str | None, sources: frozenset[str], min_score: float) -> None:
        self.kinds, self._job, self._sources, self._min_score = kinds, job, sources, min_score
        self._waiting: deque[StreamEvent] = deque()
        self._some = asyncio.Event()
        self._ended = False

    def wants(self, kind: str, job: str | None, source: str | None, score: float) -> bool:
        """Is a record or bucket of this score to be told?"""
        return (
            kind in self.kinds
            and score >= self._min_score
            and (self._job is None or job == self._job)
            and (not self._sources or source in self._sources)
        )

    def wants_event(self, event: StreamEvent) -> bool:
        """Is *event* to be told?"""
        body = event.body
        if isinstance(body, Record | Bucket):
            return self.wants(event.kind, body.job, body.source, body.score)
        return event.kind in self.kinds

    def put(self, event: StreamEvent) -> bool:
        """Queue *event*; False if the follower is too slow: it ends, and goes on from its last id when it is back."""
        if len(self._waiting) >= QUEUE_MAX:
            self.end()
            return False
        self._waiting.append(event)
        self._some.set()
        return True

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._some.set()

    async def take(self) -> list[StreamEvent]:
        """What waits, up to TOGETHER of it; nothing once all has been taken and it has ended."""
        while not self._waiting and not self._ended:
            self._some.clear()
            await self._some.wait()
        return [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]


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
        self._followers: set[Follower] = set()

    def publish(self, outcome: Outcome) -> None:
        """Tell all followers what entries gave; what nobody wants is not even formed."""
        if not self._followers:
            return
        jobs = self._jobs()
        both: list[Finding | BucketChange] = [*outcome.findings, *outcome.changes]
        for one in sorted(both, key=lambda one: (one.seq, one.ordinal)):
            if (job := jobs.get(one.job)) is None:
                continue
            kind: Literal["record", "bucket"] = "record" if isinstance(one, Finding) else "bucket"
            source = self._catalog.sources.text(one.source)
            if those := [f for f in self._followers if f.wants(kind, job.spec.id, source, one.score)]:
                event = StreamEvent(f"{one.seq}-{one.ordinal}", kind, self._form(one, job))
                for follower in those:
                    self._put(follower, event)

    def tell(self, job: str, score: float, document: Callable[[], Mapping[str, Any]]) -> None:
        """Tell a record of an analysis to all followers that name no source; it has no id to go on from."""
        if those := [f for f in self._followers if f.wants("record", job, None, score)]:
            event = StreamEvent(None, "record", document())
            for follower in those:
                self._put(follower, event)

    def say(self, **status: Any) -> None:
        """Tell all followers something of the daemon itself."""
        for follower in [f for f in self._followers if "status" in f.kinds]:
            self._put(follower, StreamEvent(None, "status", status))

    def _put(self, follower: Follower, event: StreamEvent) -> None:
        if not follower.put(event):
            self._followers.discard(follower)

    def _form(self, one: Finding | BucketChange, job: Job) -> Record | Bucket:
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
            return record_of(job, row, self._series_name(one.series))
        return Bucket(
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

    @asynccontextmanager
    async def follow(
        self,
        *,
        job: str | None,
        sources: tuple[str, ...],
        min_score: float,
        kinds: frozenset[str],
        last_event_id: str | None,
    ) -> AsyncIterator[AsyncIterator[Sequence[StreamEvent]]]:
        """Events from now, or all after *last_event_id*, a few at a time.

        They end when the daemon stops or the follower is too slow.

        Raises TooManyClients, and BadRequest for an id that no event ever had.
        """
        if len(self._followers) >= self._clients_max():
            raise TooManyClients(
                f"{self._clients_max()} clients follow already", hint="http.stream_clients_max says how many may"
            )
        after = _place_of(last_event_id)
        follower = Follower(kinds, job, frozenset(sources), min_score)
        self._followers.add(follower)
        self._on_clients(len(self._followers))
        events = self._events(follower, after)
        try:
            yield events
        finally:
            await events.aclose()  # type: ignore[attr-defined]
            self._followers.discard(follower)
            self._on_clients(len(self._followers))

    async def _events(self, follower: Follower, after: Place | None) -> AsyncIterator[Sequence[StreamEvent]]:
        seen: Place = (0, 0)
        if after is not None:
            upto = await self._settle()
            seen = (upto, 1 << 60)
            while page := await findings_after(
                self._database, self._jobs(), after, upto, PAGE, self._series_name, self._catalog.sources.text
            ):
                for first in range(0, PAGE, TOGETHER):
                    if wanted := [event for event in page[first : first + TOGETHER] if follower.wants_event(event)]:
                        yield wanted
                after = _place_of(page[-1].id) or after
        while live := await follower.take():
            if new := [event for event in live if (place := _place_of(event.id)) is None or place > seen]:
                yield new

    def close(self) -> None:
        """End all streams."""
        for follower in self._followers:
            follower.end()
        self._followers.clear()


def _place_of(event_id: str | None) -> Place | None:
    if event_id is None:
        return None
    seq, _, ordinal = event_id.partition("-")
    if not (seq.isdecimal() and ordinal.isdecimal() and len(seq) < 19 and len(ordinal) < 19):
        raise BadRequest(
            f"{event_id!r} is not the id of an event", hint="ids look like 17-0", where={"header": "Last-Event-ID"}
        )
    return int(seq), int(ordinal)
