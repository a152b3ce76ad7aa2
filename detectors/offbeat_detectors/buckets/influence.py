"""Who is to blame: the features of an entity without each influencer's value, and how much oddness that takes away.

For one influencer field, the rows of an entity are kept apart by the value that they have in it. What the entity would
have been without a value follows by merging what all the others gave: nothing is subtracted, so nothing is lost to
rounding, and it serves minima and medians too. This file is of numbers; of the rest, ``influence_distinct`` and
``influence_content``.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.features import FEATURES
from offbeat_detectors.buckets.numbers import (
    COUNT,
    MEDIAN,
    NUMBERS,
    WIDTH,
    add_number,
    add_to_list,
    median_but,
    merge_numbers,
    new_numbers,
    number_of,
)
from offbeat_detectors.buckets.tables import (
    IGNORED,
    LEVEL_MAX,
    NO_ROOM,
    OTHERS,
    TOP,
    USED,
    OpenBuckets,
    Table,
    Tables,
    before_lightest,
    give_room,
    link,
    slot_of,
    unlink,
)
from offbeat_detectors.kernel import kernel

VALUES_MAX = 32
"""Values of an influencer field that an entity keeps apart in a bucket. With twice as many, the lighter half is laid
together; from then on, a value that is new may be one that was among them, and is marked as not whole."""
NORMAL = 0.05
"""A probability from which nothing is odd: no record is written (Prelert Engine API, section 9.6)."""
PROBABILITY_MIN = 2.22507e-308


def influence(probability_with: NDArray[np.float64], probability_without: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) 0 to 1: how much of the oddness of a bucket goes away without one influencer's value.

    probability_with, probability_without  (n,) of the bucket as it is, and without the value; NaN: nothing is left

    1 − log(p without / NORMAL) / log(p with / NORMAL): 1 where the rest is normal or nothing, 0 where it is as odd or
    odder, or nothing was odd in the first place.
    """
    floor = math.log(PROBABILITY_MIN / NORMAL)
    with np.errstate(divide="ignore"):
        odd = np.clip(np.log(np.nan_to_num(probability_with, nan=1.0) / NORMAL), floor, 0.0)
        rest = np.clip(np.log(np.nan_to_num(probability_without, nan=1.0) / NORMAL), floor, 0.0)
    share = np.zeros(odd.shape)
    np.divide(rest, odd, out=share, where=odd < 0.0)
    return np.where(odd < 0.0, np.clip(1.0 - share, 0.0, 1.0), 0.0)


