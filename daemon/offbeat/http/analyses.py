"""What is sent to a job that has detectors, and what it goes through: records, flush, close, pause, resume."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from aiohttp import hdrs, web

from offbeat.analyses.again import Again
from offbeat.analyses.checks import check_new
from offbeat.analyses.job import CannotPause, CannotResume, InUse, Job, TooManyOpen
from offbeat.analyses.running import AnalysisFailed
from offbeat.analyses.uploading import uploads
from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    IdempotencyKeyReused,
    IntakeFull,
    NotFound,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import analysis_documents as documents
from offbeat.http import analysis_examples as examples
from offbeat.http.analysis_asked import spec_of
from offbeat.http.documents import Document, answer
from offbeat.http.events import DELIMITER, IDEMPOTENCY_KEY, body_form, sniffed
from offbeat.http.parameters import Asked, Parameters, flag, text, time
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, Content, Header, Route, chunks
from offbeat.http.schemas import ANY_OBJECT, TEXT, listing, named
from offbeat.wire.encoding import Decompressor
from offbeat.wire.options import Format
from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.errors import BadPattern, UploadRefused
from offbeat.wire.records.reader import Reader

HEAD_BYTES = 64 * 1024
"""So much of a body is looked at for the name of its time field."""


class HasNoDetectors(Conflict):
    """The job is one that follows series: what is asked for is only there of jobs with detectors."""

    code = "job_has_no_detectors"


async def analysis_of(request: web.Request, parts: Parts) -> Job:
    """The job of the path. Raises NotFound, HasNoDetectors."""
    id = request.match_info["id"]
    if not parts.analyses.has(id):
        await parts.jobs.get(id)
        raise HasNoDetectors(
            f"job {id} has no detectors: it follows series, and what it found is under /api/v1/records",
            where={"job": id},
        )
    return parts.analyses.get(id)


async def document_of(job: Job, parts: Parts) -> Document:
    """A job with what it has done."""
    done = await parts.analyses.runner.ask(
        job.number, lambda one: (one.totals.copy(), one.size(), one.latest_result_ms, one.withheld)
    )
    return documents.job(job, *done)


async def created(document: Document, parts: Parts) -> Document:
    """The job that *document* asks for, begun. Raises BadRequest, Conflict, StoreUnavailable."""
    spec = spec_of(document, live_lag_max_s=parts.config().engine.live_lag_max_s)
    check_new(spec)
    return await document_of(await parts.analyses.create(spec, {}), parts)


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────


async def post_records(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Analyse records, in the order in which they stand; answered once what they gave can be read.

    Records before the one at which a body is refused stay analysed. A body sent again with its Idempotency-Key counts
    once, however far it had come.
    """
    job = await analysis_of(request, parts)
    form = body_form(request)
    body = _unpacked(request, parts, form.encoding)
    format, whole = (form.format, body) if form.format is not None else await sniffed(body, "identity")
    assert not isinstance(whole, bytes)
    if format == "influx":
        raise UnsupportedMedia(
            "records are not read from line protocol: expected NDJSON, JSON or CSV", where={"header": hdrs.CONTENT_TYPE}
        )
    head, whole = await _begun(whole)
    description = _described(format, head, asked, parts.config().ingest.time_fields)
    try:
        reader = Reader(description, (), job.spec.columns)
    except BadPattern as e:
        raise BadRequest(f"time_format is no format: {e}", where={"parameter": "time_format"}) from None
    again = None if form.key is None else Again(form.key)
    try:
        async with aclosing(uploads(job.number, reader, whole, again)) as some:
            taken = await parts.analyses.upload(job.spec.id, some, again=again)
    except UploadRefused as e:
        raise BadBody(f"{e}; the records before that stay", where={"job": job.spec.id}) from None
    return answer(documents.counts(taken))


async def _unpacked(request: web.Request, parts: Parts, encoding: str) -> AsyncIterator[bytes]:
    """The body as it arrives, without its compression. Raises BodyTimeout, BadBody, BodyTooLarge."""
    decompressor = Decompressor(encoding, parts.config().ingest.decompressed_bytes_max)
    packed, arriving = encoding != "identity", chunks(request)
    while True:
        wait_s = parts.config().http.body_timeout_s
        try:
            async with asyncio.timeout(wait_s):
                chunk = await anext(arriving, None)
        except TimeoutError:
            raise BodyTimeout(
                f"nothing came for {wait_s:g} s; the records before that stay",
                hint="http.body_timeout_s says how long a body may pause",
            ) from None
        if chunk is None:
            break
        if not packed:
            yield chunk
            continue
        for piece in decompressor.feed(chunk):
            yield piece
    decompressor.finish()


