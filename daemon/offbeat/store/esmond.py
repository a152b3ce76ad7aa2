"""The metadata of the esmond archive as rows: registered once, found by any of its parameters."""
from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from offbeat.errors import Refused
from offbeat.store.database import Database

BASE = "base"
IN_JSON = "IN (SELECT value FROM json_each(?))"


class ArchiveFull(Refused):
    """The archive holds as many metadata records as it may; nothing was stored."""

    code = "archive_full"
    status = 503


@dataclass(frozen=True, slots=True)
class Registration:
    """What a metadata record is made of.

    source      the name under which its numbers are followed
    body        the members that are shown, in their order
    subject     the subject's fields, free: other parameters; names and values as they are looked for
    events      for each event type its summaries, type and window in seconds
    """

    key: str
    digest: bytes
    source: str
    subject_type: str
    body: dict[str, str]
    subject: tuple[tuple[str, str], ...]
    free: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event type of a record. updated_s: the second of its last write, None before the first."""

    number: int
    event_type: str
    updated_s: int | None
    summaries: tuple[tuple[str, int], ...]

    def has(self, summary_type: str, span_s: int) -> bool:
        """Whether it was registered with this summary."""
        return (summary_type, span_s) in self.summaries

    @property
    def spans_s(self) -> list[int]:
        """The windows that have bins, each once."""
        return sorted({span_s for _, span_s in self.summaries if span_s > 0})


@dataclass(frozen=True, slots=True)
class Record:
    """A metadata record with its event types, by name."""

    number: int
    key: str
    source: str
    subject_type: str
    body: dict[str, str]
    events: dict[str, EventRow]


@dataclass(frozen=True, slots=True)
class Search:
    """Which records are wanted: those for which all that is given holds.

    subject      for each of these fields of the subject one of some values; free: for each parameter its value
    event_type, summary_type, span_s, updated_s  hold together of one event type with one of its summaries, or with base
    updated_s    first and last second of the last write, the last None if any
    """

    key: str | None = None
    subject_type: str | None = None
    subject: tuple[tuple[str, tuple[str, ...]], ...] = ()
    free: tuple[tuple[str, str], ...] = ()
    event_type: str | None = None
    summary_type: str | None = None
    span_s: int | None = None
    updated_s: tuple[int, int | None] | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The condition on a row of esmond_metadata, and its parameters."""
        conditions: list[str] = ["1"]
        given: list[Any] = []
        for column, value in (("key", self.key), ("subject_type", self.subject_type)):
            if value is not None:
                conditions.append(f"{column} = ?")
                given.append(value)
        parameters = [(1, name, values) for name, values in self.subject]
        parameters += [(0, name, (value,)) for name, value in self.free]
        for subject, name, values in parameters:
            conditions.append(
                "number IN (SELECT metadata FROM esmond_parameter WHERE subject = ? AND name = ? AND "
                f"value {IN_JSON})"
            )
            given += [subject, name, orjson.dumps(values).decode()]
        rows: list[tuple[str, Any]] = [
            ("e.event_type = ?", self.event_type), ("s.type = ?", self.summary_type), ("s.span_s = ?", self.span_s)
        ]
        if self.updated_s is not None:
            rows += [("e.updated_s >= ?", self.updated_s[0]), ("e.updated_s <= ?", self.updated_s[1])]
        rows = [(condition, value) for condition, value in rows if value is not None]
        if rows:
            conditions.append(
                "number IN (SELECT e.metadata FROM esmond_event e JOIN esmond_summary s ON s.event = e.number WHERE "
                + " AND ".join(condition for condition, _ in rows) + ")"
            )
            given += [value for _, value in rows]
        return " AND ".join(conditions), given


async def register(database: Database, new: Registration, records_max: int, now_ms: int) -> Record:
    """The record that equals *new*: the one that is there, or a new one. Raises ArchiveFull, StoreUnavailable."""
    found = await record(database, new.key)
    if found is not None:
        return found
    async with database.transaction() as db:
        rows = await db.execute_fetchall("SELECT number FROM esmond_metadata WHERE digest = ?", (new.digest,))
        if not list(rows):
            (count,), = await db.execute_fetchall("SELECT count(*) FROM esmond_metadata")
            if count >= records_max:
                raise ArchiveFull(
                    f"the archive holds {count} metadata records; nothing was stored", hint="see esmond.records_max")
            cursor = await db.execute(
                "INSERT INTO esmond_metadata (key, digest, source, subject_type, body, created_ms) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (new.key, new.digest, new.source, new.subject_type, orjson.dumps(new.body).decode(), now_ms),
            )
            number = cursor.lastrowid
            await db.executemany(
                "INSERT OR IGNORE INTO esmond_parameter VALUES (?, ?, ?, ?)",
                [(1, *one, number) for one in new.subject] + [(0, *one, number) for one in new.free],
            )
            for event_type, summaries in new.events:
                cursor = await db.execute(
                    "INSERT INTO esmond_event (metadata, event_type) VALUES (?, ?)", (number, event_type))
                await db.executemany(
                    "INSERT INTO esmond_summary VALUES (?, ?, ?)",
                    [(cursor.lastrowid, *one) for one in ((BASE, 0), *summaries)],
                )
    found = await record(database, new.key)
    assert found is not None
    return found


async def record(database: Database, key: str) -> Record | None:
    """The record of this key."""
    found = (await search(database, Search(key=key), 1, 0))[1]
    return found[0] if found else None


async def search(database: Database, wanted: Search, limit: int, offset: int) -> tuple[int, list[Record]]:
    """How many records are wanted in all, and those of one page, in the order of their keys."""
    where, given = wanted.where()

    def look(db: sqlite3.Connection) -> tuple[int, list[Record]]:
        db.execute("BEGIN")  # both counts are of one moment
        try:
            (total,) = db.execute(f"SELECT count(*) FROM esmond_metadata WHERE {where}", given).fetchone()
            rows = db.execute(
                f"SELECT number, key, source, subject_type, body FROM esmond_metadata WHERE {where} "
                "ORDER BY key LIMIT ? OFFSET ?",
                [*given, limit, offset],
            ).fetchall()
            return total, _records(db, rows)
        finally:
            db.rollback()

    return await database.look(look)


def _records(db: sqlite3.Connection, rows: Sequence[tuple[int, str, str, str, str]]) -> list[Record]:
    events: dict[int, dict[str, EventRow]] = {row[0]: {} for row in rows}
    summaries: dict[int, list[tuple[str, int]]] = {}
    found = db.execute(
        "SELECT e.metadata, e.number, e.event_type, e.updated_s, s.type, s.span_s "
        f"FROM esmond_event e JOIN esmond_summary s ON s.event = e.number WHERE e.metadata {IN_JSON} "
        "ORDER BY e.metadata, e.event_type, s.type, s.span_s",
        (orjson.dumps(list(events)).decode(),),
    ).fetchall()
    for _, number, _, _, summary_type, span_s in found:
        if summary_type != BASE:
            summaries.setdefault(number, []).append((summary_type, span_s))
    for metadata, number, event_type, updated_s, summary_type, _ in found:
        if summary_type == BASE:
            events[metadata][event_type] = EventRow(
                number, event_type, updated_s, tuple(summaries.get(number, ())))
    return [
        Record(number, key, source, subject_type, orjson.loads(body), events[number])
        for number, key, source, subject_type, body in rows
    ]
