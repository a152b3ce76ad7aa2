"""A whole daemon with its doors, in this process, and calls of it."""
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from offbeat.clock import ManualClock
from offbeat.gateways import GATEWAYS
from offbeat.http.app import build_app, server_options
from tests.feeds.parts import House, house


class Door:
    """Calls of a daemon."""

    def __init__(self, home: House, client: aiohttp.ClientSession, url: str) -> None:
        self.home, self._client, self.url = home, client, url

    async def call(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Status and document of an answer; None: no document."""
        async with self._client.request(method, f"{self.url}{path}", json=document) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    async def prelert(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """The same of the Prelert gateway."""
        return await self.call(method, f"/engine/v2{path}", document)


@asynccontextmanager
async def door(directory: Path, clock: ManualClock | None = None) -> AsyncIterator[Door]:
    """A daemon over *directory* at a free port."""
    async with house(directory, clock) as home:
        home.service.tokens.anonymous = True  # it listens on loopback
        runner = web.AppRunner(build_app(home.service.parts(), GATEWAYS), **server_options())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            async with aiohttp.ClientSession() as client:
                yield Door(home, client, f"http://{host}:{port}")
        finally:
            await runner.cleanup()
