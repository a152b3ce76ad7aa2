"""``offbeat watch``: the stream as lines, taken up again where it broke."""
from __future__ import annotations

import asyncio
import io
import json
from itertools import pairwise

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from offbeat.client.sse import Message, Parser

STREAM = (
    b': here\n\nid: 4-0\nevent: record\ndata: {"a": 1}\n\nevent: status\ndata: {"b":\ndata: 2}\n\n'
    b"id: 5-1\r\nevent: bucket\r\ndata:{}\r\n\r\nevent: lonely\n\nretry: 5\n\n"
)
MESSAGES = [Message("record", '{"a": 1}', "4-0"), Message("status", '{"b":\n2}', "4-0"), Message("bucket", "{}", "5-1")]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_a_stream_is_read_alike_wherever_it_is_cut(cuts):
    parser, places = Parser(), [0, *sorted(cuts), len(STREAM)]
    assert [message for a, b in pairwise(places) for message in parser.feed(STREAM[a:b])] == MESSAGES


def event(number: int, kind: str = "record", **extra: object) -> bytes:
    record = {
        "time": f"2015-12-09T16:14:0{number}.000Z",
        "source": "AAL",
        "field": "v",
        "score": 99.5,
        "actual": number,
        "explain": {"sentence": f"v of AAL was {number}"},
        **extra,
    }
    return f"id: {number}-0\nevent: {kind}\ndata: {json.dumps(record)}\n\n".encode()


class Stream:
    """Serves each of *parts* to one connection and then breaks it; the last stays open."""

    def __init__(self, server, *parts: bytes | web.Response):
        self.parts = list(parts)
        server.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        part = self.parts.pop(0)
        if isinstance(part, web.Response):
            return part
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        await answer.write(part)
        if self.parts:
            request.transport.abort()
        else:
            await asyncio.Event().wait()
        return answer


def test_findings_are_lines(offbeat, server):
    Stream(server, event(1) + event(2))
    ran = offbeat("watch", "--count", 2, "--url", server.url)
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "2015-12-09T16:14:01.000Z   99.5  AAL  v of AAL was 1",
        "2015-12-09T16:14:02.000Z   99.5  AAL  v of AAL was 2",
    ]


def test_filters_reach_the_stream(offbeat, server):
    Stream(server, event(1))
    offbeat(
        "watch",
        "--count",
        1,
        "--job",
        "j",
        "--source",
        "a",
        "--source",
        "b",
        "--min-score",
        75,
        "--types",
        "record,bucket",
        "--url",
        server.url,
    )
    asked = server.seen[0]
    assert asked.path == "/api/v1/stream"
    assert asked.query == (
        ("job", "j"),
        ("source", "a"),
        ("source", "b"),
        ("min_score", "75.0"),
        ("types", "record,bucket"),
    )


def test_a_broken_stream_goes_on_after_the_last_event_heard(offbeat, server):
    busy = web.json_response(
        {"error": {"code": "shutting_down", "message": "the daemon is stopping", "hint": "", "where": {}}},
        status=503,
        headers={"Retry-After": "0"},
    )
    Stream(server, event(1) + event(2)[:20], busy, event(2) + event(3))
    ran = offbeat("watch", "--count", 3, "--json", "--url", server.url)
    assert ran.status == 0
    assert [json.loads(line)["actual"] for line in ran.out.splitlines()] == [1, 2, 3]
    assert [seen.headers.get("Last-Event-ID") for seen in server.seen] == [None, "1-0", "1-0"]
    assert "broke" in ran.err.splitlines()[0]
    assert ran.err.splitlines()[1] == "offbeat: the daemon is stopping; trying again in 0.0 s"


def test_a_refusal_of_the_first_request_ends_it(offbeat, server):
    server.answers(
        {"error": {"code": "too_many_clients", "message": "64 clients follow already", "hint": "", "where": {}}},
        status=429,
    )
    ran = offbeat("watch", "--url", server.url)
    assert (ran.status, ran.err) == (1, "offbeat: 64 clients follow already\n")


def test_a_stream_of_nonsense_is_said_so(offbeat, server):
    Stream(server, b"data: [1, 2\n\n")
    ran = offbeat("watch", "--url", server.url)
    assert ran.status == 1
    assert ran.err.startswith("offbeat: the daemon's stream makes no sense: ")


def test_a_terminal_shows_the_newest_first_with_its_score():
    from collections import deque

    from rich.console import Console

    from offbeat.cli.watch import Heard, _table

    heard = deque(Heard("record", json.loads(event(n).split(b"data: ")[1])) for n in (2, 1))
    out = io.StringIO()
    Console(width=100, file=out).print(_table(heard, 2))
    shown = out.getvalue()
    assert shown.index("v of AAL was 2") < shown.index("v of AAL was 1")
    assert "2 so far, the newest first; Ctrl-C ends" in shown
