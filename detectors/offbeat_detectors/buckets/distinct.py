"""How many different values an entity had in a bucket: exact for few, estimated for many. Values come as hashes.

Up to EXACT_MAX hashes are kept as they are; then 4096 registers of a byte, in the same 4 KB, hold the most leading
zeros seen (P. Flajolet, É. Fusy, O. Gandouet, F. Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
estimation algorithm", 2007), read without bias for any number (O. Ertl, "New cardinality estimation algorithms for
HyperLogLog sketches", 2017, the improved raw estimator; full registers, of which there are none below 10^17 values,
count as they are). The standard error is 1.04/√4096 = 1.6 %.
"""
from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.features import Gathered, nothing
from offbeat_detectors.buckets.numbers import plus
from offbeat_detectors.buckets.tables import (
    IGNORED,
    LEVEL_MAX,
    NO_ROOM,
    OTHERS,
    ROOM_MAX,
    ROW,
    TOP,
    USED,
    OpenBuckets,
    Tables,
    give_room,
    new_row,
    take_room,
)
from offbeat_detectors.kernel import kernel, lean_kernel

SETS = np.dtype(ROW, align=True)
WIDTH = 1
EXACT_MAX = ROOM_MAX // 2
BITS = 12
REGISTERS = 1 << BITS  # bytes: as many as the room of LEVEL_MAX has
RANK_MAX = 64 - BITS + 1
MISSING = 0
"""The hash of no value at all."""


def hashes(texts: Iterable[str | None]) -> NDArray[np.uint64]:
    """(n,) the hash of each text, the same in every process; MISSING for None.

    Among 100 million texts two have the same hash with a probability of 1 in 3,700. Source: BLAKE2b, RFC 7693.
    """
    given = list(texts)
    digests = (hashlib.blake2b((text or "").encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in given)
    found = np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
    found[found == MISSING] = 1
    found[[text is None for text in given]] = MISSING
    return found


class Distinct(OpenBuckets):
    """The number of different values of each entity in any number of open buckets of one detector.

    An entity takes 64 bytes in an open bucket, and up to 4 KB more. The cuts between calls of ``add`` change no bit.
    """

    def __init__(self) -> None:
        super().__init__(Tables(SETS, np.uint64, WIDTH))

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], hash64: NDArray[np.uint64],
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        """Take n rows in order of arrival, of any buckets: the *hash64* of each one's value, MISSING if it has none."""
        self._tables.fold(bucket, entity, (hash64, np.ones(bucket.size) if weight is None else weight), gather_hashes)

    def look(self, bucket: int) -> Gathered:
        """The entities of *bucket* by now, a column of whole numbers; it stays open."""
        if (table := self._tables.of(bucket)) is None:
            return nothing(1)
        at = np.argsort(table.live["entity"], kind="stable")
        value = np.empty((at.size, 1))
        sizes_of_rows(table.rows, at, table.words, table.words.view(np.uint8), value[:, 0])
        rows = table.rows[at]
        return Gathered(rows["entity"].copy(), rows["count"] + rows["count_lost"], value,
                        np.zeros(at.size, np.int64))

    def close(self, bucket: int) -> Gathered:
        """As ``look``; *bucket* is forgotten."""
        gathered = self.look(bucket)
        self._tables.forget(bucket)
        return gathered


@kernel
def gather_hashes(
    first: int, entity: NDArray[np.int32], hash64: NDArray[np.uint64], weight: NDArray[np.float64],
    index: NDArray[np.int32], rows: NDArray[Any], words: NDArray[np.uint64], head: NDArray[np.int64], spare: int,
) -> int:
    """Add rows of input from *first* on to the sets of their entities; says where it ended for lack of room."""
    registers = words.view(np.uint8)
    for i in range(first, entity.size):
        if head[USED] == rows.size or words.size - head[TOP] < spare:
            return i
        if not 0.0 < weight[i] < math.inf:
            head[IGNORED] += 1
            continue
        at = index[entity[i]] - 1
        if at < 0:
            at = new_row(rows, head, entity[i], OTHERS)
            index[entity[i]] = at + 1
        r = rows[at]
        r.count, r.count_lost = plus(r.count, r.count_lost, weight[i])
        if hash64[i] != MISSING:
            add_to_set(r, hash64[i], words, registers, head)
    return int(entity.size)


@lean_kernel
def rank_of(hash64: np.uint64) -> int:
    """The place of the first 1 in *hash64* below its first BITS bits; RANK_MAX if there is none."""
    rest = np.uint64(hash64) << np.uint64(BITS)
    rank = 1
    while rank < RANK_MAX and rest >> np.uint64(63) == np.uint64(0):
        rest <<= np.uint64(1)
        rank += 1
    return rank


