"""Chunks.

The tail of a shard as packed columns, sorted so that one series, or one source, is found without reading all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets, rollups
from offbeat.engine.rows import put_in_order
from offbeat.engine.tail import Readings, ShardTail
from offbeat.packing import pack, unpack

Kind = Literal["readings", "1m", "1h", "1d", "buckets", "spans"]
ROWS_MAX, SUMMARY_ROWS_MAX = 32_768, 4_096
"""A chunk is decoded whole, so it stays small: one of readings in a millisecond, one of windows or buckets, of which a
query reads those of many checkpoints, in a tenth of that."""
LEVEL_ZSTD = 3
NEAR = 65_536
"""Keys less far apart than this, or than there are rows, are counted."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One row of the table chunk. *low*, *high*: first and last series (readings, windows) or source (buckets)."""

    kind: Kind
    job: int
    part: int
    low: int
    high: int
    start_ms: int
    end_ms: int
    rows: int
    body: bytes


def chunks_of(tail: ShardTail) -> list[Chunk]:
    """Everything of *tail* as chunks."""
    series, time_ms, value = tail.all_readings()
    order = in_order(series, time_ms)
    made = list(
        _cut("readings", 0, {"series": series[order], "time": time_ms[order], "value": value[order]}, "series", "time")
    )
    windows = tail.all_windows()
    for level, name in enumerate(rollups.LEVELS):
        rows = windows[windows[:, rollups.LEVEL] == level]
        if rows.shape[0]:
            rows = rows[in_order(rows[:, rollups.SERIES], rows[:, rollups.START])]
            made += _cut(name, 0, _window_columns(rows), "series", "start")  # type: ignore[arg-type]
    for job in tail.closed:
        rows = tail.all_closed(job)
        rows = rows[in_order(rows[:, 0], rows[:, 1])]
        columns: dict[str, NDArray[Any]] = {
            "source": rows[:, 0].astype(np.int32),
            "start": rows[:, 1].astype(np.int64),
            "count": rows[:, 2].astype(np.int64),
            "novelty": rows[:, 3],
            "score": rows[:, 4],
            "records": rows[:, 5].astype(np.int64),
        }
        made += _cut("buckets", job, columns, "source", "start")
        made += _cut("spans", job, spans_of(rows[rows[:, 2] > 0.0]), "source", "start")
    return made


def spans_of(rows: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """When sources had events, by their buckets *rows*, in the order of source and start: a row for each steady run.

    source (k,) int32; start (k,) and end (k,) int64, the starts of its first bucket and of its last; step (k,) int64,
    from each bucket of it to the next, the same for all. So what every source has of a day is read in the time that
    a fifth of its buckets would take, or a hundredth.
    """
    source, start = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int64)
    gap = np.diff(start)
    same = np.diff(source) == 0
    step = int(gap[same & (gap > 0)].min(initial=1 << 62))
    begins = np.ones(source.size, np.bool_)
    begins[1:] = ~(same & ((gap == step) | (gap == 0)))
    first = np.flatnonzero(begins)
    last = np.append(first[1:], source.size) - 1
    return {
        "source": source[first],
        "start": start[first],
        "end": start[last[: first.size]],
        "step": np.full(first.size, step if step < 1 << 62 else 1, np.int64),
    }


def in_order(key: NDArray[Any], time: NDArray[Any]) -> NDArray[np.int64]:
    """The order of n rows by key, then time; equal ones as they came.

    Most series come in the order of their time: to count how many there are of each key is then enough, and many times
    as fast as to sort.
    """
    if not key.size:
        return np.zeros(0, np.int64)
    keys, times = _whole(key), _whole(time)
    low = int(keys.min())
    span = int(keys.max()) - low + 1
    if span <= max(NEAR, keys.size):
        order = np.empty(keys.size, np.int64)
        least = np.iinfo(np.int64).min
        if put_in_order(keys, low, times, np.zeros(span + 1, np.int64), np.full(span, least), order):
            return order
    return np.lexsort((times, keys))


