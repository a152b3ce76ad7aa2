"""Measurements become durable: their rows and the events that are followed of them, in one transaction or neither.

Source: MVG wire protocol, section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from offbeat.gateways.mvg.call import Call
from offbeat.gateways.mvg.errors import MvgError
from offbeat.gateways.mvg.figures import Event
from offbeat.store import mvg as store
from offbeat.store.mvg import New, Source
from offbeat.wire.options import Options


async def keep(call: Call, source: Source, new: Sequence[New], events: Sequence[Event]) -> None:
    """Keep *new* measurements of *source*, which the caller holds the lock of; *events* are what is followed of them.

    Raises MvgError 409 if there is one of a timestamp already, 507 if too much is stored; then nothing is kept.
    """
    database, ingest, measured = call.parts.database, call.parts.config().ingest, call.measured
    there = await store.taken(database, source.number, [one.timestamp for one in new])
    if there is not None:
        raise MvgError(409, f"Measurement {there} of source ID: {source.id} already exists!")
    added = sum(len(one.body) for one in new)
    if measured.stored_bytes + added > (most := call.config.stored_bytes_max):
        raise MvgError(507, f"measurements hold as much as mvg.stored_bytes_max allows, {most} bytes: delete some")
    names = {name for event in events for name in event.fields}
    time, sensor = _unused("time", names), _unused("source", names)
    options = Options.of(ingest, "ndjson", time=(time,), source=(sensor,))
    lines = [
        orjson.dumps({sensor: source.watched, time: event.timestamp, **event.fields}) + b"\n"
        for event in sorted(events, key=lambda event: event.timestamp) if event.fields
    ]
    *parts, last = _blocks(lines, ingest.block_bytes)
    for part in parts:
        await call.parts.intake.keep(part, options, ())
    await call.parts.intake.keep(last, options, store.additions(source.number, new))
    measured.stored_bytes += added


def _unused(name: str, names: set[str]) -> str:
    """*name*, with so many underscores before it that it is none of *names*."""
    while name in names:
        name = f"_{name}"
    return name


def _blocks(lines: Sequence[bytes], bytes_max: int) -> Iterator[bytes]:
    """*lines* joined to bodies of at most *bytes_max*, one at least."""
    some: list[bytes] = []
    size = 0
    for line in lines:
        if some and size + len(line) > bytes_max:
            yield b"".join(some)
            some, size = [], 0
        some.append(line)
        size += len(line)
    yield b"".join(some)
