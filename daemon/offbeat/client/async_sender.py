"""The sender of an event loop: it takes events at once, and a task sends them, in order, until each is answered."""
from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from offbeat.client.calls import Call
from offbeat.client.errors import ClientError, NotInTime, QueueFull, Refusal, SenderClosed
from offbeat.client.events import lines_of
from offbeat.client.outbox import Batch, Outbox, Posting, SenderOptions, lots
from offbeat.client.receipts import Receipt, Rejection, listed
from offbeat.client.retrying import Attempts, Retry
from offbeat.client.sender import LEAVING_S, LOG, LOT_EVENTS, log_rejected, note_of


class Ask(Protocol):
    """``AsyncClient._ask``."""

    async def __call__(
        self, call: Call, attempts: Attempts, sleep: Callable[[float], Awaitable[object]]
    ) -> dict[str, Any]:
        """What the daemon answers to *call*, asked again as *attempts* says, with *sleep* in between."""


class AsyncSender:
    """Collects events into batches and sends them. ``AsyncClient.sender`` makes one; use it as an async context.

    What it promises is what ``Sender`` does.
    """

    def __init__(
        self,
        ask: Ask,
        retry: Retry,
        on_rejected: Callable[[Sequence[Rejection]], None] | None,
        options: SenderOptions,
    ) -> None:
        self._ask, self._retry = ask, retry
        self._on_rejected = on_rejected or log_rejected
        self._posting, self._outbox = Posting.of(options), Outbox(options)
        self._changed = asyncio.Event()
        """Set and replaced at each change: whoever waits looks again."""
        self._closed = self._told = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncSender:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        try:
            await self.close(LEAVING_S)
        except ClientError as e:
            note_of(error, e)

    @property
    def receipt(self) -> Receipt:
        """What became of the events so far."""
        return self._outbox.receipt.copy()

    @property
    def waiting(self) -> int:
        """Events that no answer covers yet."""
        return self._outbox.taken - self._outbox.settled

    async def send(
        self,
        events: Any,
        *,
        columns: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Take *events*, which may be one; how many they were. Waits while as much waits as may."""
        taken = at = 0
        try:
            async with asyncio.timeout(timeout_s):
                for lot in lots(lines_of(events, columns=columns, extra=extra), LOT_EVENTS):
                    at = 0
                    while True:
                        self._check()
                        at = self._outbox.put(lot, at, time.monotonic())
                        self._change()
                        if at == len(lot):
                            break
                        await self._until(lambda: self._outbox.has_room or self._over)
                    taken += len(lot)
        except TimeoutError:
            raise QueueFull("as much waits for the daemon as may", taken=taken + at) from None
        return taken

    async def flush(self, timeout_s: float | None = None) -> Receipt:
        """Send all that was taken so far, and return once it is answered: what became of all events until now."""
        upto = self._outbox.flush()
        self._change()
        try:
            async with asyncio.timeout(timeout_s):
                await self._until(lambda: self._outbox.settled >= upto or self._outbox.failed is not None)
        except TimeoutError:
            raise NotInTime(f"{upto - self._outbox.settled:,} events are not answered after {timeout_s} s") from None
        self._raise_lost()
        return self.receipt

    async def close(self, timeout_s: float | None = None) -> Receipt:
        """Flush, and take nothing more. Closing twice is closing once."""
        over = self._closed or (self._told and self._outbox.failed is not None)
        self._closed = True
        try:
            if not over:
                await self.flush(timeout_s)
        except NotInTime as e:
            self._outbox.failed = self._outbox.failed or e
            self._raise_lost()
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
            if self.waiting and not self._told:  # whoever closes was cancelled
                LOG.error("%d events are not delivered: the sender was left", self.waiting)
        return self.receipt

    @property
    def _over(self) -> bool:
        return self._closed or self._outbox.failed is not None

    def _raise_lost(self) -> None:
        if (lost := self._outbox.undelivered()) is not None:
            self._told = True
            raise lost from lost.cause

    def _check(self) -> None:
        self._raise_lost()
        if self._closed:
            raise SenderClosed("the sender is closed")
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="offbeat-sender")

    def _change(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, so: Callable[[], bool]) -> None:
        while not so():
            await self._changed.wait()

    async def _work(self) -> None:
        """Send batch after batch until the sender is closed or gives up."""
        try:
            while True:
                await self._deliver(await self._next())
        except ClientError as e:
            self._fail(e)
        except Exception as e:  # of on_rejected: without this task, all would wait for ever
            broken = ClientError(f"the sender broke: {type(e).__name__}: {e}")
            broken.__cause__ = e
            self._fail(broken)

    async def _next(self) -> Batch:
        while (batch := self._outbox.next(time.monotonic())) is None:
            try:
                async with asyncio.timeout(self._outbox.due_in_s(time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass
        self._change()  # there is room
        return batch

    async def _deliver(self, batch: Batch) -> None:
        call, attempts = await self._posting.call_aside(batch), Attempts(self._retry, safe=True)
        answer = await answer_of(self._ask(call, attempts, self._rest))
        rejections = listed(answer, batch.first, batch.data)
        try:
            if answer.get("rejected"):
                self._on_rejected(rejections)
        finally:
            self._outbox.answered(answer, rejections, len(call.body or b""))
            self._change()

    async def _rest(self, wait_s: float) -> None:
        self._outbox.receipt.retries += 1
        await asyncio.sleep(wait_s)

    def _fail(self, error: ClientError) -> None:
        self._outbox.failed = self._outbox.failed or error
        self._change()
        LOG.error("nothing more is sent: %s", error.message)


async def answer_of(asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """What the daemon says of a body; one of which every line is rejected is refused, and counted all the same."""
    try:
        return await asked
    except Refusal as e:
        if e.code != "no_good_line":
            raise
        return e.document