@dataclass(frozen=True, slots=True)
class Removed:
    """A bucket without each of its influencer values: row i is one value of one entity.

    entity   (r,) int32      ascending
    code     (r,) int32      of the influencer's value; ascending within an entity
    count    (r,) float64    the entity's events with the value
    without  (r, k) float64  the features of the entity without them; NaN where nothing is left, or no number
    whole    (r,) bool       False: earlier rows of the value may have been laid to others (VALUES_MAX)
    beyond   (r,) float64    events of the entity whose value was laid to others
    """

    entity: NDArray[np.int32]
    code: NDArray[np.int32]
    count: NDArray[np.float64]
    without: NDArray[np.float64]
    whole: NDArray[np.bool_]
    beyond: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chains:
    """The rows of some entities of a table.

    first  (e,) int64      the first row of each, ascending by entity
    start  (e + 1,) int64  where its rows begin in *at*; those of first[i] end at start[i + 1]
    at     (r,) int64      the rows with a code, ascending by entity and code
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    at: NDArray[np.int64]


class NumbersWithout(OpenBuckets):
    """The features of the numbers of an entity without each value of one influencer field, in open buckets.

    features  names of features.FEATURES

    In an open bucket an entity takes 128 bytes for each value that it keeps apart, at most twice VALUES_MAX, and for a
    median up to 8 KB for each. The cuts between calls of ``add`` change no bit.
    Raises ValueError for an unknown feature.
    """

    def __init__(self, features: Sequence[str]) -> None:
        if not features or not set(features) <= set(FEATURES):
            raise ValueError(f"features are {tuple(features)}: expected one or more of {', '.join(FEATURES)}")
        self.features = tuple(features)
        self._numbers = np.array([FEATURES[name] for name in features], np.int64)
        super().__init__(Tables(NUMBERS, np.float64, WIDTH if "median" in features else 0, chained=True))

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], code: NDArray[np.int32],
        value: NDArray[np.float64], weight: NDArray[np.float64] | None = None,
    ) -> None:
        """As ``Gatherer.add``; *code* (n,) int32 is that of the influencer's value, −1 where a row has none."""
        weight = np.ones(bucket.size) if weight is None else weight
        self._tables.fold(bucket, entity, (code, value, weight), share_numbers)

    def without(self, bucket: int, entity: NDArray[np.int32] | None = None) -> Removed:
        """The open *bucket* without each value, by now, of these entities; None: of all."""
        if (table := self._tables.of(bucket)) is None:
            return nothing_removed(len(self.features))
        chains = chains_of(table, entity)
        value = np.empty((chains.at.size, len(self.features)))
        scratch = np.zeros(int(np.diff(chains.start).max(initial=0)) + 3, NUMBERS)
        numbers_without(table.rows, chains.first, chains.start, chains.at, scratch, self._numbers, value)
        if "median" in self.features:
            median = np.empty(chains.at.size)
            medians_without(table.rows, chains.first, chains.start, chains.at, table.words, median)
            value[:, self._numbers == MEDIAN] = median[:, None]
        return removed(table, chains, value)


def chains_of(table: Table, entity: NDArray[np.int32] | None) -> Chains:
    """The rows of these entities of *table*, as far as it has them; None: of all."""
    rows = table.live
    chosen = rows["entity"] >= 0 if entity is None else np.isin(rows["entity"], entity[entity >= 0])
    first = np.flatnonzero(chosen & (rows["code"] == OTHERS))
    first = first[np.argsort(rows["entity"][first])]
    at = np.flatnonzero(chosen & (rows["code"] != OTHERS))
    at = at[np.lexsort((rows["code"][at], rows["entity"][at]))]
    start = np.concatenate([[0], np.cumsum(rows["chain"][first])]).astype(np.int64)
    return Chains(first, start, at)


def removed(table: Table, chains: Chains, without: NDArray[np.float64]) -> Removed:
    """*without* of the rows of *chains*, with what else is to be said of them."""
    rows = table.rows[chains.at]
    beyond = np.repeat(table.rows["beyond"][chains.first], np.diff(chains.start))
    return Removed(rows["entity"].copy(), rows["code"].copy(), rows["count"] + rows["count_lost"], without,
                   rows["part"] == 0, beyond)


def nothing_removed(features: int) -> Removed:
    """What is removed from a bucket without rows."""
    none = np.zeros(0, np.int32)
    return Removed(none, none, np.zeros(0), np.zeros((0, features)), np.zeros(0, np.bool_), np.zeros(0))


@kernel
def share_numbers(
    first: int, entity: NDArray[np.int32], code: NDArray[np.int32], value: NDArray[np.float64],
    weight: NDArray[np.float64], index: NDArray[np.int32], slots: NDArray[np.int32], rows: NDArray[Any],
    words: NDArray[np.float64], head: NDArray[np.int64], spare: int,
) -> int:
    """Add rows of input from *first* on to those of entity and code; says where it ended for lack of room."""
    for i in range(first, entity.size):
        if rows.size - head[USED] < 2 or words.size - head[TOP] < spare:
            return i
        w, x = weight[i], value[i]
        if not 0.0 < w < math.inf:
            head[IGNORED] += 1
            continue
        at = -1 if code[i] < 0 else slots[slot_of(slots, rows, entity[i], code[i])] - 1
        if at < 0:
            at = index[entity[i]] - 1
            if at < 0:
                at = new_numbers(rows, head, entity[i], OTHERS)
                index[entity[i]] = at + 1
            if code[i] >= 0:
                others = at
                if rows[others].chain == 2 * VALUES_MAX:
                    lay_together(slots, rows, others, words, head)
                at = new_numbers(rows, head, entity[i], code[i])
                link(slots, rows, others, at)
        add_number(rows[at], x, w)
        if spare > 0 and math.isfinite(x):
            add_to_list(rows[at], x, w, words, head, LEVEL_MAX)
    return int(entity.size)


