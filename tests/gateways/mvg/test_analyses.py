"""Analyses as jobs: asked for, joined, repeated, read, deleted. Source: MVG wire protocol, section 8."""
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import pytest

from tests.gateways.mvg.client import WITHIN_S, Client, waveform
from tests.gateways.mvg.machines import send, times
from tests.system.daemon import daemon, settings

MODES = [0] * 12 + [1] * 10


@pytest.fixture(scope="module")
def asked(running: object) -> Client:
    """A client of a daemon with sources to analyse."""
    client = Client(running.url)  # type: ignore[attr-defined]
    send(client, "machine", MODES, 1)
    send(client, "pair", MODES, 2, ("x", "y"))
    client.create("table", "tabular", ("a", "b"))
    return client


def test_the_features_and_their_versions_are_listed(mvg: Client) -> None:
    features = mvg.get("/analyses/")
    assert {"KPIDemo", "ModeId", "BlackSheep", "ApplyModel", "LabelPropagation"} <= set(features)
    assert all(isinstance(version, str) for version in features.values())


def test_an_analysis_is_seen_as_queued_with_empty_results_and_cannot_be_deleted_then(tmp_path: Path) -> None:
    with daemon(tmp_path / "offbeat-data", settings(tmp_path / "offbeat.toml", mvg={"queued_s": 60.0})) as started:
        client = Client(started.url)
        client.create("p")
        client.done("POST", "/sources/p/measurements", [waveform(1, [1.0, 2.0])])
        request = {"source_id": "p", "feature": "KPIDemo"}
        answered = client.done("POST", "/analyses/requests/", request)
        id = answered["request_id"]
        assert answered == {"request_id": id, "request_status": "queued"}
        info = client.get(f"/analyses/requests/{id}")
        assert (info["request_id"], info["request_status"]) == (id, "queued")
        result = client.get(f"/analyses/requests/{id}/results")
        assert set(result) == {"status", "request_id", "feature", "results", "inputs", "error_info", "debug_info"}
        assert (result["status"], result["results"], result["inputs"]["UUID"]) == ("queued", {}, "p")
        assert client.call("DELETE", f"/analyses/requests/{id}").status == 409
        assert client.get("/analyses/source/p/feature/KPIDemo") == [id]
        assert client.done("POST", "/analyses/requests/", request)["request_id"] == id


def test_the_result_of_a_successful_analysis_has_seven_members_and_its_inputs(asked: Client) -> None:
    params = {"selected_channels": ["y"], "whatever": [1]}
    id = asked.ask("KPIDemo", "pair", params, start=times(22)[2], end=times(22)[5])
    found = asked.wait(id)
    assert set(found) == {"status", "request_id", "feature", "results", "inputs", "error_info", "debug_info"}
    assert (found["status"], found["request_id"], found["feature"]) == ("successful", id, "KPIDemo")
    assert (found["error_info"], found["debug_info"]) == ("", "")
    inputs = found["inputs"]
    assert (inputs["UUID"], inputs["timestamps"]) == ("pair", times(22)[2:6])
    assert (inputs["selected_channels"], inputs["selected_columns"]) == (["y"], [])
    assert (inputs["request_id"], inputs["feature"], inputs["experiment"]) == (id, "KPIDemo", "KPIDemo")
    assert (inputs["dataType"], inputs["params"]["utilization_threshold"]) == ("waveform", 0.1)
    info = asked.get(f"/analyses/requests/{id}")
    assert [one["status"] for one in info["status_history"]] == ["queued", "ongoing", "successful"]
    assert info["measurements"] == {"count": 4, "first_timestamp": times(22)[2], "last_timestamp": times(22)[5]}
    assert (info["source_ids"], info["feature"], info["progress"]) == (["pair"], "KPIDemo", 1.0)


