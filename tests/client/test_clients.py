"""Both clients over a real socket: what goes out, what is sent again, what is told. Each test holds for both."""
from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from offbeat.client import (
    AsyncClient,
    BadEvent,
    Busy,
    Client,
    Conflict,
    NotAllowed,
    NotInTime,
    NotOffbeat,
    NotReachable,
    QueueFull,
    Receipt,
    Refusal,
    Rejection,
    Retry,
    Undelivered,
)
from offbeat.client.errors import SenderClosed
from offbeat.client.following import Following
from tests.cli.conftest import WireServer
from tests.client.conftest import QUICK

NEVER = Retry(patience_s=0.0)


class Awaited:
    """The async client behind the same calls as the other: each runs on one loop until it is done."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return (lambda *args, **named: self._result(found(*args, **named))) if callable(found) else found

    def _result(self, made: Any) -> Any:
        if hasattr(made, "__anext__"):
            return self._each(made)
        if hasattr(made, "__await__"):
            return self._loop.run_until_complete(made)
        return Awaited(made, self._loop)

    def _each(self, made: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(made))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(made.aclose())

    def __enter__(self) -> Any:
        self._loop.run_until_complete(self._inner.__aenter__())
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._loop.run_until_complete(self._inner.__aexit__(kind, error, trace))


@contextmanager
def opened(kind: type[Any], url: str, **options: Any) -> Iterator[Any]:
    if kind is Client:
        with Client(url, **options) as client:
            yield client
        return
    with asyncio.Runner() as runner, Awaited(AsyncClient(url, **options), runner.get_loop()) as client:
        yield client


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Open a client of either kind."""
    return lambda url, **options: opened(request.param, url, **{"retry": QUICK, **options})


def refused(status: int, code: str = "intake_full", retry_after: str | None = None) -> Callable[[], web.Response]:
    headers = {"Retry-After": retry_after} if retry_after else {}
    document = {"error": {"code": code, "message": "no", "hint": "later", "where": {"line": 1}}}
    return lambda: web.json_response(document, status=status, headers=headers)


def taken(request_body: bytes) -> dict[str, Any]:
    return {"accepted": request_body.count(b"\n"), "rejected": 0, "errors": [], "errors_omitted": 0, "sequence": 5}


def takes_after(server: WireServer, *answers: Callable[[], web.Response]) -> None:
    """The server gives these answers first, then takes every body; None drops the connection."""
    left = list(answers)

    async def handler(request: web.Request) -> web.StreamResponse:
        if left:
            answer = left.pop(0)
            if answer is drop:
                assert request.transport is not None
                request.transport.abort()
            return answer()
        return web.json_response(taken(await request.read()), status=202)

    server.handler = handler


def drop() -> web.Response:
    """An answer that never arrives."""
    return web.Response()


def bodies(server: WireServer) -> list[tuple[str, bytes]]:
    return [(seen.headers["Idempotency-Key"], seen.body) for seen in server.seen]


def test_events_go_out_with_the_token_and_a_key_and_the_receipt_counts_them(connect: Any, server: WireServer) -> None:
    takes_after(server)
    with connect(server.url, token="id.secret") as client:
        receipt = client.send([{"v": n} for n in range(5)], batch_events=2, source_field="device", key="night-7")
    assert receipt == Receipt(accepted=5, sequence=5, batches=3, sent_bytes=40)
    assert bodies(server) == [("night-7-0", b'{"v":0}\n{"v":1}\n'), ("night-7-1", b'{"v":2}\n{"v":3}\n'),
                              ("night-7-2", b'{"v":4}\n')]
    for seen in server.seen:
        assert (seen.method, seen.path, seen.query) == ("POST", "/api/v1/events", (("source", "device"),))
        assert seen.headers["Authorization"] == "Bearer id.secret"
        assert seen.headers["Content-Type"] == "application/x-ndjson"


def test_without_a_token_none_is_sent(connect: Any, server: WireServer) -> None:
    server.answers({"jobs": []})
    with connect(server.url) as client:
        assert client.jobs() == []
    assert "Authorization" not in server.seen[0].headers


