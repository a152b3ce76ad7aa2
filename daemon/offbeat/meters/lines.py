"""A line of an energy meter as sections of values. Pure: no clock, no request.

Source: the event line grammar of the energy-sensors protocol, chapter 4.
"""
from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from typing import TypeAlias

from dateutil import parser

Value: TypeAlias = bool | int | float | datetime | str
Section: TypeAlias = list[Value] | dict[str, Value]

SPACES = re.compile(" *")
NAME_END = re.compile("[:;]")
FIRST_END, LATER_END = re.compile("[=;]"), re.compile("[=:;]")
WITH_UNIT = re.compile("([+-]?[0-9]+(?:[.,][0-9]+)?)(?:v|var|va|w|rad)", re.IGNORECASE | re.ASCII)
INTEGER = re.compile("[+-]?[0-9]+")
FLOAT = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
SWITCH = {"on": True, "off": False}
INTEGER_DIGITS_MAX = 4300
"""A longer integer is text: to write one takes time that grows with the square of its length."""
DATE_CHARACTERS_MAX = 64
WITH_YEAR = re.compile(
    r"(?<![0-9])[0-9]{4}(?![0-9])|[0-9]{8}T|(?<![0-9])[0-9]{1,2}([-./])(?:[0-9]{1,2}|[A-Za-z]{3})\1[0-9]{2}(?![0-9.:])")
"""What a date may have as its year: four digits, or two behind a day and a month that are set off alike."""
CENTURY_FROM = 1969
"""Two digits mean a year from this one on, as POSIX reads them."""
UNSAID = datetime(2000, 1, 1), datetime(2004, 2, 15)
"""Two dates without a common year, month or day of one weekday: where a text says all three, either completes it."""
OFFSET_MAX_S = 86_400


class BadLine(ValueError):
    """A section without values; the message says which."""


def sections_of(text: str) -> dict[str, Section]:
    """The sections of a line by name: a list of values each, or values by key. Empty if there is none.

    The whole *text* is one event: a line feed is a character like others. Raises BadLine.
    """
    found: dict[str, Section] = {}
    at = 0
    while (named := _name(text, at)) is not None:
        name, at = named
        values, after = _list(text, at)
        if values:
            found[name], at = values, after
            continue
        pairs, at = _pairs(text, at)
        if not pairs:
            raise BadLine(f"section {name[:80]!r} has neither values nor pairs")
        found[name] = pairs
    return found


def value_of(text: str) -> Value:
    """What a value says: a switch, a number, perhaps with its unit, a moment (UTC), else itself without white space."""
    text = text.strip()
    switch = SWITCH.get(text.lower())
    if switch is not None:
        return switch
    with_unit = WITH_UNIT.fullmatch(text)
    number = _number(with_unit[1] if with_unit else text)
    if number is not None:
        return number
    moment = moment_of(text)
    return text if moment is None else moment


def moment_of(text: str) -> datetime | None:
    """The moment that *text* says in any common notation, in UTC; without a zone it is UTC.

    None if it does not say year, month and day.
    """
    text = text.strip()
    if len(text) > DATE_CHARACTERS_MAX or WITH_YEAR.search(text) is None:
        return None
    try:
        one: datetime
        one, other = (_DATES.parse(text, default=unsaid, tzinfos=_zone) for unsaid in UNSAID)
        if one != other:
            return None
        return one.replace(tzinfo=UTC) if one.tzinfo is None else one.astimezone(UTC)
    except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, IndexError):
        return None  # whatever dateutil stumbles over is no date


def written(sections: Mapping[str, object]) -> str:
    """An event as JSON: compact, sorted, ASCII; a moment as ``Tue, 04 Oct 2016 16:47:50 GMT``."""
    return json.dumps(sections, sort_keys=True, separators=(",", ":"), default=_moment_text)


def _moment_text(value: object) -> str:
    assert isinstance(value, datetime)
    return format_datetime(value, usegmt=True)


def _name(text: str, at: int) -> tuple[str, int] | None:
    """The name of the next section and where its content begins; None if there is no further one."""
    at = _skip(text, at)
    end = NAME_END.search(text, at)
    if end is None or end[0] == ";":
        return None
    name = text[at : end.start()].strip()
    return (name, end.end()) if name else None


def _list(text: str, at: int) -> tuple[list[Value], int]:
    """The values from *at* on, and where what is none of them begins. In the first, colons are ordinary characters."""
    values: list[Value] = []
    at = _skip(text, at)
    while at < len(text):
        end = (LATER_END if values else FIRST_END).search(text, at)
        if end is None:
            values.append(value_of(text[at:]))
            return values, len(text)
        if end[0] != ";":
            break
        values.append(value_of(text[at : end.start()]))
        at = end.end()
    return values, at


def _pairs(text: str, at: int) -> tuple[dict[str, Value], int]:
    """The pairs from *at* on, and where what is none of them begins."""
    pairs: dict[str, Value] = {}
    while True:
        key_at = _skip(text, at)
        equals = text.find("=", key_at)
        if equals < 0 or text.find(":", key_at, equals) >= 0:
            return pairs, at
        value_at = _skip(text, equals + 1)
        end = text.find(";", value_at)
        stop = len(text) if end < 0 else end
        if value_at == len(text) or text.find(":", value_at, stop) >= 0:
            return pairs, at
        pairs[text[key_at:equals].lstrip()] = value_of(text[value_at:stop])
        at = min(len(text), stop + 1)


def _skip(text: str, at: int) -> int:
    spaces = SPACES.match(text, at)
    assert spaces is not None
    return spaces.end()


def _number(text: str) -> int | float | None:
    """The integer or the finite double that *text* is."""
    if INTEGER.fullmatch(text) and len(text) <= INTEGER_DIGITS_MAX:
        return int(text)
    if FLOAT.fullmatch(text):
        number = float(text.replace(",", "."))
        return number if math.isfinite(number) else None
    return None


class _Info(parser.parserinfo):  # type: ignore[misc]
    """Dates as dateutil reads them, but that two digits of a year mean the same in any year."""

    def convertyear(self, year: int, century_specified: bool = False) -> int:
        if year >= 100 or century_specified:
            return year
        return year + (1900 if year >= CENTURY_FROM - 1900 else 2000)


_DATES = parser.parser(_Info())


def _zone(name: str | None, offset_s: int | None) -> tzinfo | None:
    """The zone of an offset, or of a name that is one of UTC's. Raises ValueError for another name."""
    if offset_s is not None and abs(offset_s) < OFFSET_MAX_S:
        return timezone(timedelta(seconds=offset_s))
    if offset_s is None and (name is None or name.upper() in ("UTC", "GMT", "Z")):
        return UTC
    raise ValueError("a zone that nobody knows everywhere")
