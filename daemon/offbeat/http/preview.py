"""What a job would have said of stored readings, before it is created. One route."""
from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from aiohttp import web

from offbeat.analyses.checks import check_new
from offbeat.backtest.preview import Preview, PreviewBusy
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import analysis_asked, explained, members
from offbeat.http import page_examples as examples
from offbeat.http.analysis_documents import live_record
from offbeat.http.documents import Document, answer, iso_all
from offbeat.http.jobs import spec_of
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.jobs import check, in_zone
from offbeat.records import JobSpec

DAY_MS = 86_400_000
SPAN_MS, SPAN_MS_MAX = 7 * DAY_MS, 31 * DAY_MS


async def post_preview(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What a job would have said of the stored readings of the last week, or of another span of at most a month.

    Nothing of it is stored. One preview runs at a time, and ends if the client leaves. Of events only numbers and the
    source are stored: a job with detectors sees no other text.
    """
    document = await read_document(request, parts)
    start_ms, end_ms = _span(document, parts.clock.now_ms())
    spec = await _checked(document, parts)
    score_min = parts.config().store.record_score_min

    def left() -> bool:
        return request.transport is None or request.transport.is_closing()

    made = await parts.preview(spec, start_ms, end_ms, score_min, left)
    return answer(await asyncio.to_thread(preview, spec, made))


def _span(document: dict[str, Any], now_ms: int) -> tuple[int, int]:
    """Start and end, taken out of *document*. Raises BadRequest."""
    given = {name: document.pop(name) for name in ("start", "end") if name in document}
    read = {name: members.time(name, value) for name, value in given.items()}
    end_ms = read.get("end", now_ms)
    start_ms = read.get("start", end_ms - SPAN_MS)
    if not 0 < end_ms - start_ms <= SPAN_MS_MAX:
        raise BadRequest("start and end are not a span of at most 31 days; nothing was run", where={"field": "start"})
    return start_ms, end_ms


async def _checked(document: dict[str, Any], parts: Parts) -> JobSpec | AnalysisSpec:
    """The job that *document* asks for. Raises what its creation would, but for the limits of how many there are."""
    engine = parts.config().engine
    spec: JobSpec | AnalysisSpec
    if "detectors" in document:
        spec = analysis_asked.spec_of(document, live_lag_max_s=engine.live_lag_max_s)
        check_new(spec)
    else:
        spec = spec_of(document)
        check(spec, engine.model_modules)
        spec = in_zone(spec, engine.time_zone)
    if parts.analyses.has(spec.id) or any(job.spec.id == spec.id for job in await parts.jobs.list()):
        raise Conflict(f"there is a job {spec.id} already", hint="choose another id", where={"job": spec.id})
    return spec


def preview(spec: JobSpec | AnalysisSpec, made: Preview) -> Document:
    """What came of it."""
    starts = iso_all(np.array(list(made.buckets), np.int64))
    if isinstance(spec, AnalysisSpec):
        records = [live_record(spec, result, found) for result, found in made.found]
    else:
        records = [explained.record(one) for one in made.records]
    return {
        "reading_count": made.reading_count,
        "bucket_count": made.bucket_count,
        "truncated": made.truncated,
        "took_s": made.took_s,
        "buckets": [
            {"start": start, "score": score} for start, score in zip(starts, made.buckets.values(), strict=True)
        ],
        "records": records,
        "warm_up": {"series_count": made.series_count, "warming_up": made.warming_up},
        "model_bytes": made.model_bytes,
    }


EITHER = {"oneOf": [named("JobPreview"), named("AnalysisPreview")]}
ROUTES = (
    Route(
        "POST",
        "/api/v1/jobs/preview",
        post_preview,
        "jobs",
        {200: Content("What it would have said.", named("Preview"), examples.PREVIEW)},
        body=(Content("The job, and perhaps start and end.", EITHER, examples.PREVIEW_ASKED),),
        refusals=(Conflict, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, PreviewBusy, StoreUnavailable),
        scope="read",  # it changes nothing
    ),
)
