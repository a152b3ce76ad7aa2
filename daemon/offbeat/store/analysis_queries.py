"""Results of analyses as they are asked for: pages of buckets, records and influencers, with how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from offbeat.engine.analysis.results import Influencer, Part, PlotPoint
from offbeat.store.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of results: those that start in [start, end), and score at least so much. None: all."""

    start_ms: int | None = None
    end_ms: int | None = None
    interim: bool = False
    anomaly_score: float = 0.0
    normalized: float = 0.0
    skip: int = 0
    take: int = 100


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """A page, and how many there are on all pages."""

    count: int
    rows: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket as it is stored."""

    start_ms: int
    interim: bool
    event_count: int
    record_count: int
    probability: float
    anomaly_score: float
    initial_anomaly_score: float
    normalized_max: float
    score: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as it is stored. bucket_score: the anomaly score of its bucket; body: what ``analyses`` has in JSON."""

    start_ms: int
    ordinal: int
    interim: bool
    detector: int
    probability: float
    normalized: float
    initial_normalized: float
    score: float
    bucket_score: float
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InfluencerRow:
    """An influencer as it is stored."""

    start_ms: int
    interim: bool
    influencer: Influencer
    initial_score: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """A point of the model plot as it is stored."""

    start_ms: int
    point: PlotPoint


@dataclass(frozen=True, slots=True)
class Plotted:
    """Which points of the model plot are wanted. None: all."""

    detector: int | None = None
    feature: str | None = None
    partition: str | None = None
    by: str | None = None
    over: str | None = None


async def buckets(database: Database, job: int, asked: Asked) -> Rows[BucketRow]:
    """Buckets, the earliest first."""
    where, values = _where(job, asked, "b.anomaly_score >= ?", asked.anomaly_score)
    if asked.normalized > 0.0:
        where += " AND b.normalized_max >= ?"
        values.append(asked.normalized)
    return await _page(database, BUCKETS, where, values, "b.start_ms", asked, bucket_row)


async def bucket(database: Database, job: int, start_ms: int, *, interim: bool) -> BucketRow | None:
    """The bucket that starts just then; None if there is none."""
    found = await buckets(database, job, Asked(start_ms, start_ms + 1, interim, take=1))
    return found.rows[0] if found.rows else None


async def records(database: Database, job: int, asked: Asked, order: str, *, descending: bool) -> Rows[RecordRow]:
    """Records in *order*, a column of RECORD_ORDERS. An anomaly score is that of the bucket."""
    where, values = _where(job, asked, "b.anomaly_score >= ?", asked.anomaly_score)
    if asked.normalized > 0.0:
        where += " AND r.normalized >= ?"
        values.append(asked.normalized)
    by = f"{RECORD_ORDERS[order]} {'DESC' if descending else 'ASC'}, b.start_ms, r.ordinal"
    return await _page(database, RECORDS, where, values, by, asked, record_row)


async def influencers(
    database: Database, job: int, asked: Asked, order: str, *, descending: bool
) -> Rows[InfluencerRow]:
    """Influencers in *order*, a column of INFLUENCER_ORDERS."""
    where, values = _where(job, asked, "b.anomaly_score >= ?", asked.anomaly_score)
    by = f"{INFLUENCER_ORDERS[order]} {'DESC' if descending else 'ASC'}, b.start_ms, b.ordinal"
    return await _page(database, INFLUENCERS, where, values, by, asked, influencer_row)


async def plot(database: Database, job: int, asked: Asked, which: Plotted) -> Rows[PointRow]:
    """Points of the model plot, the earliest first; of one bucket by detector and entity, as they were first seen."""
    where, values = _where(job, asked, "b.anomaly_score >= ?", asked.anomaly_score)
    conditions, chosen = where_plotted(which)
    where = " AND ".join([where, *conditions])
    return await _page(database, POINTS, where, [*values, *chosen], "p.start_ms, p.ordinal", asked, point_row)


def where_plotted(which: Plotted) -> tuple[list[str], list[Any]]:
    """The conditions that choose those points, and their values."""
    columns = {"detector": which.detector, "feature": which.feature, "partition_value": which.partition}
    wanted = columns | {"by_value": which.by, "over_value": which.over}
    chosen = {column: value for column, value in wanted.items() if value is not None}
    return [f"p.{column} = ?" for column in chosen], list(chosen.values())


async def plot_left_out(database: Database, job: int, asked: Asked) -> int:
    """How many points of the model plot were not kept, for their buckets had too many."""
    where, values = _where(job, asked, "b.anomaly_score >= ?", asked.anomaly_score)
    left_out = "SELECT coalesce(sum(b.body ->> '$.plot_left_out'), 0)"
    rows = await database.read(f"{left_out} FROM result_bucket b WHERE {where}", values)
    return int(rows[0][0])


