"""Work shared out over processes: each job is done once, progress is told, and all of them end when the first fails."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from offbeat.errors import OffbeatError

Job = TypeVar("Job")
Result = TypeVar("Result")
Tell = Callable[[int, int], None]
"""Called with how many events, and how much of the whole (readings, bytes), were done since the last call."""


class WorkerFailed(OffbeatError):
    """A process of the back-test ended before its work was done."""

    code = "worker_failed"


def share_out(
    work: Callable[[Job, Tell], Result], jobs: Sequence[Job], workers: int, tell: Tell
) -> list[Result]:
    """The result of ``work(job, tell)`` for each of *jobs*, in their order, done by up to *workers* processes.

    work  a function of a module, for another process imports it; what it tells is told to *tell* here
    Raises what *work* raises, if that is an OffbeatError or an OSError; WorkerFailed for anything else. Whatever ends
    it, Ctrl-C too, no process is left behind.
    """
    results: dict[int, Result] = {}
    waiting = list(enumerate(jobs))
    crew: list[Worker[Job, Result]] = []
    try:
        for _ in range(min(workers, len(jobs))):
            crew.append(Worker(work))
        for worker in crew:
            worker.give(*waiting.pop(0))
        while len(results) < len(jobs):
            ready = wait([worker.pipe for worker in crew])
            for worker in [one for one in crew if one.pipe in ready]:
                kind, value = worker.hear()
                if kind == "told":
                    tell(*value)
                elif kind == "failed":
                    raise value
                else:
                    results[worker.job] = value
                    if waiting:
                        worker.give(*waiting.pop(0))
    finally:
        for worker in crew:
            worker.end()
    return [results[i] for i in range(len(jobs))]


class Worker(Generic[Job, Result]):
    """One process that does one job after the other."""

    def __init__(self, work: Callable[[Job, Tell], Result]) -> None:
        # Spawned, not forked: threads of this process (a database's, numba's) would be half there in a fork.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.job = -1
        self._process: SpawnProcess = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, number: int, job: Job) -> None:
        """Let it begin the next job."""
        self.job = number
        try:
            self.pipe.send(job)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died() from None

    def hear(self) -> tuple[str, Any]:
        """What it says next: told, done or failed, and with what. Raises WorkerFailed if it is gone."""
        try:
            heard: tuple[str, Any] = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        return heard

    def _died(self) -> WorkerFailed:
        self._process.join(5)
        return WorkerFailed(
            f"a process of the back-test ended by itself (status {self._process.exitcode})",
            hint="it may have run out of memory: fewer --workers, or a shorter span of time",
        )

    def end(self) -> None:
        """The process is gone when this returns."""
        self.pipe.close()
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, work: Callable[[Any, Tell], Any]) -> None:
    """What a worker's process does until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the first process ends the others
    try:
        while True:
            job = pipe.recv()
            try:
                result = work(job, lambda events, part: pipe.send(("told", (events, part))))
            except (OffbeatError, OSError) as e:
                pipe.send(("failed", e))
            except BrokenPipeError:
                raise
            except Exception as e:
                message = f"an error that this program did not expect: {type(e).__name__}: {e}"
                pipe.send(("failed", WorkerFailed(message, hint="please report it")))
            else:
                pipe.send(("done", result))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
