"""Runs of clustering over a real store: what comes due meanwhile follows, and one that fails changes nothing."""
from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offbeat import clustering
from offbeat.clustering import Clustering
from offbeat.errors import StoreUnavailable
from offbeat.store import energy
from offbeat.store.database import Database, prepare

CLUSTERED = clustering.clustered
BATCH = 10


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[tuple[Database, Clustering]]:
    """A store, and clustering of it as the daemon has it."""
    prepare(path)
    async with Database(path) as database:
        runs = Clustering(database)
        task = asyncio.create_task(runs.run())
        try:
            yield database, runs
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def store(database: Database, runs: Clustering, count: int) -> None:
    """So many events, each in a transaction of its own, as the gateway stores them."""
    for i in range(count):
        await database.write(energy.kept(0, 0, 1, [100.0 + i % 3, *[1.0] * 7], "{}", BATCH))
        runs.look()


async def until_done(database: Database, done: int) -> None:
    async with asyncio.timeout(60):
        while (await energy.batches(database)).done != done:
            pass


def count_of(rows: tuple[energy.ClusterRow, ...]) -> int:
    return sum(row.count for row in rows)


async def test_what_comes_due_while_a_run_goes_on_is_one_run_more_and_storing_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, sizes = threading.Event(), threading.Event(), []

    def slow(features: np.ndarray[Any, Any]) -> list[energy.ClusterRow]:
        sizes.append(len(features))
        begun.set()
        assert goes_on.wait(60)
        return CLUSTERED(features)

    monkeypatch.setattr(clustering, "clustered", slow)
    async with running(tmp_path / "store") as (database, runs):
        await store(database, runs, BATCH)
        assert await asyncio.to_thread(begun.wait, 60)
        await store(database, runs, 2 * BATCH + 3)
        assert await energy.summary(database) == ()
        goes_on.set()
        await until_done(database, 3 * BATCH)
        assert (sizes, count_of(await energy.summary(database))) == ([BATCH, 3 * BATCH], 3 * BATCH)


async def test_a_run_that_fails_leaves_the_clusters_before_until_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried, failed = [], threading.Event()

    def failing(features: np.ndarray[Any, Any]) -> list[energy.ClusterRow]:
        tried.append(len(features))
        if len(features) == 2 * BATCH:
            failed.set()
            raise MemoryError("no room")
        return CLUSTERED(features)

    monkeypatch.setattr(clustering, "clustered", failing)
    async with running(tmp_path / "store") as (database, runs):
        await store(database, runs, BATCH)
        await until_done(database, BATCH)
        before = await energy.summary(database)
        await store(database, runs, BATCH + 5)
        assert await asyncio.to_thread(failed.wait, 60)
        assert await energy.summary(database) == before != ()
        await store(database, runs, 5)
        await until_done(database, 3 * BATCH)
        assert tried == [BATCH, 2 * BATCH, 3 * BATCH]
    assert "the clustering of 20 events failed; the clusters before stay" in caplog.text


async def test_a_run_that_the_store_did_not_take_is_made_once_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refused = energy.replace, []

    async def unwritable(*given: Any) -> None:
        if not refused:
            refused.append(given)
            raise StoreUnavailable("the disk is full")
        await replace(*given)

    monkeypatch.setattr(energy, "replace", unwritable)
    monkeypatch.setattr(clustering, "AGAIN_S", 0.0)
    async with running(tmp_path / "offbeat.sqlite") as (database, runs):
        await store(database, runs, BATCH)  # and no event after them
        await until_done(database, BATCH)
        assert len(refused) == 1 and count_of(await energy.summary(database)) == BATCH


async def test_a_run_that_was_due_is_made_after_a_restart(tmp_path: Path) -> None:
    prepare(tmp_path / "store")
    async with Database(tmp_path / "store") as database:
        await store(database, Clustering(database), BATCH)
    async with running(tmp_path / "store") as (database, _):
        await until_done(database, BATCH)
        assert count_of(await energy.summary(database)) == BATCH
