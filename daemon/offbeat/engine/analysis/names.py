"""Numbers for texts and for entities, in order of first sight, so that a replay gives the same.

What is forgotten gives its number back, and the next that is new has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from offbeat.interning import Interner
from offbeat.records import Strings
from offbeat_detectors.contract import State

NONE = -1
"""No value: the record has not got the field, or the detector does not ask for one."""
BEYOND = -2
"""A value for which there is no room."""
FREE = -2
"""In the place of a pair: its number is nobody's."""
UNLIMITED = 2**31 - 2
ALWAYS = 1 << 62
"""The bucket in which a value was last seen that is never to be forgotten."""
NAME_BYTES = 56
"""Of a value beside its text: in tables of hashes, numbers and places."""
FEW = 4
"""With so many times as many texts as codes, only those are looked at that a code means."""
CROWDED = 0.8
"""The share of what there may be at most, from which on room is made."""
_HALF = np.int64(1) << np.int64(32)
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
        self._number: dict[int, int] = {}
        self._first = np.zeros(16, np.int32)
        self._second = np.zeros(16, np.int32)
        self._free: list[int] = []
        self.places = 0
        """One more than the largest number that was ever given."""
        self.version = 0
        """Changes whenever a number stands for something new."""

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
                number = self._enter(key)
            numbers[i] = number
        found = numbers[where.ravel()]
        return found, int((found == NONE).sum())

    def _enter(self, key: int) -> int:
        if self._free:
            number = self._free.pop()
        else:
            number = self.places
            self.places += 1
            self._first = longer(self._first, self.places, 0)
            self._second = longer(self._second, self.places, 0)
        self._number[key] = number
        self._first[number], self._second[number] = (key >> 32) - 1, (key & 0xFFFFFFFF) - 1
        self.version += 1
        return number

    @property
    def first(self) -> NDArray[np.int32]:
        """(places,) the first of each pair; FREE where there is none."""
        return self._first[: self.places]

    @property
    def second(self) -> NDArray[np.int32]:
        """(places,) the second of each pair; FREE where there is none."""
        return self._second[: self.places]

    @property
    def live(self) -> NDArray[np.int32]:
        """The numbers that stand for a pair, ascending."""
        return np.flatnonzero(self.first != FREE).astype(np.int32)

    def forget(self, numbers: NDArray[np.int32]) -> None:
        """These pairs, each once, are not known any more; the lowest number is the first to be given again."""
        ordered = np.sort(numbers)[::-1]
        for number in ordered.tolist():
            key = (int(self._first[number]) + 1) * int(_HALF) + int(self._second[number]) + 1
            del self._number[key]
        self._first[ordered] = self._second[ordered] = FREE
        self._free += ordered.tolist()

    def keep_only(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
        """Forget all pairs but these; the numbers that are free now."""
        kept, _ = self.number(first, second, most=0)
        gone = np.setdiff1d(self.live, kept)
        self.forget(gone)
        return gone

    def save(self) -> State:
        """All pairs in their order, and which numbers are given next."""
        return {"first": self.first.copy(), "second": self.second.copy(), "free": np.array(self._free, np.int32)}

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._first, self._second = state["first"].astype(np.int32), state["second"].astype(np.int32)
        self._free, self.places = state["free"].tolist(), self._first.size
        live = self.live
        keys = (self._first[live].astype(np.int64) + 1) * _HALF + (self._second[live].astype(np.int64) + 1)
        self._number = dict(zip(keys.tolist(), live.tolist(), strict=True))
        self.version += 1


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
