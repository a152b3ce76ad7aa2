"""Rows in the order in which they came, in parts that never change: who has a list of them reads on while more come.

One thread adds. Any thread may look into parts that it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import lean_kernel

Columns = tuple[NDArray[Any], ...]
"""Arrays of equal length; what a row is found by is in the first, in the first column of that if it has several."""
PART_ROWS = 32_768
"""Of a part that is full. Fewer parts are quicker to look through, smaller ones quicker to put in order."""
FEW = 64
SEVERAL = 16
"""Of more keys than this, all rows are looked at."""


@dataclass(slots=True)
class Part:
    """Some rows. Where those of each key stand is worked out when it is first asked for, by whoever asks."""

    columns: Columns
    _index: tuple[NDArray[Any], NDArray[np.int64]] | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return int(self.columns[0].shape[0])

    @property
    def _keys(self) -> NDArray[Any]:
        first = self.columns[0]
        return first if first.ndim == 1 else first[:, 0]

    def of(self, keys: NDArray[Any]) -> Columns:
        """A copy of the rows of *keys*, of which each is given once; those of one key in their order."""
        if self.size < PART_ROWS or keys.size > SEVERAL:
            # A part that is not full is soon joined to others: an index of it would be made in vain.
            mine = np.flatnonzero(self._keys == keys[0] if keys.size == 1 else np.isin(self._keys, keys))
            return tuple(column[mine] for column in self.columns)
        if self._index is None:  # two threads may both do it: they come to the same
            self._index = index_of(self._keys)
        ordered, order = self._index
        first, last = (np.searchsorted(ordered, keys, side).tolist() for side in ("left", "right"))
        mine = np.concatenate([order[:0], *(order[a:b] for a, b in zip(first, last, strict=True) if a < b)])
        return tuple(column[mine] for column in self.columns)


def index_of(keys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The *keys* in order, and the rows in that order; equal ones as they came."""
    whole = keys.astype(np.int64)
    low = int(whole.min())
    near = int(whole.max()) - low < 65_536  # a radix sort for 16 bits
    order = np.argsort((whole - low).astype(np.uint16) if near else whole, kind="stable")
    return whole[order], order


class Rows:
    """Rows that only grow. They are kept in parts of about PART_ROWS, however few come at a time."""

    def __init__(self) -> None:
        self.count = 0
        self._full: list[Part] = []
        self._some: list[Columns] = []
        self._few: list[Columns] = []
        self._some_count = self._few_count = 0

    def add(self, columns: Columns) -> None:
        """Keep some rows; nobody may change them from now on."""
        count = columns[0].shape[0]
        self.count += count
        self._few.append(columns)
        self._few_count += count
        if len(self._few) >= FEW or self._few_count >= PART_ROWS:
            self._some.append(joined(self._few))
            self._some_count += self._few_count
            self._few, self._few_count = [], 0
            if self._some_count >= PART_ROWS:
                self._full.append(Part(joined(self._some)))
                self._some, self._some_count = [], 0

    def extend(self, later: Rows) -> None:
        """Keep all rows of *later* behind these."""
        for part in later.parts():
            self.add(part.columns)

    def parts(self) -> list[Part]:
        """All rows in their order."""
        return self._full + [Part(columns) for columns in (*self._some, *self._few)]


def joined(several: list[Columns]) -> Columns:
    """Some lots of rows, one at least, as one."""
    if len(several) == 1:
        return several[0]
    return tuple(np.concatenate(columns) for columns in zip(*several, strict=True))


def found(parts: list[Part], keys: NDArray[Any], none: Columns) -> Columns:
    """A copy of the rows of *keys*, of which each is given once, in *parts*; *none*: no rows."""
    return joined([none, *(part.of(keys) for part in parts)])


@lean_kernel
def put_in_order(
    keys: NDArray[np.int64],
    low: int,
    times: NDArray[np.int64],
    place: NDArray[np.int64],
    newest: NDArray[np.int64],
    order: NDArray[np.int64],
) -> bool:
    """Fill *order* with the n rows by their *keys*, equal ones as they came: do the times of each key rise?

    place, newest  (k + 1,) all 0, (k,) all the least that there is; keys are from *low* to less than low + k
    """
    for i in range(keys.size):
        place[keys[i] - low + 1] += 1
    for k in range(1, place.size):
        place[k] += place[k - 1]
    rising = True
    for i in range(keys.size):
        k = keys[i] - low
        order[place[k]] = i
        place[k] += 1
        rising &= times[i] >= newest[k]
        newest[k] = times[i]
    return rising
