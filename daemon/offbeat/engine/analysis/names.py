"""Numbers for texts and for entities, in order of first sight, so that a replay gives the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.pairs import fill, number_pairs
from offbeat.interning import Interner
from offbeat.records import Strings
from offbeat_detectors.contract import State

NONE = -1
"""No value: the record has not got the field, or the detector does not ask for one."""


class Names:
    """The values of one field."""

    def __init__(self) -> None:
        self._known = Interner()

    def __len__(self) -> int:
        return self._known.count

    def number(self, texts: Strings, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n,) the number of each value, given as codes into *texts*; NONE stays NONE."""
        if not len(texts):
            return codes
        numbers = np.append(self._known.number(texts), np.int32(NONE))
        return numbers[codes]

    def one(self, text: str) -> int:
        """The number of *text*."""
        return int(self._known.number(Strings.of([text]))[0])

    def text(self, number: int) -> str | None:
        """The value of this number; None for NONE."""
        return None if number < 0 else self._known.text(number)

    def save(self) -> State:
        """All values in their order."""
        texts = self._known.texts()
        return {"data": texts.data, "end": texts.end}

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._known = Interner()
        self._known.number(Strings(state["data"], state["end"]))


class Entities:
    """Pairs of numbers, NONE allowed, as one number each: a by value within a partition, a member of a population."""

    def __init__(self) -> None:
        self._count = 0
        self._make_room(16)

    def _make_room(self, room: int) -> None:
        first, second = np.zeros(room, np.int32), np.zeros(room, np.int32)
        if self._count:
            first[: self._count], second[: self._count] = self.first, self.second
        self._first, self._second = first, second
        self._table = np.zeros(1 << (2 * room - 1).bit_length(), np.int32)
        fill(self._table, first, second, self._count)

    def __len__(self) -> int:
        return self._count

    def number(
        self, first: NDArray[np.int32], second: NDArray[np.int32], most: int = 2**31 - 1
    ) -> tuple[NDArray[np.int32], int]:
        """(n,) the number of each pair, and how many rows have none because *most* are known already (NONE there)."""
        found, done = np.empty(first.size, np.int32), 0
        while True:
            done, self._count = number_pairs(
                first, second, done, most, found, self._table, self._first, self._second, self._count
            )
            if done == first.size:
                return found, int((found == NONE).sum())
            self._make_room(2 * self._first.size)

    @property
    def first(self) -> NDArray[np.int32]:
        """(entities,) the first of each pair."""
        return self._first[: len(self)]

    @property
    def second(self) -> NDArray[np.int32]:
        """(entities,) the second of each pair."""
        return self._second[: len(self)]

    def save(self) -> State:
        """All pairs in their order."""
        return {"first": self.first.copy(), "second": self.second.copy()}

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._count = 0
        self._make_room(max(16, state["first"].size))
        self.number(state["first"].astype(np.int32), state["second"].astype(np.int32))
