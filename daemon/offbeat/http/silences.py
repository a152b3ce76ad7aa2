"""Silences and calendars: when nobody is told."""
from __future__ import annotations

import asyncio
import re
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from offbeat.alerts import ics
from offbeat.alerts.calendars import Calendar, Window
from offbeat.alerts.payload import iso, iso_or_none
from offbeat.alerts.rules import Silence
from offbeat.errors import BodyTimeout, BodyTooLarge, Conflict, NotFound, StoreUnavailable
from offbeat.http import alert_examples as examples
from offbeat.http.alerts import CHANGES, numbered
from offbeat.http.documents import Document, answer, page
from offbeat.http.members import members, number, objects, refused, text, texts, time, wrong
from offbeat.http.parameters import CURSOR, LIMIT, Asked, Parameters
from offbeat.http.parameters import text as text_parameter
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, chunks, read_document
from offbeat.http.schemas import TEXT, named
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.queries import Page

ICS = "text/calendar"
ICS_BYTES_MAX = 1024 * 1024
DAYS = {"mon": "MO", "tue": "TU", "wed": "WE", "thu": "TH", "fri": "FR", "sat": "SA", "sun": "SU"}
FIRST_DAY = "2024-01-01"
"""The first day of windows that come again and name none."""
SILENCE_READERS = {
    "from": time, "until": time, "duration_s": number, "reason": text, "who": text, "rules": texts, "jobs": texts,
    "sources": texts, "fields": texts,
}
CALENDAR_READERS = {"id": text, "description": text, "windows": objects}
ONCE_READERS = {"start": time, "end": time, "title": text}
AGAIN_READERS = {"from": text, "to": text, "days": texts, "time_zone": text, "title": text}


