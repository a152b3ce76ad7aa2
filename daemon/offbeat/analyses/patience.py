"""Writes of results that wait until the store can be written again: what was acknowledged is not given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from offbeat.errors import StoreUnavailable

RETRY_S = 1.0

log = logging.getLogger(__name__)


async def until_stored(work: Callable[[], Awaitable[None]]) -> None:
    """Do *work*, and again while the store cannot be written or read."""
    while True:
        try:
            await work()
            return
        except StoreUnavailable as e:
            log.warning("results of an analysis wait: %s", e.message)
            await asyncio.sleep(RETRY_S)
