"""Checkpoints: one shard, its models and its tail, which count from one moment on; and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from offbeat.engine.engine import Engine, Frozen
from offbeat.engine.rollups import LEVELS
from offbeat.packing import BadPack, pack, unpack
from offbeat.store.chunks import Chunk, chunks_of
from offbeat.store.database import Database
from offbeat.store.findings import Findings, statements_of

LEVEL_ZSTD = -1
"""Of models, which another checkpoint replaces soon. Measured, rhythm: 3 % larger than with 1, in 2/3 of the time."""
WRITTEN_AT_ONCE_BYTES, DELETED_AT_ONCE = 1 << 20, 4
"""What one transaction of a checkpoint writes, and how many such pieces one takes away: some milliseconds."""
MODERATE_SCORE = 25.0
"""A bucket of a source scored at least this counts as moderate in the job's own bucket."""

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
        rows = tail.all_closed(job)
        starts, at = np.unique(rows[:, 1], return_inverse=True)
        counts = np.zeros((starts.size, 4), np.int64)
        peaks = np.zeros((starts.size, 2))
        np.add.at(
            counts,
            at,
            np.column_stack([rows[:, 2] > 0, rows[:, 2], rows[:, 5], rows[:, 4] >= MODERATE_SCORE]).astype(np.int64),
        )
        np.maximum.at(peaks, at, rows[:, 3:5])
        for start, (sources, events, records, moderate), (novelty, score) in zip(
            starts.tolist(), counts.tolist(), peaks.tolist(), strict=True
        ):
            job_rows.append((job, int(start), sources, events, records, moderate, novelty, score, tail.since_ms))
    return PackedShard(frozen.shard, frozen.seq, parts, tail.since_ms, chunks_of(tail), job_rows)


async def keep_shard(database: Database, packed: PackedShard, findings: Findings) -> None:
    """Write one shard, and the findings made up to it. Raises StoreUnavailable.

    Models and chunks go first, some at a time, so that no acknowledgement waits long for the writer. They count for
    nothing until the last transaction moves the position of the shard to theirs: what lies beyond that was cut short
    by a crash, and goes before anything new comes.
    """
    shard, seq = packed.shard, packed.seq
    beyond = "> coalesce((SELECT seq FROM shard WHERE id = ?1), 0)"
    jobs = [int(part.removeprefix("job:")) for part in packed.parts if part.startswith("job:")]
    kinds: list[tuple[int, str, int]] = [(shard, kind, 0) for kind in ("readings", *LEVELS)]
    kinds += [(shard, "buckets", job) for job in jobs]
    await database.write(
        [
            (f"DELETE FROM checkpoint WHERE shard = ?1 AND seq {beyond}", [(shard,)]),
            (f"DELETE FROM chunk WHERE shard = ?1 AND kind = ?2 AND job = ?3 AND seq {beyond}", kinds),
        ]
    )
    for rows in _at_once([(shard, seq, *piece) for name, body in packed.parts.items() for piece in _cut(name, body)]):
        await database.write([("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", rows)])
    for rows in _at_once(
        [
            (
                c.kind,
                c.job,
                shard,
                seq,
                c.part,
                c.low,
                c.high,
                c.start_ms,
                c.end_ms,
                c.rows,
                packed.made_ms,
                c.body,
            )
            for c in packed.chunks
        ]
    ):
        await database.write([("INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)])
    await database.write(
        [
            *statements_of(findings),
            (ADD_TO_JOB_BUCKET, packed.job_rows),
            (
                "INSERT INTO shard VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET previous_seq = seq, seq = excluded.seq",
                [(shard, seq)],
            ),
        ]
    )
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
