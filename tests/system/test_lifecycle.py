"""A daemon's life: ready, reloaded, handed its socket by a service manager, stopped under load, started again."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.client import NDJSON, event_counts, get, post, until
from tests.system.daemon import Daemon, daemon, settings

START_S = 1_577_836_800
READY = re.compile(r"offbeat \S+ is ready at (http://127\.0\.0\.1:[1-9]\d*) \(process (\d+), data in (.+)\)\n")


def test_a_daemon_is_ready_soon_says_where_and_needs_little_memory(tmp_path: Path) -> None:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took_s = time.monotonic() - began
        found = READY.fullmatch(line)
        assert found, line
        assert (found[2], found[3]) == (str(process.pid), str(tmp_path / "data"))
        assert get(found[1], "/readyz").document == {"status": "ready"}
        status = Path(f"/proc/{process.pid}/status").read_text()
        idle_mb = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == ""  # nothing but the ready line
    print(f"ready after {took_s:.1f} s, idle {idle_mb:.0f} MiB")
    assert took_s < 10
    assert idle_mb < 250


def journal(state_dir: Path) -> tuple[int, int]:
    """The newest entry, and the oldest position of a checkpoint: if they are one, nothing is replayed."""
    database = sqlite3.connect(f"file:{state_dir / 'offbeat.sqlite'}?mode=ro", uri=True)
    try:
        newest = database.execute("SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 'data'").fetchone()[0]
        return newest, database.execute("SELECT coalesce(min(seq), 0) FROM shard").fetchone()[0]
    finally:
        database.close()


def test_a_daemon_that_is_stopped_under_load_ends_in_time_and_keeps_all_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    sending = threading.Barrier(5)

    def send(running: Daemon, source: str) -> None:
        body = b"".join(b'{"time":%d,"source":"%s","v":%d}\n' % (START_S + i, source.encode(), i) for i in range(500))
        try:
            for number in range(10_000):
                answer = post(running.url, body if number % 2 else iter([body]))
                if answer.status == 503:
                    assert answer.error["code"] == "shutting_down"
                    assert answer.headers["Retry-After"]
                    return
                assert answer.status == 202
                acknowledged[source] = acknowledged.get(source, 0) + 500
                if number == 20:
                    sending.wait(60)
        except (ConnectionError, OSError):
            return  # the door closed

    with daemon(tmp_path / "data") as running:
        with ThreadPoolExecutor(4) as pool:
            for i in range(4):
                pool.submit(send, running, f"s{i}")
            sending.wait(60)
            began = time.monotonic()
            assert running.stop() == 0
            took_s = time.monotonic() - began
        assert "Traceback" not in running.said()
        assert "without a last checkpoint" not in running.said()
    print(f"stopped under load within {took_s:.1f} s")
    assert took_s < 10
    newest, checkpointed = journal(tmp_path / "data")
    print(f"newest entry {newest}, checkpoints at {checkpointed}")
    with daemon(tmp_path / "data") as again:
        counts = event_counts(again.url)
        # What was journaled but not answered any more may be there as well.
        assert all(counts[source] >= count for source, count in acknowledged.items())
        assert all(count % 500 == 0 for count in counts.values())


def test_after_a_stop_the_one_file_alone_holds_everything(tmp_path: Path) -> None:
    body = b"".join(b'{"time":%d,"source":"one","v":%d}\n' % (START_S + i, i) for i in range(1_000))
    with daemon(tmp_path / "data") as running:
        assert post(running.url, body).status == 202
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "data" / "offbeat.sqlite", tmp_path / "copy")
    newest, checkpointed = journal(tmp_path / "copy")
    assert newest <= checkpointed  # nothing to replay
    with daemon(tmp_path / "copy") as again:
        assert event_counts(again.url) == {"one": 1_000}


def test_sighup_applies_what_may_be_reloaded_names_what_may_not_and_survives_a_bad_file(tmp_path: Path) -> None:
    config = settings(tmp_path / "offbeat.toml", ingest={"errors_max": 20, "idempotency_window_s": 86400.0})
    bad = b'{"v":NaN}\n' * 50
    with daemon(tmp_path / "data", config) as running:
        def listed() -> int:
            return len(post(running.url, bad).document["errors"])

        def reload_says(text: str) -> None:
            running.process.send_signal(signal.SIGHUP)
            until(lambda: text in running.said())

        keyed = {**NDJSON, "Idempotency-Key": "k"}
        first = post(running.url, b'{"source":"keyed","v":1}', keyed).document
        assert post(running.url, b'{"source":"keyed","v":1}', keyed).document == first
        assert listed() == 20

        settings(config, ingest={"errors_max": 3, "idempotency_window_s": 1.0}, engine={"tick_s": 1.0},
                 http={"connections_max": 10})
        reload_says(f"INFO offbeat: settings read again from {config}")
        assert listed() == 3
        until(lambda: "WARNING offbeat: engine.tick_s needs a restart" in running.said())
        until(lambda: "WARNING offbeat: http.connections_max needs a restart" in running.said())
        until(lambda: post(running.url, b'{"source":"keyed","v":1}', keyed).document != first)  # the key was forgotten
        assert event_counts(running.url)["keyed"] == 2

        config.write_text(config.read_text() + '\n[alerts.sinks.ops]\ntype = "command"\nargv = ["true"]\n')
        reload_says("INFO offbeat.alerts.deliveries: sink ops is taken over from the settings")

        for text, part in (("[ingest]\nerrors_max = 0\n", "ingest.errors_max is 0: it must be at least 1"),
                           ("[ingest\n", "is not TOML"), ("[ingest]\nerror_max = 3\n", "did you mean")):
            config.write_text(text)
            reload_says(part)
            assert listed() == 3
        config.unlink()
        reload_says("cannot read the config file")
        assert listed() == 3
        # --port and --state-dir were given by option: the file says nothing of them.
        assert running.said().count("needs a restart") == 2
        assert running.said().count("ERROR offbeat: the settings stay as they were: ") == 4
        assert running.stop() == 0
        assert "Traceback" not in running.said()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where a service manager listens for messages."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        yield manager


def test_a_service_manager_is_told_of_each_step(tmp_path: Path, manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with daemon(tmp_path / "data", environment=environment) as running:
        said: list[str] = []

        def hear(part: str) -> None:
            while not said or part not in said[-1]:
                said.append(manager.recv(4096).decode())

        hear("READY=1")
        assert said[0].startswith("STATUS=")
        for _ in range(3):
            said.append("")
            hear("WATCHDOG=1")
        assert running.stop() == 0
        hear("STOPPING=1")
        assert sum("READY=1" in message for message in said) == 1


def test_a_daemon_serves_on_the_socket_that_it_is_handed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        early = socket.create_connection((host, port), timeout=60)  # connects before there is a daemon
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: offbeat\r\nConnection: close\r\n\r\n")
        script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0'
        command = [sys.executable, "-m", "offbeat", "serve", "--state-dir", str(tmp_path / "data")]
        with early, subprocess.Popen(["sh", "-c", script, *command], stdin=listener.fileno(), stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            found = READY.fullmatch(process.stdout.readline())
            assert found and found[1] == f"http://{host}:{port}"
            assert early.recv(65536).startswith(b"HTTP/1.1 200 OK")
            assert post(found[1], b'{"source":"handed","v":1}').status == 202
            assert event_counts(found[1]) == {"handed": 1}
            process.terminate()
            assert process.wait(timeout=20) == 0
            assert "Traceback" not in process.stderr.read()
        assert select.select([listener], [], [], 0) == ([], [], [])


def test_a_stop_asked_for_while_it_still_starts_is_heeded(tmp_path: Path) -> None:
    started = Daemon(tmp_path / "data")
    try:
        until(lambda: "preparing" in started.said())
        os.kill(started.process.pid, signal.SIGTERM)
        assert started.process.wait(timeout=20) in (0, -signal.SIGTERM)
    finally:
        started.kill()
    with daemon(tmp_path / "data") as again:
        assert get(again.url, "/readyz").status == 200
