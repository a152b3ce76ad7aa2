"""Civil time of readings, and the windows of the year, week and day in which a check applies.

Apart from offbeat_detectors.civil, which is for kernels: to import this takes no compiler.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.checks.contract import Parameter
from offbeat_detectors.checks.parameters import refuse

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_THURSDAY = 3  # 1 January 1970

WINDOWS: tuple[Parameter, ...] = (
    Parameter("from", "text", "first day on which the check applies: MM-DD of each year, or YYYY-MM-DD once"),
    Parameter("to", "text", "last day on which it applies; of each year, it may come before `from`: over the new year"),
    Parameter("weekdays", "texts", "days of the week on which it applies: mon, tue, wed, thu, fri, sat, sun"),
    Parameter("hours", "windows", "times of the day at which it applies, like 08:00-18:00; one that passes midnight "
                                  "belongs to the day on which it begins"),
)
"""The parameters of ``Windows``, for every check that has them."""


def offsets_ms(time_ms: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """(n,) what civil time is ahead of UTC at each of n ascending times."""
    if not time_ms.size:
        return np.zeros(0, np.int64)
    first, last = int(time_ms[0]), int(time_ms[-1])
    if time_ms.size <= (last - first) // DAY_MS:
        return np.array([_offset_ms(int(ms), zone) for ms in time_ms], np.int64)
    # No zone has changed its offset twice within a day, and back.
    at, ahead = [first], [_offset_ms(first, zone)]
    for day in range(first, last, DAY_MS):
        after = min(day + DAY_MS, last)
        if (offset := _offset_ms(after, zone)) != ahead[-1]:
            before = day
            while after - before > 1:
                middle = (before + after) // 2
                if _offset_ms(middle, zone) == ahead[-1]:
                    before = middle
                else:
                    after = middle
            at.append(after)
            ahead.append(offset)
    if len(at) == 1:
        return np.full(time_ms.size, ahead[0], np.int64)
    return np.array(ahead, np.int64)[np.searchsorted(np.array(at), time_ms, "right") - 1]


def civil_ms(time_ms: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """(n,) what clocks on the wall show at n ascending times, as milliseconds since their own 1 January 1970."""
    return time_ms + offsets_ms(time_ms, zone)


def weekday(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 for Monday to 6 for Sunday, of days since 1 January 1970."""
    return (day + _THURSDAY) % 7


@dataclass(frozen=True, slots=True)
class Windows:
    """When a check applies; without any of them, always.

    first, last  days of each year as month × 100 + day, or days since 1970 where *once*; None: open
    weekdays     0 for Monday to 6                  hours  minutes of the day, begin and end; the end is outside
    """

    first: int | None = None
    last: int | None = None
    once: bool = False
    weekdays: tuple[int, ...] = ()
    hours: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Windows:
        """The windows that ``from``, ``to``, ``weekdays`` and ``hours`` say. Raises BadParameters."""
        first, first_once = _day("from", parameters["from"])
        last, last_once = _day("to", parameters["to"])
        if None not in (first, last) and first_once != last_once:
            raise refuse("to", parameters["to"], f"the form of from, {parameters['from']}")
        once = first_once or last_once
        if once and first is not None and last is not None and last < first:
            raise refuse("to", parameters["to"], f"a day not before {parameters['from']}")
        for name in parameters["weekdays"] or ():
            if name not in WEEKDAYS:
                raise refuse("weekdays", name, f"names among {', '.join(WEEKDAYS)}")
        weekdays = tuple(sorted({WEEKDAYS.index(name) for name in parameters["weekdays"] or ()}))
        return cls(first, last, once, weekdays, tuple(_hours(text) for text in parameters["hours"] or ()))

    def holds(self, time_ms: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.bool_]:
        """(n,) whether the check applies at each of n ascending times."""
        if self == Windows():
            return np.ones(time_ms.size, bool)
        day, within = np.divmod(civil_ms(time_ms, zone), DAY_MS)
        if not self.hours:
            return self._days(day)
        minute = within // MINUTE_MS
        inside = np.zeros(time_ms.size, bool)
        today, yesterday = self._days(day), self._days(day - 1)
        for begin, end in self.hours:
            if begin < end:
                inside |= today & (minute >= begin) & (minute < end)
            else:
                inside |= today & (minute >= begin) | yesterday & (minute < end)
        return inside

    def hold(self, ms: int, zone: ZoneInfo) -> bool:
        """Whether the check applies at this time."""
        return bool(self.holds(np.array([ms], np.int64), zone)[0])

    def open_for_ms(self, now_ms: int, back_ms: int, zone: ZoneInfo) -> int:
        """For how long before *now_ms* the check has applied without a break, at most *back_ms*.

        To the minute, or for a long *back_ms* to a 2,000th of it.
        """
        if self == Windows():
            return back_ms
        step = max(MINUTE_MS, back_ms // 2_000)
        times = np.arange(now_ms - back_ms, now_ms + 1, step, dtype=np.int64)
        outside = np.flatnonzero(~self.holds(times, zone))
        return now_ms - int(times[outside[-1]]) if outside.size else back_ms

    def _days(self, day: NDArray[np.int64]) -> NDArray[np.bool_]:
        inside = np.ones(day.size, bool)
        if self.weekdays:
            inside &= np.isin(weekday(day), self.weekdays)
        if self.first is None and self.last is None:
            return inside
        of_year = day if self.once else _of_year(day)
        after = np.ones(day.size, bool) if self.first is None else of_year >= self.first
        before = np.ones(day.size, bool) if self.last is None else of_year <= self.last
        over_new_year = self.first is not None and self.last is not None and self.last < self.first
        return inside & (after | before if over_new_year else after & before)


def iso(ms: int) -> str:
    """The time as the API writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def when(ms: int, zone: ZoneInfo) -> str:
    """The time as a person there reads it: ``2026-01-05 14:03 CET``, with seconds if there are any."""
    local = datetime.fromtimestamp(ms // 1000, zone)
    return f"{local:%Y-%m-%d %H:%M}{f':{local:%S}' if local.second else ''} {local:%Z}"


def _offset_ms(ms: int, zone: ZoneInfo) -> int:
    shift = datetime.fromtimestamp(ms / 1000, zone).utcoffset()
    return 0 if shift is None else round(shift.total_seconds() * 1000)


def _of_year(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Month × 100 + day of the month."""
    days = day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    of_year: NDArray[np.int64] = (months.astype(np.int64) % 12 + 1) * 100 + of_month
    return of_year


def _day(name: str, text: str | None) -> tuple[int | None, bool]:
    """The day as a number, and whether it comes once."""
    if text is None:
        return None, False
    found = re.fullmatch(r"(?:(\d{4})-)?(\d\d)-(\d\d)", text, re.ASCII)
    try:
        if found is None:
            raise ValueError
        year, month, of_month = found.groups()
        day = date(int(year or 2000), int(month), int(of_month))  # 2000 has a 29 February
    except ValueError:
        raise refuse(name, text, "a day like 10-31, or 2026-10-31") from None
    return ((day - date(1970, 1, 1)).days, True) if year else (day.month * 100 + day.day, False)


def _hours(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text, re.ASCII)
    if found:
        begin_h, begin_m, end_h, end_m = map(int, found.groups())
        begin, end = begin_h * 60 + begin_m, end_h * 60 + end_m
        if begin < 1440 and end <= 1440 and begin_m < 60 and end_m < 60 and begin != end:
            return begin, end
    raise refuse("hours", text, "texts like 08:00-18:00 or 22:00-06:00")
