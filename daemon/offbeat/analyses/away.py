"""Models that are in the store alone: those of closed jobs, until somebody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from offbeat.analyses.patience import until_stored
from offbeat.analyses.running import About, Running
from offbeat.engine.analysis.entries import Command, Upload
from offbeat.engine.entries import Entry
from offbeat.store import analyses as kept
from offbeat.store.database import Database


class Away:
    """Puts analyses away, and has them back; *on_thread* runs a function on the thread of the analyses."""

    def __init__(self, database: Database, on_thread: Callable[..., Awaitable[Any]]) -> None:
        self._database, self._on_thread = database, on_thread
        self._coming_back = asyncio.Lock()

    async def put(self, running: Running) -> None:
        """Keep its models in the store alone, if its checkpoint has them and nobody asks them; no entry is applied."""
        if running.away is not None or running.failed or running.changed is not None or running.asked:
            return
        if not await kept.has_state(self._database, running.number, kept.position(running.seq)):
            return
        about = await self._on_thread(About.of, running.state)
        if not running.asked:
            running.put_away(about)

    async def back(self, running: Running) -> None:
        """Have its models in memory. Raises StoreUnavailable, and whatever is wrong with them in the store."""
        if running.away is None:
            return
        async with self._coming_back:
            if running.away is not None:
                state = await kept.load_state(self._database, running.number, kept.position(running.seq))
                await self._on_thread(running.come_back, state)

    async def back_for(self, waiting: Iterable[tuple[Entry, object]], running: Mapping[int, Running]) -> None:
        """Have in memory the models that these entries are for; those that cannot be read have failed."""
        for entry, _ in waiting:
            if isinstance(entry.body, Upload | Command) and (one := running.get(entry.body.job)) is not None:
                try:
                    await until_stored(partial(self.back, one))
                except Exception as e:
                    one.fail(e, entry.seq)
