"""The rows of a chunk: in order by key and time, equal ones as they came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.store.chunks import in_order

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5)), max_size=60)


@pytest.mark.parametrize("apart", [1, 1_000, 100_000])
@pytest.mark.parametrize("dtype", ["i4", "f8"])
@given(rows=ROWS, rising=st.booleans())
def test_rows_are_in_order_whether_keys_are_near_or_far_apart_and_times_rise_or_not(
    rows: list[tuple[int, int]], rising: bool, apart: int, dtype: str
) -> None:
    if rising:
        rows.sort(key=lambda row: row[1])
    key = np.array([7 + apart * one for one, _ in rows], dtype)
    time = np.array([at for _, at in rows], np.int64)
    key.flags.writeable = time.flags.writeable = False
    expected = sorted(range(len(rows)), key=lambda i: (rows[i][0], rows[i][1]))
    assert in_order(key, time).tolist() == expected
