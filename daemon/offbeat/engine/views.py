"""What the engine holds in memory, copied out for a query. Called on the engine's thread, between two entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets, rollups
from offbeat.engine.buckets import HELD, LATE_EVENTS, RULES
from offbeat.engine.engine import WATCH, Engine
from offbeat.engine.job import FOLLOWED
from offbeat.engine.ledger import (
    ARRIVAL,
    DELAY,
    EVENTS,
    FIRST,
    INTERVAL,
    LAG,
    LAST,
    NEVER,
    NEWEST,
    TIME_MIN_MS,
    reached,
)
from offbeat.engine.places import TAKEN
from offbeat.engine.rows import Part, found, joined
from offbeat.engine.tail import NO_BUCKETS, NO_READINGS, NO_WINDOWS, Readings
from offbeat_detectors.contract import Clustering, Detector, Found, Grouped, Settling, Watchful
from offbeat_detectors.scores import OVERRIDE, score_of_strength


@dataclass(frozen=True, slots=True)
class LiveBuckets:
    """Buckets of a job that are in no chunk.

    closed     parts of rows (m, buckets.ROW) that closed, of any source    opened  rows that may still change
    interim    (k,) which of those opened are still open
    positions  by shard: chunks up to this journal position complete the picture, later ones repeat it
    """

    closed: list[Part]
    opened: NDArray[np.float64]
    interim: NDArray[np.bool_]
    positions: Mapping[int, int]

    def of(self, sources: NDArray[np.int64] | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """A copy of the rows of *sources*, each given once (None: all), and which are interim. Needs no engine."""
        if sources is None:
            closed = joined([NO_BUCKETS, *(part.columns for part in self.closed)])[0]
            opened, interim = self.opened, self.interim
        else:
            (closed,) = found(self.closed, sources, NO_BUCKETS)
            chosen = np.isin(self.opened[:, buckets.SOURCE], sources)
            opened, interim = self.opened[chosen], self.interim[chosen]
        return np.concatenate([closed, opened]), np.concatenate([np.zeros(closed.shape[0], np.bool_), interim])


def live_buckets(engine: Engine, job: int, sources: NDArray[np.int64] | None) -> LiveBuckets:
    """What memory holds of a job for a question about *sources* (None: all)."""
    state = engine.jobs.get(job)
    if state is None:  # its entry has not been applied yet, or the one that deleted it has
        return LiveBuckets([], NO_BUCKETS[0], np.zeros(0, np.bool_), dict(engine.positions))
    catalog = engine.catalog
    if sources is None:
        sources, shards, positions = np.arange(engine.source_count), engine.tail.shards(), dict(engine.positions)
    else:
        shards = {int(s) for s in np.unique(catalog.source_shard[sources])}
        positions = {shard: engine.positions[shard] for shard in shards if shard in engine.positions}
    closed = [part for shard in sorted(shards) for tail in engine.tail.of(shard) for part in tail.closed_parts(job)]
    return LiveBuckets(closed, *state.open_buckets(sources), positions)


@dataclass(frozen=True, slots=True)
class LiveReadings:
    """Readings and windows of some series of one source that are in no chunk; *position* as in LiveBuckets.

    readings, closed  parts with those of any series of the shard: readings, and windows that closed (``rollups``)
    opened            windows of each level that may still grow
    first_ms          the oldest event of the source    readings_seen  (k, 4) float64, as the ledger has them
    """

    shard: int
    position: int
    series: NDArray[np.int32]
    first_ms: int
    readings: list[Part]
    closed: list[Part]
    opened: NDArray[np.float64]
    readings_seen: NDArray[np.float64]

    def own_readings(self) -> Readings:
        """A copy of the readings of the series, by the order of arrival of each. Needs no engine."""
        series, time_ms, value = found(self.readings, self.series, NO_READINGS)
        return series, time_ms, value

    def own_windows(self) -> NDArray[np.float64]:
        """A copy of the windows of the series, those that closed first. Needs no engine."""
        return np.concatenate([*found(self.closed, self.series, NO_WINDOWS), self.opened])


def live_readings(engine: Engine, source: int, series: NDArray[np.int32]) -> LiveReadings:
    """What memory holds for a question about *series*, all of one source."""
    shard = int(engine.catalog.source_shard[source])
    tails = engine.tail.of(shard)
    opened = []
    for number in series.tolist():
        for level in range(3):
            for below in range(
                level, -1, -1
            ):  # an hour that is open consists of its own window and those below that have not closed
                window = engine.ledger.windows[number, below]
                if window[1] > 0:
                    row = np.concatenate([[number, level], window])
                    row[rollups.START] -= row[rollups.START] % rollups.SPANS_MS[level]
                    opened.append(row)
    return LiveReadings(
        shard,
        engine.positions.get(shard, 0),
        series,
        int(engine.ledger.sources[source, FIRST]) - 1 + TIME_MIN_MS,
        [part for tail in tails for part in tail.readings.parts()],
        [part for tail in tails for part in tail.windows.parts()],
        np.array(opened).reshape(-1, rollups.ROW),
        engine.ledger.series[series].copy(),
    )


def live_tails(engine: Engine, shards: list[int]) -> dict[int, tuple[int, list[Part]]]:
    """By shard: up to which journal position chunks complete the picture, and parts with readings that are in none."""
    return {
        shard: (
            engine.positions.get(shard, 0),
            [part for tail in engine.tail.of(shard) for part in tail.readings.parts()],
        )
        for shard in shards
    }


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A source as the ledger and the job ``watch`` have it now."""

    event_count: int
    late_count: int
    first_event_ms: int
    last_event_ms: int
    last_arrival_ms: int
    lag_ms: int


