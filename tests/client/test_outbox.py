"""Batches hold what was put in, in order and within their limits; what is sent again is the same; waits are as told."""
from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from offbeat.client.calls import Address, Answer, document_of
from offbeat.client.errors import (
    BadAddress,
    Busy,
    ClientError,
    Conflict,
    NotAllowed,
    NotFound,
    NotOffbeat,
    NotReachable,
    Refusal,
)
from offbeat.client.outbox import Batch, Outbox, Posting, batches_of, lots
from offbeat.client.pages import Pages, Spans
from offbeat.client.receipts import REJECTIONS_KEPT, Receipt, listed
from offbeat.client.retrying import Attempts, Retry

LINES = st.lists(st.integers(1, 40).map(lambda n: b"x" * (n - 1) + b"\n"), max_size=60)
LIMITS = st.integers(1, 8), st.integers(1, 64)


@given(LINES, *LIMITS)
def test_batches_are_the_lines_in_order_and_as_large_as_may_be(lines: list[bytes], events: int, size: int) -> None:
    batches = list(batches_of(lines, events, size))
    assert b"".join(batch.data for batch in batches) == b"".join(lines)
    at = 0
    for number, batch in enumerate(batches):
        assert (batch.number, batch.first) == (number, at)
        assert 1 <= batch.count <= events
        assert len(batch.data) <= size or batch.count == 1
        assert batch.data == b"".join(lines[at : at + batch.count])
        at += batch.count
        if at < len(lines):  # the next line had no room
            assert batch.count == events or len(batch.data) + len(lines[at]) > size
    assert at == len(lines)


@given(LINES, *LIMITS, st.integers(1, 3), st.data())
def test_a_sender_gives_each_line_once_in_order_whenever_it_is_asked(
    lines: list[bytes], events: int, size: int, queue: int, data: st.DataObject
) -> None:
    outbox = Outbox({"batch_events": events, "batch_bytes": size, "queue_batches": queue, "linger_s": 1.0})
    now_s, at, sent = 0.0, 0, []
    while at < len(lines) or outbox.settled < outbox.taken:
        step = data.draw(st.sampled_from(["put", "wait", "send", "flush"]))
        if step == "put" and at < len(lines):
            at = outbox.put(lines[: at + data.draw(st.integers(1, 9))], at, now_s)
        elif step == "wait":
            now_s += 0.5
        elif step == "flush":
            outbox.flush()
        if step == "send" or at == len(lines):
            now_s += 1.0 if at == len(lines) else 0.0  # nothing more comes: linger makes the rest due
            if (batch := outbox.next(now_s)) is not None:
                sent.append(batch)
                outbox.answered({"accepted": batch.count}, [], len(batch.data))
        held = outbox.taken - outbox.settled
        assert held <= (queue + 1) * events
    assert b"".join(batch.data for batch in sent) == b"".join(lines)
    assert [batch.number for batch in sent] == list(range(len(sent)))


def test_a_batch_goes_when_it_is_full_when_it_has_lingered_or_when_it_is_flushed() -> None:
    outbox = Outbox({"batch_events": 2, "linger_s": 5.0})
    assert outbox.due_in_s(0.0) is None
    outbox.put([b"1\n"], 0, 10.0)
    assert outbox.due_in_s(12.0) == 3.0
    assert outbox.next(14.9) is None
    outbox.put([b"2\n"], 0, 13.0)
    assert outbox.next(13.0) == Batch(0, 0, 2, b"1\n2\n")
    outbox.answered({"accepted": 2}, [], 4)
    outbox.put([b"3\n"], 0, 20.0)
    assert outbox.next(25.0) == Batch(1, 2, 1, b"3\n")
    outbox.answered({"accepted": 1}, [], 2)
    outbox.put([b"4\n"], 0, 30.0)
    assert outbox.flush() == 4
    assert outbox.next(30.0) == Batch(2, 3, 1, b"4\n")


def test_what_waits_is_bounded() -> None:
    outbox = Outbox({"batch_events": 2, "queue_batches": 2})
    lines = [b"%d\n" % n for n in range(10)]
    assert outbox.put(lines, 0, 0.0) == 6  # two batches wait, and the one that is open is full
    assert not outbox.has_room
    assert outbox.next(0.0) is not None
    assert outbox.put(lines, 6, 0.0) == 8


def test_what_is_not_delivered_is_told_in_order() -> None:
    outbox = Outbox({"batch_events": 1, "queue_batches": 2})
    outbox.put([b"1\n", b"2\n", b"3\n"], 0, 0.0)
    outbox.next(0.0)
    assert outbox.undelivered() is None
    outbox.failed = Busy(503, {"error": {"code": "shutting_down", "message": "it stops", "hint": "wait"}}, None)
    for _ in range(2):  # asking does not change it
        lost = outbox.undelivered()
        assert lost is not None
        assert (lost.count, lost.events) == (3, b"1\n2\n3\n")
        assert (lost.code, lost.status, lost.hint) == ("shutting_down", 503, "wait")
        assert lost.message == "3 events are not delivered: it stops"


