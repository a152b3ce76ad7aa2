"""Model snapshots.

Source: Prelert Engine API, section 11.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from offbeat.errors import BadRequest
from offbeat.gateways.prelert import documents
from offbeat.gateways.prelert.call import Call, answered
from offbeat.gateways.prelert.dates import query_ms
from offbeat.gateways.prelert.documents import ACKNOWLEDGED
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.store.snapshots import Snapshot

ORDERS: dict[str, Callable[[Snapshot], Any]] = {
    "restorePriority": lambda one: one.priority,
    "timestamp": lambda one: one.taken_ms,
    "snapshotId": lambda one: one.id,
    "description": lambda one: one.description,
    "snapshotDocCount": lambda one: 1,
    "latestRecordTimeStamp": lambda one: one.latest_record_ms or 0,
    "latestResultTimeStamp": lambda one: one.latest_result_ms or 0,
}


async def get_snapshots(call: Call) -> web.Response:
    """The snapshots of a job, the one that it goes on from first unless another order is asked for."""
    job = call.job
    skip, take = call.paging()
    start_ms, end_ms = call.range_ms()
    order, said = call.text("sort") or "restorePriority", call.text("description")
    if order not in ORDERS:
        raise PrelertError(60102, f"{order!r} is nothing to sort by: expected one of {', '.join(ORDERS)}")
    every = [
        one
        for one in await call.analyses.snapshots.all_of(job.number)
        if (start_ms is None or one.taken_ms >= start_ms)
        and (end_ms is None or one.taken_ms < end_ms)
        and (said is None or one.description == said)
    ]
    descending = call.text("desc") is None or call.flag("desc")
    every.sort(key=ORDERS[order], reverse=descending)
    made = [documents.snapshot(one) for one in every[skip : skip + take]]
    query: dict[str, object] = {"sort": order, "desc": descending}
    query |= {name: text for name in ("start", "end", "description") if (text := call.text(name)) is not None}
    return answered(documents.page(made, len(every), skip, take, f"{call.base}/modelsnapshots/{job.spec.id}", query))


async def post_revert(call: Call) -> web.Response:
    """Go on from a snapshot."""
    job = call.job
    try:
        chosen = await call.analyses.snapshots.find(
            job.number,
            time_ms=query_ms(call.text("time"), "time"),
            id=call.text("snapshotId"),
            description=call.text("description"),
        )
    except BadRequest as e:
        raise PrelertError(60118, e.message) from None
    if job.status != "CLOSED":
        raise PrelertError(60120, f"job {job.spec.id} is {job.status}: close it first")
    one = await call.analyses.snapshots.revert(
        job.number, chosen, forget_results=call.flag("deleteInterveningResults")
    )
    return answered(documents.single("modelSnapshot", documents.snapshot(one)))


async def put_description(call: Call) -> web.Response:
    """Describe a snapshot."""
    job = call.job
    try:
        document = orjson.loads(await call.document())
        said = document["description"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        said = None
    if not isinstance(said, str) or not said:
        raise PrelertError(60121, 'expected {"description": "…"} with a text that is not empty')
    one = await call.analyses.snapshots.describe(job.number, call.path["snapshot"], said)
    return answered(documents.single("modelSnapshot", documents.snapshot(one)))


async def delete_snapshot(call: Call) -> web.Response:
    """Delete a snapshot."""
    await call.analyses.snapshots.delete(call.job.number, call.path["snapshot"])
    return answered(ACKNOWLEDGED)
