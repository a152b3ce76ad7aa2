"""A daemon that cannot start says why and what to do, ends with the status for it, and leaves the file as it was."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.client import event_counts, post
from tests.system.daemon import daemon
from tests.system.faults import FullDisk, possible

FILE = "offbeat.sqlite"


@dataclass(frozen=True)
class Ended:
    """How a start ended."""

    status: int
    message: str
    hint: str


def start(*options: str) -> Ended:
    """Try to start a daemon that cannot; what it said last."""
    ran = subprocess.run([sys.executable, "-m", "offbeat", "serve", "--port", "0", *options],
                         capture_output=True, text=True, timeout=60)
    assert "Traceback" not in ran.stderr, ran.stderr
    assert ran.stdout == "", ran.stdout
    said = "\n".join(line for line in ran.stderr.splitlines() if not line.startswith("offbeat: preparing the kernels"))
    message, _, hint = said.strip().partition("\n  hint: ")
    assert message.startswith("offbeat: ") and "\n" not in message + hint, ran.stderr
    print(ran.returncode, message, hint, sep="\n  ")
    return Ended(ran.returncode, message.removeprefix("offbeat: "), hint)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a daemon that was stopped."""
    directory = tmp_path_factory.mktemp("stored")
    with daemon(directory / "data") as running:
        body = b"".join(b'{"time":%d,"source":"s%d","v":1}\n' % (1_577_836_800 + i, i % 50) for i in range(5_000))
        assert post(running.url, body).status == 202
    return (directory / "data" / FILE).read_bytes()


def garbage(path: Path, stored: bytes) -> None:
    path.write_bytes(b"this is no database at all, but some text that somebody put here\n" * 100)


def cut_short(path: Path, stored: bytes) -> None:
    path.write_bytes(stored[: len(stored) // 2])


def damaged(path: Path, stored: bytes) -> None:
    half = len(stored) // 2
    path.write_bytes(stored[:half] + b"\xa5" * 8192 + stored[half + 8192 :])


def foreign(path: Path, stored: bytes) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE somebody_elses (x)")
    database.close()


def newer(path: Path, stored: bytes) -> None:
    path.write_bytes(stored)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 9999")
    database.close()


def a_directory(path: Path, stored: bytes) -> None:
    path.mkdir()


UNUSABLE: dict[str, tuple[Callable[[Path, bytes], None], str]] = {
    "no database": (garbage, "is damaged or no database: file is not a database"),
    "cut short": (cut_short, "is damaged"),
    "damaged": (damaged, "is damaged"),
    "another program's": (foreign, "is a database, but not one of Offbeat"),
    "newer": (newer, "was written by a newer Offbeat (schema 9999, this one knows "),
    "a directory": (a_directory, "is a directory, not a database"),
}


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none"


def test_a_store_that_cannot_be_used_is_named_and_left_as_it_was(tmp_path: Path, stored: bytes) -> None:
    before: dict[str, str] = {}
    for what, (make, _) in UNUSABLE.items():
        (tmp_path / what).mkdir()
        make(tmp_path / what / FILE, stored)
        before[what] = fingerprint(tmp_path / what / FILE)
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda what: start("--state-dir", str(tmp_path / what)), UNUSABLE))
    for ended, (what, (_, part)) in zip(ends, UNUSABLE.items(), strict=True):
        path = tmp_path / what / FILE
        assert ended.status == 4, (what, ended)
        assert ended.message.startswith(f"{path} {part}"), (what, ended)
        assert fingerprint(path) == before[what], what


def test_a_store_that_another_program_has_locked_is_named(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / FILE).write_bytes(stored)
    database = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        ended = start("--state-dir", str(tmp_path))
    finally:
        database.close()
    assert ended == Ended(4, f"{tmp_path / FILE} is locked by another program",
                          "close whatever has it open")
    with daemon(tmp_path) as running:
        assert sum(event_counts(running.url).values()) == 5_000


def test_a_second_daemon_on_one_state_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with daemon(tmp_path / "data") as first:
        ended = start("--state-dir", str(tmp_path / "data"))
        assert ended.status == 3
        assert ended.message == (f"another daemon (process {first.process.pid}) uses the state directory "
                                 f"{tmp_path / 'data'}")
        verify = subprocess.run([sys.executable, "-m", "offbeat", "verify", "--state-dir", str(tmp_path / "data")],
                                capture_output=True, text=True, timeout=60)
        assert (verify.returncode, verify.stdout) == (3, "")
        assert f"process {first.process.pid}" in verify.stderr
        assert post(first.url, b'{"v":1}').status == 202


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with listening() as port:
        ended = start("--state-dir", str(tmp_path / "data"), "--port", str(port))
    assert ended == Ended(1, f"cannot listen on 127.0.0.1:{port}: Address already in use",
                          "choose another one with --port or --host")


@pytest.mark.parametrize(
    ("host", "part"),
    [("192.0.2.1", "Cannot assign requested address"), ("no-such-host.invalid", "Name or service not known")])
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, host: str, part: str) -> None:
    ended = start("--state-dir", str(tmp_path / "data"), "--host", host, "--allow-anonymous")
    assert ended.status == 1
    assert ended.message.startswith(f"cannot listen on {host}:0: ")
    assert part in ended.message


def test_a_state_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below_a_file, in_proc = tmp_path / "file" / "data", Path("/proc/data")
    for place, part in ((below_a_file, "Not a directory"), (in_proc, "No such file or directory")):
        ended = start("--state-dir", str(place))
        assert ended.status == 1
        assert ended.message == f"cannot write to the state directory {place}: {part}"
        assert "--state-dir" in ended.hint


def test_a_full_disk_is_named_at_the_start(tmp_path: Path) -> None:
    if FullDisk not in possible(tmp_path):
        return
    (tmp_path / "disk").mkdir()
    with FullDisk(tmp_path / "disk") as disk:
        disk.state_dir.mkdir()
        disk.fail(0)
        ended = start("--state-dir", str(disk.state_dir))
        assert ended.status in (1, 4)
        assert "full" in ended.message or "No space left" in ended.message
        disk.mend(0)
        with daemon(disk.state_dir) as running:
            assert post(running.url, b'{"v":1}').status == 202


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[http]\nport = 70000\n", "http.port is 70000: it must be at most 65535"),
        ("[htp]\nport = 1\n", "htp is not a setting"),
        ("[http\n", "is not TOML"),
        ('[watch]\nmodel = "none-such"\n', "none-such"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, part: str) -> None:
    config = tmp_path / "offbeat.toml"
    config.write_text(text)
    ended = start("--config", str(config), "--state-dir", str(tmp_path / "data"))
    assert ended.status == 2
    assert part in ended.message
