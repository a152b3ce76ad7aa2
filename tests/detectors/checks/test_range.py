"""A value within limits."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.range import Range
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import applies, minutes, said

GREEN, YELLOW, RED = Status
VALUES = st.lists(st.integers(-20, 40), min_size=1, max_size=30)


@pytest.mark.parametrize(("value", "status", "with_margin"), [
    (10, GREEN, YELLOW), (10.1, RED, RED), (0, GREEN, YELLOW), (-0.1, RED, RED), (2, GREEN, GREEN),
    (1.9, GREEN, YELLOW), (8, GREEN, GREEN), (8.1, GREEN, YELLOW),
])
def test_a_limit_is_inside_and_nearer_to_it_than_the_margin_is_yellow(
    value: float, status: Status, with_margin: Status,
) -> None:
    data = readings(minutes(1), [value])
    assert said("range", {"min": 0, "max": 10}, data).status is status
    assert said("range", {"min": 0, "max": 10, "yellow_margin": 2}, data).status is with_margin


def test_yellow_limits_may_be_set_apart() -> None:
    parameters = {"max": 10, "yellow_min": 3, "yellow_max": 7}
    said_of = [said("range", parameters, readings(minutes(1), [value])).status for value in (-50, 3, 7, 8, 11)]
    assert said_of == [YELLOW, GREEN, GREEN, YELLOW, RED]


def test_the_message_names_series_value_limit_and_the_time_there() -> None:
    data = readings(minutes(3), {"air_temp": [9, 12.5, 9]}, source="umiat", zone="America/Anchorage")
    outcome = said("range", {"max": 10}, data)
    assert outcome.message == ("air_temp of umiat was 12.5 at 2026-01-04 23:01 AKST: above max 10 (1 of 3 readings)")
    assert outcome.details == {
        "value": 12.5, "time": "2026-01-05T08:01:00.000Z", "limits": {"max": 10.0}, "limit": 10.0, "broken": "max",
        "judged": 3, "count": 1, "offending": ["2026-01-05T08:01:00.000Z"]}


def test_a_value_a_hair_beyond_is_told_apart_from_its_limit() -> None:
    assert "was 10.000001 at" in said("range", {"max": 10}, readings(minutes(1), [10.000001])).message


def test_every_new_reading_is_judged_or_the_newest_alone_and_never_an_old_one() -> None:
    values = [99.0, 1.0, 99.0, 1.0]
    assert said("range", {"max": 10}, readings(minutes(4), values, new=2)).status is RED
    assert said("range", {"max": 10, "judge": "newest"}, readings(minutes(4), values, new=2)).status is GREEN
    assert said("range", {"max": 10}, readings(minutes(4), values, new=1)).status is GREEN


def test_without_anything_new_the_newest_reading_is_judged_again() -> None:
    assert said("range", {"max": 10}, readings(minutes(2), [1.0, 99.0], new=0)).status is RED


def test_the_value_that_is_farthest_out_is_told() -> None:
    outcome = said("range", {"min": 0, "max": 10}, readings(minutes(4), [11, -5, 12, 5]))
    assert (outcome.details["value"], outcome.details["broken"], outcome.details["count"]) == (-5, "min", 3)


def test_a_limit_that_was_passed_holds_until_the_value_is_clear_of_it() -> None:
    parameters = {"max": 10, "clear_margin": 2}
    outcomes = [said("range", parameters, readings(minutes(n), [9.0, 11.0, 9.0, 8.1, 8.0, 9.0][:n], new=1))
                for n in range(1, 7)]
    assert [outcome.status for outcome in outcomes] == [GREEN, RED, RED, RED, GREEN, GREEN]
    assert "not yet back from max 10 by clear_margin 2" in outcomes[2].message


@given(VALUES, st.integers(0, 8), st.integers(0, 5))
def test_levels_are_those_of_the_definition(values: list[int], margin: int, clear: int) -> None:
    expected = naive.range_levels(values, 0, 20, margin, clear)
    outcome = said("range", {"min": 0, "max": 20, "yellow_margin": margin, "clear_margin": clear},
                   readings(minutes(len(values)), [float(value) for value in values]))
    assert outcome.status == max(expected)
    assert outcome.details.get("count", 0) == (expected.count(max(expected)) if max(expected) else 0)


def test_outside_of_its_season_it_does_not_apply_and_readings_from_outside_do_not_count() -> None:
    winter: dict[str, Any] = {"max": 10, "from": "10-01", "to": "04-30"}
    july = readings(["2026-07-01T12:00"], [20.0], zone="Europe/Berlin")
    assert not applies("range", winter, july)
    turn = readings(["2026-04-30T23:59", "2026-05-01T00:00"], [1.0, 20.0], zone="Europe/Berlin")
    assert said("range", winter, turn).status is GREEN
    assert not applies("range", winter, readings([], [], now="2026-07-01T12:00"))


@pytest.mark.parametrize(("on_missing", "status", "reason"), [
    ("no_data", YELLOW, "no_data"), ("yellow", YELLOW, "judged"), ("red", RED, "judged"),
])
def test_no_reading_at_all_is_never_green(on_missing: str, status: Status, reason: str) -> None:
    nothing = readings([], {"load": []}, source="pump", now=1_767_600_000)
    outcome = said("range", {"max": 10, "on_missing": on_missing}, nothing)
    assert (outcome.status, outcome.reason, outcome.message) == (status, reason, "load of pump has no reading")


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "min"), ({"min": 5, "max": 3}, "min"), ({"max": 3, "yellow_margin": -1}, "yellow_margin"),
    ({"max": 3, "yellow_margin": 1, "yellow_max": 2}, "yellow_max"), ({"min": 3, "yellow_min": 2}, "min"),
    ({"max": 3, "yellow_max": 4}, "yellow_max"), ({"yellow_min": 4, "yellow_max": 3}, "yellow_min"),
    ({"max": "hot"}, "max"), ({"max": 3, "from": "soon"}, "from"), ({"max": 3, "judge": "all"}, "judge"),
    ({"max": 3, "clear_margin": -1}, "clear_margin"), ({"maximum": 3}, "maximum"),
])
def test_limits_that_cannot_be_are_refused_by_name(parameters: dict[str, Any], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Range(parameters)
    assert refused.value.parameter == parameter


def test_a_reading_that_is_missing_among_others_is_passed_over() -> None:
    data = readings(minutes(3), [1.0, None, None])
    assert said("range", {"max": 10}, data).details["time"] == "2026-01-05T08:00:00.000Z"
    assert np.isnan(data.column()[1])
