"""The engine once more, slow and obvious: one event at a time, in dictionaries. What the columns are held against.

Detector and alert stage are the real ones, one of each for a series, given one reading at a time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from offbeat.records import JobSpec
from offbeat_detectors import registry, scores
from offbeat_detectors.contract import Detector, Grouped, Watchful
from tests.engine.run import WATCH, Clock, Create, Delete, Event, Step, Tick

SPANS_MS = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}
Series = tuple[str, str]


def adjusted(strength: float, novelty: float, factors: list[float], score_min: float) -> tuple[float, str]:
    """The score of a strength under these factors, and whether that is "hidden", "revealed" or "" no other thing."""
    plain = scores.score_of_strength(strength)
    if not factors:
        return plain, ""
    by = 1.0
    for factor in factors:
        by *= factor
    score = scores.score_of_strength(strength / min(max(by, 1 / 16), 16.0)) if novelty >= 0.35 else 0.0
    was, will = plain >= score_min and plain > 0, score >= score_min and score > 0
    return score, "hidden" if was and not will else "revealed" if will and not was else ""


@dataclass
class Bucket:
    """One bucket of one source; *records* holds the strongest score of each field."""

    count: int = 0
    novelty: float = 0.0
    records: dict[str, float] = field(default_factory=dict)
    silent: bool = False

    def row(self) -> tuple[int, float, float, int]:
        return self.count, self.novelty, max(self.records.values(), default=0.0), len(self.records)


class OneSeries:
    """The model of one series; *peers* are those of its group, in one detector with it."""

    def __init__(self, spec: JobSpec, peers: Peers) -> None:
        if peers.detector is None:
            peers.detector = registry.create(spec.model, 1024, dict(spec.parameters))
        self.detector, self.slot = peers.detector, np.array([peers.count], np.int32)
        peers.count += 1
        if isinstance(self.detector, Grouped):
            self.detector.join(self.slot, np.zeros(1, np.int32))
        self.alert = scores.AlertStage(1)

    def judge(self, time_ms: int, value: float) -> tuple[float, float, tuple[float, float, float]]:
        """Novelty, strength and band of one reading."""
        said = self.detector.process(self.slot, np.array([time_ms]), np.array([value]))
        strength = self.alert.process(np.zeros(1, np.int32), said.novelty)
        band = (float(said.typical[0]), float(said.lower[0]), float(said.upper[0]))
        return float(said.novelty[0]), float(strength[0]), band

    def overdue(self, now_ms: int) -> tuple[float, float]:
        """Novelty of its silence, and the strength of the finding that it would be."""
        assert isinstance(self.detector, Watchful)
        novelty = float(self.detector.overdue(self.slot, np.array([now_ms])).novelty[0])
        memory = self.alert.memory[0]
        if not novelty > 1.75 * memory["held"]:
            return novelty, 0.0
        return novelty, novelty / (1.0 + math.sqrt(memory["peaks"]))

    def hold(self, novelty: float) -> None:
        """It was told, or another of its source was."""
        memory = self.alert.memory[0]
        memory["held"], memory["age"], memory["top"] = novelty, 0, max(novelty, memory["top"])


@dataclass
class Places:
    """Who has a model in one shard: of each its newest reading, counted in the shard, and its usual pause."""

    share: int
    count: int = 0
    known: set[Series] = field(default_factory=set)
    held: dict[Series, tuple[int, int]] = field(default_factory=dict)
    evicted: int = 0
    unjudged: int = 0

    def reading(self, one: Series) -> tuple[bool, Series | None]:
        """A reading of a series: whether it has a place now, and whose it was."""
        self.count += 1
        self.known.add(one)
        if one in self.held:
            last, pause = self.held[one]
            gap = self.count - last
            self.held[one] = self.count, max(gap, pause - gap // 32)
            return True, None
        loser = None
        if len(self.held) == self.share:
            full = self.share
            overdue = [s for s, (last, pause) in self.held.items() if self.count - last > 4 * max(pause, full)]
            if not overdue:
                self.unjudged += 1
                return False, None
            loser = min(overdue, key=lambda s: self.held[s][0])
            del self.held[loser]
            self.evicted += 1
        self.held[one] = self.count, len(self.known)
        return True, loser


@dataclass
class Peers:
    """The detector that the series of one group share; one for each series if its kind has no groups."""

    detector: Detector | None = None
    count: int = 0


Key = tuple[object, ...]


class Job:
    """One job: its selection, its models, its buckets."""

    def __init__(self, spec: JobSpec, score_min: float, shard_of: Callable[[str], int]) -> None:
        self.spec, self.score_min, self.shard_of = spec, score_min, shard_of
        self.span_ms, self.latency_ms = spec.bucket_span_s * 1000, spec.latency_s * 1000
        self.models: dict[Series, OneSeries] = {}
        self.kind = registry.create(spec.model, 1, dict(spec.parameters))
        self.groups: dict[Key, Peers] = defaultdict(Peers)
        self.places = defaultdict[int, Places](lambda: Places(spec.models_max // spec.shards))
        self.spoken: dict[str, tuple[float, int]] = {}  # of a source's silence: novelty, and its events by then
        self.untold: dict[tuple[str, str], int] = defaultdict(int)  # by source and rule
        self.newest: dict[str, int] = {}
        self.buckets: dict[tuple[str, int], Bucket] = {}
        self.records: dict[tuple[str, str, int], tuple[int, float | None, float]] = {}  # time, value, score
        self.events: dict[str, int] = defaultdict(int)
        self.late: dict[str, int] = defaultdict(int)

    def start(self, time_ms: int) -> int:
        return math.floor(time_ms / self.span_ms) * self.span_ms

    def follows(self, source: str, name: str) -> bool:
        return any(fnmatchcase(source, p) for p in self.spec.sources) and any(
            fnmatchcase(name, p) for p in self.spec.fields
        )

    def floor(self, source: str) -> int:
        """The start of the oldest bucket that may still be open."""
        return self.start(self.newest[source] - self.latency_ms)

    def event(self, source: str, time_ms: int, values: dict[str, float]) -> dict[str, tuple[float, float, float]]:
        """Take one event; the bands of its values that were judged."""
        mine = {name: value for name, value in values.items() if self.follows(source, name)}
        if not mine:
            return {}
        start = self.start(time_ms)
        if source in self.newest and start < self.floor(source):
            self.late[source] += 1
            return {}
        self.newest[source] = max(time_ms, self.newest.get(source, time_ms))
        self.events[source] += 1
        bucket = self.buckets.setdefault((source, start), Bucket())
        bucket.count += 1
        bucket.silent = False
        bands = {}
        for name, value in mine.items():
            if self.spec.models_max and not self.has_place(source, name):
                continue
            novelty, strength, bands[name] = self.model(source, name).judge(time_ms, value)
            score = scores.score_of_strength(strength)
            if novelty > bucket.novelty:
                bucket.novelty = novelty
            if score >= self.score_min and score > 0.0:
                self.record(source, name, start, time_ms, value, score)
            elif novelty > 0.35 and scores.score_of_strength(novelty) >= self.score_min:
                self.untold[source, "damped" if strength > 0.0 else "held"] += 1
        return bands

    def record(self, source: str, name: str, start: int, time_ms: int, value: float | None, score: float) -> None:
        """A finding: a record of its bucket, if it is the strongest of its series there."""
        bucket = self.buckets[source, start]
        if score > bucket.records.get(name, 0.0):
            bucket.records[name] = score
            self.records[source, name, start] = (time_ms, value, score)

    def has_place(self, source: str, name: str) -> bool:
        """Whether there is a place for the model of a series that sends a reading; who loses his is forgotten."""
        has, loser = self.places[self.shard_of(source)].reading((source, name))
        if loser is not None:
            gone = self.models.pop(loser)
            gone.detector.forget(gone.slot)
        return has

    def model(self, source: str, name: str) -> OneSeries:
        """The model of a series, which joins its group when it is first asked for."""
        if (source, name) not in self.models:
            key: Key = (source, name)
            if isinstance(self.kind, Grouped):
                patterns = [i for i, p in enumerate(self.spec.peer_groups) if fnmatchcase(source, p)]
                by_field = (self.shard_of(source), name, patterns[0] if patterns else None)
                key = by_field if self.kind.group_by == "field" else (source,)
            self.models[source, name] = OneSeries(self.spec, self.groups[key])
        return self.models[source, name]

    def silence(self, source: str, clock_ms: int, fields: dict[str, int], events: int, tick_ms: int) -> None:
        """Find the silence of a source, where it is *clock_ms*; *fields*: the newest reading of each, in order."""
        if source not in self.newest:
            return
        able = []
        for name, newest_ms in fields.items():
            if (source, name) not in self.models or clock_ms - newest_ms <= tick_ms:
                continue
            novelty, strength = self.models[source, name].overdue(clock_ms)
            score = scores.score_of_strength(strength)
            if novelty > 0.35 and score >= self.score_min and score > 0.0:
                able.append((strength, novelty, score, name))
                self.models[source, name].hold(novelty)
        if not able:
            return
        _, novelty, score, name = max(able, key=lambda one: one[0])
        said, when = self.spoken.get(source, (0.0, -1))
        start = self.start(clock_ms)
        ahead = [
            at
            for (whose, at), bucket in self.buckets.items()
            if whose == source and not bucket.count and at >= self.floor(source)
        ]
        full = (source, start) not in self.buckets and len(ahead) == 4
        if full or (when == events and novelty <= 1.75 * said):
            self.untold[source, "silence"] += len(able)
            return
        self.untold[source, "silence"] += len(able) - 1
        self.spoken[source] = (novelty, events)
        bucket = self.buckets.setdefault((source, start), Bucket())
        bucket.silent, bucket.novelty = False, max(novelty, bucket.novelty)
        self.record(source, name, start, clock_ms, None, score)

    def tick(self, source: str, clock_ms: int) -> None:
        """It is *clock_ms* where the source is: buckets that ended before are over unless it goes on in them."""
        for (whose, start), bucket in self.buckets.items():
            if whose == source and start + self.span_ms <= clock_ms - self.latency_ms:
                bucket.silent = True

    def is_open(self, source: str, start: int) -> bool:
        return start >= self.floor(source) and not self.buckets[source, start].silent


@dataclass
class Source:
    """What is known of a source whatever the jobs are."""

    events: int = 0
    first_ms: int = 0
    last_ms: int = 0
    arrival_ms: int = 0
    lag_ms: int = 0
    gap_ms: int = 0
    delay_ms: int = 0


class Engine:
    """All of it. *watch* is the built-in job; the others have their numbers."""

    def __init__(
        self,
        watch: JobSpec,
        lag_max_ms: int = 900_000,
        score_min: float = 10.0,
        shard_of: Callable[[str], int] = lambda source: 0,
    ) -> None:
        self.lag_max_ms, self.score_min, self.shard_of = lag_max_ms, score_min, shard_of
        self.jobs = {1: Job(watch, score_min, shard_of)}
        self.sources: dict[str, Source] = {}
        self.readings: dict[Series, list[tuple[int, float]]] = defaultdict(list)
        self.newest: dict[Series, int] = {}
        self.bands: dict[tuple[str, str, int], tuple[float, float, float]] = {}

    def event(self, source: str, time_ms: int, values: dict[str, float], at_ms: int) -> None:
        known = self.sources.setdefault(source, Source(0, time_ms, time_ms, at_ms, at_ms - time_ms))
        known.first_ms = min(known.first_ms, time_ms)
        if time_ms >= known.last_ms:
            known.last_ms, known.lag_ms = time_ms, at_ms - time_ms
        if known.events and at_ms != known.arrival_ms:
            known.gap_ms = max(0, at_ms - known.arrival_ms)
            known.delay_ms -= known.delay_ms // 8
        known.delay_ms = max(known.delay_ms, min(at_ms - time_ms, known.gap_ms))
        known.arrival_ms = at_ms
        known.events += 1
        for name, value in values.items():
            self.readings[source, name].append((time_ms, value))
            self.newest[source, name] = max(time_ms, self.newest.get((source, name), time_ms))
        for number, job in self.jobs.items():
            for name, band in job.event(source, time_ms, values).items():
                if number == 1 and not math.isnan(band[0]):
                    self.bands[source, name, math.floor(time_ms / 60_000) * 60_000] = band

    def tick(self, now_ms: int) -> None:
        for name, source in self.sources.items():
            if abs(source.lag_ms) <= self.lag_max_ms:
                clock_ms = max(now_ms - max(source.lag_ms, source.delay_ms), source.last_ms)
                fields = {f: newest for (whose, f), newest in self.newest.items() if whose == name}
                for job in self.jobs.values():
                    job.tick(name, now_ms - max(source.lag_ms, 0))
                    if isinstance(job.kind, Watchful):
                        job.silence(name, clock_ms, fields, source.events, 5_000)

    def windows(self, level: str) -> dict[tuple[str, str, int], tuple[int, float, float, float, float]]:
        """Count, sum, lowest, highest and sum of squares of every window that has a reading."""
        span_ms, held = SPANS_MS[level], defaultdict[tuple[str, str, int], list[float]](list)
        for (source, name), readings in self.readings.items():
            for time_ms, value in readings:
                held[source, name, math.floor(time_ms / span_ms) * span_ms].append(value)
        return {key: (len(v), sum(v), min(v), max(v), sum(x * x for x in v)) for key, v in held.items()}


def twin(
    todo: list[Step], start_ms: int, watch: JobSpec = WATCH, shard_of: Callable[[str], int] = lambda source: 0
) -> Engine:
    """The slow engine after *todo*."""
    engine, now_ms, numbers = Engine(watch, shard_of=shard_of), start_ms, 1
    for step in todo:
        match step:
            case Event(source, time_ms, values):
                engine.event(source, time_ms, values, now_ms)
            case Clock(by_ms):
                now_ms += by_ms
            case Tick():
                engine.tick(now_ms)
            case Create(spec):
                numbers += 1
                engine.jobs[numbers] = Job(spec, engine.score_min, shard_of)
            case Delete() if len(engine.jobs) > 1:
                del engine.jobs[sorted(engine.jobs)[1]]
    return engine
