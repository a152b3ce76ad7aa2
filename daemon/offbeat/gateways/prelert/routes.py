"""The calls of a Prelert Engine client: which path means what, under every version of the address.

Source: Prelert Engine API, sections 1, 2 and 19.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote_plus

from aiohttp import web

from offbeat.errors import Refused
from offbeat.gateways.prelert import alerts, data, jobs, logs, results, scheduling, snapshots
from offbeat.gateways.prelert.call import Call, answered, drain
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.refusals import document_of, numbered
from offbeat.http.credentials import basic, bearer
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route, by_method
from offbeat.store.tokens import Scope

VERSIONS = ("v2", "v1", "v0.3")
Handler = Callable[[Call], Awaitable[web.StreamResponse]]

CALLS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "jobs", jobs.post_job),
    ("GET", "jobs", jobs.get_jobs),
    ("GET", "jobs/{job}", jobs.get_job),
    ("PUT", "jobs/{job}/update", jobs.put_update),
    ("PUT", "jobs/{job}/description", jobs.put_description),
    ("POST", "jobs/{job}/pause", jobs.post_pause),
    ("POST", "jobs/{job}/resume", jobs.post_resume),
    ("DELETE", "jobs/{job}", jobs.delete_job),
    ("GET", "detectors/{job}", jobs.get_detectors),
    ("POST", "data/{job}", data.post_data),
    ("POST", "dataload/{job}", data.post_dataload),
    ("POST", "data/{job}/flush", data.post_flush),
    ("POST", "data/{job}/close", data.post_close),
    ("POST", "preview/{job}", data.post_preview),
    ("GET", "results/{job}", results.get_buckets),
    ("GET", "results/{job}/buckets", results.get_buckets),
    ("GET", "results/{job}/buckets/{time}", results.get_bucket),
    ("GET", "results/{job}/buckets/{time}/records", results.get_records_of_bucket),
    ("GET", "results/{job}/records", results.get_records),
    ("GET", "results/{job}/influencers", results.get_influencers),
    ("GET", "results/{job}/categorydefinitions", results.get_categories),
    ("GET", "results/{job}/categorydefinitions/{category}", results.get_category),
    ("GET", "results/{job}/{time}", results.get_bucket),
    ("GET", "results/{job}/{time}/records", results.get_records_of_bucket),
    ("GET", "alerts_longpoll/{job}", alerts.get_alert),
    ("GET", "modelsnapshots/{job}", snapshots.get_snapshots),
    ("POST", "modelsnapshots/{job}/revert", snapshots.post_revert),
    ("PUT", "modelsnapshots/{job}/{snapshot}/description", snapshots.put_description),
    ("DELETE", "modelsnapshots/{job}/{snapshot}", snapshots.delete_snapshot),
    ("POST", "schedulers/{job}/start", scheduling.post_start),
    ("POST", "schedulers/{job}/stop", scheduling.post_stop),
    ("POST", "validate/detector", jobs.post_validate_detector),
    ("POST", "validate/transform", jobs.post_validate_transform),
    ("POST", "validate/transforms", jobs.post_validate_transforms),
    ("GET", "logs/elasticsearch", logs.get_store_logs),
    ("GET", "logs/engine_api", logs.get_engine_logs),
    ("GET", "logs/{job}", logs.get_logs),
    ("GET", "logs/{job}/tail", logs.get_log_tail),
    ("GET", "logs/{job}/{file}", logs.get_log),
    ("GET", "logs/{job}/{file}/tail", logs.get_log_tail),
    ("GET", "support", logs.get_support),
)
"""Method, path below the version, handler. Of two that fit, the first counts."""
_PATTERNS = [(method, tuple(pattern.split("/")), handler) for method, pattern, handler in CALLS]


async def any_call(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """Answer a call, whichever it is; an error is told only when the whole body has been read."""
    try:
        return await _answer(request, parts)
    except Refused as e:
        await drain(request)
        refused = numbered(e)
        return answered(document_of(refused), refused.status)
    except (ConnectionError, web.HTTPException):
        raise
    except Exception:
        await drain(request)
        raise


async def _answer(request: web.Request, parts: Parts) -> web.StreamResponse:
    raw = request.rel_url.raw_path.split("/")
    # A segment is decoded after the path is cut: an id may hold an encoded slash. Empty ones are slashes too many.
    version, *segments = [unquote_plus(segment) for segment in raw if segment][1:] or [""]
    if version not in VERSIONS:
        raise PrelertError(0, f"there is no version {version!r} of this API: known are {', '.join(VERSIONS)}", 404)
    base = f"{request.scheme}://{request.host}/engine/{version}"
    methods: list[str] = []
    for method, pattern, handler in _PATTERNS:
        if (path := _fits(pattern, segments)) is None:
            continue
        if method == request.method:
            return await handler(Call(request, parts, base, path))
        methods.append(method)
    if methods:
        raise PrelertError(0, f"{request.method} is no method of {request.path}: expected {', '.join(methods)}", 405)
    raise PrelertError(0, f"there is nothing at {request.path}", 404)


def scope(request: web.Request) -> Scope:
    """What a call needs: ingest to send and to say that that was all, read to look and to try, admin to change."""
    (what, *_) = [segment for segment in request.rel_url.raw_path.split("/") if segment][2:] or [""]
    if request.method == "POST" and what in ("data", "dataload"):
        return "ingest"
    if request.method == "POST" and what in ("preview", "validate"):
        return "read"
    return by_method(request.method)


def credentials(request: web.Request) -> str | None:
    """The token that a client shows. The protocol has none: who calls adds Authorization, Bearer or Basic."""
    return bearer(request.headers) or basic(request.headers)


def _fits(pattern: tuple[str, ...], segments: list[str]) -> Mapping[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found: dict[str, str] = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            found[wanted[1:-1]] = segment
        elif wanted != segment:
            return None
    return found


ROUTES = tuple(
    Route(
        "*",
        path,
        any_call,
        "prelert",
        {200: Content("What the Prelert Engine API says.")},
        as_refused=document_of,
        reads=False,
        listed=False,
        scope=scope,
        credentials=credentials,
    )
    for path in ("/engine/{rest:.*}", "/engine")
)
