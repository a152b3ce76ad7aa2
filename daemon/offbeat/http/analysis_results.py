"""What a job with detectors found: buckets, records, influencers, categories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from offbeat.analyses.checks import DETECTORS_MAX
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import NotFound, NotYet
from offbeat.http import analysis_documents as documents
from offbeat.http import analysis_examples as examples
from offbeat.http.analyses import HasNoDetectors, analysis_of
from offbeat.http.documents import Document, answer, page
from offbeat.http.parameters import (
    CURSOR,
    LIMIT,
    MIN_SCORE,
    SEQUENCE,
    Asked,
    Parameters,
    choice,
    flag,
    text,
    time,
    whole,
)
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.http.schemas import named
from offbeat.store import analysis_pages as pages
from offbeat.store.analysis_pages import ResultQuery
from offbeat.store.analysis_queries import Plotted
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


async def get_plot(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The model plot of a job: of each final bucket and entity in which band it was expected, and what came."""
    job = await analysis_of(request, parts)
    which = Plotted(**{name: asked.pop(name) for name in PLOTTED if name in asked})
    found, left_out = await pages.plot(parts.analyses.database, job.number, ResultQuery(**asked), which)
    return answer(page("plot", found, lambda one: documents.point(job.spec, one)) | {"left_out": left_out})


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

    def some(categories: Any) -> tuple[list[Any], Any]:
        if categories is None:
            return [], None
        ids = [id for id in categories.ids if id > after]
        return [categories.definition(id) for id in ids[: limit + 1]], categories.status()

    found, status = await parts.analyses.runner.ask(job.number, lambda analysis: some(analysis.categories))
    shown = tuple(found[:limit])
    cursor = cursor_of(shown[-1].id) if len(found) > limit else None
    of_all = {"categorization": documents.categorizer(status)}
    return answer(page("categories", Page(shown, cursor), documents.category) | of_all)


START = time("start", "Of the bucket's start, inclusive.")
END = time("end", "Of the bucket's start, exclusive.")
ASKED = Parameters.of(
    START,
    END,
    MIN_SCORE,
    choice("order", "By time, newest first, or highest score first.", ("time", "-time", "-score"), default="time"),
    flag("interim", "With interim results of open buckets.", default=False),
    LIMIT,
    CURSOR,
    SEQUENCE,
)


PLOTTED = ("detector", "feature", "by", "over", "partition")
OF_PLOT = Parameters.of(
    START,
    END,
    whole("detector", "Only of the detector of this number, from 0.", 0, lambda _: DETECTORS_MAX - 1),
    text("measure", "Only of this measure, of detectors that have several.", into="feature"),
    text("by", "Only of this by value."),
    text("over", "Only of this over value."),
    text("partition", "Only of this partition value."),
    choice("order", "Oldest or newest first.", ("time", "-time"), default="time"),
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
        "plot",
        get_plot,
        Content("Some points of the model plot.", named("ModelPlotPoints"), examples.PLOT),
        OF_PLOT,
    ),
    _route(
        "categories",
        get_categories,
        Content(
            "Some categories, and whether they are of use.",
            named("Categories"),
            examples.paged("categories", examples.CATEGORY) | {"categorization": examples.CATEGORIZATION},
        ),
        Parameters.of(LIMIT, CURSOR, SEQUENCE),
    ),
)
