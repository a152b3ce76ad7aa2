"""What the workers of the tests do: in a module of its own, for their processes import it by name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat.backtest.workers import Tell
from offbeat.errors import BadRequest
from offbeat_detectors.contract import Opinions
from offbeat_detectors.ewma import Ewma


def doubled(job: int, tell: Tell) -> tuple[int, int]:
    """Work for a worker: twice the number, and which process did it."""
    tell(job, 1)
    return 2 * job, os.getpid()


def refused(job: int, tell: Tell) -> int:
    """Work that does not go well."""
    raise BadRequest(f"{job} is odd", hint="take an even one", where={"field": "job"})


def broken(job: int, tell: Tell) -> int:
    """Work with a fault in it."""
    return job // 0


def killed(job: int, tell: Tell) -> int:
    """Work that ends its process."""
    os._exit(9)


def endless(job: int, tell: Tell) -> None:
    """Work that only a signal ends."""
    while True:
        tell(0, 1)
        time.sleep(0.001)


@contextmanager
def quietly(total: int) -> Iterator[Tell]:
    """Progress that nobody looks at, but that never goes beyond the whole by much."""
    done = 0

    def tell(events: int, part: int) -> None:
        nonlocal done
        done += part

    yield tell
    assert total > 0 and done <= 1.1 * total + 1000


def at_home(work: Callable[[Any, Tell], Any], jobs: Sequence[Any], workers: int, tell: Tell) -> list[Any]:
    """As ``share_out``, without another process."""
    return [work(job, tell) for job in jobs]


class Together(Ewma):
    """A model whose series learn from one another, by what it says of itself."""

    group_by = "field"

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Groups do not matter to it."""


class Waiting(Ewma):
    """A model that says on one named pipe that it is at work, and then waits for another one without end."""

    def __init__(self, capacity: int, *, begun: str, never: str) -> None:
        super().__init__(capacity)
        self._begun, self._never = begun, never

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Wait."""
        with open(self._begun, "w") as pipe:
            pipe.write(str(os.getpid()))
        with open(self._never) as pipe:
            pipe.read()
        return super().process(slot, time_ms, value)
