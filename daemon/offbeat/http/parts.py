"""What the doors need of the rest, as forms: the real parts are built and joined by the service."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from offbeat.alerts.alerts import Alerts
from offbeat.analyses.life import Analyses
from offbeat.backtest.preview import Run
from offbeat.checks.checks import Checks
from offbeat.clock import Clock
from offbeat.clustering import Clustering
from offbeat.config import Config
from offbeat.feedback import AdjustmentInfo
from offbeat.feeds.feeds import Feeds
from offbeat.metrics import Metrics
from offbeat.records import JobInfo, JobSpec, Receipt
from offbeat.store.database import Database, Statements
from offbeat.store.overview_queries import Lane, Overview, OverviewQuery
from offbeat.store.queries import (
    Bucket,
    BucketQuery,
    DaemonDiagnosis,
    Page,
    QuarantinedLine,
    ReadingsQuery,
    Record,
    RecordInFull,
    RecordQuery,
    SeriesReadings,
    SourceClusters,
    SourceDiagnosis,
    SourceInfo,
    StreamEvent,
)
from offbeat.tokens import Tokens
from offbeat.vibration.measured import Measured
from offbeat.vitals import Health
from offbeat.weighing import Said, Weighed
from offbeat.wire.options import Options


class Intake(Protocol):
    """The bounded way in."""

    async def receive(self, body: bytes | AsyncIterator[bytes], options: Options, *,
                      encoding: str, length: int | None, key: str | None) -> Receipt:
        """Take one body, whole or in chunks; what the receipt counts is durable.

        Raises a Refused; what the chunks raise passes through.
        """
        ...

    async def keep(self, body: bytes, options: Options, beside: Statements) -> Receipt:
        """Take the events of *body* and write *beside* in the same transaction; a Refused, and then neither is stored.
        """
        ...

    def offer(self, body: bytes, options: Options) -> asyncio.Future[Receipt] | None:
        """What will become of a whole body that is not encoded and has no key; None if it would be refused at once."""
        ...

    def outcome(self, taken: asyncio.Future[Receipt], options: Options) -> Receipt:
        """The receipt of a body that was offered, once that is known; or what it is refused with, raised."""
        ...


class Results(Protocol):
    """What was found, as it can be asked for."""

    async def reached(self, sequence: int, timeout_s: float) -> None:
        """Return once answers include journal entry *sequence*; a Refused after *timeout_s*."""
        ...

    async def buckets(self, query: BucketQuery) -> Page[Bucket]: ...
    async def records(self, query: RecordQuery) -> Page[Record]: ...
    async def overview(self, query: OverviewQuery) -> Overview: ...
    async def job_lanes(self, query: OverviewQuery) -> list[Lane]: ...

    async def record(self, id: str) -> RecordInFull:
        """One record with what is known around it, or NotFound."""
        ...

    async def sources(self, prefix: str, limit: int, cursor: str | None) -> Page[SourceInfo]: ...

    async def source(self, name: str) -> SourceInfo:
        """One source with its metadata and series, or NotFound."""
        ...

    async def set_metadata(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a source, or NotFound."""
        ...

    async def clusters(self, job: str, source: str) -> SourceClusters:
        """The clusters of events of one source in a job, or NotFound."""
        ...

    async def readings(self, query: ReadingsQuery) -> tuple[SeriesReadings, ...]: ...
    async def quarantine(self, code: str | None, limit: int, cursor: str | None) -> Page[QuarantinedLine]: ...

    async def diagnosis(self, sources: tuple[str, ...], limit: int,
                        cursor: str | None) -> tuple[DaemonDiagnosis, Page[SourceDiagnosis]]: ...


class Jobs(Protocol):
    """The jobs and their life."""

    async def list(self) -> tuple[JobInfo, ...]: ...
    async def get(self, id: str) -> JobInfo: ...

    async def create(self, spec: JobSpec) -> JobInfo:
        """A new job; Conflict if the id is taken, BadRequest for an unknown model or a bad parameter of it."""
        ...

    async def delete(self, id: str) -> None:
        """Delete a job; NotFound, or Conflict for the built-in one."""
        ...


class Feedback(Protocol):
    """What people say of what was found, and the adjustments that come of it."""

    async def weigh(self, said: Said) -> Weighed:
        """What it would do; BadRequest, NotFound, or Conflict where nothing can or need be done."""
        ...

    async def accept(self, said: Said) -> Weighed: ...

    async def get(self, name: str) -> AdjustmentInfo:
        """One adjustment, or NotFound."""
        ...

    async def undo(self, name: str) -> None:
        """Take one back; NotFound, or Conflict if it was already."""
        ...

    async def list(self, sources: tuple[str, ...], limit: int, cursor: str | None) -> Page[AdjustmentInfo]: ...


class Stream(Protocol):
    """What happens, as it happens."""

    def follow(self, *, job: str | None, sources: tuple[str, ...], min_score: float, kinds: frozenset[str],
               last_event_id: str | None) -> AbstractAsyncContextManager[AsyncIterator[Sequence[StreamEvent]]]:
        """Events from now, or from the one after *last_event_id*, a few at a time, until the daemon stops.

        Entering raises TooManyClients, or BadRequest for an id that was never given.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a handler may use.

    database          the store itself, for gateways, which keep tables of their own in it
    config            the current settings; a reload may change them between two calls
    ready             None if events can be taken now, else the reason why not
    keepalive_s       a stream that says nothing for this long gets a comment line
    """

    intake: Intake
    results: Results
    jobs: Jobs
    feedback: Feedback
    alerts: Alerts
    checks: Checks
    stream: Stream
    analyses: Analyses
    feeds: Feeds
    measured: Measured
    clustering: Clustering
    database: Database
    tokens: Tokens
    config: Callable[[], Config]
    ready: Callable[[], str | None]
    clock: Clock
    metrics: Metrics
    version: str
    health: Callable[[], Awaitable[Health]]
    preview: Run
    keepalive_s: float = 15.0
