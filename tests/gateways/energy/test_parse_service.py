"""``offbeat parse-service`` by itself: as many as wanted, each answers as the daemon does, and keeps nothing."""
from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offbeat.config import Config, from_mapping
from offbeat.errors import Unauthorized
from offbeat.gateways.energy.credentials import NotFromHere, admit
from tests.gateways.energy.meters import Client, Meter, line_of

LINES = (b"", b"Foo:", b"A: \xff", line_of(Meter(1).event()).encode(), b"A: " + b"1;" * 200_000)


@contextmanager
def parse_service(at: Path) -> Iterator[Client]:
    """One that runs in *at*, on a free port; it ends by SIGTERM, and well."""
    command = [sys.executable, "-m", "offbeat", "parse-service", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=at)
    assert process.stdout is not None
    try:
        found = re.search(r"ready at (http://\S+)", process.stdout.readline().decode())
        assert found
        yield Client(found[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_two_of_them_answer_as_the_daemon_does_and_write_nothing(client: Client, tmp_path: Path) -> None:
    with parse_service(tmp_path) as one, parse_service(tmp_path) as other:
        for line in LINES:
            for content_type in (None, "text/plain", "application/json"):
                answers = [each.call("POST", "/log/parse", line, content_type) for each in (client, one, other)]
                assert len({(a.status, a.content_type, a.body) for a in answers if a.status != 413}) <= 1
                assert len({(a.status, *a.document) for a in answers}) == 1
        assert one.call("GET", "/log/parse").status == 405
        assert one.call("POST", "/log/store", LINES[3], "text/plain").status == 404
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with parse_service(tmp_path) as one:
        port = one.url.rpartition(":")[2]
        run = subprocess.run([sys.executable, "-m", "offbeat", "parse-service", "--port", port],
                             capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}" in run.stderr and "Traceback" not in run.stderr


class Of:
    """A request of a peer, and parts with these settings."""

    def __init__(self, remote: str | None, config: Config) -> None:
        self.remote, self.config = remote, lambda: config
        self.headers: dict[str, str] = {}
        self.tokens: Any = None


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.8.8", "::1", "", None, "10.1.2.3", "fe80::1%eth0", "odd"])
async def test_only_this_host_is_let_in_where_the_settings_say_so(remote: str | None) -> None:
    closed, opened = from_mapping({"energy": {"access": "loopback"}}), Config()
    await admit(Of(remote, opened), Of(remote, opened), "ingest")  # type: ignore[arg-type]
    if remote in ("10.1.2.3", "fe80::1%eth0", "odd"):
        with pytest.raises(NotFromHere, match=r"energy\.access"):
            await admit(Of(remote, closed), Of(remote, closed), "ingest")  # type: ignore[arg-type]
    else:
        await admit(Of(remote, closed), Of(remote, closed), "ingest")  # type: ignore[arg-type]


class NobodyKnown:
    """Tokens of which none is known."""

    async def who(self, secret: str | None, scope: str, peer: str) -> None:
        raise Unauthorized(f"{secret} is nobody's, for {scope}")


async def test_a_token_is_asked_for_where_the_settings_say_so() -> None:
    request = Of("10.1.2.3", from_mapping({"energy": {"access": "token"}}))
    request.headers, request.tokens = {"Authorization": "Bearer nobody.s"}, NobodyKnown()
    with pytest.raises(Unauthorized, match=r"nobody\.s is nobody's, for read"):
        await admit(request, request, "read")  # type: ignore[arg-type]
