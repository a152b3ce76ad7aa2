"""What happens, as it happens: server-sent events. Framing, keep-alive and patience; what is sent comes from the parts.

Source of the form: WHATWG, HTML Living Standard, "Server-sent events".
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from offbeat.errors import TooManyClients
from offbeat.http import documents, examples, explained
from offbeat.http.documents import Document, dump
from offbeat.http.parameters import MIN_SCORE, SEQUENCE, SOURCES, Asked, Parameter, Parameters, Unreadable, listed, text
from offbeat.http.parts import Parts
from offbeat.http.route import ADMITTED, Content, Header, Route
from offbeat.http.schemas import TEXT
from offbeat.store.queries import Bucket, Record, StreamEvent

KINDS = ("record", "bucket", "status")
PATIENCE_S = 30.0
"""A client that takes no byte for this long is let go; it comes back with the last id that it saw."""
GONE_LOOK_S = 1.0
"""How soon a client that left is noticed while there is nothing to tell it."""
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def _kind(given: str, _: object) -> str:
    if given not in KINDS:
        raise Unreadable(listed(KINDS))
    return given


async def get_stream(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """Records, buckets and status changes as server-sent events, until the client or the daemon goes."""
    last_id = request.headers.get("Last-Event-ID") or asked.get(
        "last_event_id"
    )  # the header: what a browser saw since the URL was made
    follow = parts.stream.follow(
        job=asked.get("job"), sources=asked.get("sources", ()), min_score=asked.get("min_score", 0.0),
        kinds=frozenset(asked.get("types", KINDS)), last_event_id=last_id)
    async with follow as events:
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        await send(request, response, events, parts.keepalive_s)
    return response


async def send(
    request: web.Request, response: web.StreamResponse, events: AsyncIterator[Sequence[StreamEvent]], keepalive_s: float
) -> None:
    """Write *events* until they end, and a comment whenever there was none for *keepalive_s*.

    It ends, too, once the token that let *request* in is taken no more. Raises ConnectionError once the client left.
    """
    clock = asyncio.get_running_loop().time
    await _write(response, b": follow on\n\n")  # the head goes out with the first bytes
    quiet_since = clock()
    following = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait((following,), timeout=min(GONE_LOOK_S, keepalive_s))
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client left")
            if ADMITTED in request and not request[ADMITTED].holds():
                return
            if following.done():
                some = following.result()
                if some is None:
                    return
                await _write(response, b"".join(map(framed, some)))
                following = asyncio.ensure_future(anext(events, None))
            elif clock() - quiet_since < keepalive_s:
                continue
            else:
                await _write(response, b": still here\n\n")
            quiet_since = clock()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _write(response: web.StreamResponse, frame: bytes) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await response.write(frame)
    except TimeoutError:
        raise ConnectionResetError("the client takes nothing") from None


def framed(event: StreamEvent) -> bytes:
    """*event* as it stands on the wire; JSON has no bare line end, so its data is one line."""
    id_line = b"" if event.id is None else b"id: %s\n" % event.id.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, event.kind.encode(), dump(_document(event)))


def _document(event: StreamEvent) -> Document:
    if isinstance(event.body, Record):
        return explained.record(event.body)
    if isinstance(event.body, Bucket):
        return documents.bucket(event.body)
    return dict(event.body)


ROUTES = (
    Route(
        "GET",
        "/api/v1/stream",
        get_stream,
        "results",
        {
            200: Content(
                "Events named record, bucket and status; their data is one JSON document.",
                TEXT,
                examples.STREAM,
                ("text/event-stream",),
            )
        },
        Parameters.of(
            text("job", "Only what this job says."),
            SOURCES,
            MIN_SCORE,
            Parameter(
                "types",
                "Only these: record, bucket, status.",
                _kind,
                {"type": "array", "items": {"type": "string", "enum": list(KINDS)}},
                "types",
                repeated=True,
                separated=True,
            ),
            text("last_event_id", "Go on after this id, as Last-Event-ID does."),
            SEQUENCE,
        ),
        headers=(Header("Last-Event-ID", "Go on after this id; a browser sends it by itself.", TEXT),),
        refusals=(TooManyClients,),
        timed=False,
    ),
)
