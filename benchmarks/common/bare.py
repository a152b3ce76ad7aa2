"""The least that aiohttp can do: reads a body, answers 202 with a receipt. A program of its own."""
from __future__ import annotations

import asyncio
import socket

from aiohttp import web

RECEIPT = b'{"accepted":1,"rejected":0,"errors":[],"sequence":1000,"applied":true}'


async def accept(request: web.Request) -> web.Response:
    """202 once the body is read."""
    await request.read()
    return web.Response(status=202, body=RECEIPT, content_type="application/json")


async def serve() -> None:
    """Listen on a free port of loopback, say which, go on until ended."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/api/v1/events", accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    await web.SockSite(runner, listening).start()
    print("{}:{}".format(*listening.getsockname()), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
