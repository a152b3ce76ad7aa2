"""How many may be connected at once: the bound on what the doors hold, whatever comes over a connection."""
from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web

from offbeat.errors import TooManyClients

PATIENCE_S = 1.0
"""How long one that is turned away has to read why."""


class TurnedAway(asyncio.Protocol):
    """A connection beyond the bound: told so, read no further, closed."""

    def __init__(self, refused: TooManyClients) -> None:
        body = orjson.dumps(refused.as_dict())
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        headers |= refused.headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._answer = f"HTTP/1.1 {refused.status} Too Many Requests\r\n{lines}\r\n".encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._answer)
        # Closed at once, it would be reset while the request still arrives, and the answer with it.
        asyncio.get_running_loop().call_later(PATIENCE_S, transport.close)


def bounded(
    server: web.Server, door: Callable[[], asyncio.Protocol], connections_max: int
) -> Callable[[], asyncio.Protocol]:
    """What makes the protocol of a new connection to *server*: a *door*, for as many as *connections_max*."""
    refused = TooManyClients(
        f"{connections_max} clients are connected already", hint="http.connections_max says how many may be"
    )

    def protocol() -> asyncio.Protocol:
        return door() if len(server.connections) < connections_max else TurnedAway(refused)

    return protocol
