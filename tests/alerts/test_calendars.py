"""Which moments a calendar silences: once and again, over changes of clocks, as other programs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from dateutil import rrule

from offbeat.alerts import calendars
from offbeat.alerts.calendars import Calendar, Laid, Window, check
from offbeat.alerts.ics import windows_of
from offbeat.errors import BadBody, BadRequest


def ms(text: str) -> int:
    """A time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def inside(windows: tuple[Window, ...], at: str) -> bool:
    return Laid(Calendar("c", "", windows)).at(ms(at)) is not None


def ics(*lines: str, head: tuple[str, ...] = ()) -> bytes:
    event = ["BEGIN:VEVENT", "UID:one", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *head, *event, "END:VCALENDAR", ""]).encode()


NIGHTS = (Window("2026-01-01T22:00:00", "Europe/Berlin", wall_s=8 * 3600, repeat="FREQ=DAILY"),)
EIGHT_HOURS = ics(
    "DTSTART;TZID=Europe/Berlin:20260101T220000", "DTEND;TZID=Europe/Berlin:20260102T060000", "RRULE:FREQ=DAILY"
)


@pytest.mark.parametrize(("at", "is_inside"), [
    ("2026-01-10 20:59:59", False), ("2026-01-10 21:00", True),  # 22:00 in winter
    ("2026-01-11 04:59:59", True), ("2026-01-11 05:00", False),
    ("2026-07-10 19:59:59", False), ("2026-07-10 20:00", True),  # 22:00 in summer
    ("2026-07-11 03:59:59", True), ("2026-07-11 04:00", False),
    ("2026-03-29 03:59:59", True), ("2026-03-29 04:00", False),  # seven hours: 6:00 on the wall is 4:00
    ("2026-10-25 04:59:59", True), ("2026-10-25 05:00", False),  # nine hours
    ("2025-12-31 23:00", False),
])  # fmt: skip
def test_a_nightly_window_keeps_to_the_clock_on_the_wall(at: str, is_inside: bool) -> None:
    assert inside(NIGHTS, at) is is_inside


def test_a_calendar_that_was_asked_for_one_time_answers_for_any_other() -> None:
    laid = Laid(Calendar("c", "", NIGHTS))
    for at, is_inside in (("2026-01-10 21:00", True), ("2026-01-18 20:59", False), ("2026-07-10 20:00", True),
                          ("2026-01-11 04:00", True), ("2026-07-10 19:00", False)):  # fmt: skip
        assert (laid.at(ms(at)) is not None) is is_inside, at


@pytest.mark.parametrize(("at", "is_inside"), [
    ("2026-03-29 04:59:59", True), ("2026-03-29 05:00", False), ("2026-10-25 03:59:59", True),
    ("2026-10-25 04:00", False), ("2026-07-10 20:00", True),
])  # fmt: skip
def test_an_event_with_an_end_lasts_as_long_each_time_as_the_rfc_says(at: str, is_inside: bool) -> None:
    assert inside(windows_of(EIGHT_HOURS, "UTC"), at) is is_inside


def test_a_beginning_that_the_clock_leaves_out_or_has_twice_is_by_the_offset_before() -> None:
    window = (Window("2026-03-01T02:30:00", "Europe/Berlin", exact_s=60, repeat="FREQ=DAILY"),)
    assert inside(window, "2026-03-29 01:30")  # 2:30 is left out: by winter time it is 3:30 of summer
    assert inside(window, "2026-10-25 00:30")  # the first 2:30
    assert not inside(window, "2026-10-25 01:30")


def test_the_window_that_lasts_longest_is_told() -> None:
    short, long = Window("2026-01-05T10:00:00", exact_s=60, title="a"), Window("2026-01-05T09:00:00", wall_s=9000)
    laid = Laid(Calendar("c", "", (short, long)))
    assert laid.at(ms("2026-01-05 10:00")) == (ms("2026-01-05 11:30"), "")
    assert laid.at(ms("2026-01-05 08:59")) is None
    assert laid.at(ms("2026-03-05 10:00")) is None
    assert laid.at(ms("2026-01-05 10:00:30")) == (ms("2026-01-05 11:30"), ""), "also back in time"


