"""What a job that asks questions of buckets goes through, from its creation to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from offbeat.analyses.hub import Hub
from offbeat.analyses.runner import Runner
from offbeat.analyses.snapshots import RETENTION_DAYS, Snapshots
from offbeat.clock import Clock
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import Conflict, NotFound
from offbeat.intake.committer import Begun, Control
from offbeat.store import analyses as kept
from offbeat.store.database import Database

T = TypeVar("T")
Status = Literal["RUNNING", "CLOSING", "CLOSED", "FAILED", "PAUSING", "PAUSED"]
IN_FLIGHT = 2
"""Parts of an upload that are journaled or applied while the next is read."""
ANALYSES_MAX = 1_000
IDLE_TIMEOUT_S = 600.0
"""Of a job that does not say."""


class InUse(Conflict):
    """Another upload to the same job is under way."""

    code = "job_in_use"


class Fed(Conflict):
    """The feed of the job is at work: what is sent, flushed, closed, paused is its business."""

    code = "job_is_fed"


class NotClosed(Conflict):
    """What is asked for needs a job that is closed."""

    code = "job_not_closed"


class CannotPause(Conflict):
    """A job that is neither running nor closed."""

    code = "job_cannot_be_paused"


class CannotResume(Conflict):
    """A job that is not paused."""

    code = "job_cannot_be_resumed"


@dataclass(slots=True)
class Job:
    """One job. *document* is kept with it: what its clients said of it and read back; *since_ms*: of its status.

    feed  kept with it and shown to nobody as it is: where its records are read from, passwords too; *fed*: they are now
    """

    number: int
    spec: AnalysisSpec
    created_ms: int
    document: dict[str, Any]
    status: Status = "CLOSED"
    since_ms: int = 0
    finished_ms: int | None = None
    last_data_ms: int | None = None
    sending: bool = False
    feed: dict[str, Any] | None = None
    fed: bool = False
    totals: Taken = field(default_factory=Taken)


class Analyses:
    """All jobs that ask questions, by id. *submit* journals an entry."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        runner: Runner,
        hub: Hub,
        submit: Callable[[Control], Awaitable[int]],
        stored: list[kept.Kept],
        newest_number: int,
    ) -> None:
        self._database, self._clock, self._runner, self._submit = database, clock, runner, submit
        self.snapshots = Snapshots(database, clock, runner, submit)
        self._newest = newest_number
        self.hub = hub
        self.before_delete: Callable[[Job], Awaitable[None]] | None = None
        self._turn = asyncio.Lock()
        self._by_id: dict[str, Job] = {}
        for one in stored:
            said = one.document
            self._by_id[one.spec.id] = Job(
                one.number,
                one.spec,
                one.created_ms,
                said.get("said", {}),
                "PAUSED" if said.get("status") == "PAUSED" else "CLOSED",
                clock.now_ms(),
                said.get("finished_ms"),
                said.get("last_data_ms"),
                feed=said.get("feed"),
            )

    @property
    def runner(self) -> Runner:
        """Where they are at work."""
        return self._runner

    @property
    def newest_number(self) -> int:
        """The largest number that a job ever had."""
        return self._newest

    @property
    def database(self) -> Database:
        """Where their results are."""
        return self._database

    def all(self) -> list[Job]:
        """By when they were created, then by id."""
        return sorted(self._by_id.values(), key=lambda job: (job.created_ms, job.spec.id))

    def get(self, id: str) -> Job:
        """One job. Raises NotFound."""
        if id not in self._by_id:
            raise NotFound(f"No known job with id '{id}'", where={"job": id})
        return self._by_id[id]

    async def create(
        self, spec: AnalysisSpec, said: Mapping[str, Any], feed: Mapping[str, Any] | None = None
    ) -> Job:
        """Begin a job; *said* is kept with it, and its *feed*.

        Raises Conflict for an id that is taken, and at the limit of jobs.
        """
        return await asyncio.shield(self._create(spec, dict(said), None if feed is None else dict(feed)))

    async def _create(self, spec: AnalysisSpec, said: dict[str, Any], feed: dict[str, Any] | None) -> Job:
        async with self._turn:
            if spec.id in self._by_id:
                raise Conflict(f"there is a job {spec.id} already", hint="delete it first", where={"job": spec.id})
            if len(self._by_id) >= ANALYSES_MAX:
                raise Conflict(f"there are {ANALYSES_MAX} jobs already", hint="delete one first")
            number = self._newest + 1
            begun = Begun(number, spec.id, kept.spec_json(spec), {"said": said, "status": "CLOSED", "feed": feed})
            control = Control("analysis", command=Command(number, "created"), begun=begun)
            seq = await self._submit(control)
            self._newest = number
            self._runner.begin(number, spec, seq)
            job = self._by_id[spec.id] = Job(number, spec, control.done.result().at_ms, said, feed=feed)
            return job

    async def delete(self, id: str) -> None:
        """End a job with all that it has; its feed is stopped first. Raises NotFound, InUse."""
        if self.before_delete is not None:
            await self.before_delete(self.get(id))
        await asyncio.shield(self._delete(id))

    async def _delete(self, id: str) -> None:
        async with self._turn:
            job = self.get(id)
            if job.sending:
                raise _in_use(job)
            seq = await self._submit(Control("analysis", command=Command(job.number, "deleted")))
            del self._by_id[id]
            await self._runner.reached(seq)
            self._runner.end(job.number)
            self.hub.tell(job.number, (None,))
            await self._database.write(kept.forget(job.number))

    async def change(self, job: Job, spec: AnalysisSpec, said: Mapping[str, Any]) -> None:
        """Replace what is kept with a job, and of what it is asked what a running analysis may change.

        Raises StoreUnavailable.
        """
        job.document = dict(said)
        job.spec = replace(
            job.spec,
            description=spec.description,
            memory_max_mb=spec.memory_max_mb,
            renormalization_days=spec.renormalization_days,
        )
        await self._database.write(kept.asked(job.number, job.spec))
        await self._keep(job)

    async def _keep(self, job: Job) -> None:
        document = {
            "said": job.document,
            "status": job.status,
            "finished_ms": job.finished_ms,
            "last_data_ms": job.last_data_ms,
            "feed": job.feed,
        }
        await self._database.write(kept.document_of(job.number, document))

    async def _become(self, job: Job, status: Status) -> None:
        job.status, job.since_ms = status, self._clock.now_ms()
        await self._keep(job)
        if status != "RUNNING":
            self.hub.tell(job.number, (None,))

    # ── what feeds it ─────────────────────────────────────────────────────────────────────────────────────────

    async def keep_feed(self, job: Job, feed: Mapping[str, Any] | None) -> None:
        """Keep where the records of a job are read from. Raises StoreUnavailable."""
        job.feed = None if feed is None else dict(feed)
        await self._keep(job)

    async def begin_feed(self, job: Job) -> None:
        """From now on the job is its feed's. Raises InUse, Fed, CannotResume for a job that is paused."""
        self._check_free(job, False)
        if job.sending:
            raise _in_use(job)
        if job.status not in ("CLOSED", "RUNNING"):
            raise CannotResume(f"job {job.spec.id} is {job.status}: resume it first", where={"job": job.spec.id})
        job.fed = True
        if job.status != "RUNNING":
            await self._become(job, "RUNNING")

    def end_feed(self, job: Job) -> None:
        """The job is anybody's again."""
        job.fed = False

    @staticmethod
    def _check_free(job: Job, by_feed: bool) -> None:
        if job.fed and not by_feed:
            raise Fed(f"the feed of job {job.spec.id} is at work: stop it first", where={"job": job.spec.id})

    # ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _sending(self, job: Job) -> Any:
        if job.sending:
            raise _in_use(job)
        job.sending = True
        try:
            yield
        finally:
            job.sending = False

    async def upload(self, id: str, uploads: AsyncIterator[Upload], *, by_feed: bool = False) -> Taken:
        """Take records, part by part, and say what became of them once their results are in the store.

        A job that is paused takes them and analyses nothing. Raises NotFound, InUse, Fed, StoreUnavailable, and
        whatever *uploads* raises: what came before stays analysed.
        """
        job = self.get(id)
        self._check_free(job, by_feed)
        with self._sending(job):
            taken, flying = Taken(), deque[asyncio.Future[Taken]]()
            try:
                async for upload in uploads:
                    if job.status == "PAUSED":
                        continue
                    if job.status != "RUNNING":
                        await self._become(job, "RUNNING")
                    job.last_data_ms = self._clock.now_ms()
                    if len(flying) >= IN_FLIGHT:
                        taken.add(await flying.popleft())
                    flying.append(asyncio.ensure_future(self._put(job.number, upload)))
                    await asyncio.sleep(0)  # it is journaled before the next, for the intake keeps the order
            finally:
                done = await asyncio.gather(*flying, return_exceptions=True)
            for one in done:
                if isinstance(one, BaseException):
                    raise one
                taken.add(one)
            if job.status != "PAUSED":
                await self._keep(job)
            return taken

    async def _put(self, number: int, upload: Upload) -> Taken:
        seq = await self._submit(Control("records", upload=upload))
        return await self._runner.taken(number, seq)

    async def flush(
        self, id: str, *, interim: bool, start_ms: int | None, end_ms: int | None, advance_ms: int | None,
        by_feed: bool = False,
    ) -> None:
        """Return when all that was sent is analysed and can be read. Raises NotFound, Fed, StoreUnavailable.

        interim  also what open buckets give by now, all of them or those in [start, end)
        advance  no record before it will come: buckets that end by then are final
        """
        job = self.get(id)
        self._check_free(job, by_feed)
        if advance_ms is not None:
            seq = await self._submit(Control("analysis", command=Command(job.number, "advance", advance_ms)))
            await self._runner.reached(seq)
        if interim:
            await self._runner.interim(job.number, start_ms, end_ms)

    async def close(self, id: str, *, by_feed: bool = False) -> None:
        """End the analysis for now: everything is readable and its models are a snapshot.

        Raises NotFound, InUse, Fed.
        """
        job = self.get(id)
        self._check_free(job, by_feed)
        if job.sending:
            raise _in_use(job)
        if job.status in ("CLOSED", "PAUSED"):
            return
        await self._become(job, "CLOSING")
        await self._rest(job, "close")
        job.finished_ms = self._clock.now_ms()
        await self._become(job, "CLOSED")

    async def pause(self, id: str) -> None:
        """Take what is sent, and analyse none of it, until resumed. Raises NotFound, CannotPause, InUse, Fed."""
        job = self.get(id)
        self._check_free(job, False)
        if job.status not in ("RUNNING", "CLOSED"):
            raise CannotPause(f"job {id} is {job.status}: only one that is RUNNING or CLOSED can be paused")
        if job.sending:
            raise _in_use(job)
        await self._become(job, "PAUSING")
        await self._rest(job, "pause")
        await self._become(job, "PAUSED")

    async def resume(self, id: str) -> None:
        """Analyse what is sent from now on; the time between is downtime. Raises NotFound, CannotResume, Fed."""
        job = self.get(id)
        self._check_free(job, False)
        if job.status != "PAUSED":
            raise CannotResume(f"job {id} is {job.status}: only one that is PAUSED can be resumed")
        seq = await self._submit(Control("analysis", command=Command(job.number, "skip")))
        await self._runner.reached(seq)
        await self._become(job, "CLOSED")

    async def skip(self, id: str) -> None:
        """The time up to the next record is downtime. Raises NotFound."""
        job = self.get(id)
        await self._runner.reached(await self._submit(Control("analysis", command=Command(job.number, "skip"))))

    async def _rest(self, job: Job, why: str) -> None:
        if await self._runner.ask(job.number, lambda analysis: analysis.totals.latest_ms) is not None:
            days = float(job.document.get("model_snapshot_retention_days", RETENTION_DAYS))
            await self.snapshots.take(job.number, f"saved on {why}", days)

    async def idle(self, timeout_of: Callable[[Job], float]) -> None:
        """Close jobs that got nothing for longer than *timeout_of* says, in seconds; 0: never."""
        now_ms = self._clock.now_ms()
        for job in self.all():
            patience_s = timeout_of(job)
            quiet = job.status == "RUNNING" and not (job.sending or job.fed) and patience_s > 0
            if quiet and now_ms - (job.last_data_ms or job.since_ms) > 1000 * patience_s:
                await self.close(job.spec.id)


def _in_use(job: Job) -> InUse:
    return InUse(f"job {job.spec.id} is being sent to by another connection", where={"job": job.spec.id})


def idle_timeout_s(job: Job) -> float:
    """After how many seconds without data a job closes; 0: never."""
    return float(job.document.get("idle_timeout_s", IDLE_TIMEOUT_S))
