"""How many different values an entity would have had without each value of an influencer field."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.distinct import (
    BITS,
    EXACT_MAX,
    MISSING,
    REGISTERS,
    SETS,
    WIDTH,
    add_to_set,
    estimate,
    make_registers,
    rank_of,
)
from offbeat_detectors.buckets.influence import VALUES_MAX, Removed, chains_of, nothing_removed, removed
from offbeat_detectors.buckets.numbers import plus
from offbeat_detectors.buckets.tables import (
    IGNORED,
    NO_ROOM,
    OTHERS,
    TOP,
    USED,
    OpenBuckets,
    Tables,
    before_lightest,
    give_room,
    link,
    new_row,
    slot_of,
    unlink,
)
from offbeat_detectors.kernel import kernel, lean_kernel


class DistinctWithout(OpenBuckets):
    """The number of different values of an entity without each value of one influencer field, in open buckets.

    It is what ``Distinct`` says of the rows that are left, bit for bit, unless values were laid together. In an open
    bucket an entity takes 64 bytes and up to 4 KB for each value that it keeps apart, at most twice VALUES_MAX.
    """

    def __init__(self) -> None:
        super().__init__(Tables(SETS, np.uint64, WIDTH, chained=True))

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], code: NDArray[np.int32],
        hash64: NDArray[np.uint64], weight: NDArray[np.float64] | None = None,
    ) -> None:
        """As ``Distinct.add``; *code* (n,) int32 is that of the influencer's value, −1 where a row has none."""
        weight = np.ones(bucket.size) if weight is None else weight
        self._tables.fold(bucket, entity, (code, hash64, weight), share_hashes)

    def without(self, bucket: int, entity: NDArray[np.int32] | None = None) -> Removed:
        """The open *bucket* without each value, by now, of these entities; None: of all."""
        if (table := self._tables.of(bucket)) is None:
            return nothing_removed(1)
        chains = chains_of(table, entity)
        value = np.empty((chains.at.size, 1))
        sizes_without(table.rows, chains.first, chains.start, chains.at, table.words, table.words.view(np.uint8),
                      value[:, 0])
        return removed(table, chains, value)


@kernel
def share_hashes(
    first: int, entity: NDArray[np.int32], code: NDArray[np.int32], hash64: NDArray[np.uint64],
    weight: NDArray[np.float64], index: NDArray[np.int32], slots: NDArray[np.int32], rows: NDArray[Any],
    words: NDArray[np.uint64], head: NDArray[np.int64], spare: int,
) -> int:
    """Add rows of input from *first* on to those of entity and code; says where it ended for lack of room."""
    registers = words.view(np.uint8)
    for i in range(first, entity.size):
        if rows.size - head[USED] < 2 or words.size - head[TOP] < spare:
            return i
        if not 0.0 < weight[i] < math.inf:
            head[IGNORED] += 1
            continue
        at = -1 if code[i] < 0 else slots[slot_of(slots, rows, entity[i], code[i])] - 1
        if at < 0:
            at = index[entity[i]] - 1
            if at < 0:
                at = new_row(rows, head, entity[i], OTHERS)
                index[entity[i]] = at + 1
            if code[i] >= 0:
                others = at
                if rows[others].chain == 2 * VALUES_MAX:
                    lay_sets_together(slots, rows, others, words, registers, head)
                at = new_row(rows, head, entity[i], code[i])
                link(slots, rows, others, at)
        r = rows[at]
        r.count, r.count_lost = plus(r.count, r.count_lost, weight[i])
        if hash64[i] != MISSING:
            add_to_set(r, hash64[i], words, registers, head)
    return int(entity.size)