@pytest.mark.parametrize(("lines", "within", "without"), [
    (("DTSTART:20260105T100000Z", "DTEND:20260105T110000Z"), "2026-01-05 10:30", "2026-01-05 11:00"),
    (("DTSTART:20260105T100000Z", "DURATION:PT90M"), "2026-01-05 11:29", "2026-01-05 11:30"),
    (("DTSTART;VALUE=DATE:20261224",), "2026-12-24 12:00", "2026-12-25 00:00"),
    (("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"), "2026-12-26 22:59", "2026-12-26 23:00"),
    (("DTSTART:20260105T100000", "DURATION:PT1H"), "2026-01-05 09:30", "2026-01-05 10:00"),  # in the daemon's zone
    (("DTSTART;TZID=W. Europe Standard Time:20260105T100000", "DURATION:PT1H"), "2026-01-05 09:30",
     "2026-01-05 10:00"),
    (("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE"), "2026-02-04 10:30",
     "2026-02-03 10:30"),
    (("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"), "2026-01-07 10:30", "2026-01-08 10:30"),
    (("DTSTART;TZID=Europe/Berlin:20260105T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20260107T090000Z"),
     "2026-01-07 09:30", "2026-01-08 09:30"),
    (("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;UNTIL=20260107"), "2026-01-07 12:00", "2026-01-08 12:00"),
    (("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXDATE:20260107T100000Z,20260108T100000Z",
      "EXDATE:20260110T100000Z"), "2026-01-09 10:30", "2026-01-10 10:30"),
    (("DTSTART:20260105T100000Z", "DURATION:PT1H", "RDATE:20260205T100000Z"), "2026-02-05 10:30", "2026-02-06 10:30"),
    (("DTSTART:20260131T100000Z", "DURATION:P1DT1H", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"), "2026-03-01 10:30",
     "2026-03-02 10:30"),
])  # fmt: skip
def test_an_imported_event_silences_its_times(lines: tuple[str, ...], within: str, without: str) -> None:
    windows = windows_of(ics(*lines), "Europe/Berlin")
    check(Calendar("c", "", windows))
    assert inside(windows, within)
    assert not inside(windows, without)


@pytest.mark.parametrize("repeat", [
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=SU,WE", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
    "FREQ=DAILY;BYMONTH=2;INTERVAL=2", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYMONTH=3",
    "FREQ=DAILY;UNTIL=20260310T000000",
])  # fmt: skip
def test_a_window_that_began_long_ago_comes_when_its_rule_says(repeat: str) -> None:
    """Brought near or gone through from the beginning: the times are the same."""
    first = datetime(1999, 2, 3, 4, 5)
    window = Window(first.isoformat(), exact_s=60, repeat=repeat)
    every = list(takewhile(lambda at: at.year <= 2026, rrule.rrulestr(repeat, dtstart=first)))
    for low in (datetime(2026, 2, 1), datetime(2026, 2, 27, 4, 6), datetime(1999, 2, 2), datetime(1998, 1, 1)):
        high = low + timedelta(days=60)
        found = window.spans(low.replace(tzinfo=UTC), high.replace(tzinfo=UTC))
        expected = [int(at.replace(tzinfo=UTC).timestamp()) * 1000 for at in every if low <= at < high]
        assert [start for start, _ in found] == expected, low


def test_one_time_of_an_event_may_be_moved_or_cancelled() -> None:
    head = ("BEGIN:VEVENT", "UID:one", "RECURRENCE-ID:20260107T100000Z", "DTSTART:20260107T150000Z", "DURATION:PT1H",
            "END:VEVENT", "BEGIN:VEVENT", "UID:one", "RECURRENCE-ID:20260108T100000Z", "DTSTART:20260108T100000Z",
            "DURATION:PT1H", "STATUS:CANCELLED", "END:VEVENT")  # fmt: skip
    windows = windows_of(ics("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", head=head), "UTC")
    found = [inside(windows, at) for at in (
        "2026-01-06 10:30", "2026-01-07 10:30", "2026-01-07 15:30", "2026-01-08 10:30", "2026-01-09 10:30")]
    assert found == [True, False, True, False, True]


@pytest.mark.parametrize(("body", "kind", "words"), [
    (b"hello", BadBody, "no iCalendar"),
    (b"\xff\xfe", BadBody, "no iCalendar"),
    (ics("DURATION:PT1H"), BadRequest, "it has no DTSTART"),
    (ics("DTSTART:20260105T100000Z"), BadRequest, "it has no length"),
    (ics("DTSTART:20260105T100000Z", "DTEND:20260105T100000Z"), BadRequest, "it has no length"),
    (ics("DTSTART;TZID=Middle/Earth:20260105T100000", "DURATION:PT1H"), BadRequest, "Middle/Earth"),
    (ics("DTSTART:20260105T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10001"), BadRequest, "10001 times"),
    (ics("DTSTART:20260105T100000Z", "DURATION:PT1H", "DTEND:20260105T110000Z"), BadRequest, "a DTEND and a DURATION"),
])  # fmt: skip
def test_what_cannot_be_followed_is_refused(body: bytes, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        windows_of(body, "UTC")


@pytest.mark.parametrize(("window", "words"), [
    (Window("2026-01-01T00:00:00", "Mars/Olympus", 60), "time_zone is 'Mars/Olympus'"),
    (Window("2026-01-01T00:00:00"), "lasts 0 s"),
    (Window("2026-01-01T00:00:00", exact_s=400 * 86_400), "at most a year"),
    (Window("2026-01-01T00:00:00", exact_s=1, repeat="FREQ=SECONDLY"), "FREQ=SECONDLY"),
    (Window("2026-01-01T00:00:00", exact_s=1, repeat="FREQ=DAILY;BYDAY=XX"), "cannot be read"),
    (Window("2026-01-01T00:00:00", exact_s=1, repeat="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "never comes"),
    (Window("2026-01-01T00:00:00", exact_s=1, repeat="FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24)))
            + ";BYMINUTE=" + ",".join(map(str, range(60)))), "more than 2000 times"),
])  # fmt: skip
def test_a_window_that_cannot_work_is_refused(window: Window, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        check(Calendar("c", "", (window,)))


def test_a_calendar_is_kept_as_it_is() -> None:
    calendar = Calendar("c", "d", windows_of(EIGHT_HOURS, "UTC"), 7)
    assert calendars.unpacked("c", calendar.packed(), 7) == calendar
