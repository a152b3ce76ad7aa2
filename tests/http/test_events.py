"""POST /api/v1/events: how a body is to be read, and that a sender always hears the answer."""
from __future__ import annotations

import asyncio
import gzip
import io
import re
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zstandard

from offbeat.config import Config, HttpConfig, IngestConfig
from offbeat.errors import BodyTooLarge, IntakeFull, NoGoodLine
from offbeat.http.events import FORMATS
from offbeat.wire.options import Options
from tests.http.parts import Behind, Door, serving

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
EVENT = b'{"time": "2015-12-09T16:14:02Z", "source": "AAL", "responsetime": 302.9}\n'
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress,
}


async def test_a_body_is_handed_on_as_it_was_sent_and_answered_with_its_receipt() -> None:
    async with serving() as door:
        status, document, _ = await door.send(EVENT, Content_Type="application/x-ndjson", Idempotency_Key="body 1")
        assert (status, document) == (202, door.behind.intake.receipt.as_dict())
        body = door.behind.intake.body()
        assert (body.data, body.encoding, body.length, body.key) == (EVENT, "identity", len(EVENT), "body 1")
        assert body.options == Options.of(IngestConfig(), "ndjson")


async def test_each_content_type_of_the_guide_is_read_as_its_format() -> None:
    table = GUIDE.read_text().split("| `Content-Type` | format |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`([\w./-]+/[\w.-]+)`", table)) == sorted(FORMATS)
    async with serving() as door:
        for media, format in FORMATS.items():
            status, _, _ = await door.send(EVENT, Content_Type=f"{media.upper()}; charset=UTF-8")
            assert (status, door.behind.intake.body().options.format) == (202, format)


