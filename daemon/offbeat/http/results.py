"""What can be asked of the results: buckets, records, sources, readings, diagnosis, quarantine."""
from __future__ import annotations

import asyncio

from aiohttp import web

from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    NotFound,
    NotYet,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import documents, examples, explained
from offbeat.http.documents import answer, page
from offbeat.http.parameters import (
    CURSOR,
    FIELDS,
    LIMIT,
    MIN_SCORE,
    SEQUENCE,
    SOURCES,
    WIDTH,
    Asked,
    Parameters,
    choice,
    choices,
    flag,
    text,
    time,
)
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, read_document
from offbeat.http.schemas import named
from offbeat.store.queries import BucketQuery, ReadingsQuery, RecordQuery

JOB = text("job", "The job that said it.", default="watch")
ORDER = choice("order", "By time, newest first, or highest score first.", ("time", "-time", "-score"), default="time")
COLUMNS = choices(
    "columns", "Of rollups only these columns, separated by commas; default all. Readings have their value always.",
    ("count", "sum", "min", "max", "mean", "sum_of_squares"),
)
BUCKET_START, BUCKET_END = (
    time("start", "Of the bucket's start, inclusive."),
    time("end", "Of the bucket's start, exclusive."),
)


async def get_buckets(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The buckets of a job with their scores."""
    return answer(documents.buckets(await parts.results.buckets(BucketQuery(**asked))))


async def get_records(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The findings, each with why it is one."""
    row = explained.record if asked.pop("explain") else documents.record
    found = await parts.results.records(RecordQuery(**asked))
    return answer(await asyncio.to_thread(page, "records", found, row))  # ten thousand sentences take a second


async def get_record(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One finding in full: when the most similar moments were, how often its series has scored so much."""
    return answer(explained.record_in_full(await parts.results.record(request.match_info["record"])))


async def get_sources(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """All sources that ever sent an event."""
    found = await parts.results.sources(asked["prefix"], asked["limit"], asked.get("cursor"))
    return answer(page("sources", found, documents.source))


async def get_source(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """One source with its metadata and its series."""
    return answer(documents.source_in_full(await parts.results.source(request.match_info["source"])))


async def patch_source(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Replace the metadata of a source, an object of any form; the answer is the source as it is now."""
    name = request.match_info["source"]
    document = await read_document(request, parts)
    if list(document) != ["metadata"] or not isinstance(document["metadata"], dict):
        raise BadRequest(
            'expected {"metadata": {…}} and nothing else; nothing was changed', where={"field": "metadata"}
        )
    await parts.results.set_metadata(name, document["metadata"])
    return answer(documents.source_in_full(await parts.results.source(name)))


async def get_readings(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What a source sent, down-sampled to a width, with what the job watch expected."""
    columns, epoch = asked.pop("columns", None), asked.pop("time") == "epoch_ms"
    query = ReadingsQuery(source=request.match_info["source"], **asked)
    return answer(documents.readings(query.source, await parts.results.readings(query), columns, epoch=epoch))


async def get_diagnosis(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Why the daemon, and each source, says what it says or says nothing."""
    found = await parts.results.diagnosis(asked.get("sources", ()), asked["limit"], asked.get("cursor"))
    return answer(documents.diagnosis(*found))


async def get_quarantine(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Rejected lines, newest first."""
    found = await parts.results.quarantine(asked.get("code"), asked["limit"], asked.get("cursor"))
    return answer(page("rejected", found, documents.quarantined))


ROUTES = (
    Route(
        "GET",
        "/api/v1/buckets",
        get_buckets,
        "results",
        {200: Content("Some buckets.", named("Buckets"), examples.BUCKETS)},
        Parameters.of(
            JOB,
            choice(
                "scope",
                "A bucket of each source, or the job's own over all sources.",
                ("source", "job"),
                default="source",
            ),
            SOURCES,
            BUCKET_START,
            BUCKET_END,
            MIN_SCORE,
            ORDER,
            LIMIT,
            CURSOR,
            SEQUENCE,
        ),
        refusals=(NotFound, NotYet),
    ),
    Route(
        "GET",
        "/api/v1/records",
        get_records,
        "results",
        {200: Content("Some findings.", named("Records"), examples.RECORDS)},
        Parameters.of(
            JOB,
            SOURCES,
            FIELDS,
            BUCKET_START,
            BUCKET_END,
            MIN_SCORE,
            ORDER,
            flag("explain", "With why each is one.", default=True),
            LIMIT,
            CURSOR,
            SEQUENCE,
        ),
        refusals=(NotFound, NotYet),
    ),
    Route(
        "GET",
        "/api/v1/records/{record}",
        get_record,
        "results",
        {200: Content("The finding, explained in full.", named("Record"), examples.RECORD_IN_FULL)},
        Parameters.of(SEQUENCE),
        refusals=(NotFound, NotYet),
    ),
    Route(
        "GET",
        "/api/v1/sources",
        get_sources,
        "sources",
        {200: Content("Some sources.", named("Sources"), examples.SOURCES)},
        Parameters.of(text("prefix", "Only names that begin so.", default=""), LIMIT, CURSOR, SEQUENCE),
        refusals=(NotYet,),
    ),
    Route(
        "GET",
        "/api/v1/sources/{source}",
        get_source,
        "sources",
        {200: Content("The source.", named("SourceInFull"), examples.SOURCE_IN_FULL)},
        Parameters.of(SEQUENCE),
        refusals=(NotFound, NotYet),
    ),
    Route(
        "PATCH",
        "/api/v1/sources/{source}",
        patch_source,
        "sources",
        {200: Content("The source as it is now.", named("SourceInFull"), examples.SOURCE_IN_FULL)},
        body=(Content("The metadata.", named("Metadata"), examples.METADATA),),
        refusals=(NotFound, BadBody, BodyTimeout, BodyTooLarge, UnsupportedMedia, StoreUnavailable),
    ),
    Route(
        "GET",
        "/api/v1/sources/{source}/readings",
        get_readings,
        "sources",
        {200: Content("Its readings, column by column.", named("Readings"), examples.READINGS)},
        Parameters.of(
            FIELDS,
            time("start", "Of the reading, inclusive."),
            time("end", "Of the reading, exclusive."),
            WIDTH,
            choice(
                "level",
                "Readings as sent, or the rollups of a window. Default: the finest that fits.",
                ("raw", "1m", "1h", "1d"),
            ),
            COLUMNS,
            choice("time", "How times are answered: as texts, or as whole milliseconds since 1970 UTC.",
                   ("iso", "epoch_ms"), default="iso"),
            SEQUENCE,
        ),
        refusals=(NotFound, NotYet),
    ),
    Route(
        "GET",
        "/api/v1/diagnosis",
        get_diagnosis,
        "operation",
        {200: Content("The daemon's state and that of some sources.", named("Diagnosis"), examples.DIAGNOSIS)},
        Parameters.of(SOURCES, LIMIT, CURSOR, SEQUENCE),
        refusals=(NotYet,),
    ),
    Route(
        "GET",
        "/api/v1/quarantine",
        get_quarantine,
        "operation",
        {200: Content("Some rejected lines.", named("Quarantine"), examples.QUARANTINE)},
        Parameters.of(text("code", "Only lines rejected for this reason."), LIMIT, CURSOR, SEQUENCE),
        refusals=(NotYet,),
    ),
)
