"""The same value again and again."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.stuck import Stuck
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import applies, minutes, said

GREEN, YELLOW, RED = Status


def test_so_many_equal_readings_are_stuck() -> None:
    data = readings(minutes(5), {"temp": [1, 7, 7, 7, 7]}, source="oven")
    assert said("stuck", {"readings": 5}, data).status is GREEN
    outcome = said("stuck", {"readings": 4}, data)
    assert outcome.status is RED
    assert outcome.message == "temp of oven has stayed at 7 for 4 readings, 3 min, until 2026-01-05 08:04 UTC"
    assert said("stuck", {"readings": 4, "status": "yellow"}, data).status is YELLOW


def test_so_long_a_time_is_stuck_and_with_both_both_must_be() -> None:
    data = readings(minutes(5), [1, 7, 7, 7, 7])
    assert said("stuck", {"duration": 180}, data).status is RED
    assert said("stuck", {"duration": 181}, data).status is GREEN
    assert said("stuck", {"duration": 180, "readings": 5}, data).status is GREEN


def test_within_the_tolerance_values_are_equal_but_a_slow_drift_is_not() -> None:
    drift = readings(minutes(6), [0.0, 0.4, 0.8, 1.2, 1.6, 2.0])
    assert said("stuck", {"readings": 4, "tolerance": 1}, drift).status is GREEN
    assert said("stuck", {"readings": 3, "tolerance": 1}, drift).status is RED


def test_at_its_resting_value_it_may_stay() -> None:
    rain = readings(minutes(5), [0.0] * 5)
    assert said("stuck", {"readings": 3}, rain).status is RED
    assert said("stuck", {"readings": 3, "resting": 0}, rain).status is GREEN


def test_readings_that_are_all_the_same_but_too_few_are_too_little() -> None:
    outcome = said("stuck", {"readings": 4}, readings(minutes(3), [7, 7, 7]))
    assert (outcome.status, outcome.reason) == (YELLOW, "no_data")
    assert said("stuck", {"readings": 4}, readings([], [], now=0)).reason == "no_data"


def test_it_is_handed_enough_to_see_a_value_that_stays_for_so_long() -> None:
    needs = registry.create("stuck", {"duration": 3600}).needs
    assert (needs.history_s, needs.readings) == (7200, 3)
    assert registry.create("stuck", {"readings": 40}).needs.readings == 40


def test_outside_of_its_hours_it_does_not_apply() -> None:
    data = readings(minutes(3), [0, 0, 0])
    assert applies("stuck", {"readings": 3, "hours": ["08:00-09:00"]}, data)
    assert not applies("stuck", {"readings": 3, "hours": ["09:00-10:00"]}, data)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 3), st.integers(2, 8))
def test_the_run_is_that_of_the_definition(values: list[int], tolerance: int, least: int) -> None:
    count = naive.run_length(values, tolerance)
    outcome = said("stuck", {"readings": least, "tolerance": tolerance},
                   readings(minutes(len(values)), [float(value) for value in values]))
    if count >= least:
        assert (outcome.status, outcome.details["count"]) == (RED, count)
    elif count == len(values):
        assert outcome.reason == "no_data"
    else:
        assert (outcome.status, outcome.details["count"]) == (GREEN, count)


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "readings"), ({"readings": 1}, "readings"), ({"duration": 0}, "duration"),
    ({"readings": 2.5}, "readings"), ({"readings": 3, "tolerance": -1}, "tolerance"),
])
def test_what_cannot_be_is_refused_by_name(parameters: dict[str, object], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Stuck(parameters)
    assert refused.value.parameter == parameter