@lean_kernel
def lay_sets_together(
    slots: NDArray[np.int32], rows: NDArray[Any], first: int, words: NDArray[np.uint64],
    registers: NDArray[np.uint8], head: NDArray[np.int64],
) -> None:
    """As ``influence.lay_together``, of sets."""
    others = rows[first]
    while others.chain > VALUES_MAX:
        before = before_lightest(rows, first)
        r = rows[rows[before].next]
        others.beyond += r.count + r.count_lost
        others.count, others.count_lost = plus(others.count, others.count_lost, r.count)
        others.count_lost += r.count_lost
        if r.sketch == 1:
            if others.sketch == 0:
                make_registers(others, words, registers, head)
            for i in range(REGISTERS):
                at = 8 * others.start + i
                registers[at] = max(registers[at], registers[8 * r.start + i])
        elif r.level != NO_ROOM:
            for i in range(r.start, r.start + (8 << (2 * r.level))):
                if words[i] != MISSING:
                    add_to_set(others, words[i], words, registers, head)
        if r.level != NO_ROOM:
            give_room(words, head, r.level, r.start)
        unlink(slots, rows, head, first, before)


@lean_kernel
def enter(
    best: NDArray[np.uint8], whose: NDArray[np.int32], second: NDArray[np.uint8], at: int, rank: int, who: int,
) -> None:
    """Register *at* has seen *rank* from *who*: its best, whose that is, and the best of all others."""
    if rank > best[at]:
        if whose[at] != who:
            second[at], whose[at] = best[at], who
        best[at] = rank
    elif whose[at] != who and rank > second[at]:
        second[at] = rank


@kernel
def sizes_without(
    rows: NDArray[Any], first: NDArray[np.int64], start: NDArray[np.int64], at: NDArray[np.int64],
    words: NDArray[np.uint64], registers: NDArray[np.uint8], size: NDArray[np.float64],
) -> None:
    """size[i] of all that the entity of rows[at[i]] has in its other rows; NaN where it has no other event.

    first, start, at  as in influence.Chains
    """
    best, second = np.empty(REGISTERS, np.uint8), np.empty(REGISTERS, np.uint8)
    whose, left = np.empty(REGISTERS, np.int32), np.empty(REGISTERS, np.uint8)
    for e in range(first.size):
        begin, n = start[e], start[e + 1] - start[e]
        pool, sketches = 0, 0
        for i in range(-1, n):
            r = rows[first[e]] if i < 0 else rows[at[begin + i]]
            pool, sketches = pool + r.used, sketches + r.sketch
        hash64, owner, filled = np.empty(pool, np.uint64), np.empty(pool, np.int32), 0
        for i in range(-1, n):
            r = rows[first[e]] if i < 0 else rows[at[begin + i]]
            if r.sketch == 0 and r.level != NO_ROOM:
                for j in range(r.start, r.start + (8 << (2 * r.level))):
                    if words[j] != MISSING:
                        hash64[filled], owner[filled] = words[j], i
                        filled += 1
        order = np.argsort(hash64, kind="mergesort")
        different, alone = 0, np.zeros(n, np.int64)
        for j in range(pool):
            same_before = j > 0 and hash64[order[j - 1]] == hash64[order[j]]
            same_after = j + 1 < pool and hash64[order[j + 1]] == hash64[order[j]]
            different += not same_before
            if not same_before and not same_after and owner[order[j]] >= 0:
                alone[owner[order[j]]] += 1
        if sketches > 0 or different > EXACT_MAX:
            best[:], second[:], whose[:] = 0, 0, -2
            for j in range(pool):
                enter(best, whose, second, int(hash64[j] >> np.uint64(64 - BITS)), rank_of(hash64[j]), owner[j])
            for i in range(-1, n):
                r = rows[first[e]] if i < 0 else rows[at[begin + i]]
                if r.sketch == 1:
                    for j in range(REGISTERS):
                        enter(best, whose, second, j, registers[8 * r.start + j], i)
        for i in range(n):
            others = sketches - rows[at[begin + i]].sketch
            if n == 1 and rows[first[e]].count == 0.0:
                size[begin + i] = np.nan
            elif others == 0 and different - alone[i] <= EXACT_MAX:
                size[begin + i] = different - alone[i]
            else:
                for j in range(REGISTERS):
                    left[j] = second[j] if whose[j] == i else best[j]
                size[begin + i] = estimate(left)
