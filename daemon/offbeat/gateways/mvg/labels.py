"""Labels: what people say of measurements.

Source: MVG wire protocol, sections 7 and 11.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from offbeat.gateways.mvg.call import Call, answered
from offbeat.gateways.mvg.errors import MvgError, Offences
from offbeat.gateways.mvg.values import Values
from offbeat.store import mvg as store
from offbeat.store.mvg import Label, Source


def document_of(label: Label) -> dict[str, Any]:
    """A label as clients read it."""
    changed = datetime.fromtimestamp(label.changed_ms // 1000, UTC).isoformat(" ")
    return {"label": label.label, "severity": label.severity, "notes": label.notes, "label_timestamp": changed}


async def get_labels(call: Call) -> web.Response:
    """All labels of a source, ascending."""
    source = await call.source()
    labels = [
        {"timestamp": one.timestamp, **document_of(one)}
        for one in await store.labels(call.parts.database, source.number)
    ]
    if not call.dialect.labels_in_columns:
        return answered(labels)
    names = ("timestamp", "label", "severity", "notes", "label_timestamp")
    return answered({name: [label[name] for label in labels] for name in names})


async def get_label(call: Call) -> web.Response:
    """The label of one measurement."""
    call.timestamp()
    return answered(document_of(await _label(call, await call.source())))


async def post_label(call: Call) -> web.Response:
    """Give a measurement a label that has none."""
    label = await _asked(call)
    async with call.changing() as source:
        await call.measurement(source)
        if await store.label(call.parts.database, source.number, label.timestamp) is not None:
            raise MvgError(409, f"Measurement {label.timestamp} of source ID: {source.id} already has a label!")
        await store.set_label(call.parts.database, source.number, label)
    return answered(document_of(label))


async def put_label(call: Call) -> web.Response:
    """Give a measurement another label."""
    label = await _asked(call)
    async with call.changing() as source:
        await _label(call, source)
        await store.set_label(call.parts.database, source.number, label)
    return answered(document_of(label))


async def delete_label(call: Call) -> web.Response:
    """Take the label of a measurement away."""
    call.timestamp()
    async with call.changing() as source:
        label = await _label(call, source)
        await store.delete_label(call.parts.database, source.number, label.timestamp)
    return answered({"timestamp": label.timestamp})


async def _asked(call: Call) -> Label:
    timestamp = call.timestamp()
    async with call.body() as body:
        offences = Offences()
        values = Values.of(body, ("body",), offences)
        severity, label, notes = values.needed_integer("severity", 0), values.text("label"), values.text("notes", "")
        offences.settle()
    return Label(timestamp, label, severity, notes, call.parts.clock.now_ms())


async def _label(call: Call, source: Source) -> Label:
    label = await store.label(call.parts.database, source.number, call.timestamp())
    if label is None:
        raise MvgError(404, f"Measurement {call.timestamp()} of source ID: {source.id} has no label!")
    return label
