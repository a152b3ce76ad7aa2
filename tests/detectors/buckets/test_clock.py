"""When things happen, of the day and of the week."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.clock import ClockModel, ClockOpinions, Round
from tests.detectors.naive_appearances import Clock

HOUR, DAY = 3600.0, 86_400.0
MONDAY = 4 * DAY  # 1970-01-05
DEFINED = {"day": (DAY, 0.0, 30 * DAY), "week": (7 * DAY, 3 * DAY, 84 * DAY)}


def process(model: ClockModel, time_s: NDArray[np.float64]) -> ClockOpinions:
    n = time_s.size
    return model.process(np.zeros(n, np.int32), (np.nan_to_num(time_s) // 300).astype(np.int64), time_s, np.ones(n))


def at(model: ClockModel, *time_s: float) -> ClockOpinions:
    return model.judge(np.zeros(len(time_s), np.int32), np.array(time_s))


def office(weeks: int) -> NDArray[np.float64]:
    """Logins of people: Monday to Friday, around nine, 40 a day."""
    rng = np.random.default_rng(1)
    days = np.array([week * 7 + day for week in range(weeks) for day in range(5)])
    return np.sort((MONDAY + DAY * days[:, None] + rng.normal(9 * HOUR, HOUR / 3, (days.size, 40))).ravel())


@given(st.sampled_from(["day", "week"]), st.lists(st.floats(0, 40 * DAY), min_size=1, max_size=60))
def test_the_kernel_agrees_with_the_definition(round: Round, times: list[float]) -> None:
    twin, model = Clock(*DEFINED[round]), ClockModel(1, round)
    for bucket, time_s in enumerate(sorted(times)):
        said = model.process(np.zeros(1, np.int32), np.array([bucket]), np.array([time_s]), np.ones(1))
        np.testing.assert_allclose(said.probability[0], twin.probability(time_s), rtol=1e-9)
        twin.events.append((time_s, 1.0))


def test_night_is_odd_and_the_nearest_usual_time_is_told() -> None:
    model = ClockModel(1, "day")
    p = process(model, office(6)).probability
    assert np.isnan(p[:10]).all()
    assert (p[200:] < 0.01).mean() < 0.02
    said = at(model, MONDAY + 9 * HOUR, MONDAY + 3 * HOUR, MONDAY + 23.5 * HOUR)
    assert said.probability[0] > 0.3
    assert (said.probability[1:] < 0.003).all()
    assert said.actual == pytest.approx([9 * HOUR, 3 * HOUR, 23.5 * HOUR])
    assert said.typical[0] == said.actual[0]
    assert 7 * HOUR < said.typical[1] < 9 * HOUR
    assert 7 * HOUR < said.typical[2] < 9 * HOUR  # over midnight it is nearer


def test_nine_on_sunday_is_odd_in_the_week_alone() -> None:
    week, day = ClockModel(1, "week"), ClockModel(1, "day")
    process(week, office(6))
    process(day, office(6))
    sunday, wednesday = MONDAY + 45 * DAY + 3 * DAY + 9 * HOUR, MONDAY + 44 * DAY + 9 * HOUR
    assert sunday // DAY % 7 == 3  # 1970 began on a Thursday
    said = at(week, sunday, wednesday)
    assert said.probability[0] < 0.003 < 0.1 < said.probability[1]
    assert said.actual[0] == 6 * DAY + 9 * HOUR
    assert 4 * DAY < said.typical[0] < 5 * DAY or said.typical[0] < DAY
    assert at(day, sunday).probability[0] > 0.3


def test_events_at_all_times_are_never_odd() -> None:
    model = ClockModel(1, "day")
    p = process(model, np.sort(np.random.default_rng(2).uniform(0, 30 * DAY, 5000))).probability
    assert (p[500:] < 0.001).mean() < 0.005


def test_a_habit_that_changes_is_forgotten() -> None:
    model = ClockModel(1, "day")
    process(model, MONDAY + DAY * np.arange(40) + 9 * HOUR)
    assert at(model, MONDAY + 40 * DAY + 15 * HOUR).probability[0] < 0.05
    process(model, MONDAY + DAY * np.arange(40, 160) + 15 * HOUR)
    assert at(model, MONDAY + 160 * DAY + 15 * HOUR).probability[0] > 0.3
    assert at(model, MONDAY + 160 * DAY + 9 * HOUR).probability[0] < 0.1


def test_it_goes_on_bit_for_bit_wherever_a_bucket_ends() -> None:
    time_s = office(2)
    bucket = (time_s // 300).astype(np.int64)
    n = time_s.size
    whole = ClockModel(1, "week").process(np.zeros(n, np.int32), bucket, time_s, np.ones(n)).probability
    one, other = ClockModel(1, "week"), ClockModel(1, "week")
    cut = int(np.searchsorted(bucket, bucket[n // 2]))
    first = one.process(np.zeros(cut, np.int32), bucket[:cut], time_s[:cut], np.ones(cut)).probability
    other.grow(3)
    other.restore(np.array([2], np.int32), one.save(np.zeros(1, np.int32)))
    last = other.process(np.full(n - cut, 2, np.int32), bucket[cut:], time_s[cut:], np.ones(n - cut)).probability
    np.testing.assert_array_equal(np.concatenate([first, last]), whole)
    other.forget(np.array([2], np.int32))
    for name, column in other.save(np.array([2], np.int32)).items():
        np.testing.assert_array_equal(column, other.save(np.array([0], np.int32))[name])


def test_no_time_is_no_opinion_and_other_rounds_are_refused() -> None:
    model = ClockModel(1, "day")
    process(model, office(1))
    state = model.save(np.zeros(1, np.int32))
    assert np.isnan(process(model, np.array([np.nan])).probability[0])
    np.testing.assert_array_equal(model.save(np.zeros(1, np.int32))["mass"], state["mass"])
    assert model.bytes_per_entity <= 4096
    with pytest.raises(ValueError, match="round is 'month'"):
        ClockModel(1, "month")  # type: ignore[arg-type]
