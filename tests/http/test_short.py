"""The short way of small bodies: nobody outside can tell it from the usual one."""
from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
import pytest
from yarl import URL

from offbeat.config import Config, IngestConfig
from offbeat.errors import IntakeFull, NoGoodLine, StoreUnavailable
from offbeat.http import short
from offbeat.wire.options import Options
from tests.http.parts import TAKEN, Behind, Door, serving

EVENT = b'{"time": "2015-12-09T16:14:02Z", "source": "AAL", "responsetime": 302.9}\n'


def post(body: bytes = EVENT, *lines: str, path: str = "/api/v1/events", content_type: str = "application/x-ndjson",
         length: bool = True) -> bytes:
    """A request as a sender writes it."""
    head = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Type: {content_type}", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Sender:
    """One connection."""

    door: Door
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> tuple[int, bytes]:
        """The status of the next answer, and the whole of it but for its date."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = re.search(rb"Content-Length: (\d+)", head)
        body = await self.reader.readexactly(int(length[1]) if length else 0)
        return int(head.split(b" ")[1]), re.sub(rb"Date: [^\r]+", b"", head) + body

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.writer.write(request)
        return await self.answer()

    @property
    def offered(self) -> int:
        """How many bodies have gone the short way."""
        return len(self.door.behind.intake.offered)

    async def known(self) -> None:
        """Send what makes the head of ``post()`` known."""
        assert (await self.ask(post()))[0] == 202
        assert self.offered == 0
        self.door.behind.intake.body()

    async def until_offered(self) -> None:
        """Return when the next body has come."""
        await asyncio.wait_for(self.door.behind.intake.bodies.get(), 10)


@asynccontextmanager
async def sending(behind: Behind | None = None) -> AsyncIterator[Sender]:
    async with serving(behind) as door:
        assert door.url.host is not None
        reader, writer = await asyncio.open_connection(door.url.host, door.url.port)
        try:
            yield Sender(door, reader, writer)
        finally:
            writer.close()


@pytest.mark.parametrize("query", ["", "?precision=ms"])
@pytest.mark.parametrize(("content_type", "format"), [("application/x-ndjson", "ndjson"), ("text/csv", "csv")])
async def test_a_body_whose_head_is_known_goes_it_and_is_answered_byte_for_byte_as_the_first(
        query: str, content_type: str, format: str) -> None:
    async with sending() as sender:
        request = post(path=f"/api/v1/events{query}", content_type=content_type)
        first = await sender.ask(request)
        assert (await sender.ask(request), sender.offered) == (first, 1)
        told = {"precision": "ms"} if query else {}
        usual, mine = sender.door.behind.intake.body(), sender.door.behind.intake.body()
        assert mine == usual
        assert mine.options == Options.of(IngestConfig(), format, **told)  # type: ignore[arg-type]


async def test_it_is_counted_and_timed_as_any_other() -> None:
    async with sending() as sender:
        await sender.known()
        for _ in range(2):
            await sender.ask(post())
        told = (await (await sender.door.client.get(sender.door.url / "metrics")).text()).splitlines()
        labels = 'route="/api/v1/events"'
        assert f'offbeat_http_requests_total{{method="POST",{labels},status="202"}} 3.0' in told
        assert f"offbeat_http_request_seconds_count{{{labels}}} 3.0" in told


async def test_one_connection_knows_what_another_has_sent() -> None:
    async with sending() as sender:
        await sender.known()
        url = URL(f"{sender.door.url}/api/v1/events")
        reader, writer = await asyncio.open_connection(url.host, url.port)
        assert (await Sender(sender.door, reader, writer).ask(post()))[0] == 202
        assert sender.offered == 1
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        post(EVENT, "Idempotency-Key: one"),
        post(EVENT, "Connection: close"),
        post(EVENT, "Content-Encoding: gzip"),
        post(EVENT, "X-Long: " + "x" * short.HEAD_BYTES_MAX),
        post(b"1" * (short.BODY_BYTES_MAX + 1)),
        post(b"4\r\n{}\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked", length=False),
        post(content_type=""),
        post(path="/api/v1/events?precision=h"),
        post(path="/api/v1/event"),
    ],
    ids=["key", "close", "encoded", "long head", "long body", "chunked", "sniffed", "bad parameter", "elsewhere"],
)
async def test_what_asks_for_more_goes_the_usual_way(request_: bytes) -> None:
    async with serving() as door:
        first = b""
        for _ in range(2):
            reader, writer = await asyncio.open_connection(door.url.host, door.url.port)
            answer = await Sender(door, reader, writer).ask(request_)
            first = first or answer[1]
            assert (answer[1], door.behind.intake.offered) == (first, [])
            writer.close()


async def test_a_request_cut_anywhere_is_answered_and_so_is_the_next() -> None:
    async with sending() as sender:
        _, first = await sender.ask(post())
        request = post()
        for cut in range(1, len(request)):
            reader, writer = await asyncio.open_connection(sender.door.url.host, sender.door.url.port)
            one = Sender(sender.door, reader, writer)
            writer.write(request[:cut])
            await writer.drain()
            await asyncio.sleep(0)
            assert await one.ask(request[cut:]) == (202, first)
            assert await one.ask(request) == (202, first)
            writer.close()
        bodies = sender.door.behind.intake.bodies
        assert {bodies.get_nowait().data for _ in range(bodies.qsize())} == {EVENT}


async def test_after_a_body_in_pieces_the_next_may_go_it() -> None:
    async with sending() as sender:
        sender.writer.write(post()[:-10])
        await asyncio.wait_for(sender.door.behind.intake.reading.wait(), 10)
        await sender.ask(post()[-10:])
        await sender.ask(post())
        assert sender.offered == 1


async def test_a_body_apart_from_its_head_goes_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short, "HELD_S", 1000.0)
    async with sending() as sender:
        await sender.known()
        for cut in (len(EVENT), 10):
            sender.writer.write(post()[:-cut])
            await sender.door.get("/healthz")
            assert (await sender.ask(post()[-cut:]))[0] == 202
        assert sender.offered == 2
        assert sender.door.behind.intake.body().data == sender.door.behind.intake.body().data == EVENT


async def test_a_body_that_takes_long_goes_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short, "HELD_S", 0.0)
    async with sending() as sender:
        await sender.known()
        sender.door.behind.intake.reading.clear()
        sender.writer.write(post()[:-10])
        await asyncio.wait_for(sender.door.behind.intake.reading.wait(), 10)
        assert (await sender.ask(post()[-10:]))[0] == 202
        assert (await sender.ask(post()))[0] == 202
        assert sender.offered == 1


async def test_more_than_the_rest_of_a_body_goes_the_usual_way_and_each_is_answered(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short, "HELD_S", 1000.0)
    async with sending() as sender:
        await sender.known()
        sender.writer.write(post()[:-10])
        await sender.door.get("/healthz")
        assert (await sender.ask(post()[-10:] + post()))[0] == 202
        assert (await sender.answer())[0] == 202
        assert sender.offered == 0


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with sending() as sender:
        await sender.known()
        intake, get = sender.door.behind.intake, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        intake.answers = False
        sender.writer.write(post())
        await sender.until_offered()
        sender.writer.write(get + post() + get)
        await sender.door.get("/healthz")  # by now they have come
        intake.offered[0].set_result(replace(TAKEN, sequence=1))
        intake.answers = True
        answers = [await sender.answer() for _ in range(4)]
        assert [status for status, _ in answers] == [202, 200, 202, 200]
        assert b'"sequence":1}' in answers[0][1]


async def test_bytes_are_never_taken_for_a_head_that_aiohttp_counts_to_a_body() -> None:
    async with sending() as sender:
        await sender.known()
        inner = post()
        for outer in (post(inner), post(b"x" + inner), post(inner + b"\n")):
            sender.writer.write(outer[: -len(inner)])
            await sender.writer.drain()
            status, _ = await sender.ask(outer[-len(inner) :])
            assert status == 202
        bodies = sender.door.behind.intake.bodies
        assert [bodies.get_nowait().data for _ in range(bodies.qsize())] == [inner, b"x" + inner, inner + b"\n"]


async def test_a_head_that_is_ended_otherwise_is_refused_so_that_nobody_takes_its_end_to_be_elsewhere() -> None:
    async with sending() as sender:
        status, _ = await sender.ask(post().replace(b"\r\n", b"\n"))
        assert status == 400


@pytest.mark.parametrize("raised", [NoGoodLine("no line was good", receipt={}), StoreUnavailable("the disk is full"),
                                    RuntimeError("a fault of ours")], ids=["refused", "not stored", "fault"])
async def test_what_is_refused_after_all_is_answered_as_on_the_usual_way(raised: Exception) -> None:
    async with sending() as sender:
        await sender.known()
        intake = sender.door.behind.intake
        intake.raises, intake.refuse_after = raised, 0
        answer = await sender.ask(post())
        assert sender.offered == 1
        intake.refuse_after = None
        usual = await sender.ask(post())
        assert (sender.offered, sorted(answer[1].split(b"\r\n"))) == (1, sorted(usual[1].split(b"\r\n")))
        assert (await sender.ask(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"))[0] == 200


async def test_what_would_be_refused_at_once_is_refused_on_the_usual_way() -> None:
    async with sending() as sender:
        await sender.known()
        sender.door.behind.intake.raises = IntakeFull("full")
        assert ((await sender.ask(post()))[0], sender.offered) == (429, 0)


async def test_a_reload_counts_from_the_next_body_on() -> None:
    behind = Behind()
    async with sending(behind) as sender:
        await sender.known()
        behind.config = Config(ingest=IngestConfig(source_default="elsewhere"))
        await sender.ask(post())
        assert sender.offered == 1
        assert behind.intake.body().options == Options.of(behind.config.ingest, "ndjson")


async def test_a_stop_waits_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as door:
        reader, writer = await asyncio.open_connection(door.url.host, door.url.port)
        sender, shutdown = Sender(door, reader, writer), short.Door.shutdown
        await sender.known()
        door.behind.intake.answers = False
        writer.write(post())
        await sender.until_offered()

        async def becomes_durable() -> None:
            for _ in range(50):
                await asyncio.sleep(0)
            door.behind.intake.offered[0].set_result(TAKEN)

        async def stopped(self: short.Door, *_: object) -> None:
            await asyncio.gather(shutdown(self, 10.0), becomes_durable())

        monkeypatch.setattr(short.Door, "shutdown", stopped)
    assert (await sender.answer())[0] == 202
    assert await reader.read() == b""
    writer.close()


async def test_a_sender_that_leaves_is_forgotten() -> None:
    async with sending() as sender:
        await sender.known()
        sender.door.behind.intake.answers = False
        sender.writer.write(post())
        await sender.until_offered()
        sender.writer.transport.abort()
        await sender.door.get("/healthz")
        sender.door.behind.intake.offered[0].set_result(TAKEN)
        await sender.door.get("/healthz")


async def test_heads_that_are_ever_new_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short, "HEADS_MAX", 4)
    async with sending() as sender:
        way = short.ShortWay(sender.door.behind.parts())
        monkeypatch.setattr(short, "ShortWay", lambda parts: way)
    async with sending() as sender:
        for number in range(9):
            await sender.ask(post(EVENT, f"X-Request: {number}"))
            assert 0 < len(way.heads) <= 4


async def test_a_client_of_aiohttp_goes_it_where_it_sends_head_and_body_at_once() -> None:
    async with serving() as door:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as client:
            for _ in range(3):
                async with client.post(door.url / "api/v1/events", data=EVENT,
                                       headers={"Content-Type": "application/x-ndjson"}) as response:
                    assert await response.json() == TAKEN.as_dict()
        bodies = door.behind.intake.bodies
        assert [bodies.get_nowait().data for _ in range(bodies.qsize())] == [EVENT] * 3
