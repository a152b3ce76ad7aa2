"""Buckets of a job: which event belongs to which, when one closes, what it holds.

Event by event, in order, compiled. The open buckets of a source are the rows of a table: k that events may still fall
into, by bucket number modulo k, and after them AHEAD more for buckets that begin after its newest event, because a
silence was found in them; those are filled from the first on. A row without events and without records is empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.ledger import TIME_MIN_MS
from offbeat.engine.outcome import BucketChange
from offbeat_detectors.contract import EVIDENCE_MIN
from offbeat_detectors.kernel import lean_kernel
from offbeat_detectors.rows import FAR, prefetch, prefetch_at
from offbeat_detectors.scores import score_of_strength, strength_of_score

START, COUNT, NOVELTY, SCORE, RECORDS, CLOSED = range(6)
OPEN = 6
SOURCE = 0  # a row that leaves is (source, start, count, novelty, score, records)
ROW = 6
AHEAD = 4
ABSENT, ON_TIME, LATE = 0, 1, 2
EVENTS, LATE_EVENTS, FOUND, HELD, DAMPED, SILENCE = range(6)
COUNTERS = 6
"""What is counted of a source: events, late events, records, and what was found and not told, by the rule that held it
back: RULES."""
RULES = ("held", "damped", "silence")
MODERATE_SCORE = 25.0
"""A bucket of a source scored at least this counts as moderate in the job's own bucket."""


@lean_kernel
def bucket_start(time_ms: int, span_ms: int) -> int:
    """The start of the bucket that holds *time_ms*."""
    return time_ms - time_ms % span_ms


@lean_kernel
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
            oldest = held - 1 + TIME_MIN_MS - latency_ms
            if held != 0 and t < oldest and t < bucket_start(oldest, span_ms):  # mostly no division
                row_state[row] = LATE
            elif t - TIME_MIN_MS + 1 > held:
                latest[source[row]] = t - TIME_MIN_MS + 1
        if row_state[row] == ON_TIME:
            kept[count] = j
            count += 1
    return count


@lean_kernel
def in_use(table: NDArray[np.float64]) -> int:
    """How many rows of the *table* of one source may hold a bucket: its k, and those ahead that do."""
    count: int = table.shape[0] - AHEAD
    while count < table.shape[0] and table[count, RECORDS] > 0.0:
        count += 1
    return count


@lean_kernel
def _copy(numbers: NDArray[np.float64], to: NDArray[np.float64]) -> None:
    """Copy all of *numbers* to the beginning of *to*; between slices, the compiler would make room for a copy first."""
    for i in range(numbers.size):
        to[i] = numbers[i]


@lean_kernel
def _leave(table: NDArray[np.float64], at: int) -> None:
    """Empty row *at*; those ahead close up."""
    last = at
    if at >= table.shape[0] - AHEAD:
        last = in_use(table) - 1
        for i in range(at, last):
            _copy(table[i + 1], table[i])
    table[last, :] = 0.0


@lean_kernel
def _begin(table: NDArray[np.float64], at: int, start: int) -> None:
    """Begin bucket *start* in the empty row *at*, with what a silence has left in it."""
    table[at, :] = 0.0
    table[at, START] = start
    for i in range(table.shape[0] - AHEAD, in_use(table)):
        if table[i, START] == start:
            _copy(table[i], table[at])
            _leave(table, i)
            return


