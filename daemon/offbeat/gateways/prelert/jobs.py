"""Jobs of the Prelert Engine API: created, read, changed, paused, resumed, deleted.

Source: Prelert Engine API, sections 3, 8 and 13.
"""

from __future__ import annotations

import orjson
from aiohttp import hdrs, web

from offbeat.analyses.job import Job, TooManyJobs
from offbeat.analyses.life import Analyses
from offbeat.engine.analysis.kinds import MEMORY_MB
from offbeat.errors import Conflict
from offbeat.feeds.feeds import kept_with
from offbeat.gateways.prelert import documents
from offbeat.gateways.prelert.call import Call, answered, compact
from offbeat.gateways.prelert.configuration import as_document, links, parse_configuration
from offbeat.gateways.prelert.dates import date_text
from offbeat.gateways.prelert.documents import ACKNOWLEDGED, Document
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.ids import generated_id
from offbeat.gateways.prelert.scheduling import feed_of, is_stopped
from offbeat.gateways.prelert.translation import configuration_of_job, said_of, spec_of
from offbeat.gateways.prelert.update import State, updated
from offbeat.gateways.prelert.validate import validate_detector, validate_transform, validate_transforms


async def post_job(call: Call) -> web.Response:
    """Create a job."""
    configuration = parse_configuration(await call.document())
    analyses = call.analyses
    id = configuration.id or _new_id(analyses, call.parts.clock.now_ms())
    if configuration.id is not None and call.flag("overwrite") and any(job.spec.id == id for job in analyses.all()):
        await analyses.delete(id)
    try:
        feed = feed_of(configuration)
        kept = None if feed is None else kept_with(feed)
        await analyses.create(spec_of(configuration, id), said_of(configuration), kept)
    except TooManyJobs:
        raise
    except Conflict as e:
        raise PrelertError(10110, f"The job id {id!r} is used already", 400) from e
    return compact({"id": id}, 201, {hdrs.LOCATION: f"{call.base}/jobs/{id}"})


def _new_id(analyses: Analyses, now_ms: int) -> str:
    taken = {job.spec.id for job in analyses.all()}
    number = analyses.newest_number + 1
    while (id := generated_id(now_ms, number)) in taken:
        number += 1
    return id


async def get_jobs(call: Call) -> web.Response:
    """All jobs, the oldest first."""
    skip, take = call.paging()
    every = call.analyses.all()
    made = [await job_document(call, job) for job in every[skip : skip + take]]
    return answered(documents.page(made, len(every), skip, take, f"{call.base}/jobs", {}))


async def get_job(call: Call) -> web.Response:
    """One job."""
    if call.path["job"] not in {job.spec.id for job in call.analyses.all()}:
        return answered(documents.single("job", None), 404)
    return answered(documents.single("job", await job_document(call, call.job)))


async def job_document(call: Call, job: Job) -> Document:
    """A job as section 3.3 has it."""
    configuration = configuration_of_job(job)
    about = await call.analyses.runner.about(job.number)
    document = dict(as_document(configuration)) | {"id": job.spec.id, "status": job.status}
    if configuration.scheduler is not None:
        document["schedulerStatus"] = call.parts.feeds.state(job.spec.id)
    document["createTime"] = date_text(job.created_ms)
    for name, time_ms in (("finishedTime", job.finished_ms), ("lastDataTime", job.last_data_ms)):
        if time_ms is not None:
            document[name] = date_text(time_ms)
    if about.latest_result_ms is not None:
        at_ms = job.last_data_ms or job.created_ms
        document["modelSizeStats"] = documents.size(about.size, about.latest_result_ms, at_ms)
    document["counts"] = documents.counts(about.totals, len(configuration.analysis.fields), whole=True)
    return document | links(call.base, job.spec.id)


async def put_update(call: Call) -> web.Response:
    """Change what may be changed of a job."""
    job = call.job
    body = await call.document()
    before = configuration_of_job(job)
    state = State(job.status == "CLOSED", is_stopped(call.parts.feeds, job), MEMORY_MB)
    changed = updated(before, body, state)
    await call.analyses.change(job, spec_of(changed, job.spec.id), said_of(changed))
    if changed.scheduler != before.scheduler and (feed := feed_of(changed)) is not None:
        await call.parts.feeds.put(job.spec.id, feed)
    return answered(ACKNOWLEDGED)


async def put_description(call: Call) -> web.Response:
    """Describe a job, as clients of version 1 do: the body is the text."""
    job, text = call.job, (await call.document()).decode(errors="replace").strip()
    from_text = orjson.dumps({"description": text})
    changed = updated(configuration_of_job(job), from_text, State(True, True, MEMORY_MB))
    await call.analyses.change(job, spec_of(changed, job.spec.id), said_of(changed))
    return answered(ACKNOWLEDGED)


async def post_pause(call: Call) -> web.Response:
    """Analyse nothing of what is sent until the job is resumed."""
    await call.analyses.pause(call.path["job"])
    return answered(ACKNOWLEDGED)


async def post_resume(call: Call) -> web.Response:
    """Analyse what is sent from now on."""
    await call.analyses.resume(call.path["job"])
    return answered(ACKNOWLEDGED)


async def delete_job(call: Call) -> web.Response:
    """Delete a job with all that it has."""
    await call.analyses.delete(call.path["job"])
    return answered(ACKNOWLEDGED)


async def get_detectors(call: Call) -> web.Response:
    """The detectors of a job, as clients of version 0.3 ask for them."""
    job = call.job
    skip, take = call.paging()
    names = [one.description or one.function for one in job.spec.detectors]
    made = [{"name": name} for name in names[skip : skip + take]]
    return answered(documents.page(made, len(names), skip, take, f"{call.base}/detectors/{job.spec.id}", {}))


async def post_validate_detector(call: Call) -> web.Response:
    """Check a detector."""
    validate_detector(await call.document())
    return answered(ACKNOWLEDGED)


async def post_validate_transform(call: Call) -> web.Response:
    """Check a transform."""
    validate_transform(await call.document())
    return answered(ACKNOWLEDGED)


async def post_validate_transforms(call: Call) -> web.Response:
    """Check transforms that belong together."""
    validate_transforms(await call.document())
    return answered(ACKNOWLEDGED)
