"""Analyses of MVG measurements as rows: what was asked, how far it is, what came of it; and what one is made of."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from offbeat.store.database import Database
from offbeat.store.mvg import Window, samples_of

Status = Literal["queued", "ongoing", "successful", "failed"]
COLUMNS = "number, tenant, id, feature, request, status, history, queued_ms, callback, used, error"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an analysis is to compute: of which sources (as the client named them), with which parameters."""

    source_ids: tuple[str, ...]
    population: bool
    params: dict[str, Any]
    window: Window


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis without its results.

    history    (status, milliseconds since 1970 UTC) of each change
    used       what it was computed of, by which one can tell that data has changed since
    error      why it failed, in plain words
    """

    number: int
    tenant: str
    id: str
    feature: str
    asked: Asked
    status: Status
    history: tuple[tuple[str, int], ...]
    queued_ms: int
    callback: str
    used: str
    error: str


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of an analysis. model: what others may be computed with, as bytes."""

    used: str
    inputs: Mapping[str, Any]
    results: Mapping[str, Any]
    model: bytes | None


@dataclass(frozen=True, slots=True)
class Given:
    """What is analysed of one source: m measurements, ascending.

    made, timestamps, samples  (m,) int64; samples: of each channel
    durations, low, high       (m,) float64, NaN where they have none
    """

    source: int
    names: tuple[str, ...]
    made: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    durations: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    samples: NDArray[np.int64]


async def put(
    database: Database, tenant: str, id: str, feature: str, asked: Asked, numbers: Sequence[int], callback: str,
    now_ms: int,
) -> None:
    """Queue an analysis of the sources *numbers*: a new one, or one that is done, again."""
    history = _dump([("queued", now_ms)])
    request = _dump([asked.source_ids, asked.population, asked.params, asked.window.start, asked.window.end])
    row = (tenant, id, feature, request, history, now_ms, callback)
    insert = (
        "INSERT INTO mvg_analysis (tenant, id, feature, request, status, history, queued_ms, callback, used, error) "
        "VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, '', '') ON CONFLICT (tenant, id) DO UPDATE SET status = 'queued', "
        "history = excluded.history, queued_ms = excluded.queued_ms, callback = excluded.callback, used = '', "
        "error = '', inputs = NULL, results = NULL, model = NULL")
    of_source = (
        "INSERT INTO mvg_analysis_source SELECT ?, number FROM mvg_analysis WHERE tenant = ? AND id = ? "
        "ON CONFLICT DO NOTHING")
    await database.write([(insert, [row]), (of_source, [(number, tenant, id) for number in dict.fromkeys(numbers)])])


async def get(database: Database, tenant: str, id: str) -> Analysis | None:
    """One analysis, or None."""
    rows = await database.read(f"SELECT {COLUMNS} FROM mvg_analysis WHERE tenant = ? AND id = ?", (tenant, id))
    return _analysis(rows[0]) if rows else None


async def under_way(database: Database) -> list[Analysis]:
    """Those that wait or run, in the order in which they were asked for."""
    sql = f"SELECT {COLUMNS} FROM mvg_analysis WHERE status IN ('queued', 'ongoing') ORDER BY queued_ms, number"
    return [_analysis(row) for row in await database.read(sql)]


async def ids(database: Database, source: int, feature: str) -> list[str]:
    """The ids of the analyses of a source by *feature*, oldest first."""
    sql = (
        "SELECT id FROM mvg_analysis JOIN mvg_analysis_source ON analysis = number "
        "WHERE source = ? AND feature = ? ORDER BY number")
    return [row[0] for row in await database.read(sql, (source, feature))]


async def count(database: Database) -> int:
    """How many analyses are kept."""
    return int((await database.read("SELECT count(*) FROM mvg_analysis"))[0][0])


async def turn(database: Database, analysis: Analysis, status: Status, now_ms: int, error: str = "") -> None:
    """Write that the state of *analysis* has changed; nothing if it is gone."""
    history = _dump([*analysis.history, (status, now_ms)])
    update = "UPDATE mvg_analysis SET status = ?, history = ?, error = ? WHERE number = ?"
    await database.write([(update, [(status, history, error, analysis.number)])])


async def keep(database: Database, analysis: Analysis, computed: Computed, now_ms: int) -> None:
    """Write what came of *analysis*; nothing if it is gone."""
    history = _dump([*analysis.history, ("successful", now_ms)])
    row = (history, computed.used, _packed(computed.inputs), _packed(computed.results), computed.model, analysis.number)
    update = (
        "UPDATE mvg_analysis SET status = 'successful', history = ?, used = ?, error = '', inputs = ?, results = ?, "
        "model = ? WHERE number = ?")
    await database.write([(update, [row])])


