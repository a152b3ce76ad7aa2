"""What a job that is not there yet would have said of what is stored and in memory. Nothing of it is kept."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from offbeat.backtest.run import blocks_of
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.results import BucketResult, Found
from offbeat.engine.analysis.results import Outcome as Answer
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.buckets import by_start
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.engine import WATCH, Engine
from offbeat.engine.entries import Block, Entry, Job, Settings
from offbeat.engine.job import FOLLOWED
from offbeat.engine.outcome import Finding
from offbeat.engine.rows import Part, found
from offbeat.engine.tail import NO_READINGS, Readings
from offbeat.engine.views import live_tails
from offbeat.errors import Refused
from offbeat.records import JobSpec, Strings
from offbeat.store.bucket_queries import Ask, Sums, lifted
from offbeat.store.chunks import readings_of
from offbeat.store.database import Database
from offbeat.store.queries import Record
from offbeat.store.record_queries import id_of

READINGS_MAX = 2_000_000
"""So many readings are run, and held at once at most: a few seconds and some tens of MB."""
SERIES_MAX = 5_000
BUCKETS_MAX, RECORDS_MAX = 20_000, 50
MODELS_MAX_MB = 256
"""What the models of a job with detectors may take here, whatever it asks for."""
WITHIN_S = 20.0
"""So long a preview may take: what it has not come to by then is cut off."""
TOGETHER = 16_384
"""Readings that are run before it is asked whether anybody still waits."""
LOOK_EVERY_S = 0.05


class PreviewBusy(Refused):
    """A preview is under way: there is one at a time, so that what comes in is not held up."""

    code = "preview_busy"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class Left(ConnectionError):
    """Nobody waits for the preview any more."""


@dataclass(slots=True)
class Preview:
    """What a job would have said.

    reading_count  readings that were run    truncated  there were more, or more buckets than are told
    buckets        score by start, in order
    records        of a job that follows series; *found* of one with detectors, with the buckets that they are of
    warming_up     how many of *series_count* series a job that follows them could not judge yet at the end
    """

    reading_count: int = 0
    bucket_count: int = 0
    series_count: int = 0
    truncated: bool = False
    took_s: float = 0.0
    buckets: dict[int, float] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    found: list[tuple[BucketResult, Found]] = field(default_factory=list)
    warming_up: int = 0
    model_bytes: int = 0


class Previews:
    """Runs one preview at a time, on a thread."""

    def __init__(self, database: Database, ask: Ask, catalog: Catalog) -> None:
        self._database, self._ask, self._catalog = database, ask, catalog
        self._busy = False

    async def run(
        self,
        spec: JobSpec | AnalysisSpec,
        start_ms: int,
        end_ms: int,
        score_min: float,
        left: Callable[[], bool],
    ) -> Preview:
        """What *spec* would have said of [start_ms, end_ms). *left* says whether nobody waits any more.

        Raises PreviewBusy while there is another, Left.
        """
        with self._alone():
            began = time.monotonic()
            stop = threading.Event()
            chosen = await asyncio.to_thread(choose, self._catalog, spec)
            tails = await self._ask(lambda engine: live_tails(engine, np.unique(chosen.shard).tolist()))
            work = asyncio.create_task(
                asyncio.to_thread(previewed, self._database, spec, chosen, tails, (start_ms, end_ms), score_min, stop)
            )
            work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask
            try:
                while not (await asyncio.wait([work], timeout=LOOK_EVERY_S))[0]:
                    if left():
                        stop.set()
            finally:
                stop.set()  # cancelled: the thread ends at its next block
            made = await work
            made.took_s = round(time.monotonic() - began, 3)
            return made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            raise PreviewBusy("another preview is under way: there is one at a time", hint="try again in a moment")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False


# ── which readings ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Chosen:
    """The series that a job would see.

    series  (k,) int32 their numbers in the store, ascending    shard  (k,) of each
    source  (k,) int32 of each, a number of *catalog*, which has just these; series i of it is series[i]
    more    there were more
    """

    series: NDArray[np.int32]
    shard: NDArray[np.int32]
    source: NDArray[np.int32]
    catalog: Catalog
    more: bool


def choose(catalog: Catalog, spec: JobSpec | AnalysisSpec) -> Chosen:
    """The series of *catalog* that are of *spec*; the first SERIES_MAX of them."""
    count = catalog.series_count
    source, fields = catalog.series_source[:count], catalog.series_field[:count]
    extra = spec.columns if isinstance(spec, AnalysisSpec) else ()
    takes_source = _matching(catalog.sources.text, source, spec.sources)
    takes_field = _matching(catalog.fields.text, fields, (*(spec.fields or ("*",)), *extra))
    every = np.flatnonzero(takes_source[source] & takes_field[fields]).astype(np.int32)
    series = every[:SERIES_MAX]
    sources, local = np.unique(source[series], return_inverse=True)
    used, field_of = np.unique(fields[series], return_inverse=True)
    names = Strings.of([catalog.sources.text(int(one)) for one in sources])
    made = Catalog(Limits(max(1, sources.size), max(1, used.size), max(1, series.size), max(1, series.size)))
    made.load(
        names, np.zeros(sources.size, np.int32), Strings.of([catalog.fields.text(int(one)) for one in used]),
        local.astype(np.int32), field_of.astype(np.int32),
    )
    shard = catalog.source_shard[source[series]]
    return Chosen(series, shard, local.astype(np.int32), made, every.size > series.size)


def _matching(text: Callable[[int], str], numbers: NDArray[np.int32], patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    """By number up to the largest of *numbers*: does its text match?"""
    count = int(numbers.max(initial=-1)) + 1
    if not patterns or "*" in patterns:
        return np.ones(count, np.bool_)
    return np.array([any(fnmatchcase(text(n), one) for one in patterns) for n in range(count)], np.bool_)


@dataclass(slots=True)
class Patience:
    """How long a preview goes on: until *stop* is set, or to the end of *until_s* (``time.monotonic``), then it is cut.

    cut  there was more than that time, or memory, allows
    """

    stop: threading.Event
    until_s: float
    cut: bool = False

    def lasts(self) -> bool:
        """Is there time for more? Raises Left."""
        if self.stop.is_set():
            raise Left("nobody waits for the preview")
        self.cut = self.cut or time.monotonic() > self.until_s
        return not self.cut


def gathered(
    db: sqlite3.Connection,
    chosen: Chosen,
    tails: Mapping[int, tuple[int, list[Part]]],
    start_ms: int,
    end_ms: int,
    patience: Patience,
) -> Iterator[Readings]:
    """The readings of the chosen series in [start_ms, end_ms), by time, some at a time: those of one moment together.

    Each chunk is read once; what is later than the next one begins waits. Series are numbers of the catalog of
    *chosen*. Raises Left.
    """
    chunks: list[tuple[int, int]] = []
    held: list[Readings] = [NO_READINGS]
    for shard, (position, parts) in tails.items():
        mine = chosen.series[chosen.shard == shard]
        chunks += db.execute(
            "SELECT start_ms, rowid FROM chunk WHERE kind = 'readings' AND job = 0 AND shard = ? AND "
            "end_ms >= ? AND start_ms < ? AND low <= ? AND high >= ? AND seq <= ?",
            (shard, start_ms, end_ms, int(mine[-1]), int(mine[0]), position),
        ).fetchall()
        series, time_ms, value = found(parts, mine, NO_READINGS)
        inside = (time_ms >= start_ms) & (time_ms < end_ms)
        held.append((series[inside], time_ms[inside], value[inside]))
    chunks.sort()
    edge = end_ms
    for i, (edge, rowid) in enumerate(chunks):
        waiting = sum(part[0].size for part in held)
        if waiting >= TOGETHER:
            ready, rest = _cut(held, edge)
            held = [NO_READINGS, rest]
            if ready[0].size:
                yield _local(ready, chosen)
            patience.cut = patience.cut or rest[0].size > READINGS_MAX
        if not patience.lasts():
            break
        for (body,) in db.execute("SELECT body FROM chunk WHERE rowid = ?", (rowid,)):  # none: retention was faster
            held.append(readings_of(body, chosen.series, start_ms, end_ms))
        edge = chunks[i + 1][0] if i + 1 < len(chunks) else end_ms
    yield _local(_cut(held, edge)[0], chosen)


def pieces(lots: Iterator[Readings]) -> Iterator[Readings]:
    """*lots* in pieces of about TOGETHER readings; those of one moment stay together."""
    for series, time_ms, value in lots:
        first = 0
        while first < series.size:
            last = min(first + TOGETHER, series.size) - 1
            stop = int(np.searchsorted(time_ms, time_ms[last], "right"))
            yield series[first:stop], time_ms[first:stop], value[first:stop]
            first = stop


def _cut(parts: list[Readings], edge: int) -> tuple[Readings, Readings]:
    """What comes before *edge*, by time, and the rest."""
    series, time_ms, value = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(time_ms, kind="stable")
    series, time_ms, value = series[order], time_ms[order], value[order]
    cut = int(np.searchsorted(time_ms, edge))
    return (series[:cut], time_ms[:cut], value[:cut]), (series[cut:], time_ms[cut:], value[cut:])


def _local(readings: Readings, chosen: Chosen) -> Readings:
    series, time_ms, value = readings
    return np.searchsorted(chosen.series, series).astype(np.int32), time_ms, value


# ── run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def previewed(
    database: Database,
    spec: JobSpec | AnalysisSpec,
    chosen: Chosen,
    tails: Mapping[int, tuple[int, list[Part]]],
    span_ms: tuple[int, int],
    score_min: float,
    stop: threading.Event,
) -> Preview:
    """Run *spec* over the chosen series. Raises Left once *stop* is set."""
    made = Preview(series_count=int(chosen.series.size), truncated=chosen.more)
    runs = Listening(spec, chosen, made) if isinstance(spec, AnalysisSpec) else Following(spec, chosen, score_min, made)
    start_ms, end_ms = span_ms
    patience, reached_ms = Patience(stop, time.monotonic() + WITHIN_S), start_ms
    with closing(sqlite3.connect(f"{database.path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as db:
        for series, time_ms, value in pieces(gathered(db, chosen, tails, start_ms, end_ms, patience)):
            if made.reading_count + series.size > READINGS_MAX or not patience.lasts():
                patience.cut = True
                break
            runs.take(series, time_ms, value)
            made.reading_count += int(series.size)
            reached_ms = int(time_ms[-1])
    made.truncated |= patience.cut
    runs.finish(reached_ms if patience.cut else end_ms)
    if len(made.buckets) > BUCKETS_MAX:
        made.truncated = True
        worst = sorted(made.buckets, key=lambda start: (-made.buckets[start], start))[:BUCKETS_MAX]
        made.buckets = {start: made.buckets[start] for start in sorted(worst)}
    return made


class Following:
    """A job that follows series, over readings each of which is an event of its own."""

    def __init__(self, spec: JobSpec, chosen: Chosen, score_min: float, made: Preview) -> None:
        self._chosen, self._made = chosen, made
        self._spec = replace(spec, sources=("*",), fields=("*",), models_max=0, shards=0)
        self._engine = Engine(chosen.catalog)
        self._engine.settings = Settings(score_min=score_min)
        self._engine.add_job(Job(WATCH, self._spec, 0, 0))
        self._findings: dict[tuple[int, int], Finding] = {}
        self._sums: dict[int, Sums] = {}

    def take(self, series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Run some readings."""
        engine = self._engine
        for block in blocks_of(self._chosen.source[series], series, time_ms, value):
            outcome = engine.apply(Entry(engine.seq + 1, "data", int(block.time_ms.max()), block))
            for one in outcome.findings:
                before = self._findings.get((one.series, one.bucket_ms))
                if before is None or one.score > before.score:
                    self._findings[one.series, one.bucket_ms] = one
        for shard in list(engine.tail.shards()):  # nobody stores it
            if (tail := engine.tail.freeze(shard)) is not None:
                self._add(tail.all_closed(WATCH))
                engine.tail.written(shard)

    def _add(self, rows: NDArray[np.float64]) -> None:
        starts, counts, peaks = by_start(rows)
        for start, count, (novelty, score) in zip(starts.tolist(), counts.tolist(), peaks.tolist(), strict=True):
            sources, events, records, moderate = count
            one = Sums(sources, events, records, moderate, novelty, score)
            self._sums[start] = one.joined(self._sums[start]) if start in self._sums else one

    def finish(self, end_ms: int) -> None:
        """What became of all of it."""
        made, state = self._made, self._engine.jobs[WATCH]
        self._add(state.open_buckets(np.arange(self._engine.source_count))[0])
        made.buckets = {start: lifted(s.score, s.moderate, s.events) for start, s in sorted(self._sums.items())}
        made.bucket_count = len(made.buckets)
        best = sorted(self._findings.values(), key=lambda f: (-f.score, -f.novelty, f.bucket_ms, f.series))
        made.records = [self._record(one) for one in best[:RECORDS_MAX]]
        series = np.flatnonzero(state.followed[: self._engine.series_count] == FOLLOWED).astype(np.int32)
        made.warming_up = int((state.detector.warmup_left(state.slot_of(series)) > 0).sum()) if series.size else 0
        made.model_bytes = state.detector.bytes_per_series * int(series.size)

    def _record(self, f: Finding) -> Record:
        spec, (source, field_) = self._spec, self._engine.name_of(f.series)
        return Record(
            id_of(spec.id, source, field_, f.bucket_ms), spec.id, 0, spec.function, source, field_, f.bucket_ms,
            spec.bucket_span_s, f.time_ms, f.actual, f.typical, f.lower, f.upper, f.novelty, f.probability, f.score,
            spec.model, f.evidence,
        )


