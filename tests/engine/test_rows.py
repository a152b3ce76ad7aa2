"""Rows that only grow: in the order in which they came, found by key, whoever reads while more come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.engine import rows as rows_module
from offbeat.engine.rows import Columns, Rows, found, index_of, joined

NONE: Columns = (np.zeros(0, np.int32), np.zeros(0, np.int64))
LOTS = st.lists(st.lists(st.integers(-3, 12), max_size=9), max_size=60)
"""Keys, as they come together."""


@pytest.fixture(params=[1, 2, 5, 1000])
def part_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PART_ROWS", request.param)
    monkeypatch.setattr(rows_module, "FEW", 3)
    monkeypatch.setattr(rows_module, "SEVERAL", 2)


def kept(lots: list[list[int]]) -> tuple[Rows, list[tuple[int, int]]]:
    """Rows of key and number, and the same as a list."""
    rows, every = Rows(), list[tuple[int, int]]()
    for keys in lots:
        numbers = range(len(every), len(every) + len(keys))
        rows.add((np.array(keys, np.int32), np.array(numbers, np.int64)))
        every += zip(keys, numbers, strict=True)
    return rows, every


def as_list(columns: Columns) -> list[tuple[int, int]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.usefixtures("part_rows")
@given(lots=LOTS, more=LOTS, keys=st.sets(st.integers(-4, 13)))
def test_rows_come_back_in_their_order_whole_and_by_key(
    lots: list[list[int]], more: list[list[int]], keys: set[int]
) -> None:
    rows, every = kept(lots)
    later, after = kept(more)
    rows.extend(later)
    every += after
    assert rows.count == len(every) and later.count == len(after)
    parts = rows.parts()
    assert as_list(joined([NONE, *(part.columns for part in parts)])) == every
    of_keys = as_list(found(parts, np.array(sorted(keys), np.int64), NONE))
    assert sorted(of_keys) == sorted(row for row in every if row[0] in keys)
    for key in keys:
        assert [row for row in of_keys if row[0] == key] == [row for row in every if row[0] == key]


@pytest.mark.usefixtures("part_rows")
@given(lots=LOTS, more=LOTS)
def test_what_was_looked_at_stays_as_it_was_while_more_come(lots: list[list[int]], more: list[list[int]]) -> None:
    rows, every = kept(lots)
    seen = rows.parts()
    for keys in more:
        rows.add((np.array(keys, np.int32), np.zeros(len(keys), np.int64)))
    assert as_list(joined([NONE, *(part.columns for part in seen)])) == every


def test_few_parts_hold_many_rows_however_few_come_at_a_time() -> None:
    rows = Rows()
    for i in range(10_000):
        rows.add((np.array([i], np.int32), np.array([i])))
    assert len(rows.parts()) < 300


def test_rows_of_several_columns_in_one_array_are_found_by_its_first() -> None:
    rows = Rows()
    table = np.arange(12.0).reshape(4, 3)
    rows.add((table,))
    assert found(rows.parts(), np.array([3, 9]), (np.zeros((0, 3)),))[0].tolist() == table[[1, 3]].tolist()


@given(keys=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1), near=st.booleans())
def test_keys_near_and_far_apart_are_put_in_order_alike(keys: list[int], near: bool) -> None:
    array = np.array([key % 1000 for key in keys] if near else keys, np.int64)
    ordered, order = index_of(array)
    assert order.tolist() == np.argsort(array, kind="stable").tolist()
    assert ordered.tolist() == sorted(array.tolist())
