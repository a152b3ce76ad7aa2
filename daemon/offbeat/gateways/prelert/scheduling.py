"""Schedulers of jobs: started and stopped.

Source: Prelert Engine API, section 12.
"""

from __future__ import annotations

from aiohttp import web

from offbeat.analyses.life import Job
from offbeat.gateways.prelert.call import Call
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.translation import configuration_of_job


def _scheduled(job: Job) -> None:
    if configuration_of_job(job).scheduler is None:
        raise PrelertError(60116, f"job {job.spec.id} has no scheduler")


async def post_start(call: Call) -> web.Response:
    """Begin to read what the job's scheduler names."""
    job = call.job
    _scheduled(job)
    call.range_ms()
    raise PrelertError(60114, f"the scheduler of job {job.spec.id} cannot be started: nothing is pulled here yet")


async def post_stop(call: Call) -> web.Response:
    """Stop reading."""
    job = call.job
    _scheduled(job)
    raise PrelertError(60115, f"the scheduler of job {job.spec.id} is not started")
