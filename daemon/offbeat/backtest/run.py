"""One part of the series through the engine: blocks in, findings and what is known of single readings out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from offbeat.backtest.probe import ProbedJob, Said
from offbeat.backtest.question import BASELINE, CANDIDATE
from offbeat.engine.buckets import LATE_EVENTS
from offbeat.engine.catalog import Catalog
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Block, Entry, Job, Settings
from offbeat.engine.ledger import FIRST, LAST, TIME_MIN_MS
from offbeat.engine.outcome import Finding
from offbeat.records import JobSpec

BLOCK_EVENTS = 65_536
Point = tuple[str, str, int]
"""A reading: source, field, time in milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finding of one configuration, by names; *bucket_ms* is the start of the bucket that it is the record of."""

    source: str
    field: str
    time_ms: int
    bucket_ms: int
    actual: float
    typical: float
    lower: float
    upper: float
    novelty: float
    score: float

    @property
    def point(self) -> Point:
        """Where it is."""
        return self.source, self.field, self.time_ms


@dataclass(slots=True)
class Ran:
    """What became of one part, or of several.

    candidate, baseline  the findings of each job; *baseline* only if it was run too
    candidate_said, baseline_said  what each made of the readings at which the other one, or the store, has a finding
    reading_count, series_count    of the job's series
    first_ms, last_ms    of the readings; None if there are none
    series_ms            for how long each series was watched, added up over the series
    late_count           events that came too late for the candidate
    rejected_count       of a file: lines that are no event, or beyond a limit
    gone_count           of a store: chunks that were retired meanwhile
    """

    candidate: list[Found] = field(default_factory=list)
    baseline: list[Found] = field(default_factory=list)
    candidate_said: dict[Point, Said] = field(default_factory=dict)
    baseline_said: dict[Point, Said] = field(default_factory=dict)
    reading_count: int = 0
    series_count: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    series_ms: float = 0.0
    late_count: int = 0
    rejected_count: int = 0
    gone_count: int = 0

    def add(self, other: Ran) -> None:
        """Take what became of another part, of other series."""
        self.candidate += other.candidate
        self.baseline += other.baseline
        self.candidate_said |= other.candidate_said
        self.baseline_said |= other.baseline_said
        self.reading_count += other.reading_count
        self.series_count += other.series_count
        for name, better in (("first_ms", min), ("last_ms", max)):
            known = [t for t in (getattr(self, name), getattr(other, name)) if t is not None]
            setattr(self, name, better(known) if known else None)
        self.series_ms += other.series_ms
        self.late_count += other.late_count
        self.rejected_count += other.rejected_count
        self.gone_count += other.gone_count


class Runner:
    """An engine with the candidate, and with the baseline if that is to be run as well."""

    def __init__(
        self,
        catalog: Catalog,
        candidate: JobSpec,
        baseline: JobSpec | None,
        score_min: float,
        points: Iterable[tuple[int, int]] = (),
    ) -> None:
        """*points*: series number and time of stored findings, about which the candidate is asked."""
        self._engine = Engine(catalog)
        self._engine.settings = Settings(score_min=score_min)
        self._jobs = {
            # It holds a model for every series: what was evicted, and when, hung on series that are not run here.
            number: ProbedJob(Job(number, replace(spec, models_max=0, shards=0), 0, 0), self._engine)
            for number, spec in ((CANDIDATE, candidate), (BASELINE, baseline))
            if spec is not None
        }
        self._engine.jobs.update(self._jobs)
        self._records: dict[tuple[int, int, int], Finding] = {}
        self._said: dict[int, dict[tuple[int, int], Said]] = {number: {} for number in (CANDIDATE, BASELINE)}
        placed = np.array(sorted((t, s) for s, t in points), np.int64).reshape(-1, 2)
        self._point_ms, self._point_series = placed[:, 0].copy(), placed[:, 1].astype(np.int32)

    def take(self, block: Block) -> None:
        """Run one block."""
        if not block.size:
            return
        engine = self._engine
        newest_ms = int(block.time_ms.max())
        outcome = engine.apply(Entry(engine.seq + 1, "data", newest_ms, block))
        for f in outcome.findings:
            held = self._records.get((f.job, f.series, f.bucket_ms))
            if held is None or f.score > held.score:
                self._records[f.job, f.series, f.bucket_ms] = f
        low, high = np.searchsorted(self._point_ms, [int(block.time_ms.min()), newest_ms + 1]).tolist()
        points = set(zip(self._point_series[low:high].tolist(), self._point_ms[low:high].tolist(), strict=True))
        points |= {(f.series, f.time_ms) for f in outcome.findings}
        series = np.array([s for s, _ in points], np.int32)
        time_ms = np.array([t for _, t in points], np.int64)
        for number, job in self._jobs.items():
            self._said[number] |= job.said(block, series, time_ms)
            job.forget_block(block)
        for shard in list(engine.tail.shards()):  # nobody stores it
            if engine.tail.freeze(shard) is not None:
                engine.tail.written(shard)

    def finish(self, start_ms: int | None) -> Ran:
        """What became of all blocks; the watch over a series counts from *start_ms*."""
        engine, ran = self._engine, Ran()
        names = engine.name_of

        def named(said: dict[tuple[int, int], Said]) -> dict[Point, Said]:
            return {(*names(s), t): one for (s, t), one in said.items()}

        ran.candidate_said, ran.baseline_said = named(self._said[CANDIDATE]), named(self._said[BASELINE])
        for (number, series, bucket_ms), f in self._records.items():
            into = ran.candidate if number == CANDIDATE else ran.baseline
            into.append(
                Found(
                    *names(series), f.time_ms, bucket_ms, f.actual, f.typical, f.lower, f.upper, f.novelty, f.score
                )
            )
        candidate = self._jobs[CANDIDATE]
        ran.late_count = int(candidate.counters[:, LATE_EVENTS].sum())
        heard = candidate.heard()
        ran.series_count = int(heard.size)
        if heard.size:
            ran.reading_count = int(engine.ledger.series[heard, 0].sum())
            spans = engine.ledger.sources[engine.catalog.series_source[heard]]
            first, last = spans[:, FIRST] - 1 + TIME_MIN_MS, spans[:, LAST] - 1 + TIME_MIN_MS
            ran.first_ms, ran.last_ms = int(first.min()), int(last.max())
            watched = last - (first if start_ms is None else np.maximum(first, start_ms))
            ran.series_ms = float(np.maximum(watched, 0).sum())
        return ran


def blocks_of(
    source: NDArray[np.int32], series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]
) -> Iterator[Block]:
    """n readings, in order, as blocks in which each reading is an event of its own."""
    none = np.zeros(0, np.int32)
    for first in range(0, series.size, BLOCK_EVENTS):
        cut = slice(first, first + BLOCK_EVENTS)
        rows = np.arange(series[cut].size, dtype=np.int32)
        yield Block(source[cut], time_ms[cut], rows, series[cut], value[cut], none, none, none)
