"""What can be asked of the results, as data: one frozen question and one frozen row a kind. See docs/api.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Found

LATEST = -1
"""As a sequence to wait for: whatever has been acknowledged by now."""
Order = Literal["time", "-time", "-score"]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a longer list; *next_cursor* asks for the ones after, None at the end."""

    rows: tuple[Row, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class BucketQuery:
    """Which buckets: *start_ms* inclusive, *end_ms* exclusive, None for no bound; no sources means all."""

    job: str = "watch"
    scope: Literal["source", "job"] = "source"
    sources: tuple[str, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    min_score: float | None = None
    order: Order = "time"
    limit: int = 100
    cursor: str | None = None


class Bucket(NamedTuple):
    """A bucket of one source (or, with scope job, of the whole job: *source* is None).

    Many are made for one answer, and a tuple is made in a fifth of the time.
    """

    job: str
    source: str | None
    start_ms: int
    bucket_span_s: int
    event_count: int
    record_count: int
    novelty: float
    score: float
    interim: bool
    source_count: int | None = None


@dataclass(frozen=True, slots=True)
class SourceClusters:
    """The clusters that the events of a source form in a job; the columns of *found* are *fields*."""

    job: str
    source: str
    fields: tuple[str, ...]
    found: Found


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records; as BucketQuery, times are those of the bucket's start."""

    job: str = "watch"
    sources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    min_score: float | None = None
    order: Order = "time"
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One finding. *probability*, *typical*, *lower*, *upper* are NaN where the detector gave none.

    actual    NaN where the finding is that nothing came; *typical* is then the time in ms by which it was due
    model     the detector that said it    evidence  why, as offbeat_detectors.explain packs it
    """

    id: str
    job: str
    detector: int
    function: str
    source: str
    field: str
    bucket_start_ms: int
    bucket_span_s: int
    time_ms: int
    actual: float
    typical: float
    lower: float
    upper: float
    novelty: float
    probability: float
    score: float
    model: str
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class RecordInFull:
    """One finding with what is known around it.

    similar_ms     when the most similar moments were, in the order in which the evidence has them; None: no longer kept
    last_ms        when the last reading before it came; None: no longer kept
    reached        how many records of its series, of those that are kept, score as much or more, itself included
    since_ms       since when its job watches its source    reading_count  of its series, so far
    """

    record: Record
    similar_ms: tuple[int | None, ...]
    last_ms: int | None
    reached: int
    since_ms: int
    reading_count: int


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """One series of a source."""

    field: str
    reading_count: int
    last_value: float
    last_time_ms: int


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source as the catalog and the engine know it; *series* and *metadata* only where one source was asked for."""

    source: str
    series_count: int
    event_count: int
    late_count: int
    first_event_ms: int
    last_event_ms: int
    last_arrival_ms: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    series: tuple[SeriesInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadingsQuery:
    """Readings of one source; *level* None chooses the finest that fits *width* points."""

    source: str
    fields: tuple[str, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    width: int = 1000
    level: Literal["raw", "1m", "1h", "1d"] | None = None


@dataclass(frozen=True, slots=True)
class SeriesReadings:
    """Readings of one series in time order.

    columns  name → (n,) array: ``value`` for raw; ``count``, ``sum``, ``min``, ``max``, ``mean``,
        ``sum_of_squares`` for a rollup
    band     ``time_ms``, ``typical``, ``lower``, ``upper``: (m,) arrays
    """

    field: str
    level: str
    downsampled: bool
    reading_count: int
    time_ms: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    band: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class SeriesDiagnosis:
    """Why a job says something, or nothing, of a series.

    state            "quiet", "no_model", "warming_up", "silent", "held" or "ready"
    warmup_left      readings that it still needs    warmup_left_s  at their usual pace; NaN: not known yet
    silent_since_ms  its newest reading, where the next is overdue
    held_left        readings that an incident still holds back
    damping, adjustment  what its own earlier peaks, and feedback, leave of a finding's strength; 1: all of it
    settled          what is left of it while the series is young    settles_in_s  until all is, at most
    says             all of it as a sentence
    """

    job: str
    field: str
    state: str
    warmup_left: int
    warmup_left_s: float
    silent_since_ms: int | None
    held_left: int
    damping: float
    adjustment: float
    settled: float
    settles_in_s: float
    says: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """How much of a source a job has found and not told, by the rule that held it back."""

    job: str
    held: int
    damped: int
    silence: int
    adjusted: int


@dataclass(frozen=True, slots=True)
class SourceDiagnosis:
    """What the daemon knows of one source's arrival; *silent_for_s* by the daemon's clock."""

    source: str
    last_event_ms: int
    last_arrival_ms: int
    lag_s: float
    silent_for_s: float
    live: bool
    event_count: int
    late_count: int
    series: tuple[SeriesDiagnosis, ...]
    suppressed: tuple[Suppressed, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a bound is used."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class DaemonDiagnosis:
    """The daemon's own state. *full_reason*: why no body is taken until more of memory has been packed."""

    version: str
    started_ms: int
    applied_sequence: int
    journal_sequence: int
    pending_bytes: int
    writable: bool
    unwritable_reason: str
    full_reason: str
    store_bytes: int
    rejected: Mapping[str, int]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """One rejected line as kept."""

    id: int
    arrived_ms: int
    format: str
    line: int
    code: str
    reason: str
    start: str


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of /stream. *id* is ``<journal sequence>-<ordinal in it>``; a status has no id (it is not kept)."""

    id: str | None
    kind: Literal["record", "bucket", "status"]
    body: Record | Bucket | Mapping[str, Any]
