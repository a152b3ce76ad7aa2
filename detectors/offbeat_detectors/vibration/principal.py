"""The directions in which points vary most, by sums in a fixed order.

The libraries that multiply matrices divide a sum by how many threads they have: with two threads the last bits were
others than with one, and so were those of every probability after them.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel
from offbeat_detectors.vibration.measurements import Floats

SPARE = 5
"""Directions that are looked for besides those wanted: what lies between two nearly equal ones converges sooner."""
ROUNDS_MAX = 60
STEADY = 1e-14
NEGLIGIBLE = 1e-12
"""Of the variance: less than that is rounding."""


@kernel
def product(x: NDArray[np.float64], directions: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    """Set *found* (m, k) to the product of *x* (m, c) and *directions* (c, k)."""
    found[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(directions.shape[1]):
                found[i, k] += x[i, j] * directions[j, k]


@kernel
def transposed_product(x: NDArray[np.float64], y: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    """Set *found* (c, k) to the product of *x* (m, c), transposed, and *y* (m, k)."""
    found[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(y.shape[1]):
                found[j, k] += x[i, j] * y[i, k]


@kernel
def orthonormal(directions: NDArray[np.float64]) -> None:
    """Make the columns of *directions* (c, k) orthogonal and of length 1; one that the others hold becomes 0.

    By Gram's and Schmidt's procedure, twice: once leaves rounding that counts.
    """
    size, count = directions.shape
    for k in range(count):
        for _ in range(2):
            before = 0.0
            for j in range(size):
                before += directions[j, k] * directions[j, k]
            for other in range(k):
                shared = 0.0
                for j in range(size):
                    shared += directions[j, k] * directions[j, other]
                for j in range(size):
                    directions[j, k] -= shared * directions[j, other]
            length = 0.0
            for j in range(size):
                length += directions[j, k] * directions[j, k]
            factor = 1.0 / np.sqrt(length) if length > 1e-24 * before and length > 1e-290 else 0.0
            for j in range(size):
                directions[j, k] *= factor


def multiplied(x: Floats, directions: Floats) -> Floats:
    """The product (m, k) of *x* (m, c) and *directions* (c, k): a row has the same bits in whatever company."""
    found = np.empty((x.shape[0], directions.shape[1]))
    product(np.ascontiguousarray(x), np.ascontiguousarray(directions), found)
    return found


def principal(rows: Floats, explained: float, most: int) -> Floats:
    """The directions (c, d) in which *rows* (m, c), centred, vary most, the first most of all; at least one.

    explained  share of the variance that is enough
    most       directions

    A direction's sign is such that its largest coordinate is positive. Where variances are nearly equal, directions are
    any that hold as much.
    Source: H. Rutishauser, "Simultaneous iteration method for symmetric matrices", 1970.
    """
    rows = np.ascontiguousarray(rows)
    columns = rows.shape[1]
    total = float(np.square(rows).sum())
    if total <= NEGLIGIBLE:
        return np.eye(columns, 1)
    count = min(most + SPARE, columns)
    directions = np.random.default_rng(0).normal(size=(columns, count))
    orthonormal(directions)
    along, held = multiplied(rows, directions), 0.0
    for _ in range(ROUNDS_MAX):
        transposed_product(rows, along, directions)
        orthonormal(directions)
        product(rows, directions, along)
        before, held = held, float(np.square(along).sum())
        if abs(held - before) <= STEADY * total:
            break
    moment = np.empty((count, count))
    transposed_product(along, along, moment)
    values, vectors = np.linalg.eigh(moment)  # ten by ten: no library divides that
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    enough = 1 + int(np.searchsorted(np.cumsum(values) / total, explained - 1e-9))
    kept = max(1, min(enough, most, int((values > NEGLIGIBLE * total).sum())))
    found = multiplied(directions, vectors[:, :kept])
    largest = np.abs(found).argmax(axis=0)
    signed: Floats = found * np.where(found[largest, np.arange(kept)] < 0.0, -1.0, 1.0)
    return signed
