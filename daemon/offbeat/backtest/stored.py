"""What a daemon has stored, as of one moment, read only: its job, its findings, its readings cut into parts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiosqlite
import numpy as np
from numpy.typing import NDArray

from offbeat.backtest.question import Scope, StoredReadings
from offbeat.backtest.run import Found
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Job
from offbeat.engine.job import follows
from offbeat.errors import BadRequest, NotFound, StoreUnusable
from offbeat.records import JobSpec, Strings
from offbeat.store import adjustments, journal
from offbeat.store.database import FILE_NAME, Database
from offbeat.store.schema import APPLICATION_ID, MIGRATIONS
from offbeat_detectors import registry
from offbeat_detectors.contract import Grouped

PARTS_A_WORKER = 2
"""More even out parts that take longer than thought; but a chunk is decoded for each part that has some of it."""
ROWS_PAGE = 50_000


class Snapshot(Database):
    """The store as of one moment. It is never written to, and a daemon may go on writing."""

    async def __aenter__(self) -> Snapshot:
        self._reader = await self._connect(f"{self.path.absolute().as_uri()}?mode=ro")
        await self._reader.execute("BEGIN")
        self._free.put_nowait(self._reader)
        return self


@asynccontextmanager
async def snapshot(state_dir: Path) -> AsyncIterator[Snapshot]:
    """The store in *state_dir* as of now. Raises StoreUnusable if there is none that this program can read."""
    path = state_dir / FILE_NAME

    def unusable(message: str, hint: str) -> StoreUnusable:
        return StoreUnusable(message, hint=hint, where={"path": str(path)})

    if not path.is_file():
        raise unusable(f"{state_dir} holds no {FILE_NAME}", "name the daemon's state directory with --state-dir")
    try:
        async with Snapshot(path) as store:
            application = (await store.read("PRAGMA application_id"))[0][0]
            version = (await store.read("PRAGMA user_version"))[0][0]
            if application != APPLICATION_ID:
                raise unusable(f"{path} is a database, but not one of Offbeat", "choose another --state-dir")
            if version != len(MIGRATIONS):
                raise unusable(
                    f"{path} is of another version (schema {version}, this program knows {len(MIGRATIONS)})",
                    "start the daemon once: it brings an older file up to date"
                    if version < len(MIGRATIONS)
                    else "upgrade Offbeat",
                )
            yield store
    except aiosqlite.DatabaseError as e:
        raise unusable(f"{path} cannot be read: {e}", "a back-test never writes to it; look at the file") from e


@dataclass(frozen=True, slots=True)
class ChunkList:
    """The chunks of readings of one shard, a row each, in the order in which they were made: seq, part, low and high
    series, first and last time, readings; (c, 7) int64."""

    shard: int
    rows: NDArray[np.int64]

    def touching(self, series: NDArray[np.int32], from_ms: int, to_ms: int) -> ChunkList:
        """Those that may hold a reading of *series* (sorted) in [from_ms, to_ms)."""
        r = self.rows
        mine = np.searchsorted(series, r[:, 2]) < np.searchsorted(series, r[:, 3], "right")
        return ChunkList(self.shard, r[mine & (r[:, 4] < to_ms) & (r[:, 5] >= from_ms)])


@dataclass(frozen=True, slots=True)
class Part:
    """Some sources of one shard with all their series that are run: what one worker does at a time.

    chunks    where their readings are                     from_ms, to_ms  of which those are read
    series    (k,) int32 their numbers in the store, ascending
    source    (k,) int32 of each, into sources             field  (k,) int32 of each, into fields
    points    stored findings, as index into *series* and time
    """

    chunks: ChunkList
    from_ms: int
    to_ms: int
    series: NDArray[np.int32]
    source: NDArray[np.int32]
    field: NDArray[np.int32]
    sources: Strings
    fields: Strings
    points: tuple[tuple[int, int], ...]

    def catalog(self) -> Catalog:
        """A catalog of just these series: series i of it is series[i] of the store."""
        catalog = Catalog(Limits(len(self.sources), len(self.fields), self.series.size, max(1, self.series.size)))
        shards = np.full(len(self.sources), self.chunks.shard, np.int32)
        catalog.load(self.sources, shards, self.fields, self.source, self.field)
        return catalog


@dataclass(slots=True)
class Plan:
    """All that a back-test over stored readings needs of the store, but for the chunks themselves.

    spec       of the job, as it runs                      score_min  of the store's findings
    findings   the stored ones that can be compared
    doubtful   (source, field) → (start, end) of buckets that changed after the last checkpoint: neither side counts
    silence_count, unpacked_count  stored findings left out: of silence, of readings not packed yet
    late_start readings that came before the job began may be among those that are run
    adjustment_count  of the job, by feedback, in force now
    """

    spec: JobSpec
    score_min: float
    parts: list[Part]
    reading_count: int
    findings: list[Found]
    doubtful: dict[tuple[str, str], list[tuple[int, int]]]
    silence_count: int
    unpacked_count: int
    late_start: bool
    adjustment_count: int


def plan(asked: StoredReadings, scope: Scope, specs: list[JobSpec] | None, workers: int) -> Plan:
    """The plan for *workers* processes; *specs* are the configurations that will run, to see what may be cut.

    Raises StoreUnusable; NotFound for a job that is not there; BadRequest if nothing is stored that it could run over.
    """
    return asyncio.run(_plan(asked, scope, specs, workers))


def job_of(asked: StoredReadings) -> JobSpec:
    """The job as the store has it. Raises StoreUnusable and NotFound."""

    async def look() -> JobSpec:
        async with snapshot(asked.state_dir) as store:
            return (await _job(store, asked.job)).spec

    return asyncio.run(look())


async def _job(store: Database, id: str | None) -> Job:
    jobs = await journal.load_jobs(store)
    for job in jobs:
        if job.spec.id == (id or "watch"):
            return job
    known = ", ".join(job.spec.id for job in jobs)
    raise NotFound(f"there is no job {id or 'watch'}", hint=f"stored here: {known or 'none'}", where={"job": id or ""})


async def _plan(asked: StoredReadings, scope: Scope, specs: list[JobSpec] | None, workers: int) -> Plan:
    async with snapshot(asked.state_dir) as store:
        job = await _job(store, asked.job)
        catalog = Catalog(Limits(1, 1, 1, 1))
        await journal.load_catalog(store, catalog)
        settings = await journal.load_settings(store)
        positions = dict(await store.read("SELECT id, seq FROM shard"))
        chunks = await _chunks(store, job.created_seq)
        first_data = (await store.read("SELECT coalesce(min(seq), 0) FROM chunk WHERE kind = 'readings'"))[0][0]
        names = _names(catalog, job, scope)
        made = Plan(
            job.spec, settings[max(settings)].score_min if settings else 10.0, [], 0, [], {}, 0, 0,
            job.created_seq >= first_data > 0,
            sum(one.job == job.number for one in await adjustments.in_force_before(store, 1 << 62)),
        )
        points = await _findings(store, made, job, names, positions, catalog)
    _cut(made, catalog, chunks, names, points, scope, specs, workers)
    if not made.reading_count:
        raise BadRequest(
            "no stored reading fits",
            hint="a daemon writes them every few minutes (store.checkpoint_s) and when it stops; or the patterns or "
            "times leave none",
        )
    return made


async def _chunks(store: Database, after_seq: int) -> dict[int, ChunkList]:
    rows = await store.read(
        "SELECT shard, seq, part, low, high, start_ms, end_ms, rows FROM chunk WHERE kind = 'readings' AND job = 0 "
        "AND seq > ? AND seq <= (SELECT seq FROM shard WHERE id = chunk.shard) ORDER BY shard, seq, part",
        (after_seq,),
    )
    table = np.array(rows, np.int64).reshape(-1, 8)
    return {int(s): ChunkList(int(s), table[table[:, 0] == s][:, 1:]) for s in np.unique(table[:, 0])}


def _names(catalog: Catalog, job: Job, scope: Scope) -> dict[int, tuple[str, str]]:
    """Source and field of each series that is run."""
    sources, fields = list(catalog.sources.texts()), list(catalog.fields.texts())
    pairs = zip(
        catalog.series_source[: catalog.series_count].tolist(),
        catalog.series_field[: catalog.series_count].tolist(),
        strict=True,
    )
    named = ((sources[s], fields[f]) for s, f in pairs)
    return {i: name for i, name in enumerate(named) if scope.takes(*name) and follows(job, *name)}


async def _findings(
    store: Database,
    made: Plan,
    job: Job,
    names: dict[int, tuple[str, str]],
    positions: dict[int, int],
    catalog: Catalog,
) -> list[tuple[int, int]]:
    """Fill in the stored findings of *job*; their series and times."""
    points: list[tuple[int, int]] = []
    span_ms = job.spec.bucket_span_s * 1000
    after = (-(1 << 62), -1)
    while rows := await store.read(
        "SELECT bucket_ms, series, source, time_ms, actual, typical, lower, upper, novelty, score, seq FROM record "
        "WHERE job = ? AND (bucket_ms, series) > (?, ?) ORDER BY bucket_ms, series LIMIT ?",
        (job.number, *after, ROWS_PAGE),
    ):
        after = (rows[-1][0], rows[-1][1])
        for bucket_ms, series, source, time_ms, *numbers, seq in rows:
            if series not in names:
                continue
            actual, typical, lower, upper, novelty, score = (math.nan if x is None else float(x) for x in numbers)
            # The readings behind it are in no chunk yet. What else the bucket held is written over.
            unpacked = seq > positions.get(int(catalog.source_shard[source]), 0)
            if unpacked:
                made.unpacked_count += 1
                made.doubtful.setdefault(names[series], []).append((bucket_ms, bucket_ms + span_ms))
            elif math.isnan(actual):
                made.silence_count += 1
                made.doubtful.setdefault(names[series], []).append((bucket_ms, bucket_ms + span_ms))
            else:
                made.findings.append(
                    Found(*names[series], time_ms, bucket_ms, actual, typical, lower, upper, novelty, score)
                )
                points.append((series, time_ms))
    return points


def _cut(
    made: Plan,
    catalog: Catalog,
    chunks: dict[int, ChunkList],
    names: dict[int, tuple[str, str]],
    points: list[tuple[int, int]],
    scope: Scope,
    specs: list[JobSpec] | None,
    workers: int,
) -> None:
    """Cut the series into parts of about equal work. Series that learn from one another stay together."""
    from_ms = -(1 << 60) if scope.read_from_ms is None else scope.read_from_ms
    to_ms = 1 << 60 if scope.end_ms is None else scope.end_ms
    run = np.array(sorted(names), np.int32)
    source = catalog.series_source[run]
    shard = catalog.source_shard[source]
    together = any(learns_together(spec) for spec in specs or [])
    weights = {s: _weights(chunk_list, run[shard == s], from_ms, to_ms) for s, chunk_list in chunks.items()}
    total = sum(float(w.sum()) for w in weights.values())
    made.reading_count = round(total)
    target = max(1.0, total / (PARTS_A_WORKER * workers))
    points_of: dict[int, list[int]] = {}
    for series, time_ms in points:
        points_of.setdefault(series, []).append(time_ms)
    field_names = catalog.fields.texts()
    for s, chunk_list in chunks.items():
        mine, weight = run[shard == s], weights[s]
        if not mine.size or not weight.sum():
            continue
        owners, owner = np.unique(catalog.series_source[mine], return_inverse=True)
        load = np.bincount(owner, weight)
        count = 1 if together else max(1, min(owners.size, round(float(load.sum()) / target)))
        part_of = np.minimum((np.cumsum(load) - load / 2) * count / load.sum(), count - 1).astype(np.int64)
        for number in np.unique(part_of):
            chosen = part_of[owner] == number
            series = mine[chosen]
            local_sources, local = np.unique(catalog.series_source[series], return_inverse=True)
            made.parts.append(
                Part(
                    chunk_list.touching(series, from_ms, to_ms),
                    from_ms,
                    to_ms,
                    series,
                    local.astype(np.int32),
                    catalog.series_field[series],
                    Strings.of([catalog.sources.text(int(one)) for one in local_sources]),
                    field_names,
                    tuple((i, t) for i, one in enumerate(series.tolist()) for t in points_of.get(one, ())),
                )
            )


def _weights(chunks: ChunkList, series: NDArray[np.int32], from_ms: int, to_ms: int) -> NDArray[np.float64]:
    """About how many readings each of *series* has in the bounds: a chunk's are spread evenly over its series."""
    _, _, low, high, start, end, rows = chunks.rows.T
    inside = np.minimum(end + 1, to_ms) - np.maximum(start, from_ms)
    share = np.clip(inside / (end + 1 - start), 0.0, 1.0)
    if not series.size or not chunks.rows.size:
        return np.zeros(series.size)
    density = np.zeros(int(max(high.max(), series.max())) + 2)
    each = rows * share / (high - low + 1)
    np.add.at(density, low, each)
    np.add.at(density, high + 1, -each)
    summed: NDArray[np.float64] = np.maximum(np.cumsum(density)[series], 0.0)
    return summed


def learns_together(spec: JobSpec) -> bool:
    """Do series learn from one another under *spec*, so that they cannot be run apart?"""
    return isinstance(registry.create(spec.model, 1, dict(spec.parameters)), Grouped)


def everything(spec: JobSpec) -> JobSpec:
    """*spec* for series that have been chosen already."""
    return replace(spec, sources=("*",), fields=("*",))
