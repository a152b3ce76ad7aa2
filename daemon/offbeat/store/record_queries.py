"""Records by time or score, and findings in the order in which the journal gave them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from offbeat.engine.entries import Job
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Bucket, Page, Record, RecordQuery, StreamEvent
from offbeat_detectors import explain

COLUMNS = (
    "series, bucket_ms, source, time_ms, actual, typical, lower, upper, novelty, probability, score, evidence, seq, "
    "ordinal"
)
FORM = 12
"""So many of COLUMNS make the record; the rest is its place."""


async def records(
    database: Database,
    job: Job,
    query: RecordQuery,
    sources: list[int] | None,
    fields: list[int] | None,
    name_of: Callable[[int], tuple[str, str]],
) -> Page[Record]:
    """Records of *job* in the bounds and order of *query*.

    *sources* and *fields* are numbers of the catalog, None for all.
    """
    where, parameters = ["job = ?"], list[Any]([job.number])
    if sources is not None:
        where.append(f"source IN ({','.join('?' * len(sources))})")
        parameters += sources
    if fields is not None:
        where.append(f"series IN (SELECT id FROM series WHERE field IN ({','.join('?' * len(fields))}))")
        parameters += fields
    for condition, value in (
        ("bucket_ms >= ?", query.start_ms),
        ("bucket_ms < ?", query.end_ms),
        ("score >= ?", query.min_score),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    by_score, down = query.order == "-score", query.order != "time"
    keys = ("score", "novelty", "bucket_ms", "series") if by_score else ("bucket_ms", "series")
    kinds = (float, float, int, int) if by_score else (int, int)
    if (place := place_of(query.cursor, *kinds)) is not None:
        where.append(f"({', '.join(keys)}) {'<' if down else '>'} ({', '.join('?' * len(keys))})")
        parameters += place
    order = ", ".join(f"{key} {'DESC' if down else 'ASC'}" for key in keys)
    rows = await database.read(
        f"SELECT {COLUMNS} FROM record WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?",
        [*parameters, query.limit + 1],
    )
    more, rows = len(rows) > query.limit, rows[: query.limit]
    found = tuple(record_of(job, row, name_of(row[0])) for row in rows)
    if not more:
        return Page(found, None)
    last = dict(zip(COLUMNS.split(", "), rows[-1], strict=True))
    return Page(found, cursor_of(*(last[key] for key in keys)))


def record_of(job: Job, row: tuple[Any, ...], name: tuple[str, str]) -> Record:
    """A row of COLUMNS as a record; *name* is its source and field."""
    _, bucket_ms, _, time_ms, *numbers, evidence = row[:FORM]
    actual, typical, lower, upper, novelty, probability, score = (math.nan if x is None else x for x in numbers)
    source, field = name
    spec = job.spec
    return Record(
        id_of(spec.id, source, field, bucket_ms),
        spec.id,
        0,
        spec.function,
        source,
        field,
        bucket_ms,
        spec.bucket_span_s,
        time_ms,
        actual,
        typical,
        lower,
        upper,
        novelty,
        probability,
        score,
        spec.model,
        evidence or b"",
    )


def sentence_of(r: Record) -> str:
    """What was seen and expected, and why that is odd."""
    found = explain.Finding(
        f"{r.field} of {r.source}", r.time_ms, r.actual, r.typical, r.lower, r.upper, r.novelty, r.probability
    )
    return explain.tell(found, explain.unpack(r.evidence), (), None).sentence


async def findings_in(
    database: Database,
    jobs: Mapping[int, Job],
    sources: Sequence[int],
    start_ms: int,
    end_ms: int,
    limit: int,
    series_name: Callable[[int], tuple[str, str]],
) -> list[tuple[int, Record]]:
    """The newest records of *sources* of the times *start_ms* to *end_ms*, both included: series and record of each."""
    if not jobs:
        return []
    longest_ms = 1000 * max(job.spec.bucket_span_s for job in jobs.values())
    rows = await database.read(
        f"SELECT job, {COLUMNS} FROM record WHERE job IN ({','.join('?' * len(jobs))}) AND source IN "
        f"({','.join('?' * len(sources))}) AND bucket_ms > ? AND bucket_ms <= ? AND time_ms BETWEEN ? AND ? "
        "ORDER BY time_ms DESC, job, series LIMIT ?",
        (*jobs, *sources, start_ms - longest_ms, end_ms, start_ms, end_ms, limit),
    )
    return [(row[1], record_of(jobs[row[0]], row[1:], series_name(row[1]))) for row in rows]


DETECTOR = "0"
"""The number of a job's one detector, in the ids of its records."""
_COLON = str.maketrans({"%": "%25", ":": "%3A"})


