"""Results of analyses as our own API asks for them: by time or by score, and on from where a page ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from offbeat.store.analysis_queries import (
    BUCKETS,
    INFLUENCERS,
    POINTS,
    RECORDS,
    Asked,
    BucketRow,
    InfluencerRow,
    Plotted,
    PointRow,
    RecordRow,
    bucket_row,
    influencer_row,
    plot_left_out,
    point_row,
    record_row,
    where_plotted,
)
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Order, Page

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ResultQuery:
    """Which results of a job. Times are those of the bucket's start; interim: also of buckets that are open."""

    start_ms: int | None = None
    end_ms: int | None = None
    min_score: float | None = None
    order: Order = "time"
    limit: int = 100
    cursor: str | None = None
    interim: bool = False


async def buckets(database: Database, job: int, query: ResultQuery) -> Page[BucketRow]:
    """Buckets, by their own score."""
    return await _page(database, job, query, BUCKETS, bucket_row, "b.score", "b.interim")


async def records(database: Database, job: int, query: ResultQuery) -> Page[RecordRow]:
    """Records, by their own score."""
    return await _page(database, job, query, RECORDS, record_row, "r.score", "r.ordinal")


async def influencers(database: Database, job: int, query: ResultQuery) -> Page[InfluencerRow]:
    """Influencers, by how anomalous they are."""
    return await _page(database, job, query, INFLUENCERS, influencer_row, "b.anomaly_score", "b.ordinal")


async def plot(database: Database, job: int, query: ResultQuery, which: Plotted) -> tuple[Page[PointRow], int]:
    """Points of the model plot, and how many of that time were not kept, for their buckets had too many."""
    found = await _page(database, job, query, POINTS, point_row, "b.score", "p.ordinal", *where_plotted(which))
    return found, await plot_left_out(database, job, Asked(query.start_ms, query.end_ms))


async def _page(
    database: Database,
    job: int,
    query: ResultQuery,
    table: tuple[str, str],
    made: Any,
    score: str,
    ordinal: str,
    further: Sequence[str] = (),
    of_those: Sequence[Any] = (),
) -> Page[Any]:
    columns, source = table
    where, values = ["b.job = ?", *further], [job, *of_those]
    for condition, value in (
        ("b.start_ms >= ?", query.start_ms), ("b.start_ms < ?", query.end_ms), (f"{score} >= ?", query.min_score)
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    if not query.interim:
        where.append("b.interim = 0")
    by_score, backwards = query.order == "-score", query.order == "-time"
    place = place_of(query.cursor, *((float, int, int) if by_score else (int, int)))
    key = f"b.start_ms, {ordinal}"
    if place is not None:
        after = f"({key}) {'<' if backwards else '>'} (?, ?)"
        where.append(f"({score} < ? OR {score} = ? AND {after})" if by_score else after)
        values += [place[0], *place] if by_score else place
    direction = "DESC" if backwards else "ASC"
    order = f"{f'{score} DESC, ' if by_score else ''}b.start_ms {direction}, {ordinal} {direction}"
    rows = await database.read(
        f"SELECT {score}, b.start_ms, {ordinal}, {columns} FROM {source} WHERE {' AND '.join(where)} "
        f"ORDER BY {order} LIMIT ?",
        [*values, query.limit + 1],
    )
    shown, cursor = rows[: query.limit], None
    if len(rows) > query.limit:
        cursor = cursor_of(*shown[-1][:3]) if by_score else cursor_of(*shown[-1][1:3])
    return Page(tuple(made(*row[3:]) for row in shown), cursor)
