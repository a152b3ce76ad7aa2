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
from offbeat.http.analyses import created, document_of
from offbeat.http.documents import answer
from offbeat.http.parameters import CURSOR, LIMIT, SEQUENCE, Asked, Parameters, nearest, text
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.records import JobSpec


async def get_jobs(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The jobs of both kinds, in the order of their names."""
    jobs = {job.spec.id: job for job in await parts.jobs.list()}
    names = sorted([*jobs, *(job.spec.id for job in parts.analyses.all())])
    rest = [name for name in names if name > asked.get("cursor", "")]
    shown = rest[: asked["limit"]]
    made = [
        documents.job(jobs[name]) if name in jobs else await document_of(parts.analyses.get(name), parts)
        for name in shown
        if name in jobs or parts.analyses.has(name)  # it may be gone by now
    ]
    return answer({"jobs": made, "next_cursor": shown[-1] if len(rest) > len(shown) else None})


async def post_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Create a job; it sees the events that arrive from now on.

    With detectors it asks questions of buckets; without, its model follows series.
    """
    document = await read_document(request, parts)
    if "detectors" in document:
        made = await created(document, parts)
    else:
        made = documents.job(await parts.jobs.create(spec_of(document)))
    return answer(made, 201, {"Location": f"/api/v1/jobs/{made['id']}"})


async def get_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One job and what it has done."""
    id = request.match_info["id"]
    if parts.analyses.has(id):
        return answer(await document_of(parts.analyses.get(id), parts))
    return answer(documents.job(await parts.jobs.get(id)))


async def get_clusters(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The clusters that a job whose model is clusters has made of the events of a source, the largest first."""
    if "source" not in asked:
        raise BadRequest("source is missing: whose events?", where={"parameter": "source"})
    return answer(documents.clusters(await parts.results.clusters(request.match_info["id"], asked["source"])))


async def delete_job(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Delete a job with its buckets and records. The built-in job watch stays."""
    id = request.match_info["id"]
    await (parts.analyses.delete(id) if parts.analyses.has(id) else parts.jobs.delete(id))
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

EITHER_SPEC = {"oneOf": [named("JobSpec"), named("AnalysisSpec")]}
EITHER = {"oneOf": [named("Job"), named("Analysis")]}

ROUTES = (
    Route("GET", "/api/v1/jobs", get_jobs, "jobs", {200: Content("Some jobs.", named("Jobs"), examples.JOBS)},
          Parameters.of(LIMIT, CURSOR, SEQUENCE), refusals=(StoreUnavailable,)),
    Route("POST", "/api/v1/jobs", post_job, "jobs",
          {201: Content("The new job.", EITHER, examples.JOB, headers={"Location": "Path of the new job."})},
          body=(Content("The job; only id is needed, and detectors for one that has some.", EITHER_SPEC,
                        examples.JOB_SPEC),),
          refusals=(Conflict, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable)),
    Route("GET", "/api/v1/jobs/{id}", get_job, "jobs", {200: Content("The job.", EITHER, examples.JOB)},
          Parameters.of(SEQUENCE), refusals=(NotFound, StoreUnavailable)),
    Route("GET", "/api/v1/jobs/{id}/clusters", get_clusters, "jobs",
          {200: Content("The clusters.", named("SourceClusters"), examples.CLUSTERS)},
          Parameters.of(text("source", "Whose events; needed."), SEQUENCE), refusals=(NotFound, StoreUnavailable)),
    Route("DELETE", "/api/v1/jobs/{id}", delete_job, "jobs", {204: Content("It is gone.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
)
