"""Are the states and the results of analyses what the journal says? Replays them over a copy of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import numpy as np

from offbeat.analyses.runner import Runner
from offbeat.clock import ManualClock
from offbeat.config import StoreConfig
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Entry
from offbeat.metrics import Metrics
from offbeat.packing import BadPack
from offbeat.store import analyses as kept
from offbeat.store import journal
from offbeat.store.database import Database

PIECES = (0, 997)
"""Uploads are replayed as they are journaled, then again cut into pieces of so many records."""
TOLD_MAX = 3
"""Places that are named of one table of one job."""
FIXED = {
    "result_bucket": ("event_count", "record_count", "probability", "initial_anomaly_score", "score"),
    "result_record": ("detector", "probability", "initial_normalized", "score", "body"),
    "result_influencer": ("field", "value", "probability", "initial_anomaly_score"),
    "result_plot": ("detector", "feature", "partition_value", "by_value", "over_value", "lower", "typical", "upper",
                    "actual"),
}
"""What of a result never changes; scores go on changing as the past does."""
WHAT = {"result_bucket": "bucket", "result_record": "record", "result_influencer": "influencer",
        "result_plot": "point of the model plot"}


@dataclass(frozen=True, slots=True)
class _Case:
    """One analysis to replay: from entry *start* to its checkpoint, and on to the end of the journal.

    settled  its checkpoint stands for all of its entries: every score that is stored is the last one
    """

    one: kept.Kept
    start: int
    settled: bool


async def replayed(database: Database, catalog: Catalog) -> tuple[int, list[str]]:
    """How many entries were replayed, of each analysis as far back as the journal reaches, and what came out otherwise.

    *database* is a copy that nobody needs any more: the replay writes into it. An analysis that has failed is left out.
    """
    stored = [one for one in await kept.load(database) if await kept.failure_of(database, one.number) is None]
    cases = [await _case(database, one) for one in stored]
    async with database.transaction() as db:
        for table in kept.OF_BUCKETS:
            await db.execute(f"CREATE TABLE before_{table} AS SELECT * FROM {table}")
            await db.execute(f"CREATE INDEX before_{table}_by_start ON before_{table} (job, start_ms)")
    found: list[str] = []
    seen: set[int] = set()
    for pieces in PIECES:
        for case in cases:
            try:
                found += await _differences(database, catalog, case, pieces, seen)
            except BadPack as e:
                found.append(f"job {case.one.spec.id}: {e.message}")
    return len(seen), found


async def _case(database: Database, one: kept.Kept) -> _Case:
    """From the checkpoint before the newest, if the journal has what came between, and nothing but records did."""
    oldest = (await database.read("SELECT coalesce(min(seq), 1 << 62) FROM journal"))[0][0]
    newest = max(one.seq, one.created_seq)
    before = [seq for seq in await kept.positions(database, one.number) if seq < one.seq]
    start = max(before, default=one.created_seq)
    settled = True
    async for entry in _entries(database, one, newest):
        settled = settled and isinstance(entry.body, Command) and entry.body.order == "deleted"
    if oldest > start + 1:
        return _Case(one, newest, settled)
    async for entry in _entries(database, one, start):
        # What was asked then, or what was gone back to, need not be there any more.
        if entry.seq <= newest and isinstance(entry.body, Command) and entry.body.order in ("revert", "changed"):
            return _Case(one, newest, settled)
    return _Case(one, start, settled)


async def _entries(database: Database, one: kept.Kept, after: int) -> AsyncIterator[Entry]:
    async for page in journal.pages(database, after, of="listeners" if one.spec.listens else "analyses"):
        for entry in page:
            if not isinstance(entry.body, Upload | Command) or entry.body.job == one.number:
                yield entry


async def _differences(
    database: Database, catalog: Catalog, case: _Case, pieces: int, seen: set[int]
) -> list[str]:
    one, said = case.one, f"job {case.one.spec.id}"
    runner = Runner(database, StoreConfig(), ManualClock(0), lambda *_: None, Metrics(), catalog)
    try:
        pages = _pages(database, case, pieces, seen, upto=one.seq)
        await runner.recover([replace(one, seq=case.start)], pages, one.seq)
        if failure := runner.failure(one.number):
            return [f"{said}: the replay has failed: {failure}"]
        found: list[str] = []
        if one.seq > case.start:
            state = await runner.ask(one.number, Analysis.save)
            stored = await kept.load_state(database, one.number, kept.position(one.seq))
            found += [
                f"{said}: {name} differs from the checkpoint"
                for name in sorted(state.keys() | stored.keys())
                if name not in state or name not in stored or state[name].tobytes() != stored[name].tobytes()
            ]
        upto_ms = await runner.ask(one.number, lambda analysis: analysis.latest_result_ms)
        await runner.replay(_pages(database, case, pieces, seen, after=max(one.seq, case.start)))
        if failure := runner.failure(one.number):
            return [*found, f"{said}: the replay has failed: {failure}"]
        for table in kept.OF_BUCKETS:
            found += await _results_differ(database, case, table, upto_ms)
        return found
    finally:
        runner.close()


async def _pages(
    database: Database, case: _Case, pieces: int, seen: set[int], *, after: int | None = None, upto: int = 1 << 62
) -> AsyncIterator[list[Entry]]:
    async for entry in _entries(database, case.one, case.start if after is None else after):
        if entry.seq > upto:
            return
        seen.add(entry.seq)
        yield list(_cut(entry, pieces))


def _cut(entry: Entry, size: int) -> Iterator[Entry]:
    if not size or not isinstance(entry.body, Upload):
        yield entry
        return
    upload = entry.body
    at = np.arange(upload.records.size)
    for first in range(0, max(1, upload.records.size), size):
        records = upload.records.keep((at >= first) & (at < first + size))
        yield replace(entry, body=Upload(upload.job, records, upload.counts if not first else {}))


async def _results_differ(database: Database, case: _Case, table: str, upto_ms: int | None) -> list[str]:
    """Compare what was stored with what the replay wrote over it; after a kill the youngest need not have been there.

    Results that retention has deleted come again, and count for nothing.
    """
    job = case.one.number
    key = ("start_ms",) if table == "result_bucket" else ("start_ms", "ordinal")
    same_key = " AND ".join(f"b.{name} = a.{name}" for name in ("job", *key))
    rows = await database.read(f"SELECT name FROM pragma_table_info('{table}')")
    columns = [name for (name,) in rows] if case.settled else FIXED[table]
    differ = " OR ".join(f"a.{name} IS NOT b.{name}" for name in columns)
    plot = table == "result_plot"  # it is never interim, and old points of it go by themselves
    final = "1" if plot else "b.interim = 0"
    kept_of = table if plot else "result_bucket"
    oldest = f"(SELECT coalesce(min(start_ms), 1 << 62) FROM before_{kept_of} o WHERE o.job = a.job)"
    left = "(SELECT coalesce(min(start_ms), 1 << 62) FROM result_plot o WHERE o.job = b.job)" if plot else "b.start_ms"
    upto = 1 << 62 if case.settled else upto_ms if upto_ms is not None else -(1 << 62)
    changed = await database.read(
        f"SELECT a.start_ms FROM {table} a JOIN before_{table} b ON {same_key} "
        f"WHERE a.job = ? AND ({final} OR ?) AND ({differ}) ORDER BY 1 LIMIT ?",
        (job, case.settled, TOLD_MAX),
    )
    missing = await database.read(
        f"SELECT a.start_ms FROM {table} a WHERE a.job = ? AND a.start_ms >= {oldest} AND a.start_ms <= ? "
        f"AND NOT EXISTS (SELECT 1 FROM before_{table} b WHERE {same_key}) ORDER BY 1 LIMIT ?",
        (job, upto, TOLD_MAX),
    )
    invented = await database.read(
        f"SELECT b.start_ms FROM before_{table} b WHERE b.job = ? AND {final} AND b.start_ms >= {left} "
        f"AND NOT EXISTS (SELECT 1 FROM {table} a WHERE {same_key}) ORDER BY 1 LIMIT ?",
        (job, TOLD_MAX),
    )
    said = f"job {case.one.spec.id}: the {WHAT[table]} at"
    return [
        *(f"{said} {start} differs from what is stored" for (start,) in changed),
        *(f"{said} {start} is not stored" for (start,) in missing),
        *(f"{said} {start} is stored, and the journal knows nothing of it" for (start,) in invented),
    ]
