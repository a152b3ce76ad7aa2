"""What the fields of an event mean: which is its time, which names its source, what is a value and what is text.

The rules are shared by all formats and written for the eye; the scanners of the ``fast_*`` files must agree with them.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from offbeat.wire.options import Options
from offbeat.wire.times import parse_number_ms, parse_text_ms

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
BLANK = " \t\r"
START_BYTES = 800
"""200 characters of UTF-8 at most."""
BOM = b"\xef\xbb\xbf"


class BodyRefused(Exception):
    """A whole body cannot be read; the message says why."""


class LineRefused(Exception):
    """One line is not taken: *code* is one of docs/api.md, *reason* a sentence for its sender."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Number(str):
    """A number as it was written; what it is worth is decided by its use."""

    __slots__ = ()


Value = None | bool | Number | str | list[object]
"""What a field can hold on arrival; None is absent, a list is an array of JSON."""


@dataclass(frozen=True, slots=True)
class Event:
    """One good line. *points* and *texts* stand in the order of the line, each name once."""

    source: str
    time_ms: int
    points: Sequence[tuple[str, float]]
    texts: Sequence[tuple[str, str]]


def shown(text: str) -> str:
    """*text* in quotes, shortened, for a reason."""
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'


def text_of(line: bytes) -> str:
    """*line* as text. Refuses what is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as e:
        raise LineRefused("not_utf8", f"byte {e.start + 1} of the line is not UTF-8") from None


def kept_bytes(options: Options) -> int:
    """How much of a line must be kept so that one byte more shows it to be too long and its start can be told."""
    return max(options.line_bytes_max, START_BYTES)


def start_of(line: bytes) -> str:
    """The first characters of a rejected line, at most 200."""
    return line[:START_BYTES].decode(errors="replace")[:200].rstrip("\r")


def too_long(options: Options) -> LineRefused:
    """Why a long line is not read. Its length stays unsaid: a stream drops the rest of such a line as it comes."""
    return LineRefused("too_long", f"the line is longer than {options.line_bytes_max} bytes")


def check_names(names: Sequence[str], options: Options) -> None:
    """Refuse an event with too many fields, or with a name that is too long or occurs twice."""
    if len(names) > options.event_fields_max:
        raise LineRefused("too_many_fields", f"the event has more than {options.event_fields_max} fields")
    seen: set[str] = set()
    for name in names:
        check_length(name, options)
        if name in seen:
            raise LineRefused("duplicate_key", f"{shown(name)} occurs twice")
        seen.add(name)


def check_length(name: str, options: Options) -> None:
    """Refuse the name of a field or a source that is too long."""
    if len(name.encode()) > options.name_bytes_max:
        raise LineRefused("name_too_long", f"the name {shown(name)} is longer than {options.name_bytes_max} bytes")


def finite(name: str, number: str) -> float:
    """What *number* is worth as float64, rounded as Python does. Refuses NaN, infinity and what is beyond float64."""
    value = float(number)
    if not math.isfinite(value):
        raise LineRefused("not_finite", f"{shown(name)} is {shown(number)}: not a finite number")
    return value


def check_future(time_ms: int, arrival_ms: int, options: Options) -> None:
    """Refuse an event that lies too far ahead of its arrival."""
    if time_ms > arrival_ms + options.max_future_ms:
        raise LineRefused("future", f"the time is {(time_ms - arrival_ms) / 1000:.0f} s ahead: a wrong clock?")


def as_written(value: Value) -> Value:
    """The value itself: JSON says what type it has."""
    return value


def event_of(
    pairs: Iterable[tuple[str, Value]], options: Options, arrival_ms: int, typed: Callable[[Value], Value] = as_written,
) -> Event:
    """The event that has these fields, names and values in their order; names have been checked.

    The first of the time fields that is present is the time, the first of the source fields that is present and not an
    empty text is the source. Other fields that could have been are fields like any other, but an empty text in a source
    field is absent. *typed* turns what is neither time, source nor declared text into a number or boolean if it is one.
    """
    present = {name: value for name, value in pairs if value is not None}
    for name in options.source_fields:
        if present.get(name) == "":
            del present[name]
    time_name = next((name for name in options.time_fields if name in present), None)
    source_name = next((name for name in options.source_fields if name in present), None)
    if time_name is None and options.time_required:
        raise LineRefused("no_time", f"none of its fields is {' or '.join(map(shown, options.time_fields))}")
    if source_name is None and options.source_required:
        raise LineRefused("no_source", f"none of its fields is {' or '.join(map(shown, options.source_fields))}")
    time_ms = arrival_ms if time_name is None else time_of(present[time_name], options)
    source = options.source_default if source_name is None else source_of(present[source_name])
    check_length(source, options)
    points: list[tuple[str, float]] = []
    texts: list[tuple[str, str]] = []
    for name, value in present.items():
        if name in (time_name, source_name):
            continue
        if name in options.text_fields and not isinstance(value, list):
            texts.append((name, written(value)))
            continue
        match typed(value):
            case bool(truth):
                points.append((name, float(truth)))
            case Number() as number:
                points.append((name, finite(name, number)))
            case str(text):
                texts.append((name, text))
            case _:
                raise LineRefused("unsupported_type", f"{shown(name)} is an array")
    if time_name is not None:
        check_future(time_ms, arrival_ms, options)
    return Event(source, time_ms, points, texts)


def written(value: Value) -> str:
    """A value of a field that is text whatever it looks like: as it was written, ``true`` or ``false``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def time_of(value: Value, options: Options) -> int:
    """Milliseconds since 1970 UTC of a time field."""
    if isinstance(value, Number):
        time_ms = parse_number_ms(value, options.precision)
    elif isinstance(value, str):
        time_ms = parse_text_ms(value, options.precision)
    else:
        raise LineRefused("bad_time", "the time is neither text nor a number")
    if time_ms is None:
        raise LineRefused(
            "bad_time", f"the time {shown(str(value))} is neither ISO 8601 nor an epoch number of the years 1 to 9999")
    return time_ms


def source_of(value: Value) -> str:
    """The name in a source field: text, or a whole number as its digits."""
    if isinstance(value, Number):
        if WHOLE_NUMBER.fullmatch(value):
            return "0" if value == "-0" else str(value)
        raise LineRefused("unsupported_type", f"the source {shown(value)} is not a whole number")
    if isinstance(value, str):
        return value
    raise LineRefused("unsupported_type", "the source is neither text nor a whole number")
