"""Model snapshots: the models of an analysis as they were, to go on from again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from offbeat.engine.analysis.results import Size
from offbeat.store import analyses as kept
from offbeat.store.database import Database, Statements
from offbeat_detectors.contract import State


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot. priority: the highest is what the job goes on from; times in ms, None before there is any."""

    id: str
    taken_ms: int
    priority: int
    description: str
    latest_record_ms: int | None
    latest_result_ms: int | None
    size: Size
    quantiles: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a snapshot is made of."""

    state: State
    latest_record_ms: int | None
    latest_result_ms: int | None
    size: Size
    quantiles: str


def name_of(id: str) -> str:
    """The name of a snapshot's state."""
    return f"snapshot:{id}"


async def keep(database: Database, job: int, taken_ms: int, description: str, frozen: Frozen) -> Snapshot:
    """Keep *frozen* as the newest snapshot of *job*. Raises StoreUnavailable."""
    rows = await all_of(database, job)
    taken = {one.id for one in rows}
    number = taken_ms // 1000
    while str(number) in taken:
        number += 1
    priority = max((one.priority for one in rows), default=0) + 1
    made = Snapshot(
        str(number),
        taken_ms,
        priority,
        description,
        frozen.latest_record_ms,
        frozen.latest_result_ms,
        frozen.size,
        frozen.quantiles,
    )
    await kept.keep_state(database, job, name_of(made.id), frozen.state)
    await database.write(row_of(job, made))
    return made


def row_of(job: int, one: Snapshot) -> Statements:
    """What writes the row of a snapshot, whose state is there."""
    body = {
        "latest_record_ms": one.latest_record_ms,
        "latest_result_ms": one.latest_result_ms,
        "size": one.size,
        "quantiles": one.quantiles,
    }
    row = (job, one.id, one.taken_ms, one.priority, one.description, orjson.dumps(body))
    return [("INSERT OR REPLACE INTO model_snapshot VALUES (?, ?, ?, ?, ?, ?)", [row])]


async def all_of(database: Database, job: int) -> list[Snapshot]:
    """All snapshots of *job*, the highest priority first."""
    rows = await database.read(
        "SELECT id, taken_ms, priority, description, body FROM model_snapshot WHERE job = ? ORDER BY priority DESC",
        (job,),
    )
    return [_snapshot(*row) for row in rows]


def _snapshot(id: str, taken_ms: int, priority: int, description: str, packed: bytes) -> Snapshot:
    body: dict[str, Any] = orjson.loads(packed)
    size = Size(**body.pop("size"))
    return Snapshot(id, taken_ms, priority, description, size=size, **body)


def drop(job: int, id: str) -> Statements:
    """What deletes a snapshot."""
    return [
        ("DELETE FROM model_snapshot WHERE job = ? AND id = ?", [(job, id)]),
        ("DELETE FROM analysis_state WHERE job = ? AND name = ?", [(job, name_of(id))]),
    ]