def live_sources(engine: Engine, sources: list[int]) -> list[LiveSource]:
    """The state of *sources*, in their order."""
    late = engine.jobs[WATCH].counters[sources, LATE_EVENTS].tolist()
    return [
        LiveSource(
            row[EVENTS], late_count, row[FIRST] - 1 + TIME_MIN_MS, row[LAST] - 1 + TIME_MIN_MS, row[ARRIVAL], row[LAG]
        )
        for row, late_count in zip(engine.ledger.sources[sources].tolist(), late, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class SeriesState:
    """What one job holds of one series, as far as it explains what is said of it.

    heard            a reading of its source was on time since the job began
    warmup_left      readings that the detector still needs    interval_ms  usual time between two; 0: not known
    silent_since_ms  the newest reading, where the detector finds the next overdue; None: it does not, or does not watch
    due_ms           by when that was due; None where the detector does not say    silence_told  it is a finding
    held_age         readings since the finding whose incident lasts    held_left  readings that it still holds back
    held_above       unless they are more novel than this
    damping, adjustment  what the series' own peaks, and feedback, leave of a strength; 1: all of it
    late_ms          by how much its events are late, where that keeps a Watchful detector from being asked; else None
    anew_reason      why its model began anew at the last start, as it could not be restored; "": it did not
    with_model       whether it has a model now    places  how many have one, where that is bounded; 0: all
    settled          what a young series' findings count, 0 to 1    score_max  what they can score at most so far
    settles_readings, settles_ms  until they count in full: whichever comes first
    evicted_count    how often its model was evicted at that limit, evicted_ms when last    has_peers  to learn from
    """

    heard: bool
    warmup_left: int
    interval_ms: float
    silent_since_ms: int | None
    due_ms: int | None
    silence_told: bool
    held_age: int
    held_left: int
    held_above: float
    damping: float
    adjustment: float
    late_ms: int | None
    anew_reason: str = ""
    with_model: bool = True
    places: int = 0
    evicted_count: int = 0
    evicted_ms: int = 0
    has_peers: bool = False
    settled: float = 1.0
    score_max: float = 100.0
    settles_readings: int = 0
    settles_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceState:
    """What one job holds of one source: its series by number, and how many findings it has not told, by rule."""

    series: dict[int, SeriesState]
    suppressed: dict[str, int]


def diagnosed(engine: Engine, source: int, series: NDArray[np.int32], now_ms: int) -> dict[str, SourceState]:
    """By job id, those jobs that follow any of *series*, all of one *source*: their state as of *now_ms*."""
    said = {}
    held = engine.ledger.sources[source]
    clock = reached(held, now_ms, engine.settings.lag_max_ms)
    for job in engine.jobs.values():
        mine = series[job.followed[series] == FOLLOWED]
        if not mine.size:
            continue
        heard = bool(job.frontier[source] != 0)
        novelty, due = np.zeros(mine.size), np.full(mine.size, np.nan)
        slot = job.slot_of(mine)
        modelled = slot >= 0
        if heard and clock != NEVER and isinstance(job.detector, Watchful):
            opinions = job.detector.overdue(slot[modelled], np.full(int(modelled.sum()), clock))
            novelty[modelled], due[modelled] = np.nan_to_num(opinions.novelty), opinions.typical
        late_ms = int(held[LAG]) if heard and clock == NEVER and isinstance(job.detector, Watchful) else None
        left, account = np.zeros(mine.size, np.int64), job.account(mine)
        left[modelled] = job.detector.warmup_left(slot[modelled])
        damping = 1.0 / account.damping
        young = _young(job.detector, slot)
        states = {}
        for i, number in enumerate(mine.tolist()):
            told, readings = job.alert.memory[slot[i]]["held"], engine.ledger.series[number]
            silent = novelty[i] > 0.0  # of one without a model it is not
            evicted_count, evicted_ms = job.places.evicted(number) if job.places is not None else (0, 0)
            lasts = float(account.held[i]) > 0.0
            states[number] = SeriesState(
                heard and (job.places is None or job.places.has_heard(number)),
                int(left[i]),
                float(readings[INTERVAL]),
                int(readings[NEWEST]) - 1 + TIME_MIN_MS if silent else None,
                int(due[i]) if silent and np.isfinite(due[i]) else None,
                bool(silent and 0.0 < novelty[i] <= OVERRIDE * told),
                int(account.age[i]),
                max(0, account.hold - int(account.age[i])) if lasts else 0,
                OVERRIDE * float(account.held[i]),
                float(damping[i]),
                1.0 / job.factor_of(number),
                late_ms,
                job.anew_reason if job.begun_anew[number] else "",
                bool(modelled[i]),
                0 if job.places is None else job.places.share,
                evicted_count,
                evicted_ms,
                isinstance(job.detector, Grouped),
                *(young[i] if modelled[i] else ()),
            )
        counted = job.counters[source].tolist()
        suppressed = {rule: counted[HELD + i] for i, rule in enumerate(RULES)}
        suppressed["adjusted"] = int(job.hidden(mine).sum())
        said[job.job.spec.id] = SourceState(states, suppressed)
    return said


def _young(detector: Detector, slot: NDArray[np.int32]) -> list[tuple[float, float, int, float]]:
    """How far each slot has settled, as the last fields of SeriesState say it."""
    if not isinstance(detector, Settling):
        return [(1.0, 100.0, 0, 0.0)] * slot.size
    said = detector.settled(np.maximum(slot, 0))
    columns = said.share, said.strength_max, said.readings_left, said.ms_left
    return [
        (share, score_of_strength(most), left, left_ms)
        for share, most, left, left_ms in zip(*(column.tolist() for column in columns), strict=True)
    ]


def found_clusters(engine: Engine, job: int, series: NDArray[np.int32]) -> tuple[list[int], Found] | None:
    """The clusters of the source of *series* in a job, and those of the series that it has a model of.

    None if its model sorts nothing into clusters, or it has no model of any of them.
    """
    state = engine.jobs.get(job)
    if state is None or not isinstance(state.detector, Clustering):  # None: as in live_buckets
        return None
    mine = series[state.followed[series] == FOLLOWED]
    slot = state.slot_of(mine)
    mine, slot = mine[slot >= 0], slot[slot >= 0]
    return (mine.tolist(), state.detector.clusters(slot)) if mine.size else None


def begun_anew(engine: Engine) -> dict[str, tuple[int, str]]:
    """By job id, how many series lost their model at the last start, for it could not be restored, and why."""
    return {
        job.job.spec.id: (int(job.begun_anew.sum()), job.anew_reason)
        for job in engine.jobs.values()
        if job.begun_anew.any()
    }


@dataclass(frozen=True, slots=True)
class JobTotals:
    """What a job holds and has counted, with the words of ``JobInfo``."""

    series_count: int = 0
    model_count: int = 0
    evicted_count: int = 0
    unjudged_count: int = 0
    event_count: int = 0
    late_count: int = 0
    record_count: int = 0
    bytes_per_series: int = 0


def job_totals(engine: Engine, job: int) -> JobTotals:
    """The totals of a job."""
    state = engine.jobs.get(job)
    if state is None:  # as in live_buckets
        return JobTotals()
    events, late, records = state.counters[: engine.source_count, :HELD].sum(axis=0).tolist()
    followed = int((state.followed[: engine.series_count] == FOLLOWED).sum())
    models, evicted, unjudged = followed, 0, 0
    if state.places is not None:
        models, evicted, unjudged = state.places.tally[:, TAKEN:].sum(axis=0).tolist()
    return JobTotals(followed, models, evicted, unjudged, events, late, records, state.detector.bytes_per_series)


@dataclass(slots=True)
class Waiting:
    """How many series of the job ``watch`` warm up; of each source how many series are looked at, and are silent."""

    warming_up: int
    looked_at: NDArray[np.int64]
    overdue: NDArray[np.int64]

    @classmethod
    def none(cls, sources: int) -> Waiting:
        """Nothing counted yet, of so many sources."""
        return cls(0, np.zeros(sources, np.int64), np.zeros(sources, np.int64))

    @property
    def silent(self) -> int:
        """How many sources are silent: of each series that is looked at the next reading is overdue."""
        return int(((self.looked_at > 0) & (self.overdue == self.looked_at)).sum())


def waiting_series(engine: Engine, series: NDArray[np.int32], now_ms: int, found: Waiting) -> None:
    """Count *series*, of sources that *found* has room for, into it as of *now_ms*."""
    job = engine.jobs.get(WATCH)
    if job is None:
        return
    source = engine.catalog.series_source[series]
    mine = (job.followed[series] == FOLLOWED) & (job.slot_of(series) >= 0) & (source < found.looked_at.size)
    mine[mine] = job.frontier[source[mine]] != 0
    series, source = series[mine], source[mine]
    if not series.size:
        return
    slot = job.slot_of(series)
    found.warming_up += int((job.detector.warmup_left(slot) > 0).sum())
    np.add.at(found.looked_at, source, 1)
    if not isinstance(job.detector, Watchful):
        return
    held = engine.ledger.sources[source]
    live = np.abs(held[:, LAG]) <= engine.settings.lag_max_ms
    if live.any():
        held, source = held[live], source[live]
        clock = np.maximum(now_ms - np.maximum(held[:, LAG], held[:, DELAY]), held[:, LAST] - 1 + TIME_MIN_MS)
        opinions = job.detector.overdue(slot[live], clock)
        np.add.at(found.overdue, source[np.nan_to_num(opinions.novelty) > 0.0], 1)
