"""The records of an analysis, as columns, and what is counted on the way to them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings
from offbeat.uploads import Records


@dataclass(frozen=True, slots=True)
class Read:
    """What a piece of an upload holds: its records and the counts of the upload since the piece before.

    missing                 (n,) int32  fields of record i that are missing or empty
    input_bytes             bytes that came in, uncompressed
    record_count            all records: those here, and those with a bad date, bad ones and excluded ones
    field_count             fields received, wanted or not
    invalid_date_count      records without a time that can be read, bad ones too
    bad_record_count        of those, how many could not be read at all
    failed_transform_count  transforms that made nothing of a record
    excluded_count          records that a transform excluded

    Source: Prelert Engine API, section 7.6.
    """

    records: Records
    missing: NDArray[np.int32]
    input_bytes: int
    record_count: int
    field_count: int
    invalid_date_count: int
    bad_record_count: int
    failed_transform_count: int
    excluded_count: int


def coded(column: Sequence[str | None]) -> tuple[NDArray[np.int32], Strings]:
    """The values of one field as codes, (n,) int32, into their distinct texts; −1 for None and the empty text."""
    distinct = dict.fromkeys(column)
    distinct.pop(None, None)
    distinct.pop("", None)
    code: dict[str | None, int] = dict(zip(distinct, range(len(distinct)), strict=True))
    texts = packed(list(code))  # type: ignore[arg-type]  # None is out
    code[None] = code[""] = -1
    return np.fromiter(map(code.__getitem__, column), np.int32, len(column)), texts


def packed(texts: list[str]) -> Strings:
    """*texts* as Strings; half of a surrogate pair, which UTF-8 cannot say, becomes a question mark."""
    data = "".join(texts).encode("utf-8", "replace")
    lengths: list[int] | map[int] = map(len, texts)
    if not data.isascii():
        lengths = [len(text.encode("utf-8", "replace")) for text in texts]
    end = np.cumsum(np.fromiter(lengths, np.int64, len(texts)), dtype=np.int64)
    return Strings(np.frombuffer(data, np.uint8), end)
