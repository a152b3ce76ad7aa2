"""Jobs begin and end in the journal, whatever becomes of who asked."""
from __future__ import annotations

import asyncio
from pathlib import Path

from offbeat import service
from offbeat.config import from_mapping
from offbeat.records import JobSpec


async def test_a_caller_that_goes_away_leaves_a_whole_job_and_its_number_to_nobody_else(state_dir: Path) -> None:
    async with service.running(from_mapping({"store": {"state_dir": str(state_dir)}})) as running:
        gone = asyncio.create_task(running.jobs.create(JobSpec("first")))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        assert gone.cancelled()
        await running.jobs.create(JobSpec("second"))
        jobs = {job.spec.id: number for number, job in running.jobs.by_number.items()}
        assert jobs.keys() == {"watch", "first", "second"}
        assert len(set(jobs.values())) == 3
