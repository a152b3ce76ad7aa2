"""Checks over SIGKILL: what was acknowledged is there, nothing is said twice, and no process is left behind."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.system.client import Answer, get, post, until
from tests.system.daemon import daemon, settings

JSON = {"Content-Type": "application/json"}
START_S = 1_767_600_000
LOOP = "def loop(data, parameters):\n    while True: pass\n"


def said(url: str, **asked: str) -> list[dict[str, Any]]:
    """The present outcomes but for whether they are stale, which the clock says."""
    return [{k: v for k, v in one.items() if k != "stale"}
            for one in get(url, "/api/v1/status", **asked).document["outcomes"]]


def make(url: str, document: dict[str, Any]) -> Answer:
    return post(url, json.dumps(document).encode(), JSON, "/api/v1/checks")


def send(url: str, second: int, **values: float) -> None:
    events = [{"time": START_S + second, "source": source, "heat": value} for source, value in values.items()]
    assert post(url, "\n".join(map(json.dumps, events)).encode()).status == 202


def judges(daemon: int) -> list[psutil.Process]:
    """The processes of a daemon that judge; others compile what it may need later."""
    return [one for one in psutil.Process(daemon).children() if "offbeat.checks.worker" in one.cmdline()]


@pytest.mark.timeout(300)
def test_definitions_outcomes_and_acknowledgements_outlive_a_kill(tmp_path: Path) -> None:
    folder, state = tmp_path / "checks", tmp_path / "state"
    folder.mkdir()
    (folder / "loop.py").write_text(LOOP)
    config = settings(tmp_path / "offbeat.toml", watch={"model": "ewma"}, checks={"folder": str(folder)})
    series = [{"source": "*", "field": "heat"}]
    warm = {"id": "warm", "kind": "range", "parameters": {"max": 10}, "series": series, "interval_s": 1}
    loop = {"id": "loop", "kind": "loop", "series": [{"source": "a", "field": "heat"}], "interval_s": 1,
            "time_limit_s": 30}
    with daemon(state, config) as running:
        assert make(running.url, warm).status == 201
        send(running.url, 0, a=50, b=5)
        until(lambda: len(said(running.url, check="warm")) == 2)
        (red, _) = said(running.url, check="warm")
        path = f"/api/v1/status/{red['subject']}/acknowledgement"
        body = json.dumps({"who": "ada", "comment": "seen"}).encode()
        with urlopen(Request(running.url + path, body, JSON, method="PUT"), timeout=30) as answer:
            assert answer.status == 200
        covers = {"sources": ["b"], "duration_s": 3600, "reason": "pump", "who": "eve"}
        assert post(running.url, json.dumps(covers).encode(), JSON, "/api/v1/maintenance").status == 201
        assert make(running.url, loop).status == 201
        until(lambda: any(one.cpu_times().user > 3 for one in judges(running.process.pid)))  # it loops
        workers = judges(running.process.pid)
        before = said(running.url, check="warm")
        history = get(running.url, "/api/v1/outcomes").document
        checks = get(running.url, "/api/v1/checks").document
        running.kill()
        psutil.wait_procs(workers, timeout=30)
        assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers)
    with daemon(state, config) as running:
        assert get(running.url, "/api/v1/checks").document == checks
        assert said(running.url, check="warm") == before
        assert get(running.url, "/api/v1/outcomes", check="warm").document == history
        send(running.url, 1, a=5, b=50)
        until(lambda: [o["source"] for o in said(running.url, check="warm", status="RED")] == ["b"])
        assert all(one["acknowledged"] is None for one in said(running.url, check="warm"))
        rows = get(running.url, "/api/v1/outcomes", check="warm").document["outcomes"]
        assert [(o["source"], o["status"]) for o in rows[::-1]] == [
            ("a", "RED"), ("b", "GREEN"), ("a", "GREEN"), ("b", "RED")]
        assert running.stop() == 0
