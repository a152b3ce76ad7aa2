"""Rollups: what a series did in each minute, hour and day. Windows close by the order of events; late readings amend.

A window's row is ``ROW`` wide: series, level, start_ms, count, sum, min, max, sum of squares, typical, lower,
upper. A window that is
amended has several rows; whoever reads adds them up in the order in which they were given (``merged``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import inlined_kernel, kernel, lean_kernel
from offbeat_detectors.rows import FAR, prefetch_at

LEVELS = ("1m", "1h", "1d")
SPANS_MS = np.array([60_000, 3_600_000, 86_400_000], np.int64)
SERIES, LEVEL, START, COUNT, SUM, MIN, MAX, SQUARES, TYPICAL, LOWER, UPPER = range(11)
ROW = 11
OPEN = ROW - 2  # an open window knows its series and level by where it stands


@kernel
def _copy(row: NDArray[np.float64], into: NDArray[np.float64]) -> None:
    """*into* becomes *row*. For ``into[:] = row`` numba compiles the sentence of an error as well, for two seconds."""
    for k in range(row.size):
        into[k] = row[k]


@kernel
def _merge(into: NDArray[np.float64], row: NDArray[np.float64]) -> None:
    """Add the window *row* (start, count, …) to *into*, which may be empty (count 0)."""
    if into[1] == 0.0:
        _copy(row, into)
        return
    into[1] += row[1]
    into[2] += row[2]
    into[3] = min(into[3], row[3])
    into[4] = max(into[4], row[4])
    into[5] += row[5]
    if not np.isnan(row[6]):
        into[6], into[7], into[8] = row[6], row[7], row[8]


@inlined_kernel
def _write(
    row: NDArray[np.float64], start: float, count: float, total: float, low: float, high: float, squares: float,
    typical: float, lower: float, upper: float,
) -> None:
    row[0], row[1], row[2], row[3], row[4], row[5] = start, count, total, low, high, squares
    row[6], row[7], row[8] = typical, lower, upper


@lean_kernel
def add_readings(
    series: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    value: NDArray[np.float64],
    typical: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    windows: NDArray[np.float64],
    closed: NDArray[np.float64],
) -> int:
    """Add p readings, in order, to the open windows (s, 3, OPEN) of their series.

    A reading after the end of an open window closes it; one before its start is a row of its own. Closed rows go to
    *closed* (≥ 3·p, ROW). A closed window is added to the window of the next level, so that an hour's sum does not
    depend on batches.
    Returns how many rows were closed.
    """
    done = 0
    for i in range(series.size):
        s = series[i]
        ahead = series[min(i + FAR, series.size - 1)]
        prefetch_at(windows, ahead, 0)  # mostly the minute takes it
        prefetch_at(windows, ahead, 8 * (OPEN - 1))
        # What is to be added to the window of a level: the reading itself, or a closed window of the level below.
        start, count, total, low, high = np.float64(time_ms[i]), 1.0, value[i], value[i], value[i]
        squares, middle, under, over = value[i] * value[i], typical[i], lower[i], upper[i]
        for level in range(3):
            window = windows[s, level]
            held = window[1]
            if held == 0.0 or not window[0] <= start < window[0] + SPANS_MS[level]:  # mostly no division
                start -= np.float64(np.int64(start) % SPANS_MS[level])
                if held > 0.0 and start < window[0]:  # late for this level: its own row, and on to the next
                    _write(closed[done, 2:], start, count, total, low, high, squares, middle, under, over)
                    closed[done, SERIES], closed[done, LEVEL] = s, level
                    done += 1
                    continue
            elif held > 0.0:
                window[1] += count
                window[2] += total
                window[3] = min(window[3], low)
                window[4] = max(window[4], high)
                window[5] += squares
                if not np.isnan(middle):
                    window[6], window[7], window[8] = middle, under, over
                break
            before, ended, total_before, low_before, high_before = window[0], held, window[2], window[3], window[4]
            squares_before, middle_before, under_before, over_before = window[5], window[6], window[7], window[8]
            _write(window, start, count, total, low, high, squares, middle, under, over)
            if held == 0.0:
                break
            start, count, total, low, high = before, ended, total_before, low_before, high_before
            squares, middle, under, over = squares_before, middle_before, under_before, over_before
            _write(closed[done, 2:], start, count, total, low, high, squares, middle, under, over)
            closed[done, SERIES], closed[done, LEVEL] = s, level
            done += 1
    return done


def coarse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """*values* to seven digits: a band is for the eye, and the bytes that are always 0 compress to nothing."""
    kept: NDArray[np.float64] = (np.ascontiguousarray(values).view(np.int64) & np.int64(-1 << 29)).view(np.float64)
    return kept


def merged(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """One row for each (series, level, start) of *rows* (m, ROW), sorted so.

    Rows of one window are added in the order given.
    """
    if not rows.shape[0]:
        return rows
    rows = rows[np.lexsort((rows[:, START], rows[:, LEVEL], rows[:, SERIES]))]
    new = np.ones(rows.shape[0], np.bool_)
    new[1:] = (rows[1:, :COUNT] != rows[:-1, :COUNT]).any(axis=1)
    out = rows[new].copy()
    _merge_all(rows, np.cumsum(new) - 1, new, out)
    return out


@kernel
def _merge_all(
    rows: NDArray[np.float64], target: NDArray[np.int64], new: NDArray[np.bool_], out: NDArray[np.float64]
) -> None:
    for i in range(rows.shape[0]):
        if not new[i]:
            _merge(out[target[i], 2:], rows[i, 2:])
