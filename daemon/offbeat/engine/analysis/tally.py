"""Rows of open buckets that are alike, counted together: for questions that look at each event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import State

TOGETHER = 65_536
"""Rows of a bucket after which those that are alike are counted together; twice as many are held at most."""


class Tally:
    """Rows of *width* whole numbers and a weight, by bucket."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._open: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}

    @property
    def buckets(self) -> tuple[int, ...]:
        """The open buckets that have rows, ascending."""
        return tuple(sorted(self._open))

    def add(
        self, bucket: NDArray[np.int64], columns: Sequence[NDArray[np.integer]], weight: NDArray[np.float64]
    ) -> None:
        """Take n rows, with the bucket and the weight of each."""
        rows = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
        for number in np.unique(bucket).tolist():
            mine = bucket == number
            held = self._open.setdefault(number, [])
            held.append((rows[mine], weight[mine]))
            if sum(part.size for _, part in held) > TOGETHER:
                self._open[number] = [self.rows(number)]

    def rows(self, bucket: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(m, width) the distinct rows of *bucket*, ascending, and (m,) the weight of each."""
        held = self._open.get(bucket)
        if not held:
            return np.zeros((0, self._width), np.int64), np.zeros(0)
        rows, where = np.unique(np.concatenate([part for part, _ in held]), axis=0, return_inverse=True)
        weight = np.zeros(rows.shape[0])
        np.add.at(weight, where.ravel(), np.concatenate([part for _, part in held]))
        return rows, weight

    def forget(self, bucket: int) -> None:
        """Close *bucket*."""
        self._open.pop(bucket, None)

    def save(self) -> State:
        """All open buckets."""
        state: State = {}
        for i, bucket in enumerate(self.buckets):
            rows, weight = self.rows(bucket)
            state |= {f"bucket{i}": np.array([bucket], np.int64), f"rows{i}": rows.ravel(), f"weight{i}": weight}
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._open.clear()
        i = 0
        while f"bucket{i}" in state:
            rows = state[f"rows{i}"].reshape(-1, self._width)
            self._open[int(state[f"bucket{i}"][0])] = [(rows, state[f"weight{i}"])]
            i += 1