def test_the_same_request_is_answered_at_once_until_its_data_changes(mvg: Client) -> None:
    mvg.create("unchanged")
    mvg.done("POST", "/sources/unchanged/measurements", [waveform(t, [1.0, float(t)]) for t in (1, 2, 3)])
    request = {"source_id": "unchanged", "feature": "KPIDemo", "start_timestamp": 1, "end_timestamp": 3}

    def again(**more: object) -> str:
        answer = mvg.done("POST", "/analyses/requests/", {**request, **more})
        assert answer["request_id"] == id
        mvg.wait(id)
        return str(answer["request_status"])

    id = mvg.ask("KPIDemo", "unchanged", start=1, end=3)
    mvg.wait(id)
    assert again() == "successful"
    assert again(force=True) == "queued"
    mvg.done("POST", "/sources/unchanged/measurements", [waveform(4, [1.0])])
    assert again() == "successful"  # outside of the window
    mvg.done("DELETE", "/sources/unchanged/measurements/2")
    assert again() == "queued"
    mvg.done("POST", "/sources/unchanged/measurements", [waveform(2, [5.0])])
    assert again() == "queued"
    assert again() == "successful"
    assert mvg.get("/analyses/source/unchanged/feature/KPIDemo") == [id]


def test_a_failed_analysis_says_why_and_is_run_again(mvg: Client) -> None:
    mvg.create("empty")
    assert mvg.failure("KPIDemo", "empty") == "source empty has no measurements in the window"
    id = mvg.ask("KPIDemo", "empty")
    mvg.wait(id)
    info = mvg.get(f"/analyses/requests/{id}")
    assert [one["status"] for one in info["status_history"]] == ["queued", "ongoing", "failed"]
    mvg.done("POST", "/sources/empty/measurements", [waveform(1, [1.0, -1.0])])
    assert mvg.results("KPIDemo", "empty")["acc"]["rms"] == [1.0]


def test_an_analysis_is_deleted_once_it_is_done(mvg: Client) -> None:
    mvg.create("short")
    mvg.done("POST", "/sources/short/measurements", [waveform(1, [1.0])])
    id = mvg.ask("KPIDemo", "short")
    mvg.wait(id)
    assert mvg.done("DELETE", f"/analyses/requests/{id}") is not None
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/results")):
        answer = mvg.call(method, f"/analyses/requests/{id}{path}")
        assert (answer.status, answer.detail) == (404, f"Request with ID {id} does not exist")
    assert mvg.get("/analyses/source/short/feature/KPIDemo") == []


@pytest.mark.parametrize(("change", "place"), [
    ({"feature": "Nothing"}, ["feature"]),
    ({"feature": "BlackSheep"}, ["feature"]),
    ({"feature": 7}, ["feature"]),
    ({"params": 7}, ["params"]),
    ({"params": {"utilization_threshold": "x"}}, ["params", "utilization_threshold"]),
    ({"params": {"utilization_threshold": -1}}, ["params", "utilization_threshold"]),
    ({"params": {"selected_channels": ["z"]}}, ["params", "selected_channels", 0]),
    ({"params": {"selected_channels": "x"}}, ["params", "selected_channels"]),
    ({"params": {"selected_columns": ["x"]}}, ["params", "selected_columns", 0]),
    ({"source_id": "table"}, ["feature"]),
    ({"feature": "ModeId", "params": {"number_of_clusters": 0}}, ["params", "number_of_clusters"]),
    ({"feature": "ModeId", "params": {"number_of_clusters": 14}}, ["params", "number_of_clusters"]),
    ({"feature": "ModeId", "params": {"number_of_clusters": 2.5}}, ["params", "number_of_clusters"]),
    ({"feature": "ModeId", "params": {"optimized": "yes"}}, ["params", "optimized"]),
    ({"feature": "ApplyModel"}, ["params", "model_ref"]),
    ({"feature": "ApplyModel", "params": {"model_ref": "0" * 32}}, ["params", "model_ref"]),
    ({"feature": "LabelPropagation", "params": {"model_ref": 7}}, ["params", "model_ref"]),
    ({"start_timestamp": -1}, ["start_timestamp"]),
    ({"end_timestamp": 1.5}, ["end_timestamp"]),
    ({"force": "x"}, ["force"]),
])
def test_a_request_that_cannot_be_is_refused(asked: Client, change: dict[str, object], place: list[object]) -> None:
    answer = asked.call("POST", "/analyses/requests/", {"source_id": "pair", "feature": "KPIDemo", **change})
    assert answer.offences[0][0] == ["body", *place]


