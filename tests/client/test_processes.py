"""The waiting client where there are several threads, forked processes, or a program that ends."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from offbeat.client import Client
from tests.cli.conftest import WireServer
from tests.client.conftest import QUICK
from tests.client.test_clients import takes_after


def test_threads_share_one_client_and_one_sender(server: WireServer) -> None:
    takes_after(server)

    def send(thread: int) -> None:
        for n in range(50):
            sender.send({"thread": thread, "n": n})
            client.call("POST", "/other")

    with Client(server.url, retry=QUICK) as client:
        with client.sender(batch_events=7) as sender:
            threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert sender.receipt.accepted == 300
    sent = [seen.body for seen in server.seen if seen.path.endswith("events")]
    lines = [json.loads(line) for body in sent for line in body.splitlines()]
    for thread in range(6):
        assert [line["n"] for line in lines if line["thread"] == thread] == list(range(50))


def in_child(act: Callable[[], object]) -> None:
    """Run *act* in a forked process and fail with it, also if it hangs."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_sends_its_own_events_alone_over_connections_of_its_own(server: WireServer) -> None:
    takes_after(server)
    with Client(server.url, retry=QUICK) as client, client.sender(linger_s=60.0) as sender:
        client.call("POST", "/warm")
        sender.send({"of": "parent"})

        def act() -> None:
            assert sender.waiting == 0
            sender.send({"of": "child"})
            assert sender.close().accepted == 1
            assert client.send({"of": "child, at once"}).accepted == 1

        in_child(act)
        assert sender.flush().accepted == 1
    sent = [(seen.headers["Idempotency-Key"], json.loads(seen.body)["of"]) for seen in server.seen if seen.body]
    assert sorted(of for _, of in sent) == ["child", "child, at once", "parent"]
    assert len({key for key, _ in sent}) == 3


def test_a_program_that_ends_without_close_still_delivers(server: WireServer) -> None:
    takes_after(server)
    program = f"from offbeat.client import Client; Client({server.url!r}).sender(linger_s=60).send({{'v': 1}})"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert [seen.body for seen in server.seen] == [b'{"v":1}\n']
