"""The real daemon as a process under measurement: started, asked, watched from outside, stopped."""
from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import psutil  # type: ignore[import-untyped]

STOP_TIMEOUT_S = 30.0
APPLIED_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 30.0
IDLE_LOOK_S = 0.1
IDLE_CPU_S = 0.02
IDLE_WITHIN_S = 15.0
LOG_LINES = 30
MIB = 1024 * 1024


class Daemon:
    """``offbeat serve`` with its defaults on a free port of 127.0.0.1 over *state_dir*. Use as a context.

    address  to connect to    started_s  seconds from the start of the process until it took connections
    """

    def __init__(self, state_dir: Path, *options: str) -> None:
        self.state_dir = state_dir
        self._command = [
            sys.executable, "-m", "offbeat", "serve", "--port", "0", "--state-dir", str(state_dir), *options]

    def __enter__(self) -> Daemon:
        began_s = time.perf_counter()
        self._log = open(self.state_dir.with_suffix(".log"), "ab")
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._log)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        found = re.search(r"http://([^ :]+):(\d+)", line)
        if found is None:
            self._stop()
            raise RuntimeError(f"the daemon did not start: {line!r} {self.state_dir.with_suffix('.log').read_text()}")
        self.started_s = time.perf_counter() - began_s
        self.address = (found[1], int(found[2]))
        self._watched = psutil.Process(self._process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._stop()
        if error is not None:
            said = self.state_dir.with_suffix(".log").read_text(errors="replace").splitlines()
            print("the daemon's log ends with:", *said[-LOG_LINES:], sep="\n", file=sys.stderr)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

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

    def wait_idle(self) -> None:
        """Return when the daemon hardly uses a processor any more: what it began is written. Gives up in time."""
        until_s = time.perf_counter() + IDLE_WITHIN_S
        while time.perf_counter() < until_s:
            before_s = self.cpu_s()
            time.sleep(IDLE_LOOK_S)
            if self.cpu_s() - before_s <= IDLE_CPU_S:
                return

    def cpu_s(self) -> float:
        """Processor time used so far, user and system."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        """Resident memory now."""
        return float(self._watched.memory_info().rss) / MIB

    def peak_mib(self) -> float:
        """Highest resident memory since ``forget_peak``, or since the start."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return self.memory_mib()

    def forget_peak(self) -> None:
        """Begin a new peak at what is resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def disk_bytes(self) -> int:
        """Size of everything in the state directory."""
        return sum(entry.stat().st_size for entry in os.scandir(self.state_dir) if entry.is_file())
