"""The results of a job: buckets, records, influencers, categories.

Source: Prelert Engine API, sections 9 and 19.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from offbeat.analyses.job import Job
from offbeat.gateways.prelert import documents
from offbeat.gateways.prelert.call import Call, answered
from offbeat.gateways.prelert.dates import query_ms
from offbeat.gateways.prelert.documents import Document
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.store import analysis_queries as queries
from offbeat.store.analysis_queries import INFLUENCER_ORDERS, RECORD_ORDERS, Asked, BucketRow
from offbeat.store.database import Database

EXPANDED_MAX = 500


async def get_buckets(call: Call) -> web.Response:
    """Buckets, the earliest first."""
    job = call.job
    skip, take = call.paging()
    start_ms, end_ms = call.range_ms()
    least = max(call.number("maxNormalizedProbability"), call.number("normalizedProbability"))
    asked = Asked(start_ms, end_ms, call.flag("includeInterim"), call.number("anomalyScore"), least, skip, take)
    found = await queries.buckets(call.analyses.database, job.number, asked)
    expand = call.flag("expand")
    made = [await bucket_document(call, job, row, expand=expand) for row in found.rows]
    query = {
        "expand": expand,
        "includeInterim": asked.interim,
        "anomalyScore": asked.anomaly_score,
        "maxNormalizedProbability": asked.normalized,
        **_dates(call),
    }
    url = f"{call.base}/results/{job.spec.id}/buckets"
    return answered(documents.page(made, found.count, skip, take, url, query))


async def get_bucket(call: Call) -> web.Response:
    """The bucket that starts at the time in the path."""
    job, row = call.job, await _bucket(call)
    if row is None:
        return answered(documents.single("bucket", None), 404)
    document = await bucket_document(call, job, row, expand=call.flag("expand"))
    return answered(documents.single("bucket", document))


async def _bucket(call: Call) -> BucketRow | None:
    time_ms = query_ms(call.path["time"], "the time of the bucket")
    if time_ms is None:
        raise PrelertError(60101, f"{call.path['time']!r} is not the time of a bucket")
    return await queries.bucket(
        call.analyses.database, call.job.number, time_ms, interim=call.flag("includeInterim")
    )


async def bucket_document(call: Call, job: Job, row: BucketRow, *, expand: bool) -> Document:
    """A bucket; expanded, with its records, the most unusual first, and its influencers."""
    if not expand:
        return documents.bucket(row, job.spec)
    database, asked = call.analyses.database, Asked(row.start_ms, row.start_ms + 1, True, take=EXPANDED_MAX)
    return documents.bucket(
        row, job.spec, await _records_of(database, job, asked), await _influencers_of(database, job, asked)
    )


async def _records_of(database: Database, job: Job, asked: Asked) -> list[Document]:
    found = await queries.records(database, job.number, asked, "normalizedProbability", descending=True)
    return [documents.record(row, job.spec, functions_of(job)) for row in found.rows]


async def _influencers_of(database: Database, job: Job, asked: Asked) -> list[Document]:
    found = await queries.influencers(database, job.number, asked, "anomalyScore", descending=True)
    return [documents.influencer(row) for row in found.rows]


def functions_of(job: Job) -> Sequence[str]:
    """What the job's creator called the function of each detector."""
    return [detector.function for detector in job.spec.detectors]


async def get_records(call: Call) -> web.Response:
    """Records, the most unusual first unless another order is asked for."""
    job = call.job
    skip, take = call.paging()
    start_ms, end_ms = call.range_ms()
    order, descending = _order(call, "normalizedProbability", RECORD_ORDERS)
    least = call.number("normalizedProbability")
    asked = Asked(start_ms, end_ms, call.flag("includeInterim"), call.number("anomalyScore"), least, skip, take)
    found = await queries.records(call.analyses.database, job.number, asked, order, descending=descending)
    made = [documents.record(row, job.spec, functions_of(job)) for row in found.rows]
    query = _shared(call, asked, order, descending=descending) | {"normalizedProbability": asked.normalized}
    url = f"{call.base}/results/{job.spec.id}/records"
    return answered(documents.page(made, found.count, skip, take, url, query))


async def get_records_of_bucket(call: Call) -> web.Response:
    """The records of one bucket, as clients of version 0.3 ask for them."""
    job, row = call.job, await _bucket(call)
    if row is None:
        return answered(documents.single("bucket", None), 404)
    skip, take = call.paging()
    asked = Asked(row.start_ms, row.start_ms + 1, call.flag("includeInterim"), skip=skip, take=take)
    found = await queries.records(call.analyses.database, job.number, asked, "normalizedProbability", descending=True)
    made = [documents.record(one, job.spec, functions_of(job)) for one in found.rows]
    url = f"{call.base}/results/{job.spec.id}/buckets/{call.path['time']}/records"
    return answered(documents.page(made, found.count, skip, take, url, {"includeInterim": asked.interim}))


async def get_influencers(call: Call) -> web.Response:
    """Influencers, the most anomalous first unless another order is asked for."""
    job = call.job
    skip, take = call.paging()
    start_ms, end_ms = call.range_ms()
    order, descending = _order(call, "anomalyScore", INFLUENCER_ORDERS)
    asked = Asked(
        start_ms, end_ms, call.flag("includeInterim"), call.number("anomalyScore"), skip=skip, take=take
    )
    found = await queries.influencers(call.analyses.database, job.number, asked, order, descending=descending)
    made = [documents.influencer(row) for row in found.rows]
    url, query = f"{call.base}/results/{job.spec.id}/influencers", _shared(call, asked, order, descending=descending)
    return answered(documents.page(made, found.count, skip, take, url, query))


def _order(call: Call, default: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """What to sort by, and whether the largest comes first. Raises PrelertError 60102."""
    order = call.text("sort") or default
    if order not in known:
        raise PrelertError(60102, f"{order!r} is nothing to sort by: expected one of {', '.join(known)}")
    return order, call.text("desc") is None or call.flag("desc")


def _shared(call: Call, asked: Asked, order: str, *, descending: bool) -> dict[str, object]:
    return {
        "includeInterim": asked.interim,
        "anomalyScore": asked.anomaly_score,
        "sort": order,
        "desc": descending,
        **_dates(call),
    }


def _dates(call: Call) -> dict[str, object]:
    return {name: text for name in ("start", "end") if (text := call.text(name)) is not None}


async def get_categories(call: Call) -> web.Response:
    """The categories of the messages of a job."""
    job = call.job
    skip, take = call.paging()
    every = await category_documents(call, job)
    url = f"{call.base}/results/{job.spec.id}/categorydefinitions"
    return answered(documents.page(every[skip : skip + take], len(every), skip, take, url, {}))


async def get_category(call: Call) -> web.Response:
    """One category."""
    every = {str(one["categoryId"]): one for one in await category_documents(call, call.job)}
    document = every.get(call.path["category"])
    return answered(documents.single("categoryDefinition", document), 200 if document else 404)


async def category_documents(call: Call, job: Job) -> list[Document]:
    """All categories of a job, by id."""
    found = await call.analyses.runner.ask(
        job.number, lambda one: [] if (every := one.categories) is None else [every.definition(id) for id in every.ids]
    )
    return [{"categoryId": d.id, "terms": d.terms, "regex": d.regex, "examples": list(d.examples)} for d in found]
