"""Rollups: what a series did in each minute, hour and day. Windows close by the order of events; late readings amend.

A window's row is ``ROW`` wide: series, level, start_ms, count, sum, min, max, sum of squares, typical, lower,
upper. A window that is
amended has several rows; whoever reads adds them up in the order in which they were given (``merged``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel, lean_kernel

LEVELS = ("1m", "1h", "1d")
SPANS_MS = np.array([60_000, 3_600_000, 86_400_000], np.int64)
SERIES, LEVEL, START, COUNT, SUM, MIN, MAX, SQUARES, TYPICAL, LOWER, UPPER = range(11)
ROW = 11
OPEN = ROW - 2  # an open window knows its series and level by where it stands


@lean_kernel
def _merge(into: NDArray[np.float64], row: NDArray[np.float64]) -> None:
    """Add the window *row* (start, count, …) to *into*, which may be empty (count 0)."""
    if into[1] == 0.0:
        for k in range(row.size):
            into[k] = row[k]
        return
    into[1] += row[1]
    into[2] += row[2]
    into[3] = min(into[3], row[3])
    into[4] = max(into[4], row[4])
    into[5] += row[5]
    if not np.isnan(row[6]):
        into[6], into[7], into[8] = row[6], row[7], row[8]


@lean_kernel
def _leave(series: int, level: int, window: NDArray[np.float64], closed: NDArray[np.float64]) -> None:
    closed[SERIES], closed[LEVEL] = series, level
    for k in range(OPEN):
        closed[START + k] = window[k]


@lean_kernel
def add_readings(
    series: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    value: NDArray[np.float64],
    typical: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    windows: NDArray[np.float64],
    row: NDArray[np.float64],
    closed: NDArray[np.float64],
) -> int:
    """Add p readings, in order, to the open windows (s, 3, OPEN) of their series.

    A reading after the end of an open window closes it; one before its start is a row of its own. Closed rows go to
    *closed* (≥ 3·p, ROW). A closed window is added to the window of the next level, so that an hour's sum does not
    depend on batches.
    *row* (OPEN,) is room. Returns how many rows were closed.
    """
    done = 0
    for i in range(series.size):
        s = series[i]
        v = value[i]
        row[1], row[2], row[3], row[4], row[5] = 1.0, v, v, v, v * v
        row[6], row[7], row[8] = typical[i], lower[i], upper[i]
        carried = False  # does *row* hold a closed window of the level below, not the reading itself?
        for level in range(3):
            span = SPANS_MS[level]
            window = windows[s, level]
            start = np.float64(time_ms[i] - time_ms[i] % span)
            if level == 0 or not carried:
                row[0] = start
            else:
                row[0] = np.float64(np.int64(row[0]) - np.int64(row[0]) % span)
            if window[1] == 0.0 or window[0] == row[0]:
                _merge(window, row)
                break
            if row[0] < window[0]:  # late for this level: its own row, and on to the next
                _leave(s, level, row, closed[done])
                done += 1
                continue
            _leave(s, level, window, closed[done])
            done += 1
            for k in range(OPEN):
                held = window[k]
                window[k] = row[k]
                row[k] = held
            carried = True
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
