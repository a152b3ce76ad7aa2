"""How long single requests take while others press: asked at a steady beat from a process of its own."""
from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

ANSWER_TIMEOUT_S = 60.0
ASKERS_MAX = 32


@dataclass(frozen=True, slots=True)
class Question:
    """One request. kind names its figure."""

    kind: str
    method: str
    path: str
    body: bytes | None = None
    content_type: str = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Asked:
    """began_s: moment, of ``time.perf_counter``, one clock for all processes. took_s: until the answer was read."""

    kind: str
    began_s: float
    took_s: float
    size: int


def ask(address: tuple[str, int], questions: Sequence[Question], every_s: float, seconds: float) -> list[Asked]:
    """Ask *questions* in turn, over and over, one each *every_s*, whether those before are answered or not.

    The time of each counts from when it was due, so that a pause is not hidden by what it holds back. Connections are
    kept alive, ASKERS_MAX of them. Raises RuntimeError for an answer that is no success.
    """
    asker = threading.local()
    opened: list[http.client.HTTPConnection] = []

    def answered(one: Question, due_s: float) -> Asked:
        if not hasattr(asker, "connection"):
            asker.connection = http.client.HTTPConnection(*address, timeout=ANSWER_TIMEOUT_S)
            opened.append(asker.connection)
        asker.connection.request(
            one.method, one.path, one.body, {"Content-Type": one.content_type} if one.body else {})
        answer = asker.connection.getresponse()
        document = answer.read()
        if answer.status not in (200, 202):
            raise RuntimeError(f"{one.method} {one.path}: {answer.status} {document[:300]!r}")
        return Asked(one.kind, due_s, time.perf_counter() - due_s, len(document))

    waiting = []
    with ThreadPoolExecutor(ASKERS_MAX) as askers:
        began_s = time.perf_counter()
        for number in range(int(seconds / every_s)):
            due_s = began_s + number * every_s
            time.sleep(max(0.0, due_s - time.perf_counter()))
            waiting.append(askers.submit(answered, questions[number % len(questions)], due_s))
    for connection in opened:
        connection.close()
    return [one.result() for one in waiting]


class Prober:
    """Starts ``ask`` elsewhere. Use ``probing`` to get one."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, address: tuple[str, int], questions: Sequence[Question], every_s: float,
              seconds: float) -> Future[list[Asked]]:
        """The answer comes after *seconds*."""
        return self._pool.submit(ask, address, questions, every_s, seconds)


@contextmanager
def probing() -> Iterator[Prober]:
    """One process that asks, ready when this returns: its start falls into no measurement."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(time.perf_counter).result()
        yield Prober(pool)
