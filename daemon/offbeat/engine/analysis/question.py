"""What a detector at work is: rows in, an answer for each bucket. The kinds are files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.results import Cause, PlotPoint, Size, Withheld
from offbeat_detectors.buckets.aggregate import CUTOFF
from offbeat_detectors.contract import State

CUT_OFF = CUTOFF
"""More probable than this is no record."""
Influences = Mapping[str, tuple[tuple[str, float], ...]]
"""By influencer field: values, and how much of the oddness goes without each, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be, without its scores. correlated: as of ``results.Found``."""

    description: str
    partition: str | None
    by: str | None
    over: str | None
    probability: float
    typical: tuple[float, ...]
    actual: tuple[float, ...]
    lower: float
    upper: float
    influences: Influences = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    correlated: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one detector says of a bucket. probability: (m,) of all that it judged, NaN where it has no opinion yet.

    plot, left_out  points of the model plot, if that is asked for, and how many were too many
    """

    detector: int
    probability: NDArray[np.float64]
    drafts: list[Draft]
    plot: tuple[PlotPoint, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A bucket and its events, with what is said of it, and of the shifted ones that overlap with it."""

    bucket: int
    events: float
    answers: list[Answer]
    shifted: tuple[list[Answer], ...] = ()


class Question(Protocol):
    """A detector at work."""

    def add(self, columns: Columns, rows: slice, bucket: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        """Take *rows* of an upload, with the bucket and the weight of each, in order of arrival."""
        ...

    def close(self, bucket: int) -> Answer:
        """Judge a bucket that is complete, learn it, and forget its rows."""
        ...

    def look(self, bucket: int, complete: float) -> Answer:
        """Judge an open bucket of which a share *complete* has come, and change nothing."""
        ...

    def drop(self, bucket: int) -> None:
        """Forget the rows of a bucket, of which nothing is to be said."""
        ...

    def drop_open(self) -> None:
        """Forget the rows of all open buckets."""
        ...

    def make_room(self, bucket: int) -> None:
        """Once *bucket* is final: forget, if there are too many, whom nobody has seen for longest."""
        ...

    def used(self, field: str) -> list[NDArray[np.int32]]:
        """The numbers of those values of a field that it knows by them."""
        ...

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What it left out, by cause."""
        ...

    def size(self) -> Size:
        """What its models take."""
        ...

    def save(self) -> State:
        """All of it, as arrays."""
        ...

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        ...