async def _begun(body: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first line, or HEAD_BYTES of it, and the whole body again."""
    head = bytearray()
    async for chunk in body:
        head += chunk
        if b"\n" in head.lstrip() or len(head) >= HEAD_BYTES:
            break
    return bytes(head[:HEAD_BYTES]), _chained(bytes(head), body)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _described(format: Format, head: bytes, asked: Asked, usual: Sequence[str]) -> DataDescription:
    delimiter: str = asked.get("delimiter", ",")
    field = asked.get("time_field") or _time_field(format, head.decode("utf-8-sig", "replace"), delimiter, usual)
    return DataDescription(
        "DELIMITED" if format == "csv" else "JSON", field, asked["time_format"], delimiter, '"'
    )


def _time_field(format: Format, head: str, delimiter: str, usual: Sequence[str]) -> str:
    """The first of the *usual* names that the first record has, or else the first."""
    if format == "csv":
        header = next(csv.reader(head.lstrip().splitlines()[:1], delimiter=delimiter), [])
        has = [name for name in usual if name in header]
    else:
        has = [name for name in usual if re.search(rf'"{re.escape(name)}"\s*:', head)]
    return next(iter([*has, *usual]), "time")


# ── its life ──────────────────────────────────────────────────────────────────────────────────────────────────


async def post_flush(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Answer once all that was sent is analysed and can be read; with interim results of open buckets if asked for."""
    job = await analysis_of(request, parts)
    if not asked["interim"] and ("start_ms" in asked or "end_ms" in asked):
        raise BadRequest("start and end are of interim results: expected interim=true", where={"parameter": "interim"})
    if "end_ms" in asked and "start_ms" not in asked:
        raise BadRequest("end needs a start", where={"parameter": "end"})
    await parts.analyses.flush(
        job.spec.id,
        interim=asked["interim"],
        start_ms=asked.get("start_ms"),
        end_ms=asked.get("end_ms"),
        advance_ms=asked.get("advance_ms"),
    )
    return answer(await document_of(job, parts))


async def post_close(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """End the analysis for now: all can be read, and the models are a snapshot. The next record opens it again."""
    job = await analysis_of(request, parts)
    await parts.analyses.close(job.spec.id)
    return answer(await document_of(job, parts))


async def post_pause(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Analyse nothing of what is sent, or of the events that arrive, until the job is resumed."""
    job = await analysis_of(request, parts)
    await parts.analyses.pause(job.spec.id)
    return answer(await document_of(job, parts))


async def post_resume(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Analyse again; the time between is downtime, of which nothing is learned."""
    job = await analysis_of(request, parts)
    await parts.analyses.resume(job.spec.id)
    return answer(await document_of(job, parts))


COMMON = (NotFound, HasNoDetectors, StoreUnavailable)
AS_IT_IS = {200: Content("The job as it is now.", named("Analysis"), examples.ANALYSIS)}

ROUTES = (
    Route(
        "POST",
        "/api/v1/jobs/{id}/records",
        post_records,
        "jobs",
        {200: Content("What became of the records.", named("RecordCounts"), examples.COUNTS)},
        Parameters.of(
            text(
                "time_field",
                "The field that holds the time. Default: the first of the setting ingest.time_fields that the first "
                "record has.",
            ),
            text(
                "time_format",
                "any (ISO 8601 or an epoch number, by magnitude), epoch, epoch_ms, or a date pattern of Java.",
                default="any",
            ),
            DELIMITER,
        ),
        headers=(
            IDEMPOTENCY_KEY,
            Header(
                "Content-Encoding",
                "How the body is compressed.",
                {"type": "string", "enum": ["gzip", "deflate", "zstd", "identity"]},
            ),
        ),
        body=(
            Content(
                "Records, an object each.",
                TEXT,
                examples.RECORDS_SENT,
                ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"),
            ),
            Content(
                "One record or a list.", {"oneOf": [ANY_OBJECT, listing(ANY_OBJECT)]}, examples.RECORD_SENT, (JSON,)
            ),
            Content("A header row, then one record a row.", TEXT, examples.RECORDS_SENT_AS_CSV, ("text/csv",)),
        ),
        refusals=(
            *COMMON,
            InUse,
            TooManyOpen,
            IntakeFull,
            BadBody,
            BodyTimeout,
            BodyTooLarge,
            UnsupportedMedia,
            IdempotencyKeyReused,
            AnalysisFailed,
        ),
        scope="ingest",
    ),
    Route(
        "POST",
        "/api/v1/jobs/{id}/flush",
        post_flush,
        "jobs",
        AS_IT_IS,
        Parameters.of(
            flag("interim", "With interim results of the buckets that are open.", default=False),
            time("start", "Of interim results: from the bucket that holds it."),
            time("end", "Of interim results: up to it, exclusive."),
            time("advance", "No record before it will come: buckets that end by then are final."),
        ),
        refusals=(*COMMON, AnalysisFailed),
        scope="ingest",  # who sends says when that was all
    ),
    Route(
        "POST", "/api/v1/jobs/{id}/close", post_close, "jobs", AS_IT_IS, refusals=(*COMMON, InUse), scope="ingest"
    ),
    Route("POST", "/api/v1/jobs/{id}/pause", post_pause, "jobs", AS_IT_IS, refusals=(*COMMON, InUse, CannotPause)),
    Route("POST", "/api/v1/jobs/{id}/resume", post_resume, "jobs", AS_IT_IS, refusals=(*COMMON, CannotResume)),
)