@pytest.mark.parametrize("options", [{"batch_events": 0}, {"batch_bytes": 0}, {"queue_batches": 0}, {"linger_s": -1}])
def test_limits_that_hold_nothing_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Outbox(options)  # type: ignore[arg-type]


def test_lots_give_what_came_before_their_source_failed() -> None:
    def lines() -> Iterator[bytes]:
        yield from (b"1", b"2", b"3")
        raise KeyError("end")

    given = lots(lines(), 2)
    assert [next(given), next(given)] == [[b"1", b"2"], [b"3"]]
    with pytest.raises(KeyError):
        next(given)
    one = lots(iter([b"1", b"2"]), 2)
    next(one)
    one.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("compression", "unpack"), [
    (None, bytes), ("gzip", gzip.decompress), ("zstd", zstandard.ZstdDecompressor().decompress)])
def test_a_body_is_the_batch_under_a_key_of_its_own(compression: object, unpack: object) -> None:
    posting = Posting.of({"compression": compression, "source_field": ["a", "b"], "time_field": "t"})  # type: ignore[typeddict-item]
    call = posting.call(Batch(3, 9, 1, b'{"v":1}\n'))
    assert call.body is not None
    assert unpack(call.body) == b'{"v":1}\n'  # type: ignore[operator]
    assert call.headers["Idempotency-Key"] == f"{posting.run}-3"
    assert call.headers.get("Content-Encoding") == compression
    assert (call.path, call.safe) == ("/api/v1/events?source=a&source=b&time=t", True)
    assert posting.call(Batch(3, 9, 1, b'{"v":1}\n')) == call
    assert posting.again().call(Batch(3, 9, 1, b"")).headers["Idempotency-Key"] != call.headers["Idempotency-Key"]


def test_a_compression_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="gzip, zstd or None"):
        Posting.of({"compression": "lzma"})  # type: ignore[typeddict-item]


def test_a_receipt_counts_all_and_keeps_the_first_rejections() -> None:
    receipt, data = Receipt(), b"good\nbad\n" + 4 * b"worse\n"
    answer = {"accepted": 1, "rejected": 5, "sequence": 7, "errors": [{"line": 2, "code": "bad_json", "reason": "no"}]}
    for first in range(REJECTIONS_KEPT + 2):
        receipt.count(answer, listed(answer, first, data))
    assert receipt.rejections[0].line == "bad"
    assert [one.event for one in receipt.rejections] == list(range(1, REJECTIONS_KEPT + 1))
    assert receipt.rejected == 5 * (REJECTIONS_KEPT + 2)
    assert receipt.rejections_omitted == receipt.rejected - REJECTIONS_KEPT
    assert (receipt.accepted, receipt.sequence) == (REJECTIONS_KEPT + 2, 7)


@pytest.mark.parametrize("answer", [{}, {"accepted": 1, "rejected": 0}, {"accepted": 3}])
def test_an_answer_that_does_not_cover_the_body_is_none(answer: dict[str, int]) -> None:
    with pytest.raises(NotOffbeat, match="of 2 events it counted"):
        listed(answer, 0, b"1\n2\n")


def busy(status: int, retry_after_s: float | None = None) -> ClientError:
    return Refusal(status, {"error": {"code": "x", "message": "x"}}, retry_after_s)


def test_waits_double_up_to_the_longest_within_the_jitter() -> None:
    for jitter, share in ((0.0, 0.5), (0.5, 0.75)):
        attempts = Attempts(Retry(first_s=1.0, longest_s=4.0, jitter=lambda jitter=jitter: jitter), safe=True)  # type: ignore[misc]
        assert [attempts.wait_s(busy(503), 0.0) for _ in range(4)] == [share * s for s in (1.0, 2.0, 4.0, 4.0)]


def test_the_daemon_says_how_long_to_wait_and_nobody_comes_sooner() -> None:
    attempts = Attempts(Retry(first_s=0.25, jitter=lambda: 0.5), safe=True)
    assert attempts.wait_s(busy(429, 8.0), 0.0) == 9.0
    assert attempts.wait_s(busy(429, 0.0), 0.0) == 0.28125
    assert attempts.wait_s(busy(429), 0.0) == 0.1875  # what was asked for is no failure more


def test_patience_ends_with_the_error_itself() -> None:
    attempts = Attempts(Retry(patience_s=5.0, first_s=4.0, jitter=lambda: 0.0), safe=True)
    assert attempts.wait_s(busy(503), 100.0) == 2.0
    last = busy(502)
    with pytest.raises(Refusal) as ended:
        attempts.wait_s(last, 102.0)
    assert ended.value is last
    assert attempts.count == 1


