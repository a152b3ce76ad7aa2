"""What a job goes through, and what it keeps for how long. Source: Prelert Engine API, sections 4.1, 7.1 and 8."""
from __future__ import annotations

import gzip
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offbeat.analyses import upkeep
from offbeat.clock import ManualClock
from offbeat.engine.analysis.analysis import Analysis
from offbeat.store.raw import RawRecords
from tests.gateways.prelert.engine import FIRST_S, START_MS, Engine, csv, engine

HOUR_S = 3600


def until(condition: Callable[[], bool]) -> None:
    """Return when *condition* holds; the timeout of the test is the bound."""
    while not condition():
        continue


def starts(daemon: Engine, id: str, query: str = "") -> list[int]:
    """Which hours since FIRST_S have a bucket."""
    return [(int(bucket["id"]) - FIRST_S) // HOUR_S for bucket in daemon.buckets(id, query)]


def hours(first: int, stop: int, value: int = 100) -> bytes:
    """Four records of each hour."""
    rows = [(FIRST_S + HOUR_S * hour + 900 * i, "AAL", value) for hour in range(first, stop) for i in range(4)]
    return csv(rows)


def test_a_job_that_gets_nothing_for_its_timeout_closes_by_itself(daemon: Engine) -> None:
    patient, hasty = daemon.create(timeout=7200), daemon.create(timeout=60)
    never = daemon.create(timeout=0)
    for id in (patient, hasty, never):
        daemon.upload(id, hours(0, 3))
    daemon.clock.move(60_000)
    assert daemon.job(hasty)["status"] == "RUNNING"
    daemon.clock.move(1_000)
    until(lambda: daemon.job(hasty)["status"] == "CLOSED")
    assert daemon.job(hasty)["finishedTime"] == daemon.now
    assert daemon.get(f"/modelsnapshots/{hasty}").document["hitCount"] == 1
    assert (daemon.job(patient)["status"], daemon.job(never)["status"]) == ("RUNNING", "RUNNING")
    daemon.clock.move(7_200_000)
    until(lambda: daemon.job(patient)["status"] == "CLOSED")
    assert daemon.job(never)["status"] == "RUNNING"


def test_a_job_without_a_timeout_of_its_own_waits_ten_minutes(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, b"")
    daemon.clock.move(600_000)
    assert daemon.job(id)["status"] == "RUNNING"
    daemon.clock.move(1)
    until(lambda: daemon.job(id)["status"] == "CLOSED")


def test_a_job_that_runs_on_takes_a_snapshot_now_and_then(daemon: Engine) -> None:
    id = daemon.create(backgroundPersistInterval=3600, timeout=0)
    daemon.upload(id, hours(0, 3))
    daemon.clock.move(3_600_000)
    until(lambda: bool(daemon.get(f"/modelsnapshots/{id}").document["hitCount"] == 1))
    (snapshot,) = daemon.get(f"/modelsnapshots/{id}").document["documents"]
    assert snapshot["description"].startswith("saved on schedule at 20")
    assert daemon.job(id)["status"] == "RUNNING"


@pytest.mark.parametrize(("ignores", "gap"), [("NEVER", True), ("ONCE", False), ("ALWAYS", False)])
def test_downtime_is_ignored_when_the_job_opens_once_or_always(daemon: Engine, ignores: str, gap: bool) -> None:
    id = daemon.create()
    daemon.upload(id, hours(0, 5))
    daemon.close(id)
    daemon.json("PUT", f"/jobs/{id}/update", {"ignoreDowntime": ignores})
    daemon.upload(id, hours(10, 12))
    daemon.upload(id, hours(12, 15))  # it is open: nothing is skipped
    first = [*range(4), *([*range(4, 14)] if gap else range(11, 14))]
    assert starts(daemon, id) == first
    assert daemon.job(id)["ignoreDowntime"] == ("NEVER" if ignores == "ONCE" else ignores)
    daemon.close(id)
    daemon.upload(id, hours(20, 23))
    again = range(21, 22) if ignores == "ALWAYS" else range(14, 22)
    assert starts(daemon, id) == [*first, *again]


def test_an_upload_can_say_itself_that_there_was_downtime(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, hours(0, 5))
    daemon.upload(id, hours(10, 15), query="?ignoreDowntime=true")
    assert starts(daemon, id) == [*range(4), *range(11, 14)]


def test_buckets_that_are_still_open_are_made_anew_from_what_is_sent_again(daemon: Engine) -> None:
    detector = {"function": "max", "fieldName": "responsetime"}
    id = daemon.create(analysis={"latency": 3 * HOUR_S, "detectors": [detector]})
    daemon.upload(id, hours(0, 10))  # 0 to 5 are final, 6 to 9 open
    reset = f"?resetStart={FIRST_S + 7 * HOUR_S}&resetEnd={FIRST_S + 9 * HOUR_S}"
    again = csv([(FIRST_S + 7 * HOUR_S + i, "AAL", 5) for i in range(3)])
    assert daemon.upload(id, again, query=reset).summary["processedRecordCount"] == 3
    daemon.upload(id, hours(20, 21))
    events = {start: bucket["eventCount"] for start, bucket in zip(starts(daemon, id), daemon.buckets(id), strict=True)}
    assert [events[hour] for hour in range(5, 11)] == [4, 4, 3, 0, 4, 0]


def test_a_reset_leaves_a_bucket_that_is_final_as_it_is(daemon: Engine) -> None:
    id = daemon.create(analysis={"latency": HOUR_S})
    daemon.upload(id, hours(0, 10))
    before = daemon.buckets(id)
    daemon.upload(id, b"", query=f"?resetStart={FIRST_S}&resetEnd={FIRST_S + 3 * HOUR_S}")
    assert daemon.buckets(id) == before


def test_results_that_are_older_than_a_job_wants_go(daemon: Engine) -> None:
    kept, short = daemon.create(), daemon.create(resultsRetentionDays=1)
    for id in (kept, short):
        daemon.upload(id, hours(0, 50))
    assert daemon.run(upkeep.retire(daemon.service.analyses)) > 0
    assert starts(daemon, kept) == [*range(49)]
    assert starts(daemon, short) == [*range(24, 49)]
    assert {record["timestamp"] for record in daemon.records(short)} <= {b["timestamp"] for b in daemon.buckets(short)}
    assert daemon.run(upkeep.retire(daemon.service.analyses)) == 0


# ── what is sent to /dataload ─────────────────────────────────────────────────────────────────────────────────────


def kept_of(daemon: Engine, id: str) -> bytes:
    """What an operator reads back."""
    job = daemon.service.analyses.get(id)
    return b"".join(gzip.decompress(path.read_bytes()) for path in daemon.service.analyses.raw.of(job.raw_name))


def test_what_is_sent_to_dataload_can_be_read_back_by_an_operator_until_the_job_is_deleted(daemon: Engine) -> None:
    id, first, second = daemon.create(), hours(0, 3), hours(3, 6)
    daemon.upload(id, first, store=True)
    daemon.upload(id, gzip.compress(second), store=True, gzipped=True)
    daemon.upload(id, hours(6, 9))
    assert kept_of(daemon, id) == first + second
    assert daemon.job(id)["counts"]["processedRecordCount"] == 36
    directory = daemon.service.analyses.raw.of(daemon.service.analyses.get(id).raw_name)[0].parent
    assert directory.name.endswith(f"-{id}")
    daemon.call("DELETE", f"/jobs/{id}")
    assert not directory.exists()


def test_what_is_kept_of_a_job_that_is_gone_goes_at_the_next_start(tmp_path: Path) -> None:
    with engine(tmp_path / "state") as daemon:
        id = daemon.create()
        daemon.upload(id, hours(0, 3), store=True)
        (tmp_path / "state" / "dataload" / "99-gone").mkdir()
    with engine(tmp_path / "state") as daemon:
        assert kept_of(daemon, id) == hours(0, 3)
        assert [path.name for path in (tmp_path / "state" / "dataload").iterdir()] == [f"1-{id}"]


async def test_of_what_is_kept_the_oldest_goes_when_there_is_too_much(tmp_path: Path) -> None:
    raw = RawRecords(tmp_path)

    async def body(piece: bytes) -> Any:
        yield piece

    pieces = [bytes((i * j) % 251 for j in range(1_000)) for i in range(1, 6)]
    for piece in pieces:
        assert [one async for one in raw.keep("1-a", body(piece), 1_000)] == [piece]
    left = [gzip.decompress(path.read_bytes()) for path in raw.of("1-a")]
    assert 0 < len(left) < 5
    assert left == pieces[-len(left):]
    assert sum(path.stat().st_size for path in raw.of("1-a")) <= 1_000


async def test_what_cannot_be_kept_is_told_and_analysed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "1-a").write_text("a file where the directory should be")

    async def body() -> Any:
        yield b"a"
        yield b"b"

    with caplog.at_level(logging.WARNING):
        assert [one async for one in RawRecords(tmp_path).keep("1-a", body(), 1_000)] == [b"a", b"b"]
    assert "are analysed and not kept" in caplog.text


