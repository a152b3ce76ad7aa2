"""An alert that was raised is told, after a SIGKILL between the two as well, under the same id; and stays active."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.system.client import Answer, get, post, until
from tests.system.daemon import daemon

JSON = {"Content-Type": "application/json"}
START_S = 1_767_600_000
RULE = {"id": "hot", "raise_at": 15, "clear_below": 10, "clear_after_s": 1, "sinks": ["hook"]}


class Hook:
    """A receiver that keeps what it is sent; while it is *deaf* it hears, and answers nothing."""

    def __init__(self) -> None:
        self.deaf = threading.Event()
        self.came: list[dict[str, Any]] = []
        self.url = ""

    def kinds(self) -> list[tuple[str, str]]:
        return [(one["kind"], one["alert"]["source"]) for one in self.came]


@contextmanager
def hook() -> Iterator[Hook]:
    made, over = Hook(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if made.deaf.is_set():
                over.wait(60)
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def settings(path: Path, url: str) -> Path:
    path.write_text(
        f'[watch]\nmodel = "ewma"\n[engine]\ntick_s = 0.1\n[alerts.sinks.hook]\ntype = "webhook"\nurl = "{url}"\n'
        "timeout_s = 30\nbackoff_s = 0.1\nbackoff_max_s = 0.1\n"
    )
    return path


def call(url: str, path: str, document: object) -> Answer:
    return post(url, json.dumps(document).encode(), JSON, f"/api/v1{path}")


def spike(url: str, source: str, first: int = 0) -> None:
    """Calm readings of a source from reading *first* on, and one that is far off at their end."""
    lines = [
        f'{{"time": {START_S + i}, "source": "{source}", "flow": {5 + i % 3 if i < first + 199 else 1e6}}}'
        for i in range(first, first + 200)
    ]
    assert post(url, "\n".join(lines).encode()).status == 202


def alerts(url: str, **asked: str) -> list[dict[str, Any]]:
    return get(url, "/api/v1/alerts", **asked).document["alerts"]  # type: ignore[no-any-return]


@pytest.mark.timeout(300)
def test_what_was_raised_and_not_yet_delivered_is_delivered_after_a_kill(tmp_path: Path) -> None:
    with hook() as there:
        config, state = settings(tmp_path / "offbeat.toml", there.url), tmp_path / "state"
        with daemon(state, config) as running:
            assert call(running.url, "/alert-rules", {**RULE, "clear_after_s": 3600}).status == 201
            there.deaf.set()
            spike(running.url, "pump")
            until(lambda: there.came)
            (before,) = alerts(running.url)
            assert before["state"] == "active"
            running.kill()
        there.deaf.clear()
        with daemon(state, config) as running:
            until(lambda: len(there.came) >= 2)
            assert there.kinds() == [("raised", "pump")] * 2
            assert there.came[0]["id"] == there.came[1]["id"], "so that it can be told from another"
            assert alerts(running.url) == [before], "the replay raises nothing anew"
            delivered = until(lambda: [
                one for one in get(running.url, f"/api/v1/alerts/{before['number']}").document["deliveries"]
                if one["state"] == "delivered"])  # fmt: skip
            assert [one["id"] for one in delivered] == [there.came[0]["id"]]
            spike(running.url, "boiler")
            until(lambda: ("raised", "boiler") in there.kinds())
            assert there.kinds().count(("raised", "pump")) == 2


@pytest.mark.timeout(300)
def test_an_alert_that_was_active_is_cleared_after_a_kill(tmp_path: Path) -> None:
    with hook() as there:
        config, state = settings(tmp_path / "offbeat.toml", there.url), tmp_path / "state"
        with daemon(state, config) as running:
            assert call(running.url, "/alert-rules", RULE).status == 201
            spike(running.url, "pump")
            until(lambda: ("raised", "pump") in there.kinds())
            running.kill()
        with daemon(state, config) as running:
            until(lambda: ("cleared", "pump") in there.kinds())
            (cleared,) = alerts(running.url, state="cleared")
            assert cleared["source"] == "pump"


@pytest.mark.timeout(300)
def test_findings_that_no_rule_has_seen_before_a_kill_are_seen_after_it_once(tmp_path: Path) -> None:
    """Killed as soon as the events are acknowledged: the findings are made again by the replay, or were not yet."""
    sources = [f"pump-{i}" for i in range(5)]
    with hook() as there:
        config, state = settings(tmp_path / "offbeat.toml", there.url), tmp_path / "state"
        with daemon(state, config) as running:
            assert call(running.url, "/alert-rules", {**RULE, "clear_after_s": 3600}).status == 201
        for source in sources:
            with daemon(state, config) as running:
                spike(running.url, source)
                running.kill()
        with daemon(state, config) as running:
            until(lambda: len(alerts(running.url)) == len(sources))
            until(lambda: {source for _, source in there.kinds()} == set(sources))
        numbers = {one["alert"]["number"] for one in there.came}
        assert len(numbers) == len(sources), "one alert each, however often its delivery was tried"


@pytest.mark.timeout(300)
def test_what_a_check_said_before_a_kill_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    with hook() as there:
        config, state = settings(tmp_path / "offbeat.toml", there.url), tmp_path / "state"
        high = {"id": "high", "kind": "range", "parameters": {"max": 10}, "interval_s": 86400,
                "series": [{"source": "*", "field": "flow"}]}  # fmt: skip
        with daemon(state, config) as running:
            assert call(running.url, "/alert-rules", {"id": "c", "checks": ["*"], "sinks": ["hook"]}).status == 201
            assert call(running.url, "/checks", high).status == 201
            spike(running.url, "pump")
            until(lambda: call(running.url, "/checks/high/run", {}).document["outcomes"])
            running.kill()
        with daemon(state, config) as running:
            until(lambda: there.kinds())
            until(lambda: alerts(running.url))
            assert get(running.url, "/api/v1/checks/high").document["counts"]["RED"] == 1
            gone = urllib.request.Request(f"{running.url}/api/v1/checks/high", method="DELETE")
            with urllib.request.urlopen(gone) as answer:
                assert answer.status == 204
            running.kill()
        with daemon(state, config) as running:
            until(lambda: ("cleared", "pump") in there.kinds())
            (alert,) = alerts(running.url)
            assert (alert["state"], alert["cleared_by"], alert["check"]) == ("cleared", "check", "high")
        assert {(one["kind"], one["id"]) for one in there.came} == {
            (kind, next(one["id"] for one in there.came if one["kind"] == kind)) for kind in ("raised", "cleared")
        }, "each under one id, however often its delivery was tried"
