"""The documents of the API that the library hands on, as types. docs/api.md says what each member means."""
from __future__ import annotations

from typing import Any, TypedDict


class Bucket(TypedDict, total=False):
    """How odd a source, or with ``scope="job"`` a job, was in one span of time."""

    job: str
    source: str
    start: str
    bucket_span_s: float
    event_count: int
    source_count: int
    record_count: int
    novelty: float
    score: float
    interim: bool


class Explanation(TypedDict, total=False):
    """Why a finding is one."""

    model: str
    sentence: str
    observed: float | None
    typical: float | None
    lower: float | None
    upper: float | None
    normal: str | None
    due: str | None
    bits: float
    evidence: list[dict[str, Any]]
    acted: list[dict[str, Any]]
    similar: list[dict[str, Any]]
    history: dict[str, Any]


class Record(TypedDict, total=False):
    """A finding: what was measured, what was expected."""

    id: str
    job: str
    detector: int
    function: str
    source: str
    field: str
    bucket_start: str
    bucket_span_s: float
    time: str
    actual: float | None
    typical: float | None
    lower: float | None
    upper: float | None
    novelty: float
    probability: float
    score: float
    explain: Explanation


class Source(TypedDict, total=False):
    """What sends, and when it last did. *metadata* and *series* only where one source is asked for."""

    source: str
    series_count: int
    event_count: int
    late_count: int
    first_event: str
    last_event: str
    last_arrival: str
    metadata: dict[str, Any]
    series: list[dict[str, Any]]


class SeriesReadings(TypedDict, total=False):
    """The points of one series; *time* is text, or whole milliseconds if so asked. A rollup has no *value*."""

    field: str
    level: str
    downsampled: bool
    reading_count: int
    time: list[Any]
    value: list[float]
    count: list[int]
    sum: list[float]
    min: list[float]
    max: list[float]
    mean: list[float]
    sum_of_squares: list[float]
    band: dict[str, list[Any]]


class SourceReadings(TypedDict):
    """The points of a source, a list of columns for each series."""

    source: str
    series: list[SeriesReadings]
