"""Tokens of the real daemon: where it refuses to start without, what a command beside it does, what a kill leaves."""
from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.system.daemon import Daemon, daemon
from tests.system.test_cannot_start import Ended, start

ANYWHERE = ("--host", "0.0.0.0")


def token(state_dir: Path, *arguments: str) -> str:
    """What ``offbeat token`` prints."""
    ran = subprocess.run([sys.executable, "-m", "offbeat", "token", *arguments, "--state-dir", str(state_dir)],
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def status(url: str, secret: str | None = None, path: str = "/api/v1/buckets") -> int:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        with e:
            return e.code


def until(url: str, secret: str | None, expected: int) -> None:
    """Return once a call is answered with *expected*, which must be soon."""
    began_s = time.monotonic()
    while status(url, secret) != expected:
        assert time.monotonic() - began_s < 20


def test_a_daemon_that_strangers_could_reach_does_not_start_without_a_token(tmp_path: Path) -> None:
    state = tmp_path / "data"
    ended = start("--state-dir", str(state), *ANYWHERE)
    assert ended == Ended(
        2, f"whoever reaches 0.0.0.0 could do everything: there is no token in {state}",
        f"`offbeat token create --scope admin,ingest,read --name NAME --state-dir {state}` makes one; "
        "--allow-anonymous if that is meant")
    assert not state.exists(), "nothing was done before"


def test_with_a_token_or_if_it_is_said_it_does(tmp_path: Path) -> None:
    secret = token(tmp_path / "data", "create", "--scope", "read", "--name", "one")
    with daemon(tmp_path / "data", None, *ANYWHERE) as running:
        url = running.url.replace("0.0.0.0", "127.0.0.1")
        assert (status(url), status(url, secret), status(url, path="/healthz")) == (401, 200, 200)
        token(tmp_path / "data", "forget", "--all")
        until(url, secret, 401)
        assert status(url) == 401, "it is open to nobody while strangers may reach it"
    with daemon(tmp_path / "open", None, *ANYWHERE, "--allow-anonymous") as running:
        url = running.url.replace("0.0.0.0", "127.0.0.1")
        assert status(url) == 200
        token(tmp_path / "open", "create", "--scope", "read", "--name", "one")
        until(url, None, 401)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_loopback_is_open_by_whatever_name(tmp_path: Path, host: str) -> None:
    from offbeat.config import from_mapping
    from offbeat.serving import beyond_loopback

    assert beyond_loopback(from_mapping({"http": {"host": host, "port": 0}}).http, []) == []


@pytest.mark.parametrize(("host", "exposed"), [("0.0.0.0", True), ("", True), ("127.0.0.1", False)])
def test_an_inherited_socket_counts_as_a_host_does(host: str, exposed: bool) -> None:
    from offbeat.config import HttpConfig
    from offbeat.serving import beyond_loopback

    assert bool(beyond_loopback(HttpConfig(host=host, port=0), [])) is exposed
    with socket.create_server((host, 0)) as inherited:
        assert bool(beyond_loopback(HttpConfig(host="127.0.0.1" if exposed else "0.0.0.0"), [inherited])) is exposed
    unix = socket.socket(socket.AF_UNIX)
    assert beyond_loopback(HttpConfig(host="0.0.0.0"), [unix]) == []
    unix.close()


def test_a_token_made_beside_a_daemon_is_good_at_once_and_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "data"
    running = Daemon(state).wait_ready()
    try:
        assert status(running.url) == 200
        token(state, "create", "--scope", "admin", "--name", "first")
        until(running.url, None, 401)
        secret = token(state, "create", "--scope", "read", "--name", "one")
        assert status(running.url, secret) == 200
    finally:
        running.kill()
    with daemon(state) as again:
        assert (status(again.url), status(again.url, secret)) == (401, 200)
        token(state, "revoke", "one")
        until(again.url, secret, 401)
        assert "is refused" in again.said() and secret.partition(".")[2] not in again.said()


def test_a_token_may_be_made_while_the_daemon_starts_for_the_first_time(tmp_path: Path) -> None:
    starting = Daemon(tmp_path / "data")
    try:
        secret = token(tmp_path / "data", "create", "--scope", "read", "--name", "one")
        url = starting.wait_ready().url
        assert (status(url), status(url, secret)) == (401, 200)
    finally:
        starting.stop()
