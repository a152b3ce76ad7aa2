"""The parts behind the doors, in memory: they keep what they were asked and answer what they were given."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from offbeat.analyses.life import Analyses
from offbeat.clock import ManualClock
from offbeat.clustering import Clustering
from offbeat.config import Config
from offbeat.errors import BadRequest, Conflict, NotFound, Refused, TooManyClients
from offbeat.feedback import AdjustmentInfo
from offbeat.gateways import GATEWAYS
from offbeat.http.app import build_app, server_options
from offbeat.http.parts import Parts
from offbeat.http.short import doors
from offbeat.jobs import check
from offbeat.metrics import Metrics
from offbeat.records import JobInfo, JobSpec, Receipt
from offbeat.store.database import Statements
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
from offbeat.vitals import Health
from offbeat.weighing import Said, Weighed
from offbeat.wire.options import Options
from tests.http import rows

TAKEN = Receipt(accepted=1, rejected=0, errors=(), errors_omitted=0, sequence=17)


async def only(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


@dataclass(frozen=True, slots=True)
class Body:
    """One body as the intake was given it; *broken* is what its chunks raised."""

    data: bytes
    options: Options
    encoding: str
    length: int | None
    key: str | None
    broken: Exception | None


class MemoryIntake:
    """Takes every body, unless told to refuse it, before or after it read *refuse_after* bytes."""

    def __init__(self) -> None:
        self.receipt = TAKEN
        self.raises: Exception | None = None
        self.refuse_after: int | None = None
        self.bodies: asyncio.Queue[Body] = asyncio.Queue()
        self.reading = asyncio.Event()
        self.offered: list[asyncio.Future[Receipt]] = []
        self.answers = True  # what is offered, at once

    def offer(self, body: bytes, options: Options) -> asyncio.Future[Receipt] | None:
        if self.raises is not None and self.refuse_after is None:
            return None
        self.bodies.put_nowait(Body(body, options, "identity", len(body), None, None))
        self.offered.append(asyncio.get_running_loop().create_future())
        if self.raises is not None:
            self.offered[-1].set_exception(self.raises)
        elif self.answers:
            self.offered[-1].set_result(self.receipt)
        return self.offered[-1]

    def outcome(self, taken: asyncio.Future[Receipt], options: Options) -> Receipt:
        return taken.result()

    async def receive(self, body: bytes | AsyncIterator[bytes], options: Options, *,
                      encoding: str, length: int | None, key: str | None) -> Receipt:
        if self.raises is not None and self.refuse_after is None:
            raise self.raises
        data, broken = bytearray(), None
        try:
            async for chunk in only(body) if isinstance(body, bytes) else body:
                data += chunk
                self.reading.set()
                if self.raises is not None and self.refuse_after is not None and len(data) >= self.refuse_after:
                    raise self.raises
        except Refused:
            raise
        except Exception as e:
            broken = e
            raise
        finally:
            self.bodies.put_nowait(Body(bytes(data), options, encoding, length, key, broken))
        return self.receipt

    async def keep(self, body: bytes, options: Options, beside: Statements) -> Receipt:
        raise AssertionError("no gateway is tested with parts in memory")

    def body(self) -> Body:
        """The next body that came."""
        return self.bodies.get_nowait()


@dataclass
class MemoryResults:
    """Answers each question with the rows it holds, and keeps the question."""

    rows: dict[str, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def _answer(self, name: str, *question: Any) -> Any:
        self.asked.append((name, *question))
        answer = self.rows.get(name, Page((), None))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reached(self, sequence: int, timeout_s: float) -> None:
        self.asked.append(("reached", sequence, timeout_s))

    async def buckets(self, query: BucketQuery) -> Page[Bucket]:
        return self._answer("buckets", query)  # type: ignore[no-any-return]

    async def overview(self, query: OverviewQuery) -> Overview:
        return self._answer("overview", query)  # type: ignore[no-any-return]

    async def job_lanes(self, query: OverviewQuery) -> list[Lane]:
        return self._answer("job_lanes", query)  # type: ignore[no-any-return]

    async def records(self, query: RecordQuery) -> Page[Record]:
        return self._answer("records", query)  # type: ignore[no-any-return]

    async def record(self, id: str) -> RecordInFull:
        found = self._answer("record", id)
        if not isinstance(found, RecordInFull):
            raise NotFound(f"there is no record {id}")
        return found

    async def clusters(self, job: str, source: str) -> SourceClusters:
        found = self._answer("clusters", job, source)
        if not isinstance(found, SourceClusters):
            raise NotFound(f"the job {job} has no clusters of {source}")
        return found

    async def sources(self, prefix: str, limit: int, cursor: str | None) -> Page[SourceInfo]:
        return self._answer("sources", prefix, limit, cursor)  # type: ignore[no-any-return]

    async def source(self, name: str) -> SourceInfo:
        found = self._answer("source", name)
        if not isinstance(found, SourceInfo):
            raise NotFound(f"there is no source {name}")
        return found

    async def set_metadata(self, name: str, metadata: Mapping[str, Any]) -> None:
        self.rows["source"] = replace(await self.source(name), metadata=metadata)

    async def readings(self, query: ReadingsQuery) -> tuple[SeriesReadings, ...]:
        return self._answer("readings", query)  # type: ignore[no-any-return]

    async def quarantine(self, code: str | None, limit: int, cursor: str | None) -> Page[QuarantinedLine]:
        return self._answer("quarantine", code, limit, cursor)  # type: ignore[no-any-return]

    async def diagnosis(self, sources: tuple[str, ...], limit: int,
                        cursor: str | None) -> tuple[DaemonDiagnosis, Page[SourceDiagnosis]]:
        return self._answer("diagnosis", sources, limit, cursor)  # type: ignore[no-any-return]


class MemoryJobs:
    """Jobs in a dictionary, with the rules that the doors rely on."""

    def __init__(self) -> None:
        self.held = {"watch": JobInfo(JobSpec("watch"), 1_449_677_640_000, 12, 12, 0, 0, 8720, 0, 3, 96)}

    async def list(self) -> tuple[JobInfo, ...]:
        return tuple(self.held.values())

    async def get(self, id: str) -> JobInfo:
        if id not in self.held:
            raise NotFound(f"there is no job {id}")
        return self.held[id]

    async def create(self, spec: JobSpec) -> JobInfo:
        if spec.id in self.held:
            raise Conflict(f"there is a job {spec.id} already")
        check(spec, ())
        self.held[spec.id] = JobInfo(spec, 1_449_677_640_000, 0, 0, 0, 0, 0, 0, 0, 96)
        return self.held[spec.id]

    async def delete(self, id: str) -> None:
        if id == "watch":
            raise Conflict("the job watch is built in")
        await self.get(id)
        del self.held[id]


class MemoryFeedback:
    """One adjustment, the guide's: weighed whatever is said, held once it is accepted. *raises* refuses all."""

    def __init__(self) -> None:
        self.held: dict[str, AdjustmentInfo] = {}
        self.asked: list[Any] = []
        self.raises: Exception | None = None

    async def weigh(self, said: Said) -> Weighed:
        self.asked.append(said)
        if self.raises is not None:
            raise self.raises
        return rows.WEIGHED

    async def accept(self, said: Said) -> Weighed:
        weighed = replace(await self.weigh(said), name=rows.ADJUSTMENT.kept.name)
        self.held[rows.ADJUSTMENT.kept.name] = rows.ADJUSTMENT
        return weighed

    async def get(self, name: str) -> AdjustmentInfo:
        if name not in self.held:
            raise NotFound(f"there is no adjustment {name}")
        return self.held[name]

    async def undo(self, name: str) -> None:
        await self.get(name)
        del self.held[name]

    async def list(self, sources: tuple[str, ...], limit: int, cursor: str | None) -> Page[AdjustmentInfo]:
        self.asked.append((sources, limit, cursor))
        return Page(tuple(self.held.values()), None)