@kernel
def lay_together(
    slots: NDArray[np.int32], rows: NDArray[Any], first: int, words: NDArray[np.float64], head: NDArray[np.int64],
) -> None:
    """Of the chain of *first*, only the VALUES_MAX with the most events are left; the first has the others' events."""
    others = rows[first]
    while others.chain > VALUES_MAX:
        before = before_lightest(rows, first)
        r = rows[rows[before].next]
        others.beyond += r.count + r.count_lost
        merge_numbers(others, r)
        if r.level != NO_ROOM:
            for i in range(r.start, r.start + WIDTH * r.used, WIDTH):
                add_to_list(others, words[i], words[i + 1], words, head, LEVEL_MAX)
            give_room(words, head, r.level, r.start)
        unlink(slots, rows, head, first, before)


@kernel
def numbers_without(
    rows: NDArray[Any], first: NDArray[np.int64], start: NDArray[np.int64], at: NDArray[np.int64],
    scratch: NDArray[Any], features: NDArray[np.int64], value: NDArray[np.float64],
) -> None:
    """value[i, j] = feature j, but for MEDIAN, of the entity of rows[at[i]] without that row.

    first, start, at  as in Chains
    scratch           rows of zeros, three more than the longest chain
    """
    zero, before, rest = scratch.size - 1, scratch.size - 2, scratch.size - 3
    for e in range(first.size):
        begin, n = start[e], start[e + 1] - start[e]
        if n > 0:
            scratch[n - 1] = scratch[zero]
        for i in range(n - 2, -1, -1):  # scratch[i]: all after the i-th
            scratch[i] = scratch[i + 1]
            merge_numbers(scratch[i], rows[at[begin + i + 1]])
        scratch[before] = rows[first[e]]
        for i in range(n):
            scratch[rest] = scratch[before]
            merge_numbers(scratch[rest], scratch[i])
            for j in range(features.size):
                if features[j] != MEDIAN:
                    value[begin + i, j] = number_of(scratch[rest], features[j])
                if features[j] == COUNT and value[begin + i, j] == 0.0:
                    value[begin + i, j] = np.nan
            merge_numbers(scratch[before], rows[at[begin + i]])


@kernel
def medians_without(
    rows: NDArray[Any], first: NDArray[np.int64], start: NDArray[np.int64], at: NDArray[np.int64],
    words: NDArray[np.float64], median: NDArray[np.float64],
) -> None:
    """median[i] of the entity of rows[at[i]] without that row; NaN where nothing is left."""
    for e in range(first.size):
        begin, n = start[e], start[e + 1] - start[e]
        size = rows[first[e]].used
        for i in range(n):
            size += rows[at[begin + i]].used
        x, w, owner = np.empty(size), np.empty(size), np.empty(size, np.int32)
        filled = 0
        for i in range(-1, n):
            r = rows[first[e]] if i < 0 else rows[at[begin + i]]
            for j in range(r.used):
                x[filled], w[filled], owner[filled] = words[r.start + WIDTH * j], words[r.start + WIDTH * j + 1], i
                filled += 1
        order = np.argsort(x, kind="mergesort")
        x, w, owner = x[order], w[order], owner[order]
        for i in range(n):
            median[begin + i] = median_but(x, w, owner, i)
