"""Checkpoints: models and tail of one shard, written in pieces, which count from one moment on; and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from offbeat.engine.buckets import by_start
from offbeat.engine.engine import Engine, Frozen
from offbeat.packing import BadPack, pack, unpack
from offbeat.store.chunks import Chunk, chunks_of
from offbeat.store.database import Database

LEVEL_ZSTD = -1
"""Of models, which another checkpoint replaces soon. Measured, rhythm: 3 % larger than with 1, in 2/3 of the time."""
WRITTEN_AT_ONCE_BYTES, DELETED_AT_ONCE = 1 << 20, 4
"""What one transaction of a checkpoint writes, and how many such pieces one takes away: some milliseconds."""

ADD_TO_JOB_BUCKET = """INSERT INTO job_bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
 source_count = source_count + excluded.source_count, event_count = event_count + excluded.event_count,
 record_count = record_count + excluded.record_count, moderate_count = moderate_count + excluded.moderate_count,
 novelty = max(novelty, excluded.novelty), score = max(score, excluded.score),
 made_ms = max(made_ms, excluded.made_ms)"""

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
    parts = {name: pack(state, LEVEL_ZSTD) for name, state in frozen.states.items()}
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


async def keep_pieces(database: Database, packed: PackedShard) -> None:
    """Write the models and the chunks of a shard. Raises StoreUnavailable.

    In several transactions, so that what senders wait for goes between: they are beyond the position of the shard, and
    nobody reads them until ``keep_shard`` has moved it.
    """
    place = packed.shard, packed.seq
    models = [(*place, *piece) for name, body in packed.parts.items() for piece in _cut(name, body)]
    for rows in _at_once(models):
        await database.write([("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", rows)])
    chunks = [
        (c.kind, c.job, *place, c.part, c.low, c.high, c.start_ms, c.end_ms, c.rows, packed.made_ms, c.body)
        for c in packed.chunks
    ]
    for rows in _at_once(chunks):
        await database.write([("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)])


async def drop_pieces(database: Database, shard: int | None) -> None:
    """Delete what was written of checkpoints of *shard* (None: of all) that were not finished.

    Raises StoreUnavailable.
    """
    which = [] if shard is None else [shard]
    for table in ("checkpoint", "chunk"):
        where = f"seq > coalesce((SELECT seq FROM shard WHERE id = {table}.shard), 0)"
        if shard is not None:
            where += " AND shard = ?"
        if await database.read(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1", which):
            await database.write([(f"DELETE FROM {table} WHERE {where}", [which])])


async def keep_shard(database: Database, packed: PackedShard) -> None:
    """Move the position of a shard to its pieces, which are there, as are the findings made up to it.

    In one transaction. Raises StoreUnavailable.
    """
    await database.write(
        [
            (ADD_TO_JOB_BUCKET, packed.job_rows),
            (
                "INSERT INTO shard VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET previous_seq = seq, seq = excluded.seq",
                [(packed.shard, packed.seq)],
            ),
        ]
    )


async def drop_old(database: Database, shard: int) -> None:
    """Delete the models of *shard* that are older than the checkpoint before its newest. Raises StoreUnavailable."""
    old = await database.read(
        "SELECT rowid FROM checkpoint WHERE shard = ?1 AND seq < (SELECT previous_seq FROM shard WHERE id = ?1)",
        (shard,),
    )
    for first in range(0, len(old), DELETED_AT_ONCE):
        await database.write([("DELETE FROM checkpoint WHERE rowid = ?", old[first : first + DELETED_AT_ONCE])])


def _cut(name: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """*body* in pieces that a transaction takes, and what each is called: the first as all, then name+1, name+2, …"""
    for i, first in enumerate(range(0, max(1, len(body)), WRITTEN_AT_ONCE_BYTES)):
        yield f"{name}+{i}" if i else name, body[first : first + WRITTEN_AT_ONCE_BYTES]


def _at_once(rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """*rows*, whose last column is bytes, by transactions."""
    taken: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        if taken and size + len(row[-1]) > WRITTEN_AT_ONCE_BYTES:
            yield taken
            taken, size = [], 0
        taken.append(row)
        size += len(row[-1])
    if taken:
        yield taken


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
    bodies: dict[str, dict[int, bytes]] = {}
    for part, body in rows:
        name, _, piece = part.partition("+")
        bodies.setdefault(name, {})[int(piece or 0)] = body
    states = {name: unpack(b"".join(pieces[i] for i in sorted(pieces))) for name, pieces in bodies.items()}
    if "members" not in states:
        raise BadPack(f"the checkpoint of shard {shard} at {seq} is incomplete", hint="the database file is damaged")
    members = states.pop("members")
    return Frozen(shard, seq, members["sources"], members["series"], states, None)
