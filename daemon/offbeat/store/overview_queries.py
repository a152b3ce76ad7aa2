"""How a job's sources, and the jobs themselves, did over a span of time: a lane of scores each, the worst first."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Job
from offbeat.engine.ledger import EVENTS, LAG, LAST, TIME_MIN_MS
from offbeat.engine.views import live_buckets
from offbeat.store.bucket_queries import Ask, agreeing, lifted, sums_of
from offbeat.store.chunks import runs_of
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Record
from offbeat.store.record_queries import COLUMNS, record_of

Rows = Literal["source", "job"]
Kind = Literal["watch", "stream", "buckets"]
CLASSES: tuple[tuple[str, float], ...] = (("critical", 75.0), ("major", 50.0), ("minor", 25.0), ("warning", 0.0))
"""What a row is called by its worst score: at least so much, of the last more. One that has none is quiet. The bounds
are those at which the meaning of a score is fixed, docs/detectors.md."""
LAST_NAME = "\U0010ffff" * 4


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """Which lanes: of the sources of *job*, or of all jobs; [start_ms, end_ms) in *bins* equal parts.

    prefix  only names that begin so    cursor  of the page before: its span of time is that of the first page
    """

    job: str
    rows: Rows
    start_ms: int
    end_ms: int
    bins: int = 96
    limit: int = 50
    cursor: str | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal parts of a span of time; a bucket counts in each that it overlaps."""

    start_ms: int
    end_ms: int
    bins: int
    bucket_ms: int

    def paint(
        self,
        scores: NDArray[np.float64],
        lane: NDArray[np.int64],
        first_ms: NDArray[np.int64],
        last_ms: NDArray[np.int64],
        score: NDArray[np.float64],
    ) -> None:
        """Raise bins of *scores* (lanes, bins), NaN where nothing is, to *score* (m,).

        Row i is a steady run of buckets of one lane, the first and last of which start then: of one bucket both are
        the same.
        """
        width = (self.end_ms - self.start_ms) / self.bins
        low = np.floor((first_ms - self.start_ms) / width).astype(np.int64)
        high = np.ceil((last_ms + self.bucket_ms - self.start_ms) / width).astype(np.int64)
        low, high = np.maximum(low, 0), np.minimum(high, self.bins)
        length = np.maximum(high - low, 0)
        row = np.repeat(np.arange(lane.size), length)
        bin = np.arange(row.size) - np.repeat(np.cumsum(length) - length, length) + low[row]
        flat = scores.reshape(-1)
        np.fmax.at(flat, lane[row] * self.bins + bin, score[row])


@dataclass(frozen=True, slots=True)
class Lane:
    """One row: the highest score in each bin, NaN without an event in it.

    kind           of a job; None for a source
    last_event_ms  of its newest event; None if there was none    live  that came near its time, as GET /diagnosis says
    record         the strongest finding of that time; None if there is none, or its job has detectors
    """

    name: str
    kind: Kind | None
    worst: float
    scores: NDArray[np.float64]
    last_event_ms: int | None
    live: bool
    record: Record | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of lanes; the counts are of all rows, by CLASSES and ``quiet``."""

    query: OverviewQuery
    row_count: int
    counts: dict[str, int]
    lanes: tuple[Lane, ...]
    next_cursor: str | None


def placed(query: OverviewQuery) -> tuple[OverviewQuery, tuple[float, str] | None]:
    """*query* over the span of time of its first page, and worst score and name of the last row before the page."""
    place = place_of(query.cursor, int, int, float, str)
    if place is None:
        return query, None
    start_ms, end_ms, worst, name = place
    return OverviewQuery(
        query.job, query.rows, start_ms, end_ms, query.bins, query.limit, query.cursor, query.prefix
    ), (float(worst), name)


def counted(worst: NDArray[np.float64], row_count: int) -> dict[str, int]:
    """How many rows are of each class, by the *worst* of those that have any score."""
    counts, above = {}, 0
    for name, least in CLASSES:
        reached = int((worst >= least).sum()) if least > 0.0 else int((worst > 0.0).sum())
        counts[name], above = reached - above, reached
    return counts | {"quiet": row_count - above}


def next_cursor(query: OverviewQuery, last: Lane) -> str:
    """Where the list goes on behind *last*."""
    return cursor_of(query.start_ms, query.end_ms, last.worst, last.name)


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Heard:
    """The sources that a job has heard: numbers in order, the newest event of each in ms, and whether it is live."""

    number: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    live: NDArray[np.bool_]


def heard_by(engine: Engine, job: int, lag_max_ms: int) -> Heard:
    """The sources that *job* has heard. Called on the engine's thread."""
    state = engine.jobs.get(job)
    count = engine.source_count if state is not None else 0
    held = engine.ledger.sources[:count]
    number = np.flatnonzero((held[:, EVENTS] > 0) & (state.frontier[:count] != 0)) if state is not None else held[:, 0]
    return Heard(number, held[number, LAST] - 1 + TIME_MIN_MS, np.abs(held[number, LAG]) <= lag_max_ms)


