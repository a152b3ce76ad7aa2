"""Records of an upload as columns: what a body for an analysis is read into, and what the journal keeps of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings

MISSING = np.int32(-1)


NUMBER = re.compile(r"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*")


def number_of(text: str) -> float:
    """The number that *text* is, in decimal notation, spaces around it allowed; NaN if it is none or not finite."""
    if NUMBER.fullmatch(text) is None:
        return float("nan")
    value = float(text)
    return value if abs(value) != float("inf") else float("nan")


@dataclass(frozen=True, slots=True)
class Records:
    """n records in the order in which they came, of k fields.

    time_ms  (n,) int64
    fields   the names of the columns, each once
    codes    (k, n) int32 into the k lists of texts; MISSING: the record has not got the field, or it is empty
    texts    by column: distinct texts, each once, in order of first sight
    values   (n,) float64 of columns that are asked for as numbers only and are known as such, NaN for no number: the
             codes of such a column only say which records have it, and it has no texts that mean anything
    """

    time_ms: NDArray[np.int64]
    fields: tuple[str, ...]
    codes: NDArray[np.int32]
    texts: tuple[Strings, ...]
    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many records there are."""
        return int(self.time_ms.size)

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        held = self.time_ms.nbytes + self.codes.nbytes
        return held + sum(texts.data.nbytes + texts.end.nbytes for texts in self.texts)

    def keep(self, rows: NDArray[np.bool_]) -> Records:
        """Only the records where *rows* (n,) is true."""
        if rows.all():
            return self
        values = {name: column[rows] for name, column in self.values.items()}
        return Records(self.time_ms[rows], self.fields, self.codes[:, rows], self.texts, values)

    def numbers(self, field: str) -> NDArray[np.float64]:
        """(n,) what the column holds as numbers; NaN where it is missing or no finite number."""
        if field in self.values:
            return self.values[field]
        i = self.fields.index(field)
        return numbers_at(self.texts[i], self.codes[i])


def joined(parts: Sequence[Records]) -> Records:
    """The records of *parts*, at least one, one part after the other; all have the same fields."""
    if len(parts) == 1:
        return parts[0]
    fields = parts[0].fields
    codes, texts = [], []
    for i in range(len(fields)):
        known: dict[str, int] = {}
        columns = []
        for part in parts:
            of_part = [known.setdefault(text, len(known)) for text in part.texts[i]]
            columns.append(np.array([*of_part, MISSING], np.int32)[part.codes[i]])
        codes.append(np.concatenate(columns))
        texts.append(Strings.of(known))
    times = np.concatenate([part.time_ms for part in parts])
    made = np.array(codes, np.int32).reshape(len(fields), times.size)
    return Records(times, fields, made, tuple(texts))


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


def numbers_at(texts: Strings, codes: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n,) the numbers that the texts of these *codes* are; NaN where one is none, or MISSING."""
    values = np.append(numbers_of(texts), np.nan)  # MISSING is the last
    found: NDArray[np.float64] = values[codes]
    return found


def arrays_of(records: Records) -> dict[str, NDArray[Any]]:
    """*records* as arrays by name, for ``pack``."""
    names = Strings.of(records.fields)
    arrays: dict[str, NDArray[Any]] = {
        "time": records.time_ms,
        "codes": records.codes.ravel(),
        "names": names.data,
        "names_end": names.end,
    }
    for i, texts in enumerate(records.texts):
        arrays |= {f"data{i}": texts.data, f"end{i}": texts.end}
    return arrays


def records_of(arrays: Mapping[str, NDArray[Any]]) -> Records:
    """What ``arrays_of`` was given."""
    fields = tuple(Strings(arrays["names"], arrays["names_end"]))
    texts = tuple(Strings(arrays[f"data{i}"], arrays[f"end{i}"]) for i in range(len(fields)))
    time_ms = arrays["time"]
    return Records(time_ms, fields, arrays["codes"].reshape(len(fields), time_ms.size), texts)
