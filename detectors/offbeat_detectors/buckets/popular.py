"""By values that few members have, and members that have such values unusually often: rare with over, freq_rare."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.kept import Kept
from offbeat_detectors.buckets.over import PopulationModel
from offbeat_detectors.buckets.rare import BUCKETS_FIRST, RareOpinions, find, some
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import inlined_kernel, kernel

POPULAR = 64
"""How many by values one population remembers."""

BITS_WORDS, MEMBERS_WORDS = 2, 16
POPULARITY = np.dtype([
    ("buckets", "i8"), ("gone", "f8"), ("held", "i4"), ("value", "i4", (POPULAR,)),
    ("members", "u8", (2 * MEMBERS_WORDS,)), ("bits", "u8", (POPULAR, 2 * BITS_WORDS)),
], align=True)
"""One population, 2,584 bytes: which of 1,024 marks its members have left, and which of 128 those with each value.

Each twice: in this epoch of EPOCH buckets and in the one before, so what no member has any more is forgotten.
"""

EPOCH = 1000  # buckets
FEW = 0.05  # the probability below which freq_rare counts a value as rare


@inlined_kernel
def scattered(member: int) -> Any:
    """*member* as a number of which all bits are as good as random. Source: S. Vigna, splitmix64, 2015."""
    z = np.uint64(member) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined_kernel
def mark(bits: Any, words: int, member: int) -> None:
    """Leave the mark of *member* in the present half of *bits*."""
    at = scattered(member) % np.uint64(64 * words)
    bits[np.int64(at >> np.uint64(6))] |= np.uint64(1) << (at & np.uint64(63))


@kernel
def marked(bits: Any, words: int) -> float:
    """About how many members left a mark in either half of *bits*, of so many *words*.

    Source: K. Whang et al., "A linear-time probabilistic counting algorithm for database applications", 1990.
    """
    empty = 0
    for i in range(words):
        word = bits[i] | bits[words + i]
        for bit in range(64):
            if (word >> np.uint64(bit)) & np.uint64(1) == 0:
                empty += 1
    size = 64.0 * words
    return size * math.log(size / max(0.5, float(empty)))


@kernel
def unpopularity(s: Any, members: float, count: NDArray[np.float64], value: int) -> tuple[float, float]:
    """The probability that a member has a value as few members have as *value*, and how many have it.

    s        a row of dtype POPULARITY, left as it is
    members  how many there are
    count    (POPULAR,) float64, how many have each value that is held

    As ``rarity``, a member in the place of a bucket.
    """
    at = find(s, value)
    having = count[at] if at >= 0 else 0.0
    expected = s.gone if at >= 0 else s.gone + 1.0
    for i in range(s.held):
        if count[i] <= max(having, 1.5):
            expected += count[i]
    return some(expected / (members + (1.0 if at < 0 else 0.0))), having


@kernel
def popular_all(
    rows: NDArray[Any], population: NDArray[np.int32], bucket: NDArray[np.int64], member: NDArray[np.int64],
    value: NDArray[np.int32], learns: bool, said: NDArray[np.float64],
) -> None:
    """``unpopularity`` of n pairs, those of one population and bucket before any is learned; *said* (3, n) filled."""
    count = np.empty(POPULAR, np.float64)
    first = 0
    while first < population.size:
        last = first + 1
        while last < population.size and population[last] == population[first] and bucket[last] == bucket[first]:
            last += 1
        s = rows[population[first]]
        members = marked(s.members, MEMBERS_WORDS)
        for i in range(s.held):
            count[i] = marked(s.bits[i], BITS_WORDS)
        for i in range(first, last):
            said[0, i], said[1, i] = np.nan, 0.0
            if s.buckets >= BUCKETS_FIRST:
                said[0, i], said[1, i] = unpopularity(s, members, count, value[i])
            said[2, i] = members
        if learns:
            learn_pairs(s, member, value, first, last, count)
        first = last


@kernel
def learn_pairs(
    s: Any, member: NDArray[np.int64], value: NDArray[np.int32], first: int, last: int, count: NDArray[np.float64],
) -> None:
    """Learn which members have which values, from *first* up to *last*. *count* of what is held is kept up."""
    s.buckets += 1
    if s.buckets % EPOCH == 0:
        s.gone *= 0.5
        s.members[MEMBERS_WORDS:] = s.members[:MEMBERS_WORDS]
        s.members[:MEMBERS_WORDS] = 0
        for i in range(s.held):
            for word in range(BITS_WORDS):
                s.bits[i, BITS_WORDS + word] = s.bits[i, word]
                s.bits[i, word] = 0
    for i in range(first, last):
        mark(s.members, MEMBERS_WORDS, member[i])
        at = find(s, value[i])
        if at < 0:
            if s.held < POPULAR:
                at = s.held
                s.held += 1
            else:
                at = 0
                for j in range(1, POPULAR):
                    if count[j] < count[at]:
                        at = j
                s.gone += count[at]
            s.value[at] = value[i]
            s.bits[at, :] = 0
            count[at] = 0.0
        mark(s.bits[at], BITS_WORDS, member[i])
        count[at] = marked(s.bits[at], BITS_WORDS)


class RareOverModel(Kept):
    """How odd is it that a member has a by value? One model for each of *capacity* populations.

    2.6 KB a population, whatever members and values come: members are counted by the marks that they leave among 1,024
    (to 2 % up to a thousand, no more than about 7,000 can be told), those with a value among 128. Values that no member
    has had for 1,000 to 2,000 buckets count for nothing. No opinion before the tenth bucket.
    """

    bytes_per_population = POPULARITY.itemsize

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, POPULARITY)

    def process(
        self, population: NDArray[np.int32], bucket: NDArray[np.int64], member: NDArray[np.int64],
        value: NDArray[np.int32],
    ) -> RareOpinions:
        """Judge, then learn, which members had which values.

        population  (n,) int32  its buckets ascend, and the rows of one are neighbours, all in one call
        bucket      (n,) int64  number of the bucket
        member      (n,) int64  number of the over value
        value       (n,) int32  number of the by value
        """
        said = np.empty((3, population.size), np.float64)
        popular_all(self._rows, population, bucket, member, value, True, said)
        return RareOpinions(*said)

    def judge(self, population: NDArray[np.int32], value: NDArray[np.int32]) -> RareOpinions:
        """Judge n values and learn nothing. Arguments as of ``process``."""
        said = np.empty((3, population.size), np.float64)
        nothing = np.zeros(population.size, np.int64)
        popular_all(self._rows, population, nothing, nothing, value, False, said)
        return RareOpinions(*said)


@dataclass(frozen=True, slots=True)
class FreqRareOpinions:
    """What is said of k members, each with the number of its first row.

    row          (k,) int64    the first row of the member's in the call
    probability  (k,) float64  that a member has as many events of rare values; NaN: no opinion
    actual, typical  (k,) float64  events of rare values; how many are expected
    """

    row: NDArray[np.int64]
    probability: NDArray[np.float64]
    actual: NDArray[np.float64]
    typical: NDArray[np.float64]


class FreqRareModel:
    """Does a member have rare by values unusually often? One model for each of *capacity* populations.

    A value is rare if ``RareOverModel`` gives it a probability below 5 %; a member's events of such values in a bucket,
    mostly none, are judged among those of all members by ``PopulationModel``, upwards. Prelert Engine API, section 5.
    """

    bytes_per_population = RareOverModel.bytes_per_population + PopulationModel.bytes_per_population

    def __init__(self, capacity: int, bucket_span_s: int) -> None:
        self._rare = RareOverModel(capacity)
        self._often = PopulationModel(capacity, bucket_span_s, "count")

    def grow(self, capacity: int) -> None:
        """Make room for *capacity* populations; those that are there stay as they are."""
        self._rare.grow(capacity)
        self._often.grow(capacity)

    def process(
        self, population: NDArray[np.int32], bucket: NDArray[np.int64], member: NDArray[np.int64],
        value: NDArray[np.int32], events: NDArray[np.float64],
    ) -> FreqRareOpinions:
        """Judge, then learn, the members of buckets. Arguments as of ``RareOverModel.process``.

        events  (n,) float64  how often the member had the value; rows of one member and bucket are neighbours
        """
        if population.size == 0:
            none = np.empty(0, np.float64)
            return FreqRareOpinions(np.empty(0, np.int64), none, none, none)
        p = self._rare.process(population, bucket, member, value).probability
        begins = np.ones(population.size, np.bool_)
        begins[1:] = (member[1:] != member[:-1]) | (bucket[1:] != bucket[:-1]) | (population[1:] != population[:-1])
        row = np.flatnonzero(begins)
        actual = np.add.reduceat(np.where(p < FEW, events, 0.0), row)
        told = np.where(np.isnan(p[row]), 0.0, 1.0)  # of a bucket in which nothing can be rare yet nothing is learned
        said = self._often.process(population[row], bucket[row], actual, told)
        high = np.where(told > 0.0, said.probability_high, np.nan)
        return FreqRareOpinions(row, high, actual, said.typical)

    def save(self, population: NDArray[np.int32]) -> State:
        """A copy of the state of these populations (each once), one plain array a column."""
        return {f"rare.{name}": column for name, column in self._rare.save(population).items()} | {
            f"often.{name}": column for name, column in self._often.save(population).items()}

    def restore(self, population: NDArray[np.int32], state: State) -> None:
        """Set these populations to what ``save`` gave for as many; going on is as if uninterrupted, bit for bit."""
        for name, model in (("rare.", self._rare), ("often.", self._often)):
            model.restore(population, {
                column.removeprefix(name): array for column, array in state.items() if column.startswith(name)})

    def forget(self, population: NDArray[np.int32]) -> None:
        """Set these populations back to never having seen a value."""
        self._rare.forget(population)
        self._often.forget(population)
