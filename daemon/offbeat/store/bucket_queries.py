"""Buckets of sources and of jobs: chunks, findings and memory joined into one ordered list."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import aiosqlite
import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.engine.engine import Engine
from offbeat.engine.entries import Job
from offbeat.engine.views import LiveBuckets, live_buckets
from offbeat.store.checkpoints import MODERATE_SCORE
from offbeat.store.chunks import buckets_of
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Bucket, BucketQuery, Page
from offbeat_detectors.scores import novelty_of_probability, score_of_strength

T = TypeVar("T")
FAR_MS = 1 << 62


class Ask(Protocol):
    """Runs a function of the engine on its thread."""

    def __call__(self, function: Callable[[Engine], T], /) -> Awaitable[T]: ...


async def source_buckets(
    database: Database,
    ask: Ask,
    job: Job,
    query: BucketQuery,
    sources: NDArray[np.int64] | None,
    name_of: Callable[[int], str],
) -> Page[Bucket]:
    """Buckets of *sources* (numbers; None: all) in the order and bounds of *query*."""
    live = await ask(lambda engine: live_buckets(engine, job.number, sources))
    if query.order == "-score" or (query.min_score or 0.0) > 0.0:
        rows, interim, cursor = await _findings(database, job.number, query, sources, live)
    else:
        rows, interim, cursor = await _by_time(database, job.number, query, sources, live)
    found = [
        Bucket(
            job.spec.id,
            name_of(int(s)),
            int(start),
            job.spec.bucket_span_s,
            int(count),
            int(records),
            novelty,
            score,
            bool(flag),
        )
        for (s, start, count, novelty, score, records), flag in zip(rows.tolist(), interim.tolist(), strict=True)
    ]
    return Page(tuple(found), cursor)


async def _by_time(
    database: Database,
    job: int,
    query: BucketQuery,
    sources: NDArray[np.int64] | None,
    live: LiveBuckets,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], str | None]:
    """All buckets by (start, source). Chunks are read from the near end only until enough rows are certain."""
    down = query.order == "-time"
    place = place_of(query.cursor, int, int)
    low, high = (
        query.start_ms if query.start_ms is not None else -FAR_MS,
        query.end_ms if query.end_ms is not None else FAR_MS,
    )

    def wanted(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        start, source = rows[:, 1], rows[:, 0]
        good = (start >= low) & (start < high)
        if sources is not None:
            good &= np.isin(source, sources)
        if place is not None:
            after = (
                (start < place[0]) | ((start == place[0]) & (source < place[1]))
                if down
                else ((start > place[0]) | ((start == place[0]) & (source > place[1])))
            )
            good &= after
        return np.asarray(good)

    near, far = (
        (low, min(high, place[0] + 1)) if down and place else (max(low, place[0]), high) if place else (low, high)
    )
    chunks = await _chunk_index(database, job, live.positions, near, far, sources)
    chunks.sort(key=lambda c: -c[2] if down else c[1])
    mine = wanted(live.rows)
    rows, interim = [live.rows[mine]], [live.interim[mine]]
    have = 0
    for i, (rowid, _, _) in enumerate(chunks):
        for (body,) in await database.read(
            "SELECT body FROM chunk WHERE rowid = ?", (rowid,)
        ):  # none if retention was faster
            decoded = await asyncio.to_thread(buckets_of, body)
            kept = decoded[wanted(decoded)]
            rows.append(kept)
            interim.append(np.zeros(kept.shape[0], np.bool_))
        if i + 1 < len(chunks):  # rows before the next chunk's edge can not be preceded by anything unread
            edge = chunks[i + 1][2] if down else chunks[i + 1][1]
            have = sum(int((r[:, 1] > edge).sum() if down else (r[:, 1] < edge).sum()) for r in rows)
            if have > query.limit:
                break
    every, flags = np.concatenate(rows), np.concatenate(interim)
    order = np.lexsort((every[:, 0], every[:, 1]))
    order = order[::-1] if down else order
    more = order.size > query.limit
    order = order[: query.limit]
    every, flags = every[order], flags[order]
    return every, flags, cursor_of(int(every[-1, 1]), int(every[-1, 0])) if more else None


async def _chunk_index(
    database: Database,
    job: int,
    positions: Mapping[int, int],
    low: int,
    high: int,
    sources: NDArray[np.int64] | None,
) -> list[tuple[int, int, int]]:
    """Row id, first and last start of the chunks that may hold what is asked for."""
    found: list[tuple[int, int, int]] = []
    sql = (
        "SELECT rowid, start_ms, end_ms FROM chunk "
        "WHERE kind = 'buckets' AND job = ? AND shard = ? AND end_ms >= ? AND start_ms < ? AND seq <= ?"
    )
    for shard, position in positions.items():
        parameters: list[Any] = [job, shard, low, high, position]
        if sources is not None and sources.size:
            found += await database.read(
                sql + " AND low <= ? AND high >= ?", [*parameters, int(sources.max()), int(sources.min())]
            )
        else:
            found += await database.read(sql, parameters)
    return found


async def _findings(
    database: Database,
    job: int,
    query: BucketQuery,
    sources: NDArray[np.int64] | None,
    live: LiveBuckets,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], str | None]:
    """Buckets that hold a record, from their rows; what is still open is taken from memory."""
    where, parameters = ["job = ?"], list[Any]([job])
    if sources is not None:
        where.append(f"source IN ({','.join('?' * sources.size)})")
        parameters += sources.tolist()
    for condition, value in (
        ("start_ms >= ?", query.start_ms),
        ("start_ms < ?", query.end_ms),
        ("score >= ?", query.min_score),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    keys, kinds = (
        (("score", "start_ms", "source"), (float, int, int))
        if query.order == "-score"
        else (("start_ms", "source"), (int, int))
    )
    down = query.order != "time"
    if (place := place_of(query.cursor, *kinds)) is not None:
        where.append(f"({', '.join(keys)}) {'<' if down else '>'} ({', '.join('?' * len(keys))})")
        parameters += place
    order = ", ".join(f"{key} {'DESC' if down else 'ASC'}" for key in keys)
    found = await database.read(
        "SELECT source, start_ms, event_count, novelty, score, record_count FROM finding_bucket "
        f"WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?",
        [*parameters, query.limit + 1],
    )
    more, found = len(found) > query.limit, found[: query.limit]
    rows = np.array([tuple(r) for r in found], float).reshape(-1, 6)
    interim = np.zeros(rows.shape[0], np.bool_)
    now = {(row[0], row[1]): i for i, row in enumerate(live.rows.tolist())}
    for i, row in enumerate(rows):
        held = now.get((row[0], row[1]))
        if held is not None:
            rows[i], interim[i] = live.rows[held], live.interim[held]
    if not more:
        return rows, interim, None
    last = dict(zip(("source", "start_ms", "event_count", "novelty", "score", "record_count"), found[-1], strict=True))
    return rows, interim, cursor_of(*(last[key] for key in keys))


async def job_buckets(database: Database, ask: Ask, job: Job, query: BucketQuery) -> Page[Bucket]:
    """The job's own buckets.

    Every bucket of a source counted, the strongest score, lifted where many are moderate at once.
    """
    place = place_of(query.cursor, *((float, int) if query.order == "-score" else (int,)))
    where, parameters = ["job = ?"], list[Any]([job.number])
    for condition, value in (("start_ms >= ?", query.start_ms), ("start_ms < ?", query.end_ms)):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    by_time = query.order != "-score" and not (query.min_score or 0.0) > 0.0
    down = query.order == "-time"
    if by_time and place is not None:
        where.append(f"start_ms {'<' if down else '>'} ?")
        parameters.append(place[0])
    limit = query.limit + 1 if by_time else -1
    async with _agreeing(database, ask, job.number) as (db, live):
        if not by_time:
            found_live = np.unique(live.rows[live.rows[:, 5] > 0, 1]).astype(np.int64).tolist()
            where.append("(record_count > 0 OR start_ms IN (SELECT value FROM json_each(?)))")
            parameters.append(orjson.dumps(found_live).decode())
        stored = list(
            await db.execute_fetchall(
                "SELECT start_ms, source_count, event_count, record_count, moderate_count, novelty, score FROM "
                "job_bucket WHERE "
                f"{' AND '.join(where)} ORDER BY start_ms {'DESC' if down else 'ASC'} LIMIT ?",
                [*parameters, limit],
            )
        )
    sums = {row[0]: list(row[1:]) for row in stored}
    interim: set[int] = set()
    edge = stored[-1][0] if by_time and len(stored) == limit else None
    for (_, start_f, count, novelty, score, records), flag in zip(
        live.rows.tolist(), live.interim.tolist(), strict=True
    ):
        start = int(start_f)
        if (query.start_ms is not None and start < query.start_ms) or (
            query.end_ms is not None and start >= query.end_ms
        ):
            continue
        if by_time and place is not None and (start >= place[0] if down else start <= place[0]):
            continue
        if edge is not None and (start < edge if down else start > edge):
            continue
        held = sums.setdefault(start, [0, 0, 0, 0, 0.0, 0.0])
        held[0] += count > 0  # a source that is silent in it has not reported
        held[1] += int(count)
        held[2] += int(records)
        held[3] += score >= MODERATE_SCORE
        held[4], held[5] = max(held[4], novelty), max(held[5], score)
        if flag:
            interim.add(start)
    found = [
        Bucket(
            job.spec.id,
            None,
            start,
            job.spec.bucket_span_s,
            events,
            records,
            novelty,
            lifted(score, moderate, events),
            start in interim,
            n,
        )
        for start, (n, events, records, moderate, novelty, score) in sums.items()
        if by_time or records > 0
    ]
    if query.min_score is not None:
        found = [b for b in found if b.score >= (query.min_score or 0.0)]
    if query.order == "-score":
        found.sort(key=lambda b: (-b.score, -b.start_ms))
        if place is not None:
            found = [b for b in found if (-b.score, -b.start_ms) > (-place[0], -place[1])]
    else:
        found.sort(key=lambda b: -b.start_ms if down else b.start_ms)
        if place is not None:
            found = [b for b in found if (b.start_ms < place[0] if down else b.start_ms > place[0])]
    more, found = len(found) > query.limit, found[: query.limit]
    if not more:
        return Page(tuple(found), None)
    last = found[-1]
    return Page(
        tuple(found), cursor_of(last.score, last.start_ms) if query.order == "-score" else cursor_of(last.start_ms)
    )


@asynccontextmanager
async def _agreeing(
    database: Database, ask: Ask, job: int
) -> AsyncIterator[tuple[aiosqlite.Connection, LiveBuckets]]:
    """A view of the store and a copy of memory between which no checkpoint lies: what one has, the other has not.

    A row of job_bucket is a sum over checkpoints, so it cannot be read up to a position as chunks can.
    """
    while True:
        async with database.snapshot() as db:
            stored = {row[0]: row[1] for row in await db.execute_fetchall("SELECT id, seq FROM shard")}
            live = await ask(lambda engine: live_buckets(engine, job, None))
            if stored == live.positions:
                yield db, live
                return


MODERATE_RATE = 7e-4
"""How often a reading without fault scores 25 or more (detectors' scores): what coincidence is compared with."""


def lifted(score: float, moderate: int, events: int) -> float:
    """The score of a job's bucket.

    The strongest of its sources, or what so many moderate ones at once are worth, if that is more.

    By chance *moderate* of *events* readings reach MODERATE_SCORE as a Poisson variable with mean ``MODERATE_RATE ·
    events``. A silence is one more that could have been a reading.
    """
    mean = MODERATE_RATE * max(events, moderate)
    if moderate < 2 or moderate <= mean:
        return score
    term = math.exp(moderate * math.log(mean) - mean - math.lgamma(moderate + 1))
    tail, k = 0.0, moderate
    while term > tail * 1e-12 and term > 0.0:
        tail += term
        k += 1
        term *= mean / k
    return max(score, score_of_strength(novelty_of_probability(min(1.0, max(tail, 1e-300)))))