@lean_kernel
def row_of_silence(table: NDArray[np.float64], start: int, span_ms: int) -> int:
    """The row of bucket *start*, begun ahead if it is in none yet; −1 if there is no room for it."""
    k = table.shape[0] - AHEAD
    at = (start // span_ms) % k
    if table[at, COUNT] > 0.0 and table[at, START] == start:
        return int(at)
    count = in_use(table)
    for i in range(k, count):
        if table[i, START] == start:
            return i
    if count == table.shape[0]:
        return -1
    table[count, :] = 0.0
    table[count, START] = start
    return count


@lean_kernel
def enter(
    best: NDArray[np.float64],
    bucket: NDArray[np.float64],
    score: float,
    counters: NDArray[np.int64],
) -> bool:
    """Enter a finding of one series into its bucket: is it a record, or a stronger one than it has there?

    best  (b, 2)  bucket start plus 1 (from TIME_MIN_MS) and score of the strongest finding of the series in each bucket
        that is open, b being as many as can be; the oldest gives way
    """
    key = bucket[START] - np.float64(TIME_MIN_MS) + 1.0
    at = 0
    for i in range(best.shape[0]):
        if best[i, 0] == key:
            at = i
            break
        if best[i, 0] < best[at, 0]:
            at = i
    first = best[at, 0] != key
    if not first and score <= best[at, 1]:
        return False
    best[at, 0] = key
    best[at, 1] = score
    if first:
        bucket[RECORDS] += 1.0
        counters[FOUND] += 1
    if score > bucket[SCORE]:
        bucket[SCORE] = score
    return True


@lean_kernel
def accumulate(
    source: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    row_state: NDArray[np.int8],
    point_row: NDArray[np.int32],
    series: NDArray[np.int32],
    novelty: NDArray[np.float64],
    strength: NDArray[np.float64],
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
    untold: NDArray[np.int64],
) -> tuple[int, int]:
    """Put q judged values, and their events, into the buckets of their sources.

    Close those that the events have passed.

    point_row, series, novelty, strength, score  (q,)   the values on time; novelty NaN: no opinion; strength 0: held
        by an incident, or nothing to say; score 0: no finding
    frontier   (sources_max,) int64          newest event time so far, as ``latest`` of ``route``
    opened     (sources_max, k + AHEAD, OPEN)   the open buckets of a source
    best       (series_max, k + AHEAD, 2)    as in ``enter``, of each series
    counters   (sources_max, COUNTERS) int64
    closed     (c, ROW), closed_row (c,)     buckets that closed, and the event that closed each
    found      (q,) int64                    which values are a record, or a stronger one than before in the same bucket
    found_bucket  (q, ROW)                   the bucket as it was just after that
    untold     (3,) int64                    counts what was found and not told, by RULES
    Returns how many closed and how many were found.
    """
    k = opened.shape[1] - AHEAD
    # Surely no finding is what is less than this, and surely one what is more: nearly all are spared the logarithm.
    least = max(EVIDENCE_MIN, 0.999 * strength_of_score(score_min))
    surely = 1.001 * strength_of_score(score_min) if score_min <= 100.0 else np.inf
    closed_count, found_count, q = 0, 0, 0
    start, at, floor = 0, 0, 0  # of the event before: the next mostly falls into the same buckets, without a division
    for row in range(source.size):
        s = source[row]
        ahead = source[min(row + FAR, source.size - 1)]
        prefetch(frontier, ahead)
        prefetch(counters, ahead)
        prefetch_at(opened, ahead, 0)
        prefetch_at(opened, ahead, 64)
        if row_state[row] == LATE:
            counters[s, LATE_EVENTS] += 1
            continue
        if row_state[row] != ON_TIME:
            continue
        counters[s, EVENTS] += 1
        stamp = time_ms[row] - TIME_MIN_MS + 1
        if stamp > frontier[s]:
            before = frontier[s]
            frontier[s] = stamp
            if not floor <= time_ms[row] - latency_ms < floor + span_ms:
                floor = bucket_start(time_ms[row] - latency_ms, span_ms)
            if before == 0 or before - 1 + TIME_MIN_MS - latency_ms < floor:
                closed_count = _close(s, floor, opened[s], closed, closed_row, closed_count, row)
        if not start <= time_ms[row] < start + span_ms:
            start = bucket_start(time_ms[row], span_ms)
            at = (start // span_ms) % k
        bucket = opened[s, at]
        if bucket[COUNT] == 0.0:
            _begin(opened[s], at, start)
        bucket[COUNT] += 1.0
        bucket[CLOSED] = 0.0
        while q < point_row.size and point_row[q] == row:
            if novelty[q] > bucket[NOVELTY]:
                bucket[NOVELTY] = novelty[q]
            if score[q] >= score_min and score[q] > 0.0:
                if enter(best[series[q]], bucket, score[q], counters[s]):
                    found[found_count] = q
                    found_bucket[found_count, 0] = s
                    _copy(bucket[:CLOSED], found_bucket[found_count, 1:])
                    found_count += 1
            elif novelty[q] > least and (novelty[q] > surely or score_of_strength(novelty[q]) >= score_min):
                if not strength[q] > 0.0:
                    counters[s, HELD] += 1
                    untold[0] += 1
                elif not strength[q] > surely and score_of_strength(strength[q]) < score_min:
                    # Else feedback hid it, and is told so.
                    counters[s, DAMPED] += 1
                    untold[1] += 1
            q += 1
    return closed_count, found_count


@lean_kernel
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
        for i in range(in_use(buckets)):
            if (
                (buckets[i, COUNT] > 0.0 or buckets[i, RECORDS] > 0.0)
                and buckets[i, START] < floor
                and (oldest < 0 or buckets[i, START] < buckets[oldest, START])
            ):
                oldest = i
        if oldest < 0:
            return done
        closed[done, 0] = source
        _copy(buckets[oldest, :CLOSED], closed[done, 1:])
        closed_row[done] = row
        done += 1
        _leave(buckets, oldest)


@lean_kernel
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
        for i in range(in_use(opened[s])):
            bucket = opened[s, i]
            held = bucket[COUNT] > 0.0 or bucket[RECORDS] > 0.0
            if held and bucket[CLOSED] == 0.0 and bucket[START] + span_ms <= watermark:
                bucket[CLOSED] = 1.0
                if done < closed.shape[0]:
                    closed[done, 0] = s
                    _copy(bucket[:CLOSED], closed[done, 1:])
                    done += 1
    return done


def change_of(job: int, seq: int, at_ms: int, row: NDArray[np.float64], *, closed: bool) -> BucketChange:
    """A row that leaves as a change; its ordinal is still 0."""
    source, start, count, novelty, score, records = row.tolist()
    return BucketChange(seq, 0, at_ms, job, int(source), int(start), int(count), novelty, score, int(records), closed)


def by_start(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Buckets of sources, (m, ROW), as sums for the job's own.

    Returns their k starts in order, (k, 4) how many sources reported, events, records and moderate ones, and (k, 2) the
    highest novelty and score.
    """
    starts, at = np.unique(rows[:, 1].astype(np.int64), return_inverse=True)
    counts, peaks = np.zeros((starts.size, 4), np.int64), np.zeros((starts.size, 2))
    add_by_start(rows, at, counts, peaks)
    return starts, counts, peaks


@lean_kernel
def add_by_start(
    rows: NDArray[np.float64], at: NDArray[np.int64], counts: NDArray[np.int64], peaks: NDArray[np.float64]
) -> None:
    """Add row i of *rows* to row ``at[i]`` of *counts* and *peaks*, which are as in ``by_start``."""
    for i in range(at.size):
        counted, peak = counts[at[i]], peaks[at[i]]
        counted[0] += rows[i, 2] > 0.0  # a source that is silent in it has not reported
        counted[1] += np.int64(rows[i, 2])
        counted[2] += np.int64(rows[i, 5])
        counted[3] += rows[i, 4] >= MODERATE_SCORE
        peak[0], peak[1] = max(peak[0], rows[i, 3]), max(peak[1], rows[i, 4])