async def of_sources(
    database: Database,
    ask: Ask,
    job: Job,
    query: OverviewQuery,
    lag_max_ms: int,
    name_of: Callable[[int], str],
    series_name: Callable[[int], tuple[str, str]],
) -> Overview:
    """A page of lanes of the sources of *job*, worst first, then by name.

    Colours come from the rows of findings. Only of the sources on the page is it looked up when they had events.
    """
    query, place = placed(query)
    grid = Grid(query.start_ms, query.end_ms, query.bins, 1000 * job.spec.bucket_span_s)
    heard = await ask(lambda engine: heard_by(engine, job.number, lag_max_ms))
    choice = Choice(job.number, grid, query, place, heard)
    chosen, worst, counts, row_count = await database.look(lambda db: choice.look(db, name_of))
    more, page = len(chosen) > query.limit, np.array(chosen[: query.limit], np.int64)
    live = await ask(lambda engine: live_buckets(engine, job.number, page))
    held, _ = await asyncio.to_thread(live.of, page)
    records, scores = await database.look(lambda db: lanes(db, job, grid, page, live.positions, held, series_name))
    at = np.searchsorted(heard.number, page)
    found = tuple(
        Lane(name_of(number), None, score, row, last_ms, is_live, record)
        for number, score, row, last_ms, is_live, record in zip(
            page.tolist(), worst[: page.size], scores, heard.last_ms[at].tolist(), heard.live[at].tolist(), records,
            strict=True,
        )
    )
    return Overview(query, row_count, counts, found, next_cursor(query, found[-1]) if more else None)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sources are on a page."""

    job: int
    grid: Grid
    query: OverviewQuery
    place: tuple[float, str] | None
    heard: Heard

    def look(
        self, db: sqlite3.Connection, name_of: Callable[[int], str]
    ) -> tuple[list[int], list[float], dict[str, int], int]:
        """One number more than there are on the page, if there is one; the worst score of each; counts of all rows."""
        rows = self._rows(db)
        worst = np.zeros(int(self.heard.number.max(initial=-1)) + 1)
        loud = self._loud(db)
        loud = loud[np.isin(loud[:, 0].astype(np.int64), rows)]
        worst[loud[:, 0].astype(np.int64)] = loud[:, 1]
        counts = counted(loud[:, 1], rows.size)
        numbers = loud[:, 0].astype(np.int64)
        wanted = self.query.limit + 1
        chosen = [number for _, _, number in self._nearest(numbers, loud[:, 1], name_of, wanted)]
        if len(chosen) < wanted:
            quiet = np.zeros(worst.size, np.bool_)
            quiet[rows] = True
            quiet[numbers] = False
            for number in self._quiet(db, quiet):
                chosen.append(number)
                if len(chosen) == wanted:
                    break
        return chosen, worst[np.array(chosen, np.int64)].tolist(), counts, int(rows.size)

    def _rows(self, db: sqlite3.Connection) -> NDArray[np.int64]:
        """The numbers of all rows, in order."""
        prefix = self.query.prefix
        if not prefix:
            return self.heard.number
        named = db.execute(
            "SELECT id FROM source WHERE name >= ? AND name <= ? AND substr(name, 1, ?) = ?",
            (prefix, prefix + LAST_NAME, len(prefix), prefix),
        ).fetchall()
        return self.heard.number[np.isin(self.heard.number, np.array(named, np.int64).reshape(-1))]

    def _loud(self, db: sqlite3.Connection) -> NDArray[np.float64]:
        """(k, 2) number and worst score of the sources with a finding."""
        found = db.execute(
            "SELECT source, max(score) FROM finding_bucket WHERE job = ? AND start_ms > ? AND start_ms < ? AND "
            "+score > 0.0 GROUP BY +source",  # +: by time, not through all findings that there ever were
            (self.job, self.grid.start_ms - self.grid.bucket_ms, self.grid.end_ms),
        ).fetchall()
        return np.array(found, float).reshape(-1, 2)

    def _nearest(
        self, numbers: NDArray[np.int64], worst: NDArray[np.float64], name_of: Callable[[int], str], wanted: int
    ) -> list[tuple[float, str, int]]:
        """The first of those with a finding behind the place of the page."""
        if self.place is not None:
            behind = worst <= self.place[0]
            numbers, worst = numbers[behind], worst[behind]
        if numbers.size > wanted + (0 if self.place is None else int((worst == self.place[0]).sum())):
            skipped = 0 if self.place is None else int((worst == self.place[0]).sum())
            edge = np.partition(-worst, wanted - 1 + skipped)[wanted - 1 + skipped]
            near = -worst <= edge
            numbers, worst = numbers[near], worst[near]
        keys = sorted((-w, name_of(n), n) for n, w in zip(numbers.tolist(), worst.tolist(), strict=True))
        if self.place is not None:
            keys = [key for key in keys if key[:2] > (-self.place[0], self.place[1])]
        return keys[:wanted]

    def _quiet(self, db: sqlite3.Connection, quiet: NDArray[np.bool_]) -> Iterator[int]:
        """The sources without a finding behind the place of the page, by name."""
        after = self.place[1] if self.place is not None and self.place[0] == 0.0 else ""
        for number, name in db.execute(
            "SELECT id, name FROM source WHERE name > ? AND name >= ? ORDER BY name", (after, self.query.prefix)
        ):
            if not name.startswith(self.query.prefix):
                break
            if number < quiet.size and quiet[number]:
                yield number


def lanes(
    db: sqlite3.Connection,
    job: Job,
    grid: Grid,
    page: NDArray[np.int64],
    positions: Any,
    held: NDArray[np.float64],
    series_name: Callable[[int], tuple[str, str]],
) -> tuple[list[Record | None], NDArray[np.float64]]:
    """Of the sources of a *page* their strongest records, and their scores, (lanes, bins).

    held  their buckets that are in memory, rows of ``buckets``    positions  by shard: chunks up to there complete them
    """
    scores = np.full((page.size, grid.bins), np.nan)
    if not page.size:
        return [], scores
    order = np.argsort(page)
    ordered = page[order]

    def lane_of(sources: NDArray[np.int64]) -> NDArray[np.int64]:
        lane: NDArray[np.int64] = order[np.searchsorted(ordered, sources)]
        return lane

    low, high = grid.start_ms - grid.bucket_ms, grid.end_ms
    # In a bin there is a bucket of any run with steps that are no longer than it.
    step_ms = max(grid.bucket_ms, (grid.end_ms - grid.start_ms) // grid.bins)
    runs = events(db, job.number, ordered, positions, low, high, step_ms)
    had = held[held[:, 2] > 0.0]  # rows that leave: source, start, count, …
    grid.paint(scores, lane_of(runs[:, 0]), runs[:, 1], runs[:, 2], np.zeros(runs.shape[0]))
    start = had[:, 1].astype(np.int64)
    grid.paint(scores, lane_of(had[:, buckets.SOURCE].astype(np.int64)), start, start, np.zeros(had.shape[0]))
    marks = ",".join("?" * page.size)
    found = np.array(
        db.execute(
            "SELECT source, start_ms, score FROM finding_bucket INDEXED BY finding_bucket_by_source WHERE job = ? AND "
            f"start_ms > ? AND start_ms < ? AND source IN ({marks})",
            (job.number, low, high, *page.tolist()),
        ).fetchall(),
        float,
    ).reshape(-1, 3)
    start = found[:, 1].astype(np.int64)
    grid.paint(scores, lane_of(found[:, 0].astype(np.int64)), start, start, found[:, 2])
    return [strongest(db, job, low, high, series_name, number) for number in page.tolist()], scores


def events(
    db: sqlite3.Connection,
    job: int,
    sources: NDArray[np.int64],
    positions: Any,
    low: int,
    high: int,
    step_ms: int,
) -> NDArray[np.int64]:
    """When *sources* (in order) had events in buckets from *low* to *high*, by what is packed.

    (m, 3) source, start of the first bucket and of the last of a run with steps of at most *step_ms*.
    """
    parts = [np.zeros((0, 4), np.int64)]
    wanted = np.zeros(int(sources[-1]) + 2, np.bool_)
    wanted[sources] = True
    for shard, position in positions.items():
        listed = db.execute(
            "SELECT rowid, kind, seq FROM chunk WHERE kind IN ('spans', 'buckets') AND job = ? AND shard = ? AND "
            "end_ms > ? AND start_ms < ? AND seq <= ? AND low <= ? AND high >= ?",
            (job, shard, low, high, position, int(sources[-1]), int(sources[0])),
        ).fetchall()
        told = {seq for _, kind, seq in listed if kind == "spans"}
        for rowid, kind, seq in listed:
            if kind == "buckets" and seq in told:
                continue
            for (body,) in db.execute("SELECT body FROM chunk WHERE rowid = ?", (rowid,)):
                parts.append(runs_of(kind, body, wanted))
    runs = np.concatenate(parts)
    close = (runs[:, 3] <= step_ms) | (runs[:, 1] == runs[:, 2])
    apart = runs[~close]  # steady, but with longer steps
    count = (apart[:, 2] - apart[:, 1]) // np.maximum(apart[:, 3], 1) + 1
    row = np.repeat(np.arange(apart.shape[0]), count)
    turn = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
    start = apart[row, 1] + turn * apart[row, 3]
    return np.concatenate([runs[close][:, :3], np.stack([apart[row, 0], start, start], axis=1)])


def strongest(
    db: sqlite3.Connection,
    job: Job,
    low: int,
    high: int,
    series_name: Callable[[int], tuple[str, str]],
    source: int | None = None,
) -> Record | None:
    """The record of buckets between *low* and *high* that scores most, of *source* or of any."""
    by_source = ("", "", ()) if source is None else ("INDEXED BY record_by_source", " AND source = ?", (source,))
    index, of_source, which = by_source
    row = db.execute(
        f"SELECT {COLUMNS} FROM record {index} WHERE job = ? AND bucket_ms > ? AND bucket_ms < ?{of_source} "
        "ORDER BY +score DESC, bucket_ms, series LIMIT 1",  # +: not by the index of scores, which knows no time
        (job.number, low, high, *which),
    ).fetchone()
    return record_of(job, row, series_name(row[0])) if row is not None else None


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def of_job(
    database: Database, ask: Ask, job: Job, query: OverviewQuery, kind: Kind, lag_max_ms: int,
    series_name: Callable[[int], tuple[str, str]],
) -> Lane:
    """The lane of one job that follows series."""
    grid = Grid(query.start_ms, query.end_ms, query.bins, 1000 * job.spec.bucket_span_s)
    low, high = grid.start_ms - grid.bucket_ms, grid.end_ms
    async with agreeing(database, ask, job.number) as (db, live):
        held = await asyncio.to_thread(sums_of, live)
        stored = await db.execute_fetchall(
            "SELECT start_ms, source_count, event_count, record_count, moderate_count, novelty, score FROM job_bucket "
            "WHERE job = ? AND start_ms > ? AND start_ms < ?",
            (job.number, low, high),
        )
    mine = {start: one for start, one in held.items() if low < start < high}
    painted: dict[int, float] = {}
    for start, _, events, _, moderate, _, score in stored:
        if start not in mine:
            painted[start] = lifted(score, moderate, events)
        else:
            one = mine[start]
            mine[start] = one._replace(
                moderate=one.moderate + moderate, events=one.events + events, score=max(one.score, score)
            )
    painted |= {start: lifted(one.score, one.moderate, one.events) for start, one in mine.items()}
    heard = await ask(lambda engine: heard_by(engine, job.number, lag_max_ms))
    record = await database.look(lambda db: strongest(db, job, low, high, series_name))
    scores = one_lane(grid, painted)
    last_ms = int(heard.last_ms.max()) if heard.number.size else None
    return Lane(job.spec.id, kind, worst_of(scores), scores, last_ms, bool(heard.live.any()), record)


def one_lane(grid: Grid, painted: dict[int, float]) -> NDArray[np.float64]:
    """(bins,) of the scores of buckets by their start."""
    scores = np.full((1, grid.bins), np.nan)
    start = np.array(list(painted), np.int64)
    grid.paint(scores, np.zeros(start.size, np.int64), start, start, np.array(list(painted.values()), float))
    only: NDArray[np.float64] = scores[0]
    return only


def worst_of(scores: NDArray[np.float64]) -> float:
    """The highest of them, 0 without any."""
    highest = float(np.fmax.reduce(scores, initial=0.0))
    return 0.0 if math.isnan(highest) else highest


async def of_analysis(database: Database, number: int, query: OverviewQuery, span_s: int) -> NDArray[np.float64]:
    """(bins,) of a job with detectors, by its results; NaN where no bucket had an event or a record."""
    grid = Grid(query.start_ms, query.end_ms, query.bins, 1000 * span_s)
    rows = await database.read(
        "SELECT start_ms, score FROM result_bucket WHERE job = ? AND start_ms > ? AND start_ms < ? AND "
        "(event_count > 0 OR record_count > 0)",
        (number, grid.start_ms - grid.bucket_ms, grid.end_ms),
    )
    return one_lane(grid, dict(rows))


def paged(query: OverviewQuery, every: Sequence[Lane]) -> Overview:
    """The page of *query* of all lanes."""
    query, place = placed(query)
    rows = sorted((one for one in every if one.name.startswith(query.prefix)), key=lambda one: (-one.worst, one.name))
    worst = np.array([one.worst for one in rows])
    behind = [one for one in rows if place is None or (-one.worst, one.name) > (-place[0], place[1])]
    page = tuple(behind[: query.limit])
    following = next_cursor(query, page[-1]) if len(behind) > query.limit else None
    return Overview(query, len(rows), counted(worst, len(rows)), page, following)
