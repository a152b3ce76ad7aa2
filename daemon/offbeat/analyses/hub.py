"""Who waits for the results of a job, and is told of each as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from offbeat.engine.analysis.results import BucketResult

WAITING_MAX = 1_000
"""Results that wait for one who waits; beyond it the oldest go, for the newest say most."""


class Hub:
    """Tells results on, by the number of their job. *None* says that the job is at rest or gone."""

    def __init__(self) -> None:
        self._queues: dict[int, list[asyncio.Queue[BucketResult | None]]] = {}

    @contextmanager
    def following(self, number: int) -> Iterator[asyncio.Queue[BucketResult | None]]:
        """The results of a job from now on."""
        queue: asyncio.Queue[BucketResult | None] = asyncio.Queue(WAITING_MAX)
        self._queues.setdefault(number, []).append(queue)
        try:
            yield queue
        finally:
            self._queues[number].remove(queue)
            if not self._queues[number]:
                del self._queues[number]

    def tell(self, number: int, results: Sequence[BucketResult | None]) -> None:
        """Tell all who follow a job."""
        for queue in self._queues.get(number, ()):
            for result in results:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(result)
