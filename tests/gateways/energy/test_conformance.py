"""The protocol's tables, case by case, with the headers and bodies that its two clients send, over real sockets."""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from offbeat.config import from_mapping
from offbeat.errors import BadConfig
from tests.gateways.energy.meters import Answer, Client, Meter, line_of
from tests.system.daemon import daemon, settings

NOTHING = "Failed to parse event text."
NO_JSON = "Failed to decode json payload."
INCOMPLETE = "Unabled to extract all fields from the given data."
LINE = line_of(Meter(1).event())
EVENT = json.dumps(Meter(1).event())
WAIT_S = 60.0


def refused(answer: Answer, message: str) -> None:
    assert (answer.status, answer.content_type, answer.document) == (400, "application/json", {"error": message})


def stored(answer: Answer) -> None:
    assert (answer.status, answer.content_type, answer.body) == (200, "application/json", b"{}")


def summary_of(client: Client, count: int) -> list[dict[str, Any]]:
    """The clusters, once there is a run over so many events."""
    until = time.monotonic() + WAIT_S
    while True:
        found = client.summary()
        if sum(cluster["count"] for cluster in found) == count:
            return found
        assert time.monotonic() < until, found


@pytest.mark.parametrize(("content_type", "body"), [
    ("text/plain", LINE), ("text/plain; charset=utf-8", LINE), ("TEXT/PLAIN", LINE), ("text/plain", LINE.strip()),
    ("application/json", json.dumps(EVENT)), ("application/json", EVENT),
    ("application/json; charset=utf-8", json.dumps(EVENT)),
])
def test_an_event_is_stored_in_either_form(client: Client, content_type: str, body: str) -> None:
    stored(client.call("POST", "/log/store", body.encode(), content_type))


def test_the_distributed_sender_forwards_what_the_parser_answers(client: Client) -> None:
    answer = client.parse(LINE)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.document == Meter(1).event()
    stored(client.store_text(answer.body.decode()))
    error = client.parse("nothing\n")
    refused(error, NOTHING)
    refused(client.store_text(error.body.decode()), INCOMPLETE)


@pytest.mark.parametrize(("content_type", "body", "message"), [
    ("text/plain", b"", NOTHING), ("text/plain", b"A; B; C;", NOTHING), ("text/plain", b"\n", NOTHING),
    ("text/plain", b"Foo:", "syntax error: section 'Foo' has neither values nor pairs"),
    ("text/plain", b"\xff\xfe", "the body is not UTF-8: invalid start byte at byte 0"),
    ("text/plain", b"Foo: 1", INCOMPLETE),
    ("text/plain", (LINE + LINE).encode(), "syntax error: section 'Dummy' has neither values nor pairs"),
    *(("application/json", body, NO_JSON) for body in (
        b"", b"{", b"{}", b"[]", b'""', b"null", b"0", b"[1]", b"true", b'"{}"', b'"[]"', b'"x"', b'"[1]"',
        b'"\\"a\\""',
        b'"\xff"', b"NaN", b"[" * 5000)),
    ("application/json", b'{"a": 1}', INCOMPLETE),
    ("application/json", EVENT.replace("49.87", '"fifty"').encode(), INCOMPLETE),
    ("application/json", EVENT.replace("04 Oct 2016", "04 Oct 2116").encode(), INCOMPLETE),
    ("text/html", LINE.encode(), 'Unable to decode content-type "text/html".'),
    ("text/plainer; q=1", LINE.encode(), 'Unable to decode content-type "text/plainer; q=1".'),
    (None, LINE.encode(), 'Unable to decode content-type "None".'),
])
def test_what_is_no_event_is_refused(client: Client, content_type: str | None, body: bytes, message: str) -> None:
    refused(client.call("POST", "/log/store", body, content_type), message)


@pytest.mark.parametrize("content_type", [None, "text/plain", "text/plain; charset=utf-8"])
def test_a_line_is_parsed(client: Client, content_type: str | None) -> None:
    answer = client.call("POST", "/log/parse", b"Z: 1; A: B=5W\n", content_type)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.body == b'{"A":{"B":5},"Z":[1]}\n'


