"""What would be analysed of an upload, as text to look at. Nothing is kept and nothing counted."""
from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo

from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.reader import Reader
from offbeat.wire.records.table import Read
from offbeat.wire.records.transforms import Transform


def preview(
    description: DataDescription, transforms: Sequence[Transform], wanted: Sequence[str], blocks: Iterable[bytes],
    zone: tzinfo = UTC,
) -> Iterator[str]:
    """CSV in pieces: a header, then for each record its time in seconds since 1970 and the *wanted* fields.

    A record without a time, and one that is excluded, is left out. Raises as Reader does.

    Source: Prelert Engine API, section 7.9.
    """
    reader = Reader(description, transforms, wanted, zone)
    fields = [name for name in dict.fromkeys(wanted) if name != description.time_field]
    yield _lines([[description.time_field, *fields]])
    for block in blocks:
        for read in reader.feed(block):
            yield _table(read, fields)
    for read in reader.finish():
        yield _table(read, fields)


def _table(read: Read, fields: Sequence[str]) -> str:
    records = read.records
    columns: list[list[str]] = [[str(time_ms // 1000) for time_ms in records.time_ms.tolist()]]
    for name in fields:
        j = records.fields.index(name)
        texts = [*records.texts[j], ""]  # code −1 is the last
        columns.append([texts[code] for code in records.codes[j].tolist()])
    return _lines(zip(*columns, strict=True))


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
