"""Many points to as many as a screen shows; the extremes stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import rollups


def extremes(time_ms: NDArray[np.int64], value: NDArray[np.float64], width: int) -> NDArray[np.int64]:
    """Which of n points, in time order, to show.

    At most max(width, 4), among them the first, last, lowest and highest of each pixel.

    Source: U. Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014.
    """
    n = time_ms.size
    if n <= width:
        return np.arange(n)
    pixel = _pixels(time_ms, max(1, width // 4))
    by_value = np.lexsort((value, pixel))
    first = np.flatnonzero(np.diff(pixel, prepend=-1))
    last = np.append(first[1:], n) - 1
    return np.unique(np.concatenate([first, last, by_value[first], by_value[last]]))


def _pixels(time_ms: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    span = int(time_ms[-1]) - int(time_ms[0]) + 1
    return (
        (time_ms - time_ms[0]) * count // span
        if span < 2**62 // count
        else np.arange(time_ms.size) * count // time_ms.size
    )


def joined_windows(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Windows of one series and level in time order, neighbours joined until at most *width* are left."""
    if rows.shape[0] <= width:
        return rows
    first = np.flatnonzero(np.diff(_pixels(rows[:, rollups.START].astype(np.int64), width), prepend=-1))
    out = rows[first].copy()
    for at, join in (
        (rollups.COUNT, np.add),
        (rollups.SUM, np.add),
        (rollups.SQUARES, np.add),
        (rollups.MIN, np.minimum),
        (rollups.MAX, np.maximum),
        (rollups.LOWER, np.fmin),
        (rollups.UPPER, np.fmax),
    ):
        out[:, at] = join.reduceat(rows[:, at], first)
    return out


def window_columns(rows: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The columns of some windows as the API names them."""
    count, total = rows[:, rollups.COUNT], rows[:, rollups.SUM]
    return {
        "count": count.astype(np.int64),
        "sum": total,
        "min": rows[:, rollups.MIN],
        "max": rows[:, rollups.MAX],
        "mean": total / count,
        "sum_of_squares": rows[:, rollups.SQUARES],
    }


def largest_triangles(times: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Which *count* of n > count points, in time order, to keep; of one point: the first.

    The first, the last, and of each bucket between the one that spans the largest triangle with the point kept before
    it and the mean of the next bucket.

    Source: S. Steinarsson, "Downsampling Time Series for Visual Representation", 2013 (largest triangle three buckets).
    """
    n = times.size
    if count <= 2:
        return np.array([0, n - 1][:count], np.int64)
    seconds = (times - times[0]).astype(np.float64)
    edges = 1 + np.arange(count - 1) * (n - 2) // (count - 2)
    kept = np.zeros(count, np.int64)
    kept[-1] = n - 1
    for i in range(count - 2):
        low, high = int(edges[i]), int(edges[i + 1])
        after = slice(high, int(edges[i + 2])) if i + 3 < count else slice(n - 1, n)
        before = kept[i]
        x, y = seconds[after].mean() - seconds[before], values[after].mean() - values[before]
        area = np.abs((seconds[low:high] - seconds[before]) * y - (values[low:high] - values[before]) * x)
        kept[i + 1] = low + int(np.argmax(area))
    return kept
