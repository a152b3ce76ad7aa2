"""Rows of a query as records, page by page along a column that only grows. Which database it is, others know.

The cursor is the last value of that column and how many rows with it have been taken, for several may have the same.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import orjson

from offbeat.feeds.batch import Batch, Bounds, Cursor, Form
from offbeat.feeds.errors import FeedTrouble
from offbeat.feeds.spec import QuerySource


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a query, and the names of its columns."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


class Database(Protocol):
    """A database that can be asked."""

    def parameter(self, number: int) -> str:
        """How a statement writes its parameter of this number, from 1."""
        ...

    async def ask(self, statement: str, parameters: Sequence[Any]) -> Page:
        """The answer to a statement. Raises FeedTrouble."""
        ...

    async def close(self) -> None:
        """Let it go."""
        ...


class QueryReading:
    """Reads on in the rows of *source*."""

    complete_ms: int | None = None

    def __init__(self, source: QuerySource, form: Form, database: Database) -> None:
        self._source, self._form, self._database = source, form, database

    async def read(self, cursor: Cursor, bounds: Bounds) -> Batch | None:
        """The next rows. Raises FeedTrouble."""
        last = cursor.get("last") if cursor.get("column") == self._source.cursor else None
        taken = 0 if last is None else int(cursor["taken"])
        page = await self._database.ask(self._statement(last is not None), [
            *([] if last is None else [plain(last)]), self._source.rows, taken])
        if self._source.cursor not in page.columns:
            raise FeedTrouble(f"the query gives no column {self._source.cursor!r}: it gives {', '.join(page.columns)}")
        if not page.rows:
            return None
        at = page.columns.index(self._source.cursor)
        values = [tagged(row[at]) for row in page.rows]
        same = sum(value == values[-1] for value in values)
        now = {"column": self._source.cursor, "last": values[-1],
               "taken": same + (taken if values[-1] == last else 0)}
        records, counts = await asyncio.to_thread(self._records, page)
        return bounds.batch(records, counts, now)

    async def close(self) -> None:
        """Let the database go."""
        await self._database.close()

    def _statement(self, goes_on: bool) -> str:
        # Rows with one value come in the order of the table, as they were appended: no other order is asked for.
        column = '"' + self._source.cursor.replace('"', '""') + '"'
        number: Callable[[int], str] = self._database.parameter
        where, rest = (f"{column} >= {number(1)}", 2) if goes_on else (f"{column} IS NOT NULL", 1)
        return (f"SELECT * FROM ({self._source.query}\n) AS fed WHERE {where} ORDER BY {column} "
                f"LIMIT {number(rest)} OFFSET {number(rest + 1)}")

    def _records(self, page: Page) -> Any:
        """The rows as lines of JSON, which are read as those of a file are: the same times, the same transforms."""
        description, time_field = self._form.description, self._form.description.time_field
        if time_field in page.columns and isinstance(page.rows[0][page.columns.index(time_field)], date):
            description = replace(description, time_format="epoch_ms")
        lines = []
        for row in page.rows:
            values = {name: as_text(value) for name, value in zip(page.columns, row, strict=True) if value is not None}
            lines.append(orjson.dumps(values))
        return replace(self._form, description=description).records_of(b"\n".join(lines) + b"\n")


def as_text(value: object) -> str:
    """A value of a column as the text that a record has; times are milliseconds since 1970 UTC."""
    match value:
        case bool():
            return "true" if value else "false"
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="replace")
        case datetime():
            return str(round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000))
        case date():
            return str(round(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() * 1000))
        case list() | tuple():
            return ",".join(as_text(one) for one in value if one is not None)
    return str(value).encode(errors="replace").decode()


KINDS: Mapping[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
}
"""What JSON does not have: the name that it gets in a cursor, and how it is written and read."""


def tagged(value: object) -> Any:
    """A value of the cursor column for JSON. Raises FeedTrouble for a type that has no order that lasts."""
    if isinstance(value, str | float) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    for name, (kind, write, _) in KINDS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    raise FeedTrouble(f"the cursor column holds a {type(value).__name__}: expected numbers, texts or times")


def plain(value: Any) -> Any:
    """What ``tagged`` was given."""
    if isinstance(value, dict):
        (name, text), = value.items()
        return KINDS[name][2](text)
    return value
