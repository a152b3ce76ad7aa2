"""What goes when its time is over, a little at a time, so that the writer is never held up for long."""

from __future__ import annotations

import numpy as np

from offbeat.config import IngestConfig, RetentionConfig
from offbeat.store.database import Database

DAY_MS = 86_400_000
ROWS_AT_ONCE = 500
PAGES_AT_ONCE = 2_000
CHUNKS_AT_ONCE = 64
ESMOND_BEGUN_DAYS = 1.0
"""A write to the esmond archive that was cut short is sent again within this, or is a new one."""


async def retire(database: Database, retention: RetentionConfig, ingest: IngestConfig, now_ms: int) -> int:
    """Delete what arrived longer ago than *retention* allows, and what belongs to no job; how many rows went.

    Raises StoreUnavailable.
    """
    gone = 0
    for kind, days in (
        ("readings", retention.readings_days),
        ("1m", retention.rollups_1m_days),
        ("1h", retention.rollups_1h_days),
        ("1d", retention.rollups_1d_days),
        ("buckets", retention.buckets_days),
        ("spans", retention.buckets_days),
    ):
        if days:
            gone += await _delete(
                database, "chunk", "rowid", "kind = ? AND made_ms < ?", (kind, now_ms - int(days * DAY_MS))
            )
    if retention.buckets_days:
        before = now_ms - int(retention.buckets_days * DAY_MS)
        gone += await _delete(database, "finding_bucket", "job, source, start_ms", "made_ms < ?", (before,))
        gone += await _delete(database, "job_bucket", "job, start_ms", "made_ms < ?", (before,))
    if retention.records_days:
        before = now_ms - int(retention.records_days * DAY_MS)
        gone += await _delete(database, "record", "job, series, bucket_ms", "made_ms < ?", (before,))
    for table, key, days in (
        ("esmond_base", "event, ts", retention.esmond_days),
        ("esmond_bin", "event, span_s, ts", retention.esmond_summaries_days),
        ("esmond_begun", "digest", ESMOND_BEGUN_DAYS),
    ):
        if days:
            gone += await _delete(database, table, key, "made_ms < ?", (now_ms - int(days * DAY_MS),))
    gone += await _delete(
        database, "idempotency", "key", "at_ms < ?", (now_ms - int(ingest.idempotency_window_s * 1000),)
    )
    orphaned = "NOT EXISTS (SELECT 1 FROM job WHERE number = {table}.job)"
    for table, key in (
        ("record", "job, series, bucket_ms"),
        ("finding_bucket", "job, source, start_ms"),
        ("job_bucket", "job, start_ms"),
    ):
        gone += await _delete(database, table, key, orphaned.format(table=table), ())
    gone += await _delete(database, "chunk", "rowid", "job != 0 AND " + orphaned.format(table="chunk"), ())
    gone += await _shrink(database, retention.file_bytes_max)
    if gone:
        await _give_back(database)
    return gone


async def retire_results(database: Database, job: int, days: float) -> int:
    """Delete the results of a job that are older than its newest by more than *days*; how many rows went.

    Raises StoreUnavailable.
    """
    rows = await database.read("SELECT max(start_ms) FROM result_bucket WHERE job = ? AND interim = 0", (job,))
    newest = rows[0][0]
    if newest is None:
        return 0
    before = newest - int(days * DAY_MS)
    gone = 0
    for table, key in (
        ("result_record", "job, start_ms, ordinal"),
        ("result_influencer", "job, start_ms, ordinal"),
        ("result_plot", "job, start_ms, ordinal"),
        ("result_bucket", "job, start_ms"),
    ):
        gone += await _delete(database, table, key, "job = ? AND start_ms < ?", (job, before))
    return gone


async def _delete(database: Database, table: str, key: str, where: str, parameters: tuple[object, ...]) -> int:
    gone = 0
    while True:
        async with database.transaction() as db:
            cursor = await db.execute(
                f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} LIMIT {ROWS_AT_ONCE})",
                parameters,
            )
        gone += cursor.rowcount
        if cursor.rowcount < ROWS_AT_ONCE:
            return gone


async def _shrink(database: Database, bytes_max: int) -> int:
    """Delete the oldest readings until what is in use is within *bytes_max* (0: no bound)."""
    gone = 0
    while bytes_max and (over := await used_bytes(database) - bytes_max) > 0:
        oldest = await database.read(
            "SELECT rowid, length(body) FROM chunk WHERE kind = 'readings' ORDER BY made_ms, rowid LIMIT ?",
            (CHUNKS_AT_ONCE,),
        )
        if not oldest:
            break
        before = np.cumsum([0] + [size for _, size in oldest])
        doomed = oldest[: int(np.searchsorted(before, over))]
        async with database.transaction() as db:
            await db.executemany("DELETE FROM chunk WHERE rowid = ?", [(rowid,) for rowid, _ in doomed])
        gone += len(doomed)
    return gone


async def used_bytes(database: Database) -> int:
    """Bytes of the file that hold something."""
    rows = await database.read(
        "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count), "
        "(SELECT page_size FROM pragma_page_size)"
    )
    return int(rows[0][0]) * int(rows[0][1])


async def _give_back(database: Database) -> None:
    """Return free pages to the system, some at a time."""
    free = await _free_pages(database)
    while free > 0:
        async with database.transaction() as db:
            # Of a statement without columns `execute` runs one step, a page; of a script all, but it commits first.
            await db.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE}); BEGIN")
        left = await _free_pages(database)
        if left >= free:
            return
        free = left


async def _free_pages(database: Database) -> int:
    return int((await database.read("SELECT freelist_count FROM pragma_freelist_count"))[0][0])