def id_of(job: str, source: str, field: str, bucket_ms: int) -> str:
    """The id of a record. A colon in a name is written %3A there, and a percent sign %25, so that no two are alike."""
    return f"{job}:{DETECTOR}:{source.translate(_COLON)}:{field.translate(_COLON)}:{bucket_ms}"


def key_of(id: str) -> tuple[str, str, str, int] | None:
    """Job, source, field and bucket of the record of this id; None if no record can have it."""
    job, detector, source, field, bucket = (*id.split(":"), "", "", "", "", "")[:5]
    if detector != DETECTOR or id.count(":") != 4 or not re.fullmatch(r"-?[0-9]{1,18}", bucket, re.ASCII):
        return None
    key = job, unquote(source), unquote(field), int(bucket)
    return key if id_of(*key) == id else None


async def record(
    database: Database, job: Job, series: int, bucket_ms: int, name: tuple[str, str]
) -> tuple[Record, int] | None:
    """The record of one series in one bucket, and how many of that series, itself included, score as much or more."""
    rows = await database.read(
        f"SELECT {COLUMNS}, (SELECT count(*) FROM record AS other WHERE other.job = record.job "
        "AND other.source = record.source AND other.series = record.series AND other.score >= record.score) "
        "FROM record WHERE job = ? AND series = ? AND bucket_ms = ?",
        (job.number, series, bucket_ms),
    )
    return (record_of(job, rows[0], name), rows[0][-1]) if rows else None


async def findings_after(
    database: Database,
    jobs: Mapping[int, Job],
    after: tuple[int, int],
    upto: int,
    limit: int,
    series_name: Callable[[int], tuple[str, str]],
    source_name: Callable[[int], str],
) -> list[StreamEvent]:
    """Records and buckets that the journal gave after the place *after* = (sequence, ordinal), up to *upto*, in order.

    Of a bucket that changed several times, only the last form is kept.
    """
    # Not left out below: a page full of what a deleted job found would look like the end.
    known = f"job IN ({','.join(str(number) for number in jobs)})"
    found_records = await database.read(
        f"SELECT job, {COLUMNS} FROM record WHERE (seq, ordinal) > (?, ?) AND seq <= ? AND {known} "
        "ORDER BY seq, ordinal LIMIT ?",
        (*after, upto, limit),
    )
    found_buckets = await database.read(
        "SELECT job, source, start_ms, event_count, record_count, novelty, score, seq, ordinal FROM finding_bucket "
        f"WHERE (seq, ordinal) > (?, ?) AND seq <= ? AND {known} ORDER BY seq, ordinal LIMIT ?",
        (*after, upto, limit),
    )
    placed: list[tuple[tuple[int, int], StreamEvent]] = []
    for row in found_records:
        if (job := jobs.get(row[0])) is not None:
            place = (row[1 + FORM], row[2 + FORM])
            placed.append(
                (place, StreamEvent(f"{place[0]}-{place[1]}", "record", record_of(job, row[1:], series_name(row[1]))))
            )
    for number, source, start, events, count, novelty, score, seq, ordinal in found_buckets:
        if (job := jobs.get(number)) is not None:
            bucket = Bucket(
                job.spec.id, source_name(source), start, job.spec.bucket_span_s, events, count, novelty, score, False
            )
            placed.append(((seq, ordinal), StreamEvent(f"{seq}-{ordinal}", "bucket", bucket)))
    placed.sort(key=lambda pair: pair[0])
    return [event for _, event in placed[:limit]]
