"""Has every kernel compiled before anything waits for it, and says how far that is. What they do, others know.

Compiled kernels are kept (``offbeat_detectors.machine_code``). If any is missing, a second process compiles too, if
there is a second processor: it begins at the other end, and each finds what the other has made. It goes on to the
kernels of analyses, and of detectors that no job uses yet. The daemon never waits for it: what is not there, it
compiles itself. So does a start that finds analyses whose journal must be replayed.
"""
from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, TextIO

from numba.core import event

from offbeat import systemd, wire
from offbeat.engine.analysis.warm import warm_up as warm_up_analyses
from offbeat.engine.warm import warm_up as warm_up_engine
from offbeat_detectors import machine_code
from offbeat_detectors.kernel import KERNELS, Kernel, Part
from offbeat_detectors.warm import warm_up, warm_up_others

OTHERS = ("offbeat_detectors.ewma", "offbeat_detectors.joint", "offbeat_detectors.online_clusters",
          "offbeat_detectors.population", "offbeat_detectors.parts", "offbeat_detectors.rhythm_divided")
"""Modules whose kernels are compiled when the daemon is ready, unless a job, or a long journal, needs them before."""
OF_ANALYSES = ("offbeat_detectors.buckets.", "offbeat.engine.analysis.")
"""The same, all modules of these packages."""
SAY_EVERY_S, DRAW_EVERY_S = 5.0, 0.2
ESTIMATE_FROM = 0.15
"""Of the work; the time left cannot be told from less."""
WIDTH = 30


class Kernels:
    """The kernels of a daemon whose built-in job has this *model* with these *parameters*.

    helper  the other process, None while there is none
    """

    def __init__(self, model: str, parameters: Mapping[str, object], say: TextIO = sys.stderr) -> None:
        self._model, self._parameters, self._say = model, parameters, say
        self.helper: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Compile what the daemon needs, or load it. Says how far it is if there is anything to compile."""
        print("offbeat: preparing the kernels", file=self._say, flush=True)
        systemd.notify("STATUS=preparing the kernels")
        progress = Progress(self._say, self._begin, self._helped)
        with event.install_listener("numba:compile", progress):
            warm_up(self._model, self._parameters)
            warm_up_engine()
            wire.warm_up()
        progress.end()

    def prepare_others(self) -> None:
        """Begin to compile, in another process, what the daemon does not need yet; at once, if it is all there."""
        if self.helper is None and not self._unkept() and not machine_code.is_marked(of_detectors()):
            self._start()

    def attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let *loop* see to the other process, if there is one, until it ends: nothing of it stays behind."""
        if self.helper is not None and self.helper.stdout is not None:
            loop.add_reader(self.helper.stdout.fileno(), self._look, loop, self.helper, self.helper.stdout)

    def _look(self, loop: asyncio.AbstractEventLoop, helper: subprocess.Popen[bytes], names: IO[bytes]) -> None:
        if names.read() == b"":  # the end, not a pause, of which there would be None
            loop.remove_reader(names.fileno())
            names.close()
            helper.wait()
            self.helper = None

    def stop(self) -> None:
        """End the other process, if it is still at work."""
        if self.helper is not None:
            self.helper.kill()
            self.helper.wait()
            assert self.helper.stdout is not None
            self.helper.stdout.close()

    def _begin(self) -> str:
        """Something must be compiled: have help, and say what it costs."""
        if self._unkept():
            return ("which takes about half a minute at each start: no directory can be written to keep them, "
                    "NUMBA_CACHE_DIR may name one")
        if _processors() > 1:
            self._start()
        return f"which takes about half a minute the first time; they are kept in {machine_code.directory()}"

    def _unkept(self) -> bool:
        kept = machine_code.directory()
        return kept is None or not machine_code.writable(kept)

    def _start(self) -> None:
        given = json.dumps([self._model, dict(self._parameters)], default=str)
        self.helper = subprocess.Popen(
            [sys.executable, "-m", "offbeat.kernels", given], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            start_new_session=True)  # a Ctrl-C in the terminal is for the daemon, which then ends it
        assert self.helper.stdout is not None
        os.set_blocking(self.helper.stdout.fileno(), False)

    def _helped(self) -> list[str]:
        """Names of the kernels that the other process has compiled since this was last asked."""
        if self.helper is None or self.helper.stdout is None:
            return []
        return (self.helper.stdout.read() or b"").decode().split()


