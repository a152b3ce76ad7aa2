"""What tests of the project itself ask for: the checkout, and a daemon as the documents start it."""
from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
START_TIMEOUT_S = 90.0  # the first start compiles


@contextmanager
def running_daemon(state_dir: Path, environment: dict[str, str]) -> Iterator[str]:
    """The URL of a daemon with default settings on a free port; if it does not start, the error has what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(state_dir)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    said: deque[str] = deque(maxlen=50)
    url: list[str] = []
    heard = threading.Event()

    def listen() -> None:
        for line in process.stdout or ():
            said.append(line)
            if not url and (found := re.search(r"http://127\.0\.0\.1:\d+", line)):
                url.append(found[0])
                heard.set()
        heard.set()  # it ended

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        heard.wait(START_TIMEOUT_S)
        assert url, f"the daemon did not start: {''.join(said)}"
        yield url[0]
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join()
        process.stdout.close()


@pytest.fixture(scope="session")
def top() -> Path:
    """The checkout."""
    return TOP
