"""The doors joined: the routes in one application, and the one place that turns what was raised into an answer."""
from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from offbeat.errors import BadBody, MethodNotAllowed, NotFound, Refused
from offbeat.http import (
    alert_rules,
    alerts,
    analyses,
    analysis_models,
    analysis_results,
    docs,
    events,
    feedback,
    feeds,
    health,
    jobs,
    openapi,
    results,
    silences,
    stream,
    tokens,
)
from offbeat.http.documents import answer
from offbeat.http.parameters import listed, nearest
from offbeat.http.parts import Parts
from offbeat.http.refusals import internal
from offbeat.http.route import Route

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]

API: tuple[Route, ...] = (
    *events.ROUTES, *results.ROUTES, *stream.ROUTES, *jobs.ROUTES,
    *analyses.ROUTES, *analysis_results.ROUTES, *analysis_models.ROUTES, *feeds.ROUTES,
    *feedback.ROUTES, *alerts.ROUTES, *alert_rules.ROUTES, *silences.ROUTES, *tokens.ROUTES, *health.ROUTES,
    *docs.ROUTES,
)
IDLE_S = 330.0
"""How long a connection may be idle: a sender that reports every five minutes keeps its own."""
LEFT = 499
"""What is counted as the status where the client left before its answer."""


def build_app(parts: Parts, gateways: tuple[Route, ...] = ()) -> web.Application:
    """All doors over *parts*, those of the *gateways* as well.

    It is served with ``server_options``: an aiohttp server unpacks bodies by itself otherwise.
    """
    routes = (*API, *gateways)
    app = web.Application()
    answering = _answering(parts, routes)
    for route in routes:
        path = re.sub(r"{(\w+)}", r"{\1:[^/]+}", route.path)  # aiohttp's own pattern takes no braces; a name may
        handler = answering(route.bound(parts), route)
        app.router.add_route(route.method, path, handler, expect_handler=_asks_later)
    # A route, for a middleware would cost each request of the others three calls more.
    app.router.add_route("*", "/{rest:.*}", answering(_unmatched, None), expect_handler=_asks_later)
    app[docs.OPENAPI] = openapi.document(routes, parts.version)
    return app


def server_options() -> dict[str, Any]:
    """The keyword arguments of ``web.AppRunner`` that the doors rely on.

    The intake unpacks bodies, under its own bounds. A client that leaves does not cancel its handler: a body that is
    already whole is counted. A connection that stays idle goes: it has a place that others may want.
    """
    return {"auto_decompress": False, "handler_cancellation": False, "keepalive_timeout": IDLE_S}


async def _asks_later(request: web.Request) -> None:
    """Leave a sender that expects 100-continue waiting: it is asked for its body when that is read (route.chunks)."""


async def _unmatched(request: web.Request) -> web.StreamResponse:
    """Raise HTTPMethodNotAllowed if other methods have the path, else HTTPNotFound."""
    mine = request.match_info.route.resource
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource is not mine:
            allowed |= (await resource.resolve(request))[1]
    raise web.HTTPMethodNotAllowed(request.method, allowed) if allowed else web.HTTPNotFound()


def _answering(parts: Parts, routes: tuple[Route, ...]) -> Callable[[Answering, Route | None], Answering]:
    by_path = {route.path: route for route in routes}
    paths = [route.path for route in routes if route.listed]

    def answering(handler: Answering, route: Route | None) -> Answering:
        """*handler*, of *route* if there is one, so that whatever it raises is answered and each answer is counted."""
        name, timed = (route.path, route.timed) if route is not None else ("unmatched", True)

        async def answered(request: web.Request) -> web.StreamResponse:
            began = perf_counter()
            status = LEFT
            try:
                try:
                    if route is not None:
                        await route.admit(request, parts.tokens)
                    response = await handler(request)
                except Exception as e:
                    if isinstance(e, ConnectionError) and _left(request):
                        return web.Response(status=LEFT)  # nobody reads it; raised, it would be logged as a failure
                    refused = _refusal(e, request, paths)
                    if request.writer.output_size > 0:  # the answer has begun: all that can be done is to break it off
                        if request.transport is not None:
                            request.transport.abort()
                        return web.Response(status=LEFT)
                    form = (route or by_path.get(request.path, API[0])).as_refused
                    response = answer(form(refused), refused.status, {**refused.headers, **_allowed(e)})
                    if hdrs.EXPECT in request.headers:  # whether the body will follow, nobody knows
                        response.force_close()
                status = response.status
                return response
            finally:
                parts.metrics.answered(name, request.method, status, perf_counter() - began if timed else None)

        return answered

    return answering


def _left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _allowed(raised: Exception) -> Mapping[str, str]:
    return {"Allow": raised.headers["Allow"]} if isinstance(raised, web.HTTPMethodNotAllowed) else {}


def _refusal(raised: Exception, request: web.Request, paths: list[str]) -> Refused:
    """What *raised* means to the sender."""
    match raised:
        case Refused():
            return raised
        case web.HTTPNotFound():
            return NotFound(
                f"there is nothing at {request.path:.200}",
                hint=nearest(request.path[:200], paths),
                where={"path": request.path[:200]},
            )
        case web.HTTPMethodNotAllowed():
            allowed = listed(tuple(sorted(raised.allowed_methods)))
            return MethodNotAllowed(f"{request.method} is not a method of {request.path:.200}: expected {allowed}")
        case web.RequestPayloadError() | HttpProcessingError():
            return BadBody(f"the body broke off or is not well-formed HTTP: {raised}")
    return internal(raised, request.method, request.path)
