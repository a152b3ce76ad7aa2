"""Analyses on disk: what they are asked, their checkpoints and model snapshots, their results as rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import orjson

from offbeat.engine.analysis.question import CUT_OFF
from offbeat.engine.analysis.results import BucketResult, Found, Influencer, Rescore
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
BROUGHT = "brought"
"""The name of the state that an imported analysis begins with; its first checkpoint takes the place."""
FAILED = "failed"
"""The name under which it is kept that an analysis has failed, and where."""
PAGE = 2_000
ROWS_AT_ONCE = 128
"""What one transaction writes of results: senders that wait for theirs do not notice."""

SET_LARGEST = (
    "UPDATE result_bucket AS b SET normalized_max = (SELECT coalesce(max(+normalized), 0.0) FROM result_record r "
    "WHERE r.job = b.job AND r.start_ms = b.start_ms) WHERE job = ?"
)
"""The plus keeps SQLite from seeking the largest in the index of all records of the job, from its end on."""
AT_ONCE = (64, 8, 1)
"""Rows of one statement. Each step of SQLite gives the interpreter away and waits for it: few large ones are cheap."""
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


def by_rows(results: Sequence[BucketResult]) -> Iterator[Sequence[BucketResult]]:
    """*results* in their order, some at a time: of about ROWS_AT_ONCE rows, or one."""
    first = rows = 0
    for i, result in enumerate(results):
        count = 1 + len(result.found) + len(result.influencers)
        count += len(result.plot.points) if result.plot is not None else 0
        if i > first and rows + count > ROWS_AT_ONCE:
            yield results[first:i]
            first, rows = i, 0
        rows += count
    if first < len(results):
        yield results[first:]


def statements_of(job: int, results: Sequence[BucketResult]) -> Statements:
    """What writes the results of buckets, each bucket once, and deletes what is over of their model plot.

    To write them twice changes nothing.
    """
    starts = [result.start_ms for result in results]
    return [
        *_at(job, "DELETE FROM result_record WHERE job = ?", starts),
        *_at(job, "DELETE FROM result_influencer WHERE job = ?", starts),
        *_kept("result_bucket", [_bucket(job, result) for result in results]),
        *_kept(
            "result_record",
            [_record(job, of.start_ms, i, int(of.interim), one) for of in results for i, one in enumerate(of.found)],
        ),
        *_kept(
            "result_influencer",
            [
                _influencer(job, of.start_ms, i, int(of.interim), one)
                for of in results
                for i, one in enumerate(of.influencers)
            ],
        ),
        *_plots(job, results),
    ]


def _together(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[list[Any]]]]:
    """*rows* as the parameters of statements for so many rows each, one of AT_ONCE."""
    first = 0
    for size in AT_ONCE:
        last = first + (len(rows) - first) // size * size
        if last > first:
            yield size, [list(chain.from_iterable(rows[i : i + size])) for i in range(first, last, size)]
        first = last


def _kept(table: str, rows: Sequence[Sequence[Any]]) -> Statements:
    """What puts *rows* into *table*, each in the place of the one with its key."""
    return [
        (f"INSERT OR REPLACE INTO {table} VALUES {_marks(size, len(rows[0]))}", some) for size, some in _together(rows)
    ]


def _at(job: int, statement: str, starts: Sequence[int]) -> Statements:
    """What does *statement*, which ends with a condition of the job, to buckets that start then."""
    return [
        (f"{statement} AND start_ms IN ({', '.join('?' * size)})", [[job, *those] for those in some])
        for size, some in _together([(start,) for start in starts])
    ]


def _set(table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Sequence[Any]]) -> Statements:
    """What sets *columns* of the rows of *table* that have these keys: *rows* are values of both."""
    values = ", ".join(f"{name} = v.column{i}" for i, name in enumerate(columns, 1))
    where = " AND ".join(f"t.{name} = v.column{i}" for i, name in enumerate(key, len(columns) + 1))
    return [
        (f"UPDATE {table} AS t SET {values} FROM (VALUES {_marks(size, len(rows[0]))}) AS v WHERE {where}", some)
        for size, some in _together(rows)
    ]


def _marks(rows: int, columns: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


def _plots(job: int, results: Sequence[BucketResult]) -> Statements:
    plots = [(result.start_ms, result.plot) for result in results if result.plot is not None]
    if not plots:
        return []
    points = [
        (job, start_ms, i, *astuple(point)) for start_ms, plot in plots for i, point in enumerate(plot.points)
    ]
    return [
        *_at(job, "DELETE FROM result_plot WHERE job = ?", [start_ms for start_ms, _ in plots]),
        *_kept("result_plot", points),
        ("DELETE FROM result_plot WHERE job = ? AND start_ms < ?", [(job, plots[-1][1].oldest_ms)]),
    ]


def _bucket(job: int, result: BucketResult) -> tuple[Any, ...]:
    parts = [{"field": part.field, "probability": part.probability, "score": part.score} for part in result.parts]
    body: dict[str, Any] = {"parts": parts}
    if result.plot is not None and result.plot.left_out:
        body["plot_left_out"] = result.plot.left_out
    return (
        job,
        result.start_ms,
        int(result.interim),
        result.event_count,
        len(result.found),
        result.probability,
        result.anomaly_score,
        result.anomaly_score,
        result.normalized_max,
        result.score,
        orjson.dumps(body),
    )


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
    if found.correlated is not None:
        body["correlated"] = found.correlated
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

    What each was at first stays. To do it twice changes nothing, nor does it to begin anew after a kill in between.
    """
    asked = (job, since_ms, before_ms)
    for level in by.levels:
        if level == RECORD:
            for some in _some(await database.look(partial(_records_changed, asked, by))):
                # With the records of a bucket goes the largest of them: a kill does not come in between.
                buckets = sorted({row[2] for row in some})
                await database.write(
                    [
                        *_set("result_record", ("normalized",), ("job", "start_ms", "ordinal"), some),
                        *_at(job, SET_LARGEST, buckets),
                    ]
                )
        elif level != BUCKET:
            for some in _some(await database.look(partial(_influencers_changed, asked, by, level))):
                await database.write(
                    _set("result_influencer", ("anomaly_score",), ("job", "start_ms", "ordinal"), some)
                )
    for some in _some(await database.look(partial(_buckets_changed, asked, by))):
        await database.write(_set("result_bucket", ("anomaly_score", "body"), ("job", "start_ms"), some))