async def delete(database: Database, number: int) -> None:
    """Delete an analysis."""
    await database.write([
        ("DELETE FROM mvg_analysis WHERE number = ?", [(number,)]),
        ("DELETE FROM mvg_analysis_source WHERE analysis = ?", [(number,)]),
    ])


async def inputs(database: Database, number: int) -> dict[str, Any]:
    """What an analysis was computed of; empty if it is not done."""
    rows = await database.read("SELECT inputs FROM mvg_analysis WHERE number = ?", (number,))
    return _unpacked(rows[0][0]) if rows and rows[0][0] is not None else {}


async def results(database: Database, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an analysis was computed of, and what came of it; two empty objects if it is not done."""
    rows = await database.read("SELECT inputs, results FROM mvg_analysis WHERE number = ?", (number,))
    if not rows or rows[0][1] is None:
        return {}, {}
    return _unpacked(rows[0][0]), _unpacked(rows[0][1])


async def used(database: Database, numbers: Sequence[int], window: Window, model: str) -> str:
    """What an analysis of the sources *numbers* would be computed of now, as a text that changes when that does."""
    return await database.look(lambda db: used_now(db, numbers, window, model))


# ── on a thread, or in a process, that only reads ─────────────────────────────────────────────────────────────


def connected(path: Path) -> sqlite3.Connection:
    """A connection of its own that reads the file at *path*."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0)


def used_now(db: sqlite3.Connection, numbers: Sequence[int], window: Window, model: str) -> str:
    """As ``used``. model: the tenant and id of the analysis whose model counts, empty if there is none."""
    measured = "SELECT count(*), coalesce(sum(made), 0), coalesce(max(made), 0) FROM {} WHERE source = ? {}"
    found: list[object] = []
    for number in numbers:
        within = (number, *window.bounds)
        found.append(db.execute(measured.format("mvg_measurement", "AND timestamp BETWEEN ? AND ?"), within).fetchone())
        if model:
            found.append(db.execute(measured.format("mvg_label", ""), (number,)).fetchone())
    if model:
        tenant, _, id = model.rpartition("/")
        found += db.execute("SELECT number, history FROM mvg_analysis WHERE tenant = ? AND id = ?", (tenant, id))
    return _dump(found)


def given(db: sqlite3.Connection, source: int, names: Sequence[str], window: Window) -> Given:
    """The measurements of a source within *window*, without their samples."""
    sql = (
        "SELECT made, timestamp, duration, low, high, samples FROM mvg_measurement "
        "WHERE source = ? AND timestamp BETWEEN ? AND ? ORDER BY timestamp")
    rows = db.execute(sql, (source, *window.bounds)).fetchall()
    made, timestamps, samples = (np.array([row[i] for row in rows], np.int64) for i in (0, 1, 5))
    durations, low, high = (np.array([row[i] for row in rows], np.float64) for i in (2, 3, 4))
    return Given(source, tuple(names), made, timestamps, durations, low, high, samples)


def body(db: sqlite3.Connection, made: int) -> bytes | None:
    """The body of a measurement, None if it is gone."""
    found = db.execute("SELECT body FROM mvg_measurement WHERE made = ?", (made,)).fetchone()
    return None if found is None else bytes(found[0])


def samples(db: sqlite3.Connection, made: int) -> dict[str, NDArray[np.float64]] | None:
    """The samples of each channel of a measurement, None if it is gone."""
    found = body(db, made)
    return None if found is None else samples_of(found)


def model(db: sqlite3.Connection, tenant: str, id: str) -> tuple[bytes, dict[str, Any]] | None:
    """The model of a successful analysis and its results, None if it has none."""
    sql = "SELECT model, results FROM mvg_analysis WHERE tenant = ? AND id = ? AND status = 'successful'"
    row = db.execute(sql, (tenant, id)).fetchone()
    return None if row is None or row[0] is None else (bytes(row[0]), _unpacked(row[1]))


def labels(db: sqlite3.Connection, source: int) -> list[tuple[int, str, int, str, int]]:
    """(timestamp, label, severity, notes, changed_ms) of each label of a source, ascending."""
    sql = "SELECT timestamp, label, severity, notes, changed_ms FROM mvg_label WHERE source = ? ORDER BY timestamp"
    return db.execute(sql, (source,)).fetchall()


def _analysis(row: Sequence[Any]) -> Analysis:
    number, tenant, id, feature, request, status, history, queued_ms, callback, used, error = row
    source_ids, population, params, start, end = orjson.loads(request)
    asked = Asked(tuple(source_ids), population, params, Window(start, end))
    changes = tuple((one, at_ms) for one, at_ms in orjson.loads(history))
    return Analysis(number, tenant, id, feature, asked, status, changes, queued_ms, callback, used, error)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


def _packed(document: Mapping[str, Any]) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(orjson.dumps(document))


def _unpacked(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    return document
