"""The engine once more, slow and obvious: one event at a time, in dictionaries. What the columns are held against.

Detector and alert stage are the real ones, one of each for a series, given one reading at a time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from offbeat.records import JobSpec
from offbeat_detectors import registry, scores
from tests.engine.run import WATCH, Clock, Create, Delete, Event, Step, Tick

SPANS_MS = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}
Series = tuple[str, str]


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
    """The model of one series."""

    def __init__(self, spec: JobSpec) -> None:
        self.detector = registry.create(spec.detector, 1, dict(spec.parameters))
        self.alert = scores.AlertStage(1)

    def judge(self, time_ms: int, value: float) -> tuple[float, float, tuple[float, float, float]]:
        """Novelty, score and band of one reading."""
        slot = np.zeros(1, np.int32)
        said = self.detector.process(slot, np.array([time_ms]), np.array([value]))
        strength = self.alert.process(slot, said.novelty)
        band = (float(said.typical[0]), float(said.lower[0]), float(said.upper[0]))
        return float(said.novelty[0]), scores.score_of_strength(float(strength[0])), band


class Job:
    """One job: its selection, its models, its buckets."""

    def __init__(self, spec: JobSpec, score_min: float) -> None:
        self.spec, self.score_min = spec, score_min
        self.span_ms, self.latency_ms = spec.bucket_span_s * 1000, spec.latency_s * 1000
        self.models: dict[Series, OneSeries] = {}
        self.newest: dict[str, int] = {}
        self.buckets: dict[tuple[str, int], Bucket] = {}
        self.records: dict[tuple[str, str, int], tuple[int, float, float]] = {}  # time, value, score
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
            model = self.models.setdefault((source, name), OneSeries(self.spec))
            novelty, score, bands[name] = model.judge(time_ms, value)
            if novelty > bucket.novelty:
                bucket.novelty = novelty
            if score >= self.score_min and score > bucket.records.get(name, 0.0):
                bucket.records[name] = score
                self.records[source, name, start] = (time_ms, value, score)
        return bands

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


class Engine:
    """All of it. *watch* is the built-in job; the others have their numbers."""

    def __init__(self, watch: JobSpec, lag_max_ms: int = 900_000, score_min: float = 10.0) -> None:
        self.lag_max_ms, self.score_min = lag_max_ms, score_min
        self.jobs = {1: Job(watch, score_min)}
        self.sources: dict[str, Source] = {}
        self.readings: dict[Series, list[tuple[int, float]]] = defaultdict(list)
        self.bands: dict[tuple[str, str, int], tuple[float, float, float]] = {}

    def event(self, source: str, time_ms: int, values: dict[str, float], at_ms: int) -> None:
        known = self.sources.setdefault(source, Source(0, time_ms, time_ms, at_ms, at_ms - time_ms))
        known.first_ms = min(known.first_ms, time_ms)
        if time_ms >= known.last_ms:
            known.last_ms, known.lag_ms = time_ms, at_ms - time_ms
        known.arrival_ms = at_ms
        known.events += 1
        for name, value in values.items():
            self.readings[source, name].append((time_ms, value))
        for number, job in self.jobs.items():
            for name, band in job.event(source, time_ms, values).items():
                if number == 1 and not math.isnan(band[0]):
                    self.bands[source, name, math.floor(time_ms / 60_000) * 60_000] = band

    def tick(self, now_ms: int) -> None:
        for name, source in self.sources.items():
            if abs(source.lag_ms) <= self.lag_max_ms:
                for job in self.jobs.values():
                    job.tick(name, now_ms - max(source.lag_ms, 0))

    def windows(self, level: str) -> dict[tuple[str, str, int], tuple[int, float, float, float, float]]:
        """Count, sum, lowest, highest and sum of squares of every window that has a reading."""
        span_ms, held = SPANS_MS[level], defaultdict[tuple[str, str, int], list[float]](list)
        for (source, name), readings in self.readings.items():
            for time_ms, value in readings:
                held[source, name, math.floor(time_ms / span_ms) * span_ms].append(value)
        return {key: (len(v), sum(v), min(v), max(v), sum(x * x for x in v)) for key, v in held.items()}


def twin(todo: list[Step], start_ms: int) -> Engine:
    """The slow engine after *todo*."""
    engine, now_ms, numbers = Engine(WATCH), start_ms, 1
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
                engine.jobs[numbers] = Job(spec, engine.score_min)
            case Delete() if len(engine.jobs) > 1:
                del engine.jobs[sorted(engine.jobs)[1]]
    return engine
