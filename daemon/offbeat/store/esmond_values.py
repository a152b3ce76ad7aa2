"""What was measured, in the esmond archive: values by the second, and bins of summaries. Writes are statements."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from offbeat.store.database import Database, Statements
from offbeat.store.esmond import IN_JSON

Values = dict[int, bytes]
"""By their second."""

UPSERT_BASE = (
    "INSERT INTO esmond_base VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET value = excluded.value, made_ms = excluded.made_ms"
)
UPSERT_BIN = (
    "INSERT INTO esmond_bin VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET state = excluded.state, made_ms = excluded.made_ms"
)
UPSERT_BEGUN = (
    "INSERT INTO esmond_begun VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET blocks = excluded.blocks, made_ms = excluded.made_ms"
)
PAGE = "ORDER BY ts LIMIT ? OFFSET ?"


async def values_at(database: Database, event: int, seconds: Iterable[int]) -> Values:
    """What stands at these seconds, where something does."""
    return dict(
        await database.read(
            f"SELECT ts, value FROM esmond_base WHERE event = ? AND ts {IN_JSON}", (event, _listed(seconds))))


async def states_at(database: Database, event: int, span_s: int, starts: Iterable[int]) -> Values:
    """The states of the bins that begin at these seconds, where there is one."""
    return dict(
        await database.read(
            f"SELECT ts, state FROM esmond_bin WHERE event = ? AND span_s = ? AND ts {IN_JSON}",
            (event, span_s, _listed(starts))))


async def values(
    database: Database, event: int, range_s: tuple[int, int], limit: int, offset: int
) -> list[tuple[int, bytes]]:
    """A page of what was written, of seconds in *range_s*, both ends included."""
    return await database.read(
        f"SELECT ts, value FROM esmond_base WHERE event = ? AND ts BETWEEN ? AND ? {PAGE}",
        (event, *range_s, limit, offset))


async def states(
    database: Database, event: int, span_s: int, range_s: tuple[int, int], limit: int, offset: int
) -> list[tuple[int, bytes]]:
    """A page of the bins of a window that begin in *range_s*, both ends included."""
    return await database.read(
        f"SELECT ts, state FROM esmond_bin WHERE event = ? AND span_s = ? AND ts BETWEEN ? AND ? {PAGE}",
        (event, span_s, *range_s, limit, offset))


async def blocks_begun(database: Database, digest: bytes) -> int:
    """How many blocks of numbers of this write are in the journal already, though it is not whole."""
    rows = await database.read("SELECT blocks FROM esmond_begun WHERE digest = ?", (digest,))
    return int(rows[0][0]) if rows else 0


def begun(digest: bytes, blocks: int, now_ms: int) -> Statements:
    """That so many blocks of this write are in the journal."""
    return [(UPSERT_BEGUN, [(digest, blocks, now_ms)])]


def written(
    base: Sequence[tuple[int, int, bytes]], bins: Sequence[tuple[int, int, int, bytes]], events: Iterable[int],
    now_ms: int,
) -> Statements:
    """All of a write.

    base    event, second, value
    bins    event, window, start, state
    events  the numbers of the event types that were written to
    """
    return [
        (UPSERT_BASE, [(*one, now_ms) for one in base]),
        (UPSERT_BIN, [(*one, now_ms) for one in bins]),
        ("UPDATE esmond_event SET updated_s = ? WHERE number = ?", [(now_ms // 1000, event) for event in events]),
    ]


def whole(digest: bytes) -> Statements:
    """That this write is whole: what it had begun with need not be known any more."""
    return [("DELETE FROM esmond_begun WHERE digest = ?", [(digest,)])]


def _listed(seconds: Iterable[int]) -> str:
    return orjson.dumps(list(seconds)).decode()
