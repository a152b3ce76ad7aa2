"""Written times to milliseconds by ``epoch``, ``epoch_ms``, ``any`` or a Java date pattern, which is compiled once.

Letters mean what java.time's formatter makes of them: two letters of a number are two digits, one is one or two.
Zones alone are read leniently: where the pattern has any of them, every numeric form and ``Z`` is taken.

Source: Prelert Engine API, section 7.5; Java SE 8, java.time.format.DateTimeFormatter.
"""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.records.errors import BadPattern
from offbeat.wire.records.fixed_width import LIMITS, NO_TIME, FixedWidth, offset_s
from offbeat.wire.times import DAY_OF_EPOCH, TIME_MS_MAX, TIME_MS_MIN, parse_text_ms

EPOCH = re.compile(r"([+-]?)([0-9]{1,18})(?:\.([0-9]*))?(?:[eE]\+?([0-9]{1,2}))?")
PIECE = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)
RESERVED = "{}#"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ZONE_NAMES = {"UTC": 0, "GMT": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
              "PDT": -7}
"""Hours east of Greenwich of the names that RFC 822 knows; others are ambiguous."""
ZONE = "[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?"
NAMED_ZONE = f"{'|'.join(ZONE_NAMES)}|{ZONE}"
TWO = {1: "{1,2}", 2: "{2}"}
NUMBERS: dict[str, dict[int, str]] = {
    "y": {1: "{1,4}", 2: "{2}", 3: "{3,4}", 4: "{4}"}, "M": TWO, "d": TWO, "D": {1: "{1,3}", 2: "{2,3}", 3: "{3}"},
    "H": TWO, "k": TWO, "h": TWO, "K": TWO, "m": TWO, "s": TWO, "S": {n: f"{{{n}}}" for n in range(1, 10)},
}
"""How many digits a number has, by its letter and how often that stands there."""
RANGES = {**LIMITS, "D": (1, 366), "k": (1, 24), "h": (1, 12), "K": (0, 11), "S": (0, 999_999_999)}
NAMES: dict[str, dict[int, tuple[str, ...]]] = {
    "M": {3: tuple(name[:3] for name in MONTHS), 4: MONTHS},
    "E": {n: (*DAYS, *(name[:3] for name in DAYS)) for n in range(1, 5)},
    "a": {1: ("AM", "PM")},
}
ZONE_LETTERS = {"X": 5, "x": 5, "Z": 5, "z": 4}
"""How often a letter of a zone may stand there."""
ALIKE = {"u": "y", "L": "M"}


class Parser(Protocol):
    """One time format, ready to read."""

    def one(self, text: str) -> int | None:
        """The time that *text* says, None if it says none."""
        ...

    def many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The time that each text says, (n,) int64, NO_TIME where it says none."""
        ...


def parser(time_format: str, zone: tzinfo = UTC) -> Parser:
    """The parser of *time_format*; a time without a zone is one of *zone*, of ``any`` one of UTC. Raises BadPattern."""
    if time_format == "any":
        return AsEvents()
    if time_format == "epoch":
        return Epoch(1000)
    if time_format == "epoch_ms":
        return Epoch(1)
    return Pattern(time_format, zone)


class Epoch:
    """Numbers of seconds or milliseconds since 1970; what follows the point of a written number is dropped."""

    def __init__(self, unit_ms: int) -> None:
        self._unit_ms = unit_ms

    def one(self, text: str) -> int | None:
        """The time that *text* says."""
        number = EPOCH.fullmatch(text.strip())
        if number is None:
            return None
        sign, whole, fraction, power = number.groups()
        shift = int(power or 0)
        digits = whole + (fraction or "").ljust(shift, "0")[:shift]
        if len(digits) > 40:
            return None
        return _within((-1 if sign == "-" else 1) * int(digits) * self._unit_ms)

    def many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The time that each text says."""
        joined = "".join(texts)
        if joined.isascii() and joined.isdigit() and max(map(len, texts)) <= 14 and min(map(len, texts)) > 0:
            found = np.fromiter(map(int, texts), np.int64, len(texts)) * self._unit_ms
            found[found > TIME_MS_MAX] = NO_TIME
            return found
        return _one_by_one(self, texts)


