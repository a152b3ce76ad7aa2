"""iCalendar (RFC 5545) to windows. Reads VEVENT with DTSTART, DTEND, DURATION, RRULE, RDATE, EXDATE, RECURRENCE-ID."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from dateutil import rrule

from offbeat.alerts.calendars import Window
from offbeat.alerts.rules import TEXT_MAX
from offbeat.config import known_zone
from offbeat.errors import BadBody, BadRequest

COUNT_MAX = 10_000


def windows_of(text: bytes, time_zone: str) -> tuple[Window, ...]:
    """The windows that *text* has an event for, in its order; cancelled events are none.

    time_zone  where times are meant that name none
    Raises BadBody if it is no iCalendar, BadRequest for an event that cannot be followed, with its UID.
    """
    try:
        calendar = icalendar.Calendar.from_ical(text.decode("utf-8-sig"))
    except (ValueError, IndexError, KeyError) as e:
        raise BadBody(f"the body is no iCalendar: {e}; nothing was changed", hint="RFC 5545, in UTF-8") from e
    masters: dict[str, Window] = {}
    moved: list[tuple[str, str, Window | None]] = []
    events: list[Any] = calendar.walk("VEVENT")
    for i, event in enumerate(events):
        uid = str(event.get("UID", f"VEVENT {i + 1}"))
        try:
            window = _window(event, time_zone)
            cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
            if "RECURRENCE-ID" in event:
                at = _local(event["RECURRENCE-ID"].dt, ZoneInfo(window.zone))
                moved.append((uid, at, None if cancelled else window))
            elif not cancelled:
                masters[uid] = window
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
            raise BadRequest(
                f"the event {uid:.80} cannot be followed: {e}; nothing was changed", where={"uid": uid[:80]}
            ) from e
    alone: list[Window] = []
    for uid, at, other in moved:  # what came in the place of one time of an event that comes again
        if uid in masters:
            masters[uid] = replace(masters[uid], without=(*masters[uid].without, at))
        if other is not None:
            alone.append(other)
    return (*masters.values(), *alone)


def _window(event: Any, time_zone: str) -> Window:
    if "DTSTART" not in event:
        raise ValueError("it has no DTSTART")
    if "DTEND" in event and "DURATION" in event:
        raise ValueError("it has a DTEND and a DURATION")
    start = event["DTSTART"].dt
    zone = _zone(start, str(event["DTSTART"].params.get("TZID", "")), time_zone)
    wall_s = exact_s = 0
    if "DURATION" in event:  # days are those of the wall, the rest passes
        length: timedelta = event["DURATION"].dt
        wall_s, exact_s = length.days * 86_400, length.seconds
    elif "DTEND" not in event:
        wall_s = 0 if isinstance(start, datetime) else 86_400
    elif isinstance(start, datetime):
        exact_s = int((_instant(event["DTEND"].dt, zone) - _instant(start, zone)).total_seconds())
    else:
        wall_s = (event["DTEND"].dt - start).days * 86_400
    if wall_s + exact_s <= 0:
        raise ValueError("it has no length: expected a DTEND after DTSTART, or a DURATION")
    return Window(
        _local(start, zone),
        str(zone),
        wall_s,
        exact_s,
        _repeat(event, zone),
        tuple(_times(event.get("EXDATE"), zone)),
        tuple(_times(event.get("RDATE"), zone)),
        str(event.get("SUMMARY", ""))[:TEXT_MAX],
    )


def _zone(start: date, named: str, time_zone: str) -> ZoneInfo:
    """The zone of *start*, by its IANA name; one that is *named* otherwise has none here if it was not understood."""
    name = _name(start.tzinfo) if isinstance(start, datetime) and start.tzinfo is not None else named or time_zone
    if not known_zone(name):
        raise ValueError(f"its time zone {name!r} is unknown here: expected the IANA name of one, as Europe/Berlin")
    return ZoneInfo(name)


def _name(zone: tzinfo) -> str:
    return "UTC" if zone is UTC else str(getattr(zone, "key", None) or zone)


def _instant(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _local(at: date, zone: ZoneInfo) -> str:
    """*at* on the clock on the wall of *zone*."""
    if not isinstance(at, datetime):
        return datetime(at.year, at.month, at.day).isoformat()
    return (at if at.tzinfo is None else at.astimezone(zone)).replace(tzinfo=None).isoformat()


def _repeat(event: Any, zone: ZoneInfo) -> str:
    """The RRULE with its UNTIL on the wall: a day alone means all of that day."""
    rule = event.get("RRULE")
    if rule is None:
        return ""
    if isinstance(rule, list):
        raise ValueError("it has more than one RRULE")
    parts = []
    for part in rule.to_ical().decode().split(";"):
        if part.startswith("UNTIL="):
            until = rule["UNTIL"][0]
            if not isinstance(until, datetime):
                until = datetime(until.year, until.month, until.day, 23, 59, 59)
            part = f"UNTIL={datetime.fromisoformat(_local(until, zone)):%Y%m%dT%H%M%S}"
        if part.startswith("COUNT="):  # by its last time instead: nobody need count from the beginning each time
            part = f"UNTIL={_last(rule.to_ical().decode(), rule['COUNT'][0], _local(event['DTSTART'].dt, zone))}"
        parts.append(part)
    return ";".join(parts)


def _last(rule: str, count: int, start: str) -> str:
    if count > COUNT_MAX:
        raise ValueError(f"it comes {count} times: expected at most {COUNT_MAX}, or an UNTIL")
    times = list(rrule.rrulestr(rule, dtstart=datetime.fromisoformat(start)))
    return f"{times[-1] if times else datetime.fromisoformat(start):%Y%m%dT%H%M%S}"


def _times(lists: Any, zone: ZoneInfo) -> Iterator[str]:
    for one in lists if isinstance(lists, list) else [lists] if lists is not None else []:
        for each in one.dts:
            if not isinstance(each.dt, date):
                raise ValueError("it has an RDATE that is a period")
            yield _local(each.dt, zone)
