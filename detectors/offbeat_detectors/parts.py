"""Points shared out among threads, and what they gave put back: a series is in one part, its points in their order."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import lean_kernel

Piece = Callable[[], None]
Run = Callable[[Sequence[Piece]], None]
"""Runs pieces of work, each perhaps on another thread, and returns when all are done."""
NEIGHBOURS = 2
"""2 to this power series that follow one another are in one part: their rows share lines of the cache."""


class Team:
    """Some threads that work together: the one that asks, and *threads* − 1 more. As a context, it ends them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._others = ThreadPoolExecutor(threads - 1, thread_name_prefix="team") if threads > 1 else None

    def run(self, pieces: Sequence[Piece]) -> None:
        """Run *pieces*, the first here, and return when all are done. Raises what the first that failed raised."""
        if self._others is None:
            for piece in pieces:
                piece()
            return
        waiting = [self._others.submit(piece) for piece in pieces[1:]]
        try:
            for piece in pieces[:1]:
                piece()
        finally:
            for one in waiting:  # also if the first failed: they write to arrays of the caller
                one.exception()
        for one in waiting:
            one.result()

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        if self._others is not None:
            self._others.shutdown(wait=True)


@lean_kernel
def part_of(slot: int, parts: int) -> int:
    """Which of *parts* series *slot* is in."""
    return (slot >> NEIGHBOURS) % parts


@lean_kernel
def share_out(
    slot: NDArray[np.int32], apart: NDArray[np.bool_], parts: int, end: NDArray[np.int64], order: NDArray[np.int64],
) -> None:
    """Sort n points by part, those of one part in their order.

    apart  (n,) bool   points that go into a part by themselves, the last
    end    (parts + 1,) int64 filled: where each part ends in *order* (n,) int64, which is filled with the points
    """
    for p in range(parts + 1):
        end[p] = 0
    for i in range(slot.size):
        end[parts if apart[i] else part_of(slot[i], parts)] += 1
    at = 0
    for p in range(parts + 1):  # where each begins
        at, end[p] = at + end[p], at
    for i in range(slot.size):
        p = parts if apart[i] else part_of(slot[i], parts)
        order[end[p]] = i
        end[p] += 1


@lean_kernel
def put_back(order: NDArray[np.int64], given: NDArray[np.float64], columns: NDArray[np.float64]) -> None:
    """columns[:, order[i]] = given[:, i] for n points of k columns each."""
    for k in range(given.shape[0]):
        for i in range(order.size):
            columns[k, order[i]] = given[k, i]
