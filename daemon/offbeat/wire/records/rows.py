"""What every format gives: rows of raw texts by field, before transforms, times and codes."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ROWS_MAX = 20_000
"""Most rows handed on at once."""
RECORD_CHARACTERS_MAX = 131_072
"""A longer line or row is a bad record. Also the longest field that the csv module reads unless told otherwise."""

Column = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows in order of arrival.

    columns      for each field that was asked for, n texts; None where the row has no such field
    field_count  (n,) int64  fields received in each row, asked for or not
    bad          (n,) bool   rows that could not be read; they have no field
    """

    columns: Mapping[str, Column]
    field_count: NDArray[np.int64]
    bad: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """n."""
        return int(self.bad.size)


class Source(Protocol):
    """One format: text that is cut anywhere to rows."""

    def feed(self, text: str, last: bool) -> Iterator[Rows]:
        """The rows that *text* completes; with *last* also what the end of the body completes.

        At most ROWS_MAX at once; raises UploadRefused after all rows before.
        """
        ...


class Pieces:
    """Text that waits for the rest of its record, put together only when there is a chance that it is whole.

    A record that comes in a thousand pieces is joined once, not a thousand times.
    """

    def __init__(self, closing: str) -> None:
        self._closing = closing
        self._pieces: list[str] = []
        self._size = 0

    def add(self, text: str, last: bool, size_max: int) -> str | None:
        """All that waits with *text* behind it; None if nothing of it can be whole yet."""
        self._pieces.append(text)
        self._size += len(text)
        if not last and self._closing not in text and self._size <= size_max:
            return None
        whole = "".join(self._pieces)
        self.put_back("")
        return whole

    def put_back(self, rest: str) -> None:
        """*rest* waits again; nothing else does."""
        self._pieces, self._size = [rest], len(rest)
