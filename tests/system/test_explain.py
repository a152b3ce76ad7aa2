"""A finding of the real daemon says why it is one: over HTTP, at the command line, and after a kill."""
from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.detectors.explaining import NEAR, NEXT
from tests.system.client import get, post, until
from tests.system.daemon import Daemon, daemon, settings
from tests.system.test_streams import Follower

TOP = Path(__file__).parents[2]
START_S = 1_795_176_000  # 2026-11-20 12:00 UTC
SOURCE, ID_NAME = "plant/pump:7", "plant/pump%3A7"
STEP_S, HOT_AT = 15, 600
ID = f"watch:0:{ID_NAME}:temperature:{1000 * (START_S + STEP_S * HOT_AT)}"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return settings(tmp_path_factory.mktemp("config") / "offbeat.toml", store={"checkpoint_s": 0.2},
                    watch={"model": "tests.detectors.explaining:Explained"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[Daemon]:
    """A daemon that took 1,000 readings of one source, one of them far too hot, in small bodies."""
    rng = random.Random(8)
    environment = {"PYTHONPATH": str(TOP)}
    with daemon(tmp_path_factory.mktemp("explain") / "data", config, environment=environment) as started:
        for first in range(0, 1000, 50):
            lines = (
                {"time": START_S + STEP_S * i, "source": SOURCE,
                 "temperature": 193.5 if i == HOT_AT else round(rng.gauss(72.4, 0.8), 2)}
                for i in range(first, first + 50)
            )
            assert post(started.url, b"".join(json.dumps(line).encode() + b"\n" for line in lines)).status == 202
        assert get(started.url, "/api/v1/buckets", sequence="latest").status == 200
        yield started
        assert "Traceback" not in started.said()


def offbeat(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "offbeat", *arguments, "--url", daemon.url],
                          capture_output=True, text=True, timeout=60)


def test_a_finding_in_a_list_says_why_it_is_one(running: Daemon) -> None:
    (record,) = get(running.url, "/api/v1/records", min_score=90).document["records"]
    said = record["explain"]
    assert (record["id"], said["observed"], said["due"]) == (ID, 193.5, None)
    assert [(piece["piece"], piece["share"]) for piece in said["evidence"]] == [("jump", 0.8), ("swing", 0.2)]
    assert sum(piece["bits"] for piece in said["evidence"]) == pytest.approx(said["bits"], abs=0.02)
    assert said["similar"] == [{"readings_ago": back, "time": None} for back in (NEAR, NEXT)]
    assert said["sentence"].startswith(f"temperature of {SOURCE} was 193.5, expected 7")
    assert ": one reading far from those just before it; a value between 7" in said["sentence"]
    assert get(running.url, "/api/v1/records", min_score=90, explain="false").document["records"] == [
        {name: value for name, value in record.items() if name != "explain"}
    ]


def test_a_finding_by_itself_says_when_the_similar_moments_were_and_what_its_series_did_before(running: Daemon) -> None:
    record = get(running.url, f"/api/v1/records/{quote(ID, safe='')}").document
    said = record["explain"]
    at_s = START_S + STEP_S * HOT_AT
    assert record["time"] == iso(at_s)
    assert [moment["time"] for moment in said["similar"]] == [iso(at_s - STEP_S * back) for back in (NEAR, NEXT)]
    assert said["history"] == {"reached": 1, "watched_since": iso(START_S), "reading_count": 1000,
                               "reading_before": iso(at_s - STEP_S)}
    assert get(running.url, "/api/v1/records/nothing").status == 404


def test_the_command_line_tells_the_newest_finding_or_the_one_named(running: Daemon) -> None:
    told = offbeat(running, "explain", ID)
    assert (told.returncode, told.stderr) == (0, "")
    assert "The most similar moment was 2026-11-20 14:29:15 UTC." in told.stdout
    assert "has scored this much once, watched since 2026-11-20T12:00:00.000Z (1,000 readings)." in told.stdout
    filters = ("--source", SOURCE, "--min-score", "90", "--at", "2026-11-20T18:00Z")
    assert offbeat(running, "explain", *filters).stdout == told.stdout
    assert json.loads(offbeat(running, "explain", ID, "--json").stdout)["id"] == ID
    assert offbeat(running, "explain", "nothing").returncode == 1


def test_after_a_kill_a_finding_says_the_same(tmp_path: Path, config: Path) -> None:
    environment = {"PYTHONPATH": str(TOP)}
    body = b"".join(b'{"time":%d,"source":"a","v":%d}\n' % (START_S + i, 10 + i * 7919 % 13) for i in range(400))
    with daemon(tmp_path / "data", config, environment=environment) as first:
        assert post(first.url, body).status == 202
        sequence = post(first.url, b'{"time":%d,"source":"a","v":99999}\n' % (START_S + 500)).document["sequence"]
        before = get(first.url, "/api/v1/records", sequence=sequence, min_score=90).document["records"]
        assert [piece["piece"] for piece in before[0]["explain"]["evidence"]] == ["jump", "swing"]
        first.kill()
    with daemon(tmp_path / "data", config, environment=environment) as second:
        assert get(second.url, "/api/v1/records", min_score=90).document["records"] == before


def test_a_sensor_that_falls_silent_is_told_of_by_when_its_reading_was_due(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", engine={"tick_s": 0.1}, store={"record_score_min": 50},
                      watch={"model": "tests.engine.heartbeat:Heartbeat"})
    with daemon(tmp_path / "data", config, environment={"PYTHONPATH": str(TOP)}) as running:
        last_ms = time.time_ns() // 1_000_000
        lines = (b'{"time":%d,"source":"quiet","v":1.5}\n' % (last_ms - 50 * i) for i in reversed(range(200)))
        assert post(running.url, b"".join(lines)).status == 202
        (record,) = until(lambda: get(running.url, "/api/v1/records").document["records"])
        assert (record["source"], record["actual"], record["typical"]) == ("quiet", None, None)
        said = record["explain"]
        assert (said["observed"], said["normal"], [p["piece"] for p in said["evidence"]]) == (None, None, ["silence"])
        assert last_ms < at_ms(said["due"]) < at_ms(record["time"])
        told = offbeat(running, "explain", record["id"])
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.startswith("nothing has come of v of quiet since ")
        assert ": no reading for longer than this series is ever silent." in told.stdout
        before = get(running.url, f"/api/v1/records/{quote(record['id'], safe='')}").document["explain"]["history"]
        assert at_ms(before["reading_before"]) == last_ms
        with Follower(running.url, "0-0", types="record") as follower:
            until(lambda: follower.events)
            (_, kind, followed), *_ = follower.events
        assert (kind, followed["id"], followed["actual"]) == ("record", record["id"], None)
        assert "quiet" in offbeat(running, "records").stdout


def at_ms(text: str) -> int:
    """Milliseconds since 1970 UTC of a time that the API answered."""
    return round(1000 * datetime.fromisoformat(text).timestamp())


def iso(at_s: int) -> str:
    """The time as the API answers it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
