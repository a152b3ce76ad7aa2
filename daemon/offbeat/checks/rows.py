"""Checks as the store keeps them: rules, subjects, outcomes, acknowledgements, maintenance; what writes, what reads."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from offbeat.checks import standing
from offbeat.checks.outcomes import STATUSES, Acknowledgement, HistoryQuery, Maintenance, Outcome, Present, rank
from offbeat.checks.spec import CheckSpec, Column, unpacked
from offbeat.checks.standing import Standing
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Page

Statement = tuple[str, list[tuple[Any, ...]]]
AT_ONCE = 500
"""Numbers in one statement."""

KEEP_RULE = (
    "INSERT INTO check_rule VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body, "
    "changed_ms = excluded.changed_ms"
)
KEEP_SUBJECT = "INSERT OR IGNORE INTO check_subject (number, rule, columns, state) VALUES (?, ?, ?, ?)"
KEEP_COLUMN = "INSERT OR IGNORE INTO check_column VALUES (?, ?, ?)"
KEEP_PRESENT = (
    "UPDATE check_subject SET status = ?, reason = ?, message = ?, details = coalesce(?, details), ran_ms = ?, "
    "data_ms = ?, data_from_ms = ?, duration_ms = ?, since_ms = ?, outcome = ?, state = ? WHERE number = ?"
)
NO_PRESENT = "UPDATE check_subject SET status = NULL, details = NULL, state = ? WHERE number = ?"
KEEP_END = "INSERT INTO check_end VALUES (?, ?, ?, ?, ?, ?, ?)"
KEEP_OUTCOME = f"INSERT INTO check_outcome VALUES ({', '.join('?' * 14)})"
KEEP_ACKNOWLEDGEMENT = "INSERT OR REPLACE INTO check_acknowledgement VALUES (?, ?, ?, ?)"
DROP_ACKNOWLEDGEMENT = "DELETE FROM check_acknowledgement WHERE subject = ?"
KEEP_MAINTENANCE = "INSERT INTO check_maintenance VALUES (?, ?, ?)"
DROP_MAINTENANCE = "DELETE FROM check_maintenance WHERE number = ?"


def drop_rule(id: str) -> list[Statement]:
    """What deletes a rule with all that it ever said."""
    of = "(SELECT number FROM check_subject WHERE rule = ?)"
    return [
        (f"DELETE FROM check_column WHERE subject IN {of}", [(id,)]),
        (f"DELETE FROM check_acknowledgement WHERE subject IN {of}", [(id,)]),
        ("DELETE FROM check_outcome WHERE rule = ?", [(id,)]),
        ("DELETE FROM check_subject WHERE rule = ?", [(id,)]),
        ("DELETE FROM check_rule WHERE id = ?", [(id,)]),
    ]


def columns_text(columns: Sequence[Column]) -> str:
    """Columns as the store keeps them."""
    return orjson.dumps(columns).decode()


def maintenance_row(one: Maintenance) -> tuple[Any, ...]:
    """The row of a maintenance."""
    return one.number, orjson.dumps(asdict(one)).decode(), one.until_ms


# ── what reads ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A check, and since when it is there and is as it is."""

    spec: CheckSpec
    created_ms: int
    changed_ms: int


@dataclass(frozen=True, slots=True)
class KeptSubject:
    """A subject as it is kept."""

    number: int
    rule: str
    columns: tuple[Column, ...]
    standing: Standing


async def load_rules(database: Database) -> list[KeptRule]:
    """All checks in the order of their ids."""
    rows = await database.read("SELECT body, created_ms, changed_ms FROM check_rule ORDER BY id")
    return [KeptRule(unpacked(body), created, changed) for body, created, changed in rows]


async def load_subjects(database: Database) -> list[KeptSubject]:
    """All subjects in the order of their numbers."""
    rows = await database.read(
        "SELECT number, rule, columns, state, status, reason, message, ran_ms, data_ms, data_from_ms, duration_ms, "
        "since_ms, outcome FROM check_subject ORDER BY number"
    )
    found = []
    for number, rule, columns, state, status, *rest in rows:
        present = None if status is None else Present(status, *rest)
        columns = tuple((source, field) for source, field in orjson.loads(columns))
        found.append(KeptSubject(number, rule, columns, standing.unpacked(state, present)))
    return found


async def load_acknowledgements(database: Database) -> dict[int, Acknowledgement]:
    """All acknowledgements by their subjects."""
    rows = await database.read("SELECT subject, who, comment, at_ms FROM check_acknowledgement")
    return {subject: Acknowledgement(*rest) for subject, *rest in rows}


async def load_maintenance(database: Database) -> list[Maintenance]:
    """All maintenance in the order in which it was given."""
    found = []
    for (body,) in await database.read("SELECT body FROM check_maintenance ORDER BY number"):
        held = orjson.loads(body)
        found.append(
            Maintenance(**{**held, "checks": tuple(held["checks"]), "sources": tuple(held["sources"])})
        )
    return found


async def newest(database: Database, *tables: str) -> int:
    """The greatest number that any of *tables* ever gave, 0 for none."""
    rows = await database.read(
        f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name IN ({','.join('?' * len(tables))})", tables
    )
    return int(rows[0][0])


