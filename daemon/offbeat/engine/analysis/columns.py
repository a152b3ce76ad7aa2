"""One upload as a question sees it: each field as numbers of the job, as values, as hashes; made once, if asked."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.names import BEYOND, NONE, Names
from offbeat.records import Strings
from offbeat.uploads import Records, numbers_at
from offbeat_detectors.buckets.distinct import hashes

UNKNOWN = BEYOND - 1


@dataclass(slots=True)
class Numbered:
    """The numbers of a field: (n,), and (n,) where there is no room for one; made of the records before *done*.

    known  by text of the upload, NONE last: its number, or UNKNOWN; as long as no more are *forgotten*
    """

    number: NDArray[np.int32]
    beyond: NDArray[np.bool_]
    done: int
    known: NDArray[np.int32]
    forgotten: int = 0


class Columns:
    """The n records of an upload that count. Those before ``reach`` have been given their numbers.

    Not all at once, for what a bucket that closes between two records makes the job forget depends on no later one.
    """

    def __init__(self, records: Records, names: MutableMapping[str, Names]) -> None:
        self.size = records.size
        self.time_ms = records.time_ms
        self._names = names
        self._texts = dict(zip(records.fields, records.texts, strict=True))
        self._codes = dict(zip(records.fields, records.codes, strict=True))
        self._reach = records.size
        self._numbers: dict[str, Numbered] = {}
        self._values: dict[str, NDArray[np.float64]] = dict(records.values)
        self._hashes: dict[str, NDArray[np.uint64]] = {}

    def put(self, field: str, texts: Strings, codes: NDArray[np.int32]) -> None:
        """Add a field that was made here, or replace one."""
        self._texts[field], self._codes[field] = texts, codes

    def texts(self, field: str) -> tuple[Strings, NDArray[np.int32]]:
        """The distinct texts of a field and (n,) which of them each record has; NONE: none."""
        return self._texts[field], self._codes[field]

    def reach(self, stop: int) -> None:
        """Records before *stop* are looked at from now on."""
        self._reach = stop

    def numbers(self, field: str) -> NDArray[np.int32]:
        """(n,) the job's number of each value; NONE without one, or if there is no room. All NONE for no field."""
        return self._numbered(field).number

    def beyond(self, field: str) -> NDArray[np.bool_]:
        """(n,) where there is no room for the value."""
        return self._numbered(field).beyond

    def _numbered(self, field: str) -> Numbered:
        if field not in self._numbers:
            nothing = np.full(self.size, NONE, np.int32)
            known = np.full(len(self._texts[field]) + 1 if field else 0, UNKNOWN, np.int32)
            beyond = np.zeros(self.size, np.bool_)
            self._numbers[field] = Numbered(nothing, beyond, 0 if field else self.size, known)
        made = self._numbers[field]
        if made.done < self._reach:
            self._more(made, self._names[field], field)
        return made

    def _more(self, made: Numbered, names: Names, field: str) -> None:
        rows = slice(made.done, self._reach)
        codes = self._codes[field][rows]
        if made.forgotten != names.forgotten:
            made.known[:], made.forgotten = UNKNOWN, names.forgotten
        numbers = made.known[codes]
        if numbers.min() == UNKNOWN:
            numbers = names.number(self._texts[field], codes)
            made.known[codes] = np.where(numbers == BEYOND, UNKNOWN, numbers)  # there may be room later
            made.beyond[rows] = numbers == BEYOND
        made.number[rows] = np.maximum(numbers, NONE)
        made.done = self._reach

    def saw(self, rows: slice, bucket: NDArray[np.int64]) -> None:
        """Tell the names of all fields that were asked for in which bucket each of *rows* is."""
        for field, made in self._numbers.items():
            if field:
                self._names[field].saw(made.number[rows], bucket)

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
