"""What a tick of the clock does to a job: buckets that close although nothing comes, and silences that are findings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets
from offbeat.engine.buckets import change_of, close_silent
from offbeat.engine.entries import Settings
from offbeat.engine.job import JobState
from offbeat.engine.ledger import Ledger
from offbeat.engine.outcome import BucketChange, Finding
from offbeat.engine.silence import find_silence, silent_series
from offbeat_detectors import explain, scores
from offbeat_detectors.contract import EVIDENCE_MIN, Opinions, Watchful


@dataclass(frozen=True, slots=True)
class Moment:
    """A tick, as every job is given it.

    now_ms       what the clock says    owner  (s,) int32  the source of each series
    taking_part  (n,) bool  of each source: those of a shard that is beyond the tick have it behind them
    """

    seq: int
    now_ms: int
    settings: Settings
    ledger: Ledger
    owner: NDArray[np.int32]
    taking_part: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a job made of a tick.

    changes      buckets that closed and hold a record; findings of silence, each with its bucket as it is then
    touched      the sources whose state changed, some twice
    quiet_count  silent series that kept quiet because another of their source had spoken
    """

    changes: list[Finding | BucketChange]
    touched: NDArray[np.int64]
    quiet_count: int


def tick(job: JobState, moment: Moment) -> Ticked:
    """Close the open buckets of live sources that fell silent, and find the silences that are findings."""
    count = moment.taking_part.size
    closed = np.empty((count * job.opened.shape[1], buckets.ROW))
    closed = closed[
        : close_silent(
            moment.now_ms,
            moment.settings.lag_max_ms,
            job.span_ms,
            job.latency_ms,
            moment.ledger.sources,
            count,
            moment.taking_part,
            job.opened,
            closed,
        )
    ]
    changes: list[Finding | BucketChange] = [
        change_of(job.job.number, moment.seq, moment.now_ms, row, closed=True)
        for row in closed
        if row[buckets.ROW - 1] > 0
    ]
    touched = closed[:, 0].astype(np.int64)
    if not isinstance(job.detector, Watchful):
        return Ticked(changes, touched, 0)
    series, clock = _silent(job, moment)
    if not series.size:
        return Ticked(changes, touched, 0)
    found, changed, quiet = _find(job, moment, series, clock, job.detector.overdue(job.slot_of(series), clock))
    return Ticked(changes + found, np.concatenate([touched, changed]), quiet)


def _silent(job: JobState, moment: Moment) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The series that sent nothing for longer than a tick, (q,), and the event time that their sources reached."""
    slot, clock = np.empty(moment.owner.size, np.int32), np.empty(moment.owner.size, np.int64)
    q = silent_series(
        moment.now_ms,
        moment.settings.lag_max_ms,
        moment.settings.tick_ms,
        moment.ledger.sources,
        moment.ledger.series,
        moment.owner,
        job.followed,
        job.frontier,
        moment.taking_part,
        slot,
        clock,
    )
    series = slot[:q]
    if job.places is None:
        return series, clock[:q]
    with_model = job.slot_of(series) >= 0
    return series[with_model], clock[:q][with_model]


def _find(
    job: JobState, moment: Moment, silent: NDArray[np.int32], clock: NDArray[np.int64], said: Opinions
) -> tuple[list[Finding | BucketChange], NDArray[np.int64], int]:
    """Findings of silence, each with its bucket; the sources that changed; how many series kept quiet."""
    points = np.flatnonzero(said.novelty > EVIDENCE_MIN)
    q = points.size
    if not q:
        return [], np.zeros(0, np.int64), 0
    series, clock, novelty = silent[points], clock[points], said.novelty[points]
    source = moment.owner[series]
    factor = np.ones(q)
    for number in {adjustment.series for adjustment in job.adjustments.in_force.values()}:
        factor[series == number] = job.factor_of(number)
    found, changed = np.empty(q, np.int64), np.empty(q, np.int64)
    strength, found_bucket = np.zeros(q), np.empty((q, buckets.ROW))
    found_count, changed_count, quiet = find_silence(
        np.argsort(source, kind="stable"),
        source,
        series,
        job.slot_of(series),
        clock,
        novelty,
        factor,
        moment.settings.score_min,
        job.span_ms,
        moment.ledger.sources,
        job.alert.memory,
        job.spoken,
        job.opened,
        job.best,
        job.counters,
        found,
        strength,
        found_bucket,
        changed,
    )
    out: list[Finding | BucketChange] = []
    for k, j in enumerate(found[:found_count].tolist()):
        point = int(points[j])
        out.append(
            Finding(
                moment.seq,
                0,
                moment.now_ms,
                job.job.number,
                int(source[j]),
                int(series[j]),
                int(found_bucket[k, 1]),
                int(clock[j]),
                math.nan,
                float(said.typical[point]),
                math.nan,
                math.nan,
                float(novelty[j]),
                float(said.probability[point]),
                scores.score_of_strength(float(strength[j] / factor[j])),
                _reason(job, said, point, float(strength[j]), float(factor[j])),
            )
        )
        out.append(change_of(job.job.number, moment.seq, moment.now_ms, found_bucket[k], closed=False))
    return out, changed[:changed_count], quiet


def _reason(job: JobState, said: Opinions, point: int, strength: float, factor: float) -> bytes:
    """Why *point* became a finding of this *strength*, packed; silence is told whatever the detector says."""
    novelty = float(said.novelty[point])
    made = explain.reason_of(
        said.evidence, point, job.pieces, damping=strength / novelty, adjustment=1.0 / factor
    )
    if not made.pieces:
        made = explain.Reason((("silence", novelty),), made.similar, made.notes, made.damping, made.adjustment)
    return explain.pack(made)