class Listening:
    """A job with detectors, over events: readings of one source and time are of one event."""

    def __init__(self, spec: AnalysisSpec, chosen: Chosen, made: Preview) -> None:
        most = MODELS_MAX_MB
        memory = min(spec.memory_max_mb, most) if spec.memory_max_mb > 0 else most if spec.memory_max_mb < 0 else 0
        listens = spec if spec.listens else replace(spec, sources=("*",))
        self._analysis = Analysis(replace(listens, memory_max_mb=memory, model_plot=None))
        self._chosen, self._made = chosen, made
        self._best: list[tuple[float, int, int, BucketResult, Found]] = []

    def take(self, series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Run some readings."""
        if series.size:
            block = events_of(self._chosen.source[series], series, time_ms, value)
            outcome = self._analysis.hear(block, int(time_ms[-1]), self._chosen.catalog)
            if outcome is not None:
                self._keep(outcome)

    def _keep(self, outcome: Answer) -> None:
        for result in outcome.buckets:
            if isinstance(result, BucketResult):  # else past scores are set anew: what is told here is not
                self._made.bucket_count += 1
                self._made.buckets[result.start_ms] = result.score
                best = [(-one.score, result.start_ms, i, result, one) for i, one in enumerate(result.found)]
                self._best = sorted([*self._best, *best], key=lambda row: row[:3])[:RECORDS_MAX] if best else self._best

    def finish(self, end_ms: int) -> None:
        """No event before *end_ms* will come."""
        self._keep(self._analysis.advance(end_ms))
        self._made.found = [(result, one) for *_, result, one in self._best]
        self._made.model_bytes = self._analysis.size().model_bytes


def events_of(
    source: NDArray[np.int32], series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]
) -> Block:
    """n readings, one at least, by time, as events: those of one source and moment are one, unless a series repeats."""
    order = np.lexsort((np.arange(series.size), series, source, time_ms))
    source, series, time_ms, value = source[order], series[order], time_ms[order], value[order]
    again = np.zeros(series.size, np.int64)  # the how-manieth of its series at that moment
    same = (series[1:] == series[:-1]) & (time_ms[1:] == time_ms[:-1])
    if same.any():
        first = np.flatnonzero(np.concatenate([[True], ~same]))
        again = np.arange(series.size) - np.repeat(first, np.diff([*first.tolist(), series.size]))
        order = np.lexsort((series, again, source, time_ms))
        source, series, time_ms, value = source[order], series[order], time_ms[order], value[order]
        again = again[order]
    begins = np.concatenate(
        [[True], (time_ms[1:] != time_ms[:-1]) | (source[1:] != source[:-1]) | (again[1:] != again[:-1])]
    )
    row = (np.cumsum(begins) - 1).astype(np.int32)
    none = np.zeros(0, np.int32)
    return Block(source[begins], time_ms[begins], row, series, value, none, none, none)


Run = Callable[[JobSpec | AnalysisSpec, int, int, float, Callable[[], bool]], Awaitable[Preview]]
"""As ``Previews.run``."""
