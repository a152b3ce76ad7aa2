"""What a load consists of and how it is timed: events of a fleet, paced bodies, findings led back to their bodies."""
from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import orjson
import pytest

import latency
from common import load, probe
from common.events import FORMS, Fleet, bodies
from common.feed import Feed
from common.follow import Arrival, arrivals
from common.load import Sent
from common.probe import Asked, Question

RECEIPT = b'{"accepted":2,"sequence":9}'
TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(RECEIPT), RECEIPT)
REQUEST = load.request("/write", "localhost", "text/plain", b"x 1\n")


@contextmanager
def server(answers: list[bytes]) -> Iterator[tuple[str, int]]:
    """Takes one connection and gives *answers* in turn, one to each request of a single packet."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    if not connection.recv(65_536):
                        return
                    connection.sendall(answer)
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()
        thread.join(10.0)


def test_receipts_are_added_up_and_a_bare_204_counts_as_a_body() -> None:
    with server([TAKEN, TAKEN]) as address:
        daemon = load.send(address, [[REQUEST] * 2], 10.0)
    assert (daemon.bodies, daemon.accepted, daemon.sequence) == ((2,), 4, 9)
    with server([b"HTTP/1.1 204 No Content\r\nX-Version: 1.6\r\n\r\n"]) as address:
        database = load.send(address, [[REQUEST]], 10.0)
    assert (database.bodies, database.accepted) == ((1,), 0)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_any_other_answer_ends_the_load(answer: bytes) -> None:
    with server([answer]) as address, pytest.raises(load.LoadFailed):
        load.send(address, [[REQUEST]], 10.0)


def test_a_paced_connection_begins_no_body_before_its_time() -> None:
    with server([TAKEN] * 3) as address:
        sent = load.send(address, [[REQUEST] * 3], 10.0, every_s=0.02)
    assert sent.bodies == (3,)
    assert (sent.sent_s[0] - sent.began_s >= [0.0, 0.02, 0.04]).all()


def test_a_fleet_reads_at_its_beat_and_without_blips_stays_near_its_levels() -> None:
    quiet = Fleet(3, 5, beat_ms=60_000, blips=0.0).events(np.arange(5), 50, 0)
    assert (np.diff(quiet.time_ms.reshape(10, 5), axis=0) == 60_000).all()
    wild = Fleet(3, 5, beat_ms=60_000, blips=1.0).events(np.arange(5), 50, 0)
    assert (wild.value > quiet.value).all()


def test_sources_have_as_many_digits_as_a_large_fleet_needs() -> None:
    events = Fleet(1, 1_000_000).events(np.array([7, 999_999]), 2, 1_700_000_000_000)
    (body,) = bodies(FORMS["ndjson"], events, 2, source_digits=7)
    assert [orjson.loads(line)["sensor"] for line in body.splitlines()] == ["boiler-0000007", "boiler-0999999"]


def test_a_feed_sends_nothing_twice_and_nothing_late() -> None:
    feed = Feed(Fleet(1, 100), now_ms=1_700_000_000_000)
    first, second = feed.next(1_000, 4, 50), feed.next(1_000, 4, 50)
    assert sum(some.source.size for some in first) == 1_000
    assert max(some.time_ms.max() for some in first) < min(some.time_ms.min() for some in second)
    assert all((np.diff(some.time_ms) >= 0).all() for some in first)
    assert {int(source) % 4 for source in first[1].source} == {1}


def sent_of(moments: list[list[float]]) -> Sent:
    times = tuple(np.array(some) for some in moments)
    return Sent(0.0, 9.0, tuple(map(len, moments)), 0, 0, np.zeros(0), times, 1, 0.0)


def test_a_finding_is_timed_from_the_first_byte_of_its_own_body() -> None:
    made = Feed(Fleet(1), now_ms=1_700_000_000_000).next(40_000)
    late = made[2]
    row = 7_000  # in the second body of the third connection
    arrived = Arrival(f"boiler-{late.source[row]:04}", int(late.time_ms[row]), 5.5)
    waits = latency.waits_s(made, sent_of([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0], [1.0, 2.0]]), [arrived, arrived])
    assert waits.tolist() == [2.5]


def test_a_finding_about_nothing_that_was_sent_is_no_sample() -> None:
    made = Feed(Fleet(1), now_ms=1_700_000_000_000).next(40_000)
    silence = Arrival("boiler-0002", int(made[2].time_ms[-1]) + 1, 5.5)
    unsent = Arrival(f"boiler-{made[0].source[-1]:04}", int(made[0].time_ms[-1]), 5.5)
    assert latency.waits_s(made, sent_of([[1.0]] * 4), [silence, unsent]).size == 0


def test_a_record_arrives_when_its_last_byte_does() -> None:
    frame = (b'id: 1\nevent: record\ndata: {"source":"boiler-0001","time":"2026-01-01T00:00:00.250Z"}\n\n'
             b'event: bucket\ndata: {"source":"boiler-0001"}\n\n')
    pieces = [(1.0, b": follow on\n\n" + frame[:20]), (2.0, frame[20:]), (3.0, frame)]
    expected = [Arrival("boiler-0001", 1_767_225_600_250, moment_s) for moment_s in (2.0, 3.0)]
    assert arrivals(pieces) == expected


def test_questions_are_summed_up_by_kind() -> None:
    asked = [Asked(kind, 0.0, ms / 1000, 10) for kind in ("a", "b") for ms in range(1, 101)]
    (first, p99_ms, line), (second, *_) = latency.summaries(asked)
    assert (first, second) == ("a", "b")
    assert p99_ms == pytest.approx(99.01)
    assert line == "a: 100 asked, p50 50.5 p99 99.0 longest 100 ms"


def test_a_question_is_timed_until_its_answer_is_read_and_a_failure_is_told() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with server([ok]) as address:
        (one,) = probe.ask(address, [Question("a", "GET", "/healthz")], 1.0, 1.0)
    assert (one.kind, one.size) == ("a", 2) and one.took_s > 0.0
    with server([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]) as address, pytest.raises(RuntimeError, match="500"):
        probe.ask(address, [Question("a", "GET", "/healthz")], 1.0, 1.0)


def test_a_day_of_buckets_is_asked_from_midnight_to_midnight() -> None:
    question = latency.day_of(7, 1_767_225_600_000)
    assert question.path == ("/api/v1/buckets?source=boiler-0007&start=2026-01-01T00%3A00%3A00.000Z"
                             "&end=2026-01-02T00%3A00%3A00.000Z&limit=1440")
