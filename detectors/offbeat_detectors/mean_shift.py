"""Mean shift with a flat kernel: rows to clusters, all at once. The same rows give the same clusters.

Source: D. Comaniciu, P. Meer, "Mean shift: a robust approach toward feature space analysis", 2002; the bandwidth, the
seeds and the order of the centres are those of scikit-learn's MeanShift(bin_seeding=True, cluster_all=False).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
SAMPLED, SEED, QUANTILE = 200, 0, 0.2
STEPS_MAX = 300
STILL = 1e-3
"""Of the bandwidth: a seed that moves less has arrived."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Where n rows of d features lie densely.

    bandwidth  how far a centre reaches
    centres    (k, d) the densest first
    labels     (n,) the nearest centre of each row; −1: none reaches it
    """

    bandwidth: float
    centres: Rows
    labels: NDArray[np.int64]


def cluster(rows: Rows) -> Clusters:
    """The clusters of (n, d) *rows*; without rows there is none, and rows that are all equal are one."""
    n = len(rows)
    if n == 0:
        return Clusters(0.0, rows, np.zeros(0, np.int64))
    h = bandwidth(rows)
    if h == 0.0:
        return Clusters(0.0, rows[:1], np.zeros(n, np.int64))
    columns = np.ascontiguousarray(rows.T)
    dense: dict[tuple[float, ...], int] = {}
    for seed in seeds(rows, h):
        mean, count = _shifted(columns, seed, h)
        if count:
            dense[tuple(mean.tolist())] = count
    kept: list[NDArray[np.float64]] = []
    for _, at in sorted(((count, at) for at, count in dense.items()), reverse=True):
        centre = np.array(at)
        if all(float(np.linalg.norm(centre - other)) > h for other in kept):
            kept.append(centre)
    if not kept:
        return Clusters(h, rows[:0], np.full(n, -1))
    nearest, labels = np.full(n, np.inf), np.full(n, -1)
    for label, centre in enumerate(kept):
        distance = _distances(columns, centre)
        nearer = distance < nearest
        nearest[nearer], labels[nearer] = distance[nearer], label
    labels[nearest > h] = -1
    return Clusters(h, np.array(kept), labels)


def bandwidth(rows: Rows) -> float:
    """The mean distance of some of (n, d) *rows*, 200 at most, to the k-th nearest of them, itself the first.

    k is a fifth of their number.
    """
    taken = rows[np.random.RandomState(SEED).permutation(len(rows))[:SAMPLED]]
    k = max(1, int(QUANTILE * len(taken)))
    columns = np.ascontiguousarray(taken.T)
    return float(np.mean([np.partition(_distances(columns, row), k - 1)[k - 1] for row in taken]))


def seeds(rows: Rows, h: float) -> Rows:
    """The distinct points of a grid of width *h* that rows are nearest to; as many as rows: the rows themselves."""
    distinct: Rows = np.unique(np.round(rows / h), axis=0)
    return rows if len(distinct) == len(rows) else distinct * h


def _shifted(columns: Rows, at: NDArray[np.float64], h: float) -> tuple[NDArray[np.float64], int]:
    """Where a seed comes to rest, and how many rows it reached at its last step; 0: it never reached any."""
    count = 0
    for _ in range(STEPS_MAX + 1):
        within = _distances(columns, at) <= h
        reached = int(np.count_nonzero(within))
        if reached == 0:
            return at, 0
        before, at, count = at, columns[:, within].mean(axis=1), reached
        if float(np.linalg.norm(at - before)) <= STILL * h:
            break
    return at, count


def _distances(columns: Rows, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the Euclidean distance of (d, n) *columns* to a point: a column at a time, for they may be many."""
    total = np.zeros(columns.shape[1])
    for column, x in zip(columns, point, strict=True):
        difference = column - x
        total += difference * difference
    distance: NDArray[np.float64] = np.sqrt(total)
    return distance
