"""No reading for too long."""
from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.gap import Gap
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks.said import applies, minutes, said

GREEN, YELLOW, RED = Status
START = 1_767_600_000


def test_no_reading_for_longer_than_it_may_be() -> None:
    parameters = {"max_age": 600, "yellow_age": 300}
    statuses = [said("gap", parameters, readings([START], [1.0], now=START + age)).status
                for age in (0, 300, 301, 600, 601)]
    assert statuses == [GREEN, GREEN, YELLOW, YELLOW, RED]


def test_the_message_says_since_when() -> None:
    data = readings([START], {"temp": [1.0]}, source="oven", zone="Europe/Berlin", now=START + 7200)
    assert said("gap", {"max_age": 600}, data).message == (
        "temp of oven has had no reading for 2 h, since 2026-01-05 09:00 CET: longer than 10 min")


def test_it_runs_by_the_clock_though_nothing_comes() -> None:
    assert registry.create("gap", {"max_age": 1}).needs.clock
    assert registry.create("gap", {"max_intervals": 5}).needs.clock


def test_the_usual_interval_is_learned() -> None:
    every_minute = minutes(30)
    data = readings(every_minute, [1.0] * 30, now=every_minute[-1] + 301)
    assert said("gap", {"max_intervals": 5}, data).status is RED
    assert said("gap", {"max_intervals": 6}, data).status is GREEN
    assert said("gap", {"max_intervals": 6, "yellow_intervals": 2}, data).status is YELLOW
    assert "usually one comes every 60 s" in said("gap", {"max_intervals": 5}, data).message


def test_before_an_interval_is_known_the_age_alone_counts_or_nothing_is_said() -> None:
    data = readings(minutes(3), [1.0] * 3, now=START + 1000)
    assert said("gap", {"max_intervals": 5}, data).reason == "no_data"
    assert said("gap", {"max_intervals": 5, "max_age": 600}, data).status is RED


def test_a_series_that_never_had_a_reading_is_not_judged() -> None:
    outcome = said("gap", {"max_age": 600}, readings([], {"temp": []}, source="oven", now=START))
    assert (outcome.status, outcome.message) == (YELLOW, "temp of oven has never had a reading")


def test_time_outside_of_its_windows_does_not_count() -> None:
    office = {"max_age": 3600, "weekdays": ["mon", "tue", "wed", "thu", "fri"], "hours": ["08:00-18:00"]}

    def on(now: str) -> Status | None:
        data = readings(["2026-11-27T17:50"], [1.0], zone="Europe/Berlin", now=now)
        return said("gap", office, data).status if applies("gap", office, data) else None

    assert [on(now) for now in ("2026-11-28T12:00", "2026-11-30T08:30", "2026-11-30T09:30")] == [None, GREEN, RED]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(0, 5000), st.integers(1, 9))
def test_the_interval_is_the_median_of_the_intervals(steps: list[int], age: int, most: int) -> None:
    times = [float(START + sum(steps[:at])) for at in range(len(steps) + 1)]
    data = readings(times, [1.0] * len(times), now=times[-1] + age)
    outcome = said("gap", {"max_intervals": most}, data)
    if len(steps) < 10:
        assert outcome.reason == "no_data"
    else:
        assert outcome.status is (RED if age > most * statistics.median(steps) else GREEN)


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "max_age"), ({"max_age": 0}, "max_age"), ({"max_age": 60, "yellow_age": 61}, "yellow_age"),
    ({"max_intervals": 0.5}, "max_intervals"), ({"max_age": True}, "max_age"),
])
def test_what_cannot_be_is_refused_by_name(parameters: dict[str, object], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Gap(parameters)
    assert refused.value.parameter == parameter
