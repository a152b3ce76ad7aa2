"""Jobs begin and end in the journal, whatever becomes of who asked."""
from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from offbeat import service
from offbeat.config import from_mapping
from offbeat.errors import StoreUnusable
from offbeat.records import JobSpec
from offbeat.store import journal


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


def test_a_job_comes_back_from_the_journal_as_it_was_given() -> None:
    spec = JobSpec("a", model="ewma", parameters=(("warmup_readings", 5),), peer_groups=("b*",))
    assert journal.spec_of(journal.spec_json(spec)) == spec


def test_a_job_of_a_build_that_knew_no_models_is_not_taken_for_one_with_the_default_model() -> None:
    text = journal.spec_json(JobSpec("a", model="ewma")).replace('"model"', '"detector"')
    with pytest.raises(StoreUnusable, match="job a was begun by an earlier build"):
        journal.spec_of(text)
