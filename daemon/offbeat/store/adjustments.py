"""Feedback as rows: what was said of which series, what it changed, when it was taken back; what it is weighed by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

from offbeat.engine.entries import Adjustment, AdjustmentEnd
from offbeat.store.database import Database

Verdict = Literal["normal", "missed"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NAMES: dict[Verdict, str] = {"normal": "calmer", "missed": "keener"}
HISTORY_MAX = 10_000
"""Adjustments that were taken back and are still listed."""


@dataclass(frozen=True, slots=True)
class Given:
    """An adjustment and what the person said who gave it: of the readings from *start_ms*, before *end_ms*."""

    adjustment: Adjustment
    verdict: Verdict
    note: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of the table: what was given, at which journal entries it began and ended, what it did until then.

    ended_ms, ended_seq  None while it is in force    hidden_count, revealed_count  of the findings of its series, known
        once it has ended
    """

    given: Given
    created_ms: int
    created_seq: int
    ended_ms: int | None
    ended_seq: int | None
    hidden_count: int
    revealed_count: int

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{NAMES[self.given.verdict]}-{self.given.adjustment.number}"


@dataclass(frozen=True, slots=True)
class Found:
    """A record of one series, as far as feedback needs it."""

    bucket_ms: int
    time_ms: int
    novelty: float
    score: float
    seq: int


COLUMNS = (
    "number, job, series, factor, verdict, note, start_ms, end_ms, created_ms, created_seq, ended_ms, ended_seq, "
    "hidden_count, revealed_count"
)


def packed(body: Adjustment | AdjustmentEnd) -> bytes:
    """*body* as the journal keeps it."""
    return orjson.dumps({name: getattr(body, name) for name in body.__slots__})


def adjustment_of(body: bytes) -> Adjustment:
    """The adjustment that ``packed`` was given."""
    return Adjustment(**orjson.loads(body))


def end_of(body: bytes) -> AdjustmentEnd:
    """The end that ``packed`` was given."""
    return AdjustmentEnd(**orjson.loads(body))


def begun(given: Given, at_ms: int, seq: int) -> tuple[Any, ...]:
    """The row of an adjustment that begins with entry *seq*."""
    a = given.adjustment
    return (
        a.number, a.job, a.series, a.factor, given.verdict, given.note, given.start_ms, given.end_ms, at_ms, seq,
        None, None, 0, 0,
    )


BEGIN = "INSERT INTO adjustment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
END = "UPDATE adjustment SET ended_ms = ?, ended_seq = ? WHERE number = ?"
DID = "UPDATE adjustment SET hidden_count = ?, revealed_count = ? WHERE number = ?"
# What the journal still needs to begin a replay with is left alone.
FORGET = (
    "DELETE FROM adjustment WHERE ended_seq < (SELECT coalesce(min(seq), 0) FROM journal) AND number <= "
    "(SELECT number FROM adjustment WHERE ended_seq IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?)"
)
DELETE_OF_JOB = "DELETE FROM adjustment WHERE job = ?"


def _kept(row: Sequence[Any]) -> Kept:
    number, job, series, factor, verdict, note, start_ms, end_ms, *rest = row
    return Kept(Given(Adjustment(number, job, series, factor), verdict, note, start_ms, end_ms), *rest)


async def in_force_before(database: Database, seq: int) -> list[Adjustment]:
    """The adjustments that were in force just before entry *seq*, in the order of their numbers."""
    rows = await database.read(
        "SELECT number, job, series, factor FROM adjustment WHERE created_seq < ?1 AND "
        "(ended_seq IS NULL OR ended_seq >= ?1) ORDER BY number",
        (seq,),
    )
    return [Adjustment(*row) for row in rows]


async def newest_number(database: Database) -> int:
    """The greatest number that was ever given, 0 for none."""
    rows = await database.read("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'adjustment'")
    return int(rows[0][0])


async def kept(database: Database, sources: list[int] | None, before: int, limit: int) -> list[Kept]:
    """Adjustments, newest first, with a number less than *before*; *sources*: only of series of these, None for all."""
    where = ""
    if sources is not None:
        where = f"AND series IN (SELECT id FROM series WHERE source IN ({','.join('?' * len(sources))}))"
    rows = await database.read(
        f"SELECT {COLUMNS} FROM adjustment WHERE number < ? {where} ORDER BY number DESC LIMIT ?",
        (before, *(sources or ()), limit),
    )
    return [_kept(row) for row in rows]


async def of_series(database: Database, job: int, series: int) -> list[Kept]:
    """All that is kept of one series, in the order of their numbers."""
    rows = await database.read(
        f"SELECT {COLUMNS} FROM adjustment WHERE job = ? AND series = ? ORDER BY number", (job, series)
    )
    return [_kept(row) for row in rows]


FAR_MS = 1 << 62


async def records_of(
    database: Database, job: int, series: int, limit: int, low_ms: int = -FAR_MS, high_ms: int = FAR_MS
) -> list[Found]:
    """The newest *limit* records of one series in the buckets from *low_ms*, before *high_ms*."""
    rows = await database.read(
        "SELECT bucket_ms, time_ms, novelty, score, seq FROM record WHERE job = ? "
        "AND source = (SELECT source FROM series WHERE id = ?2) AND series = ?2 "
        "AND bucket_ms >= ? AND bucket_ms < ? ORDER BY bucket_ms DESC LIMIT ?",
        (job, series, low_ms, high_ms, limit),
    )
    return [Found(*row) for row in rows]


async def other_novelties(
    database: Database, job: int, source: int, series: int, since_ms: int, limit: int
) -> dict[int, float]:
    """By bucket, the greatest novelty among the records of the other series of *source*, of *limit* records at most."""
    rows = await database.read(
        "SELECT bucket_ms, novelty FROM record WHERE job = ? AND source = ? AND bucket_ms >= ? AND series <> ? "
        "ORDER BY bucket_ms DESC LIMIT ?",
        (job, source, since_ms, series, limit),
    )
    found: dict[int, float] = {}
    for bucket_ms, novelty in rows:
        found[bucket_ms] = max(novelty, found.get(bucket_ms, 0.0))
    return found


async def series_named(database: Database, source: str, field: str) -> tuple[int, int] | None:
    """The numbers of a source and of its series *field*, None if there is no such series."""
    rows = await database.read(
        "SELECT source.id, series.id FROM source JOIN series ON series.source = source.id JOIN field "
        "ON field.id = series.field WHERE source.name = ? AND field.name = ?",
        (source, field),
    )
    return (rows[0][0], rows[0][1]) if rows else None


async def names_of(database: Database, series: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Source and field of each of these series."""
    rows = await database.read(
        "SELECT series.id, source.name, field.name FROM series JOIN source ON source.id = series.source JOIN field "
        f"ON field.id = series.field WHERE series.id IN ({','.join('?' * len(series))})",
        tuple(series),
    )
    return {number: (source, field) for number, source, field in rows}
