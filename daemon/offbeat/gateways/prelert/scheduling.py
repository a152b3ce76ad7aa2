"""Schedulers of jobs: what they are here, a feed; started and stopped.

Source: Prelert Engine API, sections 4.6 and 12.
"""

from __future__ import annotations

from typing import Literal, cast

from aiohttp import web

from offbeat.analyses.job import Job
from offbeat.errors import Conflict
from offbeat.feeds.feeds import Feeds
from offbeat.feeds.spec import HITS_A_PAGE, HITS_MAX, FeedSpec, FileSource, SearchSource
from offbeat.gateways.prelert.call import Call, answered
from offbeat.gateways.prelert.configuration import JobConfiguration
from offbeat.gateways.prelert.documents import ACKNOWLEDGED
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.schedulers import ELASTICSEARCH, FILE
from offbeat.gateways.prelert.translation import configuration_of_job


def feed_of(configuration: JobConfiguration) -> FeedSpec | None:
    """The feed that the scheduler of a job is; None if it has none."""
    scheduler = configuration.scheduler
    if scheduler is None:
        return None
    if scheduler.data_source == FILE:
        source = FileSource(scheduler.file_path or "", tail=scheduler.tail_file)
        return FeedSpec(source, configuration.data, configuration.transforms)
    compatibility = cast(Literal["1.7.x", "2.x.x"], scheduler.compatibility)
    search = SearchSource(
        (scheduler.base_url or "").rstrip("/"), scheduler.indexes, scheduler.types, scheduler.query or {},
        scheduler.aggregations, scheduler.script_fields, scheduler.retrieve_whole_source,
        min(scheduler.scroll_size or HITS_A_PAGE, HITS_MAX), compatibility, scheduler.username or "",
        scheduler.password or "")
    return FeedSpec(search, configuration.data, configuration.transforms, scheduler.query_delay_s or 0,
                    scheduler.frequency_s)


def is_stopped(feeds: Feeds, job: Job) -> bool:
    """Whether the scheduler of a job is stopped, or it has none."""
    return feeds.state(job.spec.id) == "STOPPED"


def _scheduled(job: Job) -> JobConfiguration:
    configuration = configuration_of_job(job)
    if configuration.scheduler is None:
        raise PrelertError(60116, f"job {job.spec.id} has no scheduler")
    return configuration


async def post_start(call: Call) -> web.Response:
    """Begin to read what the job's scheduler names."""
    job = call.job
    scheduler = _scheduled(job).scheduler
    assert scheduler is not None
    start_ms, end_ms = call.range_ms()
    if scheduler.data_source == ELASTICSEARCH and scheduler.encrypted_password is not None:
        raise PrelertError(60114, "an encryptedPassword can be read by the server that made it alone: give a password")
    try:
        await call.parts.feeds.start(job.spec.id, start_ms, end_ms)
    except Conflict as e:
        raise PrelertError(60114, f"the scheduler of job {job.spec.id} cannot be started: {e.message}") from e
    return answered(ACKNOWLEDGED)


async def post_stop(call: Call) -> web.Response:
    """Stop reading; the answer comes once it has stopped."""
    job = call.job
    _scheduled(job)
    await call.parts.feeds.stop(job.spec.id)
    return answered(ACKNOWLEDGED)
