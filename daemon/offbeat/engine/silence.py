"""Silence: which series may have fallen silent by a tick of the clock, and which of them are findings. Compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets
from offbeat.engine.buckets import SILENCE, bucket_start, enter, row_of_silence
from offbeat.engine.ledger import EVENTS, NEVER, NEWEST, READINGS, TIME_MIN_MS, reached
from offbeat_detectors.kernel import kernel
from offbeat_detectors.scores import OVERRIDE, hold, score_of_strength, silence_strength


@kernel
def silent_series(
    now_ms: int,
    lag_max_ms: int,
    tick_ms: int,
    sources: NDArray[np.int64],
    readings: NDArray[np.float64],
    owner: NDArray[np.int32],
    followed: NDArray[np.int8],
    frontier: NDArray[np.int64],
    taking_part: NDArray[np.bool_],
    slot: NDArray[np.int32],
    clock: NDArray[np.int64],
) -> int:
    """Find the followed series of live sources that sent nothing for longer than a tick, cheaply; how many they are.

    sources, readings  of the ledger    owner  (n,) int32  the source of each of the n series that there are
    followed           1 where the job follows a series    frontier  0 where it has had no event of a source
    slot, clock        (n,) filled: which series, and the event time that its source has reached
    """
    found = 0
    for i in range(owner.size):
        s = owner[i]
        if followed[i] != 1 or readings[i, READINGS] == 0.0 or frontier[s] == 0 or not taking_part[s]:
            continue
        at = reached(sources[s], now_ms, lag_max_ms)
        if at != NEVER and at - (np.int64(readings[i, NEWEST]) - 1 + TIME_MIN_MS) > tick_ms:
            slot[found] = i
            clock[found] = at
            found += 1
    return found


@kernel
def find_silence(
    order: NDArray[np.int64],
    source: NDArray[np.int32],
    series: NDArray[np.int32],
    slot: NDArray[np.int32],
    clock: NDArray[np.int64],
    novelty: NDArray[np.float64],
    factor: NDArray[np.float64],
    score_min: float,
    span_ms: int,
    sources: NDArray[np.int64],
    memory: NDArray[np.void],
    spoken: NDArray[np.float64],
    opened: NDArray[np.float64],
    best: NDArray[np.float64],
    counters: NDArray[np.int64],
    found: NDArray[np.int64],
    strength: NDArray[np.float64],
    found_bucket: NDArray[np.float64],
    changed: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Turn what a detector said of q silent series into findings, at most one a source.

    order     (q,) the series so that those of one source are together
    slot      (q,) where the alert stage has each series in its memory
    factor    (q,) what feedback divides the strength by
    spoken    (sources_max, 2) float64  of a source's silence: how novel the last finding was, and how many events the
        source had sent by then. While none comes, the silence is one incident, whichever series speaks
    opened, best, counters, found_bucket  as in ``accumulate``
    found     (q,) filled: which made a finding, strength (q,) how strong; changed (q,): sources whose state changed
    Returns how many found, how many changed, and how many series kept quiet because another of their source had spoken.
    """
    found_count, changed_count, quiet = 0, 0, 0
    first = 0
    while first < order.size:
        s = source[order[first]]
        able, top, at = 0, 0.0, -1
        last = first
        while last < order.size and source[order[last]] == s:
            j = order[last]
            e = silence_strength(memory, slot[j], novelty[j])
            score = score_of_strength(e / factor[j])
            if score > 0.0 and score >= score_min:
                able += 1
                if e / factor[j] > top:
                    top, at = e / factor[j], j
                strength[j] = e
                hold(memory, slot[j], novelty[j])
            last += 1
        first = last
        if able == 0:
            continue
        changed[changed_count] = s
        changed_count += 1
        events = np.float64(sources[s, EVENTS])
        row = -1
        if spoken[s, 1] != events or novelty[at] > OVERRIDE * spoken[s, 0]:
            row = row_of_silence(opened[s], bucket_start(clock[at], span_ms), span_ms)
        if row < 0:
            counters[s, SILENCE] += able
            quiet += able
            continue
        counters[s, SILENCE] += able - 1
        quiet += able - 1
        spoken[s, 0] = novelty[at]
        spoken[s, 1] = events
        bucket = opened[s, row]
        bucket[buckets.CLOSED] = 0.0
        if novelty[at] > bucket[buckets.NOVELTY]:
            bucket[buckets.NOVELTY] = novelty[at]
        if enter(best[series[at]], bucket, score_of_strength(top), counters[s]):
            found[found_count] = at
            found_bucket[found_count, 0] = s
            for k in range(buckets.CLOSED):
                found_bucket[found_count, 1 + k] = bucket[k]
            found_count += 1
    return found_count, changed_count, quiet