class Progress(event.Listener):  # type: ignore[misc]
    """Says on a stream how many kernels are compiled: a bar on a terminal, else a line now and then.

    begin  called at the first; what it gives is said    helped  gives the names of those that another process compiled
    """

    def __init__(self, stream: TextIO, begin: Callable[[], str], helped: Callable[[], list[str]]) -> None:
        self._stream, self._begin, self._helped = stream, begin, helped
        self._needed = needed_names()
        self._done: set[str] = set()
        self._began_s = self._said_s = 0.0
        self._bar = stream.isatty()

    def on_start(self, event: event.Event) -> None:
        """A kernel is about to be compiled."""
        if not self._began_s:
            self._began_s = self._said_s = time.monotonic()
            print(f"offbeat: preparing the kernels: compiling, {self._begin()}", file=self._stream, flush=True)

    def on_end(self, event: event.Event) -> None:
        """A kernel is compiled."""
        self._done.add(_name(event.data["dispatcher"]))
        self._done.update(self._helped())
        now_s = time.monotonic()
        if now_s - self._said_s >= (DRAW_EVERY_S if self._bar else SAY_EVERY_S):
            self._said_s = now_s
            self._tell(len(self._done & self._needed) / len(self._needed), now_s - self._began_s)

    def end(self) -> None:
        """All are compiled."""
        if self._began_s:
            took_s = time.monotonic() - self._began_s
            clear = "\r\x1b[K" if self._bar else ""
            print(f"{clear}offbeat: preparing the kernels took {took_s:.0f} s", file=self._stream, flush=True)

    def _tell(self, share: float, spent_s: float) -> None:
        left = f", about {spent_s / share - spent_s:.0f} s left" if share >= ESTIMATE_FROM else ""
        said = f"preparing the kernels: {share:.0%}{left}"
        systemd.notify(f"STATUS={said}")
        if self._bar:
            full = round(share * WIDTH)
            print(f"\r\x1b[K{'━' * full}{'─' * (WIDTH - full)} {said}", end="", file=self._stream, flush=True)
        else:
            print(f"offbeat: {said}", file=self._stream, flush=True)


class Names(event.Listener):  # type: ignore[misc]
    """Writes the name of each kernel that is compiled on stdout. If nobody reads any more, the process ends."""

    def on_start(self, event: event.Event) -> None:
        """Nothing is compiled yet."""

    def on_end(self, event: event.Event) -> None:
        """A kernel is compiled."""
        try:
            print(_name(event.data["dispatcher"]), flush=True)
        except BrokenPipeError:
            os._exit(1)


def needed_names() -> set[str]:
    """Names of the kernels that are compiled before the daemon is ready; few of them may not be."""
    return {_name(each) for each in KERNELS if not _later(each)}


def _later(kernel: Kernel) -> bool:
    module = kernel.py_func.__module__
    return module in OTHERS or module.startswith(OF_ANALYSES)


def of_detectors() -> list[Kernel]:
    """The kernels of the detectors' own modules, the same whatever else a process has imported."""
    rhythm = "offbeat_detectors.rhythm"
    return sorted((each for each in KERNELS if _later(each) or each.py_func.__module__ == rhythm), key=_name)


def _name(kernel: Kernel | Part) -> str:
    return f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(given: str) -> None:
    """The other process: compile from the end that the daemon comes to last, then, behind all others, the rest."""
    model, parameters = json.loads(given)
    with event.install_listener("numba:compile", Names()):
        wire.warm_up()
        warm_up_engine()
        warm_up(model, parameters)
        os.nice(19)
        warm_up_analyses()
        warm_up_others()
    machine_code.mark(of_detectors())


if __name__ == "__main__":
    main(sys.argv[1])
