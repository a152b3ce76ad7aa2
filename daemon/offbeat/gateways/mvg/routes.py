"""The calls of an MVG client: which path means what, under the base path of each dialect.

Source: MVG wire protocol, sections 1, 11, 12 and 13.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

from aiohttp import web

from offbeat.errors import Refused
from offbeat.gateways.mvg import analyses, hello, labels, measurements, sources, tabular
from offbeat.gateways.mvg.call import Call, answered
from offbeat.gateways.mvg.credentials import secret_of, tenant_of
from offbeat.gateways.mvg.dialects import DIALECTS, Dialect
from offbeat.gateways.mvg.errors import MvgError, document_of
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Needed, Route

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
MEASUREMENT = "sources/{sid}/measurements/{timestamp}"
LABEL = "sources/{sid}/labels/{timestamp}"

CALLS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "", hello.get_root),
    ("GET", "sources", sources.get_sources),
    ("POST", "sources", sources.post_source),
    ("POST", "sources/spectrum", sources.post_spectrum_source),
    ("POST", "sources/tabular", sources.post_tabular_source),
    ("GET", "sources/external_id/{external_id}", sources.get_source_by_external_id),
    ("GET", "sources/{sid}", sources.get_source),
    ("PUT", "sources/{sid}", sources.put_source),
    ("DELETE", "sources/{sid}", sources.delete_source),
    ("GET", "sources/{sid}/measurements", measurements.get_measurements),
    ("POST", "sources/{sid}/measurements", measurements.post_waveforms),
    ("POST", "sources/{sid}/measurements/spectrum", measurements.post_spectra),
    ("GET", "sources/{sid}/measurements/tabular", tabular.get_rows),
    ("POST", "sources/{sid}/measurements/tabular", tabular.post_rows),
    ("GET", "sources/{sid}/measurements/tabular/downsample", tabular.get_thinned),
    ("GET", MEASUREMENT, measurements.get_measurement),
    ("PUT", MEASUREMENT, measurements.put_measurement),
    ("DELETE", MEASUREMENT, measurements.delete_measurement),
    ("PUT", f"{MEASUREMENT}/scalars", measurements.put_scalars),
    ("GET", "sources/{sid}/timestamps", measurements.get_timestamps),
    ("GET", "sources/{sid}/labels", labels.get_labels),
    ("GET", LABEL, labels.get_label),
    ("POST", LABEL, labels.post_label),
    ("PUT", LABEL, labels.put_label),
    ("DELETE", LABEL, labels.delete_label),
    ("GET", "analyses", analyses.get_features),
    ("POST", "analyses/requests", analyses.post_request),
    ("POST", "analyses/requests/population", analyses.post_population_request),
    ("GET", "analyses/requests/{id}", analyses.get_request),
    ("DELETE", "analyses/requests/{id}", analyses.delete_request),
    ("GET", "analyses/requests/{id}/results", analyses.get_results),
    ("GET", "analyses/source/{sid}/feature/{feature}", analyses.get_ids),
    ("PUT", "pipeline/triggers/sources/{sid}/new_measurement", measurements.put_trigger),
)
"""Method, path below the base, handler. Of two that fit, the first counts."""
_PATTERNS = [(method, tuple(pattern.split("/")), handler) for method, pattern, handler in CALLS]
WORDS = {"timestamp": ("spectrum", "tabular")}
"""What a segment of a path never stands for."""


async def any_call(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """Answer a call, whichever it is."""
    try:
        return await _answer(request, parts)
    except Refused as e:
        return answered(document_of(e), e.status, e.headers)


async def _answer(request: web.Request, parts: Parts) -> web.StreamResponse:
    dialect, segments = _located(request.rel_url.raw_path)
    handler, path = _called(request.method, segments)
    tenant = "" if handler is hello.get_root else tenant_of(request, parts)
    return await handler(Call(request, parts, dialect, tenant, path))


def _called(method: str, segments: Sequence[str]) -> tuple[Handler, Mapping[str, str]]:
    """The handler of a call and what stands for the names of its pattern. Raises MvgError 404 or 405."""
    methods = []
    for known, pattern, handler in _PATTERNS:
        if (path := _fits(pattern, segments)) is not None:
            if known == method:
                return handler, path
            methods.append(known)
    raise MvgError(405, "Method Not Allowed") if methods else MvgError(404, "Not Found")


def scope(request: web.Request) -> Needed:
    """What a call needs: nothing for the root and for what there is not, read to look, ingest for all else: a client
    has one token for everything that it does.
    """
    try:
        handler, _ = _called(request.method, _located(request.rel_url.raw_path)[1])
    except MvgError:
        return "open"
    if handler is hello.get_root:
        return "open"
    return "read" if request.method == "GET" else "ingest"


def _located(raw_path: str) -> tuple[Dialect, list[str]]:
    """The dialect of a path and what stands below its base; a slash at the end does not count, another empty segment
    does."""
    dialect = next(one for one in DIALECTS if raw_path == one.base or raw_path.startswith(f"{one.base}/"))
    below = raw_path[len(dialect.base) :].removeprefix("/")
    segments = [unquote(segment) for segment in below.split("/")]
    return dialect, segments[:-1] if len(segments) > 1 and not segments[-1] else segments


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> Mapping[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found: dict[str, str] = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if not wanted.startswith("{"):
            if wanted != segment:
                return None
        elif not segment or segment in WORDS.get(wanted[1:-1], ()):
            return None
        else:
            found[wanted[1:-1]] = segment
    return found


ROUTES = tuple(
    Route(
        "*",
        path,
        any_call,
        "mvg",
        {200: Content("What the MultiViz Analytics Engine says.")},
        as_refused=document_of,
        reads=False,
        listed=False,
        scope=scope,
        credentials=secret_of,
    )
    for path in ("/mvg/{rest:.*}", "/mvg")
)
