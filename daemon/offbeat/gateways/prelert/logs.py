"""Logs, as archives and as text; and what supports asks for.

Source: Prelert Engine API, section 14. What is told of a job is made of what is known of it: there is no file a job.
"""

from __future__ import annotations

import io
import zipfile

from aiohttp import web

from offbeat.analyses.job import Job
from offbeat.gateways.prelert.call import Call
from offbeat.gateways.prelert.dates import date_text
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.translation import configuration_of_job, season_of
from offbeat_detectors.buckets.categories import CategorizerStatus
from offbeat_detectors.buckets.given import BUCKETS_MAX, BUCKETS_MIN

ENGINE = "engine_api"
LINES = 10
UNUSABLE = f"period x batchSpan is to be {BUCKETS_MIN} to {BUCKETS_MAX} bucket spans"
ZIP = "application/octet-stream"


async def get_logs(call: Call) -> web.Response:
    """All logs of a job in an archive."""
    job = call.job
    files = {f"{name}.log": await _text(call, job, name) for name in (job.spec.id, ENGINE)}
    return _archive(files)


async def get_log(call: Call) -> web.Response:
    """One log of a job, as text."""
    return web.Response(text=await _log(call, call.path["file"]), content_type="text/plain")


async def get_log_tail(call: Call) -> web.Response:
    """The last lines of a log of a job."""
    name = call.path.get("file", call.path["job"])
    text = await _log(call, name)
    lines = call.text("lines")
    count = int(lines) if lines is not None and lines.isascii() and lines.isdecimal() and len(lines) < 9 else LINES
    last = text.splitlines()[-count:] if count else []
    return web.Response(text="".join(f"{line}\n" for line in last), content_type="text/plain")


async def get_store_logs(call: Call) -> web.Response:
    """What the store has to say."""
    database = call.analyses.database
    return _archive({"store.log": f"SQLite at {database.path.name}, {database.size_bytes()} bytes\n"})


async def get_engine_logs(call: Call) -> web.Response:
    """What the daemon has to say."""
    return _archive({f"{ENGINE}.log": _of_daemon(call)})


async def get_support(call: Call) -> web.Response:
    """What helps to find a fault."""
    files = {f"{ENGINE}.log": _of_daemon(call)}
    for job in call.analyses.all():
        files[f"{job.spec.id}/{job.spec.id}.log"] = await _text(call, job, job.spec.id)
    return _archive(files)


async def _log(call: Call, name: str) -> str:
    job = call.job
    if any(part in name for part in ("/", "\\", "..")):
        raise PrelertError(50103, f"{name!r} is no name of a log file")
    if name not in (job.spec.id, ENGINE):
        raise PrelertError(50102, f"job {job.spec.id} has no log file {name!r}: it has {job.spec.id} and {ENGINE}")
    return await _text(call, job, name)


async def _text(call: Call, job: Job, name: str) -> str:
    lines = [(job.created_ms, f"job {job.spec.id} was created with {len(job.spec.detectors)} detectors")]
    if name == ENGINE:
        lines.append((job.since_ms, f"job {job.spec.id} is {job.status}"))
    season_s = season_of(configuration_of_job(job).analysis)
    if name != ENGINE and season_s != job.spec.season_s:
        lines.append((job.created_ms, f"a season of {season_s} s is not used: {UNUSABLE}"))
    about = await call.analyses.runner.about(job.number)
    at_ms = job.last_data_ms or job.created_ms
    if name != ENGINE:
        counted = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in about.totals.counts.items())
        lines.append((at_ms, f"counted so far: {counted}"))
        lines.append((at_ms, f"models take {about.size.model_bytes} bytes, memory status {about.size.status}"))
        if about.categorization is not None:
            lines.append((at_ms, _of_categories(about.categorization)))
        for one in about.peers:
            said = f"{one.members:.4g} members a bucket in {one.populations} populations"
            lines.append((at_ms, f"detector {one.detector} compares {said}"))
    if job.finished_ms is not None:
        lines.append((job.finished_ms, f"job {job.spec.id} was closed"))
    return "".join(f"{date_text(ms)} {said}\n" for ms, said in sorted(lines))


def _of_categories(status: CategorizerStatus) -> str:
    why = f": {', '.join(status.reasons)}" if status.reasons else ""
    return f"{status.categories} categories of {status.messages} messages, status {status.status}{why}"


def _of_daemon(call: Call) -> str:
    now = date_text(call.parts.clock.now_ms())
    return f"{now} offbeat {call.parts.version}, {len(call.analyses.all())} jobs\n"


def _archive(files: dict[str, str]) -> web.Response:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return web.Response(body=packed.getvalue(), content_type=ZIP)