@pytest.mark.parametrize(("document", "place"), [
    ({"feature": "ModeId", "source_ids": ["pair"]}, ["feature"]),
    ({"feature": "BlackSheep"}, ["source_ids"]),
    ({"feature": "BlackSheep", "source_ids": []}, ["source_ids"]),
    ({"feature": "BlackSheep", "source_ids": "pair"}, ["source_ids"]),
    ({"feature": "BlackSheep", "source_ids": ["pair", "machine"]}, ["source_ids", 1]),
    ({"feature": "BlackSheep", "source_ids": ["pair"], "params": {"atypical_threshold": 2}},
     ["params", "atypical_threshold"]),
])
def test_so_is_one_of_a_population(asked: Client, document: dict[str, object], place: list[object]) -> None:
    answer = asked.call("POST", "/analyses/requests/population/", document)
    assert answer.offences[0][0] == ["body", *place]


def test_an_unknown_source_does_not_exist(asked: Client) -> None:
    for path, which in (("", {"source_id": "nobody", "feature": "KPIDemo"}),
                        ("population/", {"source_ids": ["machine", "nobody"], "feature": "BlackSheep"})):
        answer = asked.call("POST", f"/analyses/requests/{path}", which)
        assert (answer.status, answer.detail) == (404, "Source ID: nobody does not exist!")


def test_result_types_are_those_of_the_feature(asked: Client) -> None:
    id = asked.ask("KPIDemo", "machine")
    asked.wait(id)
    path = f"/analyses/requests/{id}/results"
    assert asked.get(f"{path}?result_type=full") == asked.get(path)
    wrong, unknown = (asked.call("GET", f"{path}?result_type={one}") for one in ("compressed", "Full"))
    assert (wrong.status, wrong.detail) == (422, "Feature KPIDemo supports only result types in ['full']")
    assert (unknown.status, unknown.detail) == (422, "Feature result type 'Full' does not exist.")


def test_lists_of_modes_are_cut_to_a_page_and_figures_are_not(asked: Client) -> None:
    id = asked.ask("ModeId", "machine")
    whole = asked.wait(id)["results"]
    path = f"/analyses/requests/{id}/results"
    part = asked.get(f"{path}?offset=10&limit=4")["results"]
    assert part["timestamps"] == whole["timestamps"][10:14]
    assert part["labels"] == [0, 0, 1, 1]
    assert (part["mode_info"], part["mode_probabilities"]) == (whole["mode_info"], whole["mode_probabilities"])
    assert asked.get(f"{path}?offset=100")["results"]["labels"] == []
    assert not {"total", "limit", "offset"} & set(whole)
    figures = asked.ask("KPIDemo", "machine")
    path = f"/analyses/requests/{figures}/results"
    asked.wait(figures)
    assert asked.get(f"{path}?offset=1&limit=1") == asked.get(path)


class Told(BaseHTTPRequestHandler):
    """Notes what it is told, and refuses the first of each."""

    heard: Queue[tuple[str, object]]
    refusals = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.put((self.path, body))
        self.send_response(500 if self.heard.qsize() <= self.refusals else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, Queue[tuple[str, object]]]]:
    """A server that is told, which refuses once, and what it has heard."""
    heard: Queue[tuple[str, object]] = Queue()
    handler = type("Receiver", (Told,), {"heard": heard, "refusals": 1})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", heard
        server.shutdown()
        thread.join()


def test_whoever_asks_to_be_told_is_told_again_if_that_fails(
    asked: Client, receiver: tuple[str, Queue[tuple[str, object]]],
) -> None:
    url, heard = receiver
    id = asked.ask("KPIDemo", "machine", {"n": 1}, query=f"?callback_url={url}")
    for _ in range(2):
        path, body = heard.get(timeout=WITHIN_S)
        assert (path, body) == ("/hook/analyses", {"request_id": id, "request_status": "successful"})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "nothing", "http://", "http://a:b:c/"])
def test_only_addresses_of_http_are_told(asked: Client, url: str) -> None:
    answer = asked.call("POST", f"/analyses/requests/?callback_url={url}", {"source_id": "pair", "feature": "KPIDemo"})
    assert answer.offences == [(["query", "callback_url"], "value_error")]
