"""One request as the handlers of the gateway see it: who asks, in which dialect; its query and its body."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from aiohttp import hdrs, web

from offbeat.config import MvgConfig
from offbeat.errors import BodyTimeout, IntakeFull
from offbeat.gateways.mvg.dialects import Dialect
from offbeat.gateways.mvg.errors import REASONS, MvgError, NoSource, Offences
from offbeat.http.documents import dump
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, chunks
from offbeat.store import mvg as store
from offbeat.store.mvg import TIMESTAMP_MAX, Row, Source
from offbeat.vibration.measured import Measured

T = TypeVar("T")
DOCUMENT_BYTES_MAX = 4 << 20
"""Largest body of a request that brings no measurements."""
INLINE_BYTES = 32 * 1024
"""Less than this is read and written on the event loop: handing it to a thread takes longer."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. tenant: who asks; path: what stood for the names of the route."""

    request: web.Request
    parts: Parts
    dialect: Dialect
    tenant: str
    path: Mapping[str, str]

    @property
    def config(self) -> MvgConfig:
        """The settings of the gateway now."""
        return self.parts.config().mvg

    @property
    def measured(self) -> Measured:
        """What is shared by all requests."""
        return self.parts.measured

    async def source(self) -> Source:
        """The source of the path. Raises NoSource."""
        found = await store.source(self.parts.database, self.tenant, self.path["sid"])
        if found is None:
            raise NoSource(self.path["sid"])
        return found

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Source]:
        """The source of the path, while nobody else changes its measurements or labels, or deletes it."""
        async with self.measured.lock((self.tenant, self.path["sid"])):
            yield await self.source()

    async def measurement(self, source: Source) -> tuple[Row, bytes]:
        """The measurement of the path. Raises MvgError 404."""
        found = await store.measurement(self.parts.database, source.number, self.timestamp())
        if found is None:
            raise MvgError(404, f"Measurement {self.path['timestamp']} of source ID: {source.id} does not exist!")
        return found

    def timestamp(self) -> int:
        """The timestamp of the path. Raises MvgError 422."""
        offences = Offences()
        value = _integer(self.path["timestamp"], ("path", "timestamp"), offences)
        if value is not None and value < 0:
            offences.below(("path", "timestamp"), 0)
        offences.settle()
        assert value is not None
        return value

    def integer(self, name: str, offences: Offences, low: int | None = None) -> int | None:
        """A parameter of the query, None if it is not given; an offence if it is no integer, or below *low*."""
        text = self.request.query.get(name)
        if text is None or text in ("", "None"):
            return None
        value = _integer(text, ("query", name), offences)
        if value is not None and low is not None and value < low:
            offences.below(("query", name), low)
        return value

    def paging(self, offences: Offences) -> Paging:
        """Which page is asked for."""
        offset, limit = self.integer("offset", offences, 0), self.integer("limit", offences)
        most = self.config.page_items_max
        return Paging(offset or 0, most if limit is None else min(limit, most), limit is not None)

    @asynccontextmanager
    async def body(self, bytes_max: int = DOCUMENT_BYTES_MAX) -> AsyncIterator[Any]:
        """The JSON of the body, whatever Content-Type says. What is large waits for its turn before it is read.

        Raises MvgError 413, 415 or 422, BodyTimeout, IntakeFull.
        """
        if self.request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            raise MvgError(415, "the body is compressed: expected it plain")
        length = self.request.content_length
        if length is not None and length > bytes_max:
            raise _too_large(bytes_max)
        if length is not None and length <= INLINE_BYTES:
            yield _parsed(await self._read(bytes_max))
            return
        patience_s = self.parts.config().http.body_timeout_s
        try:
            async with asyncio.timeout(patience_s):
                await self.measured.uploads.acquire()
        except TimeoutError:
            raise IntakeFull(
                f"{self.config.uploads_max} large bodies are being read, and none ended within {patience_s:g} s; "
                "nothing was stored") from None
        try:
            body = await self._read(bytes_max)
            yield await asyncio.to_thread(_parsed, body)
        finally:
            self.measured.uploads.release()

    async def _read(self, bytes_max: int) -> bytes:
        body, clock = bytearray(), asyncio.get_running_loop().time
        patience_s = self.parts.config().http.body_timeout_s
        try:
            async with asyncio.timeout(patience_s) as limit:
                async for chunk in chunks(self.request):
                    body += chunk
                    if len(body) > bytes_max:
                        raise _too_large(bytes_max)
                    limit.reschedule(clock() + patience_s)
        except TimeoutError:
            raise BodyTimeout(f"the body stopped arriving for {patience_s:g} s; nothing was stored") from None
        return bytes(body)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for: a limit of 0 or less asks for nothing. given: the client named a limit."""

    offset: int
    limit: int
    given: bool

    @property
    def size(self) -> int:
        """The size of the page as it is told: clients divide by it."""
        return max(self.limit, 1)

    @property
    def items(self) -> int:
        """How many are wanted."""
        return max(self.limit, 0)

    def page(self, items: object, total: int) -> dict[str, object]:
        """The page."""
        return {"items": items, "total": total, "limit": self.size, "offset": self.offset}


async def calculated(function: Callable[[], T], size: int) -> T:
    """What *function* gives, on a thread if it works on many bytes."""
    return function() if size <= INLINE_BYTES else await asyncio.to_thread(function)


def answered(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*document* as JSON."""
    return as_json(dump(document), status, headers)


def as_json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with a body of JSON."""
    return web.Response(body=body, status=status, reason=REASONS.get(status), headers=headers, content_type=JSON)


def _integer(text: str, at: tuple[str | int, ...], offences: Offences) -> int | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", text.strip(), re.ASCII):
        offences.not_an_integer(at)
        return None
    return max(min(int(text), TIMESTAMP_MAX), -TIMESTAMP_MAX)


def _parsed(body: bytes) -> Any:
    if not body:
        raise MvgError(422, [{"loc": ["body"], "msg": "field required", "type": "value_error.missing"}])
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as e:
        offence = {"loc": ["body", e.pos], "msg": f"the body is not JSON: {e.msg}", "type": "value_error.jsondecode"}
        raise MvgError(422, [offence]) from None


def _too_large(bytes_max: int) -> MvgError:
    return MvgError(413, f"the body is larger than {bytes_max} bytes; nothing was stored")