@lean_kernel
def register(registers: NDArray[np.uint8], start: int, hash64: np.uint64) -> None:
    """Enter *hash64* into the registers from *start* on."""
    at, rank = start + np.int64(np.uint64(hash64) >> np.uint64(64 - BITS)), rank_of(hash64)
    if rank > registers[at]:
        registers[at] = rank


@lean_kernel
def put(words: NDArray[np.uint64], start: int, room: int, hash64: np.uint64) -> bool:
    """Whether *hash64* is new in the half empty set of *room* words at *start*, where it is now."""
    at = np.int64(np.uint64(hash64) & np.uint64(room - 1))
    while words[start + at] != MISSING:
        if words[start + at] == hash64:
            return False
        at = (at + 1) & (room - 1)
    words[start + at] = hash64
    return True


@lean_kernel
def holds(words: NDArray[np.uint64], start: int, room: int, hash64: np.uint64) -> bool:
    """Whether *hash64* is in the set."""
    at = np.int64(np.uint64(hash64) & np.uint64(room - 1))
    while words[start + at] != MISSING:
        if words[start + at] == hash64:
            return True
        at = (at + 1) & (room - 1)
    return False


@lean_kernel
def make_room(r: Any, words: NDArray[np.uint64], head: NDArray[np.int64]) -> None:
    """The set of row *r* has room of the next size, or its first."""
    old, level, room = r.start, r.level, 8 << (2 * r.level)
    start = take_room(words, head, level + 1, WIDTH)
    words[start : start + (8 << (2 * (level + 1)))] = MISSING
    if level != NO_ROOM:
        for i in range(room):
            if words[old + i] != MISSING:
                put(words, start, 8 << (2 * (level + 1)), words[old + i])
        give_room(words, head, level, old)
    r.start, r.level = start, level + 1


@lean_kernel
def make_registers(
    r: Any, words: NDArray[np.uint64], registers: NDArray[np.uint8], head: NDArray[np.int64],
) -> None:
    """The set of row *r*, of any size, becomes registers."""
    old, level = r.start, r.level
    start = take_room(words, head, LEVEL_MAX, WIDTH)
    words[start : start + ROOM_MAX] = MISSING
    if level != NO_ROOM:
        for i in range(8 << (2 * level)):
            if words[old + i] != MISSING:
                register(registers, 8 * start, words[old + i])
        give_room(words, head, level, old)
    r.start, r.level, r.used, r.sketch = start, np.int32(LEVEL_MAX), np.int32(0), np.int32(1)


@lean_kernel
def add_to_set(
    r: Any, hash64: np.uint64, words: NDArray[np.uint64], registers: NDArray[np.uint8], head: NDArray[np.int64],
) -> None:
    """The set of row *r* holds *hash64* too."""
    if r.sketch == 0 and (r.level == NO_ROOM or r.used == 4 << (2 * r.level)):
        if r.level != NO_ROOM and holds(words, r.start, 8 << (2 * r.level), hash64):
            return
        if r.level == LEVEL_MAX:
            make_registers(r, words, registers, head)
        else:
            make_room(r, words, head)
    if r.sketch == 1:
        register(registers, 8 * r.start, hash64)
    elif put(words, r.start, 8 << (2 * r.level), hash64):
        r.used = np.int32(r.used + 1)


@kernel
def estimate(registers: NDArray[np.uint8]) -> float:
    """How many different hashes were entered into these REGISTERS: a whole number."""
    of_rank = np.zeros(RANK_MAX + 1, np.int64)
    for rank in registers:
        of_rank[rank] += 1
    total = 0.0
    for rank in range(RANK_MAX, 0, -1):
        total = (total + of_rank[rank]) / 2
    x = of_rank[0] / REGISTERS
    if x == 1.0:
        return 0.0
    y, z, before = 1.0, x, -1.0
    while z != before:  # Ertl's σ
        x, before = x * x, z
        z += x * y
        y += y
    total += REGISTERS * z
    return float(np.rint(REGISTERS * (REGISTERS / total) / (2.0 * math.log(2.0))))


@kernel
def size_of(r: Any, registers: NDArray[np.uint8]) -> float:
    """How many hashes the set of row *r* holds."""
    return estimate(registers[8 * r.start : 8 * r.start + REGISTERS]) if r.sketch == 1 else float(r.used)


@kernel
def sizes_of_rows(
    rows: NDArray[Any], at: NDArray[np.int64], words: NDArray[np.uint64], registers: NDArray[np.uint8],
    size: NDArray[np.float64],
) -> None:
    """size[i] of the set of rows[at[i]]."""
    for i in range(at.size):
        size[i] = size_of(rows[at[i]], registers)
