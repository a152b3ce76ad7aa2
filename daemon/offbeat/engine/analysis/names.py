"""Numbers for texts and for entities, in order of first sight, so that a replay gives the same.

What is forgotten gives its number back, and the next that is new has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.pairs import EVER, FREE, IDLE, PLACES, fill, number_pairs
from offbeat.interning import Interner
from offbeat.records import Strings
from offbeat_detectors.contract import State

NONE = -1
"""No value: the record has not got the field, or the detector does not ask for one."""
BEYOND = -2
"""A value for which there is no room."""
UNLIMITED = 2**31 - 2
ALWAYS = 1 << 62
"""The bucket in which a value was last seen that is never to be forgotten."""
NAME_BYTES = 56
"""Of a value beside its text: in tables of hashes, numbers and places."""
FEW = 4
"""With so many times as many texts as codes, only those are looked at that a code means."""
CROWDED = 0.8
"""The share of what there may be at most, from which on room is made."""
_Number = TypeVar("_Number", bound=np.generic)


class Names:
    """The values of one field, at most *most*."""

    def __init__(self, most: int = UNLIMITED) -> None:
        self._most = most
        self._known = Interner()
        self._number = np.zeros(16, np.int32)  # of each text, in the order of the interner
        self._numbered = self._places = 0  # texts that have a number; one more than the largest number
        self._text = np.zeros(16, np.int32)  # of each number: which text; NONE: it is nobody's
        self._seen = np.zeros(16, np.int64)  # of each number: the newest bucket that had it
        self._free: list[int] = []
        self.forgotten = 0
        """How often values were forgotten: their numbers stand for others since."""

    def __len__(self) -> int:
        return self._known.count

    def number(self, texts: Strings, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n,) the number of each value, given as codes into *texts*; NONE stays NONE; BEYOND where there is no room.

        Only texts that a code means are numbered, in the order of the codes.
        """
        if codes.size * FEW < len(texts):
            some, where = np.unique(codes, return_inverse=True)
            texts = chosen(texts, some[some >= 0])
            codes = (where.ravel() - int((some < 0).sum())).astype(np.int32)
        first = np.full(len(texts) + 1, codes.size)  # where each text comes first; NONE is the last
        first[codes[::-1]] = np.arange(codes.size - 1, -1, -1)
        which = np.flatnonzero(first[:-1] < codes.size)
        which = which[np.argsort(first[which], kind="stable")]
        held = self._known.number(chosen(texts, which), self._most)
        self._enter()
        numbers = np.full(len(texts) + 1, NONE, np.int32)
        known = held >= 0
        numbers[which[known]] = self._number[held[known]]
        numbers[which[~known]] = BEYOND
        return numbers[codes]

    def _enter(self) -> None:
        """Give numbers to the texts that have none yet."""
        count, new = self._known.count, self._known.count - self._numbered
        if not new:
            return
        again = [self._free.pop() for _ in range(min(new, len(self._free)))]
        fresh = np.arange(self._places, self._places + new - len(again), dtype=np.int32)
        numbers = np.concatenate([np.array(again, np.int32), fresh])
        self._places += fresh.size
        self._number = longer(self._number, count, NONE)
        self._text, self._seen = longer(self._text, self._places, NONE), longer(self._seen, self._places, 0)
        self._number[self._numbered : count] = numbers
        self._text[numbers] = np.arange(self._numbered, count, dtype=np.int32)
        self._seen[numbers] = 0
        self._numbered = count

    def one(self, text: str) -> int:
        """The number of *text*, which is never forgotten."""
        number = int(self.number(Strings.of([text]), np.zeros(1, np.int32))[0])
        if number >= 0:
            self._seen[number] = ALWAYS
        return number

    def saw(self, numbers: NDArray[np.int32], bucket: NDArray[np.int64]) -> None:
        """Each value was in that bucket, (n,) and (n,); NONE and BEYOND are none."""
        some = numbers >= 0
        np.maximum.at(self._seen, numbers[some], bucket[some])

    def text(self, number: int) -> str | None:
        """The value of this number; None for NONE."""
        return None if number < 0 else self._known.text(int(self._text[number]))

    @property
    def crowded(self) -> bool:
        """Are there so many that those that nobody uses should go?"""
        return self._known.count > CROWDED * self._most

    def forget_unused(self, bucket: int, used: Sequence[NDArray[np.int32]]) -> None:
        """Forget the values that no bucket from *bucket* on has had, and are not *used*: their numbers are free."""
        keeps = self._seen[: self._places] >= bucket
        for numbers in used:
            keeps[numbers[numbers >= 0]] = True
        number = self._number[: self._numbered]
        stays = keeps[number]
        if stays.all():
            return
        self.forgotten += 1
        texts, self._known = self._known.texts(), Interner()
        self._known.number(chosen(texts, np.flatnonzero(stays)))
        self._free += np.sort(number[~stays])[::-1].tolist()
        self._renumber(number[stays])

    def _renumber(self, number: NDArray[np.int32]) -> None:
        """Text i has number[i]."""
        self._number, self._numbered = number, number.size
        self._text = np.full(max(16, self._places), NONE, np.int32)
        self._text[number] = np.arange(number.size, dtype=np.int32)

    @property
    def bytes_held(self) -> int:
        """What it takes."""
        return self._known.text_bytes + NAME_BYTES * self._places

    def save(self) -> State:
        """All values in their order."""
        texts = self._known.texts()
        return {
            "data": texts.data,
            "end": texts.end,
            "number": self._number[: self._numbered].copy(),
            "free": np.array(self._free, np.int32),
            "seen": self._seen[: self._places].copy(),
        }

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._known = Interner()
        self._known.number(Strings(state["data"], state["end"]))
        self._free, self._places = state["free"].tolist(), state["seen"].size
        self._seen = longer(state["seen"].copy(), 16, 0)
        self._renumber(state["number"].copy())