@pytest.mark.parametrize("problem", [
    refused(429, retry_after="0"), refused(503), refused(408, "body_timeout"), drop,
    lambda: web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")])
def test_a_body_is_sent_again_under_the_same_key(connect: Any, server: WireServer, problem: Any) -> None:
    takes_after(server, problem, problem)
    with connect(server.url) as client, client.sender(retry=QUICK, linger_s=0.0) as sender:
        sender.send({"v": 1})
        receipt = sender.flush()
    assert (receipt.accepted, receipt.retries, receipt.batches) == (1, 2, 1)
    assert len(server.seen) == 3
    assert len(set(bodies(server))) == 1


def test_batches_are_sent_in_order_and_one_after_the_other_over_failures(connect: Any, server: WireServer) -> None:
    takes_after(server, refused(503), drop, refused(429, retry_after="0"))
    with connect(server.url) as client, client.sender(retry=QUICK, batch_events=10) as sender:
        for n in range(95):
            sender.send({"v": n})
    assert sender.receipt.accepted == 95
    once = list(dict.fromkeys(bodies(server)))
    assert [json.loads(line)["v"] for _, body in once for line in body.splitlines()] == list(range(95))
    assert [key.rsplit("-")[-1] for key, _ in once] == [str(n) for n in range(10)]


def test_a_batch_that_is_not_full_goes_after_its_linger(connect: Any, server: WireServer) -> None:
    takes_after(server)
    with connect(server.url) as client, client.sender(linger_s=0.001) as sender:
        sender.send({"v": 1})
        while sender.waiting:
            client.call("POST", "/look")
        assert sender.receipt.accepted == 1


@pytest.mark.parametrize(("status", "kind"), [(401, NotAllowed), (413, Refusal), (422, Refusal), (500, Refusal)])
def test_a_sender_that_is_refused_gives_up_and_hands_back_what_is_left(
    connect: Any, server: WireServer, status: int, kind: type[Refusal]
) -> None:
    takes_after(server, lambda: web.json_response(taken(b"\n"), status=202), refused(status, "why"))
    with connect(server.url) as client:
        sender = client.sender(batch_events=1, retry=QUICK)
        sender.send([{"v": n} for n in range(3)])
        with pytest.raises(Undelivered) as lost:
            sender.flush()
        assert isinstance(lost.value.cause, kind)
        assert (lost.value.count, lost.value.events) == (2, b'{"v":1}\n{"v":2}\n')
        assert (lost.value.code, lost.value.status, lost.value.where) == ("why", status, {"line": 1})
        with pytest.raises(Undelivered):
            sender.send({"v": 4})
        assert sender.close().accepted == 1  # it has been told
    assert len(server.seen) == 2


def test_what_nobody_was_told_of_yet_is_told_by_close(connect: Any, server: WireServer) -> None:
    takes_after(server, refused(401, "unauthorized"))
    with connect(server.url) as client, pytest.raises(Undelivered, match="1 events are not delivered: no"), \
            client.sender() as sender:
        sender.send({"v": 1})


def test_leaving_by_an_error_still_delivers_and_says_what_it_could_not(connect: Any, server: WireServer) -> None:
    takes_after(server)
    with connect(server.url) as client, pytest.raises(KeyError), client.sender() as sender:
        sender.send({"v": 1})
        raise KeyError("of the program")
    assert sender.receipt.accepted == 1
    takes_after(server, refused(401, "unauthorized"))
    with connect(server.url) as client, pytest.raises(KeyError) as left, client.sender() as sender:
        sender.send({"v": 1})
        raise KeyError("of the program")
    assert left.value.__notes__ == ["offbeat: 1 events are not delivered: no"]


def test_a_daemon_that_is_gone_is_told_once_patience_ends(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
    with connect(url, retry=NEVER) as client:
        with pytest.raises(NotReachable, match=f"no daemon answers at {url}: connect"):
            client.jobs()
        sender = client.sender(retry=NEVER)
        sender.send({"v": 1})
        with pytest.raises(Undelivered) as lost:
            sender.flush()
        assert (lost.value.code, lost.value.events) == ("not_reachable", b'{"v":1}\n')


def test_what_is_rejected_is_reported_with_the_event(
    connect: Any, server: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = {"accepted": 1, "rejected": 1, "sequence": 3,
           "errors": [{"line": 2, "code": "bad_time", "reason": "no time"}]}
    none = {"accepted": 0, "rejected": 2, "sequence": None, "error": {"code": "no_good_line", "message": "none"},
            "errors": [{"line": 1, "code": "not_finite", "reason": "NaN"}], "errors_omitted": 1}
    server.answers(lambda: web.json_response(one, status=202), lambda: web.json_response(none, status=400))
    heard: list[Rejection] = []
    with connect(server.url) as client:
        with client.sender(batch_events=2, on_rejected=heard.extend) as sender:
            sender.send([{"v": n} for n in range(4)])
            receipt = sender.flush()
        expected = [Rejection(1, "bad_time", "no time", '{"v":1}'), Rejection(2, "not_finite", "NaN", '{"v":2}')]
        assert heard == receipt.rejections == expected
        assert (receipt.accepted, receipt.rejected, receipt.rejections_omitted) == (1, 3, 1)
        with client.sender() as sender:
            sender.send([{"v": 8}, {"v": 9}])
        assert "event 0 was rejected, not_finite: NaN" in caplog.text


def test_a_callback_that_fails_stops_the_sender_with_its_reason(connect: Any, server: WireServer) -> None:
    server.answers({"accepted": 0, "rejected": 1, "errors": [{"line": 1, "code": "c", "reason": "r"}]})

    def fails(_: object) -> None:
        raise OSError("disk full")

    with connect(server.url) as client:
        sender = client.sender(batch_events=1, on_rejected=fails)
        sender.send([{"v": 1}, {"v": 2}])
        with pytest.raises(Undelivered, match="1 events are not delivered: the sender broke: OSError: disk full"):
            sender.flush()


class Held:
    """A server that holds every answer back until it is let go."""

    def __init__(self, server: WireServer) -> None:
        self.let_go = threading.Event()

        async def handler(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            await asyncio.to_thread(self.let_go.wait, 30)
            return web.json_response(taken(body), status=202)

        server.handler = handler


def test_a_full_queue_says_how_much_of_a_call_it_took(connect: Any, server: WireServer) -> None:
    held = Held(server)
    with connect(server.url) as client:
        sender = client.sender(batch_events=2, queue_batches=1, retry=QUICK)
        sender.send([{"v": 0}, {"v": 1}])
        with pytest.raises(NotInTime, match="2 events are not answered"):
            sender.flush(0.001)
        server.wait_for(lambda seen: True)
        with pytest.raises(QueueFull) as full:
            sender.send([{"v": n} for n in range(2, 20)], timeout_s=0.01)
        assert full.value.taken == 4  # a batch that waits, one that is open
        held.let_go.set()
        receipt = sender.flush()
        assert receipt.accepted == 6
        sender.send([{"v": n} for n in range(6, 20)])  # waits for room as often as it must
        assert sender.close().accepted == 20
        with pytest.raises(SenderClosed):
            sender.send({"v": 1})
    once = dict.fromkeys(bodies(server))
    assert [json.loads(line)["v"] for _, body in once for line in body.splitlines()] == list(range(20))


def test_close_with_a_time_limit_hands_back_what_is_not_answered(connect: Any, server: WireServer) -> None:
    held = Held(server)
    with connect(server.url) as client:
        sender = client.sender(batch_events=1, retry=QUICK)
        sender.send([{"v": 1}, {"v": 2}])
        with pytest.raises(Undelivered) as lost:
            sender.close(0.05)
        assert (lost.value.code, lost.value.count, lost.value.events) == ("not_in_time", 2, b'{"v":1}\n{"v":2}\n')
        held.let_go.set()


def test_a_bad_event_leaves_those_before_it_taken(connect: Any, server: WireServer) -> None:
    takes_after(server)
    with connect(server.url) as client:
        with client.sender() as sender, pytest.raises(BadEvent) as bad:
            sender.send([{"v": 1}, {"v": 2}, "no event"])
        assert bad.value.where == {"event": 2}
        assert sender.receipt.accepted == 2
        with pytest.raises(BadEvent) as bad:
            client.send([{"v": 1}, "no event"])
        assert bad.value.receipt is not None
        assert bad.value.receipt.accepted == 1


def test_one_send_that_is_refused_says_what_was_counted_before(connect: Any, server: WireServer) -> None:
    takes_after(server, lambda: web.json_response(taken(b"\n"), status=202), refused(413, "body_too_large"))
    with connect(server.url) as client, pytest.raises(Refusal) as stopped:
        client.send([{"v": 1}, {"v": 2}], batch_events=1)
    assert stopped.value.code == "body_too_large"
    assert stopped.value.receipt == Receipt(accepted=1, sequence=5, batches=1, sent_bytes=8)


def test_what_may_not_be_done_twice_is_not_asked_twice(connect: Any, server: WireServer) -> None:
    takes_after(server, drop)
    with connect(server.url) as client, pytest.raises(NotReachable):
        client.create_job({"id": "j"})
    assert len(server.seen) == 1
    takes_after(server, refused(429, retry_after="0"), refused(503))  # these say that nothing was done
    with connect(server.url) as client:
        client.create_job({"id": "j"})
    assert len(server.seen) == 4


def test_errors_have_types(connect: Any, server: WireServer) -> None:
    with connect(server.url, retry=NEVER) as client:
        for status, kind in ((409, Conflict), (403, NotAllowed), (429, Busy)):
            server.answers(refused(status, "c"))
            with pytest.raises(kind) as stopped:
                client.delete_job("j")
            assert stopped.value.hint == "later"
        server.answers(lambda: web.Response(text="hello"))
        with pytest.raises(NotOffbeat, match=f"what answers at {server.url} is not Offbeat: it sent text/plain"):
            client.jobs()


def test_what_speaks_no_http_is_not_offbeat(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def speak() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"220 mail.example ESMTP\r\n\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        with connect(f"http://127.0.0.1:{listener.getsockname()[1]}") as client, \
                pytest.raises(NotOffbeat, match="does not speak HTTP"):
            client.jobs()
        thread.join(10)


def test_a_silent_daemon_is_given_up_in_time(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with connect(url, timeout_s=0.05, retry=NEVER) as client, \
                pytest.raises(NotReachable, match="did not answer in time"):
            client.jobs()


def test_answers_come_compressed_and_names_are_quoted(connect: Any, server: WireServer) -> None:
    document = {"source": "a/b ü", "series": []}
    packed, headers = gzip.compress(orjson.dumps(document)), {"Content-Encoding": "gzip"}
    server.answers(lambda: web.Response(body=packed, headers=headers, content_type="application/json"))
    with connect(f"{server.url}/prefix/") as client:
        assert client.source("a/b ü") == document
    assert server.seen[0].path == "/prefix/api/v1/sources/a%2Fb%20%C3%BC"
    assert "gzip" in server.seen[0].headers["Accept-Encoding"]


def test_a_connection_that_the_daemon_closed_meanwhile_is_not_used(server: WireServer) -> None:
    server.answers({"id": "j"})
    with Client(server.url, retry=NEVER) as client:
        client.create_job({"id": "j"})
        asyncio.run_coroutine_threadsafe(server._runner.server.shutdown(0.1), server._loop).result(10)  # type: ignore[union-attr]
        client.create_job({"id": "j"})
    assert len(server.seen) == 2


def frames(*events: tuple[str, str, dict[str, Any]]) -> bytes:
    return b"".join(b"id: %s\nevent: %s\ndata: %s\n\n" % (id.encode(), kind.encode(), orjson.dumps(document))
                    for id, kind, document in events)


def test_a_stream_is_taken_up_after_the_last_event_that_was_heard(connect: Any, server: WireServer) -> None:
    cut = b"event: status\ndata: {}\n\nid: 7-0\neve"
    pieces = [frames(("5-0", "record", {"n": 1}), ("6-0", "record", {"n": 2})) + cut,
              frames(("7-0", "bucket", {"n": 3}))]

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("diagnosis"):
            return web.json_response({"daemon": {"applied_sequence": 4}})
        if not pieces:
            return refused(404, "not_found")()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": follow on\n\n" + pieces.pop(0))
        return response

    server.handler = handler
    with connect(server.url) as client:
        heard = []
        with pytest.raises(Refusal):
            for happened in client.follow(types="record", source=["a", "b"]):
                heard.append((happened.kind, happened.document.get("n"), happened.id))
    assert heard == [("record", 1, "5-0"), ("record", 2, "6-0"), ("status", None, "6-0"), ("bucket", 3, "7-0")]
    streams = [seen for seen in server.seen if seen.path.endswith("stream")]
    assert [seen.headers["Last-Event-ID"] for seen in streams] == ["4-999999999999999999", "6-0", "7-0"]
    assert sorted(streams[0].query) == [("source", "a"), ("source", "b"), ("types", "record")]


def test_an_event_counts_as_heard_once_the_next_is_asked_for() -> None:
    following = Following(QUICK, QUICK, "1-0")
    events = following.heard(frames(("5-0", "record", {"n": 1}), ("6-0", "record", {"n": 2})))
    next(events)
    assert following.call().headers["Last-Event-ID"] == "1-0"
    events = following.heard(frames(("5-0", "record", {"n": 1}), ("6-0", "record", {"n": 2})))
    assert next(events).document == {"n": 1}
    next(events)
    assert following.call().headers["Last-Event-ID"] == "5-0"


def test_a_stream_that_makes_no_sense_is_told(connect: Any, server: WireServer) -> None:
    server.answers(lambda: web.Response(body=b"data: {\n\n", content_type="text/event-stream"))
    with connect(server.url) as client, pytest.raises(NotOffbeat, match="makes no sense"):
        next(client.follow(last_id="1-0"))
