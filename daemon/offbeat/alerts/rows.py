"""Alerts, their rules and who is told, as rows: what writes them, what reads them. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from offbeat.alerts import calendars, rules
from offbeat.alerts.calendars import Calendar
from offbeat.alerts.machine import Alert
from offbeat.alerts.rules import Rule, Seen, Silence
from offbeat.engine.entries import Job
from offbeat.store.cursors import cursor_of, place_of
from offbeat.store.database import Database
from offbeat.store.queries import Page
from offbeat.store.record_queries import COLUMNS as RECORD_COLUMNS
from offbeat.store.record_queries import FORM, record_of, sentence_of

DELIVERIES_MAX = 1_000
"""Deliveries of one alert that are kept once they are done."""
END = 1 << 60
"""An ordinal after all others of its entry."""
FAR = 1 << 61
Place = tuple[int, int]
Statement = tuple[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A rule, and since when it is there and is as it is."""

    rule: Rule
    created_ms: int
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification for one sink. *state* is waiting, delivered or dead; *body* is the document without its id."""

    number: int
    alert: int
    kind: str
    sink: str
    state: str
    attempts: int
    due_ms: int
    created_ms: int
    ended_ms: int | None
    error: str
    body: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What nobody was told, and why: *by* a silence, a calendar, a rule or a person."""

    number: int
    at_ms: int
    alert: int | None
    rule: str
    kind: str
    reason: str
    by: str
    why: str
    source: str | None
    record: str
    score: float | None
    check: str | None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts: those that were active at some time from *start_ms*, before *end_ms*; newest first."""

    state: str | None = None
    rule: str | None = None
    sources: tuple[str, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    limit: int = 100
    cursor: str | None = None


# ── what writes ───────────────────────────────────────────────────────────────────────────────────────────────────

KEEP_PLACE = "UPDATE alert_place SET seq = ?, ordinal = ?"
KEEP_RULE = (
    "INSERT INTO alert_rule VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body, "
    "changed_ms = excluded.changed_ms"
)
DROP_RULE = "DELETE FROM alert_rule WHERE id = ?"
KEEP_CALENDAR = "INSERT INTO alert_calendar VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
DROP_CALENDAR = "DELETE FROM alert_calendar WHERE id = ?"
KEEP_SILENCE = "INSERT INTO alert_silence VALUES (?, ?, ?, NULL)"
END_SILENCE = "UPDATE alert_silence SET removed_ms = ? WHERE number = ?"
DROP_SILENCE = "DELETE FROM alert_silence WHERE number = ?"
KEEP_ALERT = f"INSERT OR REPLACE INTO alert VALUES ({', '.join('?' * 22)})"
KEEP_FINDING = "INSERT OR IGNORE INTO alert_finding VALUES (?, ?, ?, ?)"
KEEP_SUPPRESSED = f"INSERT INTO alert_suppressed VALUES (NULL, {', '.join('?' * 11)})"
KEEP_DELIVERY = "INSERT INTO alert_delivery VALUES (NULL, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)"
DELIVERED = (
    "UPDATE alert_delivery SET state = 'delivered', attempts = attempts + 1, ended_ms = ?, error = '' WHERE number = ?"
)
# Of an alert that is no longer kept, or is told again and again, the deliveries that are done go.
TIDY = """DELETE FROM alert_delivery WHERE alert = ?1 AND state = 'delivered' AND (
 NOT EXISTS (SELECT 1 FROM alert WHERE number = ?1) OR number <= (SELECT number FROM alert_delivery
 WHERE alert = ?1 AND state = 'delivered' ORDER BY number DESC LIMIT 1 OFFSET ?2))"""
FAILED = "UPDATE alert_delivery SET attempts = attempts + 1, due_ms = ?, error = ? WHERE number = ?"
DEAD = "UPDATE alert_delivery SET state = 'dead', attempts = attempts + ?, ended_ms = ?, error = ? WHERE number = ?"
REVIVE = (
    "UPDATE alert_delivery SET state = 'waiting', attempts = 0, due_ms = ?, ended_ms = NULL, error = '' "
    "WHERE number = ?"
)

DROPPED = "alerts.dropped."


def _old(table: str, where: str) -> str:
    """Says of a row of *table* that it is one of those *where*, and not of the newest ?1 of them."""
    return f"{where} AND number <= (SELECT number FROM {table} WHERE {where} ORDER BY number DESC LIMIT 1 OFFSET ?1)"


def _bound(table: str, where: str, name: str, rows_max: int) -> list[Statement]:
    """What deletes all but the newest *rows_max* rows *where*, and counts what goes."""
    old = _old(table, where)
    count = f"INSERT INTO counter SELECT '{DROPPED}{name}', count(*) FROM {table} WHERE {old} "
    return [
        (count + "ON CONFLICT DO UPDATE SET value = value + excluded.value", [(rows_max,)]),
        (f"DELETE FROM {table} WHERE {old}", [(rows_max,)]),
    ]


def bound_suppressed(rows_max: int) -> list[Statement]:
    """What keeps the suppressed to their bound."""
    return _bound("alert_suppressed", "1 = 1", "suppressed", rows_max)


def bound_dead(rows_max: int) -> list[Statement]:
    """What keeps the dead letters to their bound."""
    return _bound("alert_delivery", "state = 'dead'", "dead_letters", rows_max)


def bound_cleared(rows_max: int) -> list[Statement]:
    """What keeps the cleared alerts to their bound; what is still to be delivered, and dead letters, stay."""
    cleared = "cleared_ms IS NOT NULL"
    gone = f"alert IN (SELECT number FROM alert WHERE {_old('alert', cleared)})"
    return [
        (f"DELETE FROM alert_finding WHERE {gone}", [(rows_max,)]),
        (f"DELETE FROM alert_delivery WHERE state = 'delivered' AND {gone}", [(rows_max,)]),
        *_bound("alert", cleared, "alerts", rows_max),
    ]


def alert_row(a: Alert) -> tuple[Any, ...]:
    """The row of an alert."""
    return (
        a.number, a.rule, *a.group[:3], a.raised_ms, a.reached_ms, a.told_ms, a.told_count, a.finding_count, a.score,
        a.record, a.sentence, orjson.dumps(a.sinks).decode(), a.cleared_ms, a.cleared_by, a.acknowledged_ms,
        a.acknowledged_by, a.acknowledged_comment, a.group[3], a.status, a.tried_ms,
    )  # fmt: skip


def finding_row(alert: int, seen: Seen) -> tuple[Any, ...]:
    """The row of a finding that holds *alert*."""
    return alert, seen.seq, seen.ordinal, orjson.dumps(asdict(seen)).decode()


def silence_row(silence: Silence) -> tuple[Any, ...]:
    """The row of a silence."""
    return silence.number, orjson.dumps(asdict(silence)).decode(), silence.until_ms


# ── what reads ────────────────────────────────────────────────────────────────────────────────────────────────────


def _alert(row: Sequence[Any]) -> Alert:
    group = *row[2:5], row[19]
    values: list[Any] = [*row[:2], group, *row[5:13], tuple(orjson.loads(row[13])), *row[14:19], *row[20:]]
    return Alert(*values)


async def place(database: Database) -> tuple[Place, str]:
    """The last finding that the rules have seen, and the name of this store."""
    ((seq, ordinal, store),) = await database.read("SELECT seq, ordinal, store FROM alert_place")
    return (seq, ordinal), store


async def load_rules(database: Database) -> dict[str, KeptRule]:
    """All rules by their ids, in the order in which they were given."""
    rows = await database.read("SELECT id, body, created_ms, changed_ms FROM alert_rule ORDER BY created_ms, id")
    return {id: KeptRule(rules.unpacked(body), created, changed) for id, body, created, changed in rows}


async def load_calendars(database: Database) -> list[Calendar]:
    """All calendars."""
    rows = await database.read("SELECT id, body, created_ms FROM alert_calendar ORDER BY id")
    return [calendars.unpacked(*row) for row in rows]


async def load_silences(database: Database) -> list[Silence]:
    """All silences in the order in which they were given."""
    found = []
    for body, removed_ms in await database.read("SELECT body, removed_ms FROM alert_silence ORDER BY number"):
        held = {name: tuple(v) if isinstance(v, list) else v for name, v in orjson.loads(body).items()}
        found.append(Silence(**{**held, "removed_ms": removed_ms}))
    return found


async def load_active(database: Database) -> list[Alert]:
    """The alerts that are active."""
    return [_alert(row) for row in await database.read("SELECT * FROM alert WHERE cleared_ms IS NULL ORDER BY number")]


async def newest(database: Database, table: str) -> int:
    """The greatest number that *table* ever gave, 0 for none."""
    rows = await database.read("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (table,))
    return int(rows[0][0])


async def entry_ms(database: Database, seq: int) -> int | None:
    """When journal entry *seq* was written; None if it is no longer kept."""
    rows = await database.read("SELECT at_ms FROM journal WHERE seq = ?", (seq,))
    return rows[0][0] if rows else None


async def seen_after(
    database: Database,
    jobs: Mapping[int, Job],
    after: Place,
    upto: int,
    min_score: float,
    limit: int,
    series_name: Callable[[int], tuple[str, str]],
) -> list[Seen]:
    """Records after the place *after*, up to entry *upto*, that score at least *min_score*, in the journal's order.

    A record that became stronger stands where it did so last.
    """
    known = f"job IN ({','.join(str(number) for number in jobs)})"
    rows = await database.read(
        f"SELECT job, coalesce((SELECT at_ms FROM journal WHERE journal.seq = record.seq), made_ms), {RECORD_COLUMNS} "
        f"FROM record WHERE (seq, ordinal) > (?, ?) AND seq <= ? AND score >= ? AND {known} "
        "ORDER BY seq, ordinal LIMIT ?",
        (*after, upto, min_score, limit),
    )
    return [_seen(jobs[row[0]], row, series_name(row[2])) for row in rows if row[0] in jobs]


def _seen(job: Job, row: Sequence[Any], name: tuple[str, str]) -> Seen:
    r = record_of(job, tuple(row[2:]), name)
    seq, ordinal = row[2 + FORM : 4 + FORM]
    return Seen(seq, ordinal, row[1], r.time_ms, r.id, r.job, r.source, r.field, r.score, sentence_of(r))


async def alerts(database: Database, query: AlertQuery) -> Page[Alert]:
    """Alerts in the bounds of *query*, newest first."""
    where: list[str] = []
    parameters: list[Any] = []
    for condition, value in (
        ("rule = ?", query.rule),
        ("(cleared_ms IS NULL OR cleared_ms >= ?)", query.start_ms),
        ("raised_ms < ?", query.end_ms),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    if query.state is not None:
        where.append(f"cleared_ms IS {'NULL' if query.state == 'active' else 'NOT NULL'}")
    if query.sources:
        where.append(f"source IN ({','.join('?' * len(query.sources))})")
        parameters += query.sources
    rows, more = await _numbered(database, "alert", where, parameters, query.limit, query.cursor)
    return Page(tuple(_alert(row) for row in rows), more)


async def _numbered(
    database: Database, table: str, where: list[str], parameters: list[Any], limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """Rows of *table*, the number first, newest first, and where the list goes on."""
    before = place_of(cursor, int) or (FAR,)
    rows = await database.read(
        f"SELECT * FROM {table} WHERE {' AND '.join(['number < ?', *where])} ORDER BY number DESC LIMIT ?",
        (*before, *parameters, limit + 1),
    )
    return rows[:limit], cursor_of(rows[limit - 1][0]) if len(rows) > limit else None


async def alert(database: Database, number: int) -> Alert | None:
    """One alert."""
    rows = await database.read("SELECT * FROM alert WHERE number = ?", (number,))
    return _alert(rows[0]) if rows else None


async def findings_of(database: Database, number: int) -> list[Seen]:
    """The findings of an alert, in order, as many as are kept."""
    rows = await database.read("SELECT body FROM alert_finding WHERE alert = ? ORDER BY seq, ordinal", (number,))
    return [Seen(**orjson.loads(body)) for (body,) in rows]


async def deliveries_of(database: Database, number: int) -> list[Delivery]:
    """The newest deliveries of an alert, in order."""
    rows = await database.read(
        "SELECT * FROM alert_delivery WHERE alert = ? ORDER BY number DESC LIMIT ?", (number, DELIVERIES_MAX)
    )
    return [Delivery(*row) for row in reversed(rows)]


async def due_deliveries(database: Database, sink: str, now_ms: int, limit: int) -> list[Delivery]:
    """What is to be delivered now; of one alert the oldest only: nobody hears of an end before the beginning."""
    rows = await database.read(
        "SELECT * FROM alert_delivery AS d WHERE sink = ?1 AND state = 'waiting' AND due_ms <= ?2 AND NOT EXISTS "
        "(SELECT 1 FROM alert_delivery AS e WHERE e.sink = ?1 AND e.alert = d.alert AND e.state = 'waiting' "
        "AND e.number < d.number) ORDER BY number LIMIT ?3",
        (sink, now_ms, limit),
    )
    return [Delivery(*row) for row in rows]


async def next_due_ms(database: Database, sink: str) -> int:
    """When the next attempt for *sink* is due; far off if nothing waits."""
    rows = await database.read(
        "SELECT coalesce(min(due_ms), 1 << 61) FROM alert_delivery WHERE sink = ? AND state = 'waiting'", (sink,)
    )
    return int(rows[0][0])


async def waiting_counts(database: Database) -> dict[str, int]:
    """How many deliveries wait for each sink that has some."""
    return dict(
        await database.read("SELECT sink, count(*) FROM alert_delivery WHERE state = 'waiting' GROUP BY sink")
    )


async def waiting_without(database: Database, sinks: Collection[str]) -> list[int]:
    """The deliveries that wait for a sink that is none of *sinks*."""
    marks = ",".join("?" * len(sinks))
    rows = await database.read(
        f"SELECT number FROM alert_delivery WHERE state = 'waiting' AND sink NOT IN ({marks})", tuple(sinks)
    )
    return [number for (number,) in rows]


async def dead_letters(database: Database, limit: int, cursor: str | None) -> Page[Delivery]:
    """Deliveries that were given up, newest first."""
    rows, more = await _numbered(database, "alert_delivery", ["state = 'dead'"], [], limit, cursor)
    return Page(tuple(Delivery(*row) for row in rows), more)


async def dead_letter_count(database: Database) -> int:
    """How many deliveries are given up."""
    return int((await database.read("SELECT count(*) FROM alert_delivery WHERE state = 'dead'"))[0][0])


async def delivery(database: Database, number: int) -> Delivery | None:
    """One delivery."""
    rows = await database.read("SELECT * FROM alert_delivery WHERE number = ?", (number,))
    return Delivery(*rows[0]) if rows else None


async def suppressed(
    database: Database, rule: str | None, reason: str | None, sources: tuple[str, ...], limit: int, cursor: str | None
) -> Page[Suppressed]:
    """What nobody was told, newest first."""
    where: list[str] = []
    parameters: list[Any] = []
    for condition, value in (("rule = ?", rule), ("reason = ?", reason)):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    if sources:
        where.append(f"source IN ({','.join('?' * len(sources))})")
        parameters += sources
    rows, more = await _numbered(database, "alert_suppressed", where, parameters, limit, cursor)
    return Page(tuple(Suppressed(*row) for row in rows), more)


async def dropped(database: Database, what: str) -> int:
    """How many rows of a kind went because there were too many."""
    rows = await database.read("SELECT value FROM counter WHERE name = ?", (DROPPED + what,))
    return int(rows[0][0]) if rows else 0