@pytest.mark.parametrize(("error", "safe", "again"), [
    (busy(400), True, False), (busy(413), True, False), (busy(500), True, False),
    (busy(408), True, True), (busy(429), True, True), (busy(502), True, True), (busy(503), True, True),
    (busy(429), False, True), (busy(503), False, True), (busy(502), False, False), (busy(408), False, False),
    (NotReachable("x"), True, True), (NotReachable("x"), False, False), (NotReachable("x", sent=False), False, True),
    (NotOffbeat("x", status=502), True, True), (NotOffbeat("x", status=502), False, False),
    (NotOffbeat("x", status=200), True, False), (NotOffbeat("x"), True, False),
], ids=str)
def test_only_what_counts_once_is_sent_twice(error: ClientError, safe: bool, again: bool) -> None:
    attempts = Attempts(Retry(), safe=safe)
    if again:
        assert attempts.wait_s(error, 0.0) > 0
    else:
        with pytest.raises(type(error)):
            attempts.wait_s(error, 0.0)


@pytest.mark.parametrize(("status", "kind"), [
    (400, Refusal), (401, NotAllowed), (403, NotAllowed), (404, NotFound), (409, Conflict), (429, Busy), (503, Busy)])
def test_an_error_of_the_daemon_is_an_error_with_all_that_it_said(status: int, kind: type[Refusal]) -> None:
    error = {"code": "c", "message": "m", "hint": "h", "where": {"parameter": "p"}}
    with pytest.raises(Refusal) as refused:
        document_of(Answer(status, json.dumps({"error": error, "more": 1}).encode(), retry_after="2"), "http://d")
    e = refused.value
    assert type(e) is kind
    assert (e.code, e.message, e.hint, e.where) == ("c", "m", "h", {"parameter": "p"})
    assert (e.status, e.retry_after_s) == (status, 2)
    assert e.document["more"] == 1


@pytest.mark.parametrize(("status", "body"), [
    (200, b"<html>"), (200, b"[]"), (302, b"{}"), (500, b'{"error": "x"}'), (404, b"no")])
def test_what_no_daemon_says_is_not_offbeat(status: int, body: bytes) -> None:
    with pytest.raises(NotOffbeat, match="what answers at http://d is not Offbeat: it sent text/html") as refused:
        document_of(Answer(status, body, "text/html"), "http://d")
    assert refused.value.status == status


@pytest.mark.parametrize(("url", "written"), [
    ("http://127.0.0.1:7373", "http://127.0.0.1:7373"), ("sensor:80", "http://sensor:80"),
    ("https://d/offbeat/", "https://d:443/offbeat"), ("http://[::1]:5", "http://[::1]:5")])
def test_an_address_is_an_url_with_a_prefix_perhaps(url: str, written: str) -> None:
    assert Address.of(url, None).url == written


@pytest.mark.parametrize("url", ["ftp://d", "http://", "http://d:x", "http://d:0", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadAddress, match="is no address of a daemon"):
        Address.of(url, None)


def test_address_and_token_come_from_the_environment_and_the_token_is_not_shown(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFBEAT_URL", "http://far:1")
    monkeypatch.setenv("OFFBEAT_TOKEN", "abc.secret")
    address = Address.of(None, None)
    assert (address.url, address.token) == ("http://far:1", "abc.secret")
    assert "secret" not in repr(address)
    assert Address.of("http://near:1", "own").token == "own"
    with pytest.raises(BadAddress) as refused:
        Address.of(None, "abc.secret\n")
    assert "secret" not in str(refused.value)


def test_a_list_is_asked_for_by_pages_as_long_as_rows_are_wanted() -> None:
    pages = Pages("/records", "records", 1500, source=["a", "b"], start=None)
    first = pages.call()
    assert first is not None
    assert first.path == "/api/v1/records?limit=1000&source=a&source=b"
    assert pages.rows({"records": [0] * 1000, "next_cursor": "c/1"}) == [0] * 1000
    second = pages.call()
    assert second is not None
    assert second.path == "/api/v1/records?limit=500&cursor=c%2F1&source=a&source=b"
    pages.rows({"records": [0] * 500, "next_cursor": "c2"})
    assert pages.call() is None
    with pytest.raises(NotOffbeat):
        Pages("/x", "x", None).rows({})
    assert Pages("/x", "x", 0).call() is None


@given(st.lists(st.integers(0, 300), min_size=1, max_size=80), st.integers(4, 9))
def test_every_reading_comes_once_in_order_however_few_an_answer_holds(times: list[int], width: int) -> None:
    times = sorted(set(times))
    spans = Spans("s", None, None, None, width)
    assert spans.call() is not None
    first, last = (f"1970-01-01T00:00:00.{time:03}Z" for time in (times[0], times[-1]))
    spans.rows({"first_event": first, "last_event": last})
    found: list[int] = []
    while (call := spans.call()) is not None:
        start, end = (int(part[20:23]) for part in call.path.replace("%3A", ":").split("=") if part.startswith("1970"))
        inside = [time for time in times if start <= time < end]
        few = len(inside) > width
        document = {"field": "v", "time": inside[:width], "value": inside[:width], "downsampled": few,
                    "reading_count": len(inside)}
        for part in spans.rows({"series": [document]}):
            found += part.time_ms
    assert found == times
