"""Analyses on disk: what they are asked, their checkpoints and model snapshots, their results as rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
import orjson

from offbeat.engine.analysis.results import BucketResult, Found, Influencer, Plot, Rescore
from offbeat.engine.analysis.scoring import BUCKET, BUCKET_TIME, RECORD, level_of
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.analysis.spec import spec_of as spec_of_document
from offbeat.packing import BadPack, pack, unpack
from offbeat.store.database import Database, Statements
from offbeat_detectors.contract import State

PIECE_BYTES = 1 << 20
"""What one transaction writes of a checkpoint."""
LEVEL_ZSTD = -1
CURRENT = "current"
"""The name of the state of a checkpoint; a model snapshot's is ``snapshot:<id>``."""
PAGE = 2_000

KEEP_BUCKET = "INSERT OR REPLACE INTO result_bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_RECORD = "INSERT OR REPLACE INTO result_record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_INFLUENCER = "INSERT OR REPLACE INTO result_influencer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEEP_POINT = "INSERT OR REPLACE INTO result_plot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
RESULTS = ("result_bucket", "result_record", "result_influencer")
OF_BUCKETS = (*RESULTS, "result_plot")


@dataclass(frozen=True, slots=True)
class Kept:
    """An analysis as the store has it; *document* is whatever those who serve it want to remember. seq: see schema."""

    number: int
    spec: AnalysisSpec
    document: dict[str, Any]
    created_ms: int
    created_seq: int
    seq: int


def spec_json(spec: AnalysisSpec) -> str:
    """*spec* as the store keeps it."""
    return orjson.dumps(asdict(spec)).decode()


def spec_of(text: str) -> AnalysisSpec:
    """The analysis that ``spec_json`` was given."""
    return spec_of_document(orjson.loads(text))


async def load(database: Database) -> list[Kept]:
    """All analyses, oldest first."""
    rows = await database.read(
        "SELECT number, spec, document, created_ms, created_seq, seq FROM analysis ORDER BY number"
    )
    return [Kept(number, spec_of(spec), orjson.loads(document), *rest) for number, spec, document, *rest in rows]


async def newest_number(database: Database) -> int:
    """The largest number that an analysis ever had."""
    rows = await database.read("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'analysis'")
    return int(rows[0][0])


def asked(number: int, spec: AnalysisSpec) -> Statements:
    """What replaces that which an analysis is asked."""
    return [("UPDATE analysis SET spec = ? WHERE number = ?", [(spec_json(spec), number)])]


def document_of(number: int, document: dict[str, Any]) -> Statements:
    """What replaces that which is remembered of an analysis."""
    return [("UPDATE analysis SET document = ? WHERE number = ?", [(orjson.dumps(document).decode(), number)])]


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────


def statements_of(job: int, result: BucketResult) -> Statements:
    """What writes the result of a bucket, and deletes what of the model plot is over; twice changes nothing."""
    start, interim = result.start_ms, int(result.interim)
    place = [(job, start)]
    parts = [{"field": part.field, "probability": part.probability, "score": part.score} for part in result.parts]
    body: dict[str, Any] = {"parts": parts}
    if result.plot is not None and result.plot.left_out:
        body["plot_left_out"] = result.plot.left_out
    return [
        ("DELETE FROM result_record WHERE job = ? AND start_ms = ?", place),
        ("DELETE FROM result_influencer WHERE job = ? AND start_ms = ?", place),
        (
            KEEP_BUCKET,
            [
                (
                    job,
                    start,
                    interim,
                    result.event_count,
                    len(result.found),
                    result.probability,
                    result.anomaly_score,
                    result.anomaly_score,
                    result.normalized_max,
                    result.score,
                    orjson.dumps(body),
                )
            ],
        ),
        (KEEP_RECORD, [_record(job, start, i, interim, one) for i, one in enumerate(result.found)]),
        (KEEP_INFLUENCER, [_influencer(job, start, i, interim, one) for i, one in enumerate(result.influencers)]),
        *_plot(job, start, result.plot),
    ]


def _plot(job: int, start_ms: int, plot: Plot | None) -> Statements:
    if plot is None:
        return []
    return [
        ("DELETE FROM result_plot WHERE job = ? AND start_ms = ?", [(job, start_ms)]),
        ("DELETE FROM result_plot WHERE job = ? AND start_ms < ?", [(job, plot.oldest_ms)]),
        (KEEP_POINT, [(job, start_ms, i, *astuple(point)) for i, point in enumerate(plot.points)]),
    ]


def _record(job: int, start_ms: int, ordinal: int, interim: int, found: Found) -> tuple[Any, ...]:
    body = {
        "description": found.description,
        "partition": found.partition,
        "by": found.by,
        "over": found.over,
        "typical": found.typical,
        "actual": found.actual,
        "lower": found.lower,
        "upper": found.upper,
        "influencers": found.influencers,
        "causes": found.causes,
    }
    return (
        job,
        start_ms,
        ordinal,
        interim,
        found.detector,
        found.probability,
        found.normalized,
        found.normalized,
        found.score,
        orjson.dumps(body),
    )


def _influencer(job: int, start_ms: int, ordinal: int, interim: int, one: Influencer) -> tuple[Any, ...]:
    return job, start_ms, ordinal, interim, one.field, one.value, one.probability, one.score, one.score


def forget_interim(job: int) -> Statements:
    """What deletes all interim results of a job."""
    return [(f"DELETE FROM {table} WHERE job = ? AND interim = 1", [(job,)]) for table in RESULTS]


