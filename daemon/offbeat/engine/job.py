"""One job at work: which series it follows, what its detector says, which buckets are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets
from offbeat.engine.buckets import LATE, accumulate, close_silent, route
from offbeat.engine.entries import Block, Job
from offbeat.engine.outcome import BucketChange, Finding
from offbeat_detectors import registry, scores
from offbeat_detectors.contract import Detector, Opinions, State

UNKNOWN, FOLLOWED, LEFT_OUT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Judged:
    """What a job made of one block.

    kept      (q,) int64   the values that it judged, as indices into the block's
    opinions  of those     closed  (c, buckets.ROW) buckets that closed    late_count  events that came too late
    """

    kept: NDArray[np.int64]
    opinions: Opinions
    closed: NDArray[np.float64]
    late_count: int
    findings: tuple[tuple[int, Finding | BucketChange], ...]


class JobState:
    """The state of one job in columns by source and by series. See ``buckets`` for what each column holds."""

    def __init__(self, job: Job, sources_max: int, series_max: int, name_of: Callable[[int], tuple[str, str]]) -> None:
        spec = job.spec
        self.job = job
        self.span_ms, self.latency_ms = spec.bucket_span_s * 1000, spec.latency_s * 1000
        self.detector: Detector = registry.create(spec.detector, series_max, dict(spec.parameters))
        self.alert = scores.AlertStage(series_max)
        self.followed = np.zeros(series_max, np.int8)
        self._known = 0  # series up to here have been compared with the patterns
        self._name_of = name_of
        open_max = -(-self.latency_ms // self.span_ms) + 1
        self._latest = np.zeros(sources_max, np.int64)
        self.frontier = np.zeros(sources_max, np.int64)
        self.opened = np.zeros((sources_max, open_max, buckets.OPEN))
        self.counters = np.zeros((sources_max, 3), np.int64)
        self._best = np.zeros((series_max, open_max, 2))

    def judge(self, block: Block, seq: int, at_ms: int, score_min: float) -> Judged:
        """Route, score, learn and count the events of *block*."""
        self.follow(int(block.series.max(initial=-1)) + 1)
        n, p = block.size, block.series.size
        row_state, kept = np.zeros(n, np.int8), np.empty(p, np.int64)
        q = route(
            block.source,
            block.time_ms,
            block.point_row,
            block.series,
            self.followed,
            self.span_ms,
            self.latency_ms,
            self._latest,
            row_state,
            kept,
        )
        kept = kept[:q]
        whole = q == p
        rows = block.point_row if whole else block.point_row[kept]
        series = block.series if whole else block.series[kept]
        value = block.value if whole else block.value[kept]
        time_ms = block.time_ms[rows]
        opinions = self.detector.process(series, time_ms, value)
        score = np.empty(q)
        scores.score_all(self.alert.process(series, opinions.novelty), score)
        k = self.opened.shape[1]
        closed, closed_row = np.empty((n + n * k, buckets.ROW)), np.empty(n + n * k, np.int32)
        found, found_bucket = np.empty(q, np.int64), np.empty((q, buckets.ROW))
        closed_count, found_count = accumulate(
            block.source,
            block.time_ms,
            row_state,
            rows,
            series,
            opinions.novelty,
            score,
            self.span_ms,
            self.latency_ms,
            score_min,
            self.frontier,
            self.opened,
            self._best,
            self.counters,
            closed,
            closed_row,
            found,
            found_bucket,
        )
        closed = closed[:closed_count].copy()
        findings = self._outcome(
            seq,
            at_ms,
            block.source,
            closed,
            closed_row,
            found[:found_count],
            found_bucket,
            rows,
            series,
            time_ms,
            value,
            opinions,
            score,
        )
        return Judged(kept, opinions, closed, int((row_state == LATE).sum()), findings)

    def follow(self, newest: int) -> None:
        """Compare the series up to *newest* with the patterns, those that have not been."""
        if newest <= self._known:
            return
        spec = self.job.spec
        if spec.sources == ("*",) and spec.fields == ("*",):
            self.followed[self._known : newest] = FOLLOWED
        else:
            for series in range(self._known, newest):
                self.followed[series] = FOLLOWED if follows(self.job, *self._name_of(series)) else LEFT_OUT
        self._known = newest

    def _outcome(
        self,
        seq: int,
        at_ms: int,
        source: NDArray[np.int32],
        closed: NDArray[np.float64],
        closed_row: NDArray[np.int32],
        found: NDArray[np.int64],
        found_bucket: NDArray[np.float64],
        rows: NDArray[np.int32],
        series: NDArray[np.int32],
        time_ms: NDArray[np.int64],
        value: NDArray[np.float64],
        opinions: Opinions,
        score: NDArray[np.float64],
    ) -> tuple[tuple[int, Finding | BucketChange], ...]:
        """Findings and changed buckets with the event that gave each, in order of the events; ordinals are still 0."""
        job, out = self.job.number, list[tuple[int, Finding | BucketChange]]()
        for i in np.flatnonzero(closed[:, buckets.ROW - 1] > 0):
            out.append((int(closed_row[i]), change_of(job, seq, at_ms, closed[i], closed=True)))
        for k, j in enumerate(found.tolist()):
            bucket_ms = int(found_bucket[k, 1])
            out.append(
                (
                    int(rows[j]),
                    Finding(
                        seq,
                        0,
                        at_ms,
                        job,
                        int(source[rows[j]]),
                        int(series[j]),
                        bucket_ms,
                        int(time_ms[j]),
                        float(value[j]),
                        float(opinions.typical[j]),
                        float(opinions.lower[j]),
                        float(opinions.upper[j]),
                        float(opinions.novelty[j]),
                        float(opinions.probability[j]),
                        float(score[j]),
                    ),
                )
            )
            out.append((int(rows[j]), change_of(job, seq, at_ms, found_bucket[k], closed=False)))
        out.sort(key=lambda pair: pair[0])
        return tuple(out)

    def tick(
        self,
        now_ms: int,
        lag_max_ms: int,
        ledger: NDArray[np.int64],
        count: int,
        taking_part: NDArray[np.bool_],
        seq: int,
    ) -> tuple[NDArray[np.float64], list[BucketChange]]:
        """Close the open buckets of live sources that fell silent: the closed rows, and which of them hold a record."""
        closed = np.empty((count * self.opened.shape[1], buckets.ROW))
        closed = closed[
            : close_silent(
                now_ms, lag_max_ms, self.span_ms, self.latency_ms, ledger, count, taking_part, self.opened, closed
            )
        ]
        return closed, [
            change_of(self.job.number, seq, now_ms, row, closed=True) for row in closed if row[buckets.ROW - 1] > 0
        ]

    def open_buckets(self, sources: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The buckets of *sources* that may still change, (m, ROW), and whether each is interim (m,)."""
        held = self.opened[sources]
        at = np.nonzero(held[:, :, buckets.COUNT] > 0)
        rows = np.empty((at[0].size, buckets.ROW))
        rows[:, 0] = sources[at[0]]
        rows[:, 1:] = held[at][:, : buckets.CLOSED]
        return rows, held[at][:, buckets.CLOSED] == 0

    def save(self, sources: NDArray[np.int64], series: NDArray[np.int64]) -> State:
        """A copy of the state of these sources and series."""
        mine = series[self.followed[series] == FOLLOWED].astype(np.int32)
        state: State = {
            "frontier": self.frontier[sources],
            "opened": self.opened[sources],
            "counters": self.counters[sources],
            "mine": mine,
            "best": self._best[mine],
        }
        state |= {f"detector.{name}": array for name, array in self.detector.save(mine).items()}
        state |= {f"alert.{name}": array for name, array in self.alert.save(mine).items()}
        return state

    def restore(self, sources: NDArray[np.int64], state: State) -> None:
        """Set these sources, and the series that were followed, to what ``save`` gave."""
        self.frontier[sources], self.opened[sources], self.counters[sources] = (
            state["frontier"],
            state["opened"],
            state["counters"],
        )
        self._latest[sources] = state["frontier"]
        mine = state["mine"]
        self._best[mine] = state["best"]
        for prefix, part in (("detector.", self.detector), ("alert.", self.alert)):
            part.restore(
                mine, {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            )


def change_of(job: int, seq: int, at_ms: int, row: NDArray[np.float64], *, closed: bool) -> BucketChange:
    """A row of ``buckets`` as a change; its ordinal is still 0."""
    source, start, count, novelty, score, records = row.tolist()
    return BucketChange(seq, 0, at_ms, job, int(source), int(start), int(count), novelty, score, int(records), closed)


def follows(job: Job, source: str, field: str) -> bool:
    """Does the job's selection take this series?"""
    spec = job.spec
    return any(fnmatchcase(source, p) for p in spec.sources) and any(fnmatchcase(field, p) for p in spec.fields)
