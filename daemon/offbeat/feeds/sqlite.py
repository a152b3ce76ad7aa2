"""SQLite as a source of rows: opened only to read, on a thread, anew for each page, so that nobody is kept waiting."""
from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from offbeat.feeds.errors import FeedTrouble
from offbeat.feeds.queries import Page

QUERY_TIMEOUT_S = 60.0
BUSY_TIMEOUT_S = 5.0
STEPS = 10_000
"""Steps of the virtual machine between two looks at the time."""


class Sqlite:
    """The database file *path*."""

    def __init__(self, path: str) -> None:
        self._path = path

    def parameter(self, number: int) -> str:
        """As SQLite numbers them."""
        return f"?{number}"

    async def ask(self, statement: str, parameters: Sequence[Any]) -> Page:
        """The answer to a statement. Raises FeedTrouble, after QUERY_TIMEOUT_S at the latest."""
        return await asyncio.to_thread(self._ask, statement, parameters)

    def _ask(self, statement: str, parameters: Sequence[Any]) -> Page:
        until = time.monotonic() + QUERY_TIMEOUT_S
        try:
            with closing(sqlite3.connect(f"{Path(self._path).absolute().as_uri()}?mode=ro", uri=True,
                                         timeout=BUSY_TIMEOUT_S)) as database:
                database.set_progress_handler(lambda: time.monotonic() > until, STEPS)
                cursor = database.execute(statement, parameters)
                return Page(tuple(column[0] for column in cursor.description), cursor.fetchall())
        except (sqlite3.Error, sqlite3.Warning) as e:
            raise FeedTrouble(f"{self._path}: {e}") from e

    async def close(self) -> None:
        """Nothing is held."""
