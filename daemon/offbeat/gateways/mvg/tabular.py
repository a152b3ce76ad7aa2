"""Rows of tables: as they come in, listed, thinned out.

Source: MVG wire protocol, sections 6 and 11.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from offbeat.gateways.mvg.call import Call, answered, as_json, calculated
from offbeat.gateways.mvg.errors import MvgError, Offences, invalid
from offbeat.gateways.mvg.figures import Event
from offbeat.gateways.mvg.keeping import keep
from offbeat.gateways.mvg.values import Values, check_names, numbers
from offbeat.http.documents import dump
from offbeat.store import mvg as store
from offbeat.store.downsample import largest_triangles
from offbeat.store.mvg import TIMESTAMP_MAX, New, Source, Window, packed_rows

THRESHOLD = 1000
BODY = ("body", "data")


async def post_rows(call: Call) -> web.Response:
    """Keep rows."""
    async with call.body(call.config.body_bytes_max) as body:
        offences = Offences()
        values = Values.of(body, ("body",), offences)
        data, metas = values.object("data"), values.object("meta")
        values.needed("data")
        if not offences and "timestamp" not in data:
            offences.missing((*BODY, "timestamp"))
        offences.settle()
        times = _timestamps(data["timestamp"], offences)
        offences.settle()
        of_rows = _metas(metas, times, offences)
        offences.settle()
        async with call.changing() as source:
            if source.data_class != "tabular":
                raise invalid(("body",), f"source {source.id} takes measurements of the class {source.data_class}")
            columns = await calculated(
                lambda: _columns(source, data, len(times), offences), call.request.content_length or 1 << 30)
            offences.settle()
            table = np.stack(columns, axis=1)
            bodies = packed_rows(columns)
            new = [
                New(time, bodies[i], 1, of_rows.get(time, {})) for i, time in enumerate(times)
            ]
            events = [Event(time, dict(zip(source.names, row, strict=True)))
                      for time, row in zip(times, table.tolist(), strict=True)]
            await keep(call, source, new, events)
    return answered({"source_id": source.id, "count": len(times)})


async def get_rows(call: Call) -> web.Response:
    """One page of rows."""
    offences = Offences()
    window, paging = _window(call, offences), call.paging(offences)
    offences.settle()
    source = await _table(call)
    limit = paging.items if call.dialect.paged or paging.given else -1
    times, values, metas = await store.table(
        call.parts.database, source.number, len(source.names), window, paging.offset, limit)
    columns = {"timestamp": times, **{name: values[:, i].copy() for i, name in enumerate(source.names)}}
    if call.dialect.paged:
        total = await store.count(call.parts.database, source.number, window)
        document: dict[str, Any] = paging.page({**columns, "meta": metas}, total)
    elif not times.size:
        raise MvgError(404, f"Source ID: {source.id} has no measurements in this range")
    else:
        document = {"data": columns, "meta": {
            str(time): meta for time, meta in zip(times.tolist(), metas, strict=True) if meta}}
    return as_json(await calculated(lambda: dump(document), values.nbytes))


async def get_thinned(call: Call) -> web.Response:
    """Some of the rows, column by column: those that a curve of them needs most."""
    offences = Offences()
    window, threshold = _window(call, offences), call.integer("threshold", offences, 0)
    offences.settle()
    source = await _table(call)
    times, values, _ = await store.table(call.parts.database, source.number, len(source.names), window, 0, -1)
    most = THRESHOLD if threshold is None else threshold

    def document() -> bytes:
        thinned = {}
        for i, name in enumerate(source.names):
            kept = _kept(times, values[:, i].copy(), most)
            thinned[name] = {"timestamps": times[kept], "values": values[kept, i].copy()}
        return dump({"data": thinned})

    return as_json(await calculated(document, values.nbytes))


def _kept(times: NDArray[np.int64], values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Which *most* points are kept; 0: all."""
    if most == 0 or times.size <= most:
        return np.arange(times.size)
    return largest_triangles(times, values, most)


async def _table(call: Call) -> Source:
    source = await call.source()
    if source.data_class != "tabular":
        raise MvgError(422, f"Source ID: {source.id} is no table: its measurements are {source.data_class}")
    return source


def _window(call: Call, offences: Offences) -> Window:
    return Window(
        call.integer("start_timestamp", offences, 0), call.integer("end_timestamp", offences, 0))


def _timestamps(given: object, offences: Offences) -> list[int]:
    at = (*BODY, "timestamp")
    if not isinstance(given, list):
        offences.add(at, "type_error.list", "value is not a valid list")
        return []
    times: list[int] = []
    for i, one in enumerate(given):
        if isinstance(one, bool) or not isinstance(one, int | float) or one != one // 1:
            offences.not_an_integer((*at, i))
        elif one < 0:
            offences.below((*at, i), 0)
        elif one > TIMESTAMP_MAX:
            offences.above((*at, i), TIMESTAMP_MAX)
        else:
            times.append(int(one))
    if not given:
        offences.add(at, "value_error.list.min_items", "ensure this value has at least 1 items", limit_value=1)
    if len(set(times)) < len(times) and not offences:
        offences.wrong(at, "a timestamp is there twice")
    return times


def _metas(given: dict[str, Any], times: list[int], offences: Offences) -> dict[int, dict[str, Any]]:
    known, found = {str(time): time for time in times}, {}
    for key, meta in given.items():
        at = ("body", "meta", key)
        if key not in known:
            offences.wrong(at, "there is no row of this timestamp")
        elif not isinstance(meta, dict):
            offences.add(at, "type_error.dict", "value is not a valid dict")
        else:
            found[known[key]] = meta
    return found


def _columns(source: Source, data: dict[str, Any], rows: int, offences: Offences) -> list[NDArray[np.float64]]:
    check_names([name for name in data if name != "timestamp"], source.names, BODY, offences, "column")
    columns = [numbers(data[name], (*BODY, name), offences) for name in source.names if name in data]
    for name, column in zip(source.names, columns, strict=False):
        if column.size != rows and not offences:
            offences.wrong((*BODY, name), f"expected {rows} values, as many as timestamps")
    return columns
