"""Delimited text to rows: the first row names the fields. Rows are read by Python's csv module, block by block.

A quote opens a quoted field only as its first character. Where a quote is never closed, its line alone is a bad row:
what "never" means must not depend on how the body is cut, so it is within RECORD_CHARACTERS_MAX.
"""
from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter

import numpy as np

from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.errors import FieldsMissing
from offbeat.wire.records.rows import RECORD_CHARACTERS_MAX, ROWS_MAX, Column, Pieces, Rows

BARE_RETURN = re.compile(r"\r(?!\n)")
BAD: list[str] = []
"""Stands for a row that could not be read; known by its identity."""


class Delimited:
    """Rows of delimited text, of which *needed* fields are kept.

    Raises FieldsMissing when the header lacks one of them.
    """

    def __init__(self, description: DataDescription, needed: Sequence[str]) -> None:
        delimiter, quote = re.escape(description.field_delimiter), re.escape(description.quote_character)
        self._delimiter, self._quote = description.field_delimiter, description.quote_character
        self._needed = tuple(needed)
        self._header: list[str] | None = None
        self._at: list[int] = []
        self._pieces = Pieces("\n")
        self._skips = False
        cell = rf"(?:{quote}(?:[^{quote}]++|{quote}{quote})*+{quote})?+(?!{quote})[^{delimiter}\n]*+"
        # A quote at the beginning of a cell opens it; one that is never closed makes no cell.
        self._record = re.compile(rf"{cell}(?:{delimiter}{cell})*+(?:\n|\Z)")

    def feed(self, text: str, last: bool) -> Iterator[Rows]:
        """The rows that *text* completes."""
        whole = self._pieces.add(text, last, RECORD_CHARACTERS_MAX)
        if whole is None:
            return
        at = 0
        while at < len(whole):
            if self._skips:
                newline = whole.find("\n", at)
                at = newline + 1 if newline >= 0 else len(whole)
                self._skips = newline < 0
                continue
            end = self._good_until(whole, at, last)
            if end > at:
                yield from self._rows(whole[at:end])
                at = end
            elif not last and len(whole) - at <= RECORD_CHARACTERS_MAX:
                break
            else:
                yield from self._table([BAD])
                self._skips = True
        self._pieces.put_back(whole[at:])

    def _good_until(self, text: str, start: int, last: bool) -> int:
        """Up to where text[start:] holds whole records that are not too long."""
        end = len(text) if last else text.rfind("\n", start) + 1
        if end <= start:
            return start
        if text.find(self._quote, start, end) < 0 and (
                end - start <= RECORD_CHARACTERS_MAX or self._lines_are_short(text, start, end)):
            return end
        at = start
        while at < len(text):
            match = self._record.match(text, at, min(len(text), at + RECORD_CHARACTERS_MAX + 1))
            if match is None:
                break
            stop = match.end()
            ends_body = last and stop == len(text) and stop - at <= RECORD_CHARACTERS_MAX
            if text[stop - 1] != "\n" and not ends_body:
                break
            at = stop
        return at

    @staticmethod
    def _lines_are_short(text: str, start: int, end: int) -> bool:
        return max(map(len, text[start:end].split("\n"))) <= RECORD_CHARACTERS_MAX

    def _rows(self, text: str) -> Iterator[Rows]:
        """The rows of whole records."""
        if self._header is not None and (flat := self._regular(text)) is not None:
            width = len(self._header)
            for start in range(0, len(flat) - 1, ROWS_MAX * width):
                yield self._together(flat[start : start + ROWS_MAX * width], width)
            return
        rows = self._one_by_one(text) if BARE_RETURN.search(text) else self._csv(text)
        while some := list(islice(rows, ROWS_MAX)):
            yield from self._table(some)

    def _csv(self, text: str) -> Iterator[list[str]]:
        lines = csv.reader(io.StringIO(text, newline="\n"), delimiter=self._delimiter, quotechar=self._quote)
        return filter(None, lines)  # a blank line is no row

    def _one_by_one(self, text: str) -> Iterator[list[str]]:
        """The rows of *text*, BAD for one that the csv module refuses, which begins anew with each.

        Left to itself it goes on in the middle of a row that it refused, where a quote may be open.
        """
        at = 0
        while (match := self._record.match(text, at)) is not None and at < len(text):
            try:
                yield from list(self._csv(match[0]))
            except csv.Error:
                yield BAD
            at = match.end()

    def _regular(self, text: str) -> list[str] | None:
        """All fields of all rows, if no quote and no blank line is among them and each row is as wide as the header.

        Three times as fast as the csv module, which makes a list of each row. None for what it has to read.
        """
        if self._quote in text or not text.endswith("\n") or not self._delimiter.isascii():
            return None
        if "\r" in text:
            text = text.replace("\r\n", "\n")
            if "\r" in text:
                return None
        data = np.frombuffer(text.encode(), np.uint8)
        ends = data[(data == ord(self._delimiter)) | (data == ord("\n"))]
        width = len(self._header or ())
        if ends.size % width or width == 1:  # a blank line is no row of one field
            return None
        by_row = ends.reshape(-1, width) == ord("\n")
        if not by_row[:, -1].all() or by_row[:, :-1].any():
            return None
        return text.replace("\n", self._delimiter).split(self._delimiter)

    def _together(self, flat: list[str], width: int) -> Rows:
        size = len(flat) // width
        columns: dict[str, Column] = {
            name: flat[i : size * width : width] for name, i in zip(self._needed, self._at, strict=True)}
        return Rows(columns, np.full(size, width, np.int64), np.zeros(size, np.bool_))

    def _table(self, rows: list[list[str]]) -> Iterator[Rows]:
        if self._header is None:
            self._take_header(rows[0])
            rows = rows[1:]
        if not rows:
            return
        width = len(self._header or ())
        sizes = np.fromiter(map(len, rows), np.int64, len(rows))
        columns: dict[str, Column] = {name: _column(rows, i) for name, i in zip(self._needed, self._at, strict=True)}
        bad = sizes == 0  # BAD alone: a row that was read has a field
        yield Rows(columns, np.minimum(sizes, width), bad)

    def _take_header(self, header: list[str]) -> None:
        self._header = header
        missing = [name for name in self._needed if name not in header]
        if missing:
            names = ", ".join(repr(name) for name in missing)
            raise FieldsMissing(f"the header has no field {names}: it names {', '.join(map(repr, header[:100]))}")
        self._at = [header.index(name) for name in self._needed]


def _column(rows: Sequence[list[str]], i: int) -> Column:
    try:
        return list(map(itemgetter(i), rows))
    except IndexError:  # a row is short
        return [row[i] if i < len(row) else None for row in rows]
