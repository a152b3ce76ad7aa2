"""The decode pool: what waits with equal options is decoded together, on threads that release the interpreter lock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

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
    """Takes waiters, gives parcels to the *committer* on the event loop.

    What is little does not wait for what is large: that goes to the pool, in order of arrival; the little is decoded on
    the event loop, when it has waited for company or when the writer is free for a transaction anyway. Together with
    what waits as well it may be as much as a large body: then it goes to the pool too.
    """

    def __init__(self, threads: int, metrics: Metrics, committer: Committer) -> None:
        self._committer = committer
        committer.last_call = self.little
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._threads, self._metrics = threads, metrics
        self._large: deque[Waiter] = deque()
        self._some_large = asyncio.Event()
        self._little: deque[Waiter] = deque()
        self._little_bytes = 0
        self._some_little = asyncio.Event()
        self._wanted = 0  # bodies: while so many do not wait, the little does
        self._gathered = asyncio.Event()

    def put(self, waiter: Waiter) -> None:
        """Queue one body."""
        if len(waiter.body) >= SMALL_BYTES:
            self._to_pool((waiter,))
            return
        self._little.append(waiter)
        self._little_bytes += len(waiter.body)
        self._some_little.set()
        if self._little_bytes >= SMALL_BYTES:
            self._to_pool(self._little)
            self._little.clear()
            self._little_bytes = 0
            self._gathered.set()
        elif len(self._little) >= self._wanted:
            self._gathered.set()

    def _to_pool(self, waiters: Iterable[Waiter]) -> None:
        self._large.extend(waiters)
        self._some_large.set()

    async def run(self) -> None:
        """Decode what is put, as many parcels at once as there are threads, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._attend_little())
            for _ in range(self._threads):
                group.create_task(self._attend_large())

    async def _attend_large(self) -> None:
        while True:
            while not self._large:
                self._some_large.clear()
                await self._some_large.wait()
            waiters = _together(self._large)
            try:
                with self._metrics.decode_seconds.time():
                    decoded = await asyncio.get_running_loop().run_in_executor(self._pool, decoded_of, waiters)
            except Exception as e:
                _fail(waiters, e)
            else:
                self._committer.put(Parcel(decoded, waiters))

    async def _attend_little(self) -> None:
        while True:
            while not self._little:
                self._some_little.clear()
                await self._some_little.wait()
            await self._gather()
            for parcel in self.little():
                self._committer.put(parcel)

    def little(self) -> list[Parcel]:
        """The little that waits, decoded here and now, but for what would take long: that goes to the pool."""
        self._little_bytes, parcels = 0, []
        while self._little:
            waiters = _together(self._little)
            try:
                with self._metrics.decode_seconds.time():
                    decoded = decoded_of(waiters, CAREFUL_LINES_MAX)
            except wire.NeedsCare:
                self._to_pool(waiters)
            except Exception as e:
                _fail(waiters, e)
            else:
                parcels.append(Parcel(decoded, waiters))
        return parcels

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
            before = len(self._little)
        ended = committer.ended
        self._wanted = before + ended.bodies
        left_s = ended.at_s + PATIENCE * ended.took_s - loop.time()
        if 0 < len(self._little) < self._wanted and left_s > 0:
            self._gathered.clear()
            timer = loop.call_later(left_s, self._gathered.set)
            await self._gathered.wait()
            timer.cancel()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True)


def _together(waiting: deque[Waiter]) -> list[Waiter]:
    """The first that waits, and those behind it that may be decoded with it."""
    first = waiting.popleft()
    waiters, total = [first], len(first.body)
    while waiting and len(waiters) < TOGETHER_BODIES_MAX:
        candidate = waiting[0]
        total += len(candidate.body)
        if candidate.options != first.options or total > TOGETHER_BYTES_MAX:
            break
        waiters.append(waiting.popleft())
    return waiters


def _fail(waiters: list[Waiter], fault: Exception) -> None:
    """Tell the senders of a fault of ours; the others go on."""
    for waiter in waiters:
        if not waiter.taken.done():
            waiter.taken.set_exception(fault)


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
