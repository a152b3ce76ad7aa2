"""The daemon as a process: its doors, its signals, what it says to whoever started it. Builds no part."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from offbeat import systemd
from offbeat.assembly import watch_of
from offbeat.config import Config, HttpConfig
from offbeat.errors import CannotStart, NeedsToken
from offbeat.gateways import GATEWAYS
from offbeat.http.app import build_app, server_options
from offbeat.http.connections import bounded
from offbeat.http.short import doors
from offbeat.kernels import Kernels
from offbeat.page.routes import ROUTES as PAGE
from offbeat.service import Service, running, version_of_program
from offbeat.store.tokens import any_token

OTHER_KERNELS_AFTER_S = 10.0
"""So long after readiness, for those who begin to send at once."""
SWITCH_INTERVAL_S = 0.001
"""How long a thread that decodes line by line may keep the interpreter lock from the event loop."""


@asynccontextmanager
async def listening(service: Service, sockets: list[socket.socket]) -> AsyncIterator[list[str]]:
    """The doors of *service* open; gives the addresses as ``http://HOST:PORT``.

    *sockets* take the place of host and port.
    """
    http = service.config.http
    service.tokens.anonymous = http.allow_anonymous or not beyond_loopback(http, sockets)
    parts = service.parts()
    app = build_app(parts, (*GATEWAYS, *PAGE))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **server_options())
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    door = bounded(runner.server, doors(runner.server, parts), http.connections_max)
    servers: list[asyncio.Server] = []
    try:
        try:
            for inherited in sockets:
                servers.append(await loop.create_server(door, sock=inherited, backlog=http.connections_max))
            if not sockets:
                servers.append(await loop.create_server(door, http.host, http.port, backlog=http.connections_max))
        except OSError as e:
            raise CannotStart(
                f"cannot listen on {http.host}:{http.port}: {_reason(e)}",
                hint="choose another one with --port or --host",
                where={"host": http.host, "port": http.port},
            ) from e
        yield [_address(each.getsockname()) for server in servers for each in server.sockets]
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()


def beyond_loopback(http: HttpConfig, sockets: list[socket.socket]) -> list[str]:
    """The addresses that others than this machine may reach, of *sockets* if there are any, else of host and port.

    Empty, too, for a host that nobody knows: to listen there fails anyhow.
    """
    found: list[str] = []
    if sockets:
        found = [one.getsockname()[0] for one in sockets if one.family in (socket.AF_INET, socket.AF_INET6)]
    else:
        with suppress(OSError, UnicodeError):
            found = [str(info[4][0]) for info in socket.getaddrinfo(
                http.host or None, http.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]
    return [one for one in found if not ipaddress.ip_address(one.partition("%")[0]).is_loopback]


def refuse_to_be_open(config: Config, sockets: list[socket.socket]) -> None:
    """Raise NeedsToken if everyone who reaches the daemon could do everything, and nobody said that this is meant."""
    exposed = beyond_loopback(config.http, sockets)
    if exposed and not config.http.allow_anonymous and not any_token(Path(config.store.state_dir)):
        raise NeedsToken(
            f"whoever reaches {exposed[0]} could do everything: there is no token in {config.store.state_dir}",
            hint=f"`offbeat token create --scope admin,ingest,read --name NAME --state-dir {config.store.state_dir}` "
            "makes one; --allow-anonymous if that is meant",
            where={"address": exposed[0], "setting": "http.allow_anonymous"})


def _reason(error: OSError) -> str:
    """What *error* is about, without the address that asyncio adds."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _address(address: Any) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(config: Config, *, config_path: Path | None) -> int:
    """Run the daemon until SIGTERM or SIGINT; the process's exit status. Raises CannotStart."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    watch_of(config)
    sockets = systemd.listen_sockets()
    refuse_to_be_open(config, sockets)
    kernels = Kernels(config.watch.model, config.watch.parameters)
    kernels.prepare()
    gc.enable()
    try:
        return asyncio.run(_serve(config, config_path, kernels, sockets))
    finally:
        kernels.stop()


async def _serve(
    config: Config, config_path: Path | None, kernels: Kernels, sockets: list[socket.socket]
) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    async with running(config, config_path=config_path) as service:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, service.reload)
        async with listening(service, sockets) as addresses:
            watchdog = asyncio.create_task(_watchdog())
            gc.freeze()  # modules and kernels stay for good: a full collection that walks them stops all for 0.1 s
            print(
                f"offbeat {version_of_program()} is ready at {' and '.join(addresses)} (process {os.getpid()}, data in "
                f"{config.store.state_dir})",
                flush=True,
            )
            systemd.notify("READY=1\nSTATUS=listening")
            kernels.attend(loop)
            loop.call_later(OTHER_KERNELS_AFTER_S, _prepare_others, kernels, loop)
            await stop.wait()
            systemd.notify("STOPPING=1\nSTATUS=writing checkpoints")
            service.stopping = service.intake.closed = True
            watchdog.cancel()
    return 0


def _prepare_others(kernels: Kernels, loop: asyncio.AbstractEventLoop) -> None:
    kernels.prepare_others()
    kernels.attend(loop)


async def _watchdog() -> None:
    if (interval_s := systemd.watchdog_interval_s()) is None:
        return
    while True:
        systemd.notify("WATCHDOG=1")
        await asyncio.sleep(interval_s)