class Entities:
    """Pairs of numbers, NONE allowed, as one number each: a by value within a partition, a member of a population."""

    def __init__(self) -> None:
        self._head = np.zeros(3, np.int64)
        self._first, self._second = np.zeros(16, np.int32), np.zeros(16, np.int32)
        self._free = np.zeros(16, np.int32)
        self._index()

    def _index(self) -> None:
        self._table = np.zeros(1 << (2 * self._first.size - 1).bit_length(), np.int32)
        fill(self._table, self._first, self._second, self.places)

    def __len__(self) -> int:
        return int(self._head[PLACES] - self._head[IDLE])

    @property
    def places(self) -> int:
        """One more than the largest number that was ever given."""
        return int(self._head[PLACES])

    @property
    def version(self) -> int:
        """How many pairs have been new: changes whenever a number stands for something else."""
        return int(self._head[EVER])

    def number(
        self, first: NDArray[np.int32], second: NDArray[np.int32], most: int = 2**31 - 1
    ) -> tuple[NDArray[np.int32], int]:
        """(n,) the number of each pair, and how many rows have none because *most* are known already (NONE there)."""
        found, done = np.empty(first.size, np.int32), 0
        while True:
            done = number_pairs(
                first, second, done, most, found, self._table, self._first, self._second, self._free, self._head
            )
            if done == first.size:
                return found, int((found == NONE).sum())
            self._first, self._second, self._free = (
                longer(each, 2 * each.size, 0) for each in (self._first, self._second, self._free)
            )
            self._index()

    @property
    def first(self) -> NDArray[np.int32]:
        """(places,) the first of each pair; FREE where there is none."""
        return self._first[: self.places]

    @property
    def second(self) -> NDArray[np.int32]:
        """(places,) the second of each pair; FREE where there is none."""
        return self._second[: self.places]

    @property
    def free(self) -> NDArray[np.int32]:
        """The numbers that are nobody's, the next one last."""
        return self._free[: self._head[IDLE]]

    @property
    def live(self) -> NDArray[np.int32]:
        """The numbers that stand for a pair, ascending."""
        return np.flatnonzero(self.first != FREE).astype(np.int32)

    def forget(self, numbers: NDArray[np.int32]) -> None:
        """These pairs, each once, are not known any more; the lowest number is the first to be given again."""
        if not numbers.size:
            return
        self._first[numbers] = self._second[numbers] = FREE
        idle = int(self._head[IDLE])
        self._free[idle : idle + numbers.size] = np.sort(numbers)[::-1]
        self._head[IDLE] += numbers.size
        self._index()

    def keep_only(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
        """Forget all pairs but these; the numbers that are free now."""
        kept, _ = self.number(first, second, most=0)
        gone = np.setdiff1d(self.live, kept)
        self.forget(gone)
        return gone

    def save(self) -> State:
        """All pairs in their order, and which numbers are given next."""
        head = self._head[EVER:].copy()
        return {"first": self.first.copy(), "second": self.second.copy(), "free": self.free.copy(), "ever": head}

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        places, idle = state["first"].size, state["free"].size
        self._head = np.array([places, idle, state["ever"][0]], np.int64)
        self._first, self._second = (longer(state[name].copy(), 16, 0) for name in ("first", "second"))
        self._free = np.zeros(self._first.size, np.int32)
        self._free[:idle] = state["free"]
        self._index()


def chosen(texts: Strings, which: NDArray[np.integer]) -> Strings:
    """Some of *texts*, in this order."""
    if which.size == len(texts) and (which == np.arange(which.size)).all():
        return texts
    start = np.where(which > 0, texts.end[which - 1], 0)
    length = texts.end[which] - start
    end = np.cumsum(length)
    at = np.repeat(start - (end - length), length) + np.arange(int(length.sum()))
    return Strings(texts.data[at], end)


def longer(array: NDArray[_Number], size: int, fill: int) -> NDArray[_Number]:
    """*array* with room for *size*, at least: as it is, or doubled."""
    if size <= array.size:
        return array
    more = np.full(max(size, 2 * array.size) - array.size, fill, array.dtype)
    return np.concatenate([array, more])
