"""One line of Influx line protocol to an event, plainly: the definition. Scanning at speed is in fast_lineprotocol.

``measurement[,tag=value…] field=value[,field=value…] [timestamp]``. Outside quotes a backslash before a comma, a space,
an equals sign or a backslash takes its meaning; before anything else it is itself. In a quoted value it does so before
a quote and a backslash. A newline ends a line wherever it stands, in quotes too.

Source: InfluxData, "Line protocol reference". Departures: ``\\\\`` is one backslash everywhere, a number may begin with
``+`` or a point as Go reads it, and an integer beyond 64 bits is a float.
"""
from __future__ import annotations

import re

from offbeat.wire.fields import (
    NOT_FINITE,
    NUMBER,
    Event,
    LineRefused,
    check_future,
    check_length,
    check_names,
    finite,
    shown,
    text_of,
)
from offbeat.wire.options import Options
from offbeat.wire.times import parse_number_ms

INTEGER = re.compile(r"[+-]?[0-9]+i|[0-9]+u")
TRUE = ("t", "T", "true", "True", "TRUE")
FALSE = ("f", "F", "false", "False", "FALSE")
ESCAPED = re.compile(r"\\([, =\\])")
ESCAPED_IN_QUOTES = re.compile(r'\\(["\\])')
MEASUREMENT = re.compile(r"(?:\\[, =\\]|[^, ])*+")
NAME = re.compile(r"(?:\\[, =\\]|[^, =])*+")
QUOTED = re.compile(r'"((?:\\["\\]|[^"])*+)"')
TOKEN = re.compile(r"[^, ]*+")
SPACES = re.compile(r" *+")
TIMESTAMP = re.compile(r"-?[0-9]+")


def is_comment_or_blank(line: bytes) -> bool:
    """Is there nothing to read? Spaces and tabs before a ``#`` do not count."""
    rest = line.strip(b" \t\r")
    return not rest or rest.startswith(b"#")


class Reader:
    """A place in a text, moving on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def next(self) -> str:
        """The character here, empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        """What *pattern* matches here; it can match nothing."""
        match = pattern.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return match[0]

    def name(self, pattern: re.Pattern[str]) -> str:
        """The name here, its escapes resolved."""
        return ESCAPED.sub(r"\1", self.take(pattern))


def read_pair(reader: Reader, what: str) -> str:
    """The name up to its ``=``, which is passed."""
    name = reader.name(NAME)
    if not name:
        raise LineRefused("bad_line", f"the name of a {what} is empty")
    if reader.next != "=":
        raise LineRefused("bad_line", f"the {what} {shown(name)} has no value")
    reader.at += 1
    return name


def read_value(reader: Reader, name: str, as_text: bool) -> float | str:
    """The value of the field *name*: numbers and booleans as float64, strings (and all if *as_text*) as text."""
    if reader.next == '"':
        quoted = QUOTED.match(reader.text, reader.at)
        if quoted is None:
            raise LineRefused("bad_line", "a quote is not closed")
        reader.at = quoted.end()
        return ESCAPED_IN_QUOTES.sub(r"\1", quoted[1])
    token = reader.take(TOKEN)
    if token in TRUE or token in FALSE:
        truth = token in TRUE
        return str(truth).lower() if as_text else float(truth)
    if INTEGER.fullmatch(token):
        return token[:-1] if as_text else finite(name, token[:-1])
    if NUMBER.fullmatch(token) or NOT_FINITE.fullmatch(token):
        return token if as_text else finite(name, token)
    raise LineRefused("bad_line", f"{shown(name)} is {shown(token)}: neither a number, a boolean nor a quoted text")


def read_line(line: bytes, options: Options, arrival_ms: int) -> Event:
    """The event in one line; a timestamp counts in *options.precision*, by magnitude if that is None.

    The first tag of the source fields names the source; its series are called ``measurement.field`` and then the other
    tags as ``,tag=value`` in the order of their names. Without such a tag, measurement and tags are the source and a
    series is called by its field. Text fields of the options are fields as the line names them.
    """
    text = text_of(line).strip(" \t\r")
    if "\0" in text:
        raise LineRefused("bad_line", "the line holds a NUL")
    reader = Reader(text)
    measurement = reader.name(MEASUREMENT)
    if not measurement:
        raise LineRefused("bad_line", "the measurement is empty")
    tags: list[tuple[str, str]] = []
    while reader.next == ",":
        reader.at += 1
        name = read_pair(reader, "tag")
        value = reader.name(NAME)
        if not value or reader.next == "=":
            raise LineRefused("bad_line", f"the value of the tag {shown(name)} is empty or holds an equals sign")
        tags.append((name, value))
    reader.take(SPACES)
    fields: list[tuple[str, float | str]] = []
    while True:
        name = read_pair(reader, "field")
        fields.append((name, read_value(reader, name, name in options.text_fields)))
        if reader.next != ",":
            break
        reader.at += 1
    if reader.next not in (" ", ""):
        raise LineRefused("bad_line", f"the text of {shown(name)} goes on after its closing quote")
    reader.take(SPACES)
    time_ms = read_timestamp(text[reader.at :], options, arrival_ms)
    check_names([name for name, _ in tags], options)
    source, prefix, suffix = source_and_series(measurement, tags, options)
    check_length(source, options)
    named = [(f"{prefix}{name}{suffix}", value) for name, value in fields]
    check_names([name for name, _ in named], options)
    if len(tags) + len(fields) > options.event_fields_max:
        raise LineRefused("too_many_fields", f"the event has more than {options.event_fields_max} tags and fields")
    points = [(name, value) for name, value in named if not isinstance(value, str)]
    texts = [(name, value) for name, value in named if isinstance(value, str)]
    return Event(source, time_ms, points, texts)


def read_timestamp(text: str, options: Options, arrival_ms: int) -> int:
    """The time at the end of a line in milliseconds, that of arrival if there is none."""
    if not text:
        if options.time_required:
            raise LineRefused("no_time", "the line has no timestamp")
        return arrival_ms
    time_ms = parse_number_ms(text, options.precision) if TIMESTAMP.fullmatch(text) else None
    if time_ms is None:
        raise LineRefused("bad_time", f"the timestamp {shown(text)} is not a whole number of the years 1 to 9999")
    check_future(time_ms, arrival_ms, options)
    return time_ms


def source_and_series(measurement: str, tags: list[tuple[str, str]], options: Options) -> tuple[str, str, str]:
    """The source of a line, and what stands before and after a field in the name of its series."""
    values = dict(tags)
    chosen = next((name for name in options.source_fields if name in values), None)
    others = "".join(f",{name}={value}" for name, value in sorted(tags) if name != chosen)
    if chosen is not None:
        return values[chosen], f"{measurement}.", others
    if options.source_required:
        raise LineRefused("no_source", f"none of its tags is {' or '.join(map(shown, options.source_fields))}")
    return measurement + others, "", ""
