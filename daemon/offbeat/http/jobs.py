"""The jobs: listed, read, created, deleted. One sentence a route, and what a job's document may hold."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    NotFound,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import documents, examples
from offbeat.http.documents import answer, page
from offbeat.http.parameters import CURSOR, LIMIT, SEQUENCE, Asked, Parameters, nearest
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.records import JobSpec
from offbeat.store.queries import Page


async def get_jobs(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The jobs in the order of their names."""
    jobs = sorted(await parts.jobs.list(), key=lambda job: job.spec.id)
    rest = [job for job in jobs if job.spec.id > asked.get("cursor", "")]
    shown = tuple(rest[: asked["limit"]])
    return answer(page("jobs", Page(shown, shown[-1].spec.id if len(rest) > len(shown) else None), documents.job))


async def post_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Create a job; it sees the events that arrive from now on."""
    job = await parts.jobs.create(spec_of(await read_document(request, parts)))
    return answer(documents.job(job), 201, {"Location": f"/api/v1/jobs/{job.spec.id}"})


async def get_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One job and what it has done."""
    return answer(documents.job(await parts.jobs.get(request.match_info["id"])))


async def delete_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Delete a job with its buckets and records. The built-in job watch stays."""
    await parts.jobs.delete(request.match_info["id"])
    return web.Response(status=204)


def spec_of(document: dict[str, Any]) -> JobSpec:
    """The job that *document* asks for, as far as its form goes; whether it can work, the jobs say.

    Raises BadRequest for the first property that is unknown, missing or of the wrong type.
    """
    for name in document:
        if name not in READERS:
            raise BadRequest(
                f"{name} is not a property of a job; nothing was created",
                hint=nearest(name, READERS),
                where={"field": name},
            )
    if "id" not in document:
        raise BadRequest("the job has no id; nothing was created", where={"field": "id"})
    return JobSpec(**{name: READERS[name](name, value) for name, value in document.items()})


def _wrong(name: str, value: object, expected: str) -> BadRequest:
    return BadRequest(
        f"{name} is {documents.dump(value).decode():.80}: expected {expected}; nothing was created",
        where={"field": name},
    )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(name, value, "a list of texts")
    return tuple(value)


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, value, "a whole number")
    return value


def _parameters(name: str, value: object) -> tuple[tuple[str, object], ...]:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return tuple(sorted(value.items()))


READERS: dict[str, Callable[[str, Any], Any]] = {
    "id": _text,
    "description": _text,
    "function": _text,
    "sources": _texts,
    "fields": _texts,
    "bucket_span_s": _whole,
    "latency_s": _whole,
    "model": _text,
    "parameters": _parameters,
    "peer_groups": _texts,
}

ROUTES = (
    Route("GET", "/api/v1/jobs", get_jobs, "jobs", {200: Content("Some jobs.", named("Jobs"), examples.JOBS)},
          Parameters.of(LIMIT, CURSOR, SEQUENCE), refusals=(StoreUnavailable,)),
    Route("POST", "/api/v1/jobs", post_job, "jobs",
          {201: Content("The new job.", named("Job"), examples.JOB, headers={"Location": "Path of the new job."})},
          body=(Content("The job; only id is needed.", named("JobSpec"), examples.JOB_SPEC),),
          refusals=(Conflict, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable)),
    Route("GET", "/api/v1/jobs/{id}", get_job, "jobs", {200: Content("The job.", named("Job"), examples.JOB)},
          Parameters.of(SEQUENCE), refusals=(NotFound, StoreUnavailable)),
    Route("DELETE", "/api/v1/jobs/{id}", delete_job, "jobs", {204: Content("It is gone.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
)
