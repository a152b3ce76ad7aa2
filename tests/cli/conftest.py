"""What the tests of the command share: the command in this process, and a real HTTP server that answers as told."""
from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from offbeat.cli import main

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes

    def parameter(self, name: str) -> str | None:
        return dict(self.query).get(name)

    def parameters(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


class WireServer:
    """An HTTP server on a free port, in a thread of its own; *handler* answers everything and may be changed."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._arrived = threading.Condition()
        self.handler: Handler
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> WireServer:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> str:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}  # those of streams that nobody ended
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._note(
            Seen(
                request.method,
                request.raw_path.split("?")[0],
                tuple(request.query.items()),
                dict(request.headers),
                body,
            )
        )
        return await self.handler(request)

    def _note(self, seen: Seen) -> None:
        with self._arrived:
            self.seen.append(seen)
            self._arrived.notify_all()

    def wait_for(self, wanted: Callable[[Seen], bool]) -> Seen:
        """The first request that is *wanted*, which may be yet to come; 30 s at most."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: any(map(wanted, self.seen)), timeout=30), "no such request arrived"
            return next(filter(wanted, self.seen))

    def answers(self, *documents: object, status: int = 200) -> None:
        """Answer with these JSON documents in turn, the last for ever; what makes a response is called for one."""
        left = list(documents)

        async def handler(request: web.Request) -> web.StreamResponse:
            document = left.pop(0) if len(left) > 1 else left[0]
            if callable(document):
                document = document()
            return document if isinstance(document, web.StreamResponse) else web.json_response(document, status=status)

        self.handler = handler


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def offbeat(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run ``offbeat`` with these arguments in this process."""
    monkeypatch.delenv("OFFBEAT_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        status = main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(status, out, err)

    return run
