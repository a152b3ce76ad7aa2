"""Calendars: windows that come once or again, in a time zone, and which of them a moment is in. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from dateutil import rrule

from offbeat.alerts.rules import ID, TEXT_MAX, bad
from offbeat.config import known_zone

WINDOWS_MAX = 1_000
LENGTH_MAX_S = 366 * 86_400
AHEAD = timedelta(days=8)
"""So far windows are laid out at a time."""
TIMES_MAX = 2_000
"""Most times that one window may begin in a stretch of AHEAD and its own length."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span that comes once, or again by a rule of RFC 5545. Its beginning is wall-clock time in *zone*.

    start    as ``datetime.isoformat``, without an offset
    wall_s   its length on the clock on the wall: from 22:00 to 6:00 is that, whatever clocks are changed between
    exact_s  its length in seconds that pass, added to the other
    repeat   the RRULE, "" for once    without, also  beginnings that are left out, and that come besides
    """

    start: str
    zone: str = "UTC"
    wall_s: int = 0
    exact_s: int = 0
    repeat: str = ""
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    title: str = ""

    def spans(self, low: datetime, high: datetime) -> list[tuple[int, int]]:
        """The spans that begin in UTC from *low*, before *high*, as (start, end) in ms; at most TIMES_MAX + 1.

        A beginning that the clock leaves out is by the offset before that; of one that comes twice, the first counts.
        """
        first, zone = datetime.fromisoformat(self.start), ZoneInfo(self.zone)
        day = timedelta(days=1)  # more than any offset from UTC
        times = rrule.rruleset()
        if self.repeat:
            near = _brought_near(self.repeat, first, low.replace(tzinfo=None) - day)
            times.rrule(rrule.rrulestr(self.repeat, dtstart=near))
        else:
            times.rdate(first)
        for one in self.also:
            times.rdate(datetime.fromisoformat(one))
        for one in self.without:
            times.exdate(datetime.fromisoformat(one))
        found: list[tuple[int, int]] = []
        for at in times.xafter(low.replace(tzinfo=None) - day, inc=True):
            if at >= high.replace(tzinfo=None) + day or len(found) > TIMES_MAX:
                break
            begins = at.replace(tzinfo=zone).timestamp()
            if low.timestamp() <= begins < high.timestamp():
                ends = (at + timedelta(seconds=self.wall_s)).replace(tzinfo=zone).timestamp() + self.exact_s
                found.append((int(begins * 1000), int(ends * 1000)))
        return found

    @property
    def length(self) -> timedelta:
        """No span is longer: a change of clocks makes one longer by less than a day."""
        return timedelta(seconds=self.wall_s + self.exact_s, days=1)


def parts_of(repeat: str) -> dict[str, str]:
    """The parts of an RRULE by their names."""
    return dict(part.partition("=")[::2] for part in repeat.upper().split(";"))


def _brought_near(repeat: str, first: datetime, low: datetime) -> datetime:
    """A beginning of the rule *repeat* that gives the same times from *low* on as *first*, and gives them soon.

    dateutil goes through all times from the beginning on: 20,000 of a daily rule of 1970.
    """
    parts = parts_of(repeat)
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts.get("FREQ", ""), 0) * int(parts.get("INTERVAL", "1"))
    if not days or "COUNT" in parts or low <= first:
        return first
    return first + max(0, (low - first) // timedelta(days=days) - 1) * timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows under a name."""

    id: str
    description: str
    windows: tuple[Window, ...]
    created_ms: int = 0

    def packed(self) -> str:
        """Its description and windows, as the store keeps them."""
        return orjson.dumps({"description": self.description, "windows": [asdict(w) for w in self.windows]}).decode()


def unpacked(id: str, body: str, created_ms: int) -> Calendar:
    """The calendar that ``Calendar.packed`` gave."""
    held: dict[str, Any] = orjson.loads(body)
    lists = ("without", "also")
    windows = tuple(Window(**{**w, **{name: tuple(w[name]) for name in lists}}) for w in held["windows"])
    return Calendar(id, held["description"], windows, created_ms)


@dataclass(slots=True)
class Laid:
    """A calendar with its windows laid out for some days, so that to look at it is to look at a short list."""

    calendar: Calendar
    _low_ms: int = 0
    _high_ms: int = 0
    _spans: list[tuple[int, int, str]] = field(default_factory=list)

    def at(self, at_ms: int) -> tuple[int, str] | None:
        """When the window ends that *at_ms* is in, and its title; None: it is in none. The one that lasts longest."""
        if not self._low_ms <= at_ms < self._high_ms:
            self._lay(at_ms)
        inside = [(end, title) for start, end, title in self._spans if start <= at_ms < end]
        return max(inside) if inside else None

    def _lay(self, at_ms: int) -> None:
        low = datetime.fromtimestamp(at_ms / 1000, UTC)
        high = low + AHEAD
        self._spans = [
            (start, end, w.title) for w in self.calendar.windows for start, end in w.spans(low - w.length, high)
        ]
        self._low_ms, self._high_ms = at_ms, at_ms + int(AHEAD.total_seconds() * 1000)


def check(calendar: Calendar) -> None:
    """Raise BadRequest if *calendar* cannot work; says which window, and what was expected."""
    if not ID.fullmatch(calendar.id):
        raise bad("id", f"is {calendar.id!r}: expected 1 to 64 letters, digits, '.', '_' or '-'")
    if len(calendar.description) > TEXT_MAX:
        raise bad("description", f"has {len(calendar.description)} characters: expected at most {TEXT_MAX}")
    if not 1 <= len(calendar.windows) <= WINDOWS_MAX:
        raise bad("windows", f"are {len(calendar.windows)}: expected 1 to {WINDOWS_MAX}")
    for i, window in enumerate(calendar.windows):
        _check(f"windows[{i}]", window)


def _check(name: str, window: Window) -> None:
    if not known_zone(window.zone):
        raise bad(f"{name}.time_zone", f"is {window.zone!r}: expected the IANA name of a time zone", "as Europe/Berlin")
    if not 0 < window.wall_s + window.exact_s <= LENGTH_MAX_S:
        raise bad(name, f"lasts {window.wall_s + window.exact_s} s: expected more than 0, at most a year")
    if not window.repeat:
        return
    frequency = parts_of(window.repeat).get("FREQ", "")
    if frequency not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise bad(name, f"comes again by FREQ={frequency}: expected DAILY, WEEKLY, MONTHLY or YEARLY")
    try:
        start = datetime.fromisoformat(window.start).replace(tzinfo=UTC)
        spans = window.spans(start - timedelta(days=1), start + AHEAD + window.length)
        never = not spans and not window.spans(start, start + timedelta(days=366 * 30))[:1]
    except (ValueError, TypeError, OverflowError) as e:
        raise bad(name, f"comes again by a rule that cannot be read: {e}") from e
    if never:
        raise bad(name, "never comes")
    if len(spans) > TIMES_MAX:
        raise bad(name, f"comes more than {TIMES_MAX} times in {AHEAD.days} days and its length")
