"""Writing measurements: one value or many, all of a request or nothing of it; and what follows from them.

Source: esmond measurement archive, sections 12, 14 and 17.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from offbeat.errors import BadRequest, Conflict, NotFound
from offbeat.gateways.esmond import summaries
from offbeat.gateways.esmond.call import Call, answered, aside
from offbeat.gateways.esmond.catalogue import EVENT_TYPES, ONCE, DataType
from offbeat.gateways.esmond.credentials import admit_writer
from offbeat.gateways.esmond.errors import wrong
from offbeat.gateways.esmond.metadata import known
from offbeat.gateways.esmond.values import accepted, readings, second
from offbeat.store import esmond, esmond_values
from offbeat.store.database import Database, Statements
from offbeat.store.esmond import EventRow, Record
from offbeat.store.esmond_values import Values
from offbeat.wire.options import Options

BASE = "base"
Given = tuple[str, int, Any]
"""An event type, a second, a value as it is kept."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is written to one event type: of each second the value, what stood there, and the states of its bins."""

    event: EventRow
    data_type: DataType
    values: dict[int, Any]
    before: Values
    states: dict[int, Values]

    @property
    def changed(self) -> dict[int, Any]:
        """The values that do not stand there already."""
        return {ts: value for ts, value in self.values.items() if self.before.get(ts) != orjson.dumps(value)}

    def base(self) -> Iterator[tuple[int, int, bytes]]:
        """The rows of values."""
        return ((self.event.number, ts, orjson.dumps(value)) for ts, value in self.values.items())

    def bins(self) -> Iterator[tuple[int, int, int, bytes]]:
        """The rows of the bins that the values fall into, as they are then."""
        for span_s, states in self.states.items():
            falling: dict[int, list[int]] = {}
            for ts in self.values:
                falling.setdefault(start_of(ts, span_s), []).append(ts)
            for start, seconds in falling.items():
                added = [self.values[ts] for ts in seconds]
                removed = [orjson.loads(self.before[ts]) for ts in seconds if ts in self.before]
                state = summaries.changed(self.data_type, states.get(start), added, removed)
                yield self.event.number, span_s, start, state


def start_of(ts: int, span_s: int) -> int:
    """Where the bin begins that second *ts* falls into."""
    return ts // span_s * span_s


async def post_value(call: Call) -> web.StreamResponse:
    """Write one value of one event type."""
    await admit_writer(call.request, call.parts)
    key, event_type, *what = call.path
    if what != [BASE]:
        raise BadRequest(f"{'/'.join(what)} cannot be written: expected {BASE}; nothing was stored")
    known(event_type, "the event type")
    size, document = await call.document(BadRequest, call.parts.config().esmond.body_bytes_max)
    _members(document, "the body", "ts", "val")
    given = _given(event_type, document["ts"], document["val"], "the body")
    await _write(call, key, size, [given])
    return answered("", 201)


async def put_values(call: Call) -> web.StreamResponse:
    """Write many values, of any event types and seconds."""
    await admit_writer(call.request, call.parts)
    size, document = await call.document(BadRequest, call.parts.config().esmond.body_bytes_max)
    given = await aside(size, bulk, document)
    await _write(call, call.path[0], size, given)
    return answered("", 201)


def bulk(document: Any) -> list[Given]:
    """The values of a bulk write. Raises BadRequest."""
    _members(document, "the body", "data")
    if not isinstance(document["data"], list):
        raise wrong("data", document["data"], "a list")
    given = []
    for i, at in enumerate(document["data"]):
        where = f"data[{i}]"
        _members(at, where, "ts", "val")
        if not isinstance(at["val"], list):
            raise wrong(f"{where}.val", at["val"], "a list")
        for j, one in enumerate(at["val"]):
            place = f"{where}.val[{j}]"
            _members(one, place, "event-type", "val")
            given.append(_given(known(one["event-type"], f"{place}.event-type"), at["ts"], one["val"], place))
        second(at["ts"], f"{where}.ts")
    return given


def _members(document: object, where: str, *names: str) -> None:
    if not isinstance(document, dict) or not all(name in document for name in names):
        raise wrong(where, document, f"an object with {' and '.join(names)}")


