"""The records of an analysis, as columns, and what is counted on the way to them."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings

NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")


def number_of(text: str) -> float:
    """The number that *text* is, in decimal notation, spaces around it allowed; NaN if it is none or not finite."""
    if NUMBER.fullmatch(text) is None:
        return float("nan")
    value = float(text)
    return value if abs(value) != float("inf") else float("nan")


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one piece of an upload, in order of arrival: n records of k fields.

    time_ms  (n,) int64    milliseconds since 1970 UTC
    fields   names of the k columns
    codes    (k, n) int32  field j of record i is texts[j][codes[j, i]]; −1 if it is missing or empty
    texts    for each field its distinct texts, in order of first sight among the records that were read
    """

    time_ms: NDArray[np.int64]
    fields: tuple[str, ...]
    codes: NDArray[np.int32]
    texts: tuple[Strings, ...]

    @property
    def size(self) -> int:
        """n."""
        return int(self.time_ms.size)

    def numbers(self, field: str) -> NDArray[np.float64]:
        """The values of *field*, (n,) float64: NaN where it is missing or no finite number."""
        j = self.fields.index(field)
        values = np.full(len(self.texts[j]) + 1, np.nan)  # code −1 is the last
        values[:-1] = numbers_of(self.texts[j])
        numbers: NDArray[np.float64] = values.take(self.codes[j])
        return numbers

    def keep(self, mask: NDArray[np.bool_]) -> Records:
        """Only the records where *mask*, (n,) bool, is true; the texts stay as they are."""
        return Records(self.time_ms[mask], self.fields, self.codes[:, mask], self.texts)


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


def numbers_of(texts: Strings) -> NDArray[np.float64]:
    """The number that each text is, (k,) float64, NaN where it is none."""
    whole = list(texts)
    data = texts.data
    # float() also takes digits of other scripts, and underscores between digits.
    if not (data.size and (int(data.max()) > 127 or bool((data == ord("_")).any()))):
        try:
            values = np.array(list(map(float, whole)), np.float64)
        except ValueError:
            pass
        else:
            values[~np.isfinite(values)] = np.nan
            return values
    return np.array([number_of(text) for text in whole], np.float64)


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
