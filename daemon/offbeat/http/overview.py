"""All lanes at a glance: of the sources of a job, or of the jobs, the worst first. One route."""
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from offbeat.analyses.job import Job
from offbeat.errors import BadRequest, NotFound, NotYet
from offbeat.http import explained
from offbeat.http import page_examples as examples
from offbeat.http.documents import Document, answer, iso
from offbeat.http.forms import named
from offbeat.http.parameters import CURSOR, SEQUENCE, Asked, Parameters, choice, text, time, whole
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.store import analysis_pages
from offbeat.store.analysis_pages import ResultQuery
from offbeat.store.overview_queries import Lane, Overview, OverviewQuery, of_analysis, paged, placed, worst_of
from offbeat.store.queries import Record

DAY_MS = 86_400_000
BINS_MAX, LANES_MAX = 500, 500


async def get_overview(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Lanes of scores over a span of time, the worst first, and how many rows are how bad.

    A score of null says that no event came in that part of the time; 0 is quiet.
    """
    query = spanned(asked, parts.clock.now_ms())
    if query.rows == "source" and not parts.analyses.has(query.job):
        found = await parts.results.overview(query)
    else:
        query, _ = placed(query)
        lanes = await parts.results.job_lanes(query) if query.rows == "job" else []
        chosen = parts.analyses.all() if query.rows == "job" else [parts.analyses.get(query.job)]
        lanes += [await analysis_lane(parts, job, query) for job in chosen]
        found = paged(query, lanes)
    records = {
        lane.name: await analysis_record(parts, parts.analyses.get(lane.name), found.query)
        for lane in found.lanes
        if lane.kind == "buckets" and lane.worst > 0.0 and parts.analyses.has(lane.name)
    }
    return answer(await asyncio.to_thread(overview, found, records))  # each lane says a sentence


def spanned(asked: Mapping[str, Any], now_ms: int) -> OverviewQuery:
    """The question, of the last day unless it says otherwise. That ends with a whole bin: colours do not wander."""
    bins = asked["bins"]
    end_ms, start_ms = asked.get("end_ms"), asked.get("start_ms")
    if end_ms is None:
        bin_ms = max(1, DAY_MS // bins)
        end_ms = now_ms if start_ms is not None else -(-now_ms // bin_ms) * bin_ms
    if start_ms is None:
        start_ms = end_ms - DAY_MS
    if end_ms <= start_ms:
        raise BadRequest("the end is not after the start: expected a span of time", where={"parameter": "end"})
    return OverviewQuery(
        asked["job"], asked["rows"], start_ms, end_ms, bins, asked["limit"], asked.get("cursor"), asked["prefix"]
    )


async def analysis_lane(parts: Parts, job: Job, query: OverviewQuery) -> Lane:
    """The lane of a job with detectors."""
    scores = await of_analysis(parts.analyses.database, job.number, query, job.spec.bucket_span_s)
    latest_ms = await parts.analyses.runner.ask(job.number, lambda one: one.totals.latest_ms)
    return Lane(job.spec.id, "buckets", worst_of(scores), scores, latest_ms, job.status == "RUNNING", None)


async def analysis_record(parts: Parts, job: Job, query: OverviewQuery) -> Document | None:
    """The strongest finding of a job with detectors in that time. It has no id: GET …/results/records has it."""
    asked = ResultQuery(query.start_ms, query.end_ms, order="-score", limit=1, interim=True)
    found = (await analysis_pages.records(parts.analyses.database, job.number, asked)).rows
    if not found:
        return None
    row, body = found[0], found[0].body
    who = ", ".join(body[name] for name in ("partition", "over", "by") if body[name])
    field = job.spec.detectors[row.detector].field
    actual, typical = (" and ".join(f"{x:.4g}" for x in body[name]) for name in ("actual", "typical"))
    measure = " of ".join(part for part in (body["description"], field, who) if part)
    sentence = f"{measure} was {actual}, expected {typical}"
    return {"id": None, "time": iso(row.start_ms), "score": row.score, "field": field, "sentence": sentence}


def overview(found: Overview, records: Mapping[str, Document | None]) -> Document:
    """A page of lanes; *records*, by name, are those of jobs with detectors."""
    query = found.query
    return {
        "job": query.job if query.rows == "source" else None,
        "rows": query.rows,
        "start": iso(query.start_ms),
        "end": iso(query.end_ms),
        "bin_s": (query.end_ms - query.start_ms) / query.bins / 1000,
        "bins": query.bins,
        "row_count": found.row_count,
        "counts": found.counts,
        "lanes": [_lane(one, records.get(one.name)) for one in found.lanes],
        "next_cursor": found.next_cursor,
    }


def _lane(one: Lane, record: Document | None) -> Document:
    return {
        "name": one.name,
        **({} if one.kind is None else {"kind": one.kind}),
        "worst": one.worst,
        "scores": one.scores,
        "last_event": None if one.last_event_ms is None else iso(one.last_event_ms),
        "live": one.live,
        "record": record if one.record is None else _record(one.record),
    }


def _record(r: Record) -> Document:
    sentence = explained.record(r)["explain"]["sentence"]
    return {"id": r.id, "time": iso(r.time_ms), "score": r.score, "field": r.field, "sentence": sentence}


LANES = whole("limit", f"Most lanes in the answer; at most {LANES_MAX}.", 1, lambda _: LANES_MAX, default=50)
LANES.schema["maximum"] = LANES_MAX
ROUTES = (
    Route(
        "GET",
        "/api/v1/overview",
        get_overview,
        "results",
        {200: Content("A page of lanes.", named("Overview"), examples.OVERVIEW)},
        Parameters.of(
            text("job", "The job whose sources are the rows; one with detectors has one row, its own.",
                 default="watch"),
            choice("rows", "A lane of each source, or of each job.", ("source", "job"), default="source"),
            time("start", "Inclusive. Default: a day before the end."),
            time("end", "Exclusive. Default: now, up to a whole bin."),
            whole(
                "bins", f"In how many equal parts the time is cut; at most {BINS_MAX}.", 1, lambda _: BINS_MAX,
                default=96,
            ),
            LANES,
            CURSOR,
            text("prefix", "Only names that begin so.", default=""),
            SEQUENCE,
        ),
        refusals=(NotFound, NotYet),
    ),
)
