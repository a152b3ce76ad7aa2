"""Texts to dense numbers, compiled: a hash table over packed bytes. Pure; used by the decoders and the catalog."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings
from offbeat_detectors.kernel import inlined_kernel, lean_kernel
from offbeat_detectors.rows import prefetch_at

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)


@inlined_kernel
def hash_span(data: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    """FNV-1a of data[start:stop], with a last mix so that the low bits may index a table.

    Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV non-cryptographic hash algorithm", IETF draft; mix of
    MurmurHash3 (A. Appleby).
    """
    h = FNV_OFFSET
    for i in range(start, stop):
        h = (h ^ np.uint64(data[i])) * FNV_PRIME
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    return h


@inlined_kernel
def find_or_add(
    data: NDArray[np.uint8],
    start: int,
    stop: int,
    h: np.uint64,
    table: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    end: NDArray[np.int64],
    count: int,
) -> int:
    """The number of the text data[start:stop]; a text not seen before gets number *count* and is copied to the arena.

    h       its hash, see ``hash_span``
    table   (2^k,) int32   open addressing; number + 1, 0 is free; must be larger than the texts it holds
    hashes  (c,) uint64, end (c,) int64, arena (b,) uint8   the texts, as in Strings, of which *count* are in use
    Returns −1 if hashes, end or arena have no room: grow them and call again.
    """
    mask = table.size - 1
    at = np.int64(h & np.uint64(mask))
    length = stop - start
    while True:
        held = table[at]
        if held == 0:
            break
        i = held - 1
        if hashes[i] == h:
            a = end[i - 1] if i > 0 else 0
            if end[i] - a == length:
                same = True
                for j in range(length):
                    if arena[a + j] != data[start + j]:
                        same = False
                        break
                if same:
                    return int(i)
        at = (at + 1) & mask
    a = end[count - 1] if count > 0 else 0
    if count >= end.size or a + length > arena.size:
        return -1
    for j in range(length):
        arena[a + j] = data[start + j]
    end[count] = a + length
    hashes[count] = h
    table[at] = count + 1
    return count


@lean_kernel
def rebuild(table: NDArray[np.int32], hashes: NDArray[np.uint64], count: int) -> None:
    """Fill *table* (all zero) with the first *count* texts by their hashes."""
    mask = table.size - 1
    for i in range(count):
        at = np.int64(hashes[i] & np.uint64(mask))
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = i + 1


@lean_kernel
def hash_all(data: NDArray[np.uint8], ends: NDArray[np.int64], hashed: NDArray[np.uint64]) -> None:
    """Fill *hashed* with the hashes of the texts (data, ends)."""
    start = 0
    for i in range(ends.size):
        hashed[i] = hash_span(data, start, ends[i])
        start = ends[i]


@inlined_kernel
def _ask_ahead(
    hashed: NDArray[np.uint64],
    i: int,
    table: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    end: NDArray[np.int64],
) -> None:
    """Ask for what the texts after number *i* will be compared with: of a million, it is not in the cache."""
    mask, last = np.uint64(table.size - 1), hashed.size - 1
    prefetch_at(table, np.int64(hashed[min(i + 24, last)] & mask), 0)
    held = table[np.int64(hashed[min(i + 16, last)] & mask)] - 1
    if held >= 0:
        prefetch_at(hashes, held, 0)
        prefetch_at(end, max(0, held - 1), 0)
    held = table[np.int64(hashed[min(i + 8, last)] & mask)] - 1
    if held > 0:
        prefetch_at(arena, end[held - 1], 0)


@lean_kernel
def find_or_add_all(
    data: NDArray[np.uint8],
    ends: NDArray[np.int64],
    hashed: NDArray[np.uint64],
    first: int,
    found: NDArray[np.int32],
    table: NDArray[np.int32],
    hashes: NDArray[np.uint64],
    arena: NDArray[np.uint8],
    end: NDArray[np.int64],
    count: int,
    limit: int,
) -> tuple[int, int]:
    """Number texts first.. of (data, ends), whose hashes are *hashed*, into *found*; beyond *limit* texts a new one
    gets −1.

    Returns (how many were numbered, the new count). The first is less than the texts given if the arrays must grow.
    """
    for i in range(first, ends.size):
        if 2 * (count + 1) > table.size:
            return i, count
        _ask_ahead(hashed, i, table, hashes, arena, end)
        start = ends[i - 1] if i > 0 else 0
        n = find_or_add(data, start, ends[i], hashed[i], table, hashes, arena, end, count)
        if n == -1:
            return i, count
        if n == count:
            if count >= limit:  # take it out again: it was put where the probe ended
                mask = table.size - 1
                at = np.int64(hashes[n] & np.uint64(mask))
                while table[at] != n + 1:
                    at = (at + 1) & mask
                table[at] = 0
                n = -1
            else:
                count += 1
        found[i] = n
    return ends.size, count


class Interner:
    """Texts numbered 0, 1, 2, … in order of first sight. Not thread-safe."""

    def __init__(self) -> None:
        self._table = np.zeros(64, np.int32)
        self._hashes = np.zeros(32, np.uint64)
        self._arena = np.zeros(1024, np.uint8)
        self._end = np.zeros(32, np.int64)
        self.count = 0

    def number(self, texts: Strings, limit: int = 2**31 - 2) -> NDArray[np.int32]:
        """The number of each text, (k,) int32; a new text is added, or is −1 once *limit* texts are held."""
        found, hashed = np.empty(len(texts), np.int32), np.empty(len(texts), np.uint64)
        hash_all(texts.data, texts.end, hashed)
        done = 0
        while True:
            done, self.count = find_or_add_all(
                texts.data,
                texts.end,
                hashed,
                done,
                found,
                self._table,
                self._hashes,
                self._arena,
                self._end,
                self.count,
                limit,
            )
            if done == found.size:
                return found
            self._grow(int(texts.end[-1] - (texts.end[done - 1] if done else 0)))

    def _grow(self, room: int) -> None:
        """Double what is full; the arena has at least *room* bytes more afterwards."""
        used = int(self._end[self.count - 1]) if self.count else 0
        if used + room > self._arena.size:
            self._arena = np.concatenate([self._arena, np.zeros(max(self._arena.size, room), np.uint8)])
        if self.count >= self._end.size:
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
            self._end = np.concatenate([self._end, np.zeros_like(self._end)])
        if 2 * (self.count + 1) > self._table.size:
            self._table = np.zeros(2 * self._table.size, np.int32)
            rebuild(self._table, self._hashes, self.count)

    @property
    def text_bytes(self) -> int:
        """The bytes of all texts."""
        return int(self._end[self.count - 1]) if self.count else 0

    def forget_after(self, count: int) -> None:
        """Forget all texts but the first *count*: what was numbered for something that did not happen."""
        self.count = count
        self._table[:] = 0
        rebuild(self._table, self._hashes, count)

    def texts(self, first: int = 0) -> Strings:
        """The texts numbered *first* and on, as a copy."""
        start = int(self._end[first - 1]) if first else 0
        stop = int(self._end[self.count - 1]) if self.count else 0
        return Strings(self._arena[start:stop].copy(), self._end[first : self.count] - start)

    def text(self, number: int) -> str:
        """The text of *number*."""
        start = int(self._end[number - 1]) if number else 0
        return self._arena[start : int(self._end[number])].tobytes().decode()
