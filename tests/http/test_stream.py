"""GET /api/v1/stream: the form on the wire, keeping it open, and letting go."""
from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from offbeat.http import examples
from offbeat.http.stream import KINDS
from offbeat.store.queries import StreamEvent
from tests.http import rows
from tests.http.parts import Behind, Door, serving


async def frames(response: aiohttp.ClientResponse, count: int) -> list[list[str]]:
    """The next *count* frames that are no greeting, each as its lines."""
    found: list[list[str]] = []
    while len(found) < count:
        frame = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
        if frame != b": follow on\n\n":
            found.append(frame.decode().splitlines()[:-1])
    return found


def follow(door: Door, query: str = "", **headers: str) -> aiohttp.client._RequestContextManager:
    """A client of the stream."""
    return door.client.get(
        f"{door.url}/api/v1/stream{query}", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_each_event_has_its_id_its_name_and_one_line_of_data() -> None:
    async with serving() as door, follow(door) as response:
        events = door.behind.stream.events
        events.put_nowait(StreamEvent("17-0", "record", rows.RECORD))
        events.put_nowait(StreamEvent("17-1", "bucket", rows.BUCKET))
        events.put_nowait(StreamEvent(None, "status", {"status": "limit reached", "line": "a\nb"}))
        record, bucket, status = await frames(response, 3)
        assert record[:2] == ["id: 17-0", "event: record"]
        assert json.loads(record[2].removeprefix("data: ")) == examples.RECORD
        assert bucket[:2] == ["id: 17-1", "event: bucket"]
        assert json.loads(bucket[2].removeprefix("data: ")) == examples.BUCKET
        assert status == ["event: status", 'data: {"status":"limit reached","line":"a\\nb"}']
        events.put_nowait(None)  # the daemon stops
        assert await response.content.read() == b""


async def test_the_answer_begins_before_anything_happens_and_passes_proxies() -> None:
    async with serving() as door, follow(door) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (response.headers["X-Accel-Buffering"], response.headers["Cache-Control"]) == ("no", "no-cache")


async def test_a_quiet_stream_is_kept_open_by_comments() -> None:
    async with serving(Behind(keepalive_s=0.01)) as door, follow(door) as response:
        assert await frames(response, 3) == [[": still here"]] * 3


async def test_what_is_asked_reaches_the_stream() -> None:
    nothing = {"job": None, "sources": (), "min_score": 0.0, "kinds": frozenset(KINDS), "last_event_id": None}
    async with serving() as door:
        for query, headers, asked in (
            ("", {}, {}),
            ("?job=j&source=a&source=b&min_score=50&types=record,status",
             {}, {"job": "j", "sources": ("a", "b"), "min_score": 50.0, "kinds": frozenset({"record", "status"})}),
            ("?last_event_id=3-0", {}, {"last_event_id": "3-0"}),
            ("?last_event_id=3-0", {"Last_Event_ID": "17-1"}, {"last_event_id": "17-1"}),
        ):
            door.behind.stream.events.put_nowait(None)
            async with follow(door, query, **headers) as response:
                await response.read()
            assert door.behind.stream.asked.pop() == nothing | asked


async def test_what_the_stream_refuses_is_an_answer_not_a_stream() -> None:
    async with serving() as door, follow(door), follow(door), follow(door) as third:
        assert (third.status, third.headers["Retry-After"]) == (429, "10")
    async with serving() as door:
        await door.get("/api/v1/stream?last_event_id=never", 400)
        await door.get("/api/v1/stream?types=records", 400)


async def test_a_stream_that_fails_is_broken_off_and_the_failure_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as door, follow(door) as response:
        door.behind.stream.events.put_nowait(RuntimeError("the secret"))
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
        assert [logged.name for logged in caplog.records] == ["offbeat.http.refusals"]
        await door.get("/healthz")  # and the daemon goes on


async def test_a_client_that_leaves_is_let_go_while_nothing_happens() -> None:
    async with serving() as door:
        async with follow(door) as response:
            response.close()
        await asyncio.wait_for(door.behind.stream.left.wait(), 5)
        assert door.behind.stream.clients == 0
