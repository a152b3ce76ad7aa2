"""Chunks back to readings by time: nothing lost, nothing twice, equal times as they were, however small the memory."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.backtest.run import BLOCK_EVENTS, blocks_of
from offbeat.backtest.stored import ChunkList, Part
from offbeat.backtest.windows import windows
from offbeat.engine.tail import ShardTail
from offbeat.records import Strings
from offbeat.store import chunks as chunk_maker
from offbeat.store.database import prepare

SHARD = 3
Row = tuple[int, int, float]
"""Series, time, value."""


def written(path: Path, rounds: list[list[Row]]) -> ChunkList:
    """A store at *path* with a checkpoint of each round, as the daemon packs them."""
    prepare(path)
    listed = []
    with closing(sqlite3.connect(path)) as db, db:
        for seq, rows in enumerate(rounds, 1):
            series, time_ms, value = (np.array([row[i] for row in rows]) for i in range(3))
            columns = (series.astype(np.int32), time_ms.astype(np.int64), value.astype(np.float64))
            tail = ShardTail(seq, 0)
            tail.readings.add(columns)
            for c in chunk_maker.chunks_of(tail):
                db.execute(
                    "INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (c.kind, c.job, SHARD, seq, c.part, c.low, c.high, c.start_ms, c.end_ms, c.rows, 0, c.body),
                )
                listed.append((seq, c.part, c.low, c.high, c.start_ms, c.end_ms, c.rows))
    return ChunkList(SHARD, np.array(listed, np.int64).reshape(-1, 7))


def part_of(chunks: ChunkList, series: list[int], from_ms: int, to_ms: int) -> Part:
    """The part with just these series, of one source."""
    numbers, none = np.array(series, np.int32), np.zeros(len(series), np.int32)
    names = Strings.of(["a"])
    return Part(chunks.touching(numbers, from_ms, to_ms), from_ms, to_ms, numbers, none, none, names, names, ())


def expected(rounds: list[list[Row]], series: list[int], from_ms: int, to_ms: int) -> list[Row]:
    """The slow twin: each round by series and time, all rounds by time, equal ones as they stand."""
    stored = [row for rows in rounds for row in sorted(rows, key=lambda row: row[:2])]
    mine = [(series.index(s), t, v) for s, t, v in stored if s in series and from_ms <= t < to_ms]
    return sorted(mine, key=lambda row: row[1])


ROUNDS = st.lists(
    st.lists(st.tuples(st.integers(0, 7), st.integers(-40, 40), st.integers(0, 9).map(float)), min_size=1, max_size=40),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(
    ROUNDS,
    st.sets(st.integers(0, 7), min_size=1).map(sorted),
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)).map(sorted),
    st.sampled_from([1, 3, 10, 1000]),
    st.sampled_from([1, 5, 1000]),
)
def test_the_windows_of_a_part_are_its_readings_by_time(rounds, series, bounds, window, chunk_rows):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(chunk_maker, "ROWS_MAX", chunk_rows)
        path = Path(directory) / "offbeat.sqlite"
        part = part_of(written(path, rounds), series, *bounds)
        rows: list[Row] = []
        for (numbers, time_ms, value), gone in windows(path, part, window):
            assert gone == 0
            assert numbers.size <= 2 * window or (time_ms == time_ms[0]).all(), "memory is bounded"
            rows += zip(numbers.tolist(), time_ms.tolist(), value.tolist(), strict=True)
        assert rows == expected(rounds, series, *bounds)


def test_a_chunk_that_retention_removes_meanwhile_is_counted_and_the_rest_is_read(tmp_path):
    path = tmp_path / "offbeat.sqlite"
    rounds = [[(0, t, 1.0) for t in range(5)], [(0, t, 2.0) for t in range(5, 9)]]
    part = part_of(written(path, rounds), [0], 0, 100)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM chunk WHERE seq = 1")
    found = list(windows(path, part))
    assert [(columns[1].tolist(), gone) for columns, gone in found] == [([5, 6, 7, 8], 1)]


def test_one_reading_of_an_absurd_time_does_not_make_a_window_of_everything(tmp_path):
    path = tmp_path / "offbeat.sqlite"
    rows = [(0, t, 0.0) for t in range(1000)] + [(0, 10**15, 0.0)]
    sizes = [columns[0].size for columns, _ in windows(path, part_of(written(path, [rows]), [0], -1, 1 << 60), 50)]
    assert sum(sizes) == 1001 and max(sizes) <= 100


def test_readings_become_blocks_of_events_of_one_value_each():
    n = BLOCK_EVENTS + 3
    series, time_ms, value = np.arange(n, dtype=np.int32), np.arange(n), np.arange(n) / 2
    blocks = list(blocks_of(series // 2, series, time_ms, value))
    assert [block.size for block in blocks] == [BLOCK_EVENTS, 3]
    last = blocks[1]
    assert last.point_row.tolist() == [0, 1, 2] and last.series.tolist() == series[-3:].tolist()
    assert last.source.tolist() == (series[-3:] // 2).tolist() and last.value.tolist() == value[-3:].tolist()
