"""What both clients ask alike: parameters as types, and the calls that they become. No socket."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypedDict, TypeVar

from offbeat.client.calls import Call, Names, Time

Row = TypeVar("Row", covariant=True)


class Steps(Protocol[Row]):
    """A question that takes several calls (pages.py)."""

    def call(self) -> Call | None:
        """What to ask next; None: that was all."""

    def rows(self, document: dict[str, Any]) -> Sequence[Row]:
        """What its answer gives."""


class Filters(TypedDict, total=False):
    """Of findings: which. *sequence* waits for the answer to include a journal entry, or "latest"."""

    job: str
    source: Names
    start: Time
    end: Time
    min_score: float
    order: str
    sequence: int | str


class BucketFilters(Filters, total=False):
    """The same, and of sources or of the job as a whole (*scope*)."""

    scope: str


class RecordFilters(Filters, total=False):
    """The same, and of which fields; with *explain* False without the reasons."""

    field: Names
    explain: bool


class PointsAsked(TypedDict, total=False):
    """Which points of a source's series, and how many: docs/api.md, "readings"."""

    field: Names
    start: Time
    end: Time
    width: int
    level: str
    columns: str
    time: str
    sequence: int | str


class StreamFilters(TypedDict, total=False):
    """What of the stream: *types* of record, bucket, status, comma-separated."""

    job: str
    source: Names
    min_score: float
    types: str
