"""How the daemon is, as a page shows it: figures, the last hour, and sentences that say what they mean. One route."""
from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from offbeat.http import page_examples as examples
from offbeat.http.documents import Document, answer, iso
from offbeat.http.forms import named
from offbeat.http.parameters import Asked
from offbeat.http.parts import Parts
from offbeat.http.route import Content, Route
from offbeat.vitals import STEP_S, Health

NEAR = 0.9
"""The share of a limit from which it is spoken of."""
QUIET_S = 300.0
FREE_MIN_BYTES = 1 << 30
BEHIND_ENTRIES = 100
"""Entries of the journal that may wait without being spoken of: some always do while events come."""


async def get_health(request: web.Request, parts: Parts, asked: Asked) -> web.Response:
    """How the daemon is, how it was in the last hour, and why nothing happens if nothing does."""
    return answer(health(await parts.health()))


def health(h: Health) -> Document:
    """All of it as one document."""
    daemon = h.daemon
    return {
        "version": daemon.version,
        "started": iso(daemon.started_ms),
        "uptime_s": max(0.0, (h.now_ms - daemon.started_ms) / 1000),
        "ready": h.reason is None,
        "reason": h.reason or "",
        "rates": dict(h.rates),
        "history": {"step_s": STEP_S, **h.history},
        "queue": {
            "pending_bytes": daemon.pending_bytes,
            "limit_bytes": h.pending_bytes_max,
            "full_reason": daemon.full_reason,
        },
        "lag": {
            "journal_sequence": daemon.journal_sequence,
            "applied_sequence": daemon.applied_sequence,
            "analyses": h.analysis_lag,
        },
        "rejected": dict(daemon.rejected),
        "late_count": h.late_count,
        "source_count": h.source_count,
        "series_count": h.series_count,
        "warming_up": h.waiting.warming_up,
        "silent": h.waiting.silent,
        "jobs": {"count": h.jobs.count, "analyses": h.jobs.analyses, "failed": len(h.jobs.failed)},
        "store": {
            "bytes": daemon.store_bytes,
            "free_bytes": h.free_bytes,
            "unwritable_reason": daemon.unwritable_reason,
            "retention": dict(h.retention),
        },
        "limits": [{"name": one.name, "used": one.used, "limit": one.limit} for one in daemon.limits],
        "says": says(h),
    }


def says(h: Health) -> list[str]:
    """What is wrong, what is near its limit, why nothing happens, the most important first; or that all is well."""
    return [*_wrong(h), *_near(h), *_idle(h)] or [
        f"All is well: {_many(h.source_count, 'source')} with {h.series_count:,} series, "
        f"{h.rates['events_per_s_1m']:,.3g} events a second."
    ]


def _wrong(h: Health) -> Iterator[str]:
    daemon, jobs = h.daemon, h.jobs
    if h.reason is not None:
        yield f"No events are taken: {h.reason}."
    if daemon.full_reason:
        yield f"Bodies are refused with 429 just now: {daemon.full_reason}."
    if jobs.failed:
        names = ", ".join(jobs.failed[:5]) + (", …" if len(jobs.failed) > 5 else "")
        failed = len(jobs.failed)
        yield f"{_many(failed, 'job')} with detectors failed and {'stands' if failed == 1 else 'stand'} still: {names}."
    behind = daemon.journal_sequence - daemon.applied_sequence
    if behind > BEHIND_ENTRIES:
        yield f"What is found comes late: {behind:,} journal entries wait to be applied."
    if h.analysis_lag > BEHIND_ENTRIES:
        yield f"Jobs with detectors are late: {h.analysis_lag:,} journal entries wait for them."


def _near(h: Health) -> Iterator[str]:
    for one in h.daemon.limits:
        if one.limit > 0 and one.used >= NEAR * one.limit:
            used = f"{one.used:,} of {one.limit:,}"
            reached = "is reached" if one.used >= one.limit else f"is {one.used / one.limit:.0%} used"
            yield f"The limit {one.name} {reached}: {used}."
    if h.free_bytes < FREE_MIN_BYTES:
        yield f"The disk is nearly full: {h.free_bytes / 2**20:,.0f} MiB are free."


def _idle(h: Health) -> Iterator[str]:
    if h.last_arrival_ms is None:
        yield "Nothing has come yet: POST /api/v1/events takes events."
    else:
        silent_s = (h.now_ms - h.last_arrival_ms) / 1000
        if silent_s >= QUIET_S:
            yield f"No event has come for {_span(silent_s)}."
    if h.rates["rejected_per_s_5m"] > 0:
        codes = h.daemon.rejected
        most = f", most of them ever for {max(codes, key=lambda code: codes[code])}" if codes else ""
        yield f"Lines were rejected in the last five minutes{most}: GET /api/v1/quarantine lists them."
    if h.rates["late_per_s_5m"] > 0:
        yield "Events came too late for their buckets in the last five minutes: they are kept, and not judged."
    if h.waiting.warming_up:
        every = "All" if h.waiting.warming_up >= h.series_count else f"{h.waiting.warming_up:,} of"
        yield f"{every} {h.series_count:,} series still warm up: nothing is found in them before."
    if h.waiting.silent:
        be = "is" if h.waiting.silent == 1 else "are"
        sources = _many(h.source_count, "source")
        yield f"{h.waiting.silent:,} of {sources} {be} silent: the next reading is overdue."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _span(seconds: float) -> str:
    for unit, length_s in (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0)):
        if seconds >= 2 * length_s:
            return _many(round(seconds / length_s), unit)
    return _many(round(seconds), "second")


ROUTES = (
    Route(
        "GET",
        "/api/v1/health",
        get_health,
        "operation",
        {200: Content("The daemon, and its last hour.", named("Health"), examples.HEALTH)},
    ),
)
