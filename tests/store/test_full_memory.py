"""What comes faster than it can be packed fills the memory only so far; what was taken gives the results it would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from offbeat.applier import OVER
from offbeat.clock import ManualClock
from offbeat.errors import IntakeFull
from offbeat.service import Service, running
from tests.engine.run import Event, random_steps
from tests.store.process import START_MS, applied, config, everything, send

ROWS_MAX = 1_000
BODY_EVENTS = 40


@asynccontextmanager
async def slow_disk(service: Service) -> AsyncIterator[None]:
    """The journal is written, checkpoints are not: as on a disk that is busy with something large."""
    async with service.applier._writing:
        yield
    await service.applier.settle()


def bodies(seed: int, count: int) -> list[list[Event]]:
    events = [e for e in random_steps(seed, count, absurd=0.1) if isinstance(e, Event)]
    return [events[first : first + BODY_EVENTS] for first in range(0, len(events), BODY_EVENTS)]


async def taken(service: Service, body: list[Event]) -> bool:
    """Whether the intake takes *body*."""
    try:
        await send(service, body)
    except IntakeFull as e:
        assert "wait in memory to be packed, 1000 may" in e.message and e.message.endswith("was stored")
        assert e.where == {"limit": "store.tail_readings_max"}
        return False
    return True


async def packed(service: Service) -> None:
    """Return once the intake is open again."""
    await service.budget.take_when_free(0, 20.0)


async def applied_without_writing(service: Service) -> None:
    """As ``applied``, which waits for the findings to be written."""
    async with asyncio.timeout(20.0):
        while service.applier.applied < service.committer.seq:
            await service.applier.ask(lambda engine: engine.seq)


def rows_held(service: Service) -> int:
    return service.engine.tail.row_count


@pytest.mark.parametrize("seed", [1, 2])
async def test_memory_is_bounded_while_nothing_can_be_packed_and_the_results_are_as_without_a_bound(
    tmp_path: Path, seed: int
) -> None:
    todo = bodies(seed, 2_500)
    async with running(config(tmp_path / "calm"), clock=ManualClock(START_MS)) as service:
        for body in todo:
            await send(service, body)
        assert rows_held(service) > 3 * OVER * ROWS_MAX, "the bound has something to do"
        expected = await everything(service)
    settings = config(tmp_path / "state", store={"tail_readings_max": ROWS_MAX})
    refused = 0
    async with running(settings, clock=ManualClock(START_MS)) as service:
        while todo:
            async with slow_disk(service):
                while todo and await taken(service, todo[0]):
                    todo.pop(0)
                    await applied_without_writing(service)
                if todo:
                    refused += 1
                    held = rows_held(service)
                    assert OVER * ROWS_MAX < held < OVER * ROWS_MAX + 10 * BODY_EVENTS
                    assert not await taken(service, todo[0]) and rows_held(service) == held
                    assert (await service.describe()).full_reason == service.budget.closed != ""
            if todo:
                await packed(service)
                assert rows_held(service) <= ROWS_MAX
        assert refused >= 2
        assert await everything(service) == expected
        assert service.metrics.bodies_refused_total.labels("tail")._value.get() == 2 * refused
        assert (await service.describe()).full_reason == ""
    async with running(settings, clock=ManualClock(START_MS)) as service:
        assert await everything(service) == expected


async def test_a_stream_that_has_begun_waits_until_there_is_room_again(tmp_path: Path) -> None:
    settings = config(tmp_path / "state", store={"tail_readings_max": ROWS_MAX})
    async with running(settings, clock=ManualClock(START_MS)) as service:
        budget = service.budget
        async with slow_disk(service):
            await send(service, [Event("a", START_MS + i, {"x": 1.0}) for i in range(2_000)])
            await applied_without_writing(service)
            assert budget.closed
            waiting = asyncio.create_task(budget.take_when_free(100, 20.0))
            with pytest.raises(IntakeFull):
                budget.take(100)
            assert not waiting.done()
        await waiting
        assert not budget.closed
        budget.give(100)


async def test_a_daemon_that_starts_with_too_much_in_its_journal_takes_nothing_until_it_is_packed(
    tmp_path: Path,
) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, [Event("a", START_MS + i, {"x": 1.0}) for i in range(2_000)])
        await applied(service)
        service.applier.checkpoint_all = _nothing  # type: ignore[method-assign]  # it ends as by a power cut
    settings = config(tmp_path / "state", store={"tail_readings_max": ROWS_MAX})
    async with running(settings, clock=ManualClock(START_MS)) as service:
        assert service.budget.closed
        await packed(service)
        assert await taken(service, [Event("a", START_MS + 5_000, {"x": 1.0})])


async def _nothing() -> None:
    return
