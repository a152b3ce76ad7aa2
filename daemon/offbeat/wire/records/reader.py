"""The bytes of one upload to records, as they come: cut anywhere, of any length, in bounded memory."""
from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, tzinfo

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings
from offbeat.uploads import Records
from offbeat.wire.records.delimited import Delimited
from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.errors import TooManyBadDates, TooManyBadRecords, UploadRefused
from offbeat.wire.records.fixed_width import NO_TIME
from offbeat.wire.records.objects import Objects
from offbeat.wire.records.plan import Plan
from offbeat.wire.records.rows import Column, Rows, Source
from offbeat.wire.records.search_response import SearchResponses
from offbeat.wire.records.single_line import SingleLines
from offbeat.wire.records.table import Read, coded
from offbeat.wire.records.times import parser
from offbeat.wire.records.transforms import Transform

PIECE_BYTES_MAX = 256 * 1024
"""A block is taken apart in pieces of this size, so that what is made of it stays in the processor's cache."""
JUDGED_FROM = 100
"""Before this many records of an upload none is too bad: some senders put a footer below their rows."""
BAD_SHARE_MAX = 0.25
"""A larger share of bad records of one kind, and the upload is refused."""


class Reader:
    """The records of one upload, of which the *wanted* fields are kept.

    transforms  what makes fields of fields, in any order
    zone        where a time without a zone is meant
    judges      refuse an upload for its share of bad records; else they are only counted

    Raises BadPattern and TransformError for a job that cannot be read by.
    """

    def __init__(
        self, description: DataDescription, transforms: Sequence[Transform], wanted: Sequence[str], zone: tzinfo = UTC,
        *, judges: bool = True,
    ) -> None:
        self._judges = judges
        self._plan = Plan(transforms)
        self._time = parser(description.time_format, zone)
        self._time_field = description.time_field
        self._wanted = tuple(dict.fromkeys(wanted))
        raw = (name for name in (self._time_field, *self._wanted) if name not in self._plan.outputs)
        self._source = _source(description, tuple(dict.fromkeys((*raw, *self._plan.inputs))))
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._bytes = 0
        self._seen = 0
        self._bad_dates = 0
        self._bad_records = 0

    def feed(self, block: bytes) -> Iterator[Read]:
        """What *block* completes, about 20,000 records at once at most; the next is made when it is asked for.

        Exhaust it before the next call. Raises UploadRefused, after which the reader is of no use; what came before
        stays.
        """
        for start in range(0, len(block), PIECE_BYTES_MAX):
            piece = block[start : start + PIECE_BYTES_MAX]
            self._bytes += len(piece)
            yield from self._read(self._decoder.decode(piece), last=False)

    def finish(self) -> Iterator[Read]:
        """What the end of the body completes. Raises UploadRefused."""
        yield from self._read(self._decoder.decode(b"", True), last=True)
        if self._bytes:
            yield self._counted_bytes()

    def _read(self, text: str, last: bool) -> Iterator[Read]:
        try:
            for rows in self._source.feed(text, last):
                read, refusal = self._taken(rows)
                yield read
                if refusal is not None:
                    raise refusal
        except UploadRefused:
            if self._bytes:
                yield self._counted_bytes()
            raise

    def _counted_bytes(self) -> Read:
        """A Read of no records: the bytes that no record has been charged with."""
        none = Records(np.zeros(0, np.int64), self._wanted, np.zeros((len(self._wanted), 0), np.int32),
                       tuple(coded(())[1] for _ in self._wanted))
        return Read(none, np.zeros(0, np.int32), self._take_bytes(), 0, 0, 0, 0, 0, 0)

    def _take_bytes(self) -> int:
        taken, self._bytes = self._bytes, 0
        return taken

    def _taken(self, rows: Rows) -> tuple[Read, UploadRefused | None]:
        """What becomes of *rows*, up to the one at which the upload is refused, if it is."""
        columns = dict(rows.columns)
        excluded, failed = self._plan.run(columns, rows.size)
        excluded &= ~rows.bad
        failed[excluded | rows.bad] = 0
        time_ms = self._times(columns[self._time_field])
        no_time = (time_ms == NO_TIME) & ~excluded & ~rows.bad
        size, refusal = self._judged(no_time, rows.bad)
        good = ~(no_time | excluded | rows.bad)
        good[size:] = False
        codes, texts = self._coded(columns, rows.size)
        records = Records(time_ms, self._wanted, codes, texts)
        if not good.all():
            records = records.keep(good)
        bad = int(rows.bad[:size].sum())
        return Read(
            records, (records.codes < 0).sum(axis=0, dtype=np.int32), self._take_bytes(), record_count=size,
            field_count=int(rows.field_count[:size].sum()), invalid_date_count=int(no_time[:size].sum()) + bad,
            bad_record_count=bad, failed_transform_count=int(failed[:size].sum()),
            excluded_count=int(excluded[:size].sum())), refusal

    def _times(self, column: Column) -> NDArray[np.int64]:
        distinct = dict.fromkeys(column)
        distinct.pop(None, None)
        texts = [text for text in distinct if text is not None]
        found: dict[str | None, int] = dict(zip(texts, self._time.many(texts).tolist(), strict=True))
        found[None] = NO_TIME
        return np.fromiter(map(found.__getitem__, column), np.int64, len(column))

    def _coded(self, columns: dict[str, Column], size: int) -> tuple[NDArray[np.int32], tuple[Strings, ...]]:
        codes, texts = np.empty((len(self._wanted), size), np.int32), []
        for j, name in enumerate(self._wanted):
            codes[j], found = coded(columns[name])
            texts.append(found)
        return codes, tuple(texts)

    def _judged(self, no_time: NDArray[np.bool_], bad: NDArray[np.bool_]) -> tuple[int, UploadRefused | None]:
        """How many of the records count: all, or up to the one at which too many of one kind are bad, and why.

        Which one that is does not depend on how the body is cut.
        """
        seen = self._seen + np.arange(1, bad.size + 1)
        dates = self._bad_dates + np.cumsum(no_time)
        records = self._bad_records + np.cumsum(bad)
        size, refusal = bad.size, None
        for count, error, what in ((dates, TooManyBadDates, "have a time that cannot be read"),
                                   (records, TooManyBadRecords, "cannot be read")):
            over = self._judges & (seen >= JUDGED_FROM) & (count > BAD_SHARE_MAX * seen)
            first = int(over.argmax()) if over.any() else size
            if first < size:
                size = first + 1
                refusal = error(f"{count[first]} of the first {seen[first]} records {what}")
        if size:
            self._seen, self._bad_dates = int(seen[size - 1]), int(dates[size - 1])
            self._bad_records = int(records[size - 1])
        return size, refusal


def _source(description: DataDescription, needed: Sequence[str]) -> Source:
    if description.format == "DELIMITED":
        return Delimited(description, needed)
    sources: dict[str, Callable[[Sequence[str]], Source]] = {
        "JSON": Objects, "SINGLE_LINE": SingleLines, "ELASTICSEARCH": SearchResponses}
    return sources[description.format](needed)
