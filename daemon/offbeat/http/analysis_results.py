"""What a job with detectors found: buckets, records, influencers, categories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import NotFound, NotYet
from offbeat.http import analysis_documents as documents
from offbeat.http import analysis_examples as examples
from offbeat.http.analyses import HasNoDetectors, analysis_of
from offbeat.http.documents import Document, answer, page
from offbeat.http.parameters import CURSOR, LIMIT, MIN_SCORE, SEQUENCE, Asked, Parameters, choice, flag, time
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.http.schemas import named
from offbeat.store import analysis_pages as pages
from offbeat.store.analysis_pages import ResultQuery
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Page

Find = Callable[[Database, int, ResultQuery], Awaitable[Page[Any]]]


async def get_analysis_buckets(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The buckets of a job with their scores."""
    return await _found(request, parts, asked, "buckets", pages.buckets, documents.bucket)


async def get_analysis_records(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The findings of a job."""
    return await _found(request, parts, asked, "records", pages.records, documents.record)


async def get_analysis_influencers(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The values that may be blamed, bucket by bucket."""
    return await _found(request, parts, asked, "influencers", pages.influencers, documents.influencer)


async def _found(
    request: web.Request,
    parts: Parts,
    asked: Asked,
    name: str,
    find: Find,
    row: Callable[[AnalysisSpec, Any], Document],
) -> web.Response:
    job = await analysis_of(request, parts)
    found = await find(parts.analyses.database, job.number, ResultQuery(**asked))
    return answer(page(name, found, lambda one: row(job.spec, one)))


async def get_categories(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The categories of the messages of a job, in the order in which they were first seen."""
    job = await analysis_of(request, parts)
    place = place_of(asked.get("cursor"), int)
    after, limit = 0 if place is None else place[0], asked["limit"]

    def some(categories: Any) -> list[Any]:
        ids = [] if categories is None else [id for id in categories.ids if id > after]
        return [categories.definition(id) for id in ids[: limit + 1]]

    found = await parts.analyses.runner.ask(job.number, lambda analysis: some(analysis.categories))
    shown = tuple(found[:limit])
    cursor = cursor_of(shown[-1].id) if len(found) > limit else None
    return answer(page("categories", Page(shown, cursor), documents.category))


ASKED = Parameters.of(
    time("start", "Of the bucket's start, inclusive."),
    time("end", "Of the bucket's start, exclusive."),
    MIN_SCORE,
    choice("order", "By time, newest first, or highest score first.", ("time", "-time", "-score"), default="time"),
    flag("interim", "With interim results of open buckets.", default=False),
    LIMIT,
    CURSOR,
    SEQUENCE,
)


def _route(name: str, handler: Any, answered: Content, parameters: Parameters = ASKED) -> Route:
    path = f"/api/v1/jobs/{{id}}/results/{name}"
    refusals = (NotFound, HasNoDetectors, NotYet)
    return Route("GET", path, handler, "jobs", {200: answered}, parameters, refusals=refusals, of_analyses=True)


ROUTES = (
    _route(
        "buckets",
        get_analysis_buckets,
        Content("Some buckets.", named("AnalysisBuckets"), examples.paged("buckets", examples.BUCKET)),
    ),
    _route(
        "records",
        get_analysis_records,
        Content("Some findings.", named("AnalysisRecords"), examples.paged("records", examples.RECORD)),
    ),
    _route(
        "influencers",
        get_analysis_influencers,
        Content("Some influencers.", named("AnalysisInfluencers"), examples.paged("influencers", examples.INFLUENCER)),
    ),
    _route(
        "categories",
        get_categories,
        Content("Some categories.", named("Categories"), examples.paged("categories", examples.CATEGORY)),
        Parameters.of(LIMIT, CURSOR, SEQUENCE),
    ),
)