async def get_silences(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Silences, newest first, also those that are over."""
    before = place_of(asked.get("cursor"), int) or (1 << 61,)
    rest = [one for one in parts.alerts.silences() if one.number < before[0]]
    shown = tuple(rest[: asked["limit"]])
    more = cursor_of(shown[-1].number) if len(rest) > len(shown) else None
    return answer(page("silences", Page(shown, more), lambda one: silence(one, parts.clock.now_ms())))


async def post_silence(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Tell nobody of what matches, for a while; each finding that would have been told is listed with the reason."""
    now_ms = parts.clock.now_ms()
    kept = await parts.alerts.add_silence(silence_of(await read_document(request, parts), now_ms))
    return answer(silence(kept, now_ms), 201, {"Location": "/api/v1/silences"})


async def delete_silence(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """End a silence now. It stays listed."""
    await parts.alerts.end_silence(numbered(request, "silence"))
    return web.Response(status=204)


async def get_calendars(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The calendars in the order of their ids."""
    rest = [one for one in parts.alerts.calendars() if one.id > asked.get("cursor", "")]
    shown = tuple(rest[: asked["limit"]])
    return answer(page("calendars", Page(shown, shown[-1].id if len(rest) > len(shown) else None), calendar))


async def post_calendar(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Keep a calendar, in the place of one of the same id: as JSON, or as iCalendar with its id in the query."""
    if request.content_type == ICS:
        if "id" not in asked:
            raise refused("id", "the calendar has no id", "POST /api/v1/calendars?id=holidays")
        body, zone = await _read(request, parts), parts.config().engine.time_zone
        windows = await asyncio.to_thread(ics.windows_of, body, zone)
        given = Calendar(asked["id"], asked.get("description", ""), windows)
    else:
        given = calendar_of({**await read_document(request, parts), **asked})
    return answer(calendar(await parts.alerts.set_calendar(given)), 201, {"Location": "/api/v1/calendars"})


async def delete_calendar(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take a calendar away that no rule names."""
    await parts.alerts.delete_calendar(request.match_info["calendar"])
    return web.Response(status=204)


async def _read(request: web.Request, parts: Parts) -> bytes:
    body, wait_s = bytearray(), parts.config().http.body_timeout_s
    try:
        async with asyncio.timeout(wait_s):
            async for chunk in chunks(request):
                body += chunk
                if len(body) > ICS_BYTES_MAX:
                    raise BodyTooLarge(f"the calendar is larger than {ICS_BYTES_MAX} bytes; nothing was changed")
    except TimeoutError:
        raise BodyTimeout(f"the calendar did not arrive within {wait_s:g} seconds; nothing was changed") from None
    return bytes(body)


def silence_of(document: dict[str, Any], now_ms: int) -> Silence:
    """The silence that *document* asks for, as far as its form goes: from now on unless it says otherwise."""
    said = members(document, SILENCE_READERS, ("reason", "who"), "a silence")
    from_ms = said.pop("from", now_ms)
    if ("until" in said) == ("duration_s" in said):
        raise refused("until", "a silence has either until or duration_s")
    until_ms = said.pop("until") if "until" in said else from_ms + int(1000 * min(said.pop("duration_s"), 1e12))
    return Silence(0, from_ms, until_ms, **said)


def calendar_of(document: dict[str, Any]) -> Calendar:
    """The calendar that *document* asks for, as far as its form goes."""
    said = members(document, CALENDAR_READERS, ("id", "windows"), "a calendar")
    windows = tuple(_window(f"windows[{i}].", one) for i, one in enumerate(said["windows"]))
    return Calendar(said["id"], said.get("description", ""), windows)


def _window(at: str, document: dict[str, Any]) -> Window:
    """A window that comes once has start and end; one that comes again has times of the day."""
    if "start" in document:
        said = members(document, ONCE_READERS, ("start", "end"), "a window", at)
        start = datetime.fromisoformat(iso(said["start"])).replace(tzinfo=None).isoformat()
        return Window(start, exact_s=(said["end"] - said["start"]) // 1000, title=said.get("title", ""))
    said = members(document, AGAIN_READERS, ("from", "to", "time_zone"), "a window that comes again", at)
    low, high = _time_of_day(f"{at}from", said["from"]), _time_of_day(f"{at}to", said["to"])
    days = said.get("days", ())
    for day in days:
        if day not in DAYS:
            raise wrong(f"{at}days", list(days), f"some of {', '.join(DAYS)}")
    repeat = "FREQ=WEEKLY;BYDAY=" + ",".join(DAYS[day] for day in days) if days else "FREQ=DAILY"
    start = (datetime.combine(date.fromisoformat(FIRST_DAY), datetime.min.time()) + timedelta(seconds=low)).isoformat()
    wall_s = (high - low) % 86_400 or 86_400
    return Window(start, said["time_zone"], wall_s=wall_s, repeat=repeat, title=said.get("title", ""))


def _time_of_day(name: str, given: str) -> int:
    found = re.fullmatch(r"([01]\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?", given, re.ASCII)
    if found is None or (int(found[1]) == 24 and given[3:].strip("0:")):
        raise wrong(name, given, "a time of the day as 22:00")
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def silence(s: Silence, now_ms: int) -> Document:
    """A silence as it is now."""
    over = s.removed_ms is not None or s.until_ms <= now_ms
    return {
        "silence": s.number, "state": "over" if over else "active" if s.from_ms <= now_ms else "to come",
        "from": iso(s.from_ms), "until": iso(s.until_ms), "reason": s.reason, "who": s.who, "rules": s.rules,
        "jobs": s.jobs, "sources": s.sources, "fields": s.fields, "created": iso(s.created_ms),
        "removed": iso_or_none(s.removed_ms),
    }


def calendar(c: Calendar) -> Document:
    """A calendar with its windows."""
    return {"id": c.id, "description": c.description, "created": iso(c.created_ms),
            "windows": [_window_document(w) for w in c.windows]}


def _window_document(w: Window) -> Document:
    return {
        "start": w.start, "time_zone": w.zone, "wall_s": w.wall_s, "exact_s": w.exact_s, "repeat": w.repeat,
        "without": w.without, "also": w.also, "title": w.title,
    }


ROUTES = (
    Route("GET", "/api/v1/silences", get_silences, "alerts",
          {200: Content("Some silences.", named("Silences"), examples.SILENCES)}, Parameters.of(LIMIT, CURSOR)),
    Route("POST", "/api/v1/silences", post_silence, "alerts",
          {201: Content("The silence.", named("Silence"), examples.SILENCE,
                        headers={"Location": "Path of the list."})},
          body=(Content("The silence: until when, why, by whom.", named("SilenceGiven"), examples.SILENCE_GIVEN),),
          refusals=(Conflict, *CHANGES)),
    Route("DELETE", "/api/v1/silences/{silence}", delete_silence, "alerts", {204: Content("It is over.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
    Route("GET", "/api/v1/calendars", get_calendars, "alerts",
          {200: Content("Some calendars.", named("Calendars"), examples.CALENDARS)}, Parameters.of(LIMIT, CURSOR)),
    Route("POST", "/api/v1/calendars", post_calendar, "alerts",
          {201: Content("The calendar.", named("Calendar"), examples.CALENDAR,
                        headers={"Location": "Path of the list."})},
          Parameters.of(text_parameter("id", "Name of the calendar, for iCalendar."),
                        text_parameter("description", "What it is for.")),
          body=(Content("The calendar.", named("CalendarGiven"), examples.CALENDAR_GIVEN),
                Content("Events of RFC 5545.", TEXT, examples.ICS, (ICS,))),
          refusals=(Conflict, *CHANGES)),
    Route("DELETE", "/api/v1/calendars/{calendar}", delete_calendar, "alerts", {204: Content("It is gone.")},
          refusals=(NotFound, Conflict, StoreUnavailable)),
)
