"""The calls of the archive: which address means what, whatever alias it has and however many slashes.

Source: esmond measurement archive, sections 3, 4 and 6.
"""
from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from aiohttp import hdrs, web

from offbeat.errors import BodyTimeout, NotFound, Refused
from offbeat.gateways.esmond import reading, search, writing
from offbeat.gateways.esmond.call import Call, answered, drain
from offbeat.gateways.esmond.errors import document_of
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
DATA: Mapping[str, Handler] = {"GET": reading.get_data, "POST": writing.post_value}
CALLS: tuple[Mapping[str, Handler], ...] = (
    {"GET": search.get_records, "POST": search.post_record},
    {"GET": search.get_record, "PUT": writing.put_values, "POST": writing.put_values},
    {"GET": reading.get_event_type},
    DATA,
    DATA,
)
"""By how many segments stand behind the path of the archive: key, event type, kind of data, window."""
NAME = re.compile(r"[A-Za-z0-9_.-]+")


async def any_call(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """Answer a call, whichever it is."""
    try:
        return await _answer(request, parts)
    except Refused as e:
        if request.writer.output_size > 0:  # the answer has begun: all that can be done is to break it off
            raise
        # Of who waits to be asked for the body nobody knows whether it will follow; one that stopped will not.
        over = hdrs.EXPECT in request.headers or isinstance(e, BodyTimeout)
        whole = not over and await drain(request, parts)
        headers = {**e.headers, **({"WWW-Authenticate": "Token"} if e.status == 401 else {})}
        response = answered(document_of(e), e.status, headers)
        if not whole:
            response.force_close()
        return response


async def _answer(request: web.Request, parts: Parts) -> web.StreamResponse:
    segments = [unquote(segment) for segment in request.rel_url.raw_path.split("/") if segment]
    at = segments.index("perfsonar") if "perfsonar" in segments else len(segments)
    alias, path = "/".join(segments[:at]), segments[at + 1:]
    known = [name.strip("/") for name in parts.config().esmond.aliases]
    root = "/".join(["", *segments[:at], "perfsonar", "archive", ""])
    methods = _methods(path) if at < len(segments) and (not alias or alias in known) else None
    if methods is None:
        raise NotFound(f"there is nothing at {request.path:.200}")
    call = Call(request, parts, root, tuple(path[1:]))
    allowed = [*methods, "HEAD", "OPTIONS"]
    if request.method == "OPTIONS":
        return answered("", 200, {
            "Allow": ", ".join(allowed), "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
        })
    handler = methods.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        refused = f"{request.method} is no method of {request.path:.200}: expected {', '.join(allowed)}"
        response = answered({"detail": refused, "error": refused}, 405, {"Allow": ", ".join(allowed)})
        if hdrs.EXPECT in request.headers or not await drain(request, parts):
            response.force_close()
        return response
    return await handler(call)


def _methods(path: list[str]) -> Mapping[str, Handler] | None:
    """The methods of what is at *path* behind /perfsonar; None if nothing is."""
    if not path:
        return {"GET": get_archives}
    if path[0] != "archive" or len(path) > len(CALLS) or not all(NAME.fullmatch(one) for one in path):
        return None
    return CALLS[len(path) - 1]


async def get_archives(call: Call) -> web.StreamResponse:
    """Where the archive is."""
    return answered({"archive": f"{call.origin}{call.root}"})


ROUTES = (
    Route(
        "*",
        "/{alias:(?:.*/)?}perfsonar{rest:(?:/.*)?}",
        any_call,
        "esmond",
        {200: Content("What the esmond archive says.")},
        as_refused=document_of,
        reads=False,
        listed=False,
        scope="open",  # who may do what is a matter of the call: credentials
    ),
)
