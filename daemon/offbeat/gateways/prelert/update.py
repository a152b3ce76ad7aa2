"""Changes of a job that exists: all keys are checked, then all are applied, or none.

Source: Prelert Engine API, section 3.4.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from offbeat.gateways.prelert.configuration import (
    IGNORE_DOWNTIME,
    INTERVALS,
    JobConfiguration,
    checked_filters,
)
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.parts import AnalysisLimits, limits_of, model_debug_of
from offbeat.gateways.prelert.schedulers import check_in_job, scheduler_of
from offbeat.gateways.prelert.values import Codes, Values, parsed

NOT_ALLOWED = Codes(type=10104, unknown=10104, value=10104)
"""A value of the wrong type is not allowed here; it does not make the body invalid."""
UNLIMITED_MB = 2**62
ATTRIBUTES = {
    "renormalizationWindowDays": "renormalization_window_days",
    "backgroundPersistInterval": "background_persist_interval_s",
    "modelSnapshotRetentionDays": "model_snapshot_retention_days", "resultsRetentionDays": "results_retention_days",
}


@dataclass(frozen=True, slots=True)
class State:
    """What an update must know of a job beyond its configuration.

    model_memory_mb  what the server gives a job that asks for nothing
    """

    is_closed: bool
    scheduler_is_stopped: bool
    model_memory_mb: int


def updated(job: JobConfiguration, body: bytes, state: State) -> JobConfiguration:
    """*job* as *body*, JSON, changes it. Raises PrelertError, and then nothing is changed."""
    document = parsed(body, 10101)
    if not isinstance(document, dict):
        raise PrelertError(10104, "the body is no object of JSON")
    for key in document:
        if key not in CHANGES:
            raise PrelertError(10115, f"a job update has no key {key!r}: known are {', '.join(CHANGES)}")
    for key, value in document.items():
        job = CHANGES[key](job, key, value, state)
    return job


def _description(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    return replace(job, description=_text(key, value) or None)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise PrelertError(10104, f"{key} is {value!r}: expected a text")
    return value


def _detectors(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    changed = list(job.analysis.detectors)
    if not isinstance(value, list):
        raise PrelertError(10104, f"{key} is {value!r}: expected an array")
    for item in value:
        values = Values(
            item, "detector", ("index", "description", "detectorIndex", "detectorDescription"), NOT_ALLOWED)
        index = values.integer("index" if values.has("index") else "detectorIndex", 0)
        name = "description" if values.has("description") else "detectorDescription"
        if index is None or not values.has(name):
            raise PrelertError(10104, "a change of a detector needs an index and a description")
        if index >= len(changed):
            raise PrelertError(10104, f"there is no detector {index}: the job has {len(changed)}")
        changed[index] = replace(changed[index], description=values.name(name))
    return replace(job, analysis=replace(job.analysis, detectors=tuple(changed)))


def _limits(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    if value is None:
        raise PrelertError(10104, f"{key} cannot be null")
    if not state.is_closed:
        raise PrelertError(60120, f"{key} can be changed only while the job is closed")
    limits = limits_of(value)
    before, after = (_memory_mb(each, state) for each in (job.limits, limits))
    if after < before:
        raise PrelertError(10104, f"modelMemoryLimit cannot shrink: it is {before} MB, not {after}")
    return replace(job, limits=limits)


def _memory_mb(limits: AnalysisLimits | None, state: State) -> int:
    asked = (limits.model_memory_mb if limits is not None else None) or state.model_memory_mb
    return UNLIMITED_MB if asked < 0 else asked


def _interval(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    number = Values({key: value}, "the update", (key,), NOT_ALLOWED).integer(key, INTERVALS[key])
    return replace(job, **{ATTRIBUTES[key]: number})  # type: ignore[arg-type]  # all of them are integers or None


def _ignore_downtime(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    choice = Values({key: _text(key, value)}, "the update", (key,), NOT_ALLOWED).one_of(key, IGNORE_DOWNTIME)
    return replace(job, ignore_downtime=choice)


def _model_debug(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    return replace(job, model_debug=None if value is None else model_debug_of(value))


def _custom_settings(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    return replace(job, custom_settings=Values({key: value}, "the update", (key,), NOT_ALLOWED).object(key))


def _scheduler(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    if value is None:
        raise PrelertError(10104, f"{key} cannot be null")
    if job.scheduler is None:
        raise PrelertError(10104, "the job has no scheduler")
    if not state.scheduler_is_stopped:
        raise PrelertError(60126, f"{key} can be changed only while the scheduler is stopped")
    scheduler = scheduler_of(value)
    if scheduler.data_source != job.scheduler.data_source:
        raise PrelertError(10104, f"dataSource cannot change: it is {job.scheduler.data_source}")
    check_in_job(
        scheduler, span_given=True, latency_s=job.analysis.latency_s,
        summarised=job.analysis.summary_count_field_name is not None, data_format=job.data.format)
    return replace(job, scheduler=scheduler)


def _filters(job: JobConfiguration, key: str, value: object, state: State) -> JobConfiguration:
    filters = Values({key: value}, "the update", (key,), NOT_ALLOWED).texts(key)
    return replace(job, analysis=replace(job.analysis, categorization_filters=checked_filters(filters)))


Change = Callable[[JobConfiguration, str, object, State], JobConfiguration]
CHANGES: dict[str, Change] = {
    "description": _description, "detectors": _detectors, "analysisLimits": _limits,
    **dict.fromkeys(ATTRIBUTES, _interval), "ignoreDowntime": _ignore_downtime, "modelDebugConfig": _model_debug,
    "customSettings": _custom_settings, "schedulerConfig": _scheduler, "categorizationFilters": _filters,
}
"""What each key does. Each checks its value against the job as it was: none touches what another checks."""
