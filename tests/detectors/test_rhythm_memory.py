"""How the rows of "rhythm", and what it says of a batch, lie in memory: its speed rests on that."""
from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from offbeat_detectors.experts import EXPERTS
from offbeat_detectors.patterns import SCALE
from offbeat_detectors.rhythm import SERIES, Rhythm
from offbeat_detectors.rows import LINE_BYTES, offset_of


def test_what_every_reading_needs_of_a_row_fills_whole_lines_of_the_cache() -> None:
    assert offset_of(SERIES, "tail") == 9 * LINE_BYTES
    assert SERIES.itemsize % LINE_BYTES == EXPERTS.itemsize % LINE_BYTES == 0
    assert SCALE.itemsize == 72
    assert offset_of(EXPERTS, "day") < 4 * LINE_BYTES


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_no_two_columns_of_what_it_says_share_memory(rows: int) -> None:
    slot = np.zeros(rows, np.int32)
    said = Rhythm(1).process(slot, np.arange(rows, dtype=np.int64), np.ones(rows))
    evidence = said.evidence
    assert evidence is not None
    assert said.strength is not None
    columns = (said.novelty, said.strength, said.typical, said.lower, said.upper, said.probability)
    others = (evidence.share, evidence.similar, evidence.notes)
    assert [column.shape for column in (*columns, *others)] == [(rows,)] * 6 + [(rows, 9), (rows, 2), (rows,)]
    assert [column.dtype for column in others] == [np.float32, np.int32, np.uint8]
    assert all(column.flags.aligned and column.flags.c_contiguous for column in (*columns, *others))
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations((*columns, *others), 2))
    assert np.isnan(said.probability).all()


def test_forgetting_a_series_looks_at_no_other_however_many_there_are() -> None:
    detector = Rhythm(500_000, tier="light")
    detector.join(np.arange(500, dtype=np.int32), np.zeros(500, np.int32))
    every = np.arange(500, dtype=np.int32)
    detector.process(every, np.arange(500, dtype=np.int64), np.ones(500))
    tracemalloc.start()
    try:
        for slot in range(499):
            detector.forget(every[slot : slot + 1])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
