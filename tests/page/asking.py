"""What a test says to the daemon beside the page."""
from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.daemon import Daemon


@contextmanager
def demonstrating(state_dir: Path) -> Iterator[Daemon]:
    """A daemon with the data of ``offbeat demo``: 8 sensors, 4 days."""
    one = Daemon(state_dir).wait_ready()
    try:
        command = [sys.executable, "-m", "offbeat", "demo", "--url", one.url, "--sensors", "8", "--days", "4", "--json"]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
        yield one
    finally:
        one.kill()


def ask(url: str, method: str, path: str, document: object = None) -> Any:
    """The answer of the API, None if it has no body; what is refused fails the test in the daemon's words."""
    body = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    return _sent(urllib.request.Request(f"{url}/api/v1{path}", body, headers, method=method))


def send(url: str, path: str, rows: Iterable[dict[str, Any]]) -> Any:
    """Send *rows* as NDJSON; return once they are taken."""
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return _sent(urllib.request.Request(f"{url}/api/v1{path}", body, {"Content-Type": "application/x-ndjson"}))


def _sent(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{request.method} {request.full_url}: {error.read().decode()}") from None
    return json.loads(text) if text else None
