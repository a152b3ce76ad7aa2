"""The way in: one body of events. Says how it is to be read and hands its bytes on; parses none of them."""
from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

import zstandard
from aiohttp import hdrs, web
from multidict import MultiDict

from offbeat.config import Config, IngestConfig
from offbeat.errors import (
    BadBody,
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    IdempotencyKeyReused,
    IntakeFull,
    NoGoodLine,
    ShuttingDown,
    StoreUnavailable,
    UnsupportedMedia,
)
from offbeat.http import examples
from offbeat.http.documents import dump
from offbeat.http.parameters import Asked, Parameter, Parameters, Unreadable, choice, listed, shown, texts
from offbeat.http.parts import Parts
from offbeat.http.route import JSON, Content, Header, Route, body_of
from offbeat.http.schemas import ANY_OBJECT, TEXT, listing, named
from offbeat.records import Receipt
from offbeat.wire.options import Format, Options

FORMATS: dict[str, Format] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/json": "json",
    "text/csv": "csv",
    "text/plain": "influx",
    "application/vnd.influx.line-protocol": "influx",
}
SAYS_NOTHING = ("", "application/octet-stream", "application/x-www-form-urlencoded")
BY_FIRST_BYTE: dict[bytes, Format] = {b"{": "ndjson", b"[": "json"}
ENCODINGS = {
    "": "identity",
    "identity": "identity",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "deflate": "deflate",
    "zstd": "zstd",
}
LEADING = b"\xef\xbb\xbf \t\r\n"
"""What may stand before the first byte that counts: a byte order mark and white space."""
LEADING_BYTES_MAX = 4096
KEY_LENGTH_MAX = 255
PATH = "/api/v1/events"


def delimiter_of(text: str, _: Config) -> str:
    """The delimiter of CSV that *text* names. Raises Unreadable."""
    delimiter = "\t" if text == "tab" else text
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise Unreadable("one ASCII character that is neither a quote nor a line end, or tab")
    return delimiter


DELIMITER = Parameter(
    "delimiter", "Of CSV: one character, or tab. Default: the comma.", delimiter_of, TEXT, "delimiter"
)
PARAMETERS = Parameters.of(
    texts("source", "The field that names the source, instead of the configured ones; an event without it is rejected.",
          into="source", separated=True),
    texts("time", "The field that holds the time, instead of the configured ones; an event without it is rejected.",
          into="time", separated=True),
    choice("precision", "Of epoch times. Default: by magnitude; for line protocol ns.", ("s", "ms", "us", "ns")),
    DELIMITER,
    texts("text", "Fields that are text even where they look like numbers.", into="text_fields", separated=True),
)


