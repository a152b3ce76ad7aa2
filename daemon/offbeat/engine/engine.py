"""The engine: applies entries in order. The same class serves live traffic, recovery and verification."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import rollups
from offbeat.engine.buckets import RULES
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Adjustment, AdjustmentEnd, Block, Entry, Job, Run, Settings, run_of
from offbeat.engine.job import JobState, Judged
from offbeat.engine.ledger import Ledger
from offbeat.engine.outcome import NOTHING, BucketChange, Finding, Outcome
from offbeat.engine.tail import ShardTail, Tail, by_shard
from offbeat.engine.ticks import Moment, tick
from offbeat_detectors.contract import State
from offbeat_detectors.parts import Team


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


RUN_MAX = 131_072
"""Events of one run: their columns should stay in the cache of the processor."""
SHARED_MIN = 8_192
"""Events of one run of which several threads take parts: of fewer, to hand them over takes longer."""
ALONE = Team(1)


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
        self._position = np.zeros(1, np.int64)  # the same by shard
        self._newest_position = 0
        self._members = Members()
        self.team = ALONE

    def work_with(self, team: Team) -> None:
        """From now on *team* takes parts of what is large; results are the same, bit for bit."""
        self.team = team
        for job in self.jobs.values():
            job.work_with(team)

    def add_job(self, job: Job) -> None:
        """Begin a job; entries after ``job.created_seq`` are its own."""
        state = self.jobs[job.number] = JobState(
            job, self._sources_max, self._series_max, self.name_of, self.catalog
        )
        state.work_with(self.team)
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
            outcome = self._data([entry])
        elif isinstance(entry.body, Job):
            if entry.body.number not in self.jobs:
                self.add_job(entry.body)
        elif isinstance(entry.body, Settings):
            self.settings = entry.body
        elif isinstance(entry.body, int):
            self.jobs.pop(entry.body, None)
        elif isinstance(entry.body, Adjustment | AdjustmentEnd):
            outcome = self._adjust(entry, entry.body)
        elif entry.body is None:
            outcome = self._tick(entry)  # all else is of analyses
        self.seq = entry.seq
        return outcome

    def apply_all(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Apply entries in their order, as ``apply`` would; data that follow one another together, in one outcome."""
        outcomes: list[Outcome] = []
        waiting, size = list[Entry](), 0
        began = {state.job.created_seq for state in self.jobs.values()}
        for entry in entries:
            body, cut = entry.body, any(waiting and waiting[-1].seq <= seq < entry.seq for seq in began)
            if waiting and (cut or not isinstance(body, Block) or size + body.size > RUN_MAX):
                outcomes.append(self._data(waiting))
                waiting, size = [], 0
            if isinstance(body, Block):
                waiting.append(entry)
                size += body.size
            else:
                outcomes.append(self.apply(entry))
                began = {state.job.created_seq for state in self.jobs.values()}
            self.seq = entry.seq
        if waiting:
            outcomes.append(self._data(waiting))
        return outcomes

    def _data(self, entries: Sequence[Entry]) -> Outcome:
        """Apply entries of data that follow one another; every job began before all of them, or after."""
        counting, blocks = [], []
        for entry in entries:
            assert isinstance(entry.body, Block)
            block = entry.body
            if entry.seq <= self._newest_position:
                shard = self.catalog.source_shard[block.source]
                self._make_room(int(shard.max(initial=0)))
                block = block.keep(self._position[shard] < entry.seq)
            if block.size:
                counting.append(entry)
                blocks.append(block)
        return self._run(run_of(counting, blocks)) if blocks else NOTHING

    def _run(self, run: Run) -> Outcome:
        self.source_count = max(self.source_count, int(run.source.max()) + 1)
        self.series_count = max(self.series_count, int(run.series.max(initial=-1)) + 1)
        shards = self.catalog.source_shard[run.source]
        by_source = by_shard(shards)
        for shard, rows in by_source:  # also an event without a value changes its source
            if shard not in self.tail.active:
                at = int(run.entry_of(np.array(0 if rows is None else rows[0])))
                self.tail.touch(shard, int(run.seq[at]), int(run.at_ms[at]))
        jobs = [job for job in self.jobs.values() if run.seq[0] > job.job.created_seq]
        heard = [job.hear(run) for job in jobs]
        judged: list[Judged] = []
        windows: list[NDArray[np.float64]] = []

        def conclude() -> None:
            judged.extend(
                job.conclude(run, one, self.settings.score_min) for job, one in zip(jobs, heard, strict=True)
            )

        def keep() -> None:
            watch = next((one for job, one in zip(jobs, heard, strict=True) if job.job.number == WATCH), None)
            kept, said = (np.zeros(0, np.int64), None) if watch is None else (watch.kept, watch.opinions)
            windows.append(self.ledger.note(run, kept, said))

        (self.team if run.size >= SHARED_MIN else ALONE).run([keep, conclude])
        seq, at_ms = int(run.seq[-1]), int(run.at_ms[-1])
        for job, one in zip(jobs, judged, strict=True):
            if one.closed.shape[0]:
                owners = self.catalog.source_shard[one.closed[:, 0].astype(np.int64)]
                self.tail.add_closed(job.job.number, owners, one.closed, seq, at_ms)
        p = run.series.size
        if run.size > p:  # and stands in the journal until the next checkpoint
            self.tail.weigh(int(shards[0]), run.size - p)
        by_point = by_source if run.point_ms is run.time_ms else by_shard(shards[run.point_row])
        self.tail.add_readings(by_point, (run.series, run.point_ms, run.value), seq, at_ms)
        if windows[0].shape[0]:
            source = self.catalog.series_source[windows[0][:, rollups.SERIES].astype(np.int64)]
            self.tail.add_windows(self.catalog.source_shard[source], windows[0], seq, at_ms)
        return replace(
            numbered((finding for one in judged for _, finding in one.findings), sum(one.late_count for one in judged)),
            hidden_count=sum(one.hidden_count for one in judged),
            untold=tuple(np.sum([one.untold for one in judged], axis=0).tolist()) if judged else (0,) * len(RULES),
            evicted_count=sum(one.evicted_count for one in judged),
            unjudged_count=sum(one.unjudged_count for one in judged),
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
        shard = self.catalog.source_shard[:count]
        self._make_room(int(shard.max(initial=0)))
        taking_part = self._position[shard] < entry.seq
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
        self._members.follow(self.catalog, self.source_count, self.series_count)
        return self._members.of(shard)

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
        self._make_room(frozen.shard)
        self.positions[frozen.shard] = self._position[frozen.shard] = frozen.seq
        self._newest_position = max(self._newest_position, frozen.seq)

    def _make_room(self, shard: int) -> None:
        if shard >= self._position.size:
            self._position = np.concatenate([self._position, np.zeros(2 * shard, np.int64)])

    def written(self, frozen: Frozen) -> None:
        """The store has *frozen*."""
        self.tail.written(frozen.shard)
        self._at(frozen)

    def not_written(self, frozen: Frozen) -> None:
        """The store could not take *frozen*: all as before."""
        self.tail.not_written(frozen.shard)

    def covered_by_all(self) -> int:
        """The newest entry that is in the checkpoint of every shard; 0 if one has none."""
        shards = np.unique(self.catalog.source_shard[: self.source_count]).tolist()
        return min((self.positions.get(shard, 0) for shard in shards), default=0)

    def covered(self) -> int:
        """The newest entry such that no shard needs it, or any before it, to be replayed."""
        since = [tail.since_seq for shard in self.tail.shards() for tail in self.tail.of(shard)]
        return min(since) - 1 if since else self.seq


class Members:
    """Which sources and series each shard has: looked up once, for to look through all of them takes a checkpoint of a
    shard longer than all else once there are a million."""

    def __init__(self) -> None:
        self._sources: dict[int, list[NDArray[np.int64]]] = {}
        self._series: dict[int, list[NDArray[np.int64]]] = {}
        self._source_count = self._series_count = 0

    def follow(self, catalog: Catalog, source_count: int, series_count: int) -> None:
        """Look at the sources and series up to these counts that have not been looked at. A shard is never left."""
        shards = catalog.source_shard[self._source_count : source_count]
        _add(self._sources, shards, self._source_count)
        shards = catalog.source_shard[catalog.series_source[self._series_count : series_count]]
        _add(self._series, shards, self._series_count)
        self._source_count, self._series_count = source_count, series_count

    def of(self, shard: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sources and the series of *shard*, in their order."""
        none = np.zeros(0, np.int64)
        sources, series = (np.concatenate([none, *held.get(shard, ())]) for held in (self._sources, self._series))
        self._sources[shard], self._series[shard] = [sources], [series]
        return sources, series


def _add(held: dict[int, list[NDArray[np.int64]]], shards: NDArray[np.int32], first: int) -> None:
    for shard, rows in by_shard(shards):
        new = np.arange(shards.size) if rows is None else rows
        held.setdefault(shard, []).append(new + first)


WATCH = 1
"""The number of the built-in job."""


def numbered(found: Iterable[Finding | BucketChange], late_count: int) -> Outcome:
    """What entries gave, in their order, each with its ordinal among what its entry gave."""
    placed = sorted(found, key=lambda one: one.seq)
    before, ordinal = -1, 0
    for one in placed:
        ordinal = ordinal + 1 if one.seq == before else 0
        before = one.seq
        object.__setattr__(one, "ordinal", ordinal)  # made just now, nobody else has it: to replace it is far slower
    return Outcome(
        tuple(one for one in placed if isinstance(one, Finding)),
        tuple(one for one in placed if isinstance(one, BucketChange)),
        late_count,
    )
