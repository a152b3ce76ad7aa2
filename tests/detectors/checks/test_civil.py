"""Windows of the year, the week and the day, in the zone of the data."""
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.checks.civil import DAY_MS, WINDOWS, Windows, civil_ms, iso, offsets_ms, when
from offbeat_detectors.checks.parameters import BadParameters, checked
from tests.detectors.checks import naive

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, *map(ZoneInfo, ("UTC", "America/Anchorage", "Australia/Lord_Howe", "Asia/Kolkata"))]
YEARS_MS = st.integers(1_700_000_000_000, 1_860_000_000_000)


def windows(**parameters: Any) -> Windows:
    return Windows.of(checked({name.rstrip("_"): value for name, value in parameters.items()}, WINDOWS))


def holds(which: Windows, local: str, zone: ZoneInfo = BERLIN) -> bool:
    return which.hold(int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp() * 1000), zone)


@given(st.lists(YEARS_MS, max_size=40), st.sampled_from(ZONES))
def test_offsets_are_those_of_the_zone_at_each_time(times: list[int], zone: ZoneInfo) -> None:
    times.sort()
    expected = [datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).utcoffset() for ms in times]
    assert offsets_ms(np.array(times, np.int64), zone).tolist() == [
        offset.total_seconds() * 1000 for offset in expected if offset is not None]


@pytest.mark.parametrize("change", ["2026-03-29T01:00", "2026-10-25T01:00"])
def test_offsets_change_at_the_millisecond_at_which_the_clocks_do(change: str) -> None:
    at = int(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp() * 1000)
    times = np.arange(at - DAY_MS, at + DAY_MS, 60_000)
    times = np.sort(np.append(times, [at - 1]))
    offsets = offsets_ms(times, BERLIN)
    assert len(set(offsets[times < at])) == len(set(offsets[times >= at])) == 1
    assert offsets[times < at][0] != offsets[times >= at][0]
    assert (civil_ms(times, BERLIN) == times + offsets).all()


@given(
    st.lists(YEARS_MS, max_size=30), st.sampled_from(ZONES),
    st.sampled_from([(None, None), ("10-01", "04-30"), ("04-30", "10-01"), ("02-29", None), (None, "03-01"),
                     ("2026-03-29", "2026-10-25"), ("2024-02-29", None), (None, "2025-12-31")]),
    st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=3),
    st.lists(st.sampled_from(["08:00-18:00", "22:00-06:00", "02:00-03:00", "00:00-24:00", "12:00-00:00"]), max_size=2),
)
def test_windows_are_those_of_the_calendar(
    times: list[int], zone: ZoneInfo, days: tuple[str | None, str | None], weekdays: list[str], hours: list[str],
) -> None:
    given: dict[str, Any] = {"from": days[0], "to": days[1], "weekdays": weekdays, "hours": hours}
    times.sort()
    found = Windows.of(checked(given, WINDOWS)).holds(np.array(times, np.int64), zone)
    assert found.tolist() == [naive.applies(ms, zone, given) for ms in times]


def test_a_winter_passes_the_new_year() -> None:
    winter = windows(from_="10-01", to="04-30")
    assert [holds(winter, f"{day}T12:00") for day in ("2026-12-31", "2027-01-01", "2026-07-01", "2026-10-01",
                                                      "2026-09-30")] == [True, True, False, True, False]
    assert holds(winter, "2026-04-30T23:59")
    assert not holds(winter, "2026-05-01T00:00")


def test_the_hours_after_midnight_belong_to_the_day_on_which_they_began() -> None:
    friday_night = windows(weekdays=["fri"], hours=["22:00-06:00"])
    assert holds(friday_night, "2026-11-27T23:00")
    assert holds(friday_night, "2026-11-28T05:59")
    assert not holds(friday_night, "2026-11-28T06:00")
    assert not holds(friday_night, "2026-11-27T05:00")
    last_night = windows(to="2026-12-31", hours=["22:00-06:00"])
    assert holds(last_night, "2027-01-01T03:00")
    assert not holds(last_night, "2027-01-01T23:00")


def test_an_hour_that_clocks_skip_never_comes_and_one_that_they_repeat_comes_twice() -> None:
    two = windows(hours=["02:00-03:00"])

    def minutes_of(day: str) -> int:
        start = int(datetime.fromisoformat(day).replace(tzinfo=BERLIN).timestamp() * 1000)
        return int(two.holds(np.arange(start, start + DAY_MS, 60_000), BERLIN).sum())

    assert [minutes_of(day) for day in ("2026-03-28", "2026-03-29", "2026-10-25")] == [60, 0, 120]


def test_how_long_a_window_has_been_open() -> None:
    office = windows(hours=["08:00-18:00"])
    now = int(datetime(2026, 11, 30, 8, 30, tzinfo=BERLIN).timestamp() * 1000)
    assert 29 * 60_000 <= office.open_for_ms(now, DAY_MS // 2, BERLIN) <= 31 * 60_000
    assert office.open_for_ms(now, 10 * 60_000, BERLIN) == 10 * 60_000
    assert windows().open_for_ms(now, DAY_MS, BERLIN) == DAY_MS


@pytest.mark.parametrize(("name", "value"), [
    ("from", "13-01"), ("from", "02-30"), ("to", "2025-02-29"), ("from", "1-1"), ("to", "yesterday"),
    ("weekdays", ["monday"]), ("hours", ["8-18"]), ("hours", ["08:00-08:00"]), ("hours", ["24:00-06:00"]),
    ("hours", ["08:60-09:00"]), ("hours", ["08:00-24:01"]),
])
def test_what_is_no_window_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(BadParameters) as refused:
        windows(**{name + "_": value})
    assert refused.value.parameter == name


def test_days_of_two_forms_and_days_in_the_wrong_order_are_refused() -> None:
    for days in ({"from_": "10-01", "to": "2026-10-31"}, {"from_": "2026-10-31", "to": "2026-10-01"}):
        with pytest.raises(BadParameters, match="to is"):
            windows(**days)


def test_times_are_written_for_machines_in_utc_and_for_people_in_their_zone() -> None:
    assert iso(1_767_618_180_500) == "2026-01-05T13:03:00.500Z"
    assert when(1_767_618_180_000, BERLIN) == "2026-01-05 14:03 CET"
    assert when(1_785_000_001_000, BERLIN) == "2026-07-25 19:20:01 CEST"
