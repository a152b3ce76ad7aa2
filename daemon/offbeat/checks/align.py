"""Readings of several series as moments with a column each. Pure."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Series = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Times in order, and values; of equal times the last counts."""


def once(series: Series) -> Series:
    """*series* with each time once, the last of those that are equal."""
    time_ms, value = series
    if time_ms.size < 2:
        return series
    last = np.append(time_ms[1:] != time_ms[:-1], True)
    return series if last.all() else (time_ms[last], value[last])


def aligned(columns: Sequence[Series], tolerance_ms: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) moments, at which any of the k *columns* has a reading, and (n, k) values, NaN where a column has none.

    A value counts for a moment up to *tolerance_ms* later, unless a newer one does.
    """
    single = [once(column) for column in columns]
    if len(single) == 1:
        return single[0][0], single[0][1].reshape(-1, 1)
    moments = np.unique(np.concatenate([time_ms for time_ms, _ in single]))
    values = np.full((moments.size, len(single)), np.nan)
    for k, (time_ms, value) in enumerate(single):
        if time_ms.size:
            at = np.searchsorted(time_ms, moments, side="right") - 1
            near = (at >= 0) & (moments - time_ms[at] <= tolerance_ms)
            values[near, k] = value[at[near]]
    return moments, values
