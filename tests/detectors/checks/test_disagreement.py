"""Columns that should be alike and are not."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.disagreement import Disagreement
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.readings import Readings
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import applies, minutes, said

GREEN, YELLOW, RED = Status
ROWS = st.integers(2, 5).flatmap(lambda columns: st.lists(
    st.lists(st.none() | st.integers(0, 40), min_size=columns, max_size=columns), min_size=1, max_size=12))


def one(*values: float | None) -> Readings:
    return readings(minutes(1), {f"t{at + 1}": [value] for at, value in enumerate(values)}, source="umiat")


def test_the_odd_one_of_three_is_named() -> None:
    outcome = said("disagreement", {"max_difference": 0.5}, one(10.0, 10.1, 12.4))
    assert outcome.status is RED
    assert outcome.message == ("t3 of umiat was 12.4 at 2026-01-05 08:00 UTC, 2.3 from the median of 10.1: "
                               "more than 0.5 (t1 10, t2 10.1, t3 12.4)")
    assert (outcome.details["odd"], outcome.details["values"]) == ("t3", {"t1": 10.0, "t2": 10.1, "t3": 12.4})


def test_half_of_the_difference_is_yellow_or_what_is_set_instead() -> None:
    assert [said("disagreement", {"max_difference": 2}, one(10, 10, value)).status
            for value in (10.9, 11, 12, 12.1)] == [GREEN, YELLOW, YELLOW, RED]
    assert [said("disagreement", {"yellow": 1.5, "red": 3}, one(10, 10, value)).status
            for value in (11, 11.5, 13, 13.1)] == [GREEN, YELLOW, YELLOW, RED]


def test_two_are_compared_with_one_another_and_neither_is_named() -> None:
    outcome = said("disagreement", {"max_difference": 0.5}, one(10.0, None, 10.8))
    assert (outcome.status, outcome.details["odd"]) == (RED, None)
    assert outcome.details["difference"] == pytest.approx(0.8)
    assert outcome.message.startswith(
        "the two columns of umiat that had a value at 2026-01-05 08:00 UTC were 0.8 apart")


def test_columns_of_several_sources_are_called_by_their_names_alone() -> None:
    data = readings(minutes(1), {"umiat temp": [1.0], "ridge temp": [9.0], "umiat temp 2": [1.2]}, source="umiat")
    assert said("disagreement", {"max_difference": 1}, data).message.startswith("ridge temp was 9 at ")
    pair = readings(minutes(1), {"umiat temp": [1.0], "ridge temp": [9.0]}, source="umiat")
    assert said("disagreement", {"max_difference": 1}, pair).message.startswith("the two columns that had a value at ")


def test_a_moment_with_fewer_than_two_values_is_passed_over() -> None:
    data = readings(minutes(3), {"a": [1.0, 9.0, None], "b": [1.1, None, None]})
    assert said("disagreement", {"max_difference": 1}, data).status is GREEN
    never = readings(minutes(2), {"a": [1.0, None], "b": [None, 1.0]})
    assert said("disagreement", {"max_difference": 1}, never).reason == "no_data"


def test_outside_of_its_season_it_does_not_apply() -> None:
    assert not applies("disagreement", {"max_difference": 1, "from": "06-01", "to": "08-31"}, one(1, 9))


def test_it_takes_two_columns_at_least() -> None:
    needs = registry.create("disagreement", {"max_difference": 1}).needs
    assert (needs.columns_min, needs.columns_max) == (2, 64)


@given(ROWS, st.integers(1, 20))
def test_differences_are_those_of_the_definition(rows: list[list[int | None]], most: int) -> None:
    floats = [[None if value is None else float(value) for value in row] for row in rows]
    data = readings(minutes(len(rows)), {str(at): list(column) for at, column in enumerate(zip(*floats, strict=True))})
    expected = [away for row in floats if (away := naive.difference(row)) is not None]
    outcome = said("disagreement", {"max_difference": most}, data)
    if not expected:
        assert outcome.reason == "no_data"
        return
    levels = [2 if away > most else 1 if away >= most / 2 else 0 for away in expected]
    assert outcome.status == max(levels)
    if outcome.status:
        assert outcome.details["difference"] == max(expected)
        assert outcome.details["count"] == levels.count(max(levels))


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "max_difference"), ({"max_difference": 0}, "max_difference"), ({"max_difference": 1, "red": 1}, "red"),
    ({"yellow": 3, "red": 1}, "yellow"),
])
def test_what_cannot_be_is_refused_by_name(parameters: dict[str, object], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Disagreement(parameters)
    assert refused.value.parameter == parameter
