"""What is sent to a job: uploads, flush, close, preview.

Source: Prelert Engine API, section 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace

from aiohttp import web

from offbeat.analyses.again import Again
from offbeat.analyses.life import Job
from offbeat.analyses.uploading import uploads
from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.results import Taken
from offbeat.errors import Refused
from offbeat.gateways.prelert import documents
from offbeat.gateways.prelert.call import Call, answered, drain
from offbeat.gateways.prelert.dates import query_ms
from offbeat.gateways.prelert.documents import ACKNOWLEDGED, Document
from offbeat.gateways.prelert.errors import PrelertError, of_upload
from offbeat.gateways.prelert.refusals import document_of, numbered
from offbeat.gateways.prelert.translation import configuration_of_job, said_of, spec_of
from offbeat.http.events import idempotency_key
from offbeat.wire.records.errors import UploadRefused
from offbeat.wire.records.preview import preview
from offbeat.wire.records.reader import Reader

JUDGED_FROM, LATE_SHARE_MAX = 100, 0.25
"""From so many records on an upload is refused if a larger share of them is out of order."""
PREVIEW_BYTES_MAX = 16 << 20


async def post_data(call: Call) -> web.Response:
    """Send records to one job, or the same to several."""
    return await _sent(call, keep=False)


async def post_dataload(call: Call) -> web.Response:
    """Send records to one job, or the same to several; they are kept as they came, too."""
    return await _sent(call, keep=True)


async def _sent(call: Call, *, keep: bool) -> web.Response:
    ids = [id for id in call.path["job"].split(",") if id]
    if len(ids) == 1:
        async with aclosing(call.data()) as body:
            made = [await _uploaded(call, ids[0], body, keep=keep)]
    else:
        made = await _to_several(call, ids, keep=keep)
    await drain(call.request)
    status = next((error.status for _, error in made if error is not None), 202)
    responses = [response for response, _ in made]
    return answered({"responses": responses}, status)


async def _to_several(call: Call, ids: list[str], *, keep: bool) -> list[tuple[Document, Refused | None]]:
    """The same body to each job, a block at a time: the slowest sets the pace."""
    queues: list[asyncio.Queue[bytes | Exception | None]] = [asyncio.Queue(1) for _ in ids]

    async def blocks(queue: asyncio.Queue[bytes | Exception | None]) -> AsyncGenerator[bytes]:
        while (block := await queue.get()) is not None:
            if isinstance(block, Exception):
                raise block
            yield block

    async def one(id: str, queue: asyncio.Queue[bytes | Exception | None]) -> tuple[Document, Refused | None]:
        try:
            async with aclosing(blocks(queue)) as body:
                return await _uploaded(call, id, body, keep=keep)
        finally:
            while await queue.get() is not None:  # it takes no more: the others go on
                continue

    async def share() -> None:
        end: Exception | None = None
        try:
            async with aclosing(call.data()) as body:
                async for block in body:
                    for queue in queues:
                        await queue.put(block)
        except Exception as e:  # each job that still takes is told
            end = e
        for queue in queues:
            for last in (end, None):  # one for who reads, one for who waits for the end
                await queue.put(last)

    tasks = [asyncio.ensure_future(one(id, queue)) for id, queue in zip(ids, queues, strict=True)]
    sharing = asyncio.ensure_future(share())
    made = await asyncio.gather(*tasks)
    await sharing
    return list(made)


async def _uploaded(
    call: Call, id: str, body: AsyncGenerator[bytes], *, keep: bool
) -> tuple[Document, Refused | None]:
    try:
        job = call.analyses.get(id)
        fields = len(configuration_of_job(job).analysis.fields)
        reset_ms = _reset_ms(call, job)
        if keep:
            body = call.analyses.raw.keep(job.raw_name, body, call.parts.config().store.dataload_bytes_max)
        key = idempotency_key(call.request.headers.get("Idempotency-Key"))
        again = None if key is None else Again(key)
        async with aclosing(body), aclosing(_uploads(job, body, again)) as parts:
            taken = await _taken(call, job, parts, reset_ms, again)
        if refused_for_order(taken):
            late, seen = taken.counts["out_of_order"], taken.counts["input_record"]
            raise PrelertError(30105, f"{late} of {seen} records are out of order")
        return {"jobId": id, "uploadSummary": documents.counts(taken, fields, whole=False)}, None
    except Refused as e:
        refused = numbered(e)
        return {"jobId": id, "error": document_of(refused)}, refused


async def _taken(
    call: Call, job: Job, uploads: AsyncIterator[Upload], reset_ms: tuple[int, int] | None, again: Again | None
) -> Taken:
    """What became of an upload. A job that ignores downtime does so when it opens; one that does so ONCE, once."""
    ignores = configuration_of_job(job).ignore_downtime
    opening = job.status == "CLOSED" and ignores in ("ONCE", "ALWAYS")
    try:
        return await call.analyses.upload(
            job.spec.id, uploads, skip=opening or call.flag("ignoreDowntime"), reset_ms=reset_ms, again=again
        )
    finally:
        if opening and ignores == "ONCE" and job.status != "CLOSED":
            done = replace(configuration_of_job(job), ignore_downtime="NEVER")
            await call.analyses.change(job, spec_of(done, job.spec.id), said_of(done))


async def _uploads(job: Job, body: AsyncIterator[bytes], again: Again | None) -> AsyncGenerator[Upload]:
    """The body as records."""
    configuration = configuration_of_job(job)
    reader = Reader(configuration.data, configuration.transforms, job.spec.columns)
    try:
        async with aclosing(uploads(job.number, reader, body, again)) as some:
            async for upload in some:
                yield upload
    except UploadRefused as e:
        raise of_upload(e) from None


def refused_for_order(taken: Taken) -> bool:
    """Were too many records of an upload out of order? Judged of all of it: those in order are analysed."""
    late = taken.counts["out_of_order"]
    seen = taken.counts["input_record"]
    return seen >= JUDGED_FROM and late > LATE_SHARE_MAX * seen


def _reset_ms(call: Call, job: Job) -> tuple[int, int] | None:
    """The range of buckets that the upload makes anew. Raises PrelertError 60101, 60108 or 60109."""
    start, end = call.text("resetStart"), call.text("resetEnd")
    if start is None and end is None:
        return None
    start_ms, end_ms = query_ms(start, "resetStart"), query_ms(end, "resetEnd")
    if start_ms is None or end_ms is None or end_ms < start_ms:
        raise PrelertError(60108, "resetStart and resetEnd come together, and the start is not after the end")
    if job.spec.latency_s == 0:
        raise PrelertError(60109, "buckets can only be reset in a job that has a latency")
    return start_ms, end_ms


async def post_flush(call: Call) -> web.Response:
    """Return when all that was sent can be read; with interim results of open buckets if asked for."""
    interim = call.flag("calcInterim")
    start_ms, end_ms = call.range_ms()
    if (start_ms is not None or end_ms is not None) and not interim:
        raise PrelertError(60106, "start and end are of interim results: calcInterim must be true")
    if end_ms is not None and start_ms is None:
        raise PrelertError(60106, "an end needs a start")
    advance_ms = query_ms(call.text("advanceTime"), "advanceTime")
    if call.job.status != "CLOSED" or advance_ms is not None or interim:
        await call.analyses.flush(
            call.path["job"], interim=interim, start_ms=start_ms, end_ms=end_ms, advance_ms=advance_ms
        )
    return answered(ACKNOWLEDGED)


async def post_close(call: Call) -> web.Response:
    """End the analysis for now: results can be read, the models are a snapshot."""
    await call.analyses.close(call.path["job"])
    return answered(ACKNOWLEDGED, 202)


async def post_preview(call: Call) -> web.Response:
    """What would be analysed of a sample, as CSV."""
    configuration = configuration_of_job(call.job)
    sample = bytearray()
    async for piece in call.data():
        if len(sample) + len(piece) > PREVIEW_BYTES_MAX:
            raise PrelertError(30001, f"a sample to preview is at most {PREVIEW_BYTES_MAX} bytes")
        sample += piece

    def made() -> str:
        blocks: Iterator[bytes] = iter((bytes(sample),))
        return "".join(preview(configuration.data, configuration.transforms, configuration.analysis.fields, blocks))

    try:
        text = await asyncio.to_thread(made)
    except UploadRefused as e:
        raise of_upload(e) from None
    return web.Response(text=text, status=202, content_type="text/plain", charset="utf-8")
