"""Buckets of a job: which event belongs to which, when one closes, what it holds.

Event by event, in order, compiled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.ledger import TIME_MIN_MS
from offbeat_detectors.kernel import kernel

START, COUNT, NOVELTY, SCORE, RECORDS, CLOSED = range(6)
OPEN = 6
SOURCE = 0  # a row that leaves is (source, start, count, novelty, score, records)
ROW = 6
ABSENT, ON_TIME, LATE = 0, 1, 2


@kernel
def bucket_start(time_ms: int, span_ms: int) -> int:
    """The start of the bucket that holds *time_ms*."""
    return time_ms - time_ms % span_ms


@kernel
def route(
    source: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    point_row: NDArray[np.int32],
    series: NDArray[np.int32],
    selected: NDArray[np.int8],
    span_ms: int,
    latency_ms: int,
    latest: NDArray[np.int64],
    row_state: NDArray[np.int8],
    kept: NDArray[np.int64],
) -> int:
    """Sort out n events and their p values: which are the job's, which of those are late.

    selected   (series_max,) int8   1 where the job follows a series
    latest     (sources_max,) int64 newest event time of each source, from TIME_MIN_MS plus 1; moved on here
    row_state  (n,) int8  ABSENT, ON_TIME or LATE    kept  (p,) int64  the values of events on time, in order
    Returns how many are kept. Late: older than the bucket in which ``latest − latency`` lies.
    """
    count = 0
    for j in range(point_row.size):
        if selected[series[j]] != 1:
            continue
        row = point_row[j]
        if row_state[row] == ABSENT:
            held = latest[source[row]]
            t = time_ms[row]
            row_state[row] = ON_TIME
            if held != 0 and bucket_start(t, span_ms) < bucket_start(held - 1 + TIME_MIN_MS - latency_ms, span_ms):
                row_state[row] = LATE
            elif t - TIME_MIN_MS + 1 > held:
                latest[source[row]] = t - TIME_MIN_MS + 1
        if row_state[row] == ON_TIME:
            kept[count] = j
            count += 1
    return count


@kernel
def accumulate(
    source: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    row_state: NDArray[np.int8],
    point_row: NDArray[np.int32],
    series: NDArray[np.int32],
    novelty: NDArray[np.float64],
    score: NDArray[np.float64],
    span_ms: int,
    latency_ms: int,
    score_min: float,
    frontier: NDArray[np.int64],
    opened: NDArray[np.float64],
    best: NDArray[np.float64],
    counters: NDArray[np.int64],
    closed: NDArray[np.float64],
    closed_row: NDArray[np.int32],
    found: NDArray[np.int64],
    found_bucket: NDArray[np.float64],
) -> tuple[int, int]:
    """Put q judged values, and their events, into the buckets of their sources.

    Close those that the events have passed.

    point_row, series, novelty, score  (q,)   the values on time; novelty NaN: no opinion; score 0: no finding
    frontier   (sources_max,) int64          newest event time so far, as ``latest`` of ``route``
    opened     (sources_max, k, OPEN)        the open buckets of a source, by bucket number modulo k
    best       (series_max, k, 2)            bucket start plus 1 (from TIME_MIN_MS) and score of the strongest
        finding of a series
    counters   (sources_max, 3) int64        events, late events, records
    closed     (c, ROW), closed_row (c,)     buckets that closed, and the event that closed each
    found      (q,) int64                    which values are a record, or a stronger one than before in the same bucket
    found_bucket  (q, ROW)                   the bucket as it was just after that
    Returns how many closed and how many were found.
    """
    k = opened.shape[1]
    closed_count, found_count, q = 0, 0, 0
    for row in range(source.size):
        s = source[row]
        if row_state[row] == LATE:
            counters[s, 1] += 1
            continue
        if row_state[row] != ON_TIME:
            continue
        counters[s, 0] += 1
        stamp = time_ms[row] - TIME_MIN_MS + 1
        if stamp > frontier[s]:
            before = frontier[s]
            frontier[s] = stamp
            floor = bucket_start(time_ms[row] - latency_ms, span_ms)
            if before == 0 or bucket_start(before - 1 + TIME_MIN_MS - latency_ms, span_ms) < floor:
                closed_count = _close(s, floor, opened[s], closed, closed_row, closed_count, row)
        start = bucket_start(time_ms[row], span_ms)
        at = (start // span_ms) % k
        bucket = opened[s, at]
        if bucket[COUNT] == 0.0:
            bucket[:] = 0.0
            bucket[START] = start
        bucket[COUNT] += 1.0
        bucket[CLOSED] = 0.0
        while q < point_row.size and point_row[q] == row:
            if novelty[q] > bucket[NOVELTY]:
                bucket[NOVELTY] = novelty[q]
            if score[q] >= score_min and score[q] > 0.0:
                held = best[series[q], at]
                key = np.float64(start - TIME_MIN_MS + 1)
                first = held[0] != key
                if first or score[q] > held[1]:
                    held[0], held[1] = key, score[q]
                    if first:
                        bucket[RECORDS] += 1.0
                        counters[s, 2] += 1
                    if score[q] > bucket[SCORE]:
                        bucket[SCORE] = score[q]
                    found[found_count] = q
                    found_bucket[found_count, 0] = s
                    found_bucket[found_count, 1:] = bucket[:CLOSED]
                    found_count += 1
            q += 1
    return closed_count, found_count


@kernel
def _close(
    source: int,
    floor: int,
    buckets: NDArray[np.float64],
    closed: NDArray[np.float64],
    closed_row: NDArray[np.int32],
    done: int,
    row: int,
) -> int:
    """Move the buckets of one source that start before *floor* to *closed*, oldest first.

    Returns how many are there now.
    """
    while True:
        oldest = -1
        for i in range(buckets.shape[0]):
            if (
                buckets[i, COUNT] > 0.0
                and buckets[i, START] < floor
                and (oldest < 0 or buckets[i, START] < buckets[oldest, START])
            ):
                oldest = i
        if oldest < 0:
            return done
        closed[done, 0] = source
        closed[done, 1:] = buckets[oldest, :CLOSED]
        closed_row[done] = row
        done += 1
        buckets[oldest, COUNT] = 0.0


@kernel
def close_silent(
    now_ms: int,
    lag_max_ms: int,
    span_ms: int,
    latency_ms: int,
    ledger: NDArray[np.int64],
    count: int,
    taking_part: NDArray[np.bool_],
    opened: NDArray[np.float64],
    closed: NDArray[np.float64],
) -> int:
    """Mark the open buckets of live sources whose time is over by the clock; returns how many rows went to *closed*.

    A source is live if its newest event arrived at most *lag_max_ms* after (or before) its time. Its clock is
    *now_ms* less that lag.
    The buckets stay where they are: if the source goes on in one, it is open again.
    """
    done = 0
    for s in range(count):
        if not taking_part[s]:
            continue
        lag = ledger[s, 4]
        if ledger[s, 0] == 0 or lag > lag_max_ms or lag < -lag_max_ms:
            continue
        watermark = now_ms - max(lag, 0) - latency_ms
        for i in range(opened.shape[1]):
            bucket = opened[s, i]
            if bucket[COUNT] > 0.0 and bucket[CLOSED] == 0.0 and bucket[START] + span_ms <= watermark:
                bucket[CLOSED] = 1.0
                if done < closed.shape[0]:
                    closed[done, 0] = s
                    closed[done, 1:] = bucket[:CLOSED]
                    done += 1
    return done