class AsEvents:
    """Times as events have them: ISO 8601, or epoch numbers whose unit is told by their magnitude."""

    def __init__(self) -> None:
        both = ((between, parts_of(f"yyyy-MM-dd{between}HH:mm:ssX")) for between in ("'T'", " "))
        self._fast = {between.strip("'"): _fixed_width(parts) for between, parts in both}

    def one(self, text: str) -> int | None:
        """The time that *text* says."""
        return parse_text_ms(text, None)

    def many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The time that each text says."""
        fast = self._fast.get(texts[0][10:11]) if len(texts) else None
        if fast is None:
            return _one_by_one(self, texts)
        found, read = fast.read(texts)
        left = np.flatnonzero(~read)
        found[left] = _one_by_one(self, [texts[i] for i in left.tolist()])
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a pattern.

    kind   "text", "zone", "[", "]", "name" of a day, "month" by its name, "half" of the day, or the letter of a number,
           "yy" for a year of two digits
    text   what stands there, as a regular expression
    size   characters, if they are as many in each time; else 0
    """

    kind: str
    text: str
    size: int = 0


def parts_of(pattern: str) -> list[Part]:
    """The parts of a Java date pattern, each a letter with its repetitions or a text. Raises BadPattern."""
    parts: list[Part] = []
    for piece in PIECE.finditer(pattern):
        text = piece[0]
        if text[0] == "'":
            if len(text) == 1:
                raise BadPattern(f"the date pattern {pattern!r} has a quote that is not closed")
            literal = text[1:-1].replace("''", "'") or "'"
            parts.append(Part("text", re.escape(literal), len(literal)))
        elif piece[1]:
            part = _letters(ALIKE.get(text[0], text[0]), len(text))
            if part is None:
                raise BadPattern(f"the date pattern {pattern!r} has {text}, which is no part of a time that is known")
            parts.append(part)
        elif text in RESERVED:
            raise BadPattern(f"the date pattern {pattern!r} has {text}, which stands for nothing: write '{text}'")
        else:
            parts.append(Part(text, "") if text in "[]" else Part("text", re.escape(text), 1))
    return parts


def _letters(letter: str, count: int) -> Part | None:
    """The part that *count* times *letter* is; None if there is none."""
    digits = NUMBERS.get(letter, {}).get(count)
    if digits is not None:
        kind = "yy" if (letter, count) == ("y", 2) else letter
        return Part(kind, f"[0-9]{digits}", int(digits[1:-1]) if "," not in digits else 0)
    names = NAMES.get(letter, {}).get(count)
    if names is not None:
        return Part({"M": "month", "E": "name", "a": "half"}[letter], "|".join(names))
    if count <= ZONE_LETTERS.get(letter, 0):
        return Part("zone", NAMED_ZONE if letter == "z" else ZONE)
    return None


