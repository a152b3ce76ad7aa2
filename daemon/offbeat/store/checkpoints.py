"""Checkpoints: models and findings of one shard in one transaction, its tail as chunks before; and back."""

from __future__ import annotations

from dataclasses import dataclass

from offbeat.engine.buckets import by_start
from offbeat.engine.engine import Engine, Frozen
from offbeat.packing import BadPack, pack, unpack
from offbeat.store.chunks import Chunk, chunks_of
from offbeat.store.database import Database
from offbeat.store.findings import Findings, keep_findings

TOGETHER_BYTES = 1024 * 1024
"""Of chunks in one transaction: they are written in some milliseconds, and then synced."""
JobRow = tuple[int, int, int, int, int, int, float, float, int]
"""A row of job_bucket: job, start, sources, events, records, moderate ones, novelty, score, when it arrived."""


@dataclass(frozen=True, slots=True)
class PackedShard:
    """A frozen shard as bytes: what a checkpoint writes."""

    shard: int
    seq: int
    parts: dict[str, bytes]
    made_ms: int
    chunks: list[Chunk]
    job_rows: list[JobRow]


def pack_shard(frozen: Frozen) -> PackedShard:
    """*frozen* as bytes. Runs in the pool: most of it releases the interpreter lock."""
    parts = {name: pack(state) for name, state in frozen.states.items()}
    parts["members"] = pack({"sources": frozen.sources, "series": frozen.series})
    tail = frozen.tail
    if tail is None:
        return PackedShard(frozen.shard, frozen.seq, parts, 0, [], [])
    job_rows: list[JobRow] = []
    for job in tail.closed:
        starts, counts, peaks = by_start(tail.all_closed(job))
        for start, (sources, events, records, moderate), (novelty, score) in zip(
            starts.tolist(), counts.tolist(), peaks.tolist(), strict=True
        ):
            job_rows.append((job, start, sources, events, records, moderate, novelty, score, tail.since_ms))
    return PackedShard(frozen.shard, frozen.seq, parts, tail.since_ms, chunks_of(tail), job_rows)


async def keep_chunks(database: Database, packed: PackedShard) -> None:
    """Write the chunks of a shard. Raises StoreUnavailable.

    In several transactions, so that what senders wait for goes between: they are beyond the position of the shard, and
    nobody reads them until ``keep_shard`` has moved it.
    """
    rows: list[tuple[object, ...]] = []
    size = 0
    for last, c in enumerate(packed.chunks, 1):
        place = c.kind, c.job, packed.shard, packed.seq, c.part
        rows.append((*place, c.low, c.high, c.start_ms, c.end_ms, c.rows, packed.made_ms, c.body))
        size += len(c.body)
        if size >= TOGETHER_BYTES or last == len(packed.chunks):
            await database.write([("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)])
            rows, size = [], 0


async def drop_chunks(database: Database, shard: int | None) -> None:
    """Delete the chunks of *shard* (None: of all) whose checkpoint was not finished. Raises StoreUnavailable."""
    beyond = "seq > coalesce((SELECT seq FROM shard WHERE id = chunk.shard), 0)"
    where, which = (beyond, []) if shard is None else (f"shard = ? AND {beyond}", [shard])
    if await database.read(f"SELECT 1 FROM chunk WHERE {where} LIMIT 1", which):
        await database.write([(f"DELETE FROM chunk WHERE {where}", [which])])


async def keep_shard(database: Database, packed: PackedShard, findings: Findings) -> None:
    """Write one shard, but for its chunks, which are there, and the findings made up to it, in one transaction.

    Raises StoreUnavailable.
    """
    async with database.transaction() as db:
        await keep_findings(db, findings)
        await db.executemany(
            "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?)",
            [(packed.shard, packed.seq, part, body) for part, body in packed.parts.items()],
        )
        await db.executemany(
            "INSERT INTO job_bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET source_count "
            "= source_count + excluded.source_count, "
            "event_count = event_count + excluded.event_count, record_count = record_count + excluded.record_count, "
            "moderate_count = moderate_count + excluded.moderate_count, novelty = max(novelty, excluded.novelty), "
            "score = max(score, excluded.score), made_ms = max(made_ms, excluded.made_ms)",
            packed.job_rows,
        )
        await db.execute(
            "INSERT INTO shard VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET previous_seq = seq, seq = excluded.seq",
            (packed.shard, packed.seq),
        )
        await db.execute(
            "DELETE FROM checkpoint WHERE shard = ?1 AND seq < (SELECT previous_seq FROM shard WHERE id = ?1)",
            (packed.shard,),
        )


async def restore_shards(database: Database, engine: Engine, *, previous: bool = False) -> None:
    """Give *engine* the newest checkpoint of each shard, or the one before.

    The jobs must have been added. Raises BadPack.
    """
    column = "previous_seq" if previous else "seq"
    for shard, seq in await database.read(f"SELECT id, {column} FROM shard ORDER BY id"):
        if seq:
            engine.restore(await load_shard(database, shard, seq))


async def load_shard(database: Database, shard: int, seq: int) -> Frozen:
    """One checkpoint, without a tail. Raises BadPack."""
    rows = await database.read("SELECT part, body FROM checkpoint WHERE shard = ? AND seq = ?", (shard, seq))
    states = {part: unpack(body) for part, body in rows}
    if "members" not in states:
        raise BadPack(f"the checkpoint of shard {shard} at {seq} is incomplete", hint="the database file is damaged")
    members = states.pop("members")
    return Frozen(shard, seq, members["sources"], members["series"], states, None)
