"""A route as one value: what is registered, read, refused and documented comes from it. Knows no particular route."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from aiohttp import hdrs, web

from offbeat.errors import BadBody, BadRequest, BodyTimeout, BodyTooLarge, Refused, Unauthorized, UnsupportedMedia
from offbeat.http.credentials import SAFE, native
from offbeat.http.parameters import Asked, Parameters, Schema
from offbeat.http.parts import Parts
from offbeat.store.tokens import Scope
from offbeat.tokens import Pass, Tokens

Handler = Callable[[web.Request, Parts, Asked], Awaitable[web.StreamResponse]]

JSON = "application/json"
SEQUENCE_WAIT_S = 10.0
ASKED = web.RequestKey("ASKED", bool)
"""Where a request remembers that its sender was told to go on."""
ADMITTED = web.RequestKey("ADMITTED", Pass)
"""Where a request has what let it in, if anything had to."""
Needed = Scope | Literal["open", "sign-in"]
"""What a call needs of a token: a scope; nothing; or nothing, for it is the call that shows one."""
DOCUMENT_BYTES_MAX = 256 * 1024
"""Largest JSON document that a request may bring where no events are meant."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a body holds, as the OpenAPI document says it: its media types, schema and one example."""

    about: str
    schema: Schema | None = None
    example: Any = None
    media: tuple[str, ...] = (JSON,)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that a route reads."""

    name: str
    about: str
    schema: Schema


def by_method(method: str) -> Scope:
    """The scope of a call that says nothing else: to look is to read, to change is for admins."""
    return "read" if method in SAFE else "admin"


def as_document(refused: Refused) -> Mapping[str, Any]:
    """The one error document of our own API."""
    return refused.as_dict()


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One method of one path. The handler's docstring is its description.

    answers     what each status below 400 brings
    refusals    what may be refused, besides bad parameters
    as_refused  the document of a refusal; a gateway has its own
    reads       the handler is given the query, read; else it reads the query itself
    timed       its time is measured; that of a stream says nothing
    listed      part of the API; else a page or its files, for a browser
    of_analyses a sequence to wait for is waited for of analyses as well
    scope       what a token needs to have for it, if need be by the request; None: read for GET and HEAD, else admin
    credentials the token that a request shows, None if it shows none; a gateway's clients have their own ways
    """

    method: str
    path: str
    handler: Handler
    tag: str
    answers: Mapping[int, Content]
    parameters: Parameters = field(default_factory=Parameters.of)
    headers: tuple[Header, ...] = ()
    body: tuple[Content, ...] = ()
    refusals: tuple[type[Refused], ...] = ()
    as_refused: Callable[[Refused], Mapping[str, Any]] = as_document
    refused_schema: str = "Error"
    reads: bool = True
    timed: bool = True
    listed: bool = True
    of_analyses: bool = False
    scope: Needed | Callable[[web.Request], Needed] | None = None
    credentials: Callable[[web.Request], str | None] = native

    def needs(self, request: web.Request) -> Needed:
        """What *request* needs of a token."""
        if callable(self.scope):
            return self.scope(request)
        return self.scope or by_method(request.method)

    async def admit(self, request: web.Request, tokens: Tokens) -> None:
        """Let *request* in, and have it remember by what. Raises Unauthorized, Forbidden, TooManyAttempts."""
        scope = self.needs(request)
        if scope != "open" and scope != "sign-in":
            request[ADMITTED] = await tokens.admit(self.credentials(request), scope, request.remote or "")

    def bound(self, parts: Parts) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler as aiohttp calls it."""
        if not self.reads:
            return lambda request: self.handler(request, parts, {})

        async def answer(request: web.Request) -> web.StreamResponse:
            asked = self.parameters.read(request.query, parts.config())
            sequence = asked.pop("sequence", None)
            if sequence is not None:
                await parts.results.reached(sequence, SEQUENCE_WAIT_S)
                if self.of_analyses:
                    await parts.analyses.runner.caught_up(SEQUENCE_WAIT_S)
            return await self.handler(request, parts, asked)
        return answer


def body_of(request: web.Request) -> bytes | AsyncIterator[bytes]:
    """The body, of stated length, if all of it is here, as that of a small request is; else as it arrives."""
    content = request.content
    if content.is_eof() and hdrs.CONTENT_LENGTH in request.headers and hdrs.EXPECT not in request.headers:
        return content.read_nowait()
    return chunks(request)


def chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it arrives, for as long as its sender is admitted.

    A sender that waits to be asked for it (Expect: 100-continue) is asked when it is first read.
    """
    if hdrs.EXPECT in request.headers and ASKED not in request:
        return _while_admitted(request, _asked_for(request))
    return _while_admitted(request, request.content.iter_any())


async def _while_admitted(request: web.Request, arriving: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What is *arriving*: a stream may last for months, and the token for less. Raises Unauthorized."""
    async for chunk in arriving:
        if ADMITTED in request and not request[ADMITTED].holds():
            raise Unauthorized("the token is taken no more: it was revoked or has expired while the body arrived")
        yield chunk


async def _asked_for(request: web.Request) -> AsyncIterator[bytes]:
    request[ASKED] = True
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
    async for chunk in request.content.iter_any():
        yield chunk


async def read_document(request: web.Request, parts: Parts) -> dict[str, Any]:
    """The JSON object in the body of *request*.

    Raises BadBody, BodyTooLarge, BodyTimeout, UnsupportedMedia, BadRequest.
    """
    if request.content_type not in (JSON, "application/octet-stream", "application/x-www-form-urlencoded"):
        raise UnsupportedMedia(
            f"Content-Type is {request.content_type}: expected {JSON}", where={"header": "Content-Type"}
        )
    try:
        document = orjson.loads(await read_body(request, parts))
    except orjson.JSONDecodeError as e:
        raise BadBody(f"the body is not JSON: {e}; nothing was changed", where={"byte": e.pos}) from None
    if not isinstance(document, dict):
        raise BadRequest("the body is not an object of JSON; nothing was changed")
    return document


async def read_body(request: web.Request, parts: Parts) -> bytes:
    """The body of *request*, no larger than a document may be. Raises BodyTooLarge, BodyTimeout, UnsupportedMedia."""
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(
            f"Content-Encoding is {encoding}: expected none for this document", where={"header": "Content-Encoding"}
        )
    body = bytearray()
    wait_s = parts.config().http.body_timeout_s
    try:
        async with asyncio.timeout(wait_s):
            async for chunk in chunks(request):
                body += chunk
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise BodyTooLarge(f"the document is larger than {DOCUMENT_BYTES_MAX} bytes; nothing was changed")
    except TimeoutError:
        raise BodyTimeout(f"the document did not arrive within {wait_s:g} seconds; nothing was changed") from None
    return bytes(body)