class Pattern:
    """A Java date pattern. Raises BadPattern for one that is wrong or from which no date follows.

    Between ``[`` and ``]`` stands what may be missing. What a time does not say is 1 January, 0 o'clock and *zone*.
    """

    def __init__(self, pattern: str, zone: tzinfo = UTC) -> None:
        parts = parts_of(pattern)
        kinds = {part.kind for part in parts}
        if not kinds & {"y", "yy"}:
            raise BadPattern(f"the date pattern {pattern!r} has no year")
        if "d" in kinds and not kinds & {"M", "month"}:
            raise BadPattern(f"the date pattern {pattern!r} has a day but no month")
        self._zone = zone
        self._kinds = {f"g{i}": part.kind for i, part in enumerate(parts) if part.kind not in ("text", "[", "]")}
        try:
            self._regex = re.compile("".join(
                "(?:" if part.kind == "[" else ")?" if part.kind == "]" else part.text if part.kind == "text"
                else f"(?P<g{i}>{part.text})" for i, part in enumerate(parts)), re.IGNORECASE | re.ASCII)
        except re.error:
            raise BadPattern(f"the date pattern {pattern!r} has [ and ] that do not fit") from None
        self._fast = _fixed_width(parts) if zone is UTC or "zone" in kinds else None

    def one(self, text: str) -> int | None:
        """The time that *text* says."""
        match = self._regex.fullmatch(text.strip())
        if match is None:
            return None
        said = {self._kinds[group]: found for group, found in match.groupdict().items() if found is not None}
        numbers = {kind: int(found) for kind, found in said.items() if kind in RANGES}
        if any(not RANGES[kind][0] <= number <= RANGES[kind][1] for kind, number in numbers.items()):
            return None
        day = _day(numbers, said.get("month"))
        if day is None:
            return None
        seconds = (_hour(numbers, said.get("half")) * 60 + numbers.get("m", 0)) * 60 + numbers.get("s", 0)
        if "zone" in said:
            offset = _offset_s(said["zone"])
        else:
            hour, minute = divmod(seconds // 60, 60)
            local = datetime(day.year, day.month, day.day, hour, minute, seconds % 60, tzinfo=self._zone).utcoffset()
            offset = None if local is None else int(local.total_seconds())
        if offset is None:
            return None
        fraction_ms = int(said["S"][:3].ljust(3, "0")) if "S" in said else 0
        return _within(((day.toordinal() - DAY_OF_EPOCH) * 86_400 + seconds - offset) * 1000 + fraction_ms)

    def many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The time that each text says."""
        if self._fast is None or not texts:
            return _one_by_one(self, texts)
        found, read = self._fast.read(texts)
        for i in np.flatnonzero(~read).tolist():
            time_ms = self.one(texts[i])
            found[i] = NO_TIME if time_ms is None else time_ms
        return found


def _day(numbers: Mapping[str, int], month_name: str | None) -> date | None:
    """The day that is said, None if the calendar has none."""
    year = numbers["y"] if "y" in numbers else 2000 + numbers.get("yy", -2000)
    if year == 0:
        return None  # the year stands in a part that may be missing
    month = numbers.get("M", 1)
    if month_name is not None:
        month = 1 + [name[:3] for name in MONTHS].index(month_name[:3].capitalize())
    try:
        if "D" in numbers:
            day = date.fromordinal(date(year, 1, 1).toordinal() + numbers["D"] - 1)
            return day if day.year == year else None
        return date(year, month, numbers.get("d", 1))
    except (ValueError, OverflowError):
        return None


def _hour(numbers: Mapping[str, int], half: str | None) -> int:
    if "H" in numbers:
        return numbers["H"]
    if "k" in numbers:
        return numbers["k"] % 24
    return numbers.get("h", numbers.get("K", 0)) % 12 + (12 if half is not None and half.upper() == "PM" else 0)


def _offset_s(zone: str) -> int | None:
    hours = ZONE_NAMES.get(zone.upper())
    return offset_s(zone) if hours is None else hours * 3600


def _fixed_width(parts: Sequence[Part]) -> FixedWidth | None:
    """The same times read as columns of bytes, if all have their digits at the same places and a zone stands last."""
    zoned = bool(parts) and parts[-1].kind == "zone"
    width, numbers, literals = 0, [], {}
    for part in parts[:-1] if zoned else parts:
        if part.kind == "text":
            literal = re.sub(r"\\(.)", r"\1", part.text, flags=re.DOTALL)
            if not literal.isascii():
                return None
            literals.update({width + i: ord(character) for i, character in enumerate(literal)})
        elif part.size and (part.kind in LIMITS or part.kind == "S"):
            numbers.append((part.kind, width, width + part.size))
        else:
            return None
        width += part.size
    if len({kind for kind, _, _ in numbers}) < len(numbers):
        return None
    return FixedWidth(numbers, literals, width, zoned)


def _one_by_one(one: Parser, texts: Sequence[str]) -> NDArray[np.int64]:
    found = np.full(len(texts), NO_TIME)
    for i, text in enumerate(texts):
        time_ms = one.one(text)
        if time_ms is not None:
            found[i] = time_ms
    return found


def _within(time_ms: int) -> int | None:
    return time_ms if TIME_MS_MIN <= time_ms <= TIME_MS_MAX else None