def _where(job: int, asked: Asked, level: str, least: float) -> tuple[str, list[Any]]:
    where, values = "b.job = ?", list[Any]([job])
    for condition, value in (("b.start_ms >= ?", asked.start_ms), ("b.start_ms < ?", asked.end_ms)):
        if value is not None:
            where += f" AND {condition}"
            values.append(value)
    if not asked.interim:
        where += " AND b.interim = 0"
    if least > 0.0:
        where += f" AND {level}"
        values.append(least)
    return where, values


async def _page(
    database: Database, table: tuple[str, str], where: str, values: list[Any], order: str, asked: Asked, made: Any
) -> Rows[Any]:
    columns, source = table
    async with database.snapshot() as db:  # the count and the page are of the same moment
        count = await db.execute_fetchall(f"SELECT count(*) FROM {source} WHERE {where}", values)
        rows = await db.execute_fetchall(
            f"SELECT {columns} FROM {source} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
            [*values, asked.take, asked.skip],
        )
    return Rows(int(next(iter(count))[0]), tuple(made(*row) for row in rows))


BUCKETS = (
    "b.start_ms, b.interim, b.event_count, b.record_count, b.probability, b.anomaly_score, b.initial_anomaly_score, "
    "b.normalized_max, b.score, b.body",
    "result_bucket b",
)
RECORDS = (
    "b.start_ms, r.ordinal, r.interim, r.detector, r.probability, r.normalized, r.initial_normalized, r.score, "
    "b.anomaly_score, r.body",
    "result_record r JOIN result_bucket b ON b.job = r.job AND b.start_ms = r.start_ms",
)
INFLUENCERS = (
    "b.start_ms, b.interim, b.field, b.value, b.probability, b.anomaly_score, b.initial_anomaly_score",
    "result_influencer b",
)
POINTS = (
    "p.start_ms, p.detector, p.feature, p.partition_value, p.by_value, p.over_value, p.lower, p.typical, p.upper, "
    "p.actual",
    "result_plot p JOIN result_bucket b ON b.job = p.job AND b.start_ms = p.start_ms",
)
RECORD_ORDERS = {
    "timestamp": "b.start_ms",
    "detectorIndex": "r.detector",
    "probability": "r.probability",
    "normalizedProbability": "r.normalized",
    "initialNormalizedProbability": "r.initial_normalized",
    "anomalyScore": "b.anomaly_score",
    "isInterim": "r.interim",
    "functionDescription": "r.body ->> '$.description'",
    "byFieldValue": "r.body ->> '$.by'",
    "correlatedByFieldValue": "r.body ->> '$.correlated'",
    "overFieldValue": "r.body ->> '$.over'",
    "partitionFieldValue": "r.body ->> '$.partition'",
    "typical": "r.body ->> '$.typical[0]'",
    "actual": "r.body ->> '$.actual[0]'",
}
"""By the name that clients sort by. What all records of a job share, or a detector fixes, sorts as its index does."""
for _same in ("bucketSpan", "function", "fieldName", "byFieldName", "overFieldName", "partitionFieldName"):
    RECORD_ORDERS[_same] = "r.detector"
INFLUENCER_ORDERS = {
    "timestamp": "b.start_ms",
    "influencerFieldName": "b.field",
    "influencerFieldValue": "b.value",
    "probability": "b.probability",
    "anomalyScore": "b.anomaly_score",
    "initialAnomalyScore": "b.initial_anomaly_score",
    "isInterim": "b.interim",
}


def bucket_row(start_ms: int, interim: int, events: int, count: int, *rest: Any) -> BucketRow:
    probability, anomaly, initial, normalized, score, body = rest
    parts = tuple(Part(one["field"], one["probability"], one["score"]) for one in orjson.loads(body)["parts"])
    return BucketRow(start_ms, bool(interim), events, count, probability, anomaly, initial, normalized, score, parts)


def record_row(start_ms: int, ordinal: int, interim: int, detector: int, *rest: Any) -> RecordRow:
    probability, normalized, initial, score, of_bucket, body = rest
    return RecordRow(
        start_ms,
        ordinal,
        bool(interim),
        detector,
        probability,
        normalized,
        initial,
        score,
        of_bucket,
        orjson.loads(body),
    )


def influencer_row(
    start_ms: int, interim: int, field: str, value: str, probability: float, score: float, initial: float
) -> InfluencerRow:
    return InfluencerRow(start_ms, bool(interim), Influencer(field, value, probability, score), initial)


def point_row(start_ms: int, *point: Any) -> PointRow:
    return PointRow(start_ms, PlotPoint(*point))
