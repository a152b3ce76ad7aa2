"""PostgreSQL as a source of rows, by asyncpg, which the extra ``postgres`` installs."""
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from offbeat.feeds.errors import FeedTrouble, MissingExtra
from offbeat.feeds.queries import Page

CONNECT_TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 60.0


def driver() -> Any:
    """The module asyncpg. Raises MissingExtra."""
    try:
        return import_module("asyncpg")
    except ImportError:
        raise MissingExtra(
            "a feed from PostgreSQL needs asyncpg, which is not installed",
            hint="install it with the extra: pip install 'offbeat[postgres]'",
        ) from None


class Postgres:
    """The database at *url*, which names no password. One connection, opened when it is needed, only to read."""

    def __init__(self, url: str, password: str) -> None:
        self._url, self._password, self._asyncpg = url, password, driver()
        self._connection: Any = None

    def parameter(self, number: int) -> str:
        """As PostgreSQL numbers them."""
        return f"${number}"

    async def ask(self, statement: str, parameters: Sequence[Any]) -> Page:
        """The answer to a statement. Raises FeedTrouble, and connects anew the next time."""
        try:
            if self._connection is None:
                self._connection = await self._asyncpg.connect(
                    self._url, password=self._password or None, timeout=CONNECT_TIMEOUT_S,
                    command_timeout=QUERY_TIMEOUT_S, server_settings={"default_transaction_read_only": "on"})
            prepared = await self._connection.prepare(statement)
            columns = tuple(attribute.name for attribute in prepared.get_attributes())
            return Page(columns, [tuple(row) for row in await prepared.fetch(*parameters)])
        except (OSError, TimeoutError, ValueError, self._asyncpg.PostgresError, self._asyncpg.InterfaceError) as e:
            await self.close()
            raise FeedTrouble(f"{self._url}: {str(e) or type(e).__name__}") from e
        except asyncio.CancelledError:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """End the connection."""
        self._drop()
