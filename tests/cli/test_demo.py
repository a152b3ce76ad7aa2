"""``offbeat demo``: the whole history arrives, and the report is what the daemon's records say."""
from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys

import pytest
from aiohttp import web

from offbeat.cli.demo import delay_text
from offbeat.cli.demo_fleet import STEPS_A_DAY, Fleet

SENSORS, DAYS, SEED = 5, 4, 7


class Recorder:
    """Takes events, and finds each fault of the same fleet's kinds in *found*, at its third minute."""

    def __init__(self, server, *found: str):
        self.found = found
        self.events: list[dict] = []
        server.handler = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/events":
            lines = (await request.read()).splitlines()
            self.events += map(json.loads, lines)
            receipt = {"accepted": len(lines), "rejected": 0, "errors": [], "errors_omitted": 0, "sequence": 9}
            return web.json_response(receipt, status=202)
        if request.path == "/api/v1/diagnosis":
            return web.json_response({"daemon": {"applied_sequence": 9}, "sources": [], "next_cursor": None})
        assert request.path == "/api/v1/records"
        assert (request.query["min_score"], request.query["sequence"]) == ("32", "9")
        return web.json_response({"records": self.records(), "next_cursor": None})

    def records(self) -> list[dict]:
        first_ms, names = (
            self.events[0]["time"],
            sorted({event["source"] for event in self.events}, key=lambda n: n[-1]),
        )
        fleet = Fleet(SENSORS, SEED)
        faults = [fault for number in range(DAYS) for fault in fleet.day(number).faults if fault.kind in self.found]
        return [
            {
                "source": names[fault.sensor],
                "field": fleet.sensors[fault.sensor].kind.name,
                "score": 80.0,
                "time": web_time(first_ms + (fault.first + 3) * 60_000),
            }
            for fault in faults
        ] + [{"source": "somebody-else", "field": "temperature", "score": 99.0, "time": "2020-01-01T00:00:00.000Z"}]


def web_time(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def injected() -> dict[str, int]:
    fleet = Fleet(SENSORS, SEED)
    kinds = [fault.kind for number in range(DAYS) for fault in fleet.day(number).faults]
    return {kind: kinds.count(kind) for kind in set(kinds)}


def test_the_report_counts_what_was_injected_found_and_missed(offbeat, server):
    kinds = sorted(injected())
    recorder = Recorder(server, kinds[0])
    ran = offbeat("demo", "--url", server.url, "--sensors", SENSORS, "--days", DAYS, "--seed", SEED, "--json")
    assert ran.status == 0
    report = json.loads(ran.out)
    of_kind = {kind["kind"]: kind for kind in report["kinds"]}
    assert {name: kind["injected"] for name, kind in of_kind.items() if kind["injected"]} == injected()
    assert (of_kind[kinds[0]]["found"], of_kind[kinds[0]]["median_delay_s"]) == (of_kind[kinds[0]]["injected"], 180.0)
    assert of_kind[kinds[1]]["found"] == 0 and of_kind[kinds[1]]["why_missed"]
    assert (report["false_findings"], report["findings"]) == (0, of_kind[kinds[0]]["found"])
    assert report["events"] == len(recorder.events)


def test_the_history_is_in_order_a_reading_a_minute_and_ends_now(offbeat, server):
    recorder = Recorder(server)
    assert offbeat("demo", "--url", server.url, "--sensors", 2, "--days", 3, "--json").status == 0
    times = [event["time"] for event in recorder.events]
    assert times == sorted(times)
    assert times[-1] - times[0] == (3 * STEPS_A_DAY - 1) * 60_000


def test_two_demos_on_one_daemon_use_different_names(offbeat, server):
    recorder = Recorder(server)
    for _ in range(2):
        offbeat("demo", "--url", server.url, "--sensors", 1, "--days", 3, "--json")
    assert len({event["source"] for event in recorder.events}) == 2


def test_the_report_for_a_person_says_what_found_means(offbeat, server):
    Recorder(server, *injected())
    ran = offbeat("demo", "--url", server.url, "--sensors", SENSORS, "--days", DAYS, "--seed", SEED)
    assert ran.status == 0
    assert "fault\tinjected\tfound\tonly at its end\tmedian delay\twhy some are missed, or late\n" in ran.out
    assert " faults; so counts a fault with a record scored 32 or more from its start to 16 minutes after" in ran.out
    assert "precision 100 %: 0 of " in ran.out


def test_live_goes_on_after_the_report_until_ctrl_c_and_ends_well(server):
    recorder = Recorder(server)
    arguments = ["--url", server.url, "--sensors", "2", "--days", "3", "--json", "--live"]
    demo = subprocess.Popen(
        [sys.executable, "-m", "offbeat", "demo", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    report = json.loads(demo.stdout.readline())
    live = server.wait_for(lambda seen: seen.path == "/api/v1/events" and seen.body.count(b"\n") == 1)
    demo.send_signal(signal.SIGINT)
    _, err = demo.communicate(timeout=20)
    assert demo.returncode == 0
    assert err.startswith("live: 2 events a second, each a simulated minute;")
    assert json.loads(live.body.splitlines()[0])["time"] > recorder.events[report["events"] - 1]["time"]


@pytest.mark.timeout(400)  # the first start ever compiles the kernels
def test_without_an_address_the_demo_runs_a_daemon_of_its_own_and_leaves_nothing_behind(offbeat, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ran = offbeat("demo", "--sensors", SENSORS, "--days", DAYS, "--seed", SEED, "--json")
    assert ran.status == 0
    report = json.loads(ran.out)
    assert {kind["kind"]: kind["injected"] for kind in report["kinds"] if kind["injected"]} == injected()
    assert report["rejected"] == 0
    assert list(tmp_path.glob("offbeat-demo-*")) == []
    assert offbeat("sources", "--url", report["url"]).status == 5


def test_a_daemon_that_cannot_start_is_reported_with_its_words_and_its_status(offbeat, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'offbeat: the store is corrupt' >&2\necho '  hint: restore it' >&2\nexit 4\n")
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ran = offbeat("demo", "--sensors", 1, "--days", 3)
    assert ran.status == 4
    assert "offbeat: the daemon did not start: the store is corrupt; hint: restore it\n" in ran.err
    assert list(tmp_path.glob("offbeat-demo-*")) == []


@pytest.mark.parametrize(("seconds", "shown"), [(None, "–"), (60.0, "60 s"), (600.0, "10 min"), (9000.0, "2.5 h")])
def test_delays_are_shown_for_a_person(seconds, shown):
    assert delay_text(seconds) == shown
