"""Buckets of sources and of jobs: chunks, findings and memory joined into one ordered list."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import aiosqlite
import numpy as np
import orjson
from numpy.typing import NDArray

from offbeat.engine.buckets import by_start
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Job
from offbeat.engine.views import LiveBuckets, live_buckets
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
    id, span_s = job.spec.id, job.spec.bucket_span_s
    numbers, start, count, records = rows[:, [0, 1, 2, 5]].astype(np.int64).T.tolist()
    names = {number: name_of(number) for number in set(numbers)}
    return Page(
        tuple(
            Bucket(id, names[number], start_ms, span_s, events, found, novelty, score, flag)
            for number, start_ms, events, found, novelty, score, flag in zip(
                numbers, start, count, records, rows[:, 3].tolist(), rows[:, 4].tolist(), interim.tolist(), strict=True
            )
        ),
        cursor,
    )


@dataclass(frozen=True, slots=True)
class ByTime:
    """Buckets by (start, source): a question about *sources* (None: all), and where its page begins.

    low, high  bounds of the start, as FAR_MS or -FAR_MS if there are none    down  newest first
    place      (start, source) of the last row before the page
    """

    job: int
    sources: NDArray[np.int64] | None
    low: int
    high: int
    down: bool
    place: tuple[int, int] | None
    limit: int

    def wanted(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of *rows*, all of the sources, may be on the page."""
        start, source = rows[:, 1], rows[:, 0]
        good = (start >= self.low) & (start < self.high)
        if self.place is not None:
            at, last = self.place
            if self.down:
                good &= (start < at) | ((start == at) & (source < last))
            else:
                good &= (start > at) | ((start == at) & (source > last))
        return good

    def look(self, db: sqlite3.Connection, live: LiveBuckets) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
        """The rows of the page, which of them are interim, and whether there are more behind it.

        Chunks are read from the near end only until enough rows are certain.
        """
        held, interim = live.of(self.sources)
        mine = self.wanted(held)
        parts = [held[mine]]
        chunks = self._chunks(db, live.positions)
        read, step = 0, CHUNKS_FIRST
        while read < len(chunks):
            numbers = [rowid for rowid, _, _ in chunks[read : read + step]]
            for (body,) in db.execute(  # fewer if retention was faster
                f"SELECT body FROM chunk WHERE rowid IN ({','.join('?' * len(numbers))})", numbers
            ):
                rows = buckets_of(body, self.sources)
                parts.append(rows[self.wanted(rows)])
            read += step
            step = min(2 * step, CHUNKS_AT_ONCE)
            if read < len(chunks):  # rows before the next chunk's edge can not be preceded by anything unread
                edge = chunks[read][2] if self.down else chunks[read][1]
                starts = [part[:, 1] for part in parts]
                if sum(int((s > edge).sum() if self.down else (s < edge).sum()) for s in starts) > self.limit:
                    break
        every = np.concatenate(parts)
        flags = np.zeros(every.shape[0], np.bool_)
        flags[: parts[0].shape[0]] = interim[mine]
        return self._page(every, flags)

    def _page(
        self, rows: NDArray[np.float64], flags: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
        if rows.shape[0] > self.limit + 1:  # there is no need to put all in order
            last = rows.shape[0] - 1 - self.limit if self.down else self.limit
            edge = np.partition(rows[:, 1], last)[last]
            near = rows[:, 1] >= edge if self.down else rows[:, 1] <= edge
            rows, flags = rows[near], flags[near]
        order = np.lexsort((rows[:, 0], rows[:, 1]))
        order = order[::-1] if self.down else order
        page = order[: self.limit]
        return rows[page], flags[page], order.size > self.limit

    def _chunks(self, db: sqlite3.Connection, positions: Mapping[int, int]) -> list[tuple[int, int, int]]:
        """Row id, first and last start of the chunks that may hold some of it, those of the near end first."""
        low, high = self.low, self.high
        if self.place is not None:
            low, high = (low, min(high, self.place[0] + 1)) if self.down else (max(low, self.place[0]), high)
        sql = (
            "SELECT rowid, start_ms, end_ms FROM chunk "
            "WHERE kind = 'buckets' AND job = ? AND shard = ? AND end_ms >= ? AND start_ms < ? AND seq <= ?"
        )
        bounds: list[int] = []
        if self.sources is not None and self.sources.size:
            sql += " AND low <= ? AND high >= ?"
            bounds = [int(self.sources.max()), int(self.sources.min())]
        found: list[tuple[int, int, int]] = []
        for shard, position in positions.items():
            found += db.execute(sql, [self.job, shard, low, high, position, *bounds])
        found.sort(key=lambda c: -c[2] if self.down else c[1])
        return found


CHUNKS_FIRST, CHUNKS_AT_ONCE = 8, 64
"""So many chunks are read first; then twice as many, up to this many at once."""


async def _by_time(
    database: Database, job: int, query: BucketQuery, sources: NDArray[np.int64] | None, live: LiveBuckets
) -> tuple[NDArray[np.float64], NDArray[np.bool_], str | None]:
    """All buckets by (start, source)."""
    place = place_of(query.cursor, int, int)
    asked = ByTime(
        job,
        sources,
        query.start_ms if query.start_ms is not None else -FAR_MS,
        query.end_ms if query.end_ms is not None else FAR_MS,
        query.order == "-time",
        (place[0], place[1]) if place is not None else None,
        query.limit,
    )
    rows, interim, more = await database.look(lambda db: asked.look(db, live))
    return rows, interim, cursor_of(int(rows[-1, 1]), int(rows[-1, 0])) if more else None


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
    held, open_now = await asyncio.to_thread(live.of, np.unique(rows[:, 0]).astype(np.int64))
    now = dict(zip(map(tuple, rows[:, :2].tolist()), range(rows.shape[0]), strict=True))
    for at, key in enumerate(map(tuple, held[:, :2].tolist())):
        if (i := now.get(key)) is not None:
            rows[i], interim[i] = held[at], open_now[at]
    if not more:
        return rows, interim, None
    last = dict(zip(("source", "start_ms", "event_count", "novelty", "score", "record_count"), found[-1], strict=True))
    return rows, interim, cursor_of(*(last[key] for key in keys))


class Sums(NamedTuple):
    """What a bucket of a job is made of: the sources that reported in it, their events and records, …"""

    sources: int
    events: int
    records: int
    moderate: int
    novelty: float
    score: float
    interim: bool = False

    def joined(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.sources + other.sources,
            self.events + other.events,
            self.records + other.records,
            self.moderate + other.moderate,
            max(self.novelty, other.novelty),
            max(self.score, other.score),
            self.interim or other.interim,
        )


def sums_of(live: LiveBuckets) -> dict[int, Sums]:
    """By start, what memory holds of the buckets of a job."""
    rows, interim = live.of(None)
    starts, sums, peaks = by_start(rows)
    open_now = set(rows[interim, 1].tolist())
    return {
        start: Sums(sources, events, records, moderate, novelty, score, start in open_now)
        for start, (sources, events, records, moderate), (novelty, score) in zip(
            starts.tolist(), sums.tolist(), peaks.tolist(), strict=True
        )
    }


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
    async with agreeing(database, ask, job.number) as (db, live):
        held = await asyncio.to_thread(sums_of, live)
        if not by_time:
            where.append("(record_count > 0 OR start_ms IN (SELECT value FROM json_each(?)))")
            parameters.append(orjson.dumps([start for start, sums in held.items() if sums.records]).decode())
        stored = list(
            await db.execute_fetchall(
                "SELECT start_ms, source_count, event_count, record_count, moderate_count, novelty, score FROM "
                "job_bucket WHERE "
                f"{' AND '.join(where)} ORDER BY start_ms {'DESC' if down else 'ASC'} LIMIT ?",
                [*parameters, limit],
            )
        )
    sums = {row[0]: Sums(*row[1:]) for row in stored}
    edge = stored[-1][0] if by_time and len(stored) == limit else None
    for start, mine in held.items():
        if (query.start_ms is not None and start < query.start_ms) or (
            query.end_ms is not None and start >= query.end_ms
        ):
            continue
        if by_time and place is not None and (start >= place[0] if down else start <= place[0]):
            continue
        if edge is not None and (start < edge if down else start > edge):
            continue
        sums[start] = mine.joined(sums[start]) if start in sums else mine
    found = [
        Bucket(
            job.spec.id,
            None,
            start,
            job.spec.bucket_span_s,
            one.events,
            one.records,
            one.novelty,
            lifted(one.score, one.moderate, one.events),
            one.interim,
            one.sources,
        )
        for start, one in sums.items()
        if by_time or one.records > 0
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
async def agreeing(
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
