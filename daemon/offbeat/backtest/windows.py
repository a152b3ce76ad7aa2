"""Stored chunks to readings in the order of their time, window by window, in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offbeat.backtest.stored import ChunkList, Part
from offbeat.engine.tail import NO_READINGS, Readings
from offbeat.errors import StoreUnusable
from offbeat.packing import unpack

WINDOW_READINGS = 500_000
"""As many readings as a window should have. One has at most twice as many, and while it is gathered a chunk more."""


class Chunks:
    """The stored chunks of one part, decoded when asked for."""

    def __init__(self, path: Path, part: Part) -> None:
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0)
        self._part = part
        # Store number → number in the part; a series beyond the last is not of it.
        self._local = np.full(int(part.series[-1]) + 2, -1, np.int32)
        self._local[part.series] = np.arange(part.series.size, dtype=np.int32)
        self.gone: set[tuple[int, int]] = set()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def readings(self, seq: int, number: int, start_ms: int, end_ms: int) -> Readings:
        """The part's readings in [start_ms, end_ms) of one chunk; none, and a note of it, if it was retired.

        Raises BadPack.
        """
        row = self._db.execute(
            "SELECT body FROM chunk WHERE kind = 'readings' AND job = 0 AND shard = ? AND seq = ? AND part = ?",
            (self._part.chunks.shard, seq, number),
        ).fetchone()
        if row is None:
            self.gone.add((seq, number))
            return NO_READINGS
        a = unpack(row[0])
        local = self._local[np.minimum(a["series"], self._local.size - 1)]
        rows = np.flatnonzero((local >= 0) & (a["time"] >= start_ms) & (a["time"] < end_ms))
        if rows.size == local.size:
            return local, a["time"], a["value"]
        return local[rows], a["time"][rows], a["value"][rows]


def windows(path: Path, part: Part, window_readings: int = WINDOW_READINGS) -> Iterator[tuple[Readings, int]]:
    """All readings of *part* by time, equal times as they were stored, with how many chunks were retired meanwhile.

    Series are numbers of the part. A window may be empty. Raises StoreUnusable, BadPack.
    """
    chunks = part.chunks
    try:
        with closing(Chunks(path, part)) as store:
            for start_ms, end_ms in boundaries(part, window_readings):
                while start_ms < end_ms:
                    found, cut_ms = gather(store, chunks, start_ms, end_ms, 2 * window_readings)
                    yield found, len(store.gone)
                    start_ms = cut_ms
    except sqlite3.DatabaseError as e:
        raise StoreUnusable(f"{path} cannot be read: {e}", hint="a back-test never writes to it") from e


def boundaries(part: Part, readings: int) -> list[tuple[int, int]]:
    """Spans of time, one behind the other, with about so many readings of *part* each if chunks hold theirs evenly."""
    if not part.chunks.rows.size:
        return []
    _, _, low, high, start, end, rows = part.chunks.rows.T
    first, last = max(part.from_ms, int(start.min())), min(part.to_ms, int(end.max()) + 1)
    mine = np.searchsorted(part.series, high, "right") - np.searchsorted(part.series, low)
    density = rows / (end + 1 - start) * mine / (high + 1 - low)
    time = np.concatenate([start, end + 1])
    order = np.argsort(time, kind="stable")
    time = time[order]
    slope = np.cumsum(np.concatenate([density, -density])[order])
    passed = np.concatenate([[0.0], np.cumsum(slope[:-1] * np.diff(time))])
    wanted = np.arange(readings, passed[-1], readings)
    cuts = np.interp(wanted, passed, time.astype(np.float64)).astype(np.int64)
    inner = np.unique(cuts[(cuts > first) & (cuts < last)]).tolist()
    edges = [first, *inner, last]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def gather(
    store: Chunks, chunks: ChunkList, start_ms: int, end_ms: int, readings_max: int
) -> tuple[Readings, int]:
    """The readings from *start_ms* on, sorted by time, and the time before which these are all.

    That is *end_ms*, or less if there are more than *readings_max* up to there; but never so little that nothing is
    gained: readings of one moment stay together.
    """
    parts: list[Readings] = []
    count = 0
    r = chunks.rows
    for seq, number, _, _, first_ms, _, _ in r[(r[:, 4] < end_ms) & (r[:, 5] >= start_ms)].tolist():
        if first_ms >= end_ms:  # it was cut back meanwhile
            continue
        part = store.readings(seq, number, start_ms, end_ms)
        if not part[0].size:
            continue
        parts.append(part)
        count += part[0].size
        while count > readings_max and end_ms > start_ms + 1:
            time_ms = np.concatenate([t for _, t, _ in parts])
            end_ms = max(start_ms + 1, int(np.partition(time_ms, count // 2)[count // 2]))
            parts = [_before(part, end_ms) for part in parts]
            count = sum(part[0].size for part in parts)
    series, time_ms, value = (np.concatenate([part[i] for part in parts or [NO_READINGS]]) for i in range(3))
    order = np.argsort(time_ms, kind="stable")
    return (series[order], time_ms[order], value[order]), end_ms


def _before(readings: Readings, end_ms: int) -> Readings:
    rows: NDArray[np.bool_] = readings[1] < end_ms
    series, time_ms, value = readings
    return series[rows], time_ms[rows], value[rows]
