"""What a back-test is asked: which readings, which two configurations, which findings count. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from offbeat.errors import BadRequest
from offbeat.jobs import check
from offbeat.records import JobSpec
from offbeat.wire import Options
from offbeat_detectors.scores import HOLD_READINGS

CANDIDATE, BASELINE = 1, 2
"""The numbers of the two jobs in the engine that runs them."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed of a job; None, or no parameters, leaves it as it is.

    model          another model: its parameters are then *parameters* alone
    parameters     added to the job's own if the model stays
    bucket_span_s  another bucket span
    """

    model: str | None = None
    parameters: Mapping[str, object] | None = None
    bucket_span_s: int | None = None

    def of(self, spec: JobSpec) -> JobSpec:
        """*spec* with the change. Raises BadRequest if that cannot work."""
        model = spec.model if self.model is None else self.model
        kept = dict(spec.parameters) if model == spec.model else {}
        changed = replace(
            spec,
            model=model,
            parameters=tuple(sorted((kept | dict(self.parameters or {})).items())),
            bucket_span_s=spec.bucket_span_s if self.bucket_span_s is None else self.bucket_span_s,
        )
        check(changed, None)
        return changed


@dataclass(frozen=True, slots=True)
class Scope:
    """Which readings are run, and which findings are compared. Times are milliseconds since 1970 UTC; None is no bound.

    sources, fields    patterns of fnmatch, case-sensitive; a series must fit one of each
    start_ms, end_ms   findings of this time are compared; earlier readings are learned from, later ones not read
    read_from_ms       readings before are not read
    score_min          findings that score less are left out, on both sides; None: as the store keeps them
    tolerance          most readings between two findings of one incident
    """

    sources: tuple[str, ...] = ("*",)
    fields: tuple[str, ...] = ("*",)
    start_ms: int | None = None
    end_ms: int | None = None
    read_from_ms: int | None = None
    score_min: float | None = None
    tolerance: int = HOLD_READINGS

    def takes(self, source: str, field: str) -> bool:
        """Is the series one of those that are run?"""
        return any(fnmatchcase(source, p) for p in self.sources) and any(fnmatchcase(field, p) for p in self.fields)

    def holds(self, time_ms: int) -> bool:
        """Is a finding of this time compared?"""
        return all(first is None or time_ms >= first for first in (self.start_ms, self.read_from_ms)) and (
            self.end_ms is None or time_ms < self.end_ms
        )

    def checked(self) -> Scope:
        """Itself. Raises BadRequest if its times hold nothing."""
        first = max((t for t in (self.start_ms, self.read_from_ms) if t is not None), default=None)
        if first is not None and self.end_ms is not None and first >= self.end_ms:
            raise BadRequest("the end is not after the start: expected a span of time", where={"field": "end"})
        return self


@dataclass(frozen=True, slots=True)
class StoredReadings:
    """Back-test over what a daemon has stored.

    job    its id; None: the built-in one
    rerun  None: compare with the stored findings; else run the job with this change over the same readings too
    """

    state_dir: Path
    job: str | None = None
    rerun: Change | None = None


@dataclass(frozen=True, slots=True)
class FileReadings:
    """Back-test over a file, in the order of its lines, as if it were sent.

    encoding   gzip, zstd or identity    options  how it is read
    spec       the job that a daemon would run    baseline  its change that is compared with
    limits     most sources, fields and series, and series a shard
    score_min  findings that score less are no records
    """

    path: Path
    encoding: str
    options: Options
    spec: JobSpec
    baseline: Change
    limits: tuple[int, int, int, int]
    score_min: float