def forget_results_after(job: int, start_ms: int) -> Statements:
    """What deletes the results of buckets after the one at *start_ms*."""
    return [(f"DELETE FROM {table} WHERE job = ? AND start_ms > ?", [(job, start_ms)]) for table in OF_BUCKETS]


async def rescore(database: Database, job: int, before_ms: int, since_ms: int, by: Rescore) -> None:
    """Set the scores of results from *since_ms* on, before *before_ms*, anew. Raises StoreUnavailable.

    What each was at first stays. To do it twice changes nothing.
    """
    for level in by.levels:
        if level == RECORD:
            await _rescore_rows(
                database, job, (since_ms, before_ms), by, level, "result_record", "start_ms, ordinal", "normalized", ""
            )
        elif level != BUCKET:
            field = level.removeprefix(level_of(""))
            await _rescore_rows(
                database,
                job,
                (since_ms, before_ms),
                by,
                level,
                "result_influencer",
                "start_ms, ordinal",
                "anomaly_score",
                field,
            )
    await _rescore_buckets(database, job, (since_ms, before_ms), by)


async def _rescore_rows(
    database: Database,
    job: int,
    span: tuple[int, int],
    by: Rescore,
    level: str,
    table: str,
    key: str,
    column: str,
    field: str,
) -> None:
    where = "job = ? AND start_ms >= ? AND start_ms < ?" + (" AND field = ?" if field else "")
    asked = (job, *span, field) if field else (job, *span)
    rows = await database.read(f"SELECT {key}, probability, {column} FROM {table} WHERE {where} ORDER BY {key}", asked)
    if not rows:
        return
    scores = np.nan_to_num(by.normalizer.rescore(level, np.array([row[2] for row in rows]))).tolist()
    changed = [(score, job, *row[:2]) for row, score in zip(rows, scores, strict=True) if score != row[3]]
    for some in _some(changed):
        sql = f"UPDATE {table} SET {column} = ? WHERE job = ? AND start_ms = ? AND ordinal = ?"
        await database.write([(sql, some)])


async def _rescore_buckets(database: Database, job: int, span: tuple[int, int], by: Rescore) -> None:
    """Of each bucket the scores of its parts, the largest of which is its own, and of its records the largest."""
    rows = await database.read(
        "SELECT start_ms, body, anomaly_score, normalized_max, (SELECT coalesce(max(normalized), 0.0) "
        "FROM result_record r WHERE r.job = b.job AND r.start_ms = b.start_ms) FROM result_bucket b "
        "WHERE job = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms",
        (job, *span),
    )
    bodies = [orjson.loads(row[1]) for row in rows]
    parts = [part for body in bodies for part in body["parts"]]
    for field in dict.fromkeys(part["field"] for part in parts):
        level = BUCKET if field == BUCKET_TIME else level_of(field)
        if level in by.levels:
            those = [part for part in parts if part["field"] == field]
            made = by.normalizer.rescore(level, np.array([part["probability"] for part in those]))
            for part, score in zip(those, np.nan_to_num(made).tolist(), strict=True):
                part["score"] = score
    changed = []
    for (start, packed, anomaly, most, now_most), body in zip(rows, bodies, strict=True):
        score = max((part["score"] for part in body["parts"]), default=anomaly)
        again = orjson.dumps(body)
        if (score, now_most, again) != (anomaly, most, packed):
            changed.append((score, now_most, again, job, start))
    for some in _some(changed):
        await database.write(
            [
                (
                    "UPDATE result_bucket SET anomaly_score = ?, normalized_max = ?, body = ? "
                    "WHERE job = ? AND start_ms = ?",
                    some,
                )
            ]
        )


def _some(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    for first in range(0, len(rows), PAGE):
        yield rows[first : first + PAGE]


# ── states: checkpoints and model snapshots ───────────────────────────────────────────────────────────────────


async def keep_state(database: Database, job: int, name: str, state: State) -> None:
    """Write *state* under *name*, which nobody reads yet, a piece a transaction. Raises StoreUnavailable."""
    packed = await asyncio.to_thread(pack, state, LEVEL_ZSTD)
    await database.write([("DELETE FROM analysis_state WHERE job = ? AND name = ?", [(job, name)])])
    for piece, first in enumerate(range(0, len(packed), PIECE_BYTES)):
        row = (job, name, piece, packed[first : first + PIECE_BYTES])
        await database.write([("INSERT INTO analysis_state VALUES (?, ?, ?, ?)", [row])])


async def load_state(database: Database, job: int, name: str) -> State:
    """The state of this name. Raises BadPack if there is none, or it is damaged."""
    rows = await database.read("SELECT body FROM analysis_state WHERE job = ? AND name = ? ORDER BY piece", (job, name))
    if not rows:
        raise BadPack(f"analysis {job} has no state {name}", hint="the database file is damaged")
    return await asyncio.to_thread(unpack, b"".join(row[0] for row in rows))


def position(seq: int) -> str:
    """The name of the state of the checkpoint at *seq*."""
    return f"{CURRENT}:{seq}"


def move(job: int, seq: int) -> Statements:
    """What makes the state of ``position(seq)`` the checkpoint of *job*, and deletes those before it."""
    return [
        ("UPDATE analysis SET seq = ? WHERE number = ?", [(seq, job)]),
        (
            "DELETE FROM analysis_state WHERE job = ? AND name LIKE ? AND name <> ?",
            [(job, f"{CURRENT}:%", position(seq))],
        ),
    ]


def forget(job: int) -> Statements:
    """What deletes all that belongs to *job*, but for the job itself."""
    tables = (*OF_BUCKETS, "model_snapshot", "analysis_state")
    return [(f"DELETE FROM {table} WHERE job = ?", [(job,)]) for table in tables]
