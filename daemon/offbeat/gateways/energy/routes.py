"""The calls of the energy-sensors protocol, one sentence each.

Source: the logservice and parseservice of 2017, as the energy-sensors protocol describes them, chapters 2, 3 and 7.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from offbeat.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    IntakeFull,
    Refused,
    ShuttingDown,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.gateways.energy.credentials import NotFromHere, admit
from offbeat.gateways.energy.translation import cluster_document, line_of, options_of, time_of
from offbeat.http.documents import answer
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, Content, Handler, Route, read_body
from offbeat.http.schemas import ANY_OBJECT, TEXT, named
from offbeat.meters.events import MeterEvent, document_in, event_of, sections_in
from offbeat.meters.parse_service import NoLine, media_of, parsed
from offbeat.store import energy

LINE = (
    "Device: ID=7; Fw=100; Evt=1; Alarms: CoilRevesed=OFF; Power: Active=1200W; Reactive=279var; Appearent=403VA; "
    "Line: Current=5.2; Voltage=230.08V; Phase=-43.841rad; Peaks: 5.1;5.3;5.2; FFT Re: 9.1;0.2; FFT Img: 0.1;0.3; "
    "UTC Time: 2017-01-02 3:04:05; hz: 49.87; WiFi Strength: -62; Dummy: 1\n"
)
CLUSTER = {
    "label": -1, "count": 12, "avg_power_active_w": 900.5, "avg_power_reactive_var": 279.0,
    "avg_power_apparent_va": 403.0, "avg_line_current_a": 4.1, "avg_line_voltage_v": 230.08,
}
TAKING: tuple[type[Refused], ...] = (
    BadRequest, NotFromHere, BodyTimeout, BodyTooLarge, UnsupportedMedia, IntakeFull, StoreUnavailable, ShuttingDown)


async def post_energy_store(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Store one event of an energy meter, a line or a JSON object (in a string of JSON or not): 200 once it is durable.

    Its numbers are scored as those of any event; each batch of events, all are clustered.
    """
    await admit(request, parts, "ingest")
    event = event_in(await read_body(request, parts), request.headers.get(hdrs.CONTENT_TYPE))
    config, now_ms = parts.config(), parts.clock.now_ms()
    time_ms = time_of(event, config.ingest, config.energy.time, now_ms)
    kept = energy.kept(
        now_ms, event.reported_ms, event.device, event.features, event.body, config.energy.batch_events)
    await parts.intake.keep(line_of(event, time_ms), options_of(config.ingest), kept)
    parts.clustering.look()
    return answer({})


async def post_energy_parse(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Answer the event in one line of an energy meter as JSON, ready to be stored. Nothing is kept."""
    await admit(request, parts, "ingest")
    text = parsed(await read_body(request, parts), request.headers.get(hdrs.CONTENT_TYPE))
    return web.Response(body=text.encode(), content_type=JSON)


async def get_energy_summary(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The clusters of the last run: how many events each has, and the means of five of their numbers."""
    await admit(request, parts, "read")
    return answer({"clusters": [cluster_document(row) for row in await energy.summary(parts.database)]})


def event_in(body: bytes, content_type: str | None) -> MeterEvent:
    """The event that a body of this Content-Type holds. Raises BadRequest."""
    media = media_of(content_type or "")
    if media == "text/plain":
        return event_of(sections_in(body))
    if media == JSON:
        return event_of(document_in(body))
    raise BadRequest(f'Unable to decode content-type "{content_type}".')


def _as_refused(refused: Refused) -> Mapping[str, Any]:
    """The error document of both services."""
    return {"error": refused.message}


def _route(method: str, path: str, handler: Handler, ok: Content, refusals: tuple[type[Refused], ...],
           *body: Content) -> Route:
    return Route(method, path, handler, "energy-sensors", {200: ok}, body=body, refusals=refusals,
                 as_refused=_as_refused, refused_schema="EnergyError", reads=False, scope="open")


ROUTES = (
    _route("POST", "/log/store", post_energy_store, Content("It is stored.", ANY_OBJECT, {}), TAKING,
           Content("One event.", TEXT, LINE, ("text/plain",)),
           Content("The event object, by itself or as JSON in a string.", {"type": ["string", "object"]},
                   {"Device": {"ID": 7, "Fw": 100, "Evt": 1}, "Peaks": [5.1, 5.3, 5.2], "Dummy": [1]})),
    _route("POST", "/log/parse", post_energy_parse,
           Content("The event.", ANY_OBJECT, {"Device": {"ID": 7, "Fw": 100, "Evt": 1}}), (*TAKING[:5], NoLine),
           Content("One event.", TEXT, LINE, ("text/plain",))),
    _route("GET", "/clusters/summary", get_energy_summary,
           Content("The clusters.", named("EnergyClusters"), {"clusters": [CLUSTER]}), (NotFromHere,)),
)