async def post_events(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """Take one body of events, in one of the formats that Content-Type names; 202 once they are durable."""
    form = body_form(request)
    ingest, body = parts.config().ingest, body_of(request)
    if form.format is None:
        wait_s = parts.config().http.body_timeout_s
        try:
            async with asyncio.timeout(wait_s):
                format, body = await sniffed(body, form.encoding)
        except TimeoutError:
            raise BodyTimeout(
                f"the body did not begin within {wait_s:g} s; nothing of it was stored",
                hint="http.body_timeout_s says how long it may pause",
            ) from None
    else:
        format = form.format
    receipt = await parts.intake.receive(
        body,
        options_of(ingest, format, request.query_string),
        encoding=form.encoding,
        length=request.content_length,
        key=form.key,
    )
    return web.Response(body=document_of(receipt), status=202, content_type=JSON)


@lru_cache(maxsize=64)
def document_of(receipt: Receipt) -> bytes:
    """*receipt* as the API answers; senders whose bodies became durable together often have the same."""
    return dump(receipt.as_dict())


@dataclass(frozen=True, slots=True)
class BodyForm:
    """What the headers say of a body; *format* None: its first byte decides."""

    format: Format | None
    encoding: str
    key: str | None


def body_form(request: web.Request) -> BodyForm:
    """What the headers of *request* say. Raises UnsupportedMedia, BadRequest."""
    headers = request.headers
    return BodyForm(
        format_of(headers.get(hdrs.CONTENT_TYPE, "")), encoding_of(headers.get(hdrs.CONTENT_ENCODING, "")),
        idempotency_key(headers.get("Idempotency-Key")))


@lru_cache(maxsize=256)
def options_of(config: IngestConfig, format: Format, query: str) -> Options:
    """The options that the query string *query* asks for; senders repeat theirs: it is read once. Raises BadRequest."""
    pairs = MultiDict(parse_qsl(query, keep_blank_values=True))
    return Options.of(config, format, **PARAMETERS.read(pairs, Config(ingest=config)))


@lru_cache(maxsize=256)
def format_of(content_type: str) -> Format | None:
    """The format that a Content-Type names, None if it says nothing. Raises UnsupportedMedia."""
    media, _, rest = content_type.partition(";")
    media = media.strip().lower()
    for pair in rest.split(";"):
        name, _, value = pair.strip().lower().partition("=")
        if name == "charset" and value.strip('" ') not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia(f"the charset is {value}: expected utf-8", where={"header": "Content-Type"})
    if media in SAYS_NOTHING:
        return None
    if media not in FORMATS:
        raise UnsupportedMedia(
            f"Content-Type is {media}: expected {listed(tuple(FORMATS))}", where={"header": "Content-Type"}
        )
    return FORMATS[media]


def encoding_of(header: str) -> str:
    """The one encoding that Content-Encoding names. Raises UnsupportedMedia."""
    encoding = ENCODINGS.get(header.strip().lower())
    if encoding is None:
        raise UnsupportedMedia(f"Content-Encoding is {header}: expected gzip, deflate, zstd or identity",
                               where={"header": "Content-Encoding"})
    return encoding


def idempotency_key(header: str | None) -> str | None:
    """The key that a sender gave, if any. Raises BadRequest."""
    if header is not None and not (1 <= len(header) <= KEY_LENGTH_MAX and header.isprintable()):
        raise BadRequest(
            f"the Idempotency-Key has {len(header)} characters: expected 1 to {KEY_LENGTH_MAX}, all printable",
            where={"header": "Idempotency-Key"},
        )
    return header


async def sniffed(
    body: bytes | AsyncIterator[bytes], encoding: str
) -> tuple[Format, bytes | AsyncIterator[bytes]]:
    """The format that the first byte of *body* gives away, and the whole body again. Raises UnsupportedMedia, BadBody.

    White space and a byte order mark before it are passed over; an empty body is NDJSON of no lines.
    """
    if isinstance(body, bytes):
        return begun(body, encoding) or "ndjson", body
    taken = b""
    async for chunk in body:
        taken += chunk
        if format := begun(taken, encoding):
            return format, chained(taken, body)
    return "ndjson", chained(taken, body)


def begun(taken: bytes, encoding: str) -> Format | None:
    """The format of a body that begins with *taken*, None as long as nothing shows it. Raises as ``sniffed``."""
    head = beginning(taken[:LEADING_BYTES_MAX], encoding).lstrip(LEADING) if taken else b""
    if head:
        format = BY_FIRST_BYTE.get(head[:1])
        if format is None:
            raise _unnamed(f"the body begins with {shown(head[:1].decode(errors='replace'))}")
        return format
    if len(taken) >= LEADING_BYTES_MAX:
        raise _unnamed("the body begins with a great deal of nothing")
    return None


def _unnamed(message: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"no Content-Type, and {message}: expected {{ or [",
        hint="say what the body is: Content-Type: text/csv",
        where={"header": "Content-Type"},
    )


async def chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """*first*, then *rest*."""
    if first:
        yield first
    async for chunk in rest:
        yield chunk


def beginning(encoded: bytes, encoding: str) -> bytes:
    """What the first bytes of a body decode to, at most LEADING_BYTES_MAX of it. Raises BadBody."""
    try:
        if encoding == "identity":
            return encoded
        if encoding == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(encoded) as reader:
                return reader.read(LEADING_BYTES_MAX)
        # RFC 9110 has a zlib header on deflate; some senders leave it out: then the low nibble is not 8.
        bits = (
            zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS if encoded[0] & 15 == 8 else -zlib.MAX_WBITS
        )
        return zlib.decompressobj(bits).decompress(encoded, LEADING_BYTES_MAX)
    except (zlib.error, zstandard.ZstdError) as e:
        raise BadBody(f"the body is not {encoding}: {e}; nothing was stored") from None


IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "A body sent again with its key is answered as before and not counted twice.",
    {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
)

ROUTES = (
    Route(
        "POST",
        PATH,
        post_events,
        "events",
        {202: Content("What became of the body; what was accepted is durable.", named("Receipt"), examples.RECEIPT)},
        PARAMETERS,
        headers=(
            IDEMPOTENCY_KEY,
            Header(
                "Content-Encoding",
                "How the body is compressed.",
                {"type": "string", "enum": ["gzip", "deflate", "zstd", "identity"]},
            ),
        ),
        body=(
            Content(
                "Events.",
                TEXT,
                examples.EVENTS,
                ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"),
            ),
            Content(
                "One event or a list.",
                {"oneOf": [ANY_OBJECT, listing(ANY_OBJECT)]},
                examples.EVENT,
                ("application/json",),
            ),
            Content("A header row, then one event a row.", TEXT, examples.CSV, ("text/csv",)),
            Content(
                "Influx line protocol.",
                TEXT,
                examples.LINE_PROTOCOL,
                ("text/plain", "application/vnd.influx.line-protocol"),
            ),
        ),
        refusals=(
            NoGoodLine,
            BadBody,
            BodyTimeout,
            BodyTooLarge,
            UnsupportedMedia,
            IdempotencyKeyReused,
            IntakeFull,
            StoreUnavailable,
            ShuttingDown,
        ),
        reads=False,
        scope="ingest",
    ),
)
