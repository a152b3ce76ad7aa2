"""One request as the handlers of the gateway see it; what it asks for in its query, and its body."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from offbeat.analyses.job import Job
from offbeat.analyses.life import Analyses
from offbeat.gateways.prelert.dates import query_range_ms
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.http.documents import dump
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, chunks

TAKE = 100
GZIP = ("gzip", "x-gzip")
NOT_GZIP = "Content-Encoding = gzip but the data is not in gzip format"
DOCUMENT_BYTES_MAX = 16 << 20
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Call:
    """A request. base: the address up to the version, no slash behind; path: what stood for the names of the route."""

    request: web.Request
    parts: Parts
    base: str
    path: Mapping[str, str]

    @property
    def analyses(self) -> Analyses:
        """The jobs."""
        return self.parts.analyses

    @property
    def job(self) -> Job:
        """The job of the path. Raises NotFound."""
        return self.analyses.get(self.path["job"])

    def text(self, name: str) -> str | None:
        """A parameter; an empty one, and the word None, are not given."""
        value = self.request.query.get(name)
        return None if value in (None, "", "None") else value

    def flag(self, name: str) -> bool:
        """A parameter that is true, in any case."""
        given = self.request.query.get(name, self.request.query.get(name.lower(), ""))
        return given.lower() == "true"

    def paging(self) -> tuple[int, int]:
        """skip and take. Raises PrelertError 60110 or 60111."""
        return self._count("skip", 0, 60110), self._count("take", TAKE, 60111)

    def _count(self, name: str, default: int, code: int) -> int:
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 12:
            raise PrelertError(code, f"{name} is {text!r}: expected a whole number of 0 or more")
        return int(text)

    def number(self, name: str) -> float:
        """A least score; 0 if it is not given, or is none."""
        try:
            return float(self.text(name) or 0.0)
        except ValueError:
            return 0.0

    def range_ms(self) -> tuple[int | None, int | None]:
        """start and end. Raises PrelertError 60101 or 60107."""
        return query_range_ms(self.text("start"), self.text("end"))

    async def document(self) -> bytes:
        """The whole body, of a call that brings a document. Raises PrelertError 10101 if it is far too large."""
        body = bytearray()
        async for chunk in chunks(self.request):
            if len(body) + len(chunk) > DOCUMENT_BYTES_MAX:
                raise PrelertError(10101, f"the document is larger than {DOCUMENT_BYTES_MAX} bytes")
            body += chunk
        return bytes(body)

    async def data(self) -> AsyncGenerator[bytes]:
        """The body as it arrives, without its compression. Raises PrelertError 30102 if it is not what it claims."""
        packed = self.request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower() in GZIP
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if packed else None
        began = False
        async for chunk in chunks(self.request):
            if unpacker is None:
                yield chunk
                continue
            rest = chunk
            while rest:
                began = True
                try:
                    piece = unpacker.decompress(rest, PIECE_BYTES)
                except zlib.error:
                    raise PrelertError(30102, NOT_GZIP) from None
                if piece:
                    yield piece
                rest = unpacker.unconsumed_tail
                if unpacker.eof:  # another member may follow
                    rest, unpacker = unpacker.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 16)
                    began = bool(rest)
        if began and unpacker is not None and not unpacker.eof:
            raise PrelertError(30102, f"{NOT_GZIP}: it is cut short")


async def drain(request: web.Request) -> None:
    """Read what is left of the body: a client that is answered before it has sent all sees no answer."""
    try:
        async for _ in chunks(request):
            continue
    except (ConnectionError, web.RequestPayloadError, HttpProcessingError):  # it broke off: nobody reads the answer
        return


def answered(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*document* as JSON."""
    return web.Response(body=dump(document), status=status, headers=headers, content_type=JSON)


def compact(document: object, status: int, headers: Mapping[str, str]) -> web.Response:
    """*document* as JSON of one line, as connectors take it apart."""
    return web.Response(body=orjson.dumps(document), status=status, headers=headers, content_type=JSON)
