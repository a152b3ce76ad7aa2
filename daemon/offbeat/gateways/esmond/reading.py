"""Reading measurements: base data and summaries, as pages of points in the order of time.

Source: esmond measurement archive, sections 6, 13 and 14.
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from aiohttp import web

from offbeat.errors import NotFound
from offbeat.gateways.esmond import summaries
from offbeat.gateways.esmond.call import PAGE, Call, answered, listed
from offbeat.gateways.esmond.catalogue import EVENT_TYPES, FROM_URLS
from offbeat.gateways.esmond.credentials import admit_reader
from offbeat.gateways.esmond.errors import wrong
from offbeat.gateways.esmond.metadata import known, shown_event, shown_summaries
from offbeat.gateways.esmond.times import of_data
from offbeat.gateways.esmond.values import INT64, WHOLE, rendered
from offbeat.gateways.esmond.writing import BASE
from offbeat.store import esmond, esmond_values
from offbeat.store.esmond import EventRow

Rows = list[tuple[int, bytes]]
Read = Callable[[tuple[int, int], int, int], Awaitable[Rows]]
"""A page of rows: first and last second, how many, how many to skip."""
Shown = Callable[[bytes], bytes]


async def get_event_type(call: Call) -> web.StreamResponse:
    """The object of one event type in a list, which is empty if the record has none of that name."""
    await admit_reader(call.request, call.parts)
    event = await _event(call)
    return answered([] if event is None else [shown_event(event, f"{call.root}{call.path[0]}/")])


async def get_data(call: Call) -> web.StreamResponse:
    """Base data, the data of one summary, or which summaries of a type there are."""
    await admit_reader(call.request, call.parts)
    key, event_type, kind, *window = call.path
    known(event_type, "the event type")
    if kind != BASE and kind not in FROM_URLS:
        raise wrong("the kind of data", kind, ", ".join((BASE, *FROM_URLS)))
    event = await _event(call)
    if kind == BASE:
        span_s = _window(window[0]) if window else 0
        return await _answer(call, _base(call, event, None) if event is not None and span_s == 0 else None)
    summary_type = FROM_URLS[kind]
    if not window:
        found = shown_summaries(event, f"{call.root}{key}/", summary_type) if event is not None else []
        if not found:
            raise NotFound(f"{event_type} of {key} has no {kind}")
        return answered(found)
    span_s = _window(window[0])
    if event is None or not event.has(summary_type, span_s):
        return await _answer(call, None)
    return await _answer(call, _bins(call, event, summary_type, span_s) if span_s else _base(call, event, summary_type))


async def _event(call: Call) -> EventRow | None:
    record = await esmond.record(call.parts.database, call.path[0])
    return record.events.get(call.path[1]) if record is not None else None


def _window(text: str) -> int:
    span_s = int(text) if WHOLE.fullmatch(text) else INT64
    if not -INT64 <= span_s < INT64:
        raise wrong("the window", text, "a whole number of seconds")
    return span_s


def _base(call: Call, event: EventRow, summary_type: str | None) -> tuple[Read, Shown]:
    """Values as they were written, or of each the summary of that value alone."""
    data_type, database = EVENT_TYPES[event.event_type], call.parts.database

    async def read(range_s: tuple[int, int], limit: int, offset: int) -> Rows:
        return await esmond_values.values(database, event.number, range_s, limit, offset)

    def shown(value: bytes) -> bytes:
        if summary_type is None:
            return rendered(data_type, value)
        return summaries.said(data_type, summary_type, summaries.changed(data_type, None, [orjson.loads(value)], ()))

    return read, shown


def _bins(call: Call, event: EventRow, summary_type: str, span_s: int) -> tuple[Read, Shown]:
    data_type, database = EVENT_TYPES[event.event_type], call.parts.database

    async def read(range_s: tuple[int, int], limit: int, offset: int) -> Rows:
        return await esmond_values.states(database, event.number, span_s, range_s, limit, offset)

    return read, lambda state: summaries.said(data_type, summary_type, state)


async def _answer(call: Call, source: tuple[Read, Shown] | None) -> web.StreamResponse:
    """The points that are asked for of *source*; none of None. Raises BadRequest for times that make no sense."""
    range_s = of_data(call.query, call.now_s)
    if source is None:
        return answered([])
    read, shown = source
    limit, offset = call.paging()
    headers = {}
    if await read(range_s, 1, offset + limit):
        headers["Link"] = f'<{call.page_url(limit, offset + limit)}>; rel="next"'
    return await listed(call, _pages(read, shown, range_s, limit, offset), headers)


async def _pages(
    read: Read, shown: Shown, range_s: tuple[int, int], limit: int, offset: int
) -> AsyncIterator[list[bytes]]:
    begin, end = range_s
    while limit > 0 and (rows := await read((begin, end), min(limit, PAGE), offset)):
        yield await asyncio.to_thread(_points, rows, shown)
        begin, offset, limit = rows[-1][0] + 1, 0, limit - len(rows)


def _points(rows: Rows, shown: Shown) -> list[bytes]:
    return [b'{"ts":%d,"val":%s}' % (ts, shown(value)) for ts, value in rows]
