"""Readings from plain lists, and what the daemon hands to a check."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from offbeat_detectors.checks.trying import readings


def test_columns_stand_in_their_order_and_what_is_missing_is_none() -> None:
    data = readings(["2026-01-05T09:00", "2026-01-05T09:10"], {"t1": [1, None], "t2": [2, 3], "t3": [None, None]},
                    source="umiat", zone="Europe/Berlin", new=1)
    assert (data.value(), data.value(1), data.value(2)) == (1.0, 3.0, None)
    assert data.times()[0] == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert [moment.value(0) for moment in data] == [1.0, None]
    assert (len(data.before), len(data.new), data.now) == (1, 1, datetime(2026, 1, 5, 8, 10, tzinfo=UTC))
    assert data.last_ms.tolist() == [1_767_600_000_000, 1_767_600_600_000, -1]
    with pytest.raises(IndexError):
        data.value(3)


def test_a_check_cannot_change_what_it_is_handed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        readings([0, 1], [1.0, 2.0]).values[0] = 5


@pytest.mark.parametrize(("times", "values", "new", "said"), [
    ([0, 1], [1.0], None, "value has 1 values: expected 2"), ([1, 1], [1.0, 2.0], None, "do not ascend"),
    ([0], [1.0], 2, "new is 2: expected 0 to 1"),
])
def test_readings_that_cannot_be_are_refused(times: list[float], values: list[float], new: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        readings(times, values, new=new)