async def details_of(database: Database, subjects: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """The details of what these subjects said last."""
    found: dict[int, Mapping[str, Any]] = {}
    for first in range(0, len(subjects), AT_ONCE):
        some = subjects[first : first + AT_ONCE]
        rows = await database.read(
            f"SELECT number, details FROM check_subject WHERE number IN ({','.join('?' * len(some))}) "
            "AND details IS NOT NULL",
            some,
        )
        found |= {number: orjson.loads(details) for number, details in rows}
    return found


async def series_numbers(database: Database, columns: Sequence[Column]) -> list[int]:
    """The series of each of *columns*, -1 where there is none; looked up in one trip."""
    find = (
        "SELECT series.id FROM source JOIN series ON series.source = source.id JOIN field ON field.id = series.field "
        "WHERE source.name = ? AND field.name = ?"
    )
    return await database.look(
        lambda db: [row[0] if (row := db.execute(find, column).fetchone()) else -1 for column in columns]
    )


COLUMNS = (
    "number, rule, kind, subject, status, reason, message, ran_ms, data_ms, data_from_ms, duration_ms, since_ms, "
    "details"
)


def _outcome(row: Sequence[Any], columns: tuple[Column, ...]) -> Outcome:
    number, rule, kind, subject, status, reason, message, ran, data, data_from, duration, since, details = row
    return Outcome(
        number, rule, kind, subject, columns, status, reason, message, ran, data, data_from, duration, since,
        orjson.loads(details),
    )


async def _columns_of(database: Database, subjects: Sequence[int]) -> dict[int, tuple[Column, ...]]:
    found: dict[int, tuple[Column, ...]] = {}
    some = sorted(set(subjects))
    for first in range(0, len(some), AT_ONCE):
        part = some[first : first + AT_ONCE]
        rows = await database.read(
            f"SELECT number, columns FROM check_subject WHERE number IN ({','.join('?' * len(part))})", part
        )
        found |= {number: tuple((s, f) for s, f in orjson.loads(columns)) for number, columns in rows}
    return found


async def history(database: Database, query: HistoryQuery) -> Page[Outcome]:
    """Outcomes in the bounds of *query*, newest first."""
    where, parameters = ["number < ?"], list[Any](place_of(query.cursor, int) or (1 << 61,))
    for condition, value in (
        ("rule = ?", query.check), ("subject = ?", query.subject), ("ran_ms >= ?", query.start_ms),
        ("ran_ms < ?", query.end_ms),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    if query.status is not None:
        worse = STATUSES[rank(query.status):]
        where.append(f"status IN ({','.join('?' * len(worse))})")
        parameters += worse
    named = [(name, value) for name, value in (("source", query.source), ("field", query.field)) if value is not None]
    if named:
        those = " AND ".join(f"{name} = ?" for name, _ in named)
        where.append(f"subject IN (SELECT subject FROM check_column WHERE {those})")
        parameters += [value for _, value in named]
    rows = await database.read(
        f"SELECT {COLUMNS} FROM check_outcome WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
        [*parameters, query.limit + 1],
    )
    shown = rows[: query.limit]
    columns = await _columns_of(database, [row[3] for row in shown])
    following = cursor_of(shown[-1][0]) if len(rows) > query.limit else None
    return Page(tuple(_outcome(row, columns[row[3]]) for row in shown if row[3] in columns), following)


async def outcome(database: Database, number: int) -> tuple[Outcome, dict[str, Any], int | None, int | None] | None:
    """One outcome of the history with its parameters, and the numbers of those before and after it of its subject."""
    rows = await database.read(
        f"SELECT {COLUMNS}, parameters, "
        "(SELECT max(number) FROM check_outcome AS o WHERE o.subject = c.subject AND o.number < c.number), "
        "(SELECT min(number) FROM check_outcome AS o WHERE o.subject = c.subject AND o.number > c.number) "
        "FROM check_outcome AS c WHERE number = ?",
        (number,),
    )
    if not rows:
        return None
    *row, parameters, previous, following = rows[0]
    columns = await _columns_of(database, [row[3]])
    if row[3] not in columns:  # deleted between the two
        return None
    return _outcome(row, columns[row[3]]), orjson.loads(parameters), previous, following


# The outcome that a subject's present status began with stays, however old.
NOT_NEWEST = "number NOT IN (SELECT outcome FROM check_subject WHERE outcome IS NOT NULL)"


async def retire(database: Database, before_ms: int | None, rows_max: int) -> int:
    """Delete outcomes that ran before *before_ms*, and all but the newest *rows_max*; how many rows went.

    The newest of each subject stays. Of the ends that are kept with them as many stay at most. Raises StoreUnavailable.
    """
    gone = 0
    oldest = await database.read("SELECT number FROM check_outcome ORDER BY number DESC LIMIT 1 OFFSET ?", (rows_max,))
    for where, bound in (
        ("ran_ms < ?", before_ms),
        ("number <= ?", oldest[0][0] if oldest else None),
    ):
        while bound is not None:
            async with database.transaction() as db:
                cursor = await db.execute(
                    f"DELETE FROM check_outcome WHERE number IN (SELECT number FROM check_outcome WHERE {where} "
                    f"AND {NOT_NEWEST} LIMIT {AT_ONCE})",
                    (bound,),
                )
            gone += cursor.rowcount
            if cursor.rowcount < AT_ONCE:
                break
    await database.write([
        ("DELETE FROM check_end WHERE at_ms < ? OR number <= "
         "(SELECT number FROM check_end ORDER BY number DESC LIMIT 1 OFFSET ?)", [(before_ms or 0, rows_max)])
    ])
    return gone
