"""A daemon without its doors, in this process: real threads, a real file, a clock that stands still until moved."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from offbeat.clock import ManualClock
from offbeat.config import Config, from_mapping
from offbeat.engine.entries import Adjustment, Entry
from offbeat.intake.committer import Control
from offbeat.records import Receipt
from offbeat.service import Service, running
from offbeat.store import adjustments, journal
from offbeat.store.database import FILE_NAME
from offbeat.store.queries import BucketQuery, Page, ReadingsQuery, RecordQuery
from offbeat.wire.options import Options
from tests.engine.run import Clock, Create, Delete, Event, Step, Tick

START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Adjust:
    """Feedback on one series, as it is once it has been weighed."""

    source: str
    field: str
    factor: float


@dataclass(frozen=True)
class Undo:
    """The oldest adjustment in force is taken back, if there is one."""


def config(state_dir: Path, **sections: dict[str, Any]) -> Config:
    """Small limits, and nothing that happens by itself: ticks and checkpoints come when a test says so."""
    document: dict[str, dict[str, Any]] = {
        "store": {"state_dir": str(state_dir), "checkpoint_s": 1e9},
        "engine": {"tick_s": 1e6, "shard_series": 64, "series_max": 4096, "sources_max": 1024, "fields_max": 1024},
        "watch": {"model": "ewma", "parameters": {"warmup_readings": 5}},
    }
    for section, values in sections.items():
        document[section] = document.get(section, {}) | values
    return from_mapping(document)


def ndjson(events: list[Event]) -> bytes:
    return b"".join(
        json.dumps({"source": e.source, "time": e.time_ms, **e.values}).encode() + b"\n" for e in events
    )


async def send(service: Service, events: list[Event]) -> Receipt:
    """One body of *events*; returns once it is durable."""
    body = ndjson(events)

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    options = replace(Options.of(service.config.ingest, "ndjson", precision="ms"), max_future_ms=1 << 50)
    return await service.intake.receive(chunks(), options, encoding="", length=len(body), key=None)


async def tick(service: Service) -> None:
    await service.intake.submit(Control("tick"))


async def applied(service: Service) -> None:
    """Return once everything that is durable has been applied and can be read."""
    await service.applier.reached(service.committer.seq, 20.0)


async def round_made(service: Service) -> None:
    """All shards checkpointed because their time has come, and the journal pruned."""
    await service.applier.checkpoint_all()
    await service.applier._prune()


async def do(service: Service, clock: ManualClock, step: Step | Adjust | Undo) -> None:
    """One step that is no event."""
    match step:
        case Clock(by_ms):
            clock.move(by_ms)
        case Tick():
            await tick(service)
        case Create(spec):
            await service.jobs.create(spec)
        case Delete():
            ids = [job.spec.id for job in service.jobs.by_number.values() if job.spec.id != "watch"]
            if ids:
                await service.jobs.delete(ids[0])
        case Adjust(source, field, factor):
            named = await adjustments.series_named(service.database, source, field)
            if named is not None:
                number = await adjustments.newest_number(service.database) + 1
                given = adjustments.Given(Adjustment(number, 1, named[1], factor), "normal", "", 0, 1)
                await service.intake.submit(Control("adjustment_added", given=given))
        case Undo():
            in_force = await adjustments.in_force_before(service.database, service.committer.seq + 1)
            if in_force:
                await service.feedback.undo(f"calmer-{in_force[0].number}")


async def copied(service: Service, to: Path) -> Path:
    """The state directory as a power cut would leave it just now."""
    source = Path(service.config.store.state_dir)
    async with service.database.transaction():
        copy_store(source, to)
    return to


def copy_store(source: Path, to: Path) -> None:
    to.mkdir()
    for suffix in ("", "-wal"):
        if (source / (FILE_NAME + suffix)).exists():
            shutil.copy(source / (FILE_NAME + suffix), to)


class Journeys:
    """One list of steps, taken by daemons that start, stop and die at random places over the same state."""

    def __init__(self, directory: Path, seed: int, *, batch_max: int, threads: int, stops: float, crashes: float,
                 checkpoints: float, ticks: float = 0.0, watch: dict[str, Any] | None = None) -> None:
        self.directory, self.rng = directory, random.Random(seed)
        self.batch_max, self.threads = batch_max, threads
        self.stops, self.crashes, self.checkpoints, self.ticks = stops, crashes, checkpoints, ticks
        self.watch = watch or {}
        self.lives = 0

    async def take(self, steps: Sequence[Step | Adjust | Undo]) -> dict[str, Any]:
        """Everything that can be asked at the end."""
        state, clock, todo = self.directory / "0", ManualClock(START_MS), list(steps)
        while True:
            async with running(self.config(state), clock=clock) as service:
                self.lives += 1
                end = await self.live(service, clock, todo)
                if not todo:
                    return await everything(service)
                if end == "crash":
                    state = await copied(service, self.directory / str(self.lives))

    def config(self, state: Path) -> Config:
        return config(state, ingest={"decode_threads": self.threads}, watch=self.watch)

    async def live(self, service: Service, clock: ManualClock, todo: list[Step | Adjust | Undo]) -> str:
        """Take steps off *todo* until this life ends."""
        while todo:
            if self.rng.random() < self.checkpoints:
                shards = await service.applier.ask(lambda engine: sorted(engine.tail.active))
                await service.applier._checkpoint([s for s in shards if self.rng.random() < 0.7])
                if self.rng.random() < 0.5:
                    await service.applier._prune()
            if self.rng.random() < self.ticks:
                await tick(service)
            if self.rng.random() < self.crashes:
                return "crash"
            if self.rng.random() < self.stops:
                return "stop"
            batch: list[Event] = []
            size = self.rng.randint(1, self.batch_max)
            while todo and isinstance(todo[0], Event) and len(batch) < size:
                batch.append(todo.pop(0))  # type: ignore[arg-type]
            if batch:
                await send(service, batch)
            elif todo:
                await do(service, clock, todo.pop(0))
        return "end"


# ── everything that can be asked ──────────────────────────────────────────────────────────────────────────────────


async def pages(ask: Any, query: Any) -> list[Any]:
    """All rows of a list by its cursors."""
    rows: list[Any] = []
    cursor: str | None = None
    while True:
        page: Page[Any] = await ask(replace(query, cursor=cursor))
        assert len(page.rows) <= query.limit
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows
        assert len(page.rows) == query.limit, "a page that is not the last is full"


def plain(value: Any) -> Any:
    """*value* so that NaN equals NaN and arrays compare by their bits."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "__slots__"):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    return "nan" if isinstance(value, float) and value != value else value


