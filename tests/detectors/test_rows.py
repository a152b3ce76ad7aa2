"""Rows of state: what is saved of some series comes back to others, also where a field holds many numbers a series."""
from __future__ import annotations

import numpy as np
import pytest

from offbeat_detectors.rows import copy_of, restore_rows, save_rows, zero_rows

SERIES = np.dtype([("level", "f8"), ("table", "u2", (3,))])
TWO = np.array([4, 1], np.int32)


def test_what_was_saved_of_some_series_is_restored_to_others() -> None:
    rows, other = zero_rows(5, SERIES), zero_rows(5, SERIES)
    rows["level"][TWO], rows["table"][TWO] = [1.5, 2.5], [[1, 2, 3], [4, 5, 6]]
    state = save_rows(rows, TWO)
    rows["table"] = 9
    restore_rows(other, np.array([0, 2], np.int32), state)
    assert other["level"].tolist() == [1.5, 0.0, 2.5, 0.0, 0.0]
    assert other["table"].tolist() == [[1, 2, 3], [0, 0, 0], [4, 5, 6], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("slots", [[], [2], [1, 2, 3], [3, 2, 1], [0, 2, 3], [1, 1, 2], [2, 0, 4]])
def test_a_copy_holds_the_rows_asked_for_and_stays_as_it_is(slots: list[int]) -> None:
    rows, slot = zero_rows(5, SERIES), np.array(slots, np.int32)
    rows["level"] = [10.0, 11.0, 12.0, 13.0, 14.0]
    copy, state = copy_of(rows, slot), save_rows(rows, slot)
    rows["level"] = -1.0
    assert copy["level"].tolist() == state["level"].tolist() == [10.0 + one for one in slots]


def test_a_state_of_another_number_of_series_or_of_numbers_a_series_is_refused() -> None:
    rows = zero_rows(5, SERIES)
    state = save_rows(rows, TWO)
    with pytest.raises(ValueError, match="state 'level' is of 2 series: expected 1"):
        restore_rows(rows, TWO[:1], state)
    with pytest.raises(ValueError, match=r"state 'table' has numbers of shape \(2,\) for a series: expected \(3,\)"):
        restore_rows(rows, TWO, {**state, "table": state["table"][:, :2]})


def test_rows_begin_on_a_line_of_the_cache() -> None:
    assert zero_rows(5, SERIES).ctypes.data % 64 == 0
