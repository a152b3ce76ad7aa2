"""Records of an upload as columns: what a body for an analysis is read into, and what the journal keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings

MISSING = np.int32(-1)


@dataclass(frozen=True, slots=True)
class Records:
    """n records in the order in which they came, of k fields.

    time_ms  (n,) int64
    fields   the names of the columns, each once
    codes    (k, n) int32 into the k lists of texts; MISSING: the record has not got the field, or it is empty
    texts    by column: distinct texts, each once, in order of first sight
    """

    time_ms: NDArray[np.int64]
    fields: tuple[str, ...]
    codes: NDArray[np.int32]
    texts: tuple[Strings, ...]

    @property
    def size(self) -> int:
        """How many records there are."""
        return int(self.time_ms.size)

    def keep(self, rows: NDArray[np.bool_]) -> Records:
        """Only the records where *rows* (n,) is true."""
        return self if rows.all() else Records(self.time_ms[rows], self.fields, self.codes[:, rows], self.texts)

    def numbers(self, field: str) -> NDArray[np.float64]:
        """(n,) what the column holds as numbers; NaN where it is missing or no finite number."""
        i = self.fields.index(field)
        found: NDArray[np.float64] = numbers_of(list(self.texts[i]))[self.codes[i]]
        return found


def numbers_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """(k + 1,) *texts* as numbers, NaN where one is none; the last is NaN, for MISSING."""
    made = np.full(len(texts) + 1, np.nan)
    try:
        made[:-1] = np.array(texts, np.float64) if texts else 0.0
    except ValueError:
        for i, text in enumerate(texts):
            try:
                made[i] = float(text)
            except ValueError:
                continue
    made[~np.isfinite(made)] = np.nan
    return made


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
