"""What is too much, cut short, or sent by many at once: refused in words, and nothing is half kept."""
from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.gateways.mvg.client import WITHIN_S, Client, waveform
from tests.gateways.mvg.machines import send
from tests.system.daemon import Daemon, daemon, settings

LIMITS = {
    "queued_s": 0.0, "meta": "strict", "page_items_max": 2, "body_bytes_max": 65_536, "sources_max": 3,
    "stored_bytes_max": 20_000, "analyses_max": 1, "callback_hosts": ["example.org"]}
META = {"location": "l", "assetName": "a", "sensorName": "s", "measurementName": "m"}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a daemon with small limits, and a source of three measurements."""
    home = tmp_path_factory.mktemp("narrow")
    with daemon(home / "offbeat-data", settings(home / "offbeat.toml", mvg=LIMITS)) as started:
        client = Client(started.url)
        client.done("POST", "/sources/", {"source_id": "p", "meta": META, "channels": ["acc"]})
        client.done("POST", "/sources/p/measurements", [waveform(t, [1.0]) for t in (1, 2, 3)])
        yield client


def test_a_strict_server_wants_to_know_what_a_source_is(narrow: Client) -> None:
    answer = narrow.call("POST", "/sources/", {"source_id": "q", "meta": {"location": "l"}, "channels": ["acc"]})
    assert answer.offences == [
        (["body", "meta", name], "value_error.missing") for name in ("assetName", "sensorName", "measurementName")]
    answer = narrow.call("POST", "/sources/tabular", {"source_id": "q", "meta": {}, "columns": ["a"]})
    assert answer.offences == [(["body", "meta", name], "value_error.missing") for name in ("location", "assetName")]


def test_a_page_is_as_large_as_the_setting(narrow: Client) -> None:
    page = narrow.get("/sources/p/measurements?limit=100")
    assert (len(page["items"]), page["limit"], page["total"]) == (2, 2, 3)
    assert narrow.get("/sources/p/timestamps?offset=2") == {"items": [3], "total": 3, "limit": 2, "offset": 2}


def test_a_body_a_source_an_analysis_or_a_byte_too_many_is_refused(narrow: Client) -> None:
    assert narrow.call("POST", "/sources/p/measurements", [waveform(9, [0.123456789] * 8_000)]).status == 413
    for id in ("b", "c"):
        narrow.done("POST", "/sources/", {"source_id": id, "meta": META, "channels": ["acc"]})
    answer = narrow.call("POST", "/sources/", {"source_id": "d", "meta": META, "channels": ["acc"]})
    assert (answer.status, "mvg.sources_max" in answer.detail) == (429, True)
    narrow.wait(narrow.ask("KPIDemo", "p"))
    answer = narrow.call("POST", "/analyses/requests/", {"source_id": "p", "feature": "RMS"})
    assert (answer.status, "mvg.analyses_max" in answer.detail) == (429, True)
    noise = [(i * 7919 % 10_007) / 10_007 for i in range(1_000)]
    statuses = [narrow.call("POST", "/sources/b/measurements", [waveform(t, noise)]).status for t in range(6)]
    assert statuses == sorted(statuses) and set(statuses) == {200, 507}
    narrow.done("DELETE", "/sources/b")
    give_up = time.monotonic() + WITHIN_S
    while narrow.call("POST", "/sources/c/measurements", [waveform(1, noise)]).status == 507:
        assert time.monotonic() < give_up  # what the deleted source held is removed little by little


def test_only_hosts_of_the_setting_are_told(narrow: Client) -> None:
    answer = narrow.call("POST", "/analyses/requests/?callback_url=http://127.0.0.1/", {
        "source_id": "p", "feature": "KPIDemo"})
    assert answer.offences == [(["query", "callback_url"], "value_error")]
    narrow.ask("KPIDemo", "p", query="?callback_url=http://example.org/hook")


def test_half_a_waveform_is_none(mvg: Client) -> None:
    mvg.create("half")
    body = json.dumps([waveform(1, [0.5] * 50_000)]).encode()
    host, _, port = mvg.address.partition(":")
    for sent in (body[:1_000], body[:-1]):
        with socket.create_connection((host, int(port)), 60) as connection:
            head = f"POST /mvg/sources/half/measurements HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + sent)
    assert mvg.call("POST", "/sources/half/measurements", body=body[:-1]).status == 422
    assert mvg.get("/sources/half/measurements")["total"] == 0


def test_of_those_who_send_the_same_at_the_same_time_one_is_taken(mvg: Client) -> None:
    mvg.create("same")

    def measured(value: int) -> int:
        pair = [waveform(1, [float(value)]), waveform(value, [1.0])]
        return mvg.call("POST", "/sources/same/measurements", pair).status

    def created(_: int) -> int:
        return mvg.call("POST", "/sources/", {"source_id": "same-id", "meta": {}, "channels": ["acc"]}).status

    with ThreadPoolExecutor(8) as pool:
        for work in (measured, created):
            assert sorted(pool.map(work, range(2, 10))) == [200] + [409] * 7
    assert mvg.get("/sources/same/measurements")["total"] == 2


def test_an_analysis_whose_process_is_killed_fails_and_the_next_one_runs(running: Daemon, mvg: Client) -> None:
    send(mvg, "killed", [0] * 40 + [1] * 40, 4)
    id = mvg.ask("ModeId", "killed")
    mvg.wait(id, ("ongoing",))
    give_up = time.monotonic() + WITHIN_S
    while not (workers := psutil.Process(running.process.pid).children()):
        assert time.monotonic() < give_up
    for worker in workers:
        worker.kill()
    found = mvg.wait(id)
    assert (found["status"], found["error_info"]) == ("failed", "the process that computed it ended without an answer")
    assert mvg.results("ModeId", "killed")["labels"] == [0] * 40 + [1] * 40


def test_an_analysis_that_takes_too_long_fails(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("slow")
    limits = settings(home / "offbeat.toml", mvg={"queued_s": 0.0, "analysis_timeout_s": 1.0})
    with daemon(home / "offbeat-data", limits) as started:
        client = Client(started.url)
        client.create("long", "tabular", ("a", "b", "c"))
        times = list(range(20_000))
        rows = {name: [float(t * k % 8_191) for t in times] for k, name in ((7, "a"), (11, "b"), (13, "c"))}
        client.done("POST", "/sources/long/measurements/tabular", {"data": {"timestamp": times, **rows}})
        assert "longer than the 1 s" in client.failure("ModeId", "long", {"n_trials": 50})
