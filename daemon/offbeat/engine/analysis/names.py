"""Numbers for texts and for entities, in order of first sight, so that a replay gives the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.interning import Interner
from offbeat.records import Strings
from offbeat_detectors.contract import State

NONE = -1
"""No value: the record has not got the field, or the detector does not ask for one."""
_HALF = np.int64(1) << np.int64(32)


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
        self._number: dict[int, int] = {}
        self._first = np.zeros(16, np.int32)
        self._second = np.zeros(16, np.int32)

    def __len__(self) -> int:
        return len(self._number)

    def number(
        self, first: NDArray[np.int32], second: NDArray[np.int32], most: int = 2**31 - 1
    ) -> tuple[NDArray[np.int32], int]:
        """(n,) the number of each pair, and how many rows have none because *most* are known already (NONE there)."""
        keys, at, where = np.unique(
            (first.astype(np.int64) + 1) * _HALF + (second.astype(np.int64) + 1), return_index=True, return_inverse=True
        )
        numbers = np.empty(keys.size, np.int32)
        for i in np.argsort(at, kind="stable").tolist():
            key = int(keys[i])
            number = self._number.get(key, NONE)
            if number == NONE and len(self._number) < most:
                number = self._number[key] = len(self._number)
                self._keep(number, key)
            numbers[i] = number
        found = numbers[where.ravel()]
        return found, int((found == NONE).sum())

    def _keep(self, number: int, key: int) -> None:
        if number >= self._first.size:
            self._first = np.concatenate([self._first, np.zeros_like(self._first)])
            self._second = np.concatenate([self._second, np.zeros_like(self._second)])
        self._first[number], self._second[number] = (key >> 32) - 1, (key & 0xFFFFFFFF) - 1

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
        self._number.clear()
        self._first, self._second = np.zeros(16, np.int32), np.zeros(16, np.int32)
        self.number(state["first"].astype(np.int32), state["second"].astype(np.int32))
