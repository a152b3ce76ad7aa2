"""What was acknowledged is there after a SIGKILL, once; an analysis that ran is begun again."""
from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

import psutil

from tests.gateways.mvg.client import FIRST_MS, WITHIN_S, Client, waveform
from tests.gateways.mvg.machines import send, times
from tests.system.daemon import Daemon, settings


def readings(url: str, source: str) -> list[float]:
    """The rms of each measurement that is followed."""
    with urllib.request.urlopen(f"{url}/api/v1/sources/{source}/readings?field=rms&level=raw&width=1000") as answer:
        (series,) = json.load(answer)["series"]
    return list(series["value"])


def test_what_was_acknowledged_is_there_once_after_a_kill(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", mvg={"queued_s": 0.0})
    daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
    try:
        client = Client(daemon.url)
        client.create("p")
        for i in range(3):
            client.done("POST", "/sources/p/measurements", [waveform(FIRST_MS + i * 1000, [i + 1.0, -i - 1.0])])
            if i == 0:
                client.done("POST", f"/sources/p/labels/{FIRST_MS}", {"label": "a", "severity": 1, "notes": ""})
            daemon.kill()
            daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
            client = Client(daemon.url)
            again = client.call("POST", "/sources/p/measurements", [waveform(FIRST_MS + i * 1000, [9.0])])
            assert again.status == 409
        assert client.get("/sources/p/timestamps")["items"] == [FIRST_MS + i * 1000 for i in range(3)]
        assert client.get(f"/sources/p/measurements/{FIRST_MS + 2000}")["data"] == {"acc": [3.0, -3.0]}
        assert client.get("/sources/p/labels")["label"] == ["a"]
        assert readings(daemon.url, "p") == [1.0, 2.0, 3.0]
        client.done("DELETE", "/sources/p")
        daemon.kill()
        daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
        assert Client(daemon.url).get("/sources/") == []
    finally:
        daemon.stop()


def test_an_analysis_that_was_killed_is_begun_again_and_no_process_is_left(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", mvg={"queued_s": 0.0})
    daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
    try:
        client = Client(daemon.url)
        send(client, "p", [0] * 15 + [1] * 15, 3)
        id = client.ask("ModeId", "p")
        client.wait(id, ("ongoing",))
        workers = psutil.Process(daemon.process.pid).children(recursive=True)
        daemon.kill()
        psutil.wait_procs(workers, timeout=WITHIN_S)
        assert not [one for one in workers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
        client = Client(daemon.url)
        found = client.wait(id)
        assert (found["status"], found["results"]["labels"]) == ("successful", [0] * 15 + [1] * 15)
        history = [one["status"] for one in client.get(f"/analyses/requests/{id}")["status_history"]]
        assert history == ["queued", "ongoing", "queued", "ongoing", "successful"]
        assert found["inputs"]["timestamps"] == times(30)
    finally:
        daemon.stop()


def test_a_stop_does_not_wait_for_an_analysis(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", mvg={"queued_s": 60.0})
    daemon = Daemon(tmp_path / "offbeat-data", config).wait_ready()
    began = time.monotonic()
    try:
        client = Client(daemon.url)
        client.create("p")
        client.done("POST", "/sources/p/measurements", [waveform(1, [1.0])])
        client.ask("KPIDemo", "p")
    finally:
        assert daemon.stop() == 0
    assert time.monotonic() - began < 30.0