def _given(event_type: str, ts: object, value: object, where: str) -> Given:
    return event_type, second(ts, f"{where}.ts"), accepted(EVENT_TYPES[event_type], value, f"{where}.val")


async def _write(call: Call, key: str, size: int, given: list[Given]) -> None:
    """Store what the record declares of *given*. Raises NotFound, Conflict, and what the intake refuses with."""
    database = call.parts.database
    record = await esmond.record(database, key)
    if record is None:
        raise NotFound(f"there is no metadata with the key {key!r}; nothing was stored")
    values = by_event(record, given)
    if not values:
        return
    async with database.alone(f"esmond {record.number}"):
        series = [await _series(database, record.events[name], values[name]) for name in values]
        now_ms = call.parts.clock.now_ms()
        lines, statements = await aside(size, _made, record.source, series, now_ms)
        await _keep(call, lines, statements)


def by_event(record: Record, given: Iterable[Given]) -> dict[str, dict[int, Any]]:
    """The values by declared event type and second. Raises Conflict for two where there may be only one."""
    found: dict[str, dict[int, Any]] = {}
    for event_type, ts, value in given:
        if event_type in record.events:
            values = found.setdefault(event_type, {})
            if ts in values and EVENT_TYPES[event_type] in ONCE:
                raise _taken(event_type, ts)
            values[ts] = value
    return found


async def _series(database: Database, event: EventRow, values: dict[int, Any]) -> Series:
    data_type = EVENT_TYPES[event.event_type]
    before = await esmond_values.values_at(database, event.number, values)
    if before and data_type in ONCE:
        raise _taken(event.event_type, min(before))
    states = {
        span_s: await esmond_values.states_at(
            database, event.number, span_s, {start_of(ts, span_s) for ts in values})
        for span_s in event.spans_s
    }
    return Series(event, data_type, values, before, states)


def _taken(event_type: str, ts: int) -> Conflict:
    return Conflict(f"{event_type} has a value at {ts} already; nothing of this request was stored")


def _made(source: str, series: list[Series], now_ms: int) -> tuple[list[bytes], Statements]:
    """The events of what is new in *series*, in the order of time, and the rows of it."""
    numbers: dict[int, dict[str, float]] = {}
    for one in series:
        for ts, value in one.changed.items():
            if found := readings(one.event.event_type, one.data_type, value):
                numbers.setdefault(ts, {}).update(found)
    lines = [orjson.dumps({"source": source, "time": ts, **numbers[ts]}) + b"\n" for ts in sorted(numbers)]
    return lines, esmond_values.written(
        [row for one in series for row in one.base()],
        [row for one in series for row in one.bins()],
        [one.event.number for one in series],
        now_ms,
    )


async def _keep(call: Call, lines: list[bytes], statements: Statements) -> None:
    """Make the events of *lines* and the rows durable, in one transaction.

    Events of more than a block go in several, the rows with the last: a write that is cut short is none, and sent again
    it goes on after those of its blocks that are in the journal.
    """
    ingest, database = call.parts.config().ingest, call.parts.database
    options = Options.of(ingest, "ndjson", time=("time",), source=("source",), precision="s")
    *first, last = blocks_of(lines, ingest.block_bytes)
    if first:
        digest = hashlib.blake2b(b"".join([*first, last]), digest_size=16).digest()
        for i in range(await esmond_values.blocks_begun(database, digest), len(first)):
            begun = esmond_values.begun(digest, i + 1, call.parts.clock.now_ms())
            await call.parts.intake.keep(first[i], options, begun)
        statements = [*statements, *esmond_values.whole(digest)]
    await call.parts.intake.keep(last, options, statements)


def blocks_of(lines: Iterable[bytes], bytes_max: int) -> list[bytes]:
    """*lines* in blocks of at most so many bytes; at least one."""
    blocks: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if size + len(line) > bytes_max and blocks[-1]:
            blocks.append([])
            size = 0
        blocks[-1].append(line)
        size += len(line)
    return [b"".join(block) for block in blocks]
