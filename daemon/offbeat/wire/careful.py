"""Decoding line by line with nothing but dictionaries and lists: the definition that ``decode`` must agree with."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from offbeat.records import Decoded, RejectedLine, Strings, Table
from offbeat.wire import delimited, jsonarray, lineprotocol, ndjson
from offbeat.wire.fields import BLANK, BOM, BodyRefused, Event, LineRefused, kept_bytes, start_of, too_long
from offbeat.wire.options import Options


@dataclass(slots=True)
class Rejects:
    """Rejected lines as they are found: counted all, listed while a body has fewer than the bound."""

    kept_max: int
    lines: list[RejectedLine] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    def begin_body(self) -> None:
        """What follows belongs to the next body."""
        self.counts.append(0)

    def add(self, line: int, refusal: LineRefused, content: bytes) -> None:
        """Line *line* of the current body is refused."""
        if self.counts[-1] < self.kept_max:
            self.lines.append(RejectedLine(len(self.counts) - 1, line, refusal.code, refusal.reason, start_of(content)))
        self.counts[-1] += 1
        self.codes[refusal.code] += 1


@dataclass(slots=True)
class PlainTable:
    """A table that grows event by event; each dictionary numbers its names in order of first sight."""

    sources: dict[str, int] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    text_fields: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    points: list[tuple[int, int, float]] = field(default_factory=list)
    text_points: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, event: Event, line: int) -> None:
        """Append *event*, which stood in line *line* of its body."""
        row = len(self.rows)
        self.rows.append((self.sources.setdefault(event.source, len(self.sources)), event.time_ms, line))
        for name, value in event.points:
            self.points.append((row, self.fields.setdefault(name, len(self.fields)), value))
        for name, text in event.texts:
            code = self.texts.setdefault(text, len(self.texts))
            self.text_points.append((row, self.text_fields.setdefault(name, len(self.text_fields)), code))

    def table(self) -> Table:
        """All events so far."""
        return Table(
            sources=Strings.of(self.sources),
            source=np.array([source for source, _, _ in self.rows], np.int32),
            time_ms=np.array([time_ms for _, time_ms, _ in self.rows], np.int64),
            fields=Strings.of(self.fields),
            point_row=np.array([row for row, _, _ in self.points], np.int32),
            point_field=np.array([name for _, name, _ in self.points], np.int32),
            point_value=np.array([value for _, _, value in self.points], np.float64),
            text_fields=Strings.of(self.text_fields),
            texts=Strings.of(self.texts),
            text_row=np.array([row for row, _, _ in self.text_points], np.int32),
            text_field=np.array([name for _, name, _ in self.text_points], np.int32),
            text_code=np.array([code for _, _, code in self.text_points], np.int32),
        )


def lines_of(body: bytes, first_line: int) -> Iterator[tuple[int, bytes]]:
    """The lines of *body* with their numbers; a byte order mark does not count if line 1 begins with it."""
    start = len(BOM) if first_line == 1 and body.startswith(BOM) else 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        yield first_line, body[start:end]
        first_line, start = first_line + 1, end + 1


def is_skipped(line: bytes, options: Options) -> bool:
    """Is *line* nothing to read and nothing to reject: blank, or a comment of line protocol?"""
    return lineprotocol.is_comment_or_blank(line) if options.format == "influx" else not line.strip(BLANK.encode())


def read_event(line: bytes, columns: tuple[str, ...], options: Options, arrival_ms: int) -> Event:
    """The event in one line, record or element of the format; *columns* are those of CSV. Raises LineRefused."""
    if len(line) > options.line_bytes_max:
        raise too_long(options)
    if options.format == "csv":
        return delimited.read_row(line, columns, options, arrival_ms)
    if options.format == "influx":
        return lineprotocol.read_line(line, options, arrival_ms)
    return ndjson.read_object(line, options, arrival_ms)


def records_of(
    body: bytes, options: Options, first_line: int | None,
) -> tuple[tuple[str, ...], Iterator[tuple[int, bytes]]]:
    """The columns of *body* (CSV only) and its records with their numbers. Raises BodyRefused."""
    if options.format == "csv":
        columns, start, line = delimited.read_header(body, options)
        spans = delimited.records(body, start, first_line or line, delimited.delimiter_of(options))
        return columns, ((line, body[start:end]) for line, start, end in spans)
    if options.format == "json":
        body = jsonarray.lines_plainly(body, kept_bytes(options))
    return (), lines_of(body, first_line or 1)


def decode_carefully(
    bodies: Sequence[bytes], options: Options, arrival_ms: Sequence[int], first_line: Sequence[int] | None = None,
) -> Decoded:
    """What ``decode`` says, found line by line; slow, obvious, and the definition."""
    table = PlainTable()
    rejects = Rejects(options.rejects_kept)
    failed: dict[int, str] = {}
    body_end: list[int] = []
    for i, body in enumerate(bodies):
        rejects.begin_body()
        try:
            columns, records = records_of(body, options, None if first_line is None else first_line[i])
        except BodyRefused as e:
            failed[i] = str(e)
            records = iter(())
        for line, content in records:
            try:
                if len(content) > options.line_bytes_max or not is_skipped(content, options):
                    table.add(read_event(content, columns, options, arrival_ms[i]), line)
            except LineRefused as e:
                rejects.add(line, e, content)
        body_end.append(len(table.rows))
    return Decoded(
        table=table.table(), body_end=np.array(body_end, np.int64),
        row_line=np.array([line for _, _, line in table.rows], np.int32), rejected=tuple(rejects.lines),
        rejected_count=np.array(rejects.counts, np.int64), rejected_codes=dict(rejects.codes), failed=failed)
