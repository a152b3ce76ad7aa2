"""A change in so much time."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.rate import Rate
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import applies, minutes, said

GREEN, YELLOW, RED = Status
SERIES = st.lists(st.tuples(st.integers(1, 100), st.none() | st.integers(-50, 50)), min_size=2, max_size=30)


def test_rise_and_fall_have_limits_of_their_own() -> None:
    parameters = {"max_rise": 10, "yellow_rise": 5, "max_fall": 1, "per": "minute"}
    statuses = [said("rate", parameters, readings(minutes(2), [20, value], new=1)).status
                for value in (20, 25, 26, 30, 31, 19, 18.9)]
    assert statuses == [GREEN, GREEN, YELLOW, YELLOW, RED, GREEN, RED]


def test_the_message_says_from_where_to_where_and_when() -> None:
    outcome = said("rate", {"max_fall": 100}, readings(minutes(3), {"level": [8, 8, 5]}, source="tank", new=2))
    assert outcome.message == ("level of tank fell by 180 per hour, from 8 to 5 at 2026-01-05 08:02 UTC: "
                               "more than max_fall 100 (1 of 2 readings)")
    assert (outcome.details["rate"], outcome.details["limit"]) == (-180, 100)


def test_over_a_longer_time_a_spike_is_no_change_but_a_slope_is() -> None:
    parameters = {"max_rise": 3, "per": "minute", "over": 300}
    spike = readings(minutes(10), [0, 0, 0, 0, 0, 9, 0, 0, 0, 0])
    slope = readings(minutes(10), [4.0 * at for at in range(10)])
    assert [said("rate", parameters, data).status for data in (spike, slope)] == [GREEN, RED]
    assert registry.create("rate", parameters).needs.history_s == 600


def test_a_reading_that_is_just_old_enough_is_compared_with() -> None:
    outcome = said("rate", {"max_rise": 0, "per": "minute", "over": 60}, readings(minutes(3), [0, 100, 100]))
    assert (outcome.details["rate"], outcome.details["before"]) == (100, 0)


def test_a_reading_with_none_before_it_is_too_little() -> None:
    outcome = said("rate", {"max_rise": 3}, readings(minutes(2), [None, 5.0]))
    assert (outcome.status, outcome.reason) == (YELLOW, "no_data")


def test_a_change_outside_of_the_hours_does_not_count() -> None:
    data = readings(minutes(2), [0, 100], zone="Europe/Berlin")  # at nine there
    assert said("rate", {"max_rise": 1, "hours": ["09:00-10:00"]}, data).status is RED
    assert not applies("rate", {"max_rise": 1, "hours": ["08:00-09:00"]}, data)


@given(SERIES, st.sampled_from([0, 30, 200]), st.integers(0, 20))
def test_rates_are_those_of_the_definition(steps: list[tuple[int, int | None]], over: int, limit: int) -> None:
    times = [sum(step for step, _ in steps[:at + 1]) for at in range(len(steps))]
    values = [None if value is None else float(value) for _, value in steps]
    expected = [rate for rate in naive.rates(times, values, over) if rate is not None]
    outcome = said("rate", {"max_rise": limit / 10, "max_fall": limit / 5, "per": "second", "over": over},
                   readings([float(time) for time in times], values))
    if not expected:
        assert outcome.reason == "no_data"
        return
    broken = [rate for rate in expected if rate > limit / 10 or rate < -limit / 5]
    assert outcome.status is (RED if broken else GREEN)
    assert outcome.details.get("count", 0) == len(broken)
    if broken:
        assert any(rate == pytest.approx(outcome.details["rate"]) for rate in broken)


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "max_rise"), ({"max_rise": -1}, "max_rise"), ({"max_rise": 1, "yellow_rise": 2}, "yellow_rise"),
    ({"max_rise": 1, "per": "week"}, "per"), ({"max_rise": 1, "over": -1}, "over"),
])
def test_limits_that_cannot_be_are_refused_by_name(parameters: dict[str, object], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Rate(parameters)
    assert refused.value.parameter == parameter
