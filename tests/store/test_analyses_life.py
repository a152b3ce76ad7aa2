"""A job on its way to another status when the store cannot be written: it is as before, and can be tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from offbeat.analyses.snapshots import Snapshots
from offbeat.clock import ManualClock
from offbeat.errors import StoreUnavailable
from offbeat.service import running
from tests.store.process import START_MS, config
from tests.store.test_analyses_runner import COUNT, ROWS, send


@pytest.mark.parametrize(("way", "end"), [("close", "CLOSED"), ("pause", "PAUSED")])
async def test_a_job_whose_models_cannot_be_saved_goes_on_and_can_be_closed_or_paused_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, end: str
) -> None:
    async def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    async with running(config(tmp_path), clock=ManualClock(START_MS)) as service:
        job = await service.analyses.create(COUNT, {})
        await send(service, "test", ROWS[:600])
        with monkeypatch.context() as broken:
            broken.setattr(Snapshots, "take", full)
            with pytest.raises(StoreUnavailable):
                await getattr(service.analyses, way)("test")
        assert job.status == "RUNNING"
        assert (await send(service, "test", ROWS[600:]))["processed_record"] == 600
        await getattr(service.analyses, way)("test")
        assert job.status == end
        assert len(await service.analyses.snapshots.all_of(job.number)) == 1
