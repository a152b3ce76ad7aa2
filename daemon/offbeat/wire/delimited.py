"""CSV, plainly: records, cells, the header and what a cell is. Scanning at speed is in fast_delimited.

A record ends at a newline outside quotes. A quote opens a quoted cell only as the cell's first byte, so a stray one
spoils its own line and not the rest of the body; inside, a quote is written twice.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from offbeat.errors import BadRequest
from offbeat.wire.compiled import Bytes, Ints, step
from offbeat.wire.fields import (
    BLANK,
    BOM,
    NOT_FINITE,
    NUMBER,
    BodyRefused,
    Event,
    LineRefused,
    Number,
    Value,
    check_length,
    event_of,
    shown,
    text_of,
    too_long,
)
from offbeat.wire.options import Options

NO_DELIMITER = re.compile(r'[A-Za-z0-9+\-."\r\n\0]')


def delimiter_of(options: Options) -> bytes:
    """The byte between cells. Raises BadRequest for what cannot be one."""
    delimiter = options.delimiter
    if len(delimiter) != 1 or not delimiter.isascii() or NO_DELIMITER.match(delimiter):
        raise BadRequest(
            f"the delimiter is {delimiter!r}: expected one character of ASCII that begins no number, name or quote",
            where={"parameter": "delimiter"})
    return delimiter.encode()


@cache
def record_pattern(delimiter: bytes) -> re.Pattern[bytes]:
    """What any record looks like: cells that may begin with something in quotes, which may lack its end."""
    cell = rb'(?:"(?:[^"]++|"")*+"?)?+[^%s\n]*+' % re.escape(delimiter)
    return re.compile(rb"%s(?:%s%s)*+" % (cell, re.escape(delimiter), cell))


def record_end(body: bytes | bytearray, start: int, delimiter: bytes) -> int:
    """Where the record that begins at *start* ends: the position of its newline, or the end of the body."""
    match = record_pattern(delimiter).match(body, start)
    assert match is not None  # it can be empty
    return match.end()


def records(body: bytes, start: int, line: int, delimiter: bytes) -> Iterator[tuple[int, int, int]]:
    """The records from *start* on as (line, start, end), also blank ones; *line* is the number of the first."""
    while start < len(body):
        end = record_end(body, start, delimiter)
        yield line, start, end
        line += body.count(b"\n", start, end) + 1
        start = end + 1


def cells_of(record: bytes, delimiter: str) -> list[str]:
    """The cells of one record. Spaces and tabs around a bare cell do not count; refuses a stray quote and a NUL."""
    text = text_of(record.removesuffix(b"\r"))
    if "\0" in text:
        raise LineRefused("bad_csv", "the row holds a NUL")
    cells: list[str] = []
    at = 0
    while True:
        if text[at : at + 1] == '"':
            closing = text.find('"', at + 1)
            while closing >= 0 and text[closing + 1 : closing + 2] == '"':
                closing = text.find('"', closing + 2)
            if closing < 0:
                raise LineRefused("bad_csv", "a quote is not closed")
            cells.append(text[at + 1 : closing].replace('""', '"'))
            at = closing + 1
            if at < len(text) and text[at] != delimiter:
                raise LineRefused("bad_csv", f"cell {len(cells)} goes on after its closing quote")
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            if '"' in text[at:end]:
                raise LineRefused("bad_csv", f"a stray quote in cell {len(cells) + 1}")
            cells.append(text[at:end].strip(BLANK))
            at = end
        if at == len(text):
            return cells
        at += 1


def read_header(body: bytes, options: Options) -> tuple[tuple[str, ...], int, int]:
    """The names of the columns, where the first data row begins, and its line number if the body is the whole of it.

    The header is the first record that is not blank; a byte order mark before it does not count. A body without any
    record has no columns and no rows. Raises BodyRefused for a header that is no CSV or has an empty or a double name.
    """
    delimiter = delimiter_of(options)
    begin = len(BOM) if body.startswith(BOM) else 0
    for line, start, end in records(body, begin, 1, delimiter):
        record = body[start:end]
        if is_blank(record):
            continue
        try:
            if len(record) > options.line_bytes_max:
                raise too_long(options)
            names = cells_of(record, options.delimiter)
            names = [name.strip(BLANK) for name in names]
            if len(names) > options.event_fields_max:
                raise LineRefused("too_many_fields", f"it has more than {options.event_fields_max} columns")
            for number, name in enumerate(names, 1):
                check_length(name, options)
                if not name:
                    raise LineRefused("bad_csv", f"the name of column {number} is empty")
                if name in names[: number - 1]:
                    raise LineRefused("duplicate_key", f"two columns are called {shown(name)}")
        except LineRefused as e:
            raise BodyRefused(f"the header row cannot be read: {e.reason}") from None
        return tuple(names), end + 1, line + record.count(b"\n") + 1
    return (), len(body), 1


def is_blank(record: bytes) -> bool:
    """Is there nothing but spaces, tabs and carriage returns?"""
    return not record.strip(BLANK.encode())


def typed(cell: Value) -> Value:
    """A cell as the number or boolean that it looks like, else as text; NaN and infinity are numbers, to be refused."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip(BLANK)
    if NUMBER.fullmatch(text) or NOT_FINITE.fullmatch(text):
        return Number(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return cell


def read_row(record: bytes, names: tuple[str, ...], options: Options, arrival_ms: int) -> Event:
    """The event in one row. An empty cell is absent, quoted or not; quotes do not keep a number from being one.

    A source is the text of its cell whatever it looks like.
    """
    cells = cells_of(record, options.delimiter)
    if len(cells) != len(names):
        raise LineRefused("bad_csv", f"the row has {len(cells)} cells where the header has {len(names)}")
    pairs = [(name, cell or None) for name, cell in zip(names, cells, strict=True)]
    return event_of(pairs, options, arrival_ms, typed)


FRESH, BARE, QUOTED, CLOSING = range(4)
"""Where a byte of CSV can stand: first in its cell, in a bare cell, in quotes, after a quote in quotes."""


@step
def scan_records(data: Bytes, state: Ints, delimiter: int) -> tuple[int, int]:
    """Where the first and the last record end that end in *data*: one past their newlines, 0 if none ends.

    state  (1,) int64   where the next byte stands; FRESH at the beginning of a body, carried from chunk to chunk
    Agrees with ``record_end``.
    """
    first = last = 0
    place = state[0]
    for at in range(data.size):
        c = data[at]
        if place == QUOTED:
            if c == 34:
                place = CLOSING
        elif c == 10:
            place = FRESH
            last = at + 1
            if first == 0:
                first = last
        elif c == 34 and place in (FRESH, CLOSING):
            place = QUOTED
        elif c == delimiter:
            place = FRESH
        else:
            place = BARE
    state[0] = place
    return first, last
