"""What the MVG gateway keeps: sources, measurements and labels, as rows. Analyses of them are in mvg_analyses."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.packing import pack, unpack
from offbeat.store.database import Database, Statements

DataClass = Literal["waveform", "spectrum", "tabular"]
TIMESTAMP_MAX = 2**63 - 1
"""SQLite's largest integer, and numpy's."""
REMOVED_AT_ONCE = 64
"""Measurements that one transaction removes: each may have megabytes, and others wait for the writer."""
SOURCE_COLUMNS = "number, tenant, id, data_class, names, plain, meta, external, watched"
ROW_COLUMNS = "made, timestamp, duration, low, high, meta, scalars"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of one tenant.

    names    its channels, or the columns of a table without the timestamp
    plain    created without channels: its samples are one plain list
    external what newer clients call it by: external_id, sensor_id, …
    watched  the source of events that its numbers are followed as
    """

    number: int
    tenant: str
    id: str
    data_class: DataClass
    names: tuple[str, ...]
    plain: bool
    meta: dict[str, Any]
    external: dict[str, Any]
    watched: str


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement without its samples. duration in seconds, of waveforms; low and high in Hz, of spectra."""

    made: int
    timestamp: int
    duration: float | None
    low: float | None
    high: float | None
    meta: dict[str, Any]
    scalars: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class New:
    """A measurement to keep; *body* as ``packed`` or ``packed_rows`` made it, of so many *samples* of each channel."""

    timestamp: int
    body: bytes
    samples: int
    meta: Mapping[str, Any]
    duration: float | None = None
    low: float | None = None
    high: float | None = None
    scalars: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said of one measurement."""

    timestamp: int
    label: str
    severity: int
    notes: str
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Window:
    """Timestamps from *start* to *end*, both included; None: open."""

    start: int | None = None
    end: int | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last timestamp, as the store has them."""
        return (0 if self.start is None else self.start), (TIMESTAMP_MAX if self.end is None else self.end)


def packed(channels: Mapping[str, NDArray[np.float64]]) -> bytes:
    """Samples of each channel as bytes; every bit is kept."""
    return pack(dict(channels))


def samples_of(body: bytes) -> dict[str, NDArray[np.float64]]:
    """What ``packed`` was given. Raises BadPack for damaged bytes."""
    return unpack(body)


def packed_rows(columns: Sequence[NDArray[np.float64]]) -> list[bytes]:
    """The rows of a table of k columns, (n,) each, as n bodies."""
    table = np.ascontiguousarray(np.stack(columns, axis=1).astype("<f8"))
    return [row.tobytes() for row in table]


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────


async def sources(database: Database, tenant: str) -> list[Source]:
    """All sources of *tenant*, in the order in which they were created."""
    sql = f"SELECT {SOURCE_COLUMNS} FROM mvg_source WHERE tenant = ? ORDER BY number"
    return [_source(row) for row in await database.read(sql, (tenant,))]


async def source(database: Database, tenant: str, id: str) -> Source | None:
    """One source, or None."""
    return await _one(database, "tenant = ? AND id = ?", (tenant, id))


async def source_by_external_id(database: Database, tenant: str, external_id: str) -> Source | None:
    """The source that somebody else calls *external_id*, or None."""
    return await _one(database, "tenant = ? AND external_id = ?", (tenant, external_id))


async def _one(database: Database, where: str, values: Sequence[object]) -> Source | None:
    rows = await database.read(f"SELECT {SOURCE_COLUMNS} FROM mvg_source WHERE {where}", values)
    return _source(rows[0]) if rows else None


async def count_sources(database: Database) -> int:
    """How many sources there are, of all tenants."""
    return int((await database.read("SELECT count(*) FROM mvg_source"))[0][0])


async def is_watched(database: Database, name: str) -> bool:
    """Whether the numbers of some source are followed under *name*."""
    return bool(await database.read("SELECT 1 FROM mvg_source WHERE watched = ? LIMIT 1", (name,)))


async def create_source(
    database: Database, tenant: str, id: str, data_class: DataClass, names: Sequence[str], meta: Mapping[str, Any],
    *, plain: bool, external: Mapping[str, Any], watched: str,
) -> None:
    """Create a source; nobody has the id."""
    external_id = external.get("external_id")
    row = (tenant, id, data_class, _dump(list(names)), plain, _dump(meta), external_id, _dump(external), watched)
    insert = (
        "INSERT INTO mvg_source (tenant, id, data_class, names, plain, meta, external_id, external, watched) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    await database.write([(insert, [row])])


async def set_source_meta(database: Database, number: int, meta: Mapping[str, Any]) -> None:
    """Replace the meta of a source."""
    await database.write([("UPDATE mvg_source SET meta = ? WHERE number = ?", [(_dump(meta), number)])])


async def delete_source(database: Database, number: int) -> None:
    """Delete a source with its labels and every analysis that used it; its measurements go with ``remove_some``."""
    of_source = "SELECT analysis FROM mvg_analysis_source WHERE source = ?"
    await database.write([
        (f"DELETE FROM mvg_analysis WHERE number IN ({of_source})", [(number,)]),
        (f"DELETE FROM mvg_analysis_source WHERE analysis IN ({of_source})", [(number,)]),
        ("DELETE FROM mvg_label WHERE source = ?", [(number,)]),
        ("DELETE FROM mvg_source WHERE number = ?", [(number,)]),
    ])


async def deleted_sources(database: Database) -> list[int]:
    """The numbers of deleted sources that have measurements left."""
    sql = "SELECT DISTINCT source FROM mvg_measurement WHERE source NOT IN (SELECT number FROM mvg_source)"
    return [int(row[0]) for row in await database.read(sql)]


async def remove_some(database: Database, source: int) -> int:
    """Remove some measurements of a deleted source; how many bytes that freed, 0 if there are no more."""
    sql = f"SELECT made, bytes FROM mvg_measurement WHERE source = ? LIMIT {REMOVED_AT_ONCE}"
    found = await database.read(sql, (source,))
    if found:
        await database.write([("DELETE FROM mvg_measurement WHERE made = ?", [(made,) for made, _ in found])])
    return sum(size for _, size in found)


# ── measurements ──────────────────────────────────────────────────────────────────────────────────────────────


async def stored_bytes(database: Database) -> int:
    """What all measurements hold, compressed."""
    return int((await database.read("SELECT coalesce(sum(bytes), 0) FROM mvg_measurement"))[0][0])


def additions(source: int, new: Sequence[New]) -> Statements:
    """Statements that add measurements to a source; of one that is there already, nothing changes."""
    insert = (
        "INSERT INTO mvg_measurement (source, timestamp, duration, low, high, meta, scalars, samples, bytes, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, timestamp) DO NOTHING"
    )
    return [(insert, [
        (source, one.timestamp, one.duration, one.low, one.high, _dump(one.meta),
         None if one.scalars is None else _dump(one.scalars), one.samples, len(one.body), one.body)
        for one in new
    ])]


async def taken(database: Database, source: int, timestamps: Sequence[int]) -> int | None:
    """The first of *timestamps* of which the source has a measurement, None if it has none of them."""
    sql = (
        "SELECT timestamp FROM mvg_measurement WHERE source = ? AND timestamp IN (SELECT value FROM json_each(?)) "
        "ORDER BY timestamp LIMIT 1")
    rows = await database.read(sql, (source, _dump(list(timestamps))))
    return int(rows[0][0]) if rows else None


async def count(database: Database, source: int, window: Window) -> int:
    """How many measurements of a source are within *window*."""
    sql = "SELECT count(*) FROM mvg_measurement WHERE source = ? AND timestamp BETWEEN ? AND ?"
    return int((await database.read(sql, (source, *window.bounds)))[0][0])


async def rows(database: Database, source: int, window: Window, offset: int, limit: int) -> list[Row]:
    """Measurements without their samples, ascending; limit -1: all."""
    sql = (
        f"SELECT {ROW_COLUMNS} FROM mvg_measurement WHERE source = ? AND timestamp BETWEEN ? AND ? "
        "ORDER BY timestamp LIMIT ? OFFSET ?")
    return [_row(row) for row in await database.read(sql, (source, *window.bounds, limit, offset))]


async def timestamps(database: Database, source: int, offset: int, limit: int, *, descending: bool) -> list[int]:
    """Timestamps of a source; limit -1: all."""
    order = "DESC" if descending else "ASC"
    sql = f"SELECT timestamp FROM mvg_measurement WHERE source = ? ORDER BY timestamp {order} LIMIT ? OFFSET ?"
    return [int(row[0]) for row in await database.read(sql, (source, limit, offset))]


async def measurement(database: Database, source: int, timestamp: int) -> tuple[Row, bytes] | None:
    """One measurement and its body, or None."""
    sql = f"SELECT {ROW_COLUMNS}, body FROM mvg_measurement WHERE source = ? AND timestamp = ?"
    found = await database.read(sql, (source, timestamp))
    return (_row(found[0][:-1]), found[0][-1]) if found else None


async def table(
    database: Database, source: int, columns: int, window: Window, offset: int, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[dict[str, Any]]]:
    """Rows of a tabular source, ascending: (n,) timestamps, (n, columns) numbers, n metas. limit -1: all."""
    sql = (
        "SELECT timestamp, body, meta FROM mvg_measurement WHERE source = ? AND timestamp BETWEEN ? AND ? "
        "ORDER BY timestamp LIMIT ? OFFSET ?")

    def look(db: sqlite3.Connection) -> tuple[NDArray[np.int64], NDArray[np.float64], list[dict[str, Any]]]:
        found = db.execute(sql, (source, *window.bounds, limit, offset)).fetchall()
        numbers = np.frombuffer(b"".join(row[1] for row in found), "<f8").reshape(len(found), columns)
        times = np.array([row[0] for row in found], np.int64)
        return times, numbers, [{} if row[2] == "{}" else orjson.loads(row[2]) for row in found]

    return await database.look(look)


async def set_meta(database: Database, made: int, meta: Mapping[str, Any]) -> None:
    """Replace the meta of a measurement."""
    await database.write([("UPDATE mvg_measurement SET meta = ? WHERE made = ?", [(_dump(meta), made)])])


async def set_scalars(database: Database, made: int, scalars: Mapping[str, float]) -> None:
    """Replace the scalars of a measurement."""
    await database.write([("UPDATE mvg_measurement SET scalars = ? WHERE made = ?", [(_dump(scalars), made)])])


async def delete_measurement(database: Database, source: int, timestamp: int) -> None:
    """Delete a measurement and its label."""
    where = "WHERE source = ? AND timestamp = ?"
    await database.write([
        (f"DELETE FROM mvg_measurement {where}", [(source, timestamp)]),
        (f"DELETE FROM mvg_label {where}", [(source, timestamp)]),
    ])


# ── labels ────────────────────────────────────────────────────────────────────────────────────────────────────


async def labels(database: Database, source: int) -> list[Label]:
    """All labels of a source, ascending."""
    sql = "SELECT timestamp, label, severity, notes, changed_ms FROM mvg_label WHERE source = ? ORDER BY timestamp"
    return [Label(*row) for row in await database.read(sql, (source,))]


async def label(database: Database, source: int, timestamp: int) -> Label | None:
    """The label of one measurement, or None."""
    sql = "SELECT timestamp, label, severity, notes, changed_ms FROM mvg_label WHERE source = ? AND timestamp = ?"
    found = await database.read(sql, (source, timestamp))
    return Label(*found[0]) if found else None


async def set_label(database: Database, source: int, label: Label) -> None:
    """Give a measurement this label, in place of the one that it had."""
    insert = (
        "INSERT OR REPLACE INTO mvg_label (source, timestamp, label, severity, notes, changed_ms) "
        "VALUES (?, ?, ?, ?, ?, ?)")
    row = (source, label.timestamp, label.label, label.severity, label.notes, label.changed_ms)
    await database.write([(insert, [row])])


async def delete_label(database: Database, source: int, timestamp: int) -> None:
    """Take the label of a measurement away."""
    await database.write([("DELETE FROM mvg_label WHERE source = ? AND timestamp = ?", [(source, timestamp)])])


def _source(row: Sequence[Any]) -> Source:
    number, tenant, id, data_class, names, plain, meta, external, watched = row
    return Source(number, tenant, id, data_class, tuple(orjson.loads(names)), bool(plain), orjson.loads(meta),
                  orjson.loads(external), watched)


def _row(row: Sequence[Any]) -> Row:
    made, timestamp, duration, low, high, meta, scalars = row
    return Row(made, timestamp, duration, low, high, orjson.loads(meta), orjson.loads(scalars) if scalars else None)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
