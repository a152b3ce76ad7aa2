"""Closed jobs leave memory, and nobody can tell: not by what they are told, nor by what comes next."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from offbeat import assembly
from offbeat.analyses import upkeep
from offbeat.analyses.running import About, AnalysisFailed
from offbeat.clock import ManualClock
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.spec import CATEGORY_FIELD, DetectorSpec
from offbeat.service import Service, running
from offbeat.store import analyses as kept
from offbeat.store.database import FILE_NAME
from tests.engine.analysis.logs import calm, spec_of
from tests.store.process import START_MS, config
from tests.store.test_analyses_runner import send

ROWS = calm(2_400, 5)
SPEC = spec_of(
    DetectorSpec("metric", "value", by="host"), DetectorSpec("max", "value", over="user"),
    DetectorSpec("rare", by=CATEGORY_FIELD), categorization_field="message", influencers=("user",),
    overlapping_buckets=True, latency_s=60)


async def put_away(service: Service) -> None:
    """What upkeep does once a checkpoint is due."""
    await service.runner.checkpoint_all()
    await upkeep.put_away(service.analyses)


def is_away(service: Service, number: int = 1) -> bool:
    return service.runner._running[number].away is not None


async def results(service: Service) -> list[list[tuple[object, ...]]]:
    return [await service.database.read(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in kept.RESULTS]


async def test_what_comes_next_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    found, states = [], []
    for leaves in (False, True):
        async with running(config(tmp_path / str(leaves)), clock=ManualClock(START_MS)) as service:
            await service.analyses.create(SPEC, {})
            for first in range(0, len(ROWS), 600):
                await send(service, "test", ROWS[first : first + 600])
                await service.analyses.close("test")
                await service.runner.checkpoint_all()
                if leaves:
                    await upkeep.put_away(service.analyses)
                    assert is_away(service)
            found.append(await results(service))
            states.append(await service.runner.ask(1, Analysis.save))
    assert found[0] == found[1]
    assert states[0].keys() == states[1].keys()
    assert all(states[0][name].tobytes() == states[1][name].tobytes() for name in states[0])
    assert await asyncio.to_thread(lambda: assembly.verify(tmp_path / "True").differences) == ()


async def test_what_is_told_of_it_needs_no_models(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        await send(service, "test", ROWS)
        await service.analyses.close("test")
        told, taken = await service.runner.about(1), service.runner.model_bytes
        assert (told, taken > 0) == (await service.runner.ask(1, About.of), True)
        await put_away(service)
        assert await service.runner.about(1) == told
        assert (is_away(service), service.runner.model_bytes) == (True, 0)
        assert await service.runner.ask(1, About.of) == told
        assert (is_away(service), service.runner.model_bytes) == (False, taken)


async def test_one_that_is_open_or_listens_or_was_never_sent_to_stays(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        await service.analyses.create(replace(SPEC, id="hears", sources=("*",)), {})
        await service.analyses.create(replace(SPEC, id="new"), {})
        await send(service, "test", ROWS)
        await put_away(service)
        assert [is_away(service, number) for number in (1, 2, 3)] == [False, False, False]
        await service.analyses.close("test")
        await put_away(service)
        assert [is_away(service, number) for number in (1, 2, 3)] == [True, False, False]
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        assert not is_away(service)
        await put_away(service)
        assert is_away(service)


async def test_models_that_are_asked_or_have_changed_since_their_checkpoint_stay(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        await send(service, "test", ROWS)
        await service.analyses.close("test")
        await upkeep.put_away(service.analyses)
        assert not is_away(service)
        await service.runner.checkpoint_all()
        asked = [asyncio.create_task(service.runner.ask(1, Analysis.save)) for _ in range(20)]
        leaving = [asyncio.create_task(upkeep.put_away(service.analyses)) for _ in range(20)]
        states = await asyncio.gather(*asked)
        await asyncio.gather(*leaving)
        assert all(len(one["counts"]) and one["counts"].tobytes() == states[0]["counts"].tobytes() for one in states)


async def test_it_goes_back_to_a_snapshot_and_is_deleted_from_where_it_is(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        job = await service.analyses.create(SPEC, {})
        await send(service, "test", ROWS[:1_200])
        await service.analyses.close("test")
        (snapshot,) = await service.analyses.snapshots.all_of(job.number)
        await put_away(service)
        await service.analyses.snapshots.revert(job.number, snapshot, forget_results=True)
        assert (await send(service, "test", ROWS[1_200:]))["processed_record"] > 1_000
        await service.analyses.close("test")
        await put_away(service)
        assert is_away(service)
        await service.analyses.delete("test")
        assert await results(service) == [[], [], [], []][: len(kept.RESULTS)]


async def test_models_that_cannot_be_read_any_more_are_a_failure(tmp_path: Path) -> None:
    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        await service.analyses.create(SPEC, {})
        await send(service, "test", ROWS[:1_200])
        await service.analyses.close("test")
        await put_away(service)
        with sqlite3.connect(tmp_path / FILE_NAME) as db:
            db.execute("UPDATE analysis_state SET body = x'00' WHERE name LIKE 'current:%'")
        db.close()
        with pytest.raises(AnalysisFailed):
            await send(service, "test", ROWS[1_200:])
        assert service.analyses.get("test").status == "FAILED"
        await service.analyses.close("test")
        assert (await send(service, "test", ROWS[1_200:]))["processed_record"] > 1_000
