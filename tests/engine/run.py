"""Steps for an engine: what a journal may hold, as plain data; and an engine that takes them in blocks."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from offbeat.engine import buckets, rollups
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Entry, Job
from offbeat.engine.ledger import TIME_MIN_MS
from offbeat.engine.outcome import EndedAdjustment, Finding
from offbeat.engine.views import live_readings
from offbeat.records import EMPTY_STRINGS, JobSpec, Strings, Table

LIMITS = Limits(64, 64, 256, 4)
WATCH = JobSpec("watch", model="ewma", parameters=(("warmup_readings", 5),))
BEAT = JobSpec("watch", model="tests.engine.heartbeat:Heartbeat", parameters=(("warmup_readings", 5),))
"""The built-in job with a detector that watches for silence and has groups."""


@dataclass(frozen=True)
class Event:
    """One event as its sender means it."""

    source: str
    time_ms: int
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Clock:
    """The wall clock moves on; what comes later arrives later."""

    by_ms: int


@dataclass(frozen=True)
class Tick:
    """The clock is journaled."""


@dataclass(frozen=True)
class Create:
    """A job begins."""

    spec: JobSpec


@dataclass(frozen=True)
class Delete:
    """The oldest job but ``watch`` ends, if there is one."""


Step = Event | Clock | Tick | Create | Delete


def table_of(events: Sequence[Event]) -> Table:
    """*events* as a decoder gives them: every name once, in order of first sight."""
    sources = list(dict.fromkeys(e.source for e in events))
    fields = list(dict.fromkeys(name for e in events for name in e.values))
    points = [(row, fields.index(name), value) for row, e in enumerate(events) for name, value in e.values.items()]
    none = np.zeros(0, np.int32)
    return Table(
        Strings.of(sources),
        np.array([sources.index(e.source) for e in events], np.int32),
        np.array([e.time_ms for e in events], np.int64),
        Strings.of(fields),
        np.array([p[0] for p in points], np.int32),
        np.array([p[1] for p in points], np.int32),
        np.array([p[2] for p in points], np.float64),
        EMPTY_STRINGS,
        EMPTY_STRINGS,
        none,
        none,
        none,
    )


class Run:
    """An engine with a catalog of its own, and the journal of what it was given."""

    def __init__(self, limits: Limits = LIMITS, watch: JobSpec = WATCH, start_ms: int = 1_700_000_000_000) -> None:
        self.catalog = Catalog(limits)
        self.engine = Engine(self.catalog)
        self.now_ms, self.journal = start_ms, list[Entry]()
        self.records: dict[tuple[int, int, int], Finding] = {}
        self._jobs = 0
        self.late_count = self.hidden_count = 0
        self.untold = dict.fromkeys(buckets.RULES, 0)
        self.ended: dict[int, EndedAdjustment] = {}
        self.step(Create(watch))

    def entry(self, kind: str, body: Any) -> Entry:
        """Journal and apply one entry."""
        entry = Entry(len(self.journal) + 1, kind, self.now_ms, body)  # type: ignore[arg-type]
        self.journal.append(entry)
        self.keep(self.engine.apply(entry))
        return entry

    def keep(self, outcome: Any) -> None:
        """Of each record, the strongest form."""
        self.late_count += outcome.late_count
        self.hidden_count += outcome.hidden_count
        for rule, count in zip(buckets.RULES, outcome.untold, strict=True):
            self.untold[rule] += count
        self.ended |= {one.number: one for one in outcome.ended}
        for f in outcome.findings:
            held = self.records.get((f.job, f.series, f.bucket_ms))
            if held is None or f.score > held.score:
                self.records[f.job, f.series, f.bucket_ms] = f

    def send(self, events: Sequence[Event]) -> None:
        """One body."""
        if events:
            block, taken = self.catalog.admit(table_of(events))
            assert taken.all()
            self.entry("data", block)

    def step(self, step: Step) -> None:
        """One step by itself."""
        match step:
            case Event():
                self.send([step])
            case Clock(by_ms):
                self.now_ms += by_ms
            case Tick():
                self.entry("tick", None)
            case Create(spec):
                self._jobs += 1
                seq = len(self.journal) + 1
                self.entry("job_created", Job(self._jobs, spec, self.now_ms, seq))
            case Delete() if len(self.engine.jobs) > 1:
                self.entry("job_deleted", sorted(self.engine.jobs)[1])

    def take(self, steps: Iterable[Step], cut: random.Random | None = None) -> Run:
        """All *steps*; events that follow one another go together, cut at random places."""
        waiting: list[Event] = []
        for step in steps:
            if isinstance(step, Event) and (not waiting or (cut is not None and cut.random() < 0.8)):
                waiting.append(step)
                continue
            self.send(waiting)
            waiting = [step] if isinstance(step, Event) else []
            if not isinstance(step, Event):
                self.step(step)
        self.send(waiting)
        return self

    # ── what it holds, by names ───────────────────────────────────────────────────────────────────────────────

    def buckets(self, job: int) -> dict[tuple[str, int], tuple[tuple[int, float, float, int], bool]]:
        """Every bucket with whether it is open."""
        engine = self.engine
        live, interim = engine.jobs[job].open_buckets(np.arange(self.catalog.sources.count))
        closed = [t.all_closed(job) for shard in sorted(engine.tail.shards()) for t in engine.tail.of(shard)]
        rows = np.concatenate([np.zeros((0, buckets.ROW)), *closed, live])
        flags = [False] * (len(rows) - len(live)) + interim.tolist()
        found = {}
        for (s, start, count, novelty, score, records), flag in zip(rows.tolist(), flags, strict=True):
            key = self.catalog.sources.text(int(s)), int(start)
            assert key not in found, "a bucket is listed twice"
            found[key] = ((int(count), novelty, score, int(records)), flag)
        return found

    def strongest(self, job: int) -> dict[tuple[str, str, int], tuple[int, float | None, float]]:
        """Time, value and score of each record; of a silence the value is None."""
        return {
            (*self.engine.name_of(series), bucket): (f.time_ms, None if math.isnan(f.actual) else f.actual, f.score)
            for (number, series, bucket), f in self.records.items()
            if number == job
        }

    def windows(self) -> dict[str, dict[tuple[str, str, int], list[float]]]:
        """By level: count, sum, min, max, squares, and the band, of every window."""
        found: dict[str, dict[tuple[str, str, int], list[float]]] = {name: {} for name in rollups.LEVELS}
        for source in range(self.catalog.sources.count):
            series = np.flatnonzero(self.catalog.series_source[: self.catalog.series_count] == source).astype(np.int32)
            live = live_readings(self.engine, source, series)
            for row in rollups.merged(live.own_windows()).tolist():
                name = self.engine.name_of(int(row[0]))
                found[rollups.LEVELS[int(row[1])]][(*name, int(row[2]))] = row[3:]
        return found

    def ledger(self) -> dict[str, tuple[int, int, int, int, int, int]]:
        rows = self.engine.ledger.sources[: self.catalog.sources.count].tolist()
        return {
            self.catalog.sources.text(i): (n, first - 1 + TIME_MIN_MS, last - 1 + TIME_MIN_MS, arrival, lag, delay)
            for i, (n, first, last, arrival, lag, _, delay) in enumerate(rows)
        }


# ── steps at random ───────────────────────────────────────────────────────────────────────────────────────────────

AFTER_MS = (0, 1, 29_999, 30_000, 59_999, 60_000, 90_000, 119_999, 120_000, 3_599_999, 3_600_000, 90_000_000)
STARTS_MS = (0, -86_400_000 * 3, 1_700_000_000_000, -62_135_596_800_000 + 1)
SPECS = (
    replace(WATCH, id="some", sources=("a*",), fields=("x", "z?"), bucket_span_s=30),
    replace(WATCH, id="late", bucket_span_s=60, latency_s=150, parameters=(("warmup_readings", 6),)),
    replace(WATCH, id="hour", sources=("b",), bucket_span_s=3600, latency_s=3600),
)
FIELDS = ("x", "y", "z1")


SOURCES = ("a", "ab", "b", "c", "a?")


def random_steps(
    seed: int, count: int, start_ms: int = 1_700_000_000_000, sources: Sequence[str] = SOURCES, absurd: float = 0.03
) -> list[Step]:
    """*count* steps: mostly events of *sources* in the order of time, some late, some far ahead, some absurd."""
    rng, steps = random.Random(seed), list[Step]()
    now = {name: start_ms + rng.randrange(100_000) for name in sources}
    made = 0
    for _ in range(count):
        kind = rng.random()
        if kind < 0.04:
            steps.append(Clock(rng.choice([10, 5_000, 61_000, 1_000_000])))
        elif kind < 0.06:
            steps.append(Tick())
        elif kind < 0.065 and made < len(SPECS):
            steps.append(Create(SPECS[made]))
            made += 1
        elif kind < 0.067:
            steps.append(Delete())
        else:
            source = rng.choice(list(now))
            now[source] += rng.choice([0, 1, 700, 9_000, 9_000, 30_000, 61_000, 4_000_000 if rng.random() < 0.1 else 5])
            back = rng.choice([0, 0, 0, 0, 1_000, 59_999, 60_000, 130_000, 3_700_000])
            names = rng.sample(FIELDS, rng.choice([0, 1, 1, 1, 2, 3]))
            steps.append(Event(source, now[source] - back, {n: value_of(rng, absurd) for n in names}))
    return steps


def living_steps(seed: int, count: int, start_ms: int = 1_700_000_000_000) -> list[Step]:
    """*count* events as they come in life, by sources that each have a pace of their own, and ticks all the while.

    A source falls silent at times, or one of its fields does; some come late, and one collects before it sends.
    """
    rng, steps, now, made = random.Random(seed), list[Step](), start_ms, 0
    pace = {name: rng.choice([4_000, 10_000, 15_000]) for name in (*SOURCES, "d1", "d2")}
    due = {name: now + rng.randrange(pace[name]) for name in pace}
    mute: dict[tuple[str, str], int] = {}
    kept: list[Event] = []
    last_tick = now
    while made < count:
        name = min(due, key=lambda one: due[one])
        while due[name] >= last_tick + 5_000:
            last_tick += 5_000
            steps += [Clock(last_tick - now), Tick()]
            now = last_tick
        if due[name] > now:
            steps.append(Clock(due[name] - now))
            now = due[name]
        if rng.random() < 0.01:
            due[name] += rng.choice([60_000, 300_000])
            continue
        if rng.random() < 0.01:
            mute[name, rng.choice(FIELDS)] = now + 200_000
        time_ms = now - rng.choice([0, 0, 0, 1, 200, 12_000])
        values = {f: value_of(rng, 0.02) for f in FIELDS if mute.get((name, f), 0) <= now and rng.random() < 0.95}
        event = Event(name, time_ms, values)
        if name == "c":  # what it collects goes out together
            kept.append(event)
            if len(kept) == 12:
                steps += kept
                kept = []
        else:
            steps.append(event)
        made += 1
        due[name] += pace[name] + rng.randrange(1_000)
    return steps


def value_of(rng: random.Random, absurd: float) -> float:
    """Halves, so that sums are exact in any order."""
    return rng.choice([-900.0, 5_000.0]) if rng.random() < absurd else 10.0 + rng.randrange(9) / 2


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Short journals that shrink well."""
    start_ms = draw(st.sampled_from(STARTS_MS))
    event = st.builds(
        Event,
        st.sampled_from(["a", "ab", "b"]),
        st.sampled_from(AFTER_MS).map(lambda t: start_ms + t),
        st.dictionaries(st.sampled_from(FIELDS), st.integers(-40, 40).map(lambda v: v / 2), max_size=3),
    )
    other = st.one_of(
        st.builds(Clock, st.sampled_from([1, 60_000, 900_000])),
        st.just(Tick()),
        st.builds(Create, st.sampled_from(SPECS)),
        st.just(Delete()),
    )
    first = draw(st.lists(st.one_of(event, event, event, event, other), max_size=40))
    made = {s.spec.id: s for s in first if isinstance(s, Create)}
    return [s for s in first if not isinstance(s, Create) or made[s.spec.id] is s]
