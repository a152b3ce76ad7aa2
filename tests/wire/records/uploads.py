"""Uploads to test with: read whole or cut, and what was read told in plain words."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from offbeat.wire.records import DataDescription, Read, Reader, Transform
from offbeat.wire.records.errors import UploadRefused

COUNTS = ("input_bytes", "record_count", "field_count", "invalid_date_count", "bad_record_count",
          "failed_transform_count", "excluded_count")


@dataclass
class Told:
    """All that came of an upload, in plain values: a row is its time and the texts of the wanted fields."""

    rows: list[tuple[int, tuple[str | None, ...]]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    refusal: type[UploadRefused] | None = None

    def add(self, read: Read) -> None:
        """*read* behind what came before."""
        columns = []
        for codes, texts in zip(read.records.codes, read.records.texts, strict=True):
            said = [*texts, None]  # code −1 is the last
            columns.append([said[code] for code in codes.tolist()])
        rows = zip(*columns, strict=True) if columns else [()] * read.records.size
        self.rows += zip(read.records.time_ms.tolist(), rows, strict=True)
        self.missing += read.missing.tolist()
        for name in COUNTS:
            self.counts[name] += getattr(read, name)


def pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """*body* cut at the places *cuts*."""
    places = sorted({min(cut, len(body)) for cut in cuts})
    return [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]


def told(reader: Reader, blocks: Iterable[bytes]) -> Told:
    """What *reader* makes of *blocks*, up to where it refuses."""
    result = Told()
    try:
        for block in blocks:
            for read in reader.feed(block):
                result.add(read)
        for read in reader.finish():
            result.add(read)
    except UploadRefused as e:
        result.refusal = type(e)
    return result


def read(
    body: str | bytes, wanted: Sequence[str] = ("a", "b"), transforms: Sequence[Transform] = (), *,
    cuts: Iterable[int] = (), zone: tzinfo = UTC, **description: Any,
) -> Told:
    """*body* as it is read by a description that is comma-delimited unless told otherwise."""
    reader = Reader(DataDescription(**{"field_delimiter": ",", **description}), transforms, wanted, zone)
    return told(reader, pieces(body if isinstance(body, bytes) else body.encode(), cuts))
