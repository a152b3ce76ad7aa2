"""Readings and rollups of one source: chunks and memory joined, as many points as asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import rollups
from offbeat.engine.ledger import TIME_MIN_MS
from offbeat.engine.rows import joined
from offbeat.engine.tail import NO_READINGS, Readings
from offbeat.engine.views import LiveReadings, live_readings
from offbeat.store.bucket_queries import FAR_MS, Ask
from offbeat.store.chunks import readings_of, windows_of
from offbeat.store.database import Database
from offbeat.store.downsample import extremes, joined_windows, window_columns
from offbeat.store.queries import ReadingsQuery, SeriesReadings

RAW_MAX = 200_000
"""A series with more readings than this in the range is answered from rollups, unless raw ones are asked for."""


async def readings(
    database: Database, ask: Ask, source: int, series: dict[int, str], query: ReadingsQuery
) -> tuple[SeriesReadings, ...]:
    """The readings of *series* (number → field) of one source in the bounds of *query*."""
    numbers = np.array(sorted(series), np.int32)
    live = await ask(lambda engine: live_readings(engine, source, numbers))
    low = query.start_ms if query.start_ms is not None else -FAR_MS
    high = query.end_ms if query.end_ms is not None else FAR_MS
    level = query.level or _finest(live, low, high, query.width)
    bands = await _windows(database, live, numbers, _band_level(live, low, high), low, high)
    if level == "raw":
        columns = await _raw(database, live, numbers, low, high)
        if query.level is None and not columns[0].size:  # retention has taken them: what is left is coarser
            level = "1m"
        else:
            return tuple(
                await asyncio.to_thread(
                    lambda: [_raw_of(field, number, columns, bands, query.width) for number, field in series.items()]
                )
            )
    rows = await _windows(database, live, numbers, level, low, high)
    return tuple(_rollup_of(field, number, level, rows, bands, query.width) for number, field in series.items())


def _finest(live: LiveReadings, low: int, high: int, width: int) -> str:
    """The finest level of which the densest series has not too much in the range."""
    newest = _newest(live)
    span_ms = min(high, newest) - max(low, live.first_ms)
    share = min(1.0, max(0.0, span_ms / max(1, newest - live.first_ms)))
    if live.readings_seen[:, 0].max(initial=0.0) * share <= RAW_MAX:
        return "raw"
    return next(
        (
            name
            for name, window_ms in zip(rollups.LEVELS, rollups.SPANS_MS.tolist(), strict=True)
            if span_ms <= window_ms * 20 * width
        ),
        rollups.LEVELS[-1],
    )


def _newest(live: LiveReadings) -> int:
    return int(live.readings_seen[:, 1].max(initial=0.0)) - 1 + TIME_MIN_MS


def _band_level(live: LiveReadings, low: int, high: int) -> str:
    span_ms = min(high, _newest(live)) - max(low, live.first_ms)
    return "1m" if span_ms <= 60_000 * 20_000 else "1h" if span_ms <= 3_600_000 * 20_000 else "1d"


async def _raw(database: Database, live: LiveReadings, numbers: NDArray[np.int32], low: int, high: int) -> Readings:
    bodies = await _bodies(database, "readings", live, numbers, low, high)

    def join() -> Readings:
        parts = [readings_of(body, numbers, low, high) for body in bodies]
        series, time_ms, value = live.own_readings()
        mine = (time_ms >= low) & (time_ms < high)
        parts.append((series[mine], time_ms[mine], value[mine]))
        series, time_ms, value = joined([NO_READINGS, *parts])
        order = np.lexsort((time_ms, series))
        return series[order], time_ms[order], value[order]

    return await asyncio.to_thread(join)


async def _windows(
    database: Database, live: LiveReadings, numbers: NDArray[np.int32], level: str, low: int, high: int
) -> NDArray[np.float64]:
    """Windows of *level*, one row each, sorted by series and start.

    Chunks in the order of their making, then memory.
    """
    at = rollups.LEVELS.index(level)
    bodies = await _bodies(
        database, level, live, numbers, low - int(rollups.SPANS_MS[at]) + 1 if low > -FAR_MS else low, high
    )

    def join() -> NDArray[np.float64]:
        held = live.own_windows()
        rows = np.concatenate([*(windows_of(body, at, numbers) for body in bodies), held[held[:, rollups.LEVEL] == at]])
        for band in (rollups.TYPICAL, rollups.LOWER, rollups.UPPER):  # as chunks keep them: the answer must not know
            rows[:, band] = rollups.coarse(rows[:, band])
        start = rows[:, rollups.START]
        return rollups.merged(
            rows[np.isin(rows[:, rollups.SERIES], numbers) & (start + rollups.SPANS_MS[at] > low) & (start < high)]
        )

    return await asyncio.to_thread(join)


CHUNKS_MAX, CHUNKS_AT_ONCE = 2_000, 16
"""How many chunks are looked through, at most and at once, for a moment that is so many readings back."""


async def moments_back(
    database: Database, ask: Ask, source: int, series: int, time_ms: int, actual: float, back: Sequence[int]
) -> tuple[tuple[int | None, ...], int | None]:
    """When the readings came that are so many *back* of a series' reading *actual* at *time_ms*; and the last before.

    Counted in the order of time, which is that of arrival unless some came late. *actual* NaN: nothing came then, and
    1 back is the newest reading. None is what retention has taken, or what lies before more than CHUNKS_MAX chunks.
    """
    number = np.array([series], np.int32)
    live = await ask(lambda engine: live_readings(engine, source, number))
    chunks = await database.read(
        "SELECT end_ms, seq, part FROM chunk WHERE kind = 'readings' AND job = 0 AND shard = ? AND end_ms >= ? AND "
        "start_ms <= ? AND low <= ? AND high >= ? AND seq <= ? ORDER BY end_ms DESC LIMIT ?",
        (live.shard, -FAR_MS, time_ms, series, series, live.position, CHUNKS_MAX),
    )
    parts = [await asyncio.to_thread(live.own_readings)]
    wanted = max(back, default=0) + 2
    for first in range(0, len(chunks), CHUNKS_AT_ONCE):
        if sum(int(((t > chunks[first][0]) & (t <= time_ms)).sum()) for _, t, _ in parts) >= wanted:
            break  # what the chunks that are left hold is older
        for _, seq, part in chunks[first : first + CHUNKS_AT_ONCE]:
            rows = await database.read(
                "SELECT body FROM chunk WHERE kind = 'readings' AND job = 0 AND shard = ? AND seq = ? AND part = ?",
                (live.shard, seq, part),
            )
            parts += [await asyncio.to_thread(readings_of, body, number, -FAR_MS, time_ms + 1) for (body,) in rows]
    times, values = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    order = np.argsort(times, kind="stable")
    order = order[times[order] <= time_ms]
    times, values = times[order], values[order]
    own = np.flatnonzero((times == time_ms) & (values == actual))
    here = int(own[-1]) if own.size else times.size
    moments = [int(times[here - n]) if 0 < n <= here else None for n in (*back, 1)]
    return tuple(moments[:-1]), moments[-1]


async def _bodies(
    database: Database, kind: str, live: LiveReadings, numbers: NDArray[np.int32], low: int, high: int
) -> list[bytes]:
    if not numbers.size:
        return []
    rows = await database.read(
        "SELECT body FROM chunk WHERE kind = ? AND job = 0 AND shard = ? AND end_ms >= ? AND start_ms < ? AND "
        "low <= ? AND high >= ? "
        "AND seq <= ? ORDER BY seq, part",
        (kind, live.shard, low, high, int(numbers.max()), int(numbers.min()), live.position),
    )
    return [body for (body,) in rows]


def _raw_of(field: str, number: int, columns: Readings, bands: NDArray[np.float64], width: int) -> SeriesReadings:
    first, last = np.searchsorted(columns[0], [number, number + 1])
    time_ms, value = columns[1][first:last], columns[2][first:last]
    shown = extremes(time_ms, value, width)
    return SeriesReadings(
        field,
        "raw",
        shown.size < time_ms.size,
        time_ms.size,
        time_ms[shown],
        {"value": value[shown]},
        _band(number, bands, width),
    )


def _rollup_of(
    field: str, number: int, level: str, rows: NDArray[np.float64], bands: NDArray[np.float64], width: int
) -> SeriesReadings:
    mine = rows[rows[:, rollups.SERIES] == number]
    shown = joined_windows(mine, width)
    return SeriesReadings(
        field,
        level,
        shown.shape[0] < mine.shape[0],
        int(mine[:, rollups.COUNT].sum()),
        shown[:, rollups.START].astype(np.int64),
        window_columns(shown),
        _band(number, bands, width),
    )


def _band(number: int, rows: NDArray[np.float64], width: int) -> dict[str, NDArray[Any]]:
    mine = joined_windows(rows[(rows[:, rollups.SERIES] == number) & ~np.isnan(rows[:, rollups.TYPICAL])], width)
    return {
        "time_ms": mine[:, rollups.START].astype(np.int64),
        "typical": mine[:, rollups.TYPICAL],
        "lower": mine[:, rollups.LOWER],
        "upper": mine[:, rollups.UPPER],
    }
