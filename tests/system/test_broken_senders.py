"""Senders that stall, vanish or repeat themselves: none holds the daemon up, and each event counts once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
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

BODY_TIMEOUT_S = 1.0
START_S = 1_577_836_800
ROWS = 3_000
BAD_EVERY = 10


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settings(tmp_path_factory.mktemp("config") / "offbeat.toml", http={"body_timeout_s": BODY_TIMEOUT_S},
                    ingest={"stream_linger_s": 0.02})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[Daemon]:
    """One daemon for all tests here that do not kill it."""
    with daemon(tmp_path_factory.mktemp("broken-senders") / "data", config) as started:
        yield started
        assert "Traceback" not in started.said()


def drip(connection: Connection, head: dict[str, str], piece: bytes, over: threading.Event) -> Answer:
    """Send *piece* again and again, slowly, until the answer comes."""
    connection.head(head)
    with suppress(ConnectionError):
        while piece and not over.is_set():
            connection.send(piece)
            connection.socket.settimeout(0.05)
            with suppress(TimeoutError):
                if connection.socket.recv(1, 2):  # MSG_PEEK: an answer is there
                    break
    connection.socket.settimeout(30)
    return connection.answer()


def test_a_body_that_stops_arriving_is_given_up_and_its_connection_freed(running: Daemon) -> None:
    stalled = {
        "a stated length and not a byte": (sized(NDJSON, 4_000_000), b""),
        "a stated length, byte by byte": (sized(NDJSON, 4_000_000), b"{"),
        "a long body, and not a byte": (sized(NDJSON, 400_000_000), b""),
        "chunks that never come": (chunked(NDJSON), b""),
        "a line without an end, byte by byte": (chunked(NDJSON), b"1\r\n{\r\n"),
        "a cell without an end": (chunked({"Content-Type": "text/csv"}), b"1\r\n,\r\n"),
        "nothing, compressed": (sized({**NDJSON, "Content-Encoding": "gzip"}, 4_000_000), b""),
        "nothing, of no type": (sized({}, 4_000_000), b""),
        "blanks, of no type": (chunked({}), b"1\r\n \r\n"),
        "a line protocol of no end": (chunked({"Content-Type": "text/plain"}), b"1\r\na\r\n"),
    }
    process = psutil.Process(running.process.pid)
    handles = len(process.net_connections("tcp"))
    over = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(len(stalled)) as pool:
        connections = [stack.enter_context(Connection(running.url)) for _ in stalled]
        answers = dict(zip(stalled, pool.map(
            lambda c, s: drip(c, s[0], s[1], over), connections, stalled.values()), strict=True))
        for what, answer in answers.items():
            assert (answer.status, answer.error["code"]) == (408, "body_timeout"), (what, answer)
            assert "nothing of" in answer.error["message"], (what, answer)
            assert answer.error["hint"].startswith("http.body_timeout_s"), (what, answer)
        for connection in connections:
            assert connection.closed_by_daemon()
    until(lambda: len(process.net_connections("tcp")) <= handles)
    assert diagnosis(running.url)["pending_bytes"] == 0


def test_of_a_body_with_a_length_whose_sender_vanishes_nothing_counts(running: Daemon) -> None:
    line = b'{"source":"vanished","v":1}\n'
    with Connection(running.url) as connection:
        connection.head(sized(NDJSON, 1_000 * len(line)))
        connection.send(line * 500)
        connection.vanish()
    left = 'offbeat_http_requests_total{method="POST",route="/api/v1/events",status="499"}'
    until(lambda: metric(running.url, left) >= 1)
    assert event_counts(running.url, "vanished") == {}
    assert diagnosis(running.url)["pending_bytes"] == 0


class Rows:
    """The same rows in one format; every tenth is bad, so that rejected lines are counted once as well."""

    def __init__(self, form: str, source: str) -> None:
        self.source = source
        self.good = ROWS - ROWS // BAD_EVERY
        rows = [self._row(form, i) for i in range(ROWS)]
        if form == "json":
            self.headers, self.body = {"Content-Type": "application/json"}, b"[" + b",\n".join(rows) + b"]"
        elif form == "csv":
            self.headers = {"Content-Type": "text/csv"}
            self.body = b'time,source,v,"a note\nin two lines"\r\n' + b"".join(rows)
        elif form == "influx":
            self.headers, self.body = {"Content-Type": "text/plain"}, b"".join(rows)
        else:
            self.headers, self.body = NDJSON, b"".join(rows)

    def _row(self, form: str, i: int) -> bytes:
        time, source = START_S + i, self.source.encode()
        bad = i % BAD_EVERY == 5
        if form == "csv":
            when = b"yesterday" if bad else b"%d" % time
            return b'%s,%s,%d,"one ""quoted""\nnote of two lines"\r\n' % (when, source, i)
        if form == "influx":
            return b"m,host=%s v=%d%s\n" % (source, i, b" x" if bad else b" %d000000000" % time)
        when = b'"yesterday"' if bad else b"%d" % time
        return b'{"time":%s,"source":"%s","note":"a, {b} ]","v":%d}' % (when, source, i) + (
            b"" if form == "json" else b"\n")

    def taken(self, url: str) -> int:
        return sum(event_counts(url, self.source).values())

    def send_some(self, url: str, key: str, share: float) -> int:
        """Send the first *share* of the body in chunks, wait until some of it is journaled, and vanish."""
        part = self.body[: int(share * len(self.body))]
        with Connection(url) as connection:
            connection.head(chunked({**self.headers, "Idempotency-Key": key}))
            for at in range(0, len(part), 10_007):
                connection.chunk(part[at : at + 10_007])
            counted = until(lambda: (n := self.taken(url)) > 0.9 * share * self.good and n)
            connection.vanish()
        return int(counted)

    def again(self, url: str, key: str, sender: str) -> Answer:
        pieces = iter([self.body[:100], self.body[100:]])
        return post(url, self.body if sender == "whole" else pieces, {**self.headers, "Idempotency-Key": key})


FORMS = ("ndjson", "csv", "json", "influx")


def covers_both(rows: Rows, url: str, answer: Answer) -> None:
    taken = answer.document
    assert answer.status == 202, taken
    assert (taken["accepted"], taken["rejected"]) == (rows.good, ROWS - rows.good), taken
    assert (len(taken["errors"]), taken["errors_omitted"]) == (20, ROWS - rows.good - 20)
    assert [error["line"] for error in taken["errors"]] == sorted(error["line"] for error in taken["errors"])
    assert rows.taken(url) == rows.good


@pytest.mark.parametrize("sender", ["in chunks", "whole"])
@pytest.mark.parametrize("form", FORMS)
def test_a_stream_that_was_cut_short_and_is_sent_again_with_its_key_counts_once(
    running: Daemon, form: str, sender: str
) -> None:
    rows = Rows(form, f"again-{form}-{sender[:2]}")
    key = f"key-{rows.source}"
    before = diagnosis(running.url)["rejected"]
    counted = rows.send_some(running.url, key, 0.5)
    assert 0 < counted < rows.good
    answer = rows.again(running.url, key, sender)
    covers_both(rows, running.url, answer)
    after = diagnosis(running.url)["rejected"]
    assert sum(after.values()) - sum(before.values()) == ROWS - rows.good
    assert rows.again(running.url, key, "in chunks").document == answer.document  # and a third time: as before
    assert rows.again(running.url, key, "whole").document == answer.document
    assert rows.taken(running.url) == rows.good


@pytest.mark.parametrize("share", [0.0005, 0.9999])
def test_it_counts_once_wherever_it_was_cut(running: Daemon, share: float) -> None:
    for form in FORMS:
        rows = Rows(form, f"cut-{form}-{share}")
        key = f"key-{rows.source}"
        with Connection(running.url) as connection:
            connection.head(chunked({**rows.headers, "Idempotency-Key": key}))
            connection.chunk(rows.body[: max(1, int(share * len(rows.body)))])
            connection.vanish()
        covers_both(rows, running.url, rows.again(running.url, key, "in chunks"))


def test_it_counts_once_when_the_daemon_was_killed_in_between(tmp_path: Path, config: Path) -> None:
    bodies = {form: Rows(form, f"killed-{form}") for form in FORMS}
    with daemon(tmp_path / "data", config) as first:
        counted = {form: rows.send_some(first.url, f"key-{form}", 0.7) for form, rows in bodies.items()}
        first.kill()
    with daemon(tmp_path / "data", config) as second:
        for form, rows in bodies.items():
            assert rows.taken(second.url) >= counted[form]
            covers_both(rows, second.url, rows.again(second.url, f"key-{form}", "in chunks"))


def test_another_body_under_a_used_key_is_refused_and_nothing_of_it_counts(running: Daemon) -> None:
    body = b'{"source":"first","v":1}\n'
    for pieces in (body, iter([body])):
        assert post(running.url, pieces, {**NDJSON, "Idempotency-Key": "used"}).status == 202
    for other in (b'{"source":"other","v":1}\n', body + b'{"source":"other","v":1}\n', b""):
        for pieces in (other, iter([other] if other else [])):
            answer = post(running.url, pieces, {**NDJSON, "Idempotency-Key": "used"})
            assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")
            assert answer.error["message"] == ("this Idempotency-Key was used with another body; "
                                               "nothing of this one was stored")
    assert event_counts(running.url, "first") == {"first": 1}
    assert event_counts(running.url, "other") == {}


def test_another_body_under_the_key_of_a_stream_that_was_cut_short_is_refused_too(running: Daemon) -> None:
    rows = Rows("ndjson", "begun")
    counted = rows.send_some(running.url, "begun", 0.5)
    late_difference = rows.body[: len(rows.body) // 3] + rows.body[len(rows.body) // 3 :].replace(b'"v":', b'"w":')
    for other in (late_difference, rows.body[: len(rows.body) // 4], b'{"source":"begun","v":1}\n'):
        for pieces in (other, iter([other])):
            answer = post(running.url, pieces, {**rows.headers, "Idempotency-Key": "begun"})
            assert (answer.status, answer.error["code"]) == (422, "idempotency_key_reused")
    assert rows.taken(running.url) == counted
    covers_both(rows, running.url, rows.again(running.url, "begun", "whole"))


@pytest.mark.parametrize("sender", ["in chunks", "whole"])
def test_one_key_sent_by_many_at_once_counts_once_and_all_are_answered_alike(running: Daemon, sender: str) -> None:
    rows = Rows("csv", f"at-once-{sender[:2]}")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: rows.again(running.url, rows.source, sender), range(8)))
    assert {answer.body for answer in answers} == {answers[0].body}
    covers_both(rows, running.url, answers[0])


def test_a_refused_body_may_be_sent_again_with_its_key(running: Daemon) -> None:
    headers = {**NDJSON, "Idempotency-Key": "all bad"}
    answers = [post(running.url, b'{"source":1.5}\n', headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].document == answers[1].document
    document = get(running.url, "/api/v1/quarantine", limit=2).document["rejected"]
    assert [line["code"] for line in document].count("unsupported_type") == 1