def _whole(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """*numbers*, whole ones, as the kernel takes them."""
    return numbers.astype(np.int64, copy=not (numbers.flags.writeable and numbers.flags.c_contiguous))


def _window_columns(rows: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {
        "series": rows[:, rollups.SERIES].astype(np.int32),
        "start": rows[:, rollups.START].astype(np.int64),
        "count": rows[:, rollups.COUNT].astype(np.int64),
    }
    for name, at in (("sum", rollups.SUM), ("min", rollups.MIN), ("max", rollups.MAX), ("squares", rollups.SQUARES)):
        columns[name] = rows[:, at]
    for name, at in (("typical", rollups.TYPICAL), ("lower", rollups.LOWER), ("upper", rollups.UPPER)):
        columns[name] = rollups.coarse(rows[:, at])
    return columns


def _cut(kind: Kind, job: int, columns: dict[str, NDArray[Any]], key: str, time: str) -> Iterator[Chunk]:
    """*columns*, sorted by *key* and *time*, in chunks of at most ROWS_MAX or SUMMARY_ROWS_MAX rows."""
    rows_max = ROWS_MAX if kind == "readings" else SUMMARY_ROWS_MAX
    for part, first in enumerate(range(0, columns[key].size, rows_max)):
        piece = {name: column[first : first + rows_max] for name, column in columns.items()}
        keys, times = piece[key], piece[time]
        yield Chunk(
            kind,
            job,
            part,
            int(keys[0]),
            int(keys[-1]),
            int(times.min()),
            int(piece.get("end", times).max()),
            keys.size,
            pack(piece, LEVEL_ZSTD),
        )


def readings_of(body: bytes, series: NDArray[np.int32], start_ms: int, end_ms: int) -> Readings:
    """The readings of *series* (sorted) in [start_ms, end_ms) of a readings chunk."""
    a = unpack(body)
    rows = np.isin(a["series"], series) & (a["time"] >= start_ms) & (a["time"] < end_ms)
    return a["series"][rows], a["time"][rows], a["value"][rows]


def windows_of(body: bytes, level: int, series: NDArray[np.int32]) -> NDArray[np.float64]:
    """The rows of *series* of a chunk of windows, (m, rollups.ROW)."""
    a = unpack(body)
    mine = np.flatnonzero(np.isin(a["series"], series))
    rows = np.empty((mine.size, rollups.ROW))
    rows[:, rollups.LEVEL] = level
    for name, at in (
        ("series", rollups.SERIES),
        ("start", rollups.START),
        ("count", rollups.COUNT),
        ("sum", rollups.SUM),
        ("min", rollups.MIN),
        ("max", rollups.MAX),
        ("squares", rollups.SQUARES),
        ("typical", rollups.TYPICAL),
        ("lower", rollups.LOWER),
        ("upper", rollups.UPPER),
    ):
        rows[:, at] = a[name][mine]
    return rows


def buckets_of(body: bytes, sources: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """The rows of *sources* (None: all) of a chunk of buckets, (m, buckets.ROW)."""
    a = unpack(body)
    mine = slice(None) if sources is None else np.flatnonzero(np.isin(a["source"], sources))
    rows = np.empty((a["source"][mine].size, buckets.ROW))
    for at, name in enumerate(("source", "start", "count", "novelty", "score", "records")):
        rows[:, at] = a[name][mine]
    return rows


def runs_of(kind: Kind, body: bytes, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """When sources had events, by a chunk of spans or of buckets: (m, 4) source, start, end, step.

    wanted  by number of the source, the last of them false and meant for all that are larger
    """
    a = unpack(body)
    chosen = wanted[np.minimum(a["source"], wanted.size - 1)]
    if kind == "buckets":  # an earlier build wrote it: there are no spans of it
        mine = np.flatnonzero(chosen & (a["count"] > 0))
        start = a["start"][mine]
        return np.stack([a["source"][mine].astype(np.int64), start, start, np.ones_like(start)], axis=1)
    mine = np.flatnonzero(chosen)
    rows = np.empty((mine.size, 4), np.int64)
    for at, name in enumerate(("source", "start", "end", "step")):
        rows[:, at] = a[name][mine]
    return rows
