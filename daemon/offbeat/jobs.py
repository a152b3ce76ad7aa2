"""The jobs' life: created and deleted through the journal, so that a replay does the same at the same place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from offbeat.config import EngineConfig
from offbeat.engine.engine import WATCH
from offbeat.engine.entries import Job
from offbeat.engine.groups import PATTERNS_MAX
from offbeat.engine.views import job_totals
from offbeat.errors import BadRequest, Conflict, NotFound
from offbeat.intake.committer import Control
from offbeat.records import JobInfo, JobSpec
from offbeat.store.bucket_queries import Ask
from offbeat_detectors import registry

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
OPEN_BUCKETS_MAX = 61
JOBS_MAX = 64


class Jobs:
    """All jobs by number. *submit* journals an entry, *reached* waits until it has been applied.

    *taken(id)* says whether another kind of job has an id; *turn* is held by whoever creates or deletes a job.
    """

    def __init__(
        self,
        known: list[Job],
        newest_number: int,
        submit: Callable[[Control], Awaitable[int]],
        reached: Callable[[int, float], Awaitable[None]],
        ask: Ask,
        model_modules: Callable[[], tuple[str, ...]],
        time_zone: str = "UTC",
        taken: Callable[[str], bool] = lambda id: False,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.by_number = {job.number: job for job in known}
        self._newest = newest_number
        self._submit, self._reached, self._ask = submit, reached, ask
        self._model_modules, self._time_zone = model_modules, time_zone
        self._taken, self._turn = taken, turn or asyncio.Lock()

    def _of(self, id: str) -> Job:
        for job in self.by_number.values():
            if job.spec.id == id:
                return job
        raise NotFound(f"there is no job {id}", hint="GET /api/v1/jobs lists them", where={"job": id})

    def has(self, id: str) -> bool:
        """Is there a job with that id?"""
        return any(job.spec.id == id for job in self.by_number.values())

    async def list(self) -> tuple[JobInfo, ...]:
        """All jobs, oldest first."""
        return tuple([await self._info(job) for job in self.by_number.values()])

    async def get(self, id: str) -> JobInfo:
        """One job. Raises NotFound."""
        return await self._info(self._of(id))

    async def _info(self, job: Job) -> JobInfo:
        totals = await self._ask(lambda engine: job_totals(engine, job.number))
        return JobInfo(job.spec, job.created_ms, **asdict(totals))

    async def create(self, spec: JobSpec) -> JobInfo:
        """Begin a job. Raises BadRequest for a specification that cannot work, Conflict for an id that is taken."""
        check(spec, self._model_modules())
        watch = self.by_number[WATCH].spec
        spec = replace(spec, models_max=watch.models_max, shards=watch.shards)
        return await self.begin(in_zone(spec, self._time_zone))

    async def begin(self, spec: JobSpec) -> JobInfo:
        """Begin a job that has been checked. Raises Conflict for an id that is taken.

        A caller that is cancelled does not undo it: between the commit and what is noted here nothing may come.
        """
        return await asyncio.shield(self._begin(spec))

    async def _begin(self, spec: JobSpec) -> JobInfo:
        async with self._turn:
            if self.has(spec.id) or self._taken(spec.id):
                raise Conflict(
                    f"there is a job {spec.id} already",
                    hint="delete it first, or choose another id",
                    where={"job": spec.id},
                )
            if len(self.by_number) >= JOBS_MAX:
                raise Conflict(f"there are {JOBS_MAX} jobs already", hint="delete one first")
            number = self._newest + 1
            control = Control("job_created", job=Job(number, spec, 0, 0))
            seq = await self._submit(control)
            made = control.done.result().body
            assert isinstance(made, Job)
            self._newest = number
            self.by_number[number] = made
        await self._reached(seq, 10.0)
        return await self._info(made)

    async def delete(self, id: str) -> None:
        """End a job; its results go with it. Raises NotFound, and Conflict for the built-in job.

        As ``begin``, it is not undone by a caller that is cancelled.
        """
        await asyncio.shield(self._delete(id))

    async def _delete(self, id: str) -> None:
        async with self._turn:
            job = self._of(id)
            if job.number == WATCH:
                raise Conflict("watch is built in and cannot be deleted", where={"job": id})
            del self.by_number[job.number]
            try:
                seq = await self._submit(Control("job_deleted", job_deleted=job.number))
            except BaseException:
                self.by_number[job.number] = job
                raise
        await self._reached(seq, 10.0)


def in_zone(spec: JobSpec, time_zone: str) -> JobSpec:
    """*spec* with *time_zone* among its parameters, if its model takes one and has none.

    It is journaled with them: a replay must not depend on today's config.
    """
    parameters = dict(spec.parameters)
    if "time_zone" in parameters or not registry.takes(spec.model, "time_zone"):
        return spec
    return replace(spec, parameters=tuple(sorted({**parameters, "time_zone": time_zone}.items())))


def places_of(engine: EngineConfig) -> tuple[int, int]:
    """How many models a job holds at most, and among how many shards they are divided; (0, 0): as many as series."""
    if engine.models_max >= engine.series_max:
        return 0, 0
    return engine.models_max, max(1, engine.models_max // engine.shard_series)


def check(spec: JobSpec, model_modules: tuple[str, ...] | None) -> None:
    """Raise BadRequest if *spec* cannot work; says which field, and what was expected.

    *model_modules* are those whose classes it may name; None: any.
    """

    def bad(field: str, message: str, hint: str = "") -> BadRequest:
        return BadRequest(f"{field} {message}", hint=hint, where={"field": field})

    if not ID.fullmatch(spec.id):
        raise bad("id", f"is {spec.id!r}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    if spec.function != "value":
        raise bad("function", f"is {spec.function!r}: expected value")
    if not 1 <= spec.bucket_span_s <= 86_400:
        raise bad("bucket_span_s", f"is {spec.bucket_span_s}: expected 1 to 86400")
    if not 0 <= spec.latency_s <= (OPEN_BUCKETS_MAX - 1) * spec.bucket_span_s:
        raise bad("latency_s", f"is {spec.latency_s}: expected 0 to {OPEN_BUCKETS_MAX - 1} bucket spans")
    if not spec.sources or not spec.fields:
        raise bad("sources" if not spec.sources else "fields", "is empty: expected at least one pattern")
    if len(spec.peer_groups) > PATTERNS_MAX:
        raise bad("peer_groups", f"has {len(spec.peer_groups)} patterns: expected at most {PATTERNS_MAX}")
    module, colon, _ = spec.model.partition(":")
    if colon and module != "river" and model_modules is not None and module not in model_modules:
        raise bad(
            "model",
            f"is {spec.model!r}: classes of {module} may not be used",
            f"add {module} to the setting engine.model_modules",
        )
    try:
        registry.create(spec.model, 1, dict(spec.parameters))
    except registry.UnknownDetector as e:
        raise bad("model", f"is {spec.model!r}: {e}", getattr(e, "hint", "")) from e
    except (registry.BadParameters, ValueError, TypeError) as e:
        raise bad("parameters", f"do not fit {spec.model}: {e}", getattr(e, "hint", "")) from e
