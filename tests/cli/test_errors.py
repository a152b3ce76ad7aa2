"""Whatever goes wrong: one sentence, a hint where there is one, an exit status, and no traceback."""
from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web

from offbeat.cli.exits import MEANINGS, describe
from offbeat.errors import BadConfig, StateDirectoryInUse, StoreUnusable

QUERIES = ("buckets", "records", "sources", "diagnosis", "quarantine", "watch")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on: bound, so that nobody else gets it, but not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_the_help_lists_every_command_and_every_exit_status(offbeat):
    ran = offbeat("--help")
    assert ran.status == 0
    for word in (
        "serve",
        "send",
        "buckets",
        "records",
        "explain",
        "sources",
        "feedback",
        "watch",
        "diagnosis",
        "quarantine",
        "demo",
        "verify",
        "check-config",
        "version",
    ):
        assert f"\n  {word} " in ran.out
    for status, meaning in MEANINGS.items():
        assert f"\n  {int(status):<3}  {meaning}" in ran.out


@pytest.mark.parametrize("command", ["serve", "send", *QUERIES, "explain", "demo", "verify", "check-config", "version"])
def test_every_command_has_a_help(offbeat, command):
    ran = offbeat(command, "--help")
    assert ran.status == 0
    assert ran.out.startswith(f"Usage: offbeat {command} ")


def test_an_unknown_command_is_told_the_nearest(offbeat):
    ran = offbeat("recrods")
    assert ran.status == 2
    assert (
        ran.err == "offbeat: there is no command 'recrods'; did you mean records?\n"
        "  hint: `offbeat --help` lists what it takes\n"
    )


def test_an_unknown_option_is_wrong_usage(offbeat):
    ran = offbeat("records", "--limits", "3")
    assert ran.status == 2
    assert ran.err.startswith("offbeat: No such option '--limits'")
    assert "`offbeat records --help`" in ran.err


def test_a_bare_offbeat_shows_the_help(offbeat):
    ran = offbeat()
    assert ran.status == 2
    assert "Commands:" in ran.err


@pytest.mark.parametrize("command", QUERIES)
def test_a_daemon_that_is_not_there_is_status_5_with_a_hint(offbeat, closed_port, command):
    ran = offbeat(command, "--url", f"http://127.0.0.1:{closed_port}")
    assert ran.status == 5
    assert ran.err == (
        f"offbeat: no daemon answers at http://127.0.0.1:{closed_port}: connection refused\n"
        "  hint: start one with `offbeat serve`, or say where it is with --url or OFFBEAT_URL\n"
    )


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:port", "http://127.0.0.1:99999", "http://[::1"]
)
def test_an_address_that_is_none_is_wrong_usage(offbeat, url):
    ran = offbeat("sources", "--url", url)
    assert ran.status == 2
    assert "is no address of a daemon" in ran.err
    assert "hint: it looks like http://127.0.0.1:7373" in ran.err


def test_the_address_comes_from_the_environment(offbeat, server, monkeypatch):
    server.answers({"sources": [], "next_cursor": None})
    monkeypatch.setenv("OFFBEAT_URL", server.url)
    assert offbeat("sources").status == 0


def test_an_address_may_have_the_path_of_a_proxy_and_no_scheme(offbeat, server):
    server.answers({"sources": [], "next_cursor": None})
    assert offbeat("sources", "--url", f"{server.url.removeprefix('http://')}/plant/").status == 0
    assert server.seen[0].path == "/plant/api/v1/sources"


@pytest.mark.parametrize("command", QUERIES)
def test_a_page_of_a_proxy_instead_of_a_document_is_said_to_be_no_answer_of_offbeat(offbeat, server, command):
    server.answers(lambda: web.Response(text="<h1>Bad gateway</h1>", status=502, content_type="text/html"))
    ran = offbeat(command, "--url", server.url)
    assert ran.status == 5
    assert "is not Offbeat: it sent text/html with status 502 where a JSON document was due" in ran.err


@pytest.mark.parametrize("answer", ["[1, 2]", '{"sources": ', '{"sources": 3}', "", "null"])
def test_a_document_of_another_shape_is_no_answer_of_offbeat(offbeat, server, answer):
    server.answers(lambda: web.Response(text=answer, content_type="application/json"))
    ran = offbeat("sources", "--url", server.url)
    assert ran.status == 5
    assert "is not" in ran.err


def test_an_error_of_the_daemon_is_shown_with_its_hint(offbeat, server):
    server.answers(
        {
            "error": {
                "code": "not_found",
                "message": "there is no source boiler",
                "hint": "GET /sources lists them",
                "where": {},
            }
        },
        status=404,
    )
    ran = offbeat("sources", "boiler", "--url", server.url)
    assert ran.status == 1
    assert ran.err == "offbeat: there is no source boiler\n  hint: GET /sources lists them\n"


def test_a_parameter_that_the_daemon_refuses_is_wrong_usage(offbeat, server):
    server.answers(
        {"error": {"code": "bad_request", "message": "start is 'noon': expected a time", "hint": "", "where": {}}},
        status=400,
    )
    ran = offbeat("records", "--start", "noon", "--url", server.url)
    assert ran.status == 2
    assert ran.err == "offbeat: start is 'noon': expected a time\n"


def test_a_server_that_does_not_speak_http_is_said_so(offbeat):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        ran = offbeat("sources", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)
    assert ran.status == 5
    assert ran.err.count("\n") <= 2


@pytest.mark.parametrize(
    ("error", "status"),
    [(BadConfig("x"), 2), (StateDirectoryInUse("x"), 3), (StoreUnusable("x"), 4), (KeyboardInterrupt(), 130)],
)
def test_each_reason_not_to_start_has_its_own_status(error, status):
    assert describe(error).status == status


def test_an_error_that_nobody_expected_is_one_sentence_too():
    failure = describe(ZeroDivisionError("division by zero"))
    assert failure.message == "an error that this program did not expect: ZeroDivisionError: division by zero"
    assert failure.status == 1


def process(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "offbeat", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_ctrl_c_ends_with_status_130(server):
    """A stream that stays silent, and a watcher who has seen enough."""

    async def silent(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b'event: status\ndata: {"state": "well"}\n\n')
        await asyncio.Event().wait()
        return answer

    server.handler = silent
    watching = process("watch", "--url", server.url)
    assert watching.stdout.readline() == "status  state well\n"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert (watching.returncode, err) == (130, "offbeat: interrupted\n")


def test_a_reader_that_leaves_ends_the_command_without_a_word(server):
    rows = [{"source": f"s{i}" * 20} for i in range(1000)]
    server.answers({"sources": rows, "next_cursor": "next"})  # without end
    listing = process("sources", "--all", "--url", server.url)
    listing.stdout.readline()
    listing.stdout.close()
    err = listing.stderr.read()
    assert (listing.wait(20), err) == (141, "")
    listing.stderr.close()


def test_version_starts_without_numpy_and_aiohttp():
    code = (
        "import sys; from offbeat.cli import main; status = main(['version']); "
        "print(status, sorted({'numpy', 'numba', 'aiohttp', 'rich', 'asyncio'} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert out.startswith("offbeat ")
    assert out.endswith("0 []\n")