# ── an analysis that fails, and limits that change ────────────────────────────────────────────────────────────────


class Broken(RuntimeError):
    """What a fault of ours raises."""


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """An analysis that cannot stand a record of the 13th hour."""
    take, fatal_ms = Analysis.take, 1000 * (FIRST_S + 13 * HOUR_S)

    def took(self: Analysis, upload: Any) -> Any:
        outcome = take(self, upload)
        if (upload.records.time_ms == fatal_ms).any():
            raise Broken("a fault of ours")
        return outcome

    monkeypatch.setattr(Analysis, "take", took)


@pytest.mark.usefixtures("faulty")
def test_an_analysis_that_raises_fails_alone_and_goes_back_to_its_snapshot_when_closed(tmp_path: Path) -> None:
    with engine(tmp_path / "state") as daemon:
        other, id = daemon.create(), daemon.create()
        daemon.upload(id, hours(0, 10))
        daemon.close(id)
        daemon.upload(id, hours(10, 12))
        refused = daemon.upload(id, hours(12, 15))
        assert refused.upload_refusal == (500, 40001)
        assert daemon.job(id)["status"] == "FAILED"
        assert daemon.upload(id, hours(15, 16)).upload_refusal == (500, 40001)
        assert daemon.post(f"/data/{id}/flush").refusal == (500, 40001)
        assert daemon.get(f"/alerts_longpoll/{id}/?score=1").refusal == (409, 60103)
        assert daemon.post(f"/jobs/{id}/pause").refusal == (409, 60123)
        assert starts(daemon, id) == [*range(11)]
        assert daemon.upload(other, hours(0, 3)).status == 202
    with engine(tmp_path / "state") as daemon:  # again, from the journal
        assert daemon.job(id)["status"] == "FAILED"
        assert daemon.job(other)["counts"]["processedRecordCount"] == 12
        daemon.close(id)
        assert daemon.job(id)["status"] == "CLOSED"
        assert daemon.upload(id, hours(16, 19)).summary["processedRecordCount"] == 12
        with_it = starts(daemon, id)
        assert with_it[-1] == 17
    with engine(tmp_path / "state") as daemon:
        assert starts(daemon, id) == with_it
        assert daemon.job(id)["status"] == "CLOSED"


