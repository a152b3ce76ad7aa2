"""What is kept of an entity's numbers in an open bucket: added to row by row, merged, and told as features.

Sums carry what rounding took from them (A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
Summen", 1974). Variance is kept as mean and sum of squares about it, weighted: D. West, "Updating mean and variance
estimates", 1979; merged: T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances", 1979. What a float64 cannot hold is the largest that it can.

A median is exact up to LISTED_MAX different values of an entity and bucket (equal ones count as one when room is
short). Beyond that neighbours are merged whenever the list is full, none above 1/128 of the weight: a histogram whose
cells fit the data, after T. Dunning, "The t-digest", 2021, with cells of equal weight, for the middle is asked for.
Its median is off by at most 1.5 % of the ranks in any order of arrival that was tried; a test says which.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.tables import LEVEL_MAX, NO_ROOM, ROOM_MAX, ROW, give_room, new_row, take_room
from offbeat_detectors.kernel import kernel, lean_kernel

NUMBERS = np.dtype([
    *ROW, ("weight", "f8"), ("weight_lost", "f8"), ("sum", "f8"), ("sum_lost", "f8"), ("mean", "f8"),
    ("squares", "f8"), ("low", "f8"), ("high", "f8"),
], align=True)
"""Of the rows with a finite value: their events, sum, mean, weighted squares about it, smallest and largest."""

WIDTH = 2  # words of an entry: a value and the events with it
LISTED_MAX = ROOM_MAX
MAX = 1.7976931348623157e308

COUNT, SUM, MEAN, MIN, MAX_OF, VARP, MEDIAN = range(7)


@lean_kernel
def plus(total: float, lost: float, x: float) -> tuple[float, float]:
    """*total* and what it *lost*, with the finite *x* added to it."""
    t = total + x
    if abs(t) > MAX:
        return math.copysign(MAX, t), 0.0
    return t, lost + ((total - t) + x if abs(total) >= abs(x) else (x - t) + total)


@lean_kernel
def clipped(x: float) -> float:
    """*x*, or the finite number next to it if it is infinite."""
    return min(MAX, max(-MAX, x))


@lean_kernel
def new_numbers(rows: NDArray[Any], head: NDArray[np.int64], entity: int, code: int) -> int:
    """A row of *entity* and *code* that stands for nothing yet."""
    at = new_row(rows, head, entity, code)
    r = rows[at]
    r.weight = r.weight_lost = r.sum = r.sum_lost = r.mean = r.squares = r.low = r.high = 0.0
    return at


@lean_kernel
def add_number(r: Any, x: float, w: float) -> None:
    """Row *r* stands for *w* events more, with the value *x*; one that is not finite is only counted."""
    r.count, r.count_lost = plus(r.count, r.count_lost, w)
    if not math.isfinite(x):
        return
    first = r.weight == 0.0
    r.weight, r.weight_lost = plus(r.weight, r.weight_lost, w)
    r.sum, r.sum_lost = plus(r.sum, r.sum_lost, clipped(w * x))
    if first:
        r.mean = r.low = r.high = x
        return
    r.low, r.high = min(r.low, x), max(r.high, x)
    step = clipped(x - r.mean)
    mean = r.mean + step * (w / r.weight)
    r.squares = min(MAX, r.squares + min(MAX, min(MAX, step * (x - mean)) * w))
    r.mean = mean


@lean_kernel
def merge_numbers(r: Any, other: Any) -> None:
    """Row *r* stands for the events of row *other* too; their lists are left as they are."""
    r.count, r.count_lost = plus(r.count, r.count_lost, other.count)
    r.count_lost += other.count_lost
    if other.weight == 0.0:
        return
    first, own = r.weight == 0.0, r.weight
    r.weight, r.weight_lost = plus(r.weight, r.weight_lost, other.weight)
    r.weight_lost += other.weight_lost
    r.sum, r.sum_lost = plus(r.sum, r.sum_lost, other.sum)
    r.sum_lost += other.sum_lost
    if first:
        r.mean, r.squares, r.low, r.high = other.mean, other.squares, other.low, other.high
        return
    r.low, r.high = min(r.low, other.low), max(r.high, other.high)
    step = clipped(other.mean - r.mean)
    between = min(MAX, min(MAX, step * step) * (own * (other.weight / r.weight)))
    r.squares = min(MAX, min(MAX, r.squares + other.squares) + between)
    r.mean = r.mean + step * (other.weight / r.weight)


@lean_kernel
def number_of(r: Any, feature: int) -> float:
    """COUNT to VARP of what row *r* stands for; NaN where no value came, but for COUNT.

    A mean is not beyond its values, though rounding may say so: that of a constant is the constant.
    """
    if feature == COUNT:
        return float(r.count + r.count_lost)
    if r.weight == 0.0:
        return np.nan
    if feature == SUM:
        return clipped(r.sum + r.sum_lost)
    if feature == MEAN:
        mean = r.mean if abs(r.sum) >= MAX else (r.sum + r.sum_lost) / (r.weight + r.weight_lost)
        return float(min(r.high, max(r.low, mean)))
    if feature == MIN:
        return float(r.low)
    if feature == MAX_OF:
        return float(r.high)
    return float(r.squares / (r.weight + r.weight_lost))


@kernel
def add_to_list(
    r: Any, x: float, w: float, words: NDArray[np.float64], head: NDArray[np.int64], level_max: int,
) -> None:
    """The list of row *r* has the finite value *x* of *w* events more; one that is full at *level_max* is condensed."""
    if r.level == NO_ROOM:
        r.level, r.start = 0, take_room(words, head, 0, WIDTH)
    elif r.used == 8 << (2 * r.level):
        if r.level == level_max:
            condense(r, words)
        else:
            start = take_room(words, head, r.level + 1, WIDTH)
            words[start : start + WIDTH * r.used] = words[r.start : r.start + WIDTH * r.used]
            give_room(words, head, r.level, r.start)
            r.level, r.start = r.level + 1, start
    at = r.start + WIDTH * r.used
    words[at], words[at + 1] = x, w
    r.used += 1


@kernel
def condense(r: Any, words: NDArray[np.float64]) -> None:
    """The full list of row *r* becomes shorter: equal values are one, then, if need be, neighbours, half of it at most.

    Two neighbours that are left weigh more than 4/room of all, so that at most room/2 are.
    """
    room = r.used
    value, weight = words[r.start : r.start + WIDTH * room : WIDTH], words[r.start + 1 : r.start + WIDTH * room : WIDTH]
    order = np.argsort(value, kind="mergesort")
    x, w = value[order], weight[order]
    cell_max = 0.0
    for lossy in range(2):
        kept = 0
        for i in range(1, r.used):
            together = w[kept] + w[i]
            if x[i] == x[kept]:
                w[kept] = together
            elif lossy == 1 and together <= cell_max:
                x[kept] = min(x[i], max(x[kept], x[kept] * (w[kept] / together) + x[i] * (w[i] / together)))
                w[kept] = together
            else:
                kept += 1
                x[kept], w[kept] = x[i], w[i]
        r.used = kept + 1
        if r.used <= room // 2:
            break
        cell_max = 4.0 * w[: r.used].sum() / room
        r.sketch = 1
    value[: r.used], weight[: r.used] = x[: r.used], w[: r.used]


@kernel
def median_but(x: NDArray[np.float64], w: NDArray[np.float64], owner: NDArray[np.int32], but: int) -> float:
    """The median of the ascending values *x*, *w* events each, that are not *owner* == *but*; NaN if there is none.

    Of an even number of events, the mean of the two in the middle.
    """
    half = 0.0
    for i in range(x.size):
        if owner[i] != but:
            half += w[i] / 2
    below, last, at_half = 0.0, np.nan, False
    for i in range(x.size):
        if owner[i] == but:
            continue
        if at_half:
            return float(last / 2 + x[i] / 2) if max(abs(last), abs(x[i])) > MAX / 2 else float((last + x[i]) / 2)
        below += w[i]
        last = x[i]
        if below > half:
            return float(last)
        at_half = below == half
    return float(last)


@kernel
def median_of_rows(
    rows: NDArray[Any], at: NDArray[np.int64], words: NDArray[np.float64], median: NDArray[np.float64],
) -> None:
    """median[i] of the list of rows[at[i]], without change to it."""
    nobody = np.zeros(8 << (2 * LEVEL_MAX), np.int32)
    for i in range(at.size):
        r = rows[at[i]]
        n = r.used
        x = words[r.start : r.start + WIDTH * n : WIDTH]
        w = words[r.start + 1 : r.start + WIDTH * n : WIDTH]
        order = np.argsort(x, kind="mergesort")
        median[i] = median_but(x[order], w[order], nobody[:n], -1)
