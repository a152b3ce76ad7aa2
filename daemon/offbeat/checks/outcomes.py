"""What checks have said: the standing of a subject, and how a run changes it. Pure: no clock, no store."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from offbeat.checks.spec import Column, bad

STATUSES = ("GREEN", "YELLOW", "RED")
"""From good to bad."""
Reason = Literal["judged", "no_data", "error"]
PATTERNS_MAX = 64
TEXT_MAX = 1_000
ALL = ("*",)


def rank(status: str | None) -> int:
    """How bad a status is; none at all is less than good."""
    return STATUSES.index(status) if status in STATUSES else -1


@dataclass(frozen=True, slots=True)
class Present:
    """What a subject's newest run with its status said, and when that was. *outcome*: number of the change to it.

    since_ms  when the status began    data_ms, data_from_ms  newest and first moment that was judged
    """

    status: str
    reason: Reason
    message: str
    ran_ms: int
    data_ms: int | None
    data_from_ms: int | None
    duration_ms: float
    since_ms: int
    outcome: int


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who knows of it."""

    who: str
    comment: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What matches is not counted from *from_ms*, before *until_ms*. *number* 0: not yet kept."""

    number: int
    from_ms: int
    until_ms: int
    reason: str
    who: str
    checks: tuple[str, ...] = ALL
    sources: tuple[str, ...] = ALL

    def covers(self, check: str, columns: tuple[Column, ...], at_ms: int) -> bool:
        """Whether the outcome of this check for these columns is not to be counted."""
        return (
            self.from_ms <= at_ms < self.until_ms
            and any(fnmatchcase(check, pattern) for pattern in self.checks)
            and any(fnmatchcase(source, pattern) for source, _ in columns for pattern in self.sources)
        )


def check_maintenance(one: Maintenance, now_ms: int) -> None:
    """Raise BadRequest if it covers nothing, or says not why."""
    for name in ("checks", "sources"):
        if not 1 <= len(getattr(one, name)) <= PATTERNS_MAX:
            raise bad(name, f"has {len(getattr(one, name))} patterns: expected 1 to {PATTERNS_MAX}")
    for name in ("reason", "who"):
        check_text(name, getattr(one, name), 1)
    if one.until_ms <= one.from_ms:
        raise bad("until", "is not after from")
    if one.until_ms <= now_ms:
        raise bad("until", "is past")


def check_text(name: str, text: str, least: int) -> None:
    """Raise BadRequest for a text that is too short or too long."""
    if not least <= len(text) <= TEXT_MAX:
        raise bad(name, f"has {len(text)} characters: expected {least} to {TEXT_MAX}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome as it is shown. *outcome* and *subject* None: it is stored nowhere."""

    outcome: int | None
    check: str
    kind: str
    subject: int | None
    columns: tuple[Column, ...]
    status: str
    reason: Reason
    message: str
    ran_ms: int
    data_ms: int | None
    data_from_ms: int | None
    duration_ms: float
    since_ms: int
    details: Mapping[str, Any] = field(default_factory=dict)
    stale: bool = False
    maintenance: Maintenance | None = None
    acknowledged: Acknowledgement | None = None


@dataclass(frozen=True, slots=True)
class OutcomeInFull:
    """One outcome of the history, the parameters that it came of, and its neighbours of the same subject."""

    outcome: Outcome
    parameters: Mapping[str, Any]
    previous: int | None
    next: int | None


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """Which present outcomes: *status*: this or worse."""

    check: str | None = None
    source: str | None = None
    field: str | None = None
    status: str | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which outcomes of the history: times are those of the run, *start_ms* included, *end_ms* not."""

    check: str | None = None
    subject: int | None = None
    source: str | None = None
    field: str | None = None
    status: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """How it is: the worst status that nobody knows of, how many outcomes of each, and some of them, worst first."""

    status: str | None
    counts: Mapping[str, int]
    acknowledged: int
    maintenance: int
    outcomes: tuple[Outcome, ...]
    next_cursor: str | None
