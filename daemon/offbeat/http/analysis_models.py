"""The models of a job with detectors: its snapshots, and the job as one file, to go on elsewhere."""

from __future__ import annotations

import asyncio
import re
import tempfile
from typing import IO

from aiohttp import hdrs, web

from offbeat.analyses import moving
from offbeat.analyses.life import Job
from offbeat.analyses.snapshots import DescriptionTaken, IsNewest, NoSnapshot
from offbeat.errors import BadBody, BadRequest, BodyTimeout, BodyTooLarge, Conflict, NotFound, StoreUnavailable
from offbeat.http import analysis_documents as documents
from offbeat.http import analysis_examples as examples
from offbeat.http.analyses import HasNoDetectors, analysis_of, document_of
from offbeat.http.documents import Document, answer
from offbeat.http.parameters import Asked, Parameters, flag, text
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, chunks, read_document
from offbeat.http.schemas import TEXT, named

ZIP = "application/zip"
PIECE_BYTES = 256 * 1024
DESCRIPTION_MAX = 1_000
AT_REST = ("CLOSED", "PAUSED")


class NotClosed(Conflict):
    """What is asked for needs a job that is closed."""

    code = "job_not_closed"


async def get_snapshots(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The model snapshots of a job, the one that it goes on from first. Each close and pause takes one."""
    job = await analysis_of(request, parts)
    return answer({"snapshots": documents.snapshots(await parts.analyses.snapshots.all_of(job.number))})


async def patch_snapshot(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Describe a snapshot; the answer is the snapshot as it is now."""
    job = await analysis_of(request, parts)
    document = await read_document(request, parts)
    said = document.get("description")
    if list(document) != ["description"] or not isinstance(said, str) or not 1 <= len(said) <= DESCRIPTION_MAX:
        raise BadRequest(
            f'expected {{"description": text}} of 1 to {DESCRIPTION_MAX} characters and nothing else; '
            "nothing was changed",
            where={"field": "description"},
        )
    await parts.analyses.snapshots.describe(job.number, request.match_info["snapshot"], said)
    return answer(await _snapshot(job, parts, request.match_info["snapshot"]))


async def post_revert(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Go on from a snapshot; the job must be closed or paused."""
    job = await analysis_of(request, parts)
    one = await parts.analyses.snapshots.find(job.number, id=request.match_info["snapshot"])
    if job.status not in AT_REST:
        how = "pause it first: it listens to events" if job.spec.listens else "close it first"
        raise NotClosed(f"job {job.spec.id} is {job.status.lower()}", hint=how, where={"job": job.spec.id})
    await parts.analyses.snapshots.revert(job.number, one, forget_results=asked["forget_results"])
    return answer(await _snapshot(job, parts, one.id))


async def delete_snapshot(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Delete a snapshot; not the one that the job goes on from."""
    job = await analysis_of(request, parts)
    await parts.analyses.snapshots.delete(job.number, request.match_info["snapshot"])
    return web.Response(status=204)


async def _snapshot(job: Job, parts: Parts, id: str) -> Document:
    every = documents.snapshots(await parts.analyses.snapshots.all_of(job.number))
    return next(one for one in every if one["id"] == id)


async def get_export(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """The job as one file: what it is asked, its models as they are now, and its results."""
    job = await analysis_of(request, parts)
    file = await moving.exported(parts.analyses, job, parts.version, results=asked["results"])
    try:
        size = file.seek(0, 2)
        file.seek(0)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", job.spec.id)
        headers = {hdrs.CONTENT_TYPE: ZIP, hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.offbeat.zip"'}
        response = web.StreamResponse(headers=headers)
        response.content_length = size
        await response.prepare(request)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            await response.write(piece)
        await response.write_eof()
        return response
    finally:
        file.close()


async def post_import(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Go on with a job that was exported, here or by another daemon, as if nothing had happened."""
    with tempfile.TemporaryFile() as file:
        await _received(request, parts, file)
        job = await moving.imported(
            parts.analyses, file, asked.get("as"), parts.config().ingest.decompressed_bytes_max
        )
    return answer(await document_of(job, parts), 201, {"Location": f"/api/v1/jobs/{job.spec.id}"})


async def _received(request: web.Request, parts: Parts, file: IO[bytes]) -> None:
    """Write the body to *file*. Raises BodyTimeout, BodyTooLarge."""
    arriving, most, size = chunks(request), parts.config().ingest.decompressed_bytes_max, 0
    while True:
        wait_s = parts.config().http.body_timeout_s
        try:
            async with asyncio.timeout(wait_s):
                chunk = await anext(arriving, None)
        except TimeoutError:
            raise BodyTimeout(f"nothing came for {wait_s:g} s; nothing was created") from None
        if chunk is None:
            return
        size += len(chunk)
        if size > most:
            raise BodyTooLarge(
                f"the file is larger than {most} bytes; nothing was created",
                hint="export it without its results, or raise ingest.decompressed_bytes_max",
            )
        await asyncio.to_thread(file.write, chunk)


COMMON = (NotFound, HasNoDetectors, StoreUnavailable)
SNAPSHOT = {200: Content("The snapshot as it is now.", named("Snapshot"), examples.SNAPSHOT)}
OF_ONE = "/api/v1/jobs/{id}/snapshots/{snapshot}"

ROUTES = (
    Route(
        "GET",
        "/api/v1/jobs/{id}/snapshots",
        get_snapshots,
        "jobs",
        {200: Content("All of them.", named("Snapshots"), examples.SNAPSHOTS)},
        refusals=(NotFound, HasNoDetectors),
    ),
    Route(
        "PATCH",
        OF_ONE,
        patch_snapshot,
        "jobs",
        SNAPSHOT,
        body=(Content("What is said of it.", named("SnapshotDescription"), examples.SNAPSHOT_DESCRIPTION),),
        refusals=(*COMMON, NoSnapshot, DescriptionTaken, BadBody, BodyTimeout, BodyTooLarge),
    ),
    Route(
        "POST",
        f"{OF_ONE}/revert",
        post_revert,
        "jobs",
        SNAPSHOT,
        Parameters.of(
            flag(
                "forget_results",
                "Delete results after its last, and take records after its last once more.",
                default=False,
            )
        ),
        refusals=(*COMMON, NoSnapshot, NotClosed),
    ),
    Route(
        "DELETE",
        OF_ONE,
        delete_snapshot,
        "jobs",
        {204: Content("It is gone.")},
        refusals=(*COMMON, NoSnapshot, IsNewest),
    ),
    Route(
        "GET",
        "/api/v1/jobs/{id}/export",
        get_export,
        "jobs",
        {200: Content("The file.", TEXT, examples.FILE, (ZIP,))},
        Parameters.of(flag("results", "With its results, but for interim ones.", default=True)),
        refusals=COMMON,
        timed=False,
    ),
    Route(
        "POST",
        "/api/v1/jobs/import",
        post_import,
        "jobs",
        {201: Content("The job.", named("Analysis"), examples.ANALYSIS, headers={"Location": "Path of the new job."})},
        Parameters.of(text("as", "Its name here; else that which it had.")),
        body=(Content("The file.", TEXT, examples.FILE, (ZIP,)),),
        refusals=(Conflict, moving.NoExport, BodyTimeout, BodyTooLarge, StoreUnavailable),
        timed=False,
    ),
)
