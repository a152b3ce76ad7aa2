"""The journal and the catalog on disk: groups of entries in, entries in order out, the oldest pruned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import orjson

from offbeat.engine.analysis.entries import unpack_command, unpack_upload
from offbeat.engine.catalog import Catalog, Mark
from offbeat.engine.entries import AdjustmentEnd, Entry, Job, Settings, unpack_block
from offbeat.errors import StoreUnusable
from offbeat.records import JobSpec, RejectedLine, Strings
from offbeat.store import adjustments
from offbeat.store.adjustments import Given
from offbeat.store.database import Database, Statements

PRUNED_AT_ONCE = 64
"""Entries that one transaction deletes: at full load each has some twenty pages, and 256 took 18 ms."""
PAGE_ENTRIES, PAGE_BYTES = 1024, 1 << 20
"""What is read at once: as packed, some hundred thousand events."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is remembered of an Idempotency-Key.

    digest      of all the bytes if *whole*, else the length and the digest of those that are journaled (intake/keys.py)
    lines_done  of a stream that is not finished: lines up to here are journaled
    receipt     as JSON: the answer, or what it would be so far
    """

    key: str
    at_ms: int
    digest: bytes
    whole: bool
    lines_done: int
    receipt: bytes


@dataclass(slots=True)
class Group:
    """What one transaction makes durable: entries, and everything that must be remembered with them.

    entries  (seq, kind, at_ms, packed body or None)    rejected  (arrived_ms, format, line)
    given, ended  each with when and by which entry
    beside   what gateways keep of the same bodies, in their own tables
    """

    entries: list[tuple[int, str, int, bytes | None]] = field(default_factory=list)
    sources: list[tuple[int, str, int]] = field(default_factory=list)
    fields: list[tuple[int, str]] = field(default_factory=list)
    series: list[tuple[int, int, int]] = field(default_factory=list)
    rejected: list[tuple[int, str, RejectedLine]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    keys: list[KeyRow] = field(default_factory=list)
    job_created: Job | None = None
    job_deleted: int | None = None
    settings: tuple[int, Settings] | None = None
    given: list[tuple[Given, int, int]] = field(default_factory=list)
    ended: list[tuple[AdjustmentEnd, int, int]] = field(default_factory=list)
    analyses_begun: list[tuple[int, str, str, str, int, int]] = field(default_factory=list)
    analyses_ended: list[int] = field(default_factory=list)
    beside: list[tuple[str, Sequence[Sequence[Any]]]] = field(default_factory=list)

    def add_names(self, catalog: Catalog, since: Mark) -> None:
        """Take what *catalog* was given since the mark."""
        if catalog.sources.count > since.sources:
            names = catalog.sources.texts(since.sources)
            shards = catalog.source_shard[since.sources : catalog.sources.count].tolist()
            self.sources += zip(range(since.sources, catalog.sources.count), names, shards, strict=True)
        if catalog.fields.count > since.fields:
            self.fields += enumerate(catalog.fields.texts(since.fields), since.fields)
        if catalog.series_count > since.series:
            mine = slice(since.series, catalog.series_count)
            self.series += zip(
                range(since.series, catalog.series_count),
                catalog.series_source[mine].tolist(),
                catalog.series_field[mine].tolist(),
                strict=True,
            )


async def commit(
    database: Database, close: Callable[[], None], prepare: Callable[[], Group], quarantine_max: int
) -> None:
    """Make the group that *prepare* gives durable in one transaction. Raises StoreUnavailable; then nothing is stored.

    *close* is called when the writer is free: until then more may come into the group. *prepare* is called on the
    writer's thread: to hand the group from one thread to another would take as long as to prepare it.
    """

    def make() -> Callable[[], Statements]:
        close()
        return lambda: statements_of(prepare(), quarantine_max)

    await database.write_next(make)


def statements_of(group: Group, quarantine_max: int) -> Statements:
    """What makes *group* durable."""
    created, settings = group.job_created, group.settings
    statements: list[tuple[str, Sequence[Sequence[Any]]]] = [
        ("INSERT INTO source (id, name, shard) VALUES (?, ?, ?)", group.sources),
        ("INSERT INTO field VALUES (?, ?)", group.fields),
        ("INSERT INTO series VALUES (?, ?, ?)", group.series),
        ("INSERT INTO journal VALUES (?, ?, ?, ?)", group.entries),
        (
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            list(group.counters.items()),
        ),
        *keys_kept(group.keys),
        (
            "INSERT INTO quarantine (arrived_ms, format, line, code, reason, start) VALUES (?, ?, ?, ?, ?, ?)",
            [(at, form, r.line, r.code, r.reason, r.start) for at, form, r in group.rejected],
        ),
        (
            "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?",
            [(quarantine_max,)] if group.rejected else [],
        ),
        (
            "INSERT INTO job VALUES (?, ?, ?, ?, ?)",
            [(j.number, j.spec.id, spec_json(j.spec), j.created_ms, j.created_seq) for j in (created,) if j],
        ),
        ("DELETE FROM job WHERE number = ?", [(n,) for n in (group.job_deleted,) if n is not None]),
        (adjustments.BEGIN, [adjustments.begun(*one) for one in group.given]),
        (adjustments.END, [(at_ms, seq, end.number) for end, at_ms, seq in group.ended]),
        (adjustments.FORGET, [(adjustments.HISTORY_MAX,)] if group.ended else []),
        (adjustments.DELETE_OF_JOB, [(n,) for n in (group.job_deleted,) if n is not None]),
        ("INSERT INTO analysis VALUES (?, ?, ?, ?, ?, ?, 0)", group.analyses_begun),
        ("DELETE FROM analysis WHERE number = ?", [(number,) for number in group.analyses_ended]),
        (
            "INSERT INTO settings VALUES (?, ?)",
            [(settings[0], orjson.dumps(asdict(settings[1])).decode())] if settings else [],
        ),
        *group.beside,
    ]
    return [(sql, rows) for sql, rows in statements if rows]


def keys_kept(keys: Sequence[KeyRow]) -> Statements:
    """What remembers *keys*."""
    rows = [(k.key, k.at_ms, k.digest, int(k.whole), k.lines_done, k.receipt.decode()) for k in keys]
    return [("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?)", rows)]


def spec_json(spec: JobSpec) -> str:
    """*spec* as the store keeps it."""
    return orjson.dumps(
        {
            "id": spec.id,
            "description": spec.description,
            "function": spec.function,
            "sources": spec.sources,
            "fields": spec.fields,
            "bucket_span_s": spec.bucket_span_s,
            "latency_s": spec.latency_s,
            "model": spec.model,
            "parameters": dict(spec.parameters),
            "peer_groups": spec.peer_groups,
            "models_max": spec.models_max,
            "shards": spec.shards,
        }
    ).decode()


def spec_of(text: str) -> JobSpec:
    """The job that ``spec_json`` was given. Raises StoreUnusable for one of a build that did not know models yet."""
    d = orjson.loads(text)
    if "model" not in d:
        raise StoreUnusable(
            f"job {d['id']} was begun by an earlier build: it names no model",
            hint="begin with a new state directory; this one was left as it was",
            where={"job": d["id"]},
        )
    return JobSpec(
        d["id"],
        d["description"],
        d["function"],
        tuple(d["sources"]),
        tuple(d["fields"]),
        d["bucket_span_s"],
        d["latency_s"],
        d["model"],
        tuple(sorted(d["parameters"].items())),
        tuple(d.get("peer_groups", ())),  # a job that began before there were any has none
        d.get("models_max", 0),  # and a model for every series
        d.get("shards", 0),
    )


async def load_catalog(database: Database, catalog: Catalog) -> None:
    """Fill the empty *catalog* with all names of the store."""
    sources = await database.read("SELECT name, shard FROM source ORDER BY id")
    fields = await database.read("SELECT name FROM field ORDER BY id")
    series = await database.read("SELECT source, field FROM series ORDER BY id")
    pairs = np.array(series, np.int32).reshape(-1, 2)
    catalog.load(
        Strings.of(name for name, _ in sources),
        np.array([shard for _, shard in sources], np.int32),
        Strings.of(name for (name,) in fields),
        pairs[:, 0],
        pairs[:, 1],
    )


async def load_jobs(database: Database) -> list[Job]:
    """All jobs that were not deleted, oldest first."""
    rows = await database.read("SELECT number, spec, created_ms, created_seq FROM job ORDER BY number")
    return [Job(number, spec_of(spec), created_ms, created_seq) for number, spec, created_ms, created_seq in rows]


async def load_settings(database: Database) -> dict[int, Settings]:
    """All settings that ever held, by the entry from which on."""
    return {
        seq: Settings(**orjson.loads(body))
        for seq, body in await database.read("SELECT seq, body FROM settings ORDER BY seq")
    }


async def last_seq(database: Database) -> int:
    """The number of the newest entry that ever was; 0 before the first."""
    rows = await database.read(
        "SELECT max((SELECT coalesce(max(seq), 0) FROM journal), (SELECT coalesce(max(seq), 0) FROM shard), "
        "(SELECT coalesce(max(value), 0) FROM counter WHERE name = 'pruned_seq'))"
    )
    return int(rows[0][0])


async def entries(database: Database, after: int) -> AsyncIterator[Entry]:
    """The entries after *after*, in order; see ``pages``."""
    async for page in pages(database, after):
        for entry in page:
            yield entry


OF_ANALYSES = "kind IN ('records', 'analysis')"
OF_ANALYSES_THAT_LISTEN = "kind IN ('records', 'analysis', 'data', 'tick')"


async def pages(
    database: Database, after: int, data_after: int = 0, of: Literal["engine", "analyses", "listeners"] = "engine"
) -> AsyncIterator[list[Entry]]:
    """The entries after *after*, in order, some at a time; without the data up to *data_after*.

    Those of the engine, those of analyses, or those of analyses of which some listen to events.

    One that created a job that was deleted since comes as if it deleted that. They are unpacked by a thread.
    """
    jobs = {job.created_seq: job for job in await load_jobs(database)}
    settings = await load_settings(database)
    mine = {
        "engine": f"NOT {OF_ANALYSES}", "analyses": OF_ANALYSES, "listeners": OF_ANALYSES_THAT_LISTEN
    }[of]
    while sizes := await database.read(
        "SELECT seq, coalesce(length(body), 0) FROM journal WHERE seq > ?1 AND (seq > ?2 OR kind <> 'data') "
        f"AND {mine} ORDER BY seq LIMIT ?3",
        (after, data_after, PAGE_ENTRIES),
    ):
        upto, total = 0, 0
        for seq, size in sizes:
            total += size
            if upto and total > PAGE_BYTES:
                break
            upto = seq
        rows = await database.read(
            "SELECT seq, kind, at_ms, body FROM journal WHERE seq > ?1 AND seq <= ?2 AND (seq > ?3 OR kind <> 'data') "
            f"AND {mine} ORDER BY seq",
            (after, upto, data_after),
        )
        yield await asyncio.to_thread(lambda rows: [_entry(row, jobs, settings) for row in rows], rows)
        after = upto


def _entry(row: tuple[int, str, int, Any], jobs: Mapping[int, Job], settings: Mapping[int, Settings]) -> Entry:
    seq, kind, at_ms, body = row
    match kind:
        case "data":
            return Entry(seq, "data", at_ms, unpack_block(body))
        case "tick":
            return Entry(seq, "tick", at_ms, None)
        case "settings":
            return Entry(seq, "settings", at_ms, settings[seq])
        case "job_created" if seq in jobs:
            return Entry(seq, "job_created", at_ms, jobs[seq])
        case "records":
            return Entry(seq, "records", at_ms, unpack_upload(body))
        case "analysis":
            return Entry(seq, "analysis", at_ms, unpack_command(body))
        case "adjustment_added":
            return Entry(seq, "adjustment_added", at_ms, adjustments.adjustment_of(body))
        case "adjustment_removed":
            return Entry(seq, "adjustment_removed", at_ms, adjustments.end_of(body))
        case _:
            return Entry(seq, "job_deleted", at_ms, int(body) if kind == "job_deleted" else -1)


async def prune(database: Database, upto: int) -> None:
    """Delete entries up to *upto*, some at a time, so that nobody waits long."""
    statements: Statements = [
        (
            "INSERT INTO counter VALUES ('pruned_seq', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            [(upto,)],
        ),
        (
            "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ? ORDER BY seq LIMIT ?)",
            [(upto, PRUNED_AT_ONCE)],
        ),
    ]
    left: Sequence[Any] = (upto,)
    while left:
        await database.write(statements)  # one trip: acknowledgements wait for its end
        left = await database.read("SELECT 1 FROM journal WHERE seq <= ? LIMIT 1", (upto,))
