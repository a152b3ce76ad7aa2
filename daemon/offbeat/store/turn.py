"""Whose turn it is to write: one at a time, and who has senders waiting first. Knows nothing of what is written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turn:
    """Like a lock that is given in order of arrival, but for who asks to be the next.

    Only one at a time may ask that: it cannot have a turn again before those that waited meanwhile had one of theirs.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def taken(self, *, next: bool = False) -> AsyncIterator[None]:
        """The turn, as long as the context lasts; *next*: before all that wait."""
        if self._taken:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if next:
                self._waiting.appendleft(mine)
            else:
                self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if not mine.cancelled():  # it was given already
                    self._pass_on()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():  # cancelled, else
                following.set_result(None)
                return
        self._taken = False


class Turns:
    """A turn for each name: who has that of a name has it alone; those of other names go on."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """The turn of *name*, as long as the context lasts."""
        lock, users = self._held.get(name, (asyncio.Lock(), 0))
        self._held[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._held[name]
            if users == 1:
                del self._held[name]
            else:
                self._held[name] = lock, users - 1
