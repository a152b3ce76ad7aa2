"""The real daemon as a process under measurement: started, asked, watched from outside, stopped."""
from __future__ import annotations

import http.client
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from common.process import Process

APPLIED_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 30.0


class Daemon(Process):
    """``offbeat serve`` on a free port of 127.0.0.1 over *state_dir*. Use as a context.

    settings     text of a TOML file; without it everything has its default    environment  variables beside its own
    """

    name = "the daemon"

    def __init__(self, state_dir: Path, settings: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.state_dir = state_dir
        command = [sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(state_dir)]
        if settings:
            file = state_dir.with_suffix(".toml")
            file.write_text(settings)
            command += ["--config", str(file)]
        super().__init__(state_dir, command, environment)

    def _await_ready(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        found = re.search(r"http://([^ :]+):(\d+)", line)
        if found is None:
            raise RuntimeError(f"the daemon did not start: {line!r} {self.log_path.read_text()}")
        self.address = (found[1], int(found[2]))

    def get(self, path: str) -> Any:
        """What a GET under /api/v1 answers. Raises RuntimeError for anything but 200."""
        status, document = self._ask(path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {document}")
        return document

    def _ask(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.address, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", f"/api/v1{path}")
            answer = connection.getresponse()
            return answer.status, orjson.loads(answer.read())
        finally:
            connection.close()

    def wait_applied(self, sequence: int) -> float:
        """Return when a query sees everything up to *sequence*; the moment, of ``time.perf_counter``."""
        until_s = time.perf_counter() + APPLIED_TIMEOUT_S
        while True:
            status, document = self._ask(f"/records?limit=1&start=2999-01-01&sequence={sequence}")
            now_s = time.perf_counter()
            if status == 200:
                return now_s
            if status != 503 or now_s > until_s:
                raise RuntimeError(f"sequence {sequence} was not applied: {status} {document}")

    def disk_bytes(self) -> int:
        """Size of everything in the state directory."""
        return sum(entry.stat().st_size for entry in os.scandir(self.state_dir) if entry.is_file())
