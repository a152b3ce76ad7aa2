"""How the daemon is: alive, ready, in figures. One sentence a route."""
from __future__ import annotations

from aiohttp import hdrs, web

from offbeat.http.documents import answer
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.refusals import NotReady
from offbeat.http.route import Content, Route
from offbeat.http.schemas import TEXT, named


async def get_healthz(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """200 while the process lives."""
    return answer({"status": "alive"})


async def get_readyz(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """200 if events can be taken now, else 503 with the reason."""
    reason = parts.ready()
    if reason is not None:
        raise NotReady(reason)
    return answer({"status": "ready"})


async def get_metrics(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The daemon's counters and timers for Prometheus."""
    return web.Response(body=parts.metrics.render(), headers={hdrs.CONTENT_TYPE: parts.metrics.content_type})


ROUTES = (
    Route(
        "GET",
        "/healthz",
        get_healthz,
        "operation",
        {200: Content("It lives.", named("Status"), {"status": "alive"})},
        scope="open",
    ),
    Route(
        "GET",
        "/readyz",
        get_readyz,
        "operation",
        {200: Content("It takes events.", named("Status"), {"status": "ready"})},
        refusals=(NotReady,),
        scope="open",
    ),
    Route(
        "GET",
        "/metrics",
        get_metrics,
        "operation",
        {200: Content("All instruments.", TEXT, "offbeat_events_accepted_total 8720.0\n", ("text/plain",))},
    ),
)
