"""What a job with detectors refuses for the state that it is in, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from offbeat.errors import Conflict, Refused


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
