"""The parse service by itself: lines in, event objects out, nothing kept; any number of them may run."""
from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from offbeat.errors import CannotStart, Refused, UnsupportedMedia
from offbeat.meters.events import sections_in
from offbeat.meters.lines import written

PATH = "/log/parse"
LINE_BYTES_MAX = 256 * 1024
"""A longer event is refused."""


class NoLine(UnsupportedMedia):
    """A type that a line does not have, refused as the original meant to."""

    status = 400


def parsed(body: bytes, content_type: str | None) -> str:
    """The answer to a line: its event as JSON, with a line feed. *content_type* is the header as it came.

    Raises BadRequest, NoLine.
    """
    if content_type is not None and media_of(content_type) != "text/plain":
        raise NoLine(f'Unsupported content-type: "{content_type}"')
    return written(sections_in(body)) + "\n"


def media_of(content_type: str) -> str:
    """The media type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


@asynccontextmanager
async def listening(host: str, port: int) -> AsyncIterator[str]:
    """A parse service that answers; its address. Raises CannotStart."""
    app = web.Application(client_max_size=LINE_BYTES_MAX, middlewares=[_refusing])
    app.router.add_post(PATH, _post_line)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
        except OSError as e:
            reason = e.strerror or str(e)
            raise CannotStart(f"cannot listen on {host}:{port}: {reason}", hint="choose another --port") from e
        bound: socket.socket = site._server.sockets[0]  # type: ignore[union-attr]
        address, number = bound.getsockname()[:2]
        yield f"http://[{address}]:{number}" if ":" in address else f"http://{address}:{number}"
    finally:
        await runner.cleanup()


async def serve(host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; says its address when it is ready. Raises CannotStart."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with listening(host, port) as address:
        print(f"offbeat parse-service is ready at {address}", flush=True)
        await stop.wait()


async def _post_line(request: web.Request) -> web.Response:
    """The event of one line as JSON."""
    text = parsed(await request.read(), request.headers.get(hdrs.CONTENT_TYPE))
    return web.Response(body=text.encode(), content_type="application/json")


@web.middleware
async def _refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever is refused, as a document."""
    try:
        return await handler(request)
    except Refused as e:
        return _refusal(e.message, e.status)
    except web.HTTPException as e:
        return _refusal(e.reason, e.status, {name: e.headers[name] for name in (hdrs.ALLOW,) if name in e.headers})


def _refusal(message: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"error": message})
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
