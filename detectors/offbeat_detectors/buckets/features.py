"""Numbers of the rows of a bucket become features of each entity: count, sum, mean, min, max, varp, median."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.numbers import (
    COUNT,
    MAX_OF,
    MEAN,
    MEDIAN,
    MIN,
    NUMBERS,
    SUM,
    VARP,
    WIDTH,
    add_number,
    add_to_list,
    median_of_rows,
    new_numbers,
    number_of,
)
from offbeat_detectors.buckets.tables import IGNORED, LEVEL_MAX, OTHERS, TOP, USED, OpenBuckets, Tables
from offbeat_detectors.kernel import kernel

FEATURES = {
    "count": COUNT, "sum": SUM, "mean": MEAN, "min": MIN, "max": MAX_OF, "varp": VARP, "median": MEDIAN}


@dataclass(frozen=True, slots=True)
class Gathered:
    """The features of one bucket: row i is one entity that had rows.

    entity  (m,) int32      ascending
    count   (m,) float64    its events, those without a value too
    value   (m, k) float64  feature j in column j; NaN where no value came
    beyond  (m,) int64      rows whose value was not looked at, for a limit was reached; 0 for numbers
    """

    entity: NDArray[np.int32]
    count: NDArray[np.float64]
    value: NDArray[np.float64]
    beyond: NDArray[np.int64]


class Gatherer(OpenBuckets):
    """Features of the numbers of any number of open buckets of one detector.

    features  names of FEATURES, the columns of what is gathered

    An entity takes 132 bytes in an open bucket, and for a median up to 8 KB more (numbers.LISTED_MAX values; what it
    outgrows, others take). The cuts between calls of ``add`` change no bit. Raises ValueError for an unknown feature.
    """

    def __init__(self, features: Sequence[str]) -> None:
        if not features or not set(features) <= set(FEATURES):
            raise ValueError(f"features are {tuple(features)}: expected one or more of {', '.join(FEATURES)}")
        self.features = tuple(features)
        self._numbers = np.array([FEATURES[name] for name in features], np.int64)
        self._lists = "median" in features
        super().__init__(Tables(NUMBERS, np.float64, WIDTH if self._lists else 0))

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], value: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        """Take n rows in order of arrival, of any buckets.

        bucket  (n,) int64    numbers of buckets; the first row of a bucket opens it
        entity  (n,) int32    0 or more
        value   (n,) float64  one that is not finite counts as an event and is no value
        weight  (n,) float64  how many events each stands for (a summary count); None: one each
        """
        self._tables.fold(bucket, entity, (value, np.ones(bucket.size) if weight is None else weight), gather_numbers)

    def look(self, bucket: int) -> Gathered:
        """The features of *bucket* by now; it stays open. No rows for one that is not open."""
        if (table := self._tables.of(bucket)) is None:
            return nothing(len(self.features))
        at = np.argsort(table.live["entity"], kind="stable")
        value = np.empty((at.size, len(self.features)))
        features_of_rows(table.rows, at, self._numbers, value)
        if self._lists:
            median = np.empty(at.size)
            median_of_rows(table.rows, at, table.words, median)
            value[:, self._numbers == MEDIAN] = median[:, None]
        rows = table.rows[at]
        return Gathered(rows["entity"].copy(), rows["count"] + rows["count_lost"], value,
                        np.zeros(at.size, np.int64))

    def close(self, bucket: int) -> Gathered:
        """The features of *bucket*, which is forgotten."""
        gathered = self.look(bucket)
        self._tables.forget(bucket)
        return gathered


def nothing(features: int) -> Gathered:
    """What is gathered of a bucket without rows."""
    return Gathered(np.zeros(0, np.int32), np.zeros(0), np.zeros((0, features)), np.zeros(0, np.int64))


@kernel
def gather_numbers(
    first: int, entity: NDArray[np.int32], value: NDArray[np.float64], weight: NDArray[np.float64],
    index: NDArray[np.int32], rows: NDArray[Any], words: NDArray[np.float64], head: NDArray[np.int64], spare: int,
) -> int:
    """Add rows of input from *first* on to the rows of their entities; says where it ended for lack of room.

    spare  words that one may need; 0: no lists are kept
    """
    for i in range(first, entity.size):
        if head[USED] == rows.size or words.size - head[TOP] < spare:
            return i
        w, x = weight[i], value[i]
        if not 0.0 < w < math.inf:
            head[IGNORED] += 1
            continue
        at = index[entity[i]] - 1
        if at < 0:
            at = new_numbers(rows, head, entity[i], OTHERS)
            index[entity[i]] = at + 1
        add_number(rows[at], x, w)
        if spare > 0 and math.isfinite(x):
            add_to_list(rows[at], x, w, words, head, LEVEL_MAX)
    return int(entity.size)


@kernel
def features_of_rows(
    rows: NDArray[Any], at: NDArray[np.int64], features: NDArray[np.int64], value: NDArray[np.float64],
) -> None:
    """value[i, j] = feature j of rows[at[i]], but for MEDIAN."""
    for i in range(at.size):
        for j in range(features.size):
            if features[j] != MEDIAN:
                value[i, j] = number_of(rows[at[i]], features[j])
