"""That a by value appears at all, if it has appeared in few of the buckets so far: the function rare without over."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.kept import Kept
from offbeat_detectors.kernel import inlined_kernel, kernel

VALUES = 128
"""How many by values one partition remembers."""

RARE = np.dtype([
    ("buckets", "f8"), ("gone", "f8"), ("count", "f8", (VALUES,)), ("held", "i8"), ("value", "i4", (VALUES,)),
])
"""One partition, 1,560 bytes.

buckets  decayed count of the buckets that had any value
value    the held values, and count: the decayed counts of the buckets that had each
gone     decayed counts of the values that had to make room
"""

KEEP = 0.5 ** (1.0 / 2000.0)  # a bucket
BUCKETS_FIRST = 10.0  # before the first opinion


@dataclass(frozen=True, slots=True)
class RareOpinions:
    """What is said of n values that appeared.

    probability  (n,) float64  that a bucket (with over: a member) has a value at least as rare; NaN: no opinion
    seen         (n,) float64  decayed count of the buckets (with over: estimated count of the members) that had it
    of           (n,) float64  of how many buckets, or members
    """

    probability: NDArray[np.float64]
    seen: NDArray[np.float64]
    of: NDArray[np.float64]


@inlined_kernel
def some(expected: float) -> float:
    """The probability that something comes at least once, of which so much is expected."""
    return min(1.0, max(1e-300, -math.expm1(-expected)))


@kernel
def find(s: Any, value: int) -> int:
    """Where the row *s* holds *value*, −1 if it does not."""
    for i in range(s.held):
        if s.value[i] == value:
            return i
    return -1


@kernel
def rarity(s: Any, value: int) -> tuple[float, float]:
    """The probability that a bucket has a value as rare as *value*, and the count of buckets that had it.

    s  a row of dtype RARE, left as it is

    So many appearances of values that rare are expected in a bucket as were counted in all: the counts of all values
    counted no more often, over the count of buckets. A value that is new is taken as counted once. So a new one among
    few steady ones has about 1 / buckets; where something new comes all the time, so it is expected; and what is seen
    in few buckets is rare only if most of what appears is seen in many (Prelert Engine API, section 5).
    Source: I. Good, "The population frequencies of species", 1953: what is unseen comes as often as what was seen once.
    """
    at = find(s, value)
    count = s.count[at] if at >= 0 else 0.0
    least = max(count, 1.0) if at < 0 else count
    expected = 1.0 if at < 0 else 0.0
    for i in range(s.held):
        if s.count[i] <= least:
            expected += s.count[i]
    expected += s.gone
    return some(expected / (s.buckets + (1.0 if at < 0 else 0.0))), count


@kernel
def see(s: Any, value: int) -> None:
    """Count that this bucket had *value*. If there is no room, the value counted least often makes it."""
    at = find(s, value)
    if at < 0:
        if s.held < VALUES:
            at = s.held
            s.held += 1
        else:
            at = 0
            for i in range(1, VALUES):
                if s.count[i] < s.count[at]:
                    at = i
            s.gone += s.count[at]
        s.value[at] = value
        s.count[at] = 0.0
    s.count[at] += 1.0


@kernel
def rare_all(
    rows: NDArray[Any], entity: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.int32], learns: bool,
    said: NDArray[np.float64],
) -> None:
    """``rarity`` of n values, those of one entity and bucket before any of them is counted; *said* (3, n) is filled."""
    first = 0
    while first < entity.size:
        last = first + 1
        while last < entity.size and entity[last] == entity[first] and bucket[last] == bucket[first]:
            last += 1
        s = rows[entity[first]]
        for i in range(first, last):
            said[0, i], said[1, i] = rarity(s, value[i]) if s.buckets >= BUCKETS_FIRST else (np.nan, 0.0)
            said[2, i] = s.buckets
        if learns:
            s.buckets = KEEP * s.buckets + 1.0
            s.gone *= KEEP
            for i in range(s.held):
                s.count[i] *= KEEP
            for i in range(first, last):
                see(s, value[i])
        first = last


class RareModel(Kept):
    """How odd is it that a by value appears? One model for each of *capacity* partitions.

    1.6 KB a partition, whatever values come: of the 128 that it holds, the one counted least often makes room for
    another. Counts fade by half in 2,000 buckets. No opinion before the tenth bucket.
    """

    bytes_per_entity = RARE.itemsize

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, RARE)

    def process(
        self, entity: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.int32],
    ) -> RareOpinions:
        """Judge, then count, the values that buckets had.

        entity  (n,) int32    the partition; its buckets ascend, and the rows of one are neighbours, all in one call
        bucket  (n,) int64    number of the bucket
        value   (n,) int32    number of the by value, each once a bucket
        """
        said = np.empty((3, entity.size), np.float64)
        rare_all(self._rows, entity, bucket, value, True, said)
        return RareOpinions(*said)

    def judge(self, entity: NDArray[np.int32], value: NDArray[np.int32]) -> RareOpinions:
        """Judge n values and count nothing. Arguments as of ``process``."""
        said = np.empty((3, entity.size), np.float64)
        rare_all(self._rows, entity, np.zeros(entity.size, np.int64), value, False, said)
        return RareOpinions(*said)
