"""The calls of an InfluxDB client, one sentence each.

Source: InfluxData, "InfluxDB v2 API" (/api/v2/write, /health) and "InfluxDB 1.x HTTP API" (/write, /ping).
Database, bucket, organisation and retention policy are accepted and mean nothing here; a password is a token, and the
user of it means nothing.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import hdrs, web

from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    IdempotencyKeyReused,
    IntakeFull,
    NoGoodLine,
    Refused,
    ShuttingDown,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.gateways.influx.answers import PartialWrite, as_v1, as_v2, health
from offbeat.http.credentials import after, basic
from offbeat.http.documents import answer
from offbeat.http.events import IDEMPOTENCY_KEY, encoding_of, idempotency_key
from offbeat.http.parameters import Asked, Parameter, Parameters, Schema, listed, shown
from offbeat.http.parts import Parts
from offbeat.http.refusals import NotReady
from offbeat.http.route import Content, Handler, Header, Route, body_of
from offbeat.http.schemas import TEXT, named
from offbeat.wire.options import Options, Precision

VERSION = "1.8.10"
"""The version that clients are told: the last whose write call is the one spoken here."""
PING_HEADERS = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "OSS"}
V2_PRECISIONS: dict[str, Precision] = {"ns": "ns", "us": "us", "ms": "ms", "s": "s"}
V1_PRECISIONS: dict[str, Precision] = {
    "n": "ns", "ns": "ns", "u": "us", "us": "us", "ms": "ms", "s": "s", "m": "m", "h": "h"}
EXAMPLE = "weather,location=eu temperature=21.5 1449677642000000000\n"
PING_HEADER_ABOUT = {"X-Influxdb-Version": "The version that clients are told.", "X-Influxdb-Build": "Its build."}
FALSE = ("", "0", "false")
REFUSALS: tuple[type[Refused], ...] = (
    BadRequest,
    PartialWrite,
    NoGoodLine,
    BadBody,
    BodyTimeout,
    BodyTooLarge,
    UnsupportedMedia,
    IdempotencyKeyReused,
    IntakeFull,
    StoreUnavailable,
    ShuttingDown,
)


async def post_influx_v2_write(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take line protocol as InfluxDB 2 does: 204 once it is durable, 400 if some lines were not taken."""
    return await _write(request, parts, V2_PRECISIONS)


