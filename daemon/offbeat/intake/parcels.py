"""What travels from the door to the journal, and the bound on how much of it may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from offbeat.errors import IntakeFull
from offbeat.records import Decoded, Receipt
from offbeat.store.database import Statements
from offbeat.store.journal import KeyRow
from offbeat.wire.options import Options

SMALL_BYTES = 128 * 1024
"""Less than this is decoded on the event loop: it takes less time there than to hand it to a thread."""


def on_second_call(function: Callable[[], None]) -> Callable[[], None]:
    """What calls *function* when it is called for the second time: when both have done with a thing."""
    left = [function]

    def call() -> None:
        if not left:
            function()
        left.clear()

    return call


class Budget:
    """Bytes between the door and the engine, bounded; *refused(bound)* is called for each body that is refused.

    closed  why none may be taken at all: what was taken before has filled the memory behind the engine
    """

    def __init__(self, bytes_max: int, refused: Callable[[str], None]) -> None:
        self._bytes_max, self._refused = bytes_max, refused
        self._room = asyncio.Event()
        self.pending_bytes = 0
        self.closed = ""

    def close(self, reason: str) -> None:
        """Take nothing for this *reason*; with "", take again."""
        self.closed = reason
        self._room.set()

    def full(self, count: int) -> bool:
        """Would ``take`` refuse *count* bytes?"""
        return bool(self.closed or (self.pending_bytes and self.pending_bytes + count > self._bytes_max))

    def take(self, count: int) -> None:
        """Reserve *count* bytes. Raises IntakeFull, at once; a body larger than all there is may come alone."""
        if self.closed:
            self._refused("tail")
            raise IntakeFull(
                f"{self.closed}; nothing of this body was stored",
                hint="send it again after Retry-After",
                where={"limit": "store.tail_readings_max"},
            )
        if self.full(count):
            self._refused("pending")
            raise IntakeFull(
                f"{self.pending_bytes} bytes wait to be journaled, {self._bytes_max} may; nothing of this body "
                "was stored",
                hint="send it again after Retry-After",
                where={"pending_bytes": self.pending_bytes},
            )
        self.pending_bytes += count

    async def take_when_free(self, count: int, timeout_s: float) -> None:
        """Reserve *count* bytes, for a stream, which can wait: its sender stops sending meanwhile.

        Raises IntakeFull after *timeout_s*.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self.full(count):
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            pass
        self.take(count)

    def give(self, count: int) -> None:
        """Return *count* bytes."""
        self.pending_bytes -= count
        self._room.set()


@dataclass(slots=True)
class Waiter:
    """One body, or block of one, on its way; *taken* is told what became of it.

    first_line  as ``wire.decode`` wants it, None for the beginning
    key_row     given the receipt, what to remember of the Idempotency-Key in the same transaction
    beside      what else that transaction writes: rows of a gateway, which has more to keep than events
    """

    body: bytes
    options: Options
    arrival_ms: int
    first_line: int | None
    key_row: Callable[[Receipt], KeyRow] | None
    beside: Statements = ()
    taken: asyncio.Future[Receipt] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Parcel:
    """Some bodies with equal options, decoded together."""

    decoded: Decoded
    waiters: list[Waiter]

    @property
    def body_bytes(self) -> int:
        return sum(len(w.body) for w in self.waiters)
