"""Who asked to be told when an analysis ends is told, a few times at most; whether that works changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from offbeat.config import MvgConfig

log = logging.getLogger("offbeat.mvg")
ATTEMPTS = 3
WAITING_MAX = 100
"""So many are told at once; who would be one more is not, and that is logged."""


def allowed(url: str, config: MvgConfig) -> str | None:
    """None if *url* may be called, else why not."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "it is no address"
    if parts.scheme not in ("http", "https") or not host:
        return "expected an address that begins with http:// or https://"
    if config.callback_hosts and host not in config.callback_hosts:
        return f"{host} is not one of mvg.callback_hosts"
    return None


class Callbacks:
    """Tells clients that their analyses ended. ``close`` gives up on those that are not told yet."""

    def __init__(self, config: Callable[[], MvgConfig], retry_s: float = 1.0) -> None:
        self._config, self._retry_s = config, retry_s
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, url: str, id: str, status: str) -> None:
        """Tell *url* that analysis *id* ended with *status*; returns at once."""
        if len(self._under_way) >= WAITING_MAX:
            log.warning("analysis %s: %s is not told, for %d others wait to be", id, url, WAITING_MAX)
            return
        task = asyncio.create_task(self._told(url, id, status))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _told(self, url: str, id: str, status: str) -> None:
        config = self._config()
        if (reason := allowed(url, config)) is not None:  # the settings may have changed since
            log.warning("analysis %s: %s is not told: %s", id, url, reason)
            return
        timeout = aiohttp.ClientTimeout(config.callback_timeout_s)
        said = {"request_id": id, "request_status": status}
        problem = ""
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(attempt * self._retry_s)
            try:
                async with (
                    aiohttp.ClientSession(timeout=timeout) as session,
                    session.post(f"{url.rstrip('/')}/analyses", json=said, allow_redirects=False) as answer,
                ):
                    if answer.status < 300:
                        return
                    problem = f"it answered {answer.status}"
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as e:
                problem = str(e) or type(e).__name__
        log.warning("analysis %s: %s could not be told that it is %s: %s", id, url, status, problem)

    async def close(self) -> None:
        """Give up on those that are not told yet."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
