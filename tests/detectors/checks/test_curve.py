"""A value far from the curve of the past days."""
from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks import registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.curve import Curve
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.readings import Readings
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks import naive
from tests.detectors.checks.said import applies, said

GREEN, YELLOW, RED = Status
DAY_S = 86_400
MONDAY = 1_767_571_200  # 5 January 2026, midnight UTC


def days(count: int, *, newest: float, step_s: int = 600, at_s: int = 0) -> Readings:
    """Days between 10 at night and 20 at noon, and a newest reading at this time of the day after them."""
    rng = np.random.default_rng(5)
    times = [float(MONDAY + at) for at in range(0, count * DAY_S, step_s)]
    values = [15 - 5 * math.cos(2 * math.pi * at / DAY_S) + rng.normal(0, 0.2) for at in times]
    return readings([*times, float(MONDAY + count * DAY_S + at_s)], {"temp": [*values, newest]}, source="roof", new=1)


def test_a_value_that_is_normal_by_range_but_not_at_this_time_of_day_is_red() -> None:
    outcome = said("curve", {"days": 7}, days(7, newest=19.8, at_s=900))
    assert outcome.status is RED
    assert outcome.message == ("temp of roof was 19.8 at 2026-01-12 00:15 UTC, expected "
                               f"{outcome.details['expected']:.5g} ± {outcome.details['spread']:.3g}: "
                               f"{outcome.details['score']:.3g} spreads away, 5 or more is RED")
    assert outcome.details["expected"] == pytest.approx(10, abs=0.3)
    assert said("curve", {"days": 7}, days(7, newest=19.8, at_s=DAY_S // 2)).status is GREEN


def test_details_carry_the_curve_for_drawing() -> None:
    details = said("curve", {"days": 7}, days(7, newest=19.8)).details
    assert details["curve"]["minutes"] == [10.0 + 30 * at for at in range(48)]  # the mean of 0, 10 and 20 minutes
    assert details["curve"]["expected"][24] == pytest.approx(20, abs=0.3)
    assert details["past"] == 7 * 144
    assert details["score"] >= 5


def test_a_fault_does_not_teach_the_curve_that_judges_it() -> None:
    data = days(7, newest=10.0)
    since = readings(data.times(), [*data.series()[:-100], *[40.0] * 100], new=100)
    outcome = said("curve", {"days": 7}, since)
    assert (outcome.status, outcome.details["count"]) == (RED, 100)
    assert max(outcome.details["curve"]["expected"]) < 21


def test_where_the_newest_alone_is_judged_others_that_are_new_do_not_teach_either() -> None:
    data = days(7, newest=10.0)
    outcome = said("curve", {"days": 7, "judge": "newest"}, readings(data.times(), data.series(), new=100))
    assert (outcome.details["judged"], outcome.details["past"]) == (1, 7 * 144 - 99)


def test_a_faulty_day_among_seven_does_not_bend_the_curve() -> None:
    data = days(7, newest=10.0)
    spoilt = [99.0 if 200 <= at < 344 else value for at, value in enumerate(data.series())]
    assert max(said("curve", {"days": 7}, readings(data.times(), spoilt, new=1)).details["curve"]["expected"]) < 22


def test_times_of_day_are_those_of_the_zone_on_both_sides_of_a_change_of_clocks() -> None:
    times, values = [], []
    for day in ("2026-03-26", "2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"):
        for hour in range(24):
            if not (day == "2026-03-29" and hour == 2):
                times.append(f"{day}T{hour:02}:00")
                values.append(100.0 if hour == 8 else 1.0 + hour / 1000)
    judged = readings(times, values, zone="Europe/Berlin", new=24)
    assert said("curve", {"days": 4, "bin_minutes": 60}, judged).status is GREEN
    in_utc = readings(judged.times(), values, zone="UTC", new=24)
    assert said("curve", {"days": 4, "bin_minutes": 60}, in_utc).status is RED


def test_a_weekend_has_a_curve_of_its_own() -> None:
    times = [float(MONDAY + 3600 * at) for at in range(24 * 12 + 12)]  # to Saturday noon
    values = [1.0 if (at // 24) % 7 >= 5 else 9.0 for at in range(len(times))]
    data = readings(times, values, new=1)
    assert said("curve", {"days": 12, "weekend": True}, data).status is GREEN
    assert said("curve", {"days": 12}, data).status is RED
    assert said("curve", {"days": 4, "weekend": True}, data).reason == "no_data"


def test_a_trend_goes_on() -> None:
    times = [float(MONDAY + 3600 * at) for at in range(101)]
    noise = np.random.default_rng(3).normal(0, 0.1, 101)
    values = [0.5 * at + noise[at] for at in range(101)]
    parameters = {"days": 5, "shape": "trend"}
    outcome = said("curve", parameters, readings(times, values, new=1))
    assert outcome.status is GREEN
    assert outcome.details["expected"] == pytest.approx(50, abs=0.3)
    assert said("curve", parameters, readings(times, [*values[:-1], 48.0], new=1)).status is RED
    assert said("curve", {"days": 5, "shape": "level"}, readings(times, values, new=1)).details["expected"] < 26


def test_the_spread_has_a_floor() -> None:
    times = [float(MONDAY + 600 * at) for at in range(200)]
    data = readings(times, [*[5.0] * 199, 5.02], new=1)
    assert said("curve", {"days": 2, "shape": "level"}, data).status is YELLOW  # a thousandth of 5 is the spread
    assert said("curve", {"days": 2, "shape": "level", "min_spread": 0.1}, data).status is GREEN


def test_too_few_readings_in_those_days_are_too_little() -> None:
    outcome = said("curve", {"days": 1, "min_readings": 200}, days(3, newest=10.0))
    assert (outcome.status, outcome.reason) == (YELLOW, "no_data")
    assert "144 readings in the 1 days before" in outcome.message


def test_without_anything_new_the_newest_reading_is_judged_by_those_before_it() -> None:
    data = days(3, newest=99.0)
    again = readings(data.times(), data.series(), new=0)
    assert said("curve", {"days": 3}, again).details["past"] == 3 * 144
    assert said("curve", {"days": 3}, again).status is RED


def test_it_is_handed_the_days_before() -> None:
    assert registry.create("curve", {"days": 3}).needs.history_s == 3 * DAY_S


def test_outside_of_its_windows_it_does_not_apply() -> None:
    assert not applies("curve", {"days": 3, "weekdays": ["sun"]}, days(3, newest=1.0))


@given(
    st.lists(st.tuples(st.integers(60, 20_000), st.integers(-30, 30)), min_size=4, max_size=40),
    st.sampled_from(["daily", "trend", "level"]), st.sampled_from([30, 120, 360]),
)
def test_expectation_and_spread_are_those_of_the_definition(
    steps: list[tuple[int, int]], shape: str, bin_minutes: int,
) -> None:
    times = [float(MONDAY + sum(step for step, _ in steps[:at + 1])) for at in range(len(steps))]
    values = [float(value) for _, value in steps]
    outcome = said("curve", {"days": 30, "shape": shape, "bin_minutes": bin_minutes, "min_readings": 2,
                             "min_spread": 0.01}, readings(times, values, new=1))
    past, minutes = values[:-1], [time % DAY_S / 60 for time in times]
    if shape == "daily":
        corners = naive.usual_day(minutes[:-1], past, bin_minutes)
        expected = [naive.on_curve(corners, minute) for minute in minutes]
    elif shape == "trend":
        hours = [(time - MONDAY) / 3600 for time in times]
        slope, start = naive.theil_sen(hours[:-1], past)
        expected = [start + slope * hour for hour in hours]
    else:
        expected = [statistics.median(past)] * len(times)
    spread = 1.4826 * statistics.median(abs(value - usual) for value, usual in zip(past, expected, strict=False))
    assert outcome.details["expected"] == pytest.approx(expected[-1], abs=1e-6)
    assert outcome.details["spread"] == pytest.approx(max(0.01, spread), abs=1e-6)


@pytest.mark.parametrize(("parameters", "parameter"), [
    ({}, "days"), ({"days": 0}, "days"), ({"days": 401}, "days"), ({"days": 7, "shape": "round"}, "shape"),
    ({"days": 7, "bin_minutes": 7}, "bin_minutes"), ({"days": 7, "bin_minutes": 1}, "bin_minutes"),
    ({"days": 7, "yellow": 6}, "yellow"), ({"days": 7, "min_readings": 1}, "min_readings"),
])
def test_what_cannot_be_is_refused_by_name(parameters: dict[str, object], parameter: str) -> None:
    with pytest.raises(BadParameters) as refused:
        Curve(parameters)
    assert refused.value.parameter == parameter
