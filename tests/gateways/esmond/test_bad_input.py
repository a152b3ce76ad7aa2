"""What is wrong is refused with the status and the document that clients read, and stores nothing."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateways.esmond.archive import METADATA, ROOT, TS, Archive, archive, summaries
from tests.gateways.prelert.engine import raw_answer


@pytest.fixture(scope="module")
def target(open_archive: Archive) -> tuple[Archive, str]:
    """An archive, and the key of a record of each kind of data."""
    return open_archive, open_archive.register(
        summaries("throughput", ("average", 60)), "ntp-offset", "packet-loss-rate", "histogram-rtt", "failures",
        "throughput-subintervals", tool_name="bad")


NETWORK = {**METADATA, "subject-type": "network-element"}
WITHOUT = [{name: value for name, value in METADATA.items() if name != left_out} for left_out in METADATA]


@pytest.mark.parametrize("document", [
    *WITHOUT, {name: value for name, value in NETWORK.items() if name != "source"},
    [], "x", 1, None, {}, {**METADATA, "metadata-key": "x"}, {**METADATA, "metadata-key": None},
    {**METADATA, "subject-type": "line"}, {**METADATA, "subject-type": ["point-to-point"]},
    {**METADATA, "source": "a.example.org"}, {**METADATA, "source": 1}, {**METADATA, "destination": None},
    {**METADATA, "measurement-agent": "192.0.2.256"}, {**METADATA, "tool-name": 1},
    {**METADATA, "tool-name": "x" * 129},
    {**METADATA, "x" * 129: "y"}, {**METADATA, "input-source": None},
    *({**METADATA, "event-types": events} for events in (
        "throughput", {"event-type": "throughput"}, ["throughput"], [{}], [{"event-type": "nonsense"}],
        [{"event-type": 1}], [{"event-type": "throughput", "summaries": {}}],
        [{"event-type": "throughput", "summaries": ["average"]}],
        [summaries("throughput", ("mean", 60))], [summaries("throughput", ("averages", 60))],
        [summaries("throughput", ("statistics", 60))], [summaries("packet-loss-rate", ("average", 60))],
        [summaries("failures", ("aggregation", 60))], [summaries("throughput-subintervals", ("aggregation", 60))],
        [summaries("throughput", ("average", -60))], [summaries("throughput", ("average", "1.5"))],  # type: ignore[arg-type]
        [summaries("throughput", ("average", 2**60))], [summaries("throughput", ("average", None))],  # type: ignore[arg-type]
        [summaries("throughput", *(("average", n) for n in range(1_001)))],
    )),
], ids=lambda document: json.dumps(document)[-60:])
def test_a_registration_that_is_wrong_leaves_nothing_behind(target: tuple[Archive, str], document: Any) -> None:
    archive, _ = target
    before = len(archive.get())
    assert archive.refused(archive.send("POST", "", document)) == 400
    assert len(archive.get()) == before


@pytest.mark.parametrize("events", [None, []])
def test_a_record_may_have_no_event_types(target: tuple[Archive, str], events: Any) -> None:
    answer = target[0].send("POST", "", {**METADATA, "event-types": events})
    assert (answer.status, answer.document["event-types"]) == (201, [])


VALUES: dict[str, list[Any]] = {
    "throughput": [None, "x", "1.5", "", True, [], {}, "1e3", "٣"],
    "ntp-offset": [None, "x", "nan", "inf", "", False, [1], {}, "1_0", "9" * 400],
    "packet-loss-rate": [
        None, 0.5, [], {}, {"numerator": 1}, {"denominator": 1}, {"numerator": -1, "denominator": 1},
        {"numerator": 1, "denominator": 0}, {"numerator": 1, "denominator": -1}, {"numerator": "x", "denominator": 1},
        {"numerator": "0.5", "denominator": 1}, {"numerator": None, "denominator": 1},
        {"numerator": True, "denominator": 1}],
    "histogram-rtt": [None, 1, [], "x", {"1": 1.5}, {"1": "x"}, {"1": None}, {"1": -1}, {"1": True}, {"1": 1e30}],
    "throughput-subintervals": [
        None, {}, [], [1], [{"start": 0, "duration": 1}], [{"start": 0, "val": 1}], [{"duration": 0, "val": 1}],
        [{"start": "x", "duration": 1, "val": 1}], [{"start": 0, "duration": None, "val": 1}]],
}


EACH = [(name, value) for name, values in VALUES.items() for value in values]


@pytest.mark.parametrize(("event_type", "value"), EACH)
def test_a_value_that_its_data_type_has_not_is_400_in_both_forms(
    target: tuple[Archive, str], event_type: str, value: Any
) -> None:
    archive, key = target
    for answer in (archive.post(key, event_type, TS, value), archive.put(key, (event_type, TS, value))):
        assert archive.refused(answer) == 400
    assert archive.data(key, event_type) == []


@pytest.mark.parametrize(("sent", "read"), [
    (1.9, 1), (-1.9, -1), ("42", 42), ("-7", -7), (2**53 + 1, 2**53 + 1), (2**63, 2.0**63), (1e300, 1e300), (0, 0),
])
def test_an_integer_is_cut_toward_zero_and_exact(target: tuple[Archive, str], sent: Any, read: float) -> None:
    archive, _ = target
    key = archive.register(tool_name=f"integer {sent}")
    assert archive.post(key, "throughput", str(TS), sent).status == 201
    assert archive.data(key, "throughput") == [(TS, read)]


@pytest.mark.parametrize("ts", [None, "x", 1.5, "1.5", [], True, 2**53 + 1, 2**70, -(2**53) - 1])
def test_a_second_that_is_none_is_400(target: tuple[Archive, str], ts: Any) -> None:
    archive, key = target
    assert archive.refused(archive.post(key, "throughput", ts, 1)) == 400
    assert archive.refused(archive.send("PUT", f"{key}/", {"data": [{"ts": ts, "val": []}]})) == 400


@pytest.mark.parametrize("document", [
    b"", b"{", b"null", b"[]", b"{}", b'"data"', b'{"data": 1}', b'{"data": {}}', b'{"data": [1]}', b'{"data": [{}]}',
    b'{"data": [{"ts": 1}]}', b'{"data": [{"val": []}]}', b'{"data": [{"ts": 1, "val": {}}]}',
    b'{"data": [{"ts": 1, "val": [1]}]}', b'{"data": [{"ts": 1, "val": [{"event-type": "throughput"}]}]}',
    b'{"data": [{"ts": 1, "val": [{"val": 1}]}]}', b'{"data": [{"ts": 1, "val": [{"event-type": [], "val": 1}]}]}',
    b'{"data": [{"ts": 1, "val": [{"event-type": "throughput", "val": NaN}]}]}', b"\xff", b"[" * 100_000,
    b'{"data": [{"ts": 1, "val": [{"event-type": "throughput", "val": "\\ud800"}]}]}', b'{"data": []} {}',
])
def test_a_bulk_write_that_is_none_is_400(target: tuple[Archive, str], document: bytes) -> None:
    archive, key = target
    for method in ("PUT", "POST"):
        assert archive.refused(archive.send(method, f"{key}/", document)) == 400


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"ts": 1}', b'{"val": 1}', b"1"])
def test_a_single_write_that_is_none_is_400(target: tuple[Archive, str], document: bytes) -> None:
    archive, key = target
    assert archive.refused(archive.send("POST", f"{key}/throughput/base", document)) == 400


def test_summaries_cannot_be_written(target: tuple[Archive, str]) -> None:
    archive, key = target
    for path in ("averages/60", "averages", "aggregations/60", "nonsense", "base/0", "base/60"):
        assert archive.refused(archive.send("POST", f"{key}/throughput/{path}", {"ts": TS, "val": 1})) == 400


def test_a_write_to_no_record_is_404(target: tuple[Archive, str]) -> None:
    archive, _ = target
    for key in ("0" * 32, "a.b", "x"):
        assert archive.refused(archive.post(key, "throughput", TS, 1)) == 404
        assert archive.refused(archive.put(key, ("throughput", TS, 1))) == 404
        assert archive.refused(archive.put(key)) == 404


def test_a_body_that_does_not_claim_to_be_json_is_refused_in_the_archives_own_way(target: tuple[Archive, str]) -> None:
    archive, key = target
    body = json.dumps({"data": [], "ts": TS, "val": 1}).encode()
    for said in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert archive.refused(archive.call("POST", "", body, said)) == 415
        assert archive.refused(archive.call("PUT", f"{key}/", body, said)) == 400
        assert archive.refused(archive.call("POST", f"{key}/throughput/base", body, said)) == 400
    said = {"Content-Type": "application/json; charset=utf-8"}
    assert archive.call("PUT", f"{key}/", body, said).status == 201
    assert archive.refused(archive.call("PUT", f"{key}/", body, {**said, "Content-Encoding": "gzip"})) == 415


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("PUT", "", "GET, POST, HEAD, OPTIONS"), ("DELETE", "k/", "GET, PUT, POST, HEAD, OPTIONS"),
    ("PATCH", "k/", "GET, PUT, POST, HEAD, OPTIONS"), ("POST", "k/throughput/", "GET, HEAD, OPTIONS"),
    ("DELETE", "k/throughput/base", "GET, POST, HEAD, OPTIONS"),
    ("PUT", "k/throughput/base", "GET, POST, HEAD, OPTIONS"),
])
def test_a_method_that_is_none_of_a_path_is_405(
    target: tuple[Archive, str], method: str, path: str, allowed: str
) -> None:
    answer = target[0].send(method, path, {})
    assert (target[0].refused(answer), answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", [
    "/esmond/perfsonar/x", "/esmond/perfsonar/archive/k/e/base/0/x", "/esmond/perfsonar/archive/a%2Fb",
    "/x/y/perfsonar/",
    "/esmond/perfsonar/archive/a%20b/", "/esmond/perfsonar/archive/k/e!/base", "/a%2Fperfsonar/archive/",
    "/xperfsonar/",
])
def test_what_is_nowhere_is_404(target: tuple[Archive, str], path: str) -> None:
    assert target[0].call("GET", path).status == 404


def test_other_ways_to_ask_that_any_resource_has(target: tuple[Archive, str]) -> None:
    archive, key = target
    for path in ("", f"{key}/", f"{key}/throughput/base"):
        asked, read = archive.call("HEAD", path), archive.call("GET", path)
        assert (asked.status, asked.body, asked.headers["Content-Length"]) == (200, b"", str(len(read.body)))
        answer = archive.call("OPTIONS", path)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert archive.get("/esmond/perfsonar/") == {"archive": f"http://127.0.0.1:{archive.daemon.port}{ROOT}"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive that takes bodies of 4 KiB and waits a fifth of a second for them; its alias has two parts."""
    sections: dict[str, dict[str, Any]] = {
        "esmond": {"body_bytes_max": 4096, "aliases": ["/a/b/"]}, "http": {"body_timeout_s": 0.2}}
    with archive(tmp_path_factory.mktemp("small") / "offbeat-data", **sections) as started:
        yield Archive(started.daemon, "/a/b/perfsonar/archive/")


