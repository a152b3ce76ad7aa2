"""All feeds: given to jobs, started, stopped, shown; those that were at work go on when the daemon starts again."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offbeat.analyses.job import Fed, Job
from offbeat.analyses.life import Analyses
from offbeat.clock import Clock
from offbeat.errors import BadRequest, Refused
from offbeat.feeds.batch import Bounds, Form, Reading
from offbeat.feeds.errors import CannotChangeFeed, CannotStartFeed, CannotStopFeed, NoFeed
from offbeat.feeds.feed import Feed, Report, State, Wait, wait_for
from offbeat.feeds.files import FileReading
from offbeat.feeds.postgres import Postgres, driver
from offbeat.feeds.queries import QueryReading
from offbeat.feeds.search import SearchReading
from offbeat.feeds.spec import FeedSpec, FileSource, QuerySource, kept, spec_of, with_password
from offbeat.feeds.sqlite import Sqlite
from offbeat.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A feed as it is: what it reads, what it does, what it has to say since it was started last."""

    job: str
    spec: FeedSpec
    state: State
    bounds: Bounds
    report: Report


class Feeds:
    """The feeds of all jobs, by the id of the job."""

    def __init__(self, analyses: Analyses, clock: Clock, metrics: Metrics, wait: Wait = wait_for) -> None:
        self._analyses, self._clock, self._metrics, self.wait = analyses, clock, metrics, wait
        self._at_work: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._last: dict[str, Feed] = {}
        self._group: asyncio.TaskGroup | None = None
        self._leaving = False
        analyses.before_delete = self._let_go
        metrics.feeds_started.set_function(lambda: len(self._at_work))

    # ── what they are ─────────────────────────────────────────────────────────────────────────────────────────

    def _kept(self, job: Job) -> Mapping[str, Any]:
        if job.feed is None:
            raise NoFeed(f"job {job.spec.id} has no feed", where={"job": job.spec.id})
        return job.feed

    def spec(self, id: str) -> FeedSpec:
        """What a feed reads. Raises NotFound, NoFeed."""
        return spec_of(self._kept(self._analyses.get(id))["spec"])

    def state(self, id: str) -> State:
        """Whether a feed is at work; STOPPED where there is none."""
        return self._at_work[id][0].state if id in self._at_work else "STOPPED"

    def show(self, id: str) -> Shown:
        """A feed as it is. Raises NotFound, NoFeed."""
        spec, last = self.spec(id), self._last.get(id)
        bounds, report = (Bounds(), Report()) if last is None else (last.bounds, last.report)
        return Shown(id, spec, self.state(id), bounds, report)

    def all(self) -> list[Shown]:
        """All of them, by when their jobs were created."""
        return [self.show(job.spec.id) for job in self._analyses.all() if job.feed is not None]

    async def put(self, id: str, spec: FeedSpec) -> None:
        """Give a job its feed, or another one; a password that is not given stays. Where it was up to stays, too.

        Raises NotFound, CannotChangeFeed while one is at work and of a job that listens to events, StoreUnavailable.
        """
        job = self._analyses.get(id)
        if job.spec.listens:
            raise CannotChangeFeed(f"job {id} listens to events: it has no other feed", where={"job": id})
        self._check_rest(id)
        before = None if job.feed is None else spec_of(job.feed["spec"])
        await self._analyses.keep_feed(job, kept_with(with_password(spec, before)))

    async def drop(self, id: str) -> None:
        """Take a job's feed away. Raises NotFound, NoFeed, CannotChangeFeed, StoreUnavailable."""
        job = self._analyses.get(id)
        self._kept(job)
        self._check_rest(id)
        await self._analyses.keep_feed(job, None)
        self._last.pop(id, None)

    def _check_rest(self, id: str) -> None:
        if id in self._at_work:
            raise CannotChangeFeed(f"the feed of job {id} is {self.state(id)}: stop it first", where={"job": id})

    # ── what they do ──────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Own the feeds that are at work, until cancelled; begin with those that were when the daemon stopped."""
        async with asyncio.TaskGroup() as self._group:
            for job in self._analyses.all():
                if job.feed is not None and job.feed.get("wanted") is not None:
                    wanted = job.feed["wanted"]
                    bounds = Bounds(wanted["start_ms"], wanted["end_ms"])
                    try:
                        await self._begin(job, spec_of(job.feed["spec"]), bounds)
                    except Refused as e:
                        log.warning("the feed of job %s does not go on: %s", job.spec.id, e.message)
            await asyncio.Event().wait()

    async def start(self, id: str, start_ms: int | None = None, end_ms: int | None = None) -> None:
        """Read from *start_ms* on, up to *end_ms* or for ever; what has been read before is not read again.

        Without a cursor, records up to the newest of the job count as read. Raises NotFound, NoFeed, CannotStartFeed,
        BadRequest, StoreUnavailable.
        """
        job = self._analyses.get(id)
        spec = self.spec(id)
        if id in self._at_work or job.fed:
            raise CannotStartFeed(f"the feed of job {id} is {self.state(id)} already", where={"job": id})
        if start_ms is not None and end_ms is not None and end_ms <= start_ms:
            raise BadRequest("the end is not after the start; nothing was started", where={"parameter": "end"})
        if isinstance(spec.source, QuerySource) and spec.source.engine == "postgres":
            driver()
        about = await self._analyses.runner.about(job.number)
        cursor, latest_ms = about.cursor, about.latest_ms
        if latest_ms is not None and (start_ms is None or start_ms <= latest_ms):
            start_ms = None if cursor else latest_ms + 1
        try:
            await self._begin(job, spec, Bounds(start_ms, end_ms))
        except Fed as e:
            raise CannotStartFeed(e.message, where=e.where) from e

    async def _begin(self, job: Job, spec: FeedSpec, bounds: Bounds) -> None:
        assert self._group is not None
        await self._analyses.begin_feed(job)
        try:
            wanted = {"start_ms": bounds.start_ms, "end_ms": bounds.end_ms}
            await self._analyses.keep_feed(job, kept_with(spec) | {"wanted": wanted})
        except BaseException:
            self._analyses.end_feed(job)
            raise
        feed = Feed(job, spec, bounds, self._analyses, self._clock, self._metrics, self.wait, self._opened)
        self._last[job.spec.id] = feed
        self._at_work[job.spec.id] = feed, self._group.create_task(self._live(feed))

    async def _live(self, feed: Feed) -> None:
        """Run a feed; when it has ended, or was stopped, close its job and let it go."""
        job = feed.job
        try:
            await feed.run()
            if not self._leaving:
                await self._analyses.close(job.spec.id, by_feed=True)
                await self._analyses.keep_feed(job, kept_with(feed.spec))
        except Refused as e:  # the store: a start begins it again, and it finds nothing new
            log.warning("job %s is not closed behind its feed: %s", job.spec.id, e.message)
        finally:
            self._analyses.end_feed(job)
            self._at_work.pop(job.spec.id, None)

    async def stop(self, id: str) -> None:
        """Stop reading; what has been read is analysed, the job is closed. Returns when all that is done.

        Raises NotFound, NoFeed, CannotStopFeed.
        """
        self._kept(self._analyses.get(id))
        if self.state(id) != "STARTED":
            raise CannotStopFeed(f"the feed of job {id} is {self.state(id)}", where={"job": id})
        feed, task = self._at_work[id]
        feed.stopping.set()
        await asyncio.wait((task,))

    async def _let_go(self, job: Job) -> None:
        if job.spec.id in self._at_work:
            feed, task = self._at_work[job.spec.id]
            feed.stopping.set()
            await asyncio.wait((task,))
        self._last.pop(job.spec.id, None)

    async def leave(self) -> None:
        """Stop all of them for now, because the daemon stops: they go on when it starts again."""
        self._leaving = True
        tasks = [task for _, task in self._at_work.values()]
        for feed, _ in self._at_work.values():
            feed.stopping.set()
        if tasks:
            await asyncio.wait(tasks)

    def _opened(self, job: Job, spec: FeedSpec) -> Reading:
        form, source = Form(spec.data, spec.transforms, job.spec.columns), spec.source
        if isinstance(source, FileSource):
            return FileReading(source, form, self._clock)
        if isinstance(source, QuerySource):
            database = Sqlite(source.address) if source.engine == "sqlite" else Postgres(
                source.address, source.password)
            return QueryReading(source, form, database)
        return SearchReading(source, form, self._clock, spec.query_delay_s, job.spec.bucket_span_s)


def kept_with(spec: FeedSpec) -> dict[str, Any]:
    """What is kept of a feed that is not at work."""
    return {"spec": kept(spec), "wanted": None}
