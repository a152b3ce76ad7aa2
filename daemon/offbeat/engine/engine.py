"""The engine: applies entries in order. The same class serves live traffic, recovery and verification."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import rollups
from offbeat.engine.buckets import RULES
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Adjustment, AdjustmentEnd, Block, Entry, Job, Settings
from offbeat.engine.job import JobState
from offbeat.engine.ledger import Ledger, note_events, note_readings
from offbeat.engine.outcome import NOTHING, BucketChange, Finding, Outcome
from offbeat.engine.tail import ShardTail, Tail, by_shard
from offbeat.engine.ticks import Moment, tick
from offbeat_detectors.contract import State


@dataclass(frozen=True, slots=True)
class Frozen:
    """One shard as it stands after entry *seq*: everything that a checkpoint writes.

    sources, series  the numbers that it holds    states  by part: ``ledger`` or ``job:<number>``
    tail             None where only models changed
    """

    shard: int
    seq: int
    sources: NDArray[np.int64]
    series: NDArray[np.int64]
    states: dict[str, State]
    tail: ShardTail | None


class Engine:
    """A pure function of the journal.

    One thread uses it. It has room for what the catalog may hold, or holds already.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        # The catalog may be ahead, by names that another thread gives just now: those of applied entries count.
        self.source_count, self.series_count = catalog.sources.count, catalog.series_count
        self._sources_max = max(catalog.limits.sources, self.source_count)
        self._series_max = max(catalog.limits.series, self.series_count)
        self.settings = Settings()
        self.ledger = Ledger(self._sources_max, self._series_max)
        self.tail = Tail()
        self.jobs: dict[int, JobState] = {}
        self.seq = 0
        self.positions: dict[int, int] = {}  # what the store's checkpoint of each shard stands for
        self._newest_position = 0

    def add_job(self, job: Job) -> None:
        """Begin a job; entries after ``job.created_seq`` are its own."""
        state = self.jobs[job.number] = JobState(
            job, self._sources_max, self._series_max, self.name_of, self.catalog
        )
        state.follow(self.series_count)

    def name_of(self, series: int) -> tuple[str, str]:
        """Source and field of a series."""
        catalog = self.catalog
        return catalog.sources.text(int(catalog.series_source[series])), catalog.fields.text(
            int(catalog.series_field[series])
        )

    def apply(self, entry: Entry) -> Outcome:
        """Apply one entry, in order of ``seq``. Shards whose position is at or beyond the entry have it already."""
        outcome = NOTHING
        if isinstance(entry.body, Block):
            block = entry.body
            if entry.seq <= self._newest_position:
                ahead = np.fromiter((s for s, p in self.positions.items() if p >= entry.seq), np.int32)
                block = block.keep(~np.isin(self.catalog.source_shard[block.source], ahead))
            if block.size:
                outcome = self._data(entry, block)
        elif isinstance(entry.body, Job):
            if entry.body.number not in self.jobs:
                self.add_job(entry.body)
        elif isinstance(entry.body, Settings):
            self.settings = entry.body
        elif isinstance(entry.body, int):
            self.jobs.pop(entry.body, None)
        elif isinstance(entry.body, Adjustment | AdjustmentEnd):
            outcome = self._adjust(entry, entry.body)
        else:
            outcome = self._tick(entry)
        self.seq = entry.seq
        return outcome

    def _data(self, entry: Entry, block: Block) -> Outcome:
        seq, at_ms = entry.seq, entry.at_ms
        self.source_count = max(self.source_count, int(block.source.max()) + 1)
        self.series_count = max(self.series_count, int(block.series.max(initial=-1)) + 1)
        note_events(block.source, block.time_ms, at_ms, self.ledger.sources)
        time_ms = block.time_ms[block.point_row]
        note_readings(block.series, time_ms, block.value, self.ledger.series)
        p = block.series.size
        band = np.full((3, p), np.nan)
        found: list[Finding | BucketChange] = []
        late = hidden = evicted = unjudged = 0
        untold = np.zeros(len(RULES), np.int64)
        for job in self.jobs.values():
            if seq <= job.job.created_seq:
                continue
            judged = job.judge(block, seq, at_ms, self.settings.score_min)
            late += judged.late_count
            hidden += judged.hidden_count
            untold += judged.untold
            evicted += judged.evicted_count
            unjudged += judged.unjudged_count
            found += [finding for _, finding in judged.findings]
            if judged.closed.shape[0]:
                shards = self.catalog.source_shard[judged.closed[:, 0].astype(np.int64)]
                self.tail.add_closed(job.job.number, shards, judged.closed, seq, at_ms)
            if job.job.number == WATCH:
                said = judged.opinions
                kept = slice(None) if judged.kept.size == p else judged.kept  # a slice costs a tenth of the indices
                band[0, kept], band[1, kept], band[2, kept] = said.typical, said.lower, said.upper
        shards = self.catalog.source_shard[block.source]
        for shard, _ in by_shard(shards):  # also an event without a value changes its source
            self.tail.touch(shard, seq, at_ms)
        if block.size > p:  # and stands in the journal until the next checkpoint
            self.tail.weigh(int(shards[0]), block.size - p)
        self.tail.add_readings(shards[block.point_row], (block.series, time_ms, block.value), seq, at_ms)
        closed = np.empty((3 * p, rollups.ROW))
        closed = closed[
            : rollups.add_readings(
                block.series, time_ms, block.value, band[0], band[1], band[2], self.ledger.windows, closed
            )
        ]
        if closed.shape[0]:
            owners = self.catalog.series_source[closed[:, rollups.SERIES].astype(np.int64)]
            self.tail.add_windows(self.catalog.source_shard[owners], closed.copy(), seq, at_ms)
        return replace(
            numbered(found, late),
            hidden_count=hidden,
            untold=tuple(untold.tolist()),
            evicted_count=evicted,
            unjudged_count=unjudged,
        )

    def _adjust(self, entry: Entry, body: Adjustment | AdjustmentEnd) -> Outcome:
        """Begin or end an adjustment. A shard that is beyond the entry has its counts already, from the checkpoint."""
        job = self.jobs.get(body.job)
        if job is None:  # the job was deleted since
            return NOTHING
        shard = int(self.catalog.source_shard[self.catalog.series_source[body.series]])
        counts = self.positions.get(shard, 0) < entry.seq
        if counts:
            self.tail.touch(shard, entry.seq, entry.at_ms)
        if isinstance(body, Adjustment):
            job.adjustments.begin(body, counts=counts)
            return NOTHING
        ended = job.adjustments.end(body.number, counts=counts)
        return NOTHING if ended is None else replace(NOTHING, ended=(ended,))

    def adjustment_count(self) -> int:
        """How many adjustments are in force; any thread may ask."""
        return sum(len(job.adjustments.in_force) for job in list(self.jobs.values()))

    def _tick(self, entry: Entry) -> Outcome:
        count = self.source_count
        taking_part = np.ones(count, np.bool_)
        for shard, position in self.positions.items():
            if position >= entry.seq:
                taking_part[self.catalog.source_shard[:count] == shard] = False
        found: list[Finding | BucketChange] = []
        owner = self.catalog.series_source[: self.series_count]
        moment = Moment(entry.seq, entry.at_ms, self.settings, self.ledger, owner, taking_part)
        quiet = 0
        for job in self.jobs.values():
            if entry.seq <= job.job.created_seq:
                continue
            ticked = tick(job, moment)
            found += ticked.changes
            quiet += ticked.quiet_count
            for shard in np.unique(self.catalog.source_shard[ticked.touched]):
                self.tail.touch(int(shard), entry.seq, entry.at_ms)
        return replace(numbered(found, 0), untold=(0, 0, quiet))

    def members(self, shard: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sources and the series of *shard*."""
        catalog = self.catalog
        mine = catalog.source_shard[: self.source_count] == shard
        return np.flatnonzero(mine), np.flatnonzero(mine[catalog.series_source[: self.series_count]])

    def freeze(self, shard: int) -> Frozen | None:
        """A copy of *shard* for a checkpoint, its tail set aside.

        None if it has not changed or is being written already.
        """
        tail = self.tail.freeze(shard)
        if tail is None:
            return None
        sources, series = self.members(shard)
        states = {"ledger": self.ledger.save(sources, series)}
        states |= {f"job:{number}": job.save(sources, series) for number, job in self.jobs.items()}
        return Frozen(shard, self.seq, sources, series, states, tail)

    def restore(self, frozen: Frozen) -> None:
        """Take the state of one shard from a checkpoint; entries up to its position will leave the shard alone."""
        for part, state in frozen.states.items():
            if part == "ledger":
                self.ledger.restore(frozen.sources, frozen.series, state)
            elif (number := int(part.removeprefix("job:"))) in self.jobs:
                self.jobs[number].restore(frozen.sources, state)
        self._at(frozen)

    def _at(self, frozen: Frozen) -> None:
        self.positions[frozen.shard] = frozen.seq
        self._newest_position = max(self._newest_position, frozen.seq)

    def written(self, frozen: Frozen) -> None:
        """The store has *frozen*."""
        self.tail.written(frozen.shard)
        self._at(frozen)

    def not_written(self, frozen: Frozen) -> None:
        """The store could not take *frozen*: all as before."""
        self.tail.not_written(frozen.shard)

    def covered(self) -> int:
        """The newest entry such that no shard needs it, or any before it, to be replayed."""
        since = [tail.since_seq for shard in self.tail.shards() for tail in self.tail.of(shard)]
        return min(since) - 1 if since else self.seq


WATCH = 1
"""The number of the built-in job."""


def numbered(found: Iterable[Finding | BucketChange], late_count: int) -> Outcome:
    """What one entry gave, each with its ordinal."""
    placed = list(found)
    for i, one in enumerate(placed):  # made just now, and nobody else has them: to replace them is far slower
        object.__setattr__(one, "ordinal", i)
    return Outcome(
        tuple(one for one in placed if isinstance(one, Finding)),
        tuple(one for one in placed if isinstance(one, BucketChange)),
        late_count,
    )