@pytest.mark.usefixtures("faulty")
def test_an_analysis_that_raises_before_it_had_a_snapshot_begins_anew(daemon: Engine) -> None:
    id = daemon.create()
    assert daemon.upload(id, hours(12, 15)).upload_refusal == (500, 40001)
    daemon.close(id)
    assert daemon.upload(id, hours(15, 18)).summary["processedRecordCount"] == 12
    assert starts(daemon, id)[-1] == 16


def test_a_failed_job_can_be_deleted(daemon: Engine, faulty: None) -> None:
    id = daemon.create()
    daemon.upload(id, hours(12, 15))
    assert daemon.call("DELETE", f"/jobs/{id}").status == 200
    assert daemon.get(f"/jobs/{id}").status == 404


def test_what_a_crash_interrupts_goes_on_bit_for_bit_with_all_that_was_ordered(tmp_path: Path) -> None:
    def rest(daemon: Engine) -> str:
        daemon.upload(id, hours(22, 30))
        daemon.close(id)
        return json.dumps([daemon.buckets(id, "&expand=true"), daemon.records(id), daemon.job(id)["counts"]])

    with engine(tmp_path / "state") as daemon:
        id = daemon.create(analysis={"latency": 2 * HOUR_S})
        daemon.upload(id, hours(0, 10))
        reset = f"?resetStart={FIRST_S + 8 * HOUR_S}&resetEnd={FIRST_S + 10 * HOUR_S}"
        daemon.upload(id, hours(8, 12, 500), query=reset)
        daemon.json("PUT", f"/jobs/{id}/update", {"renormalizationWindowDays": 3})
        daemon.upload(id, hours(15, 18), query="?ignoreDowntime=true")
        daemon.post(f"/data/{id}/flush?advanceTime={FIRST_S + 19 * HOUR_S}")
        daemon.upload(id, hours(19, 22), query=f"?resetStart={FIRST_S + 19 * HOUR_S}&resetEnd={FIRST_S + 19 * HOUR_S}")
        shutil.copytree(tmp_path / "state", tmp_path / "crashed")  # as it is on disk, without an end
        whole = rest(daemon)
    with engine(tmp_path / "crashed") as daemon:
        assert rest(daemon) == whole


def test_a_new_memory_limit_holds_from_then_on_also_after_a_restart(tmp_path: Path) -> None:
    def bound(daemon: Engine, id: str) -> tuple[int, int]:
        number = daemon.service.analyses.get(id).number
        asked = daemon.run(daemon.service.runner.ask(number, lambda one: one.spec.memory_max_mb))
        return asked, daemon.job(id)["analysisLimits"]["modelMemoryLimit"]

    clock = ManualClock(START_MS)
    with engine(tmp_path / "state", clock) as daemon:
        id, twin = daemon.create(analysisLimits={"modelMemoryLimit": 2}), daemon.create()
        for one in (id, twin):
            daemon.upload(one, hours(0, 10))
            daemon.close(one)
        answer = daemon.json("PUT", f"/jobs/{id}/update", {"analysisLimits": {"modelMemoryLimit": 3}})
        assert answer.status == 200
        assert bound(daemon, id) == (3, 3)
        assert daemon.json("PUT", f"/jobs/{id}/update", {"analysisLimits": {"modelMemoryLimit": 2}}).refusal[1] == 10104
        daemon.upload(id, hours(10, 12))
    with engine(tmp_path / "state", clock) as daemon:
        assert bound(daemon, id) == (3, 3)
        daemon.upload(id, hours(12, 15))
        daemon.upload(twin, hours(10, 15))
        assert json.dumps(daemon.buckets(id)) == json.dumps(daemon.buckets(twin))  # nothing else has changed
