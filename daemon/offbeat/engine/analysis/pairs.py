"""Pairs of numbers to dense numbers, compiled: a hash table whose entries stand in two arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import inlined_kernel, lean_kernel

PLACES, IDLE, EVER = range(3)
FREE = -2
"""In the place of a pair: its number is nobody's."""


@inlined_kernel
def slot_of(first: int, second: int, mask: int) -> np.int64:
    """Where the search for a pair begins. Source: D. E. Knuth, "The Art of Computer Programming", 6.4, Fibonacci."""
    h = ((np.uint64(np.uint32(first)) << np.uint64(32)) | np.uint64(np.uint32(second))) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h >> np.uint64(32)) & np.uint64(mask))


@lean_kernel
def number_pairs(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    start: int,
    most: int,
    found: NDArray[np.int32],
    table: NDArray[np.int32],
    known_first: NDArray[np.int32],
    known_second: NDArray[np.int32],
    free: NDArray[np.int32],
    head: NDArray[np.int64],
) -> int:
    """Number the pairs from *start* on into *found*; a new one takes the last free number, or comes next, or is −1.

    most   pairs that may be known; more are −1
    table  (2^k,) int32  open addressing; number + 1, 0 is free; at least twice as large as the known arrays
    known_first, known_second  the pairs by number
    free   numbers that are nobody's, the next one last
    head   PLACES: one more than the largest number so far; IDLE: how many are free; EVER: pairs that were new so far
    Returns how many were numbered: less than the pairs given if the arrays must grow.
    """
    mask = table.size - 1
    for i in range(start, first.size):
        a, b = first[i], second[i]
        at = slot_of(a, b, mask)
        number = -1
        while table[at] != 0:
            held = table[at] - 1
            if known_first[held] == a and known_second[held] == b:
                number = held
                break
            at = (at + 1) & mask
        if number < 0 and head[PLACES] - head[IDLE] < most:
            if head[IDLE] > 0:
                head[IDLE] -= 1
                number = free[head[IDLE]]
            elif head[PLACES] == known_first.size:
                return i
            else:
                number = head[PLACES]
                head[PLACES] += 1
            head[EVER] += 1
            known_first[number], known_second[number] = a, b
            table[at] = number + 1
        found[i] = number
    return int(first.size)


@lean_kernel
def fill(table: NDArray[np.int32], first: NDArray[np.int32], second: NDArray[np.int32], count: int) -> None:
    """Fill *table* (all zero) with the first *count* pairs, but for those that are FREE."""
    mask = table.size - 1
    for i in range(count):
        if first[i] == FREE:
            continue
        at = slot_of(first[i], second[i], mask)
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = i + 1
