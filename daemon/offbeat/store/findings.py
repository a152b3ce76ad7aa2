"""Findings as rows: records, and buckets that hold one.

Written often, idempotent, before the checkpoint that passes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from offbeat.engine.outcome import BucketChange, EndedAdjustment, Finding, Outcome
from offbeat.store.adjustments import DID
from offbeat.store.database import Database, Statements

WRITTEN_AT_ONCE_ROWS = 128
"""What one transaction takes: about 6 ms, for a record stands in four trees. A fleet that falls silent gives many."""

KEEP_RECORD = """INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
 time_ms = excluded.time_ms, actual = excluded.actual, typical = excluded.typical, lower = excluded.lower, upper =
 excluded.upper,
 novelty = excluded.novelty, probability = excluded.probability, score = excluded.score, seq = excluded.seq, ordinal
 = excluded.ordinal, evidence = excluded.evidence
 WHERE excluded.score > score"""
KEEP_BUCKET = """INSERT INTO finding_bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
 event_count = excluded.event_count, record_count = excluded.record_count, novelty = excluded.novelty, score =
 excluded.score,
 seq = excluded.seq, ordinal = excluded.ordinal WHERE (excluded.seq, excluded.ordinal) >= (seq, ordinal)"""


@dataclass(slots=True)
class Findings:
    """Findings that wait to be written, the newest of each bucket only; and what adjustments did that ended."""

    records: dict[tuple[int, int, int], Finding] = field(default_factory=dict)
    buckets: dict[tuple[int, int, int], BucketChange] = field(default_factory=dict)
    ended: dict[int, EndedAdjustment] = field(default_factory=dict)
    upto: int = 0

    def add(self, outcome: Outcome) -> None:
        """Take what entries gave."""
        for f in outcome.findings:
            held = self.records.get((f.job, f.series, f.bucket_ms))
            if held is None or f.score > held.score:
                self.records[f.job, f.series, f.bucket_ms] = f
        for b in outcome.changes:
            self.buckets[b.job, b.source, b.start_ms] = b
        for one in outcome.ended:
            self.ended[one.number] = one

    def joined(self, later: Findings) -> Findings:
        """These, and what came *later*."""
        for key, f in later.records.items():
            held = self.records.get(key)
            if held is None or f.score > held.score:
                self.records[key] = f
        self.buckets |= later.buckets
        self.ended |= later.ended
        self.upto = max(self.upto, later.upto)
        return self

    def __len__(self) -> int:
        return len(self.records) + len(self.buckets) + len(self.ended)


def stored(x: float) -> float | None:
    """*x* as a column has it: NULL for NaN."""
    return None if math.isnan(x) else x


async def keep_findings(database: Database, findings: Findings) -> None:
    """Write *findings*, in several transactions if they are many: what senders wait for goes between.

    To write some of them again changes nothing. Raises StoreUnavailable.
    """
    for sql, rows in statements_of(findings):
        for first in range(0, len(rows), WRITTEN_AT_ONCE_ROWS):
            await database.write([(sql, rows[first : first + WRITTEN_AT_ONCE_ROWS])])


def statements_of(findings: Findings) -> Statements:
    """What writes *findings*, each statement with its rows; a record kept before keeps its higher score."""
    records: list[tuple[Any, ...]] = [
        (
            f.job,
            f.series,
            f.bucket_ms,
            f.source,
            f.time_ms,
            stored(f.actual),
            stored(f.typical),
            stored(f.lower),
            stored(f.upper),
            f.novelty,
            stored(f.probability),
            f.score,
            f.seq,
            f.ordinal,
            f.at_ms,
            f.evidence or None,
        )
        for f in findings.records.values()
    ]
    ended: list[tuple[Any, ...]] = [(e.hidden_count, e.revealed_count, e.number) for e in findings.ended.values()]
    buckets: list[tuple[Any, ...]] = [
        (
            b.job,
            b.source,
            b.start_ms,
            b.event_count,
            b.record_count,
            b.novelty,
            b.score,
            b.seq,
            b.ordinal,
            b.at_ms,
        )
        for b in findings.buckets.values()
    ]
    return [(sql, rows) for sql, rows in ((KEEP_RECORD, records), (DID, ended), (KEEP_BUCKET, buckets)) if rows]
