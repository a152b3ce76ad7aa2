"""Which values of a by or over field come so often that they are left out (excludeFrequent)?

Source: Prelert Engine API, section 4.2: "values of that field that occur very often". The rule is ours.
"""
from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import State

ENTER, LEAVE = 0.8, 0.6
"""A value is frequent once it was there in so much of the buckets, and until it is there in less than that."""
BUCKETS_MIN = 20
"""Nothing is frequent before so many buckets, and no bucket counts before the first that has a value."""
HALF_LIFE_BUCKETS = 500.0
"""A bucket so far back counts half."""
_KEEP = 0.5 ** (1.0 / HALF_LIFE_BUCKETS)
_NOTHING = 1e-30  # a count below it is 0: subnormal numbers are slow

Mode = Literal["none", "by", "over", "all"]


class FrequentValues:
    """The values of one field, by row number, 0 to n − 1: 9 bytes a value.

    The decayed count of the buckets in which a value was, over that of all buckets, is its share of them lately.
    """

    bytes_per_value = 9

    def __init__(self) -> None:
        self._count = np.zeros(0)
        self._frequent = np.zeros(0, np.bool_)
        self._all = 0.0
        self._buckets = 0

    @property
    def size(self) -> int:
        """How many values there are."""
        return self._count.size

    def grow(self, n: int) -> None:
        """There are *n* values now; those that are new were in no bucket. Fewer than before change nothing."""
        more = max(0, n - self.size)
        self._count = np.concatenate([self._count, np.zeros(more)])
        self._frequent = np.concatenate([self._frequent, np.zeros(more, np.bool_)])

    def frequent(self, row: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each of k values is frequent by the buckets learned so far, (k,); a new one is not."""
        known = row < self.size
        out = np.zeros(row.size, np.bool_)
        out[known] = self._frequent[row[known]]
        return out

    def learn(self, row: NDArray[np.int32]) -> None:
        """Learn one final bucket: the values that were in it, as often and in whatever order; there may be new ones."""
        if row.size:
            self.grow(int(row.max()) + 1)
        elif not self._buckets:
            return
        self._buckets += 1
        self._all = _KEEP * self._all + 1.0
        self._count *= _KEEP
        self._count[self._count < _NOTHING] = 0.0
        self._count[row] += 1.0  # once, also for a row that is there twice
        if self._buckets >= BUCKETS_MIN:
            share = self._count / self._all
            self._frequent = share >= np.where(self._frequent, LEAVE, ENTER)

    def forget(self, row: NDArray[np.int32]) -> None:
        """Set these values back to having been in no bucket: their rows are to stand for others."""
        self._count[row] = 0.0
        self._frequent[row] = False

    def save(self) -> State:
        """A copy of all that was learned."""
        return {"count": self._count.copy(), "frequent": self._frequent.copy(),
                "all": np.array([self._all]), "buckets": np.array([self._buckets], np.int64)}

    def restore(self, state: State) -> None:
        """Go on from what ``save`` gave, bit for bit. Raises KeyError, or ValueError if two arrays differ in length."""
        if state["count"].shape != state["frequent"].shape:
            raise ValueError(f"state 'frequent' has shape {state['frequent'].shape}: expected {state['count'].shape}")
        self._count, self._frequent = state["count"].copy(), state["frequent"].copy()
        self._all, self._buckets = float(state["all"][0]), int(state["buckets"][0])


class Exclusion:
    """What of one detector is left out, by its *mode*: frequent values of the by field, of the over field, of either.

    by, over  the values of the two fields; only those that the mode asks about learn

    Raises ValueError for a mode that there is not.
    """

    def __init__(self, mode: Mode = "none") -> None:
        if mode not in ("none", "by", "over", "all"):
            raise ValueError(f"mode is {mode!r}: expected none, by, over or all")
        self.mode = mode
        self.by, self.over = FrequentValues(), FrequentValues()

    def excluded(self, by: NDArray[np.int32] | None, over: NDArray[np.int32] | None) -> NDArray[np.bool_]:
        """Whether each of n entities is left out, (n,), given the rows of its by and over value.

        None: there is no such field. Raises ValueError if there is neither.
        """
        rows = by if by is not None else over
        if rows is None:
            raise ValueError("there is neither a by nor an over field")
        out = np.zeros(rows.size, np.bool_)
        for values, row in self._asked(by, over):
            out |= values.frequent(row)
        return out

    def learn(self, by: NDArray[np.int32] | None, over: NDArray[np.int32] | None) -> None:
        """Learn the values of the entities of one final bucket, those that were left out too; see ``excluded``."""
        for values, row in self._asked(by, over):
            values.learn(row)

    def _asked(
        self, by: NDArray[np.int32] | None, over: NDArray[np.int32] | None,
    ) -> list[tuple[FrequentValues, NDArray[np.int32]]]:
        fields = (("by", self.by, by), ("over", self.over, over))
        return [(values, row) for name, values, row in fields if row is not None and self.mode in (name, "all")]

    def save(self) -> State:
        """A copy of all that was learned; not the mode."""
        return {f"by_{name}": column for name, column in self.by.save().items()} | {
            f"over_{name}": column for name, column in self.over.save().items()}

    def restore(self, state: State) -> None:
        """Go on from what ``save`` gave, bit for bit. Raises KeyError, or ValueError as ``FrequentValues.restore``."""
        for prefix, values in (("by_", self.by), ("over_", self.over)):
            own = {name.removeprefix(prefix): column for name, column in state.items() if name.startswith(prefix)}
            values.restore(own)
