"""A disk that cannot be written: events are refused and never acknowledged, and the daemon goes on by itself."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.system.client import NDJSON, Answer, diagnosis, event_counts, get, metric, post, until
from tests.system.daemon import daemon, settings
from tests.system.faults import Disk, possible

START_S = 1_577_836_800

with tempfile.TemporaryDirectory() as place:
    WAYS = possible(Path(place))


def lines(source: str, first: int, count: int) -> bytes:
    return b"".join(b'{"time":%d,"source":"%s","%s":%d}\n' % (START_S + i, source.encode(), f"v-{source}".encode(), i)
                    for i in range(first, first + count))


def values(url: str, source: str) -> dict[str, list[float]]:
    """All readings of *source* by field."""
    document = get(url, f"/api/v1/sources/{source}/readings", level="raw", width=10_000).document
    return {series["field"]: series["value"] for series in document["series"]}


def refused(answer: Answer) -> None:
    assert (answer.status, answer.error["code"], answer.headers["Retry-After"]) == (503, "store_unavailable", "5")
    assert answer.error["message"].startswith("the database cannot be written: ")
    assert "nothing" in answer.error["message"]
    assert answer.error["hint"]


def verified(state_dir: Path) -> str:
    ran = subprocess.run([sys.executable, "-m", "offbeat", "verify", "--state-dir", str(state_dir)],
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_on_a_disk_that_cannot_be_written_nothing_is_acknowledged_and_nothing_acknowledged_is_lost(
    tmp_path: Path, way: type[Disk]
) -> None:
    # Findings and checkpoints meet the broken disk as well: they are due all the time.
    config = settings(tmp_path / "offbeat.toml", engine={"tick_s": 0.2}, store={"checkpoint_s": 0.2})
    (tmp_path / "disk").mkdir()
    with way(tmp_path / "disk") as disk:
        with daemon(disk.state_dir, config) as running:
            url, process = running.url, running.process.pid
            assert get(url, "/readyz").status == 200
            assert post(url, lines("known", 0, 100)).status == 202
            disk.fail(process)
            kept = {"known": 100}
            key = {**NDJSON, "Idempotency-Key": "tried-while-full"}
            for attempt in range(20):
                first = post(url, lines("newcomer", 100 * attempt, 100), key)
                if first.status != 202:  # what the log still had room for counts, of course
                    break
                kept["newcomer"] = kept.get("newcomer", 0) + 100
                key["Idempotency-Key"] += "+"
            for _ in range(5):
                refused(post(url, lines("newcomer", 5_000, 100), key))
                refused(post(url, iter([lines("known", 100, 50), lines("third", 0, 50)])))
            ready = get(url, "/readyz")
            assert (ready.status, ready.error["code"]) == (503, "not_ready")
            assert ready.error["message"].startswith("the database cannot be written: ")
            assert diagnosis(url)["writable"] is False
            assert get(url, "/healthz").status == 200
            until(lambda: "WARNING offbeat: the database cannot be written: " in running.said())
            assert event_counts(url) == kept
            assert metric(url, "offbeat_events_accepted_total") == sum(kept.values())
            document = b'{"id":"refused"}'
            job = post(url, document, {"Content-Type": "application/json"}, "/api/v1/jobs")
            assert (job.status, job.error["code"]) == (503, "store_unavailable")

            disk.mend(process)
            until(lambda: get(url, "/readyz").status == 200, timeout_s=10)
            until(lambda: "WARNING offbeat: the database can be written again" in running.said())
            taken = post(url, lines("third", 0, 30) + lines("newcomer", 5_000, 100) + lines("known", 100, 50), key)
            assert (taken.status, taken.document["accepted"]) == (202, 180)
            kept = {"known": 150, "third": 30, "newcomer": kept.get("newcomer", 0) + 100}
            assert event_counts(url) == kept
            assert post(url, document, {"Content-Type": "application/json"}, "/api/v1/jobs").status == 201
            before = {source: values(url, source) for source in kept}
            for source, count in kept.items():
                assert {field: len(its) for field, its in before[source].items()} == {f"v-{source}": count}
            assert before["known"]["v-known"] == list(range(150))
            assert before["third"]["v-third"] == list(range(30))
            assert running.stop() == 0
            assert "Traceback" not in running.said()
            print(way.__name__, ready.body.decode(), running.said(), sep="\n")
        assert "the results are the same" in verified(disk.state_dir)
        with daemon(disk.state_dir, config) as again:
            assert event_counts(again.url) == kept
            assert {source: values(again.url, source) for source in kept} == before
            assert get(again.url, "/api/v1/jobs/refused").status == 200


@pytest.mark.parametrize(("way", "end"), [(way, "stopped") for way in WAYS] + [(WAYS[0], "killed")])
def test_a_daemon_that_ends_while_its_disk_is_broken_has_what_it_acknowledged_when_it_comes_back(
    tmp_path: Path, way: type[Disk], end: str
) -> None:
    (tmp_path / "disk").mkdir()
    with way(tmp_path / "disk") as disk:
        with daemon(disk.state_dir) as running:
            kept = 0
            while (answer := post(running.url, lines("one", kept, 100))).status == 202 and kept < 2_000:
                kept += 100
                if kept == 500:
                    disk.fail(running.process.pid)
            refused(answer)
            running.kill() if end == "killed" else running.stop()
            assert running.process.returncode == (-9 if end == "killed" else 0)
            assert "Traceback" not in running.said()
            if way.__name__ != "SizeLimit":  # that one ended with the process
                disk.mend(running.process.pid)
        with daemon(disk.state_dir) as again:
            assert event_counts(again.url) == {"one": kept}
            assert values(again.url, "one")["v-one"] == list(range(kept))
