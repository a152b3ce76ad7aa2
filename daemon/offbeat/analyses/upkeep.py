"""What jobs need without being asked: the idle close, the long are saved, the closed leave memory, old results go."""

from __future__ import annotations

import asyncio
import logging

from offbeat.analyses.job import Job
from offbeat.analyses.life import Analyses
from offbeat.errors import OffbeatError
from offbeat.store.retention import retire_results

log = logging.getLogger(__name__)
IDLE_TIMEOUT_S = 600.0
PERSIST_INTERVAL_S = 3 * 3600.0
"""Of a job that does not say."""


async def attend(analyses: Analyses, every_s: float) -> None:
    """Checkpoint, close and save what is due, *every_s* seconds, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await analyses.runner.checkpoint_due()
            await close_idle(analyses)
            await persist(analyses)
            await put_away(analyses)
        except OffbeatError as e:
            log.warning("a job is not closed, or saved, yet: %s", e.message)


async def close_idle(analyses: Analyses) -> None:
    """Close jobs that got nothing for longer than they want. Raises StoreUnavailable."""
    now_ms = analyses.clock.now_ms()
    for job in analyses.all():
        patience_s = _idle_timeout_s(job)
        quiet = job.status == "RUNNING" and not (job.sending or job.fed) and not job.spec.listens and patience_s > 0
        if quiet and now_ms - (job.last_data_ms or job.since_ms) > 1000 * patience_s:
            await analyses.close(job.spec.id)


def _idle_timeout_s(job: Job) -> float:
    """After how many seconds without data a job closes; 0: never."""
    return float(job.document.get("idle_timeout_s", IDLE_TIMEOUT_S))


async def persist(analyses: Analyses) -> None:
    """Take a snapshot of each job that runs and has had none for as long as it wants. Raises StoreUnavailable."""
    now_ms = analyses.clock.now_ms()
    for job in analyses.all():
        every_s = float(job.document.get("background_persist_interval_s", PERSIST_INTERVAL_S))
        due = now_ms - max(job.persisted_ms, job.since_ms) >= 1000 * every_s
        if job.status == "RUNNING" and due and not analyses.runner.failure(job.number):
            await analyses.save(job, "schedule")


async def put_away(analyses: Analyses) -> None:
    """Free the memory of the models of closed jobs, once a checkpoint has them. Raises StoreUnavailable."""
    for job in analyses.all():
        if job.status == "CLOSED" and not (job.sending or job.fed):
            await analyses.runner.put_away(job.number)


async def retire(analyses: Analyses) -> int:
    """Delete results that are older than their job wants, by its newest; how many went. Raises StoreUnavailable."""
    gone = 0
    for job in analyses.all():
        if (days := job.document.get("results_retention_days")) is not None:
            gone += await retire_results(analyses.database, job.number, float(days))
    return gone
