"""A server as a process under measurement: started in its own directory, watched from outside, ended. Knows none."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

STOP_TIMEOUT_S = 30.0
IDLE_LOOK_S = 0.1
IDLE_CPU_S = 0.02
IDLE_WITHIN_S = 15.0
LOG_LINES = 30
MIB = 1024 * 1024


class Process(ABC):
    """One program. Use as a context: whatever happens, it runs no longer than that.

    directory  what it writes to; its log stands beside it    started_s  seconds until it took connections
    address    to connect to
    """

    name = "the program"
    announces = True
    """Whether its first line of output is read, to say where it listens; else all of its output goes to the log."""
    address: tuple[str, int]
    started_s: float

    def __init__(self, directory: Path, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.directory, self._command = directory, list(command)
        self._environment = None if environment is None else {**os.environ, **environment}

    def __enter__(self) -> Self:
        began_s = time.perf_counter()
        self._log = open(self.log_path, "ab")
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE if self.announces else self._log, stderr=self._log,
            env=self._environment)
        try:
            self._watched = psutil.Process(self._process.pid)
            self._await_ready()
        except BaseException:
            self._end()
            raise
        self.started_s = time.perf_counter() - began_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._end()
        if error is not None:
            said = self.log_path.read_text(errors="replace").splitlines()
            print(f"the log of {self.name} ends with:", *said[-LOG_LINES:], sep="\n", file=sys.stderr)

    @abstractmethod
    def _await_ready(self) -> None:
        """Return once it takes connections, with *address* set. Raises RuntimeError."""

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._process.kill()
        self._process.wait()

    @property
    def log_path(self) -> Path:
        """What it says goes there."""
        return self.directory.with_suffix(".log")

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def host(self) -> str:
        """The address as a header says it."""
        return "{}:{}".format(*self.address)

    def wait_idle(self, within_s: float = IDLE_WITHIN_S) -> None:
        """Return when it hardly uses a processor any more: what it began is written. Gives up in time."""
        until_s = time.perf_counter() + within_s
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
