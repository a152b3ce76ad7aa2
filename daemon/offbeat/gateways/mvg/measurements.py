"""Measurements of any class: listed, read, changed, deleted; waveforms and spectra as they come in.

Source: MVG wire protocol, sections 5, 11 and 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from offbeat.gateways.mvg.call import Call, answered, as_json, calculated
from offbeat.gateways.mvg.errors import Offences, Place, invalid
from offbeat.gateways.mvg.figures import Event, of_spectrum, of_waveform
from offbeat.gateways.mvg.keeping import keep
from offbeat.gateways.mvg.values import Values, check_names, is_number, numbers
from offbeat.http.documents import dump
from offbeat.store import mvg as store
from offbeat.store.mvg import New, Row, Source, Window, packed, samples_of

WHOLE = Window()


async def get_measurements(call: Call) -> web.Response:
    """One page of measurements, without their samples."""
    offences = Offences()
    paging = call.paging(offences)
    offences.settle()
    database, source = call.parts.database, await call.source()
    limit = paging.items if call.dialect.paged or paging.given else -1
    rows = await store.rows(database, source.number, WHOLE, paging.offset, limit)
    items = [_head(source, row) for row in rows]
    if not call.dialect.paged:
        return answered(items)
    return answered(paging.page(items, await store.count(database, source.number, WHOLE)))


async def get_timestamps(call: Call) -> web.Response:
    """One page of timestamps."""
    offences = Offences()
    paging, order = call.paging(offences), call.request.query.get("order", "asc")
    if order not in ("asc", "desc"):
        offences.wrong(("query", "order"), "expected asc or desc")
    offences.settle()
    database, source = call.parts.database, await call.source()
    items = await store.timestamps(
        database, source.number, paging.offset, paging.items, descending=order == "desc")
    return answered(paging.page(items, await store.count(database, source.number, WHOLE)))


async def get_measurement(call: Call) -> web.Response:
    """One measurement with its samples."""
    call.timestamp()
    source = await call.source()
    row, body = await call.measurement(source)

    def document() -> bytes:
        if source.data_class == "tabular":
            of_table = {"timestamp": row.timestamp, "data": np.frombuffer(body, "<f8"), "columns": source.names}
            return dump({**of_table, "meta": row.meta})
        channels = samples_of(body)
        data = channels[source.names[0]] if source.plain or not call.dialect.channels else channels
        return dump({**_head(source, row), "data": data})

    return as_json(await calculated(document, len(body)))


async def put_measurement(call: Call) -> web.Response:
    """Replace the meta of a measurement; a body without a member of that name is the meta itself."""
    call.timestamp()
    async with call.body() as body:
        offences = Offences()
        values = Values.of(body, ("body",), offences)
        meta = values.object("meta") if "meta" in values.document else dict(values.document)
        offences.settle()
    async with call.changing() as source:
        row, _ = await call.measurement(source)
        await store.set_meta(call.parts.database, row.made, meta)
    return answered({"timestamp": row.timestamp, "meta": meta})


async def put_scalars(call: Call) -> web.Response:
    """Replace the scalars of a measurement; a body whose only member is an object called scalars is them wrapped."""
    call.timestamp()
    async with call.body() as body:
        offences = Offences()
        wrapped = isinstance(body, dict) and set(body) == {"scalars"} and isinstance(body["scalars"], dict)
        scalars = _scalars(body["scalars"] if wrapped else body, ("body",), offences)
        offences.settle()
    async with call.changing() as source:
        row, _ = await call.measurement(source)
        await store.set_scalars(call.parts.database, row.made, scalars)
    return answered({"timestamp": row.timestamp, "scalars": scalars})


async def delete_measurement(call: Call) -> web.Response:
    """Delete a measurement and its label."""
    call.timestamp()
    async with call.changing() as source:
        row, body = await call.measurement(source)
        await store.delete_measurement(call.parts.database, source.number, row.timestamp)
        call.measured.stored_bytes -= len(body)
    return answered({"timestamp": row.timestamp})


async def post_waveforms(call: Call) -> web.Response:
    """Keep waveforms."""
    return await _kept(call, "waveform")


async def post_spectra(call: Call) -> web.Response:
    """Keep spectra."""
    return await _kept(call, "spectrum")


async def put_trigger(call: Call) -> web.Response:
    """Nothing: what is new is followed as it comes. Clients say so all the same."""
    return answered({"source_id": (await call.source()).id})


async def _kept(call: Call, data_class: str) -> web.Response:
    async with call.body(call.config.body_bytes_max) as body:
        offences = Offences()
        items = [body] if isinstance(body, dict) else body
        if not isinstance(items, list):
            offences.add(("body",), "type_error.list", "value is not a valid list")
            items = []
        heads = [_read_head(item, ("body", i), data_class, offences) for i, item in enumerate(items)]
        if not items and not offences:
            offences.add(("body",), "value_error.list.min_items", "ensure this value has at least 1 items",
                         limit_value=1)
        _check_twice([head.timestamp for head in heads], offences)
        offences.settle()
        async with call.changing() as source:
            if source.data_class != data_class:
                raise invalid(("body",), f"source {source.id} takes measurements of the class {source.data_class}")
            size = call.request.content_length or 1 << 30
            made = await calculated(lambda: _made(source, items, heads, offences), size)
            offences.settle()
            await keep(call, source, [new for new, _ in made], [event for _, event in made])
    return answered({"source_id": source.id, "timestamps": [head.timestamp for head in heads]})


def _read_head(item: object, at: Place, data_class: str, offences: Offences) -> New:
    """What a measurement says of itself besides its samples, checked."""
    values = Values.of(item, at, offences)
    timestamp, meta = values.needed_integer("timestamp", 0), values.object("meta")
    values.needed("data")
    scalars = None
    if values.given("scalars"):
        scalars = _scalars(values.document["scalars"], (*at, "scalars"), offences)
    if data_class == "waveform":
        if "freq_range" in values.document and "duration" not in values.document:
            offences.wrong((*at, "freq_range"), "a spectrum goes to measurements/spectrum")
        duration = values.number("duration") if values.needed("duration") else 1.0
        if duration is None and "duration" in values.document and values.document["duration"] is None:
            offences.not_a_number((*at, "duration"))
        elif duration is not None and duration <= 0.0:
            offences.not_positive((*at, "duration"))
        return New(timestamp, b"", 0, meta, duration=duration, scalars=scalars)
    low, high = 0.0, 0.0
    if values.needed("freq_range"):
        given, place = values.document["freq_range"], (*at, "freq_range")
        if not isinstance(given, list) or len(given) != 2 or not all(map(is_number, given)):
            offences.wrong(place, "expected two numbers: the lowest and the highest frequency in Hz")
        elif not given[0] < given[1] or given[0] < 0:
            offences.wrong(place, "expected a lowest frequency of 0 Hz or more, below the highest")
        else:
            low, high = float(given[0]), float(given[1])
    return New(timestamp, b"", 0, meta, low=low, high=high, scalars=scalars)


def _check_twice(timestamps: list[int], offences: Offences) -> None:
    seen: set[int] = set()
    for i, timestamp in enumerate(timestamps):
        if timestamp in seen and not offences:
            offences.wrong(("body", i, "timestamp"), f"{timestamp} is there twice")
        seen.add(timestamp)


def _made(source: Source, items: list[Any], heads: list[New], offences: Offences) -> list[tuple[New, Event]]:
    """Each measurement as it is kept and as it is followed; offences where samples are not what they should be."""
    made = []
    for i, (item, head) in enumerate(zip(items, heads, strict=True)):
        data, at = item["data"], ("body", i, "data")
        if isinstance(data, list) and len(source.names) == 1:
            data = {source.names[0]: data}
        channels = _channels(source, data, at, offences)
        if not channels or offences:
            continue
        samples = next(iter(channels.values())).size
        new = New(head.timestamp, packed(channels), samples, head.meta, head.duration, head.low, head.high,
                  head.scalars)
        if source.data_class == "waveform":
            figures = of_waveform(channels, head.duration or 1.0)
        else:
            figures = of_spectrum(channels)
        made.append((new, Event(head.timestamp, {**(head.scalars or {}), **figures})))
    return made


def _channels(source: Source, data: object, at: Place, offences: Offences) -> dict[str, NDArray[np.float64]]:
    if not isinstance(data, dict):
        offences.add(at, "type_error.dict", "value is not a valid dict")
        return {}
    check_names(list(data), source.names, at, offences, "channel")
    channels = {name: numbers(data[name], (*at, name), offences) for name in source.names if name in data}
    if len({samples.size for samples in channels.values()}) > 1 and not offences:
        offences.wrong(at, "expected channels of equal length")
    return channels


def _scalars(given: object, at: Place, offences: Offences) -> dict[str, float]:
    values = Values.of(given, at, offences)
    found = {name: values.number(name) for name in values.document if name}
    return {name: value for name, value in found.items() if value is not None}


def _head(source: Source, row: Row) -> dict[str, Any]:
    """A measurement without its samples."""
    of_class: Mapping[str, Any] = {}
    if source.data_class == "waveform":
        of_class = {"duration": row.duration}
    elif source.data_class == "spectrum":
        of_class = {"freq_range": [row.low, row.high]}
    more = {} if row.scalars is None else {"scalars": row.scalars}
    return {"timestamp": row.timestamp, **of_class, "meta": row.meta, **more}