async def everything(service: Service) -> dict[str, Any]:
    """Every bucket, record, reading, rollup and counter that the API can show; the interim mark apart."""
    await applied(service)
    results, found = service.results, dict[str, Any]()
    for info in await service.jobs.list():
        job = info.spec.id
        found[f"job {job}"] = (info.series_count, info.event_count, info.late_count, info.record_count)
        for scope in ("source", "job"):
            for order in ("time", "-time", "-score"):
                query = BucketQuery(job=job, scope=scope, order=order, limit=977)  # type: ignore[arg-type]
                rows = await pages(results.buckets, query)
                found[f"buckets {job} {scope} {order}"] = plain([row._replace(interim=False) for row in rows])
        for order in ("time", "-score"):
            rows = await pages(results.records, RecordQuery(job=job, order=order, limit=977))  # type: ignore[arg-type]
            found[f"records {job} {order}"] = plain(rows)
    sources = (await results.sources("", 1000, None)).rows
    found["sources"] = plain([replace(one, last_arrival_ms=0) for one in sources])
    for one in sources:
        found[f"source {one.source}"] = plain(replace(await results.source(one.source), last_arrival_ms=0))
        for level in ("raw", "1m", "1h", "1d"):
            query = ReadingsQuery(one.source, width=10_000, level=level)  # type: ignore[arg-type]
            found[f"readings {one.source} {level}"] = plain(await results.readings(query))
    found["feedback"] = [
        (info.kept.name, info.source, info.field, info.kept.hidden_count, info.kept.revealed_count)
        for info in (await service.feedback.list((), 1000, None)).rows
    ]
    _, diagnosis = await results.diagnosis((), 1000, None)
    found["diagnosis"] = plain([one.series for one in diagnosis.rows])
    return found


async def journal_of(service: Service) -> list[Entry]:
    """All entries that the journal still holds."""
    return [entry async for entry in journal.entries(service.database, 0)]
