"""Clients of older versions, each at a base path of its own. Source: MVG wire protocol, section 11."""
from __future__ import annotations

import numpy as np
import pytest

from tests.gateways.mvg.client import FIRST_MS, HOUR_MS, Client, waveform
from tests.gateways.mvg.machines import send, times, tone
from tests.system.daemon import Daemon

BEARER = {"Authorization": "Bearer 12345678.secret"}


def older(running: Daemon, version: str) -> Client:
    """A client of that version."""
    return Client(running.url, f"/mvg/{version}", BEARER)


@pytest.mark.parametrize(("version", "api"), [
    ("0.13", "v0.4.7"), ("0.12", "v0.3.3"), ("0.8", "v0.1.17"), ("0.6", "v0.1.6"),
])
def test_each_is_told_the_version_that_it_was_tested_with(running: Daemon, version: str, api: str) -> None:
    for path in ("", "/"):
        message = older(running, version).get(path)["message"]
        assert message["api"]["version"] == api
        assert ("content" in message) is (version != "0.6")


def test_up_to_0_13_lists_are_bare_and_rows_come_without_pages(running: Daemon) -> None:
    client = older(running, "0.13")
    client.create("bare")
    client.done("POST", "/sources/bare/measurements", [waveform(t, [1.0]) for t in (2, 1)])
    assert client.get("/sources/bare/measurements") == [
        {"timestamp": t, "duration": 1.0, "meta": {}} for t in (1, 2)]
    client.create("bare-rows", "tabular", ("a",))
    path = "/sources/bare-rows/measurements/tabular"
    client.done("POST", path, {"data": {"timestamp": [1, 2], "a": [0.5, 1.5]}, "meta": {"2": {"n": 1}}})
    assert client.get(path) == {"data": {"timestamp": [1, 2], "a": [0.5, 1.5]}, "meta": {"2": {"n": 1}}}
    assert client.call("GET", f"{path}?start_timestamp=3").status == 404
    assert client.get("/sources/bare/labels") == {
        "timestamp": [], "label": [], "severity": [], "notes": [], "label_timestamp": []}


def test_up_to_0_12_labels_are_a_list_of_objects(running: Daemon) -> None:
    client = older(running, "0.12")
    client.create("objects")
    client.done("POST", "/sources/objects/measurements", [waveform(1, [1.0])])
    label = client.done("POST", "/sources/objects/labels/1", {"label": "a", "severity": 1, "notes": ""})
    assert client.get("/sources/objects/labels") == [{"timestamp": 1, **label}]


def test_up_to_0_8_samples_are_a_plain_list(running: Daemon) -> None:
    client = older(running, "0.8")
    client.done("POST", "/sources/", {"source_id": "no-channels", "meta": {}})
    client.done("POST", "/sources/no-channels/measurements", [
        {"source_id": "no-channels", "timestamp": 1, "duration": 1.0, "data": [1.0, 3.0], "meta": {}}])
    assert client.get("/sources/no-channels/measurements/1")["data"] == [1.0, 3.0]
    found = client.results("RMS", "no-channels")
    assert (found["rms"], found["dc"], found["timestamps"]) == ([1.0], [2.0], [1])
    client.create("one-channel")
    client.done("POST", "/sources/one-channel/measurements", [waveform(1, [1.0, 3.0])])
    assert client.get("/sources/one-channel/measurements/1")["data"] == [1.0, 3.0]


def test_up_to_0_6_one_measurement_is_sent_at_a_time_and_black_sheep_are_ids(running: Daemon) -> None:
    client, rng = older(running, "0.6"), np.random.default_rng(3)
    ids = [f"old-{i}" for i in range(6)]
    for id in ids:
        client.done("POST", "/sources/", {"source_id": id, "meta": {}})
        for i in range(21):
            mode = 1 if id == "old-2" and i > 16 else 0
            client.done("POST", f"/sources/{id}/measurements", {
                "timestamp": FIRST_MS + i * HOUR_MS, "duration": 0.5, "data": tone(rng, mode), "meta": {}})
    assert len(client.get("/sources/old-0/measurements")) == 21
    path = f"/sources/old-0/measurements/{FIRST_MS}"
    assert client.call("PUT", path, body=b'{"n": 1}').status == 200  # no Content-Type
    assert client.get(path)["meta"] == {"n": 1}
    answer = client.done("POST", "/analyses/requests/population/", {"source_ids": ids, "feature": "BlackSheep"})
    assert answer["jobid"] == answer["request_id"]
    assert client.wait(answer["request_id"])["results"] == {"atypical_assets": ["old-2"]}


def test_all_see_the_same_sources(running: Daemon, mvg: Client) -> None:
    send(mvg, "everywhere", [0], 1)
    for version in ("0.13", "0.12", "0.8", "0.6"):
        client = older(running, version)
        assert client.get("/sources/everywhere")["source_id"] == "everywhere"
        assert [one["timestamp"] for one in client.get("/sources/everywhere/measurements")] == times(1)
