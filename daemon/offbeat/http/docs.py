"""What describes the daemon, to programs and to people: OpenAPI, its page, the front page. No network is needed."""
from __future__ import annotations

from html import escape

from aiohttp import web
from swagger_ui_bundle import swagger_ui_path

from offbeat.errors import NotFound
from offbeat.http.documents import Document, answer
from offbeat.http.openapi import as_30
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.http.schemas import ANY_OBJECT, TEXT

OPENAPI = web.AppKey("openapi", Document)

ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
PAGE_HEADERS = {
    # The page's own script and styles only; Swagger UI sets inline styles and draws its icons from data: URLs.
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
}
DOCS = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Offbeat API</title>
<link rel="stylesheet" href="docs/swagger-ui.css"><link rel="icon" href="docs/favicon-32x32.png"></head>
<body><div id="page"></div><script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""
START = "SwaggerUIBundle({url: 'docs/openapi-3.0.json', dom_id: '#page', deepLinking: true, validatorUrl: null});\n"
FRONT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Offbeat</title></head>
<body>
<h1>Offbeat {version}</h1>
<p>This daemon listens to sensors and says when one leaves its rhythm. It {state}.</p>
<ul>
<li><a href="docs">The API</a>, to read and to try</li>
<li><a href="api/v1/buckets?order=-score">Buckets</a>, the highest scores first</li>
<li><a href="api/v1/diagnosis">Diagnosis</a>: why it says what it says, or says nothing</li>
<li><a href="metrics">Metrics</a> for Prometheus</li>
</ul>
</body>
</html>
"""


async def get_openapi(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """This document."""
    return answer(request.app[OPENAPI])


async def get_docs(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """This document as a page, to read and to try."""
    return web.Response(text=DOCS, content_type="text/html", headers=PAGE_HEADERS)


async def get_docs_file(request: web.Request, parts: Parts, asked: Asked) -> web.StreamResponse:
    """A file of the page."""
    name = request.match_info["file"]
    if name == "start.js":
        return web.Response(text=START, content_type="text/javascript", headers=PAGE_HEADERS)
    if name == "openapi-3.0.json":
        return answer(as_30(request.app[OPENAPI]))
    if name not in ASSETS:
        raise NotFound(f"there is no file {name} here")
    return web.FileResponse(swagger_ui_path / name, headers=PAGE_HEADERS)


async def get_front(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """What runs here, and where to go on."""
    reason = parts.ready()
    state = "takes events" if reason is None else f"takes no events now: {reason}"
    return web.Response(text=FRONT.format(version=escape(parts.version), state=escape(state)), content_type="text/html",
                        headers=PAGE_HEADERS)


ROUTES = (
    Route(
        "GET",
        "/openapi.json",
        get_openapi,
        "operation",
        {200: Content("The OpenAPI document.", ANY_OBJECT, {"openapi": "3.1.0"})},
        scope="open",
    ),
    Route(
        "GET",
        "/docs",
        get_docs,
        "operation",
        {200: Content("The page.", TEXT, "<!doctype html>…", ("text/html",))},
        scope="open",
    ),
    Route(
        "GET",
        "/docs/{file}",
        get_docs_file,
        "operation",
        {200: Content("The file.")},
        refusals=(NotFound,),
        listed=False,
        scope="open",
    ),
    Route("GET", "/", get_front, "operation", {200: Content("The page.")}, listed=False, scope="open"),
)
