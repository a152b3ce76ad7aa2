"""A daemon that is given more than it can take says so at once, keeps what it acknowledged, and takes more later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.system.client import (
    NDJSON,
    Answer,
    Connection,
    chunked,
    diagnosis,
    event_counts,
    get,
    metric,
    post,
    sized,
    until,
)
from tests.system.daemon import Daemon, daemon, settings

PENDING_MAX = 64 * 1024
CONNECTIONS_MAX = 40
LINE = b'{"source":"%s","v":1,"filler":"' + b"x" * 200 + b'"}\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = tmp_path_factory.mktemp("full-intake")
    config = settings(directory / "offbeat.toml", ingest={"pending_bytes_max": PENDING_MAX},
                      http={"body_timeout_s": 5.0})
    with daemon(directory / "data", config) as started:
        yield started
        assert "Traceback" not in started.said()


def test_more_connections_than_the_config_allows_are_turned_away_with_the_reason(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", http={"connections_max": CONNECTIONS_MAX})
    with daemon(tmp_path / "data", config) as running, ExitStack() as stack:
        idle = [stack.enter_context(Connection(running.url)) for _ in range(CONNECTIONS_MAX)]

        def turned_away() -> Answer | None:
            with suppress(ConnectionError):
                answer = get(running.url, "/healthz")
                return answer if answer.status == 429 else None
            return None

        answer = until(turned_away)
        assert answer is not None
        assert (answer.error["code"], answer.headers["Retry-After"]) == ("too_many_clients", "10")
        assert answer.error["message"] == f"{CONNECTIONS_MAX} clients are connected already"
        idle[0].socket.close()

        def let_in() -> bool:
            return get(running.url, "/healthz").status == 200

        until(let_in)


def refused_as_full(answer: Answer) -> None:
    assert (answer.status, answer.error["code"], answer.headers["Retry-After"]) == (429, "intake_full", "1")
    assert answer.error["message"].endswith("nothing of this body was stored")
    assert answer.error["hint"]


def test_a_sender_at_a_full_intake_is_refused_at_once_and_taken_once_there_is_room(running: Daemon) -> None:
    url = running.url
    whole = LINE % b"waits" * (PENDING_MAX // len(LINE % b"waits") - 5)
    with Connection(url) as slow:
        slow.head(sized(NDJSON, len(whole)))  # has its place reserved, and keeps it
        slow.send(whole[:-1])
        until(lambda: diagnosis(url)["pending_bytes"] == len(whole))
        began = time.monotonic()
        for body in (LINE % b"refused" * 10, iter([LINE % b"refused" * 10])):
            refused_as_full(post(url, body))
        assert time.monotonic() - began < 1.0
        assert post(url, LINE % b"small").status == 202  # there is room for one line
        slow.send(whole[-1:])
        assert slow.answer().status == 202
    until(lambda: diagnosis(url)["pending_bytes"] == 0)
    assert post(url, LINE % b"later" * 10).status == 202
    assert event_counts(url) == {"waits": whole.count(b"\n"), "small": 1, "later": 10}


@pytest.mark.parametrize("form", ["with its length", "in chunks"])
def test_a_sender_sees_the_refusal_while_it_still_sends(running: Daemon, form: str) -> None:
    url = running.url
    whole = LINE % b"again" * (PENDING_MAX // len(LINE % b"again") - 1)
    with Connection(url) as slow, Connection(url) as large:
        slow.head(sized(NDJSON, len(whole)))
        until(lambda: diagnosis(url)["pending_bytes"] == len(whole))
        if form == "with its length":
            large.head(sized(NDJSON, 4_000_000))
            large.send(LINE % b"large" * 100)
        else:
            large.head(chunked(NDJSON))
            large.chunk(LINE % b"large" * 10_000)
        refused_as_full(large.answer())
        slow.vanish()
    until(lambda: diagnosis(url)["pending_bytes"] == 0)
    assert "large" not in event_counts(url)


def test_of_many_senders_at_once_just_the_acknowledged_ones_count(running: Daemon) -> None:
    url = running.url
    body = LINE % b"crowd" * (PENDING_MAX // len(LINE) // 3)

    def send(_: int) -> Answer:
        return post(url, body)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(200)))
    taken = [answer for answer in answers if answer.status == 202]
    for answer in answers:
        if answer.status != 202:
            refused_as_full(answer)
    assert taken
    assert event_counts(url)["crowd"] == len(taken) * body.count(b"\n")
    limits = {limit["name"]: limit for limit in diagnosis(url)["limits"]}
    assert limits["ingest.pending_bytes_max"]["used"] == 0
    refusals = 'offbeat_http_requests_total{method="POST",route="/api/v1/events",status="429"}'
    assert metric(url, refusals) >= len(answers) - len(taken)
