"""Acknowledged is kept, once.

Whatever the moment of a SIGKILL, the results are those of a run that was never killed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.system.daemon import Daemon, daemon, everything
from tests.system.load import Body, bodies

# Small limits, so that a short run has many checkpoints, full tails and pruned entries.
CONFIG = """
[engine]
tick_s = 0.2
shard_series = 64
[store]
checkpoint_s = 0.2
tail_readings_max = 5000
"""
CONNECTIONS = 2
SOURCES = 20


def load(kills: int) -> list[list[Body]]:
    """A list of bodies for each connection; a source belongs to one of them, so that its events keep their order."""
    return [bodies(seed, 70 * kills, 25, [f"s{seed}-{i}" for i in range(SOURCES)]) for seed in range(CONNECTIONS)]


class Senders:
    """Sends each connection's bodies in order.

    After a failure each goes on with the first that was not acknowledged.
    """

    def __init__(self, lists: list[list[Body]]) -> None:
        self._lists = lists
        self._next = [0] * len(lists)
        self.acknowledged = 0

    @property
    def done(self) -> bool:
        return all(at == len(bodies) for at, bodies in zip(self._next, self._lists, strict=True))

    async def send(self, url: str, on_acknowledged: Callable[[int], None]) -> None:
        """Send until all is sent or the daemon is gone."""
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(self._connection(session, url, i, on_acknowledged) for i in range(len(self._lists))))

    async def _connection(
        self, session: aiohttp.ClientSession, url: str, i: int, on_acknowledged: Callable[[int], None]
    ) -> None:
        while self._next[i] < len(self._lists[i]):
            body = self._lists[i][self._next[i]]
            try:
                async with session.post(
                    url + body.path,
                    data=body.data,
                    headers={"Content-Type": body.content_type, "Idempotency-Key": body.key},
                ) as answer:
                    document = await answer.json() if answer.content_type == "application/json" else {}
                    if answer.status == 429:  # memory is full: until more of it is packed
                        await asyncio.sleep(0.02)
                        continue
                    assert answer.status in (202, 204), document
            except (aiohttp.ClientError, ConnectionError):
                return
            self._next[i] += 1
            self.acknowledged += 1
            on_acknowledged(self.acknowledged)


async def uninterrupted(state_dir: Path, config: Path, lists: list[list[Body]]) -> dict[str, Any]:
    with daemon(state_dir, config) as running:
        senders = Senders(lists)
        await senders.send(running.url, lambda _: None)
        assert senders.done
        return await everything(running.url)


async def killed(state_dir: Path, config: Path, lists: list[list[Body]], kills: int, seed: int) -> dict[str, Any]:
    rng, senders = random.Random(seed), Senders(lists)
    for _ in range(kills):
        running = Daemon(state_dir, config)
        await asyncio.to_thread(running.wait_ready)
        last = senders.acknowledged + rng.randrange(1, 120)

        def kill_at(acknowledged: int, running: Daemon = running, last: int = last) -> None:
            if acknowledged >= last and running.process.poll() is None:
                running.kill()

        await senders.send(running.url, kill_at)
        if running.process.poll() is None:
            running.kill()
    with daemon(state_dir, config) as running:
        await senders.send(running.url, lambda _: None)
        assert senders.done
        return await everything(running.url)


async def the_same_with_and_without(kills: int, tmp_path: Path) -> None:
    config = tmp_path / "offbeat.toml"
    config.write_text(CONFIG)
    lists = load(kills)
    expected = await uninterrupted(tmp_path / "whole", config, lists)
    found = await killed(tmp_path / "killed", config, lists, kills, seed=1)
    assert found.keys() == expected.keys()
    for part in expected:
        assert found[part] == expected[part], part
    assert expected["records"] and expected["rejected"]
    assert sum(source["late_count"] for source in expected["sources"]) > 0


@pytest.mark.timeout(600)
async def test_after_twenty_kills_under_load_every_result_is_that_of_an_uninterrupted_run(tmp_path: Path) -> None:
    await the_same_with_and_without(20, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_after_two_hundred_kills_as_well(tmp_path: Path) -> None:
    await the_same_with_and_without(200, tmp_path)
