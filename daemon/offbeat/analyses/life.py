"""What a job that asks questions of buckets goes through, from its creation to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from offbeat.analyses.again import Again
from offbeat.analyses.hub import Hub
from offbeat.analyses.job import CannotPause, CannotResume, Fed, InUse, Job, Status, TooManyJobs, TooManyOpen
from offbeat.analyses.runner import Runner
from offbeat.analyses.running import AnalysisFailed
from offbeat.analyses.snapshots import RETENTION_DAYS, Snapshots
from offbeat.clock import Clock
from offbeat.config import Config
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.analysis.results import Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import Conflict, NotFound
from offbeat.intake.committer import Begun, Control
from offbeat.intake.parcels import Budget
from offbeat.store import analyses as kept
from offbeat.store.database import Database, Statements
from offbeat.store.journal import keys_kept
from offbeat.store.raw import RawRecords

T = TypeVar("T")
Brought = Callable[[int], AsyncIterator[Statements]]
IN_FLIGHT = 2
"""Parts of an upload that are journaled or applied while the next is read."""
ANALYSES_MAX = 1_000
RAW = "dataload"
"""The directory of records that are kept as they came."""


class Analyses:
    """All jobs that ask questions, by id. *submit* journals an entry.

    *taken(id)* says whether another kind of job has an id; *turn* is held by whoever creates or deletes a job.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        runner: Runner,
        hub: Hub,
        submit: Callable[[Control], Awaitable[int]],
        stored: list[kept.Kept],
        newest_number: int,
        budget: Budget,
        config: Callable[[], Config],
        open_max: int = ANALYSES_MAX,
        taken: Callable[[str], bool] = lambda id: False,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self._budget, self._config = budget, config
        self._open_max = open_max
        self.raw = RawRecords(database.path.parent / RAW)
        self._database, self._clock, self._runner, self._submit = database, clock, runner, submit
        self.snapshots = Snapshots(database, clock, runner, submit)
        self._newest = newest_number
        self.hub = hub
        self.before_delete: Callable[[Job], Awaitable[None]] | None = None
        self._taken, self._turn = taken, turn or asyncio.Lock()
        self._by_id: dict[str, Job] = {}
        for one in stored:
            said = one.document
            self._by_id[one.spec.id] = Job(
                one.number,
                one.spec,
                one.created_ms,
                said.get("said", {}),
                self._status_of(one, said),
                clock.now_ms(),
                said.get("finished_ms"),
                said.get("last_data_ms"),
                feed=said.get("feed"),
            )
        self.raw.tidy({job.raw_name for job in self._by_id.values()})

    def _status_of(self, one: kept.Kept, said: Mapping[str, Any]) -> Status:
        """The status after a start; of one that listens, the journal knows whether it rests."""
        if self._runner.failure(one.number):
            return "FAILED"
        if one.spec.listens:
            return "PAUSED" if self._runner.rests(one.number) else "RUNNING"
        return "PAUSED" if said.get("status") == "PAUSED" else "CLOSED"

    @property
    def runner(self) -> Runner:
        """Where they are at work."""
        return self._runner

    @property
    def newest_number(self) -> int:
        """The largest number that a job ever had."""
        return self._newest

    @property
    def clock(self) -> Clock:
        """What time it is for them."""
        return self._clock

    @property
    def database(self) -> Database:
        """Where their results are."""
        return self._database

    def all(self) -> list[Job]:
        """By when they were created, then by id."""
        return sorted(self._by_id.values(), key=lambda job: (job.created_ms, job.spec.id))

    def has(self, id: str) -> bool:
        """Is there a job with that id?"""
        return id in self._by_id

    def by_number(self, number: int) -> Job | None:
        """The job with that number."""
        return next((job for job in self._by_id.values() if job.number == number), None)

    def get(self, id: str) -> Job:
        """One job. Raises NotFound."""
        if id not in self._by_id:
            raise NotFound(f"No known job with id '{id}'", where={"job": id})
        return self._by_id[id]

    async def create(self, spec: AnalysisSpec, said: Mapping[str, Any], feed: dict[str, Any] | None = None) -> Job:
        """Begin a job; *said* is kept with it, and its *feed*.

        Raises Conflict for an id that is taken, and at the limit of jobs.
        """
        return await asyncio.shield(self._create(Analysis(spec), dict(said), feed=feed))

    async def bring(self, analysis: Analysis, said: Mapping[str, Any], brought: Brought) -> Job:
        """Begin a job that was elsewhere before, with its state; *brought(number)* is what is written of it first.

        Raises as ``create``, and StoreUnavailable; then nothing of it stays.
        """
        return await asyncio.shield(self._create(analysis, dict(said), brought))

    async def _create(
        self,
        analysis: Analysis,
        said: dict[str, Any],
        brought: Brought | None = None,
        feed: dict[str, Any] | None = None,
    ) -> Job:
        spec = analysis.spec
        async with self._turn:
            if spec.id in self._by_id or self._taken(spec.id):
                raise Conflict(f"there is a job {spec.id} already", hint="delete it first", where={"job": spec.id})
            if len(self._by_id) >= ANALYSES_MAX:
                raise TooManyJobs(f"there are {ANALYSES_MAX} jobs already", hint="delete one first")
            number = self._newest + 1
            begun = Begun(number, spec.id, kept.spec_json(spec), {"said": said, "status": "CLOSED", "feed": feed})
            control = Control("analysis", command=Command(number, "created"), begun=begun)
            self._runner.expect(number, analysis)
            try:
                # What is brought along is there before the job is: a crash in between leaves what a start deletes.
                if brought is not None:
                    async for statements in brought(number):
                        await self._database.write(statements)
                await self._submit(control)
            except BaseException:
                self._runner.expect_no_more(number)
                if brought is not None:
                    await self._database.write(kept.forget(number))
                raise
            self._newest = number
            job = self._by_id[spec.id] = Job(number, spec, control.done.result().at_ms, said, feed=feed)
            if spec.listens:
                job.status, job.since_ms = "RUNNING", job.created_ms
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
            await self._runner.end(job.number)
            self.hub.tell(job.number, (None,))
            await self._database.write(kept.forget(job.number))
            await self.raw.forget(job.raw_name)

    async def change(self, job: Job, spec: AnalysisSpec, said: Mapping[str, Any]) -> None:
        """Replace what is kept with a job, and of what it is asked what a running analysis may change.

        Raises StoreUnavailable.
        """
        detectors = tuple(
            replace(now, description=then.description)
            for now, then in zip(job.spec.detectors, spec.detectors, strict=True)
        )
        told = replace(job.spec, description=spec.description, detectors=detectors)
        asked = replace(
            told,
            memory_max_mb=spec.memory_max_mb,
            renormalization_days=spec.renormalization_days,
            categorization_filters=spec.categorization_filters,
            categorization_examples=spec.categorization_examples,
        )
        if asked != told:
            await self._order(Command(job.number, "changed", spec=kept.spec_json(asked)))
            await self._runner.checkpoint(job.number)  # what is kept of it below holds from there on
        job.document, job.spec = dict(said), asked
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

    @asynccontextmanager
    async def _passing(self, job: Job, through: Status) -> AsyncIterator[None]:
        """The job is on its way to another status; if that fails, it is as before, and it may be tried again."""
        before = job.status
        try:
            await self._become(job, through)
            yield
        except BaseException:
            job.status = before
            raise

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
        if job.sending or job.status in ("CLOSING", "PAUSING"):
            raise _in_use(job)
        if job.status == "FAILED":
            raise AnalysisFailed(f"the analysis of job {job.spec.id} has failed", hint="close the job")
        job.sending = True
        try:
            yield
        finally:
            job.sending = False

    async def upload(
        self,
        id: str,
        uploads: AsyncIterator[Upload],
        *,
        skip: bool = False,
        reset_ms: tuple[int, int] | None = None,
        again: Again | None = None,
        by_feed: bool = False,
    ) -> Taken:
        """Take records, part by part, and say what became of them once their results are in the store.

        skip   the time up to the first of them is downtime
        reset  open buckets of this range are forgotten before the first comes
        again  they come with an Idempotency-Key: what of them is journaled already is left out

        A job that is paused takes them and analyses nothing. Raises NotFound, InUse, Fed, TooManyOpen, AnalysisFailed,
        IntakeFull, IdempotencyKeyReused, StoreUnavailable, and whatever *uploads* raises: what came before stays
        analysed.
        """
        job = self.get(id)
        self._check_free(job, by_feed)
        with self._sending(job):
            if job.status == "PAUSED":
                async for _ in uploads:
                    continue
                return Taken()
            if again is not None:
                await again.open(self._database, job.number, self._remembered_since_ms(), await self._totals(job))
                if again.taken is not None:
                    async for _ in uploads:
                        continue
                    return again.answer()
            if job.status != "RUNNING":
                if sum(other.status == "RUNNING" for other in self._by_id.values()) >= self._open_max:
                    raise TooManyOpen(f"{self._open_max} jobs are open already", hint="close one first")
                await self._become(job, "RUNNING")
            job.last_data_ms = self._clock.now_ms()
            begun = again is not None and again.begun
            if skip and not begun:
                await self._order(Command(job.number, "skip"))
            if reset_ms is not None and not begun:
                await self._order(Command(job.number, "reset", reset_ms[0], end_ms=reset_ms[1]))
            try:
                taken = await self._sent(job, uploads, again)
            finally:
                if self._runner.failure(job.number):
                    await self._become(job, "FAILED")
                else:
                    await self._keep(job)
            if again is not None:
                taken = (await self._totals(job)).since(again.before) if begun else taken
                await self._database.write(keys_kept([again.end(taken, self._clock.now_ms())]))
            return taken

    async def _sent(self, job: Job, uploads: AsyncIterator[Upload], again: Again | None) -> Taken:
        """Journal part by part, each once the one before is: whatever is refused, no part after it is taken."""
        taken, flying = Taken(), deque[asyncio.Future[Taken]]()
        journaled: asyncio.Future[int] | None = None
        try:
            async for whole in uploads:
                job.last_data_ms = self._clock.now_ms()
                upload = whole if again is None else again.left(whole)
                if upload is None:
                    continue
                if len(flying) >= IN_FLIGHT:
                    taken.add(await flying.popleft())
                size = upload.records.nbytes
                if journaled is None:
                    self._budget.take(size)
                else:
                    await self._budget.take_when_free(size, self._config().http.body_timeout_s)
                key = None if again is None else again.row(self._clock.now_ms())
                journaled = asyncio.ensure_future(self._journaled(journaled, Control("records", upload, key)))
                flying.append(asyncio.ensure_future(self._applied(job.number, journaled, size)))
        finally:
            done = await asyncio.gather(*flying, return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException):
                raise one
            taken.add(one)
        return taken

    async def _journaled(self, before: asyncio.Future[int] | None, control: Control) -> int:
        if before is not None:
            await before
        return await self._submit(control)

    async def _applied(self, number: int, journaled: asyncio.Future[int], size: int) -> Taken:
        try:
            return await self._runner.taken(number, await journaled)
        finally:
            self._budget.give(size)

    async def _totals(self, job: Job) -> Taken:
        return (await self._runner.about(job.number)).totals.copy()

    def _remembered_since_ms(self) -> int:
        return self._clock.now_ms() - int(self._config().ingest.idempotency_window_s * 1000)

    async def _order(self, command: Command) -> None:
        await self._runner.reached(await self._submit(Control("analysis", command=command)))

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
        await self._runner.caught_up()
        if advance_ms is not None:
            await self._order(Command(job.number, "advance", advance_ms))
        if failure := self._runner.failure(job.number):
            if job.status != "FAILED":
                await self._become(job, "FAILED")
            raise AnalysisFailed(f"the analysis of job {id} has failed: {failure}", hint="close the job")
        if interim:
            await self._runner.interim(job.number, start_ms, end_ms)

    async def close(self, id: str, *, by_feed: bool = False) -> None:
        """End the analysis for now: everything is readable and its models are a snapshot. Raises NotFound, InUse, Fed.

        Buckets that are complete are final; the last, of which more may come, stays open.
        One that has failed goes back to its newest snapshot, or to its beginning.
        """
        job = self.get(id)
        self._check_free(job, by_feed)
        if job.sending:
            raise _in_use(job)
        if job.status in ("CLOSED", "PAUSED"):
            return
        failed = job.status == "FAILED"
        async with self._passing(job, "CLOSING"):
            if failed:
                newest = (await self.snapshots.all_of(job.number))[:1]
                await self._order(Command(job.number, "revert", -1, newest[0].id if newest else ""))
                await self._runner.checkpoint(job.number)
            else:
                await self._runner.caught_up()
                await self._finish(job)
                await self.save(job, "close")
        job.finished_ms = self._clock.now_ms()
        await self._become(job, "RUNNING" if job.spec.listens else "CLOSED")

    async def _finish(self, job: Job) -> None:
        """What waits for overlapping buckets waits no longer, unless events of it go on to come."""
        if not job.spec.overlapping_buckets or job.spec.listens:
            return
        newest_ms = (await self._runner.about(job.number)).latest_result_ms
        if newest_ms is not None:
            await self._order(Command(job.number, "advance", newest_ms + 1000 * job.spec.bucket_span_s))

    async def pause(self, id: str) -> None:
        """Take what is sent, and analyse none of it, until resumed. Raises NotFound, CannotPause, InUse, Fed."""
        job = self.get(id)
        self._check_free(job, False)
        if job.status not in ("RUNNING", "CLOSED"):
            raise CannotPause(f"job {id} is {job.status}: only one that is RUNNING or CLOSED can be paused")
        if job.sending:
            raise _in_use(job)
        async with self._passing(job, "PAUSING"):
            if job.spec.listens:
                await self._order(Command(job.number, "rest"))
            await self.save(job, "pause")
        await self._become(job, "PAUSED")

    async def resume(self, id: str) -> None:
        """Analyse what is sent from now on; the time between is downtime. Raises NotFound, CannotResume, Fed."""
        job = self.get(id)
        self._check_free(job, False)
        if job.status != "PAUSED":
            raise CannotResume(f"job {id} is {job.status}: only one that is PAUSED can be resumed")
        await self._order(Command(job.number, "resume"))
        await self._become(job, "RUNNING" if job.spec.listens else "CLOSED")

    async def save(self, job: Job, why: str) -> None:
        """Take a model snapshot, if there is anything to save; *why* is its description. Raises StoreUnavailable."""
        if (await self._runner.about(job.number)).totals.latest_ms is not None:
            days = float(job.document.get("model_snapshot_retention_days", RETENTION_DAYS))
            job.persisted_ms = self._clock.now_ms()
            await self.snapshots.take(job.number, f"saved on {why} at {_date(job.persisted_ms)}", days)


def _date(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _in_use(job: Job) -> InUse:
    return InUse(f"job {job.spec.id} is being sent to by another connection", where={"job": job.spec.id})