@pytest.mark.parametrize(
    ("body", "format"),
    [
        (EVENT, "ndjson"),
        (b"[" + EVENT + b"]", "json"),
        (b"\xef\xbb\xbf\r\n {}", "ndjson"),
        (b"", "ndjson"),
        (b" \n", "ndjson"),
    ],
)
@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/x-www-form-urlencoded"])
async def test_the_first_byte_decides_where_the_content_type_says_nothing(
        body: bytes, format: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content_Type": content_type}
    async with serving() as door:
        assert (await door.send(body, **headers))[0] == 202
        taken = door.behind.intake.body()
        assert (taken.options.format, taken.data) == (format, body)


@pytest.mark.parametrize("encoding", PACKED)
async def test_the_first_byte_of_a_packed_body_is_that_of_what_it_holds(encoding: str) -> None:
    packed = PACKED[encoding](EVENT)
    async with serving() as door:
        assert (await door.send(_bytewise(packed), Content_Encoding=encoding))[0] == 202
        taken = door.behind.intake.body()
        assert (taken.options.format, taken.data, taken.encoding) == ("ndjson", packed, encoding)
        status, document, _ = await door.send(b"no such thing", Content_Encoding=encoding)
        assert (status, document["error"]["code"]) == (400, "bad_body")


async def _bytewise(data: bytes) -> AsyncIterator[bytes]:
    for i in range(len(data)):
        yield data[i : i + 1]


@pytest.mark.parametrize(("body", "headers"), [
    (b"time,source\n", {}),
    (b" " * 5000 + EVENT, {}),
    (EVENT, {"Content_Type": "text/html"}),
    (EVENT, {"Content_Type": "text/csv; charset=latin-1"}),
    (EVENT, {"Content_Type": "application/json", "Content_Encoding": "br"}),
    (EVENT, {"Content_Type": "application/json", "Content_Encoding": "gzip, gzip"}),
])
async def test_what_cannot_be_read_is_refused_with_415(body: bytes, headers: dict[str, str]) -> None:
    async with serving() as door:
        status, document, _ = await door.send(body, **headers)
        assert (status, document["error"]["code"]) == (415, "unsupported_media_type")
        assert door.behind.intake.bodies.empty()


async def test_the_parameters_say_which_fields_and_forms_are_meant() -> None:
    query = "?source=desk,till&source=shop&time=at&precision=us&delimiter=tab&text=code"
    async with serving() as door:
        for _ in range(2):  # read once, remembered, the same
            assert (await door.send(b"", f"/api/v1/events{query}", Content_Type="text/csv"))[0] == 202
            assert door.behind.intake.body().options == Options.of(
                IngestConfig(), "csv", source=("desk", "till", "shop"), time=("at",), precision="us", delimiter="\t",
                text_fields=("code",))


async def test_a_reload_counts_from_the_next_body_on() -> None:
    async with serving() as door:
        await door.send(EVENT)
        door.behind.config = Config(ingest=IngestConfig(source_default="nobody"))
        await door.send(EVENT)
        assert [door.behind.intake.body().options.source_default for _ in range(2)] == ["default", "nobody"]


@pytest.mark.parametrize(
    ("query", "parameter", "hint"),
    [
        ("sources=a", "sources", "did you mean source?"),
        ("delimiter=%C3%A9", "delimiter", ""),
        ("delimiter=ab", "delimiter", ""),
        ("delimiter=%22", "delimiter", ""),
        ("precision=min", "precision", ""),
        ("source=", "source", ""),
        ("time=a,,b", "time", ""),
    ],
)
async def test_a_parameter_that_says_nothing_known_is_refused(query: str, parameter: str, hint: str) -> None:
    async with serving() as door:
        status, document, _ = await door.send(EVENT, f"/api/v1/events?{query}")
        assert (status, document["error"]["where"], document["error"]["hint"]) == (400, {"parameter": parameter}, hint)
        assert door.behind.intake.bodies.empty()


@pytest.mark.parametrize(("key", "status"), [("k", 202), ("k" * 255, 202), ("k" * 256, 400), ("", 400), ("a\tb", 400)])
async def test_an_idempotency_key_has_1_to_255_printable_characters(key: str, status: int) -> None:
    async with serving() as door:
        assert (await door.send(EVENT, Idempotency_Key=key))[0] == status


async def test_a_body_without_a_good_line_is_answered_with_the_counts_beside_the_error() -> None:
    behind = Behind()
    behind.intake.raises = NoGoodLine("no line was taken", receipt={"accepted": 0, "rejected": 3})
    async with serving(behind) as door:
        status, document, _ = await door.send(EVENT)
        assert (status, document["rejected"], document["error"]["code"]) == (400, 3, "no_good_line")


@pytest.mark.parametrize(("refusal", "status"), [(IntakeFull("full"), 429), (BodyTooLarge("too large"), 413)])
@pytest.mark.parametrize("read_first", [None, 100_000])
async def test_a_sender_in_mid_body_hears_that_it_is_refused(
    refusal: Exception, status: int, read_first: int | None
) -> None:
    behind = Behind()
    behind.intake.raises, behind.intake.refuse_after = refusal, read_first
    async with serving(behind) as door:
        data = io.BytesIO(EVENT * 100_000)  # far more than the buffers between the two hold
        answered, document, headers = await door.send(data, Content_Type="application/x-ndjson")
        assert (answered, document["error"]["code"]) == (status, refusal.code)  # type: ignore[attr-defined]
        assert headers.get("Retry-After") == ("1" if status == 429 else None)


async def test_a_sender_that_waits_to_be_asked_is_refused_without_its_body() -> None:
    behind = Behind()
    behind.intake.raises = IntakeFull("full")
    async with serving(behind) as door:
        answer = await _ask_first(door, b"")
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nConnection: close\r\n" in answer


async def test_a_sender_that_waits_to_be_asked_is_asked_and_answered() -> None:
    async with serving() as door:
        answer = await _ask_first(door, EVENT)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 ")
        assert door.behind.intake.body().data == EVENT


@asynccontextmanager
async def raw(door: Door) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to write bytes to, closed in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def _ask_first(door: Door, body: bytes) -> bytes:
    """All that the server says to a sender that sends its body only once asked."""
    async with raw(door) as (reader, writer):
        writer.write(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
                     b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (len(body) or 1000))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        if b" 100 " in answer:
            writer.write(body)
        else:
            writer.write_eof()
        return answer + await asyncio.wait_for(reader.read(), 5)


async def test_a_sender_that_leaves_in_mid_body_is_an_exception_to_the_intake() -> None:
    async with serving() as door:
        async with raw(door) as (_, writer):
            writer.write(_head("events", b"Content-Length: 1000") + b"{")
            await asyncio.wait_for(door.behind.intake.reading.wait(), 5)
        body = await asyncio.wait_for(door.behind.intake.bodies.get(), 5)
        assert (body.data, type(body.broken)) == (b"{", ConnectionResetError)


async def test_a_document_that_stops_arriving_is_refused_with_408() -> None:
    behind = Behind(config=Config(http=HttpConfig(body_timeout_s=0.1)))
    async with serving(behind) as door, raw(door) as (reader, writer):
        writer.write(_head("jobs", b"Content-Length: 9") + b"{")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 408 ")


def _head(path: str, header: bytes) -> bytes:
    return (b"POST /api/v1/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n"
            % (path.encode(), header))
