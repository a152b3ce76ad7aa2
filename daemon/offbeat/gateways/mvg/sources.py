"""Sources: sensors and tables of one tenant.

Source: MVG wire protocol, sections 4 and 12.
"""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from offbeat.gateways.mvg.call import Call, answered
from offbeat.gateways.mvg.errors import MvgError, Offences
from offbeat.gateways.mvg.values import Values
from offbeat.store import mvg as store
from offbeat.store.mvg import DataClass, Source

CHANNEL = "acc"
"""The one channel of a source that was created without."""
EXTERNAL = ("external_id", "sensor_id", "sensor_stream_id")
OF_TABLES = ("location", "assetName")
OF_SENSORS = (*OF_TABLES, "sensorName", "measurementName")
"""What a strict server wants to know."""


def document_of(source: Source) -> dict[str, Any]:
    """A source as clients read it."""
    names = "columns" if source.data_class == "tabular" else "channels"
    return {
        "source_id": source.id,
        "meta": source.meta,
        "properties": {"data_class": source.data_class, names: source.names},
        **source.external,
    }


async def get_sources(call: Call) -> web.Response:
    """All sources of the tenant."""
    return answered([document_of(source) for source in await store.sources(call.parts.database, call.tenant)])


async def post_source(call: Call) -> web.Response:
    """Create a source of waveforms."""
    return await _created(call, "waveform")


async def post_spectrum_source(call: Call) -> web.Response:
    """Create a source of spectra."""
    return await _created(call, "spectrum")


async def post_tabular_source(call: Call) -> web.Response:
    """Create a source of rows."""
    return await _created(call, "tabular")


async def get_source(call: Call) -> web.Response:
    """One source."""
    return answered(document_of(await call.source()))


async def get_source_by_external_id(call: Call) -> web.Response:
    """The source that its client calls by an id of its own."""
    id = call.path["external_id"]
    source = await store.source_by_external_id(call.parts.database, call.tenant, id)
    if source is None:
        raise MvgError(404, f"External ID: {id} does not exist!")
    return answered(document_of(source))


async def put_source(call: Call) -> web.Response:
    """Replace the meta of a source; a body whose only member is an object called meta is that object wrapped."""
    async with call.body() as body:
        offences = Offences()
        meta = Values.of(body, ("body",), offences).document
        offences.settle()
    if set(meta) == {"meta"} and isinstance(meta["meta"], dict):
        meta = meta["meta"]
    source = await call.source()
    _check_meta(call, source.data_class, meta, offences)
    offences.settle()
    await store.set_source_meta(call.parts.database, source.number, meta)
    return answered(document_of(await call.source()))


async def delete_source(call: Call) -> web.Response:
    """Delete a source with all that belongs to it."""
    async with call.measured.lock((call.tenant,)), call.changing() as source:
        await store.delete_source(call.parts.database, source.number)
        call.measured.source_deleted(source.number)
    return answered({"source_id": source.id})


async def _created(call: Call, data_class: DataClass) -> web.Response:
    database, offences = call.parts.database, Offences()
    async with call.body() as body:
        values = Values.of(body, ("body",), offences)
        external = {name: values.text(name) for name in EXTERNAL if values.given(name)}
        id = uuid.uuid4().hex if external and not values.given("source_id") else values.id("source_id")
        meta, plain = values.object("meta"), False
        if data_class == "tabular":
            names = values.names("columns") if values.needed("columns") else ()
            names = tuple(name for name in names if name != "timestamp")
            if not names and not offences:
                offences.add(("body", "columns"), "value_error.list.min_items",
                             "ensure this value has at least 1 items", limit_value=1)
        elif data_class == "waveform" and not values.given("channels"):
            names, plain = (CHANNEL,), True
        else:
            names = values.names("channels") if values.needed("channels") else ()
        _check_meta(call, data_class, meta, offences)
        offences.settle()
    async with call.measured.lock((call.tenant,)):
        if await store.source(database, call.tenant, id) is not None:
            raise MvgError(409, f"Source ID: {id} already exists!")
        external_id = external.get("external_id")
        if external_id and await store.source_by_external_id(database, call.tenant, external_id) is not None:
            raise MvgError(409, f"External ID: {external_id} already exists!")
        if await store.count_sources(database) >= (most := call.config.sources_max):
            raise MvgError(429, f"there are {most} sources, as many as mvg.sources_max allows: delete some")
        # Two tenants may call their sources alike; what is followed of them is told apart.
        watched = id if not await store.is_watched(database, id) else f"{id}@{call.tenant or 'anonymous'}"
        await store.create_source(
            database, call.tenant, id, data_class, names, meta, plain=plain, external=external, watched=watched)
        source = await store.source(database, call.tenant, id)
    assert source is not None
    return answered(document_of(source))


def _check_meta(call: Call, data_class: DataClass, meta: Any, offences: Offences) -> None:
    if call.config.meta == "strict":
        for name in OF_TABLES if data_class == "tabular" else OF_SENSORS:
            if name not in meta:
                offences.missing(("body", "meta", name))
