"""Metadata records: registered, shown, and found by what they say of themselves.

Source: esmond measurement archive, sections 8 and 9.
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiohttp import web

from offbeat.errors import BadRequest, NotFound, UnsupportedMedia
from offbeat.gateways.esmond.addresses import addresses_of
from offbeat.gateways.esmond.call import PAGE, Call, answered, listed
from offbeat.gateways.esmond.credentials import admit_reader, admit_writer
from offbeat.gateways.esmond.metadata import ADDRESSES, FIELDS, POINTS, registration, shown_record
from offbeat.gateways.esmond.times import NAMES, asked_range
from offbeat.gateways.esmond.values import integer
from offbeat.store import esmond
from offbeat.store.esmond import Record, Search

RESERVED = frozenset(("format", "limit", "offset", "dns-match-rule", *NAMES))
ROW = ("event-type", "summary-type", "summary-window")
FILTERS_MAX = 200
METADATA_BYTES_MAX = 1 << 20
"""Largest metadata record: what it says is kept for ever, and shown with each search that finds it."""
PLAIN = ("metadata-key", "subject-type")


async def post_record(call: Call) -> web.StreamResponse:
    """Register a metadata record: a new one, or the one that is the same."""
    await admit_writer(call.request, call.parts)
    settings = call.parts.config().esmond
    _, document = await call.document(UnsupportedMedia, min(METADATA_BYTES_MAX, settings.body_bytes_max))
    now_ms = call.parts.clock.now_ms()
    record = await esmond.register(call.parts.database, registration(document), settings.records_max, now_ms)
    shown = shown_record(record, call.root, call.origin)
    return answered(shown, 201, {"Location": shown["url"]})


async def get_record(call: Call) -> web.StreamResponse:
    """One metadata record. A filter that it does not meet makes it none."""
    await admit_reader(call.request, call.parts)
    (key,) = call.path
    wanted = await _wanted({**call.query, "metadata-key": key}, call.now_s)
    _, found = await esmond.search(call.parts.database, wanted, 1, 0)
    if not found:
        raise NotFound(f"there is no metadata with the key {key!r}")
    return answered(shown_record(found[0], call.root, call.origin))


async def get_records(call: Call) -> web.StreamResponse:
    """The metadata records that meet all filters, a page of them."""
    await admit_reader(call.request, call.parts)
    wanted = await _wanted(call.query, call.now_s)
    limit, offset = call.paging()
    total, found = await esmond.search(call.parts.database, wanted, min(limit, PAGE), offset)
    after = call.page_url(limit, offset + limit) if offset + limit < total else None
    before = call.page_url(limit, max(0, offset - limit)) if offset else None
    links = [f'<{url}>; rel="{name}"' for name, url in (("next", after), ("prev", before)) if url is not None]
    count = {
        "metadata-count-total": total, "metadata-next-page": after, "metadata-previous-page": before,
    }
    headers = {"Link": ", ".join(links)} if links else {}
    return await listed(call, _pages(call, wanted, found, count, limit, offset), headers)


async def _pages(
    call: Call, wanted: Search, first: list[Record], count: dict[str, Any], limit: int, offset: int
) -> AsyncIterator[list[bytes]]:
    found = first
    while found:
        yield await asyncio.to_thread(_shown, found, call.root, call.origin, count)
        count, limit, offset = {}, limit - len(found), offset + len(found)
        if limit <= 0:
            return
        _, found = await esmond.search(call.parts.database, wanted, min(limit, PAGE), offset)


def _shown(found: list[Record], root: str, origin: str, count: dict[str, Any]) -> list[bytes]:
    """The objects of the records as JSON; *count* goes with the first."""
    shown = [shown_record(record, root, origin) for record in found]
    shown[0].update(count)
    return [orjson.dumps(one) for one in shown]


async def _wanted(query: dict[str, str], now_s: int) -> Search:
    """What the parameters ask for. Raises BadRequest."""
    if len(query) > FILTERS_MAX:
        raise BadRequest(f"the query has {len(query)} parameters: expected at most {FILTERS_MAX}")
    rule = query.get("dns-match-rule", "v4v6")
    subject = tuple([
        (name, await addresses_of(name, query[name], rule) if name in ADDRESSES else (query[name],))
        for name in FIELDS[POINTS]
        if name in query
    ])
    named = RESERVED | {*ROW, *PLAIN, *FIELDS[POINTS]}
    window = query.get("summary-window")
    return Search(
        key=query.get("metadata-key"),
        subject_type=query.get("subject-type"),
        subject=subject,
        free=tuple((name.replace("_", "-"), value) for name, value in query.items() if name not in named),
        event_type=query.get("event-type"),
        summary_type=query.get("summary-type"),
        span_s=None if window is None else integer(window, "summary-window"),
        updated_s=asked_range(query, now_s),
    )