class MemoryStream:
    """Sends what is put into ``events``; None ends it, an error is raised. *clients_max* may follow at once."""

    def __init__(self, clients_max: int = 2) -> None:
        self.clients_max = clients_max
        self.clients = 0
        self.asked: list[dict[str, Any]] = []
        self.events: asyncio.Queue[StreamEvent | Exception | None] = asyncio.Queue()
        self.left = asyncio.Event()

    def follow(self, *, job: str | None, sources: tuple[str, ...], min_score: float, kinds: frozenset[str],
               last_event_id: str | None) -> AbstractAsyncContextManager[AsyncIterator[Sequence[StreamEvent]]]:
        self.asked.append(
            {"job": job, "sources": sources, "min_score": min_score, "kinds": kinds, "last_event_id": last_event_id})
        return self._follow(last_event_id)

    @asynccontextmanager
    async def _follow(self, last_event_id: str | None) -> AsyncIterator[AsyncIterator[Sequence[StreamEvent]]]:
        if self.clients >= self.clients_max:
            raise TooManyClients("too many follow the stream")
        if last_event_id == "never":
            raise BadRequest("never is no id of an event")
        self.clients += 1
        try:
            yield self._events()
        finally:
            self.clients -= 1
            self.left.set()

    async def _events(self) -> AsyncIterator[Sequence[StreamEvent]]:
        while (event := await self.events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield [event]


class NoAnalyses(Analyses):
    """No job with detectors: those are tested with the real daemon."""

    def __init__(self) -> None:
        self._by_id = {}


@dataclass
class Behind:
    """All that stands behind the doors of one test."""

    config: Config = field(default_factory=Config)
    not_ready: str | None = None
    keepalive_s: float = 15.0
    intake: MemoryIntake = field(default_factory=MemoryIntake)
    results: MemoryResults = field(default_factory=MemoryResults)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    feedback: MemoryFeedback = field(default_factory=MemoryFeedback)
    alerts: Any = None  # the doors of alerts and of checks are tested over the real ones
    checks: Any = None
    analyses: Analyses = field(default_factory=NoAnalyses)
    feeds: Any = None
    measured: Any = None
    database: Any = None
    tokens: Any = None  # by default there is none, and everything is open
    stream: MemoryStream = field(default_factory=MemoryStream)
    metrics: Metrics = field(default_factory=Metrics)
    preview: Any = None  # as that of analyses, tested with the real daemon
    health: Health = field(default_factory=lambda: rows.HEALTH)

    def parts(self) -> Parts:
        """As the doors are given them."""
        tokens = self.tokens or Tokens(self.database, ManualClock(), self.metrics, anonymous=True)
        return Parts(self.intake, self.results, self.jobs, self.feedback, self.alerts, self.checks, self.stream,
                     self.analyses, self.feeds, self.measured, Clustering(self.database), self.database, tokens,
                     lambda: self.config, lambda: self.not_ready, ManualClock(), self.metrics, "1.2.3", self._health,
                     self.preview, self.keepalive_s)

    async def _health(self) -> Health:
        return self.health


@dataclass(frozen=True, slots=True)
class Door:
    """A client of a running server, and what stands behind the server."""

    client: aiohttp.ClientSession
    behind: Behind
    url: URL

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON document at *path*, which must answer with *status*."""
        async with self.client.get(URL(f"{self.url}{path}", encoded=True), **more) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def send(self, data: Any = b"", path: str = "/api/v1/events", method: str = "POST",
                   **headers: str) -> tuple[int, Any, Mapping[str, str]]:
        """Status, document and headers of the answer to *data*; header names are written with underscores.

        Without a Content-Type none is sent.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(f"{self.url}{path}", encoded=True)
        async with self.client.request(
            method, url, data=data, headers=named, skip_auto_headers=["Content-Type"]
        ) as response:
            body = await response.read()
            document = await response.json() if body and response.content_type == "application/json" else body
            return response.status, document, response.headers


@asynccontextmanager
async def serving(behind: Behind | None = None) -> AsyncIterator[Door]:
    """The real server on a free port, with all doors, over *behind*."""
    behind = behind or Behind()
    parts = behind.parts()
    app = build_app(parts, GATEWAYS)
    runner = web.AppRunner(app, access_log=None, **server_options(), shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(doors(runner.server, parts), "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        url = URL.build(scheme="http", host=host, port=port)
        async with aiohttp.ClientSession(auto_decompress=True) as client:
            yield Door(client, behind, url)
    finally:
        server.close()
        await runner.cleanup()
