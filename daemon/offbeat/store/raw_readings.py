"""Raw readings of many series at once, of as many sources: chunks and memory joined, each chunk read once for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.engine import Engine
from offbeat.engine.ledger import FIRST, INTERVAL, NEWEST, TIME_MIN_MS
from offbeat.engine.rows import Part, joined
from offbeat.engine.tail import NO_READINGS, Readings
from offbeat.store.bucket_queries import FAR_MS, Ask
from offbeat.store.chunks import readings_of
from offbeat.store.database import Database

FEW = 16
"""Of more series than this a part of memory is looked through by time first."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the engine knows of k series. Times in ms since 1970 UTC; of a series without a reading, -FAR_MS.

    newest_ms  (k,) int64  the newest reading          interval_ms  (k,) float64  usual time between two, 0: not known
    first_ms   (k,) int64  the first event of its source
    """

    newest_ms: NDArray[np.int64]
    interval_ms: NDArray[np.float64]
    first_ms: NDArray[np.int64]


def known(engine: Engine, series: NDArray[np.int64]) -> Known:
    """The state of *series*; -1 is none. On the engine's thread."""
    held = engine.ledger.series[np.maximum(series, 0)]
    missing = (series < 0) | (held[:, NEWEST] == 0)
    newest = np.where(missing, -FAR_MS, held[:, NEWEST].astype(np.int64) - 1 + TIME_MIN_MS)
    sources = engine.catalog.series_source[np.maximum(series, 0)]
    first = engine.ledger.sources[sources, FIRST] - 1 + TIME_MIN_MS
    return Known(newest, np.where(missing, 0.0, held[:, INTERVAL]), np.where(missing, FAR_MS, first))


@dataclass(frozen=True, slots=True)
class _Shard:
    """Parts of a shard's memory, and the journal position up to which its chunks complete the picture."""

    id: int
    position: int
    series: NDArray[np.int32]
    low_ms: NDArray[np.int64]
    parts: list[Part]


def _shards(engine: Engine, series: NDArray[np.int32], low_ms: NDArray[np.int64]) -> list[_Shard]:
    of = engine.catalog.source_shard[engine.catalog.series_source[series]]
    found = []
    for shard in np.unique(of).tolist():
        mine = of == shard
        parts = [part for tail in engine.tail.of(shard) for part in tail.readings.parts()]
        found.append(_Shard(shard, engine.positions.get(shard, 0), series[mine], low_ms[mine], parts))
    return found


async def raw_readings(
    database: Database, ask: Ask, series: NDArray[np.int32], low_ms: NDArray[np.int64], high_ms: int
) -> Readings:
    """The readings of *series* (k, sorted, each once), each from its *low_ms* (k,) on, before *high_ms*.

    Sorted by series, then time; of one series, those of equal time in the order in which they came.
    """
    if not series.size:
        return NO_READINGS
    shards = await ask(lambda engine: _shards(engine, series, low_ms))
    bodies = [
        [
            body
            for (body,) in await database.read(
                "SELECT body FROM chunk WHERE kind = 'readings' AND job = 0 AND shard = ? AND end_ms >= ? AND "
                "start_ms < ? AND low <= ? AND high >= ? AND seq <= ? ORDER BY seq, part",
                (shard.id, int(shard.low_ms.min()), high_ms, int(shard.series[-1]), int(shard.series[0]),
                 shard.position),
            )
        ]
        for shard in shards
    ]  # fmt: skip
    return await asyncio.to_thread(_joined, shards, bodies, high_ms)


def _joined(shards: list[_Shard], bodies: list[list[bytes]], high_ms: int) -> Readings:
    parts: list[Readings] = [NO_READINGS]
    for shard, packed in zip(shards, bodies, strict=True):
        low = int(shard.low_ms.min())
        found = [readings_of(body, shard.series, low, high_ms) for body in packed]
        found += [_of_part(part, shard.series, low, high_ms) for part in shard.parts]
        for series, time_ms, value in found:
            due = time_ms >= shard.low_ms[np.searchsorted(shard.series, series)]
            parts.append((series[due], time_ms[due], value[due]))
    series, time_ms, value = joined(parts)  # type: ignore[arg-type]
    order = np.lexsort((time_ms, series))
    return series[order], time_ms[order], value[order]


def _of_part(part: Part, wanted: NDArray[np.int32], low: int, high: int) -> Readings:
    if wanted.size <= FEW:
        series, time_ms, value = part.of(wanted)
    else:
        series, time_ms, value = part.columns
    within = np.flatnonzero((time_ms >= low) & (time_ms < high))
    within = within[np.isin(series[within], wanted)]
    return series[within], time_ms[within], value[within]