def _records_changed(asked: tuple[int, int, int], by: Rescore, db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    rows = db.execute(
        "SELECT start_ms, ordinal, probability, normalized FROM result_record "
        "WHERE job = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms, ordinal",
        asked,
    ).fetchall()
    return [(score, asked[0], start, ordinal) for score, start, ordinal in _changed(rows, by, RECORD)]


def _influencers_changed(
    asked: tuple[int, int, int], by: Rescore, level: str, db: sqlite3.Connection
) -> list[tuple[Any, ...]]:
    rows = db.execute(
        "SELECT start_ms, ordinal, probability, anomaly_score FROM result_influencer "
        "WHERE job = ? AND start_ms >= ? AND start_ms < ? AND field = ? ORDER BY start_ms, ordinal",
        (*asked, level.removeprefix(level_of(""))),
    ).fetchall()
    return [(score, asked[0], start, ordinal) for score, start, ordinal in _changed(rows, by, level)]


def _changed(rows: list[Any], by: Rescore, level: str) -> list[tuple[float, int, int]]:
    """Score, start and ordinal of the rows (start, ordinal, probability, score) whose score is another now."""
    if not rows:
        return []
    start, ordinal, probability, score = (np.array(column) for column in zip(*rows, strict=True))
    now = np.nan_to_num(by.normalizer.rescore(level, probability.astype(np.float64)))
    at = np.flatnonzero(now != score)
    return list(zip(now[at].tolist(), start[at].tolist(), ordinal[at].tolist(), strict=True))


def _buckets_changed(asked: tuple[int, int, int], by: Rescore, db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Of each bucket the scores of its parts, the largest of which is its own.

    Those of a bucket without a record, as little probable as others, are 0 whatever the past is.
    """
    if not any(level != RECORD for level in by.levels):
        return []
    of_influencers = any(level not in (RECORD, BUCKET) for level in by.levels)
    rows = db.execute(
        "SELECT start_ms, body, anomaly_score FROM result_bucket WHERE job = ? AND start_ms >= ? AND start_ms < ? "
        "AND (probability <= ? OR (? AND record_count > 0)) ORDER BY start_ms",
        (*asked, CUT_OFF, of_influencers),
    ).fetchall()
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
    for (start, packed, anomaly), body in zip(rows, bodies, strict=True):
        score = max((part["score"] for part in body["parts"]), default=anomaly)
        again = orjson.dumps(body)
        if (score, again) != (anomaly, packed):
            changed.append((score, again, asked[0], start))
    return changed


def _some(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    for first in range(0, len(rows), PAGE):
        yield rows[first : first + PAGE]


# ── states: checkpoints and model snapshots ───────────────────────────────────────────────────────────────────


async def keep_state(database: Database, job: int, name: str, state: State) -> None:
    """Write *state* under *name*, which nobody reads yet, a piece a transaction. Raises StoreUnavailable."""
    packed = await asyncio.to_thread(pack, state, LEVEL_ZSTD)
    for statements in pieces_of(job, name, packed):
        await database.write(statements)


def pieces_of(job: int, name: str, packed: bytes) -> Iterator[Statements]:
    """What writes a state that is packed, a transaction each."""
    yield [("DELETE FROM analysis_state WHERE job = ? AND name = ?", [(job, name)])]
    for piece, first in enumerate(range(0, len(packed), PIECE_BYTES)):
        row = (job, name, piece, packed[first : first + PIECE_BYTES])
        yield [("INSERT INTO analysis_state VALUES (?, ?, ?, ?)", [row])]


async def has_state(database: Database, job: int, name: str) -> bool:
    """Is there a state of this name?"""
    return bool(await database.read("SELECT 1 FROM analysis_state WHERE job = ? AND name = ? LIMIT 1", (job, name)))


async def load_state(database: Database, job: int, name: str) -> State:
    """The state of this name. Raises BadPack if there is none, or it is damaged."""
    rows = await database.read("SELECT body FROM analysis_state WHERE job = ? AND name = ? ORDER BY piece", (job, name))
    if not rows:
        raise BadPack(f"analysis {job} has no state {name}", hint="the database file is damaged")
    return await asyncio.to_thread(unpack, b"".join(row[0] for row in rows))


def position(seq: int) -> str:
    """The name of the state of the checkpoint at *seq*."""
    return f"{CURRENT}:{seq}"


async def positions(database: Database, job: int) -> list[int]:
    """The entries that the checkpoints of *job* stand for: of the newest, and the one before it."""
    rows = await database.read(
        "SELECT DISTINCT name FROM analysis_state WHERE job = ? AND name LIKE ?", (job, f"{CURRENT}:%")
    )
    return sorted(int(name.removeprefix(f"{CURRENT}:")) for (name,) in rows)


def move(job: int, seq: int, before: int) -> Statements:
    """What makes the state of ``position(seq)`` the checkpoint of *job*, after the one at *before*.

    Those before that are deleted; it stays, for ``offbeat verify`` replays from there.
    """
    return [
        ("UPDATE analysis SET seq = ? WHERE number = ?", [(seq, job)]),
        (
            "DELETE FROM analysis_state WHERE job = ?1 AND (name LIKE ?2 AND name NOT IN (?3, ?4) OR name = ?5 AND "
            "EXISTS (SELECT 1 FROM analysis_state WHERE job = ?1 AND name = ?4))",
            [(job, f"{CURRENT}:%", position(seq), position(before), BROUGHT)],
        ),
        ("DELETE FROM analysis_state WHERE job = ? AND name = ?", [(job, FAILED)]),
    ]


BELONGINGS = (*OF_BUCKETS, "model_snapshot", "analysis_state")


def failed(job: int, seq: int, why: str) -> Statements:
    """What remembers that *job* has failed at entry *seq*; its next checkpoint forgets it."""
    return [("INSERT OR REPLACE INTO analysis_state VALUES (?, ?, 0, ?)", [(job, FAILED, orjson.dumps([seq, why]))])]


async def failure_of(database: Database, job: int) -> tuple[int, str] | None:
    """Where *job* has failed, and why; None if it has not."""
    rows = await database.read("SELECT body FROM analysis_state WHERE job = ? AND name = ?", (job, FAILED))
    if not rows:
        return None
    seq, why = orjson.loads(rows[0][0])
    return int(seq), str(why)


async def tidy(database: Database) -> None:
    """Delete what a kill left behind: pieces that nothing stands for, all that belonged to jobs that are gone.

    Raises StoreUnavailable.
    """
    known = "SELECT number FROM analysis"
    gone: set[int] = set()
    for table in BELONGINGS:
        # The jobs of a table by its key, one look-up each: a table may have millions of rows.
        rows = await database.read(
            f"WITH RECURSIVE one(job) AS (SELECT min(job) FROM {table} UNION ALL "
            f"SELECT (SELECT min(job) FROM {table} WHERE job > one.job) FROM one WHERE job IS NOT NULL) "
            f"SELECT job FROM one WHERE job IS NOT NULL AND job NOT IN ({known})"
        )
        gone |= {row[0] for row in rows}
    for job in sorted(gone):
        await database.write(forget(job))
    await database.write(
        [
            (
                "DELETE FROM analysis_state WHERE name LIKE ? AND CAST(substr(name, ?) AS INTEGER) > "
                "(SELECT seq FROM analysis WHERE number = job)",
                [(f"{CURRENT}:%", len(CURRENT) + 2)],
            ),
            (
                "DELETE FROM analysis_state WHERE name LIKE 'snapshot:%' AND NOT EXISTS "
                "(SELECT 1 FROM model_snapshot s WHERE s.job = analysis_state.job AND 'snapshot:' || s.id = name)",
                [()],
            ),
        ]
    )


def forget(job: int) -> Statements:
    """What deletes all that belongs to *job*, but for the job itself."""
    return [(f"DELETE FROM {table} WHERE job = ?", [(job,)]) for table in BELONGINGS]
