"""The doors of the page: its one document, and the files that it is made of."""
from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from offbeat.errors import NotFound
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.page.assets import HEADERS, asset


async def get_page(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """The page."""
    return await _sent(request, "index.html")


async def get_page_file(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """A file of the page."""
    return await _sent(request, request.path.removeprefix("/page/"))


async def _sent(request: web.Request, name: str) -> web.Response:
    found = await asyncio.to_thread(asset, name)  # the first time it is read and compressed
    if found is None:
        raise NotFound(f"there is no file {name:.100} of the page")
    headers = {**HEADERS, hdrs.ETAG: found.tag}
    if request.headers.get(hdrs.IF_NONE_MATCH) == found.tag:
        return web.Response(status=304, headers=headers)
    packed = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
    if packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    body = found.packed if packed else found.plain
    return web.Response(body=body, content_type=found.media, charset="utf-8", headers=headers)


ROUTES = (
    Route("GET", "/", get_page, "operation", {200: Content("The page.")}, listed=False, scope="open"),
    Route("GET", "/page/{file}", get_page_file, "operation", {200: Content("The file.")}, refusals=(NotFound,),
          listed=False, scope="open"),
    Route("GET", "/page/{folder}/{file}", get_page_file, "operation", {200: Content("The file.")},
          refusals=(NotFound,), listed=False, scope="open"),
)
