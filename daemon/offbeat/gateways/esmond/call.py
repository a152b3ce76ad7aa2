"""One request as the handlers of the gateway see it: its address, query and body; and the answers to it."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from offbeat.errors import BadBody, BodyTimeout, BodyTooLarge, Refused, UnsupportedMedia
from offbeat.http.documents import answer
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, chunks

EVERYBODY = {"Access-Control-Allow-Origin": "*"}
LIMIT = 1_500
LARGEST = 2**53
INLINE_BYTES = 64 * 1024
DRAINED = 4
"""So many times the largest body is read of one that is refused."""
PAGE = 1_500
"""So many elements of a list are held at a time."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. root: the path of the archive as this request has it; path: its segments behind that."""

    request: web.Request
    parts: Parts
    root: str
    path: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.request.scheme}://{self.request.host}"

    @property
    def query(self) -> dict[str, str]:
        """The parameters; of one that is given twice the last."""
        return dict(self.request.query.items())

    @property
    def now_s(self) -> int:
        """The present second."""
        return self.parts.clock.now_ms() // 1000

    def paging(self) -> tuple[int, int]:
        """limit and offset; what is no number of them is as if it were not given."""
        limit, offset = (_count(self.query.get(name, "")) for name in ("limit", "offset"))
        return limit or LIMIT, offset

    def page_url(self, limit: int, offset: int) -> str:
        """The address of another page of the same list."""
        query = {**self.query, "limit": str(limit), "offset": str(offset)}
        return f"{self.origin}{self.request.rel_url.raw_path}?{urlencode(query)}"

    async def document(self, unsupported: type[Refused], bytes_max: int) -> tuple[int, Any]:
        """The size of the body, and the JSON document that it is.

        unsupported  how a body is refused that does not claim to be JSON
        Raises BadBody, BodyTooLarge, BodyTimeout, and that.
        """
        said = self.request.headers.get(hdrs.CONTENT_TYPE, "")
        if not said.lower().startswith(JSON):
            raise unsupported(f"Content-Type is {said or 'missing'}: expected {JSON}; nothing was stored")
        encoding = self.request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        if encoding.lower() != "identity":
            raise UnsupportedMedia(f"Content-Encoding is {encoding}: expected none; nothing was stored")
        body = await self._body(bytes_max)
        try:
            return len(body), await aside(len(body), orjson.loads, body)
        except orjson.JSONDecodeError as e:
            raise BadBody(f"the body is not JSON: {e}; nothing was stored", where={"byte": e.pos}) from None

    async def _body(self, bytes_max: int) -> bytes:
        wait_s = self.parts.config().http.body_timeout_s
        body = bytearray()
        try:
            async with asyncio.timeout(wait_s) as limit:
                async for chunk in chunks(self.request):
                    body += chunk
                    limit.reschedule(asyncio.get_running_loop().time() + wait_s)
                    if len(body) > bytes_max:
                        raise BodyTooLarge(
                            f"the body is larger than {bytes_max} bytes; nothing was stored", hint="send it in parts")
        except TimeoutError:
            raise BodyTimeout(f"nothing of the body came for {wait_s:g} seconds; nothing was stored") from None
        return bytes(body)


async def aside(size: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """What *work* gives; on a thread if it is about many bytes, for the event loop has others to serve."""
    return await asyncio.to_thread(work, *arguments) if size > INLINE_BYTES else work(*arguments)


def _count(text: str) -> int:
    text = text.strip().removeprefix("+")
    return min(int(text[:20]), LARGEST) if text.isascii() and text.isdecimal() else 0


async def drain(request: web.Request, parts: Parts) -> bool:
    """Read what is left of the body, for a client that has not sent all sees no answer.

    False if there is more than anybody should send, or it stops arriving: then the connection is of no more use.
    """
    left = DRAINED * parts.config().esmond.body_bytes_max
    try:
        async with asyncio.timeout(parts.config().http.body_timeout_s):
            async for chunk in chunks(request):
                left -= len(chunk)
                if left < 0:
                    return False
    except (ConnectionError, TimeoutError, web.RequestPayloadError, HttpProcessingError):
        return False
    return True


def answered(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*document* as JSON, for pages of any origin as well."""
    return answer(document, status, {**EVERYBODY, **(headers or {})})


async def listed(call: Call, pages: AsyncIterator[list[bytes]], headers: Mapping[str, str]) -> web.StreamResponse:
    """A list of JSON texts: at once if it is one page, else page by page, however long it is."""
    nothing: list[bytes] = []
    first = await anext(pages, nothing)
    second = await anext(pages, None)
    if second is None or call.request.method == "HEAD":
        body = b"[" + b",".join(first) + b"]"
        return web.Response(body=body, content_type=JSON, headers={**EVERYBODY, **headers})
    response = web.StreamResponse(headers={**EVERYBODY, **headers, hdrs.CONTENT_TYPE: JSON})
    await response.prepare(call.request)
    await response.write(b"[" + b",".join(first))
    page: list[bytes] | None = second
    while page:
        await response.write(b"," + b",".join(page))
        page = await anext(pages, None)
    await response.write_eof(b"]")
    return response
