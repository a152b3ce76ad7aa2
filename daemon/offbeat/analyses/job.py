"""One job that asks questions of buckets, as it is known beside its analysis; and what may not be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from offbeat.engine.analysis.results import Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import Conflict, Refused

Status = Literal["RUNNING", "CLOSING", "CLOSED", "FAILED", "PAUSING", "PAUSED"]


class TooManyJobs(Conflict):
    """There are as many jobs as there may be."""

    code = "too_many_jobs"


class TooManyOpen(Refused):
    """As many jobs are running as may be at once."""

    code = "too_many_jobs_open"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


class InUse(Conflict):
    """Another upload to the same job is under way."""

    code = "job_in_use"


class Fed(Conflict):
    """The feed of the job is at work: what is sent, flushed, closed, paused is its business."""

    code = "job_is_fed"


class CannotPause(Conflict):
    """A job that is neither running nor closed."""

    code = "job_cannot_be_paused"


class CannotResume(Conflict):
    """A job that is not paused."""

    code = "job_cannot_be_resumed"


@dataclass(slots=True)
class Job:
    """One job. *document* is kept with it: what its clients said of it and read back; *since_ms*: of its status.

    feed  kept with it and shown to nobody as it is: where its records are read from, passwords too; *fed*: they are now
    """

    number: int
    spec: AnalysisSpec
    created_ms: int
    document: dict[str, Any]
    status: Status = "CLOSED"
    since_ms: int = 0
    finished_ms: int | None = None
    last_data_ms: int | None = None
    persisted_ms: int = 0
    sending: bool = False
    feed: dict[str, Any] | None = None
    fed: bool = False
    totals: Taken = field(default_factory=Taken)

    @property
    def raw_name(self) -> str:
        """Where its records are, if they are kept as they came."""
        return f"{self.number}-{quote(self.spec.id, safe='')}"