async def post_influx_v1_write(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take line protocol as InfluxDB 1 does: 204 once it is durable, 400 if some lines were not taken."""
    return await _write(request, parts, V1_PRECISIONS)


async def get_influx_ping(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """204 while the process lives; with verbose=true a document of the version."""
    if request.query.get("verbose", "") in FALSE:
        return web.Response(status=204, headers=PING_HEADERS)
    return answer({"version": VERSION}, headers=PING_HEADERS)


async def head_influx_ping(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """As GET, without a body."""
    return await get_influx_ping(request, parts, asked)


async def get_influx_health(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The health document of InfluxDB: status pass if events can be taken now, else 503 and fail."""
    reason = parts.ready()
    if reason is not None:
        raise NotReady(reason)
    return answer(health("pass", "ready for queries and writes", VERSION))


def credentials(request: web.Request) -> str | None:
    """The token that an InfluxDB client shows: of version 2, Authorization: Token; of version 1, a password.

    That of version 1 stands in Authorization: Basic, after Authorization: Token and a user, or in the query.
    """
    given = after(request.headers, "Token", "Bearer") or basic(request.headers) or request.query.get("p")
    return given.rpartition(":")[2] if given else None


async def _write(request: web.Request, parts: Parts, precisions: Mapping[str, Precision]) -> web.Response:
    """Take the body as line protocol, whatever Content-Type says: InfluxDB reads nothing else.

    Raises PartialWrite if some lines were not taken; the others are durable.
    """
    options = Options.of(parts.config().ingest, "influx", precision=_precision(request, precisions))
    encoding = encoding_of(request.headers.get(hdrs.CONTENT_ENCODING, ""))
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    receipt = await parts.intake.receive(
        body_of(request), options, encoding=encoding, length=request.content_length, key=key
    )
    if receipt.rejected:
        raise PartialWrite.of(receipt)
    return web.Response(status=204)


def _precision(request: web.Request, precisions: Mapping[str, Precision]) -> Precision:
    given = request.query.get("precision", "") or "ns"
    if given not in precisions:
        raise BadRequest(
            f"precision is {shown(given)}: expected {listed(tuple(precisions))}", where={"parameter": "precision"}
        )
    return precisions[given]


def _taken(name: str, about: str, *words: str) -> Parameter:
    """A parameter as the document shows it; other parameters are passed over, as InfluxDB does."""
    schema: Schema = {"type": "string"} | ({"enum": list(words)} if words else {})
    return Parameter(name, about, lambda text, _: text, schema, name)


def _ignored(*names: str) -> tuple[Parameter, ...]:
    return tuple(_taken(name, "Accepted; means nothing here.") for name in names)


def _route(method: str, path: str, handler: Handler, answers: Mapping[int, Content], *parameters: Parameter,
           as_refused: Callable[[Refused], Mapping[str, Any]], schema: str, body: bool = False,
           refusals: tuple[type[Refused], ...] = ()) -> Route:
    lines = (Content("Line protocol.", TEXT, EXAMPLE, ("text/plain",)),) if body else ()
    headers = (
        (
            IDEMPOTENCY_KEY,
            Header("Content-Encoding", "How the body is compressed.", {"type": "string", "enum": ["gzip", "identity"]}),
        )
        if body
        else ()
    )
    return Route(
        method,
        path,
        handler,
        "influx",
        answers,
        Parameters.of(*parameters),
        headers=headers,
        body=lines,
        refusals=refusals,
        as_refused=as_refused,
        refused_schema=schema,
        reads=False,
        scope="ingest" if body else "open",
        credentials=credentials,
    )


def _unhealthy(refused: Refused) -> Mapping[str, Any]:
    return health("fail", refused.message, VERSION)


WRITTEN = {204: Content("Every line was taken and is durable.")}
VERBOSE = _taken("verbose", "true: a document of the version.")
PING_ANSWERS = {
    200: Content("The version.", named("InfluxVersion"), {"version": VERSION}, headers=PING_HEADER_ABOUT),
    204: Content("It lives.", headers=PING_HEADER_ABOUT),
}

ROUTES = (
    _route(
        "POST",
        "/api/v2/write",
        post_influx_v2_write,
        WRITTEN,
        _taken("precision", "Of the timestamps; default ns.", *V2_PRECISIONS),
        *_ignored("bucket", "org", "orgID"),
        as_refused=as_v2,
        schema="InfluxError",
        body=True,
        refusals=REFUSALS,
    ),
    _route(
        "POST",
        "/write",
        post_influx_v1_write,
        WRITTEN,
        _taken("precision", "Of the timestamps; default ns.", *V1_PRECISIONS),
        *_ignored("db", "rp", "consistency", "u"),
        _taken("p", "A token."),
        as_refused=as_v1,
        schema="InfluxV1Error",
        body=True,
        refusals=REFUSALS,
    ),
    _route("GET", "/ping", get_influx_ping, PING_ANSWERS, VERBOSE, as_refused=as_v1, schema="InfluxV1Error"),
    _route("HEAD", "/ping", head_influx_ping, PING_ANSWERS, VERBOSE, as_refused=as_v1, schema="InfluxV1Error"),
    _route(
        "GET",
        "/health",
        get_influx_health,
        {200: Content("It takes events.", named("InfluxHealth"), health("pass", "ready", VERSION))},
        as_refused=_unhealthy,
        schema="InfluxHealth",
        refusals=(NotReady,),
    ),
)