def test_a_record_is_smaller_than_a_mebibyte(target: tuple[Archive, str]) -> None:
    archive, _ = target
    assert archive.refused(archive.send("POST", "", {**METADATA, "x": "y" * (1 << 20)})) == 413
    assert archive.send("POST", "", {**METADATA, "x": "y" * (1 << 19)}).status == 201


def test_a_body_that_is_too_large_is_413_whether_or_not_it_is_read_to_its_end(small: Archive) -> None:
    key = small.register(tool_name="large")
    assert small.get(f"{key}/")["uri"] == f"/a/b/perfsonar/archive/{key}/"
    assert small.refused(small.send("PUT", f"{key}/", b" " * 4_097)) == 413
    assert small.send("PUT", f"{key}/", b'{"data": []}'.ljust(4_096)).status == 201
    assert small.call("GET", ROOT).status == 404


def test_a_body_that_stops_arriving_is_408(small: Archive) -> None:
    with small.daemon.connect() as connection:
        connection.sendall(f"POST {small.root} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           "Content-Length: 100\r\n\r\n{".encode())
        answer = raw_answer(connection)
    assert small.refused(answer) == 408


def test_a_sender_that_waits_to_be_asked_is_asked_only_if_it_is_admitted(small: Archive, keys: None) -> None:
    head = f"POST {small.root} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    body = json.dumps(METADATA).encode()
    with small.daemon.connect() as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        answer = raw_answer(connection)
        assert (small.refused(answer), answer.headers["Connection"]) == (401, "close")
    with small.daemon.connect() as connection:
        connection.sendall(f"{head}Authorization: Token {small.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert raw_answer(connection).status == 201
