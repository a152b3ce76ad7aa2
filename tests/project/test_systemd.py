"""What the daemon and systemd tell each other, over real sockets and in real processes."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from offbeat import systemd

LISTEN = """
import json, os, socket
from offbeat.systemd import listen_sockets
found = listen_sockets()
print(json.dumps({
    "addresses": [s.getsockname() for s in found],
    "inheritable": [s.get_inheritable() for s in found],
    "left": [name for name in os.environ if name.startswith("LISTEN_")],
    "again": len(listen_sockets()),
}))
"""


def run_with_fd_3(fd: int, code: str, *, listen_pid: str = "$$", count: str = "1") -> subprocess.CompletedProcess[str]:
    """Run *code* as systemd would start it: *fd* is its descriptor 3, LISTEN_PID its own number."""
    script = f'LISTEN_PID={listen_pid} LISTEN_FDS={count} LISTEN_FDNAMES=offbeat.socket exec "$0" -c "$1" 3<&0'
    return subprocess.run(["sh", "-c", script, sys.executable, code], stdin=fd, capture_output=True, text=True,
                          timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("abstract", [False, True], ids=["a path", "an abstract name"])
def test_a_state_reaches_the_service_manager(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"@offbeat-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        systemd.notify("READY=1\nSTATUS=listening")
        assert manager.recv(4096) == b"READY=1\nSTATUS=listening"


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234"])
def test_without_a_service_manager_nothing_is_said(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify("READY=1")


def test_a_service_manager_that_went_away_does_not_stop_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    systemd.notify("WATCHDOG=1")


@pytest.mark.parametrize(
    ("microseconds", "interval_s"), [("60000000", 30.0), ("1000", 0.0005), ("0", None), ("x", None)])
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    microseconds: str, interval_s: float | None, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert systemd.watchdog_interval_s() == interval_s


def test_a_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert systemd.watchdog_interval_s() is None


def test_nobody_watches_where_there_is_no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert systemd.watchdog_interval_s() is None


def test_an_inherited_socket_is_taken_once_and_kept_from_children(listener: socket.socket) -> None:
    run = run_with_fd_3(listener.fileno(), LISTEN)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "addresses": [list(listener.getsockname())], "inheritable": [False], "left": [], "again": 0}


def test_a_connection_that_waited_is_answered_over_the_inherited_socket(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname(), timeout=10) as sender:
        answer = "from offbeat.systemd import listen_sockets; listen_sockets()[0].accept()[0].sendall(b'hello')"
        assert run_with_fd_3(listener.fileno(), answer).returncode == 0
        assert sender.recv(5) == b"hello"


def test_sockets_meant_for_another_process_are_left_alone(listener: socket.socket) -> None:
    run = run_with_fd_3(listener.fileno(), LISTEN, listen_pid="1")
    assert json.loads(run.stdout)["addresses"] == []


def test_without_socket_activation_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        monkeypatch.delenv(name, raising=False)
    assert systemd.listen_sockets() == []


REFUSED = """
from offbeat.errors import CannotStart
from offbeat.systemd import listen_sockets
try:
    listen_sockets()
except CannotStart as e:
    print(e.message)
"""


def test_a_descriptor_that_is_no_socket_is_refused_by_number(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        run = run_with_fd_3(file.fileno(), REFUSED)
    assert run.stdout.startswith("file descriptor 3, handed over by systemd, is no listening socket: ")


def test_a_socket_that_does_not_listen_is_refused() -> None:
    with socket.socket() as unconnected:
        run = run_with_fd_3(unconnected.fileno(), REFUSED)
    assert run.stdout == "file descriptor 3, handed over by systemd, is no listening socket: not listening\n"
