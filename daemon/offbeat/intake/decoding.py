"""The decode pool: what waits with equal options is decoded together, on threads that release the interpreter lock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from offbeat import wire
from offbeat.intake.parcels import Parcel, Waiter
from offbeat.metrics import Metrics
from offbeat.records import Decoded

TOGETHER_BYTES_MAX = 1024 * 1024
TOGETHER_BODIES_MAX = 4096
SMALL_BYTES = 16 * 1024
"""Less than this is decoded on the event loop: it takes less time there than handing it to a thread and back."""


class Decoding:
    """Takes waiters in order of arrival, gives parcels to *on_parcel* on the event loop.

    *commit_over* returns when the transaction that is under way, if there is one, has ended.
    """

    def __init__(
        self,
        threads: int,
        metrics: Metrics,
        on_parcel: Callable[[Parcel], None],
        commit_over: Callable[[], Awaitable[None]],
    ) -> None:
        self._commit_over = commit_over
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._threads, self._metrics, self._on_parcel = threads, metrics, on_parcel
        self._waiting: deque[Waiter] = deque()
        self._some = asyncio.Event()

    def put(self, waiter: Waiter) -> None:
        """Queue one body."""
        self._waiting.append(waiter)
        self._some.set()

    async def run(self) -> None:
        """Decode what is put, as many parcels at once as there are threads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._threads):
                group.create_task(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            if self._small():
                await self._commit_over()  # meanwhile more may come, and go with it
                if not self._waiting:
                    continue
            waiters = self._together()
            with self._metrics.decode_seconds.time():
                try:
                    if sum(len(w.body) for w in waiters) < SMALL_BYTES:
                        decoded = self._decode(waiters)
                    else:
                        decoded = await loop.run_in_executor(self._pool, self._decode, waiters)
                except Exception as e:  # a fault of ours: the senders are told, the others go on
                    for waiter in waiters:
                        if not waiter.taken.done():
                            waiter.taken.set_exception(e)
                    continue
            self._on_parcel(Parcel(decoded, waiters))

    def _small(self) -> bool:
        """Is all that waits so little that it had better wait for company?"""
        total = 0
        for waiter in self._waiting:
            total += len(waiter.body)
            if total >= SMALL_BYTES:
                return False
        return True

    def _together(self) -> list[Waiter]:
        """The first that waits, and those behind it that may be decoded with it."""
        first = self._waiting.popleft()
        waiters, total = [first], len(first.body)
        while self._waiting and len(waiters) < TOGETHER_BODIES_MAX:
            candidate = self._waiting[0]
            total += len(candidate.body)
            if candidate.options != first.options or total > TOGETHER_BYTES_MAX:
                break
            waiters.append(self._waiting.popleft())
        return waiters

    @staticmethod
    def _decode(waiters: list[Waiter]) -> Decoded:
        first = 2 if waiters[0].options.format == "csv" else 1
        return wire.decode(
            [w.body for w in waiters],
            waiters[0].options,
            [w.arrival_ms for w in waiters],
            [first if w.first_line is None else w.first_line for w in waiters],
        )

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True)
