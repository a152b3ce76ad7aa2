"""One upload as a question sees it: each field as numbers of the job, as values, as hashes; made once, if asked."""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.names import NONE, Names
from offbeat.records import Strings
from offbeat.uploads import Records, numbers_at
from offbeat_detectors.buckets.distinct import hashes


class Columns:
    """The n records of an upload that count."""

    def __init__(self, records: Records, names: MutableMapping[str, Names]) -> None:
        self.size = records.size
        self.time_ms = records.time_ms
        self._names = names
        self._texts = dict(zip(records.fields, records.texts, strict=True))
        self._codes = dict(zip(records.fields, records.codes, strict=True))
        self._numbers: dict[str, NDArray[np.int32]] = {}
        self._values: dict[str, NDArray[np.float64]] = {}
        self._hashes: dict[str, NDArray[np.uint64]] = {}

    def put(self, field: str, texts: Strings, codes: NDArray[np.int32]) -> None:
        """Add a field that was made here, or replace one."""
        self._texts[field], self._codes[field] = texts, codes

    def texts(self, field: str) -> tuple[Strings, NDArray[np.int32]]:
        """The distinct texts of a field and (n,) which of them each record has; NONE: none."""
        return self._texts[field], self._codes[field]

    def numbers(self, field: str) -> NDArray[np.int32]:
        """(n,) the job's number of each value; NONE without one. All NONE for no field."""
        if not field and field not in self._numbers:
            self._numbers[field] = np.full(self.size, NONE, np.int32)
        if field not in self._numbers:
            known = self._names.setdefault(field, Names())
            self._numbers[field] = known.number(self._texts[field], self._codes[field])
        return self._numbers[field]

    def values(self, field: str) -> NDArray[np.float64]:
        """(n,) each value as a number, NaN where it is none."""
        if field not in self._values:
            self._values[field] = numbers_at(self._texts[field], self._codes[field])
        return self._values[field]

    def hashes(self, field: str) -> NDArray[np.uint64]:
        """(n,) a hash of each value; that of no value is 0 and means nothing."""
        if field not in self._hashes:
            made = np.append(hashes(list(self._texts[field])), np.uint64(0))
            self._hashes[field] = made[self._codes[field]]
        return self._hashes[field]

    def missing(self, field: str) -> NDArray[np.bool_]:
        """(n,) where a record has not got the field."""
        lacks: NDArray[np.bool_] = self._codes[field] == NONE
        return lacks
