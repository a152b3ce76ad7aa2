"""What requests about measurements share: locks, room for large bodies, how much is stored; and the analyses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from offbeat.clock import Clock
from offbeat.config import MvgConfig
from offbeat.errors import StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store import mvg as store
from offbeat.store.database import Database
from offbeat.vibration.runner import Runner

AGAIN_S = 5.0
"""So long it waits when the store cannot be written."""


class Measured:
    """One for the daemon. ``run`` runs beside it, after ``begin``.

    uploads  room for large bodies    stored_bytes  what all measurements hold, compressed
    """

    def __init__(self, database: Database, config: Callable[[], MvgConfig], clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self.runner = Runner(database, config, clock, metrics)
        self.uploads = asyncio.Semaphore(config().uploads_max)
        self.stored_bytes = 0
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._deleted: asyncio.Queue[int] = asyncio.Queue()
        metrics.measured_bytes.set_function(lambda: self.stored_bytes)

    def lock(self, of: tuple[str, ...]) -> asyncio.Lock:
        """The lock of a tenant (one name) or of one source (two): who changes it holds it; a tenant's comes first."""
        lock = self._locks.get(of)
        if lock is None:
            lock = self._locks[of] = asyncio.Lock()
        return lock

    async def begin(self) -> None:
        """Know how much is stored, and take up the analyses that were under way."""
        self.stored_bytes = await store.stored_bytes(self._database)
        for number in await store.deleted_sources(self._database):
            self._deleted.put_nowait(number)
        await self.runner.begin()

    async def run(self) -> None:
        """Compute analyses and remove what deleted sources left, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.runner.run())
            group.create_task(self._remove_orphans())

    def source_deleted(self, number: int) -> None:
        """The measurements of source *number* have lost it."""
        self._deleted.put_nowait(number)

    async def _remove_orphans(self) -> None:
        while True:
            number = await self._deleted.get()
            try:
                while freed := await store.remove_some(self._database, number):
                    self.stored_bytes -= freed
            except StoreUnavailable:
                self._deleted.put_nowait(number)
                await asyncio.sleep(AGAIN_S)
