"""What energy meters sent, as rows: the events as they came, and the clusters of the last run over all of them."""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.store.database import Database, Statements

KEEP_EVENT = """
    INSERT INTO energy_event (
        stored_ms, reported_ms, device, active, reactive, apparent, current, voltage, peak1, peak2, peak3, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
COUNT_EVENT = """
    UPDATE energy_batch SET
        pending = CASE WHEN pending + 1 >= ? THEN 0 ELSE pending + 1 END,
        due = CASE WHEN pending + 1 >= ? THEN (SELECT max(id) FROM energy_event) ELSE due END"""
FEATURES = """
    SELECT active, reactive, apparent, current, voltage, peak1, peak2, peak3 FROM energy_event
    WHERE id <= ? AND peak3 IS NOT NULL ORDER BY id"""
ROWS_AT_A_TIME = 10_000
SUMMARY = "SELECT label, count, active, reactive, apparent, current, voltage FROM energy_cluster ORDER BY label"
MEANS = 5
"""So many features, the first, have their means shown."""


@dataclass(frozen=True, slots=True)
class Batches:
    """How far clustering is, by the number of an event: a run is due over all up to *due*, the last was up to *done*.
    """

    due: int
    done: int


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster of the last run: its events, and the arithmetic means of five features over them."""

    label: int
    count: int
    active: float
    reactive: float
    apparent: float
    current: float
    voltage: float


def kept(
    stored_ms: int, reported_ms: int, device: int, features: Sequence[float | None], body: str, batch_events: int
) -> Statements:
    """What is written of one event; each *batch_events* of them, a run over all so far becomes due.

    features  the eight that events are clustered by; None for a peak that there is not
    """
    row = (stored_ms, reported_ms, device, *features, body)
    return (KEEP_EVENT, [row]), (COUNT_EVENT, [(batch_events, batch_events)])


async def batches(database: Database) -> Batches:
    """How far clustering is."""
    return Batches(*(await database.read("SELECT due, done FROM energy_batch"))[0])


async def features(database: Database, last: int) -> NDArray[np.float64]:
    """(n, 8) the features of all events up to number *last* that have all of them, in order of storing."""

    def look(db: sqlite3.Connection) -> NDArray[np.float64]:
        found = db.execute(FEATURES, (last,))
        pieces = [np.zeros((0, 8))]
        while rows := found.fetchmany(ROWS_AT_A_TIME):
            pieces.append(np.array(rows, np.float64))
        return np.concatenate(pieces)

    return await database.look(look)


async def replace(database: Database, rows: Sequence[ClusterRow], done: int) -> None:
    """Put *rows*, of a run over the events up to number *done*, in the place of the clusters before, all at once."""
    values: list[tuple[Any, ...]] = [
        (r.label, r.count, r.active, r.reactive, r.apparent, r.current, r.voltage) for r in rows
    ]
    await database.write((
        ("DELETE FROM energy_cluster", [()]),
        ("INSERT INTO energy_cluster VALUES (?, ?, ?, ?, ?, ?, ?)", values),
        ("UPDATE energy_batch SET done = ?", [(done,)]),
    ))


async def summary(database: Database) -> tuple[ClusterRow, ...]:
    """The clusters of the last run, ascending by label."""
    return tuple(ClusterRow(*row) for row in await database.read(SUMMARY))
