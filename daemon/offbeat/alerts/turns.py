"""Outcomes of checks as rows for the rules of alerts: read in the order of their numbers; those that hold an alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from offbeat.alerts.machine import Hush
from offbeat.alerts.payload import iso
from offbeat.alerts.rules import Turn, turn_unpacked
from offbeat.checks.book import Book
from offbeat.store.database import Database

KEEP_PLACE = "UPDATE alert_place SET outcome = ?"
HOLD = "INSERT OR REPLACE INTO alert_holder VALUES (?, ?, ?)"
LET_GO = "DELETE FROM alert_holder WHERE alert = ? AND subject = ?"

# Outcomes and ends share their numbers, so that each list is read from its place on and the two are merged.
TURNS = """
SELECT number, at_ms, rule, subject, columns, status, coalesce(was, (
  SELECT status FROM (
    SELECT * FROM (SELECT number, status FROM check_outcome AS o WHERE o.subject = turn.subject
      AND o.number < turn.number ORDER BY number DESC LIMIT 1)
    UNION ALL SELECT * FROM (SELECT number, '' FROM check_end AS e WHERE e.subject = turn.subject
      AND e.number < turn.number ORDER BY number DESC LIMIT 1))
  ORDER BY number DESC LIMIT 1), ''), reason, message
FROM (
  SELECT o.number AS number, o.ran_ms AS at_ms, o.rule, o.subject, s.columns, o.status, NULL AS was, o.reason, o.message
  FROM check_outcome AS o JOIN check_subject AS s ON s.number = o.subject WHERE o.number > ?1
  UNION ALL SELECT number, at_ms, rule, subject, columns, '', was, 'over', message FROM check_end WHERE number > ?1
  ORDER BY 1 LIMIT ?2) AS turn ORDER BY number"""


def hush(book: Book, turn: Turn, at_ms: int) -> Hush | None:
    """Why nobody is told at *at_ms* of what a check says of a subject: it is maintained, or somebody knows of it."""
    one = book.maintained(turn.check, turn.columns, at_ms)
    if one is not None:
        why = f"maintenance {one.number}, by {one.who}, until {iso(one.until_ms)}: {one.reason}"
        return Hush("maintenance", str(one.number), why)
    known = book.acknowledged.get(turn.subject)
    if known is not None:
        why = f"what check {turn.check} says of subject {turn.subject} was acknowledged by {known.who}"
        return Hush("acknowledged", known.who, why)
    return None


def holder_row(alert: int, subject: int, turn: Turn) -> tuple[Any, ...]:
    """The row of the outcome by which *subject* holds *alert*."""
    return alert, subject, turn.packed()


def listed_row(alert: int, turn: Turn) -> tuple[Any, ...]:
    """The row of an outcome that is listed with *alert*, where an alert of findings has these."""
    return alert, turn.number, 0, turn.packed()


async def place(database: Database) -> int:
    """Number of the last outcome that the rules have seen."""
    return int((await database.read("SELECT outcome FROM alert_place"))[0][0])


async def newest(database: Database) -> int:
    """The greatest number that an outcome, or an end, ever had; 0 for none."""
    rows = await database.read(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name IN ('check_outcome', 'check_end')"
    )
    return int(rows[0][0])


async def turns_after(database: Database, after: int, limit: int) -> list[Turn]:
    """Outcomes and ends with a number greater than *after*, in order."""
    rows = await database.read(TURNS, (after, limit))
    return [
        Turn(number, at_ms, check, subject, _columns(columns), *said)
        for number, at_ms, check, subject, columns, *said in rows
    ]


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((source, field) for source, field in orjson.loads(text))


async def load_holders(database: Database) -> dict[int, Mapping[int, Turn]]:
    """The outcomes that hold each alert of checks that is active, by their subjects."""
    found: dict[int, dict[int, Turn]] = {}
    for alert, subject, body in await database.read("SELECT alert, subject, body FROM alert_holder"):
        found.setdefault(alert, {})[subject] = turn_unpacked(body)
    return dict(found)


async def turns_of(database: Database, number: int) -> list[Turn]:
    """The outcomes of an alert, in order, as many as are kept."""
    rows = await database.read("SELECT body FROM alert_finding WHERE alert = ? ORDER BY seq", (number,))
    return [turn_unpacked(body) for (body,) in rows]