@pytest.mark.parametrize(("content_type", "body", "message"), [
    ("application/json", b"A: 1", 'Unsupported content-type: "application/json"'), (None, b"", NOTHING),
    (None, b"A; B", NOTHING), (None, b"Foo: Bar=:", "syntax error: section 'Foo' has neither values nor pairs"),
    (None, b"A: \xff", "the body is not UTF-8: invalid start byte at byte 3"),
])
def test_what_is_no_line_is_refused(client: Client, content_type: str | None, body: bytes, message: str) -> None:
    refused(client.call("POST", "/log/parse", body, content_type), message)


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/log/store"), ("PUT", "/log/store"), ("GET", "/log/parse"), ("POST", "/clusters/summary"),
    ("DELETE", "/clusters/summary"),
])
def test_other_methods_are_405_and_other_paths_404(client: Client, method: str, path: str) -> None:
    answer = client.call(method, path, b"")
    assert (answer.status, answer.content_type) == (405, "application/json")
    assert set(answer.document) == {"error"} and answer.headers["Allow"]
    assert client.call("POST", "/log/store/", LINE.encode(), "text/plain").status == 404


def test_a_huge_or_packed_body_is_refused_and_nothing_of_it_stored(client: Client) -> None:
    huge = client.call("POST", "/log/store", b"A: " + b"1;" * 200_000, "text/plain")
    assert (huge.status, set(huge.document)) == (413, {"error"})
    packed = client.call("POST", "/log/store", LINE.encode(), "text/plain", Content_Encoding="gzip")
    assert (packed.status, set(packed.document)) == (415, {"error"})


def test_after_each_batch_all_events_are_clustered_and_the_rejected_do_not_count(own_client: Client) -> None:
    meter, few = Meter(2), Meter(3, peaks=2)
    for _ in range(98):
        stored(own_client.store_line(line_of(meter.event())))
        refused(own_client.store_line("rubbish\n"), NOTHING)
    stored(own_client.store_line(line_of(few.event())))
    assert own_client.call("GET", "/clusters/summary").body == b'{"clusters":[]}'
    stored(own_client.store_line(line_of(meter.event())))
    first = summary_of(own_client, 99)
    labels = [cluster["label"] for cluster in first]
    assert labels == sorted(labels) and {*labels} - {-1} == {*range(len({*labels} - {-1}))}
    for cluster in first:
        assert list(cluster) == [
            "label", "count", "avg_power_active_w", "avg_power_reactive_var", "avg_power_apparent_va",
            "avg_line_current_a", "avg_line_voltage_v"]
        assert (cluster["avg_power_reactive_var"], cluster["avg_power_apparent_va"]) == (279.0, 403.0)
        assert cluster["avg_line_voltage_v"] == pytest.approx(230.08)
    for _ in range(100):
        stored(own_client.store_line(line_of(meter.event())))
    assert summary_of(own_client, 199) != first


def test_each_number_of_an_event_is_a_reading_of_its_device(own_client: Client) -> None:
    event = Meter(4, device=77).event()
    stored(own_client.store_line(line_of(event)))
    source = own_client.get("/api/v1/sources/77?sequence=latest")
    last = {series["field"]: series["last_value"] for series in source["series"]}
    assert source["last_event"] == "2016-10-04T16:47:50.000Z"
    assert last == {
        "power_active_w": event["Power"]["Active"], "power_reactive_var": 279.0, "power_apparent_va": 403.0,
        "line_current_a": event["Line"]["Current"], "line_voltage_v": 230.08, "line_phase_rad": -43.841,
        "line_frequency_hz": 49.87, "wifi_strength_dbm": -62.0,
        **{f"peak_{i + 1}": peak for i, peak in enumerate(event["Peaks"])},
        **{f"harmonic_{i + 1}_re": part for i, part in enumerate(event["FFT Re"])},
        **{f"harmonic_{i + 1}_im": part for i, part in enumerate(event["FFT Img"])},
    }


def test_what_was_acknowledged_is_there_once_after_a_kill_and_so_is_the_counter(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", energy={"batch_events": 30, "time": "stored"})
    meter = Meter(5)
    with daemon(tmp_path / "data", config) as first:
        for _ in range(20):
            stored(Client(first.url).store_line(line_of(meter.event())))
        first.kill()
    with daemon(tmp_path / "data", config) as second:
        client = Client(second.url)
        assert client.summary() == []
        assert client.get("/api/v1/sources/1?sequence=latest")["event_count"] == 20
        for _ in range(9):
            stored(client.store_line(line_of(meter.event())))
        assert client.summary() == []
        stored(client.store_line(line_of(meter.event())))
        clusters = summary_of(client, 30)
        second.kill()
    with daemon(tmp_path / "data", config) as third:
        assert Client(third.url).summary() == clusters


@pytest.mark.parametrize("name", ["access", "time"])
def test_a_wrong_word_in_the_settings_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match=f"energy.{name} is 'everyone': expected "):
        from_mapping({"energy": {name: "everyone"}})
