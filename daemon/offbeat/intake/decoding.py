"""The decode pool: what waits with equal options is decoded together, on threads that release the interpreter lock."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from offbeat import wire
from offbeat.intake.committer import Committer
from offbeat.intake.parcels import SMALL_BYTES, Parcel, Waiter
from offbeat.metrics import Metrics
from offbeat.records import Decoded

TOGETHER_BYTES_MAX = 1024 * 1024
TOGETHER_BODIES_MAX = 4096
CAREFUL_LINES_MAX = 256
"""What needs more lines to be read with care is decoded on a thread after all: the event loop would stand still."""
PATIENCE = 0.5
"""How long little bodies wait for those of senders that were just answered, in durations of the last transaction."""


class Decoding:
    """Takes waiters in order of arrival, gives parcels to the *committer* on the event loop."""

    def __init__(self, threads: int, metrics: Metrics, committer: Committer) -> None:
        self._committer = committer
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._threads, self._metrics = threads, metrics
        self._waiting: deque[Waiter] = deque()
        self._bytes = 0  # of what waits
        self._some = asyncio.Event()
        self._gathering = asyncio.Lock()
        self._wanted = 0  # bodies: while so many do not wait, who gathers does
        self._gathered = asyncio.Event()

    def put(self, waiter: Waiter) -> None:
        """Queue one body."""
        self._waiting.append(waiter)
        self._bytes += len(waiter.body)
        self._some.set()
        if len(self._waiting) >= self._wanted or self._bytes >= SMALL_BYTES:
            self._gathered.set()

    async def run(self) -> None:
        """Decode what is put, as many parcels at once as there are threads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._threads):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            if self._bytes < SMALL_BYTES:
                async with self._gathering:
                    await self._gather()
            if self._bytes >= SMALL_BYTES:
                await self._decode(self._together(), here=False)
            while self._waiting and self._bytes < SMALL_BYTES:
                await self._decode(self._together(), here=True)

    async def _gather(self) -> None:
        """Wait for what may go with the little that waits: until the transaction under way, if there is one, has ended.

        Then those that it answered mostly send again at once. Theirs is waited for a part of the time that a
        transaction takes, so that one lot of senders does not wait for the transactions of another in turn: where
        senders are few or rare, nobody waits.
        """
        committer, loop = self._committer, asyncio.get_running_loop()
        before = 0
        if committer.under_way:
            await committer.commit_over()
            before = len(self._waiting)
        ended = committer.ended
        self._wanted = before + ended.bodies
        left_s = ended.at_s + PATIENCE * ended.took_s - loop.time()
        if 0 < len(self._waiting) < self._wanted and self._bytes < SMALL_BYTES and left_s > 0:
            self._gathered.clear()
            timer = loop.call_later(left_s, self._gathered.set)
            await self._gathered.wait()
            timer.cancel()

    async def _decode(self, waiters: list[Waiter], *, here: bool) -> None:
        """Decode *waiters* and hand them on: *here*, on the event loop, unless that would take long, or in the pool."""
        decoded: Decoded | None = None
        try:
            with self._metrics.decode_seconds.time():
                if here:
                    with suppress(wire.NeedsCare):
                        decoded = decoded_of(waiters, CAREFUL_LINES_MAX)
                if decoded is None:
                    decoded = await asyncio.get_running_loop().run_in_executor(self._pool, decoded_of, waiters)
        except Exception as e:  # a fault of ours: the senders are told, the others go on
            for waiter in waiters:
                if not waiter.taken.done():
                    waiter.taken.set_exception(e)
        else:
            self._committer.put(Parcel(decoded, waiters))

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
        self._bytes -= sum(len(w.body) for w in waiters)
        return waiters

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True)


def decoded_of(waiters: list[Waiter], careful_max: int | None = None) -> Decoded:
    """What the bodies of *waiters*, which have equal options, hold. Raises NeedsCare, see ``wire.decode``."""
    first = 2 if waiters[0].options.format == "csv" else 1
    return wire.decode(
        [w.body for w in waiters],
        waiters[0].options,
        [w.arrival_ms for w in waiters],
        [first if w.first_line is None else w.first_line for w in waiters],
        careful_max,
    )
