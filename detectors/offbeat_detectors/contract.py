"""What a detector is. All that scores a series, ours or a plug-in's, has this form and passes ``conformance``."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""What is saved of some slots: plain arrays by name (numeric dtypes only, no objects)."""


EVIDENCE_MIN = 0.35
"""Below this novelty nothing becomes a finding (its score would be 0), and no evidence is written."""

NOTE_PRIOR, NOTE_REPEATS, NOTE_NEW_LEVEL, NOTE_SETTLING = 1, 2, 4, 8
NOTES = {
    NOTE_PRIOR: "judged by what its peers taught, for its own history is short",
    NOTE_REPEATS: "made weaker, for the like of it has been seen before",
    NOTE_NEW_LEVEL: "the new level has been accepted as normal",
    NOTE_SETTLING: "made weaker, for the series has been watched for a short time only",
}
"""What a detector may have done to a novelty, as bits of ``Evidence.notes``."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why n points are as novel as a detector says. Rows whose novelty is below EVIDENCE_MIN, or NaN, hold anything.

    share    (n, k) float32  what each of the detector's k ``pieces`` gave, in units of novelty; 0: nothing
    similar  (n, 2) int32    how many readings of its series back the most similar moments lie, nearest first; 0: none
    notes    (n,) uint8      which of NOTES acted
    """

    share: NDArray[np.float32]
    similar: NDArray[np.int32]
    notes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Opinions:
    """What a detector says of n points, each judged before it was learned.

    novelty      (n,) float64  how unlike anything lately, 0 or more; NaN: no opinion (warm-up)
    probability  (n,) float64  tail probability in (0, 1]; NaN where the detector is not probabilistic
    typical      (n,) float64  what was expected, in the unit of the series; NaN: no opinion
    lower        (n,) float64  lower bound of what was expected
    upper        (n,) float64  upper bound
    evidence     why, of a detector that is Explaining; None of any other
    strength     (n,) float64  of the finding that each point is, 0 if it is none, of a detector that keeps account of
        incidents itself; None: the alert stage (``scores``) does it
    """

    novelty: NDArray[np.float64]
    probability: NDArray[np.float64]
    typical: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    evidence: Evidence | None = None
    strength: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """How the incidents of n series stand.

    damping  (n,) float64  what a novelty would be divided by now, 1 or more
    held     (n,) float64  novelty of the last finding while its incident lasts, else 0; only more speaks again
    age      (n,) int64    readings since that finding
    hold     readings that an incident lasts at least
    """

    damping: NDArray[np.float64]
    held: NDArray[np.float64]
    age: NDArray[np.int64]
    hold: int


@dataclass(frozen=True, slots=True)
class Settled:
    """How much findings of n series count, which are young.

    share         (n,) float64  what a strength is multiplied with, 0 to 1
    strength_max  (n,) float64  what it can be at most
    readings_left, ms_left  (n,) int64, (n,) float64  until share is 1: whichever comes first; 0 where it is
    """

    share: NDArray[np.float64]
    strength_max: NDArray[np.float64]
    readings_left: NDArray[np.int64]
    ms_left: NDArray[np.float64]


class Detector(Protocol):
    """One model for each of up to *capacity* series; a series is known by its slot, 0 to capacity − 1.

    Implementations are constructed as ``cls(capacity, **parameters)`` and raise ValueError for a bad parameter.
    State arrays may be allocated for the whole capacity with ``np.zeros``: the system commits pages when they are
    first written.
    """

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes (for a model of Python objects: an estimate)."""
        ...

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in the order given, as if they came one by one.

        The same slot may occur many times. Times of one slot may step back. Values are finite. The answer must not
        depend on how a sequence of points is cut into calls. The input arrays are left as they were.
        """
        ...

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one."""
        ...

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots (each once)."""
        ...

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots; going on is as if uninterrupted, bit for bit."""
        ...

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        ...


@runtime_checkable
class Explaining(Protocol):
    """A detector that says why: each of its Opinions has evidence."""

    @property
    def pieces(self) -> tuple[str, ...]:
        """The names of its pieces of evidence, in the order of the columns of ``Evidence.share``."""
        ...


@runtime_checkable
class Accounting(Protocol):
    """A detector that keeps its own account of incidents: each of its Opinions has strengths."""

    def account(self, slot: NDArray[np.int32]) -> Account:
        """The incidents of these slots, as they stand."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A detector whose findings count less while a series is young."""

    def settled(self, slot: NDArray[np.int32]) -> Settled:
        """How far these slots have settled by their latest readings."""
        ...


@runtime_checkable
class Watchful(Protocol):
    """A detector that also has an opinion of silence."""

    def overdue(self, slot: NDArray[np.int32], now_ms: NDArray[np.int64]) -> Opinions:
        """Judge that nothing has come of n series (each at most once) until *now_ms*, in their event time.

        Learns nothing: asked twice, it answers the same. Novelty is 0 where nothing is overdue, NaN where it has no
        opinion; typical is when the reading was expected at the latest, in milliseconds since 1970 UTC.
        """
        ...


@runtime_checkable
class Grouped(Protocol):
    """A detector in which series learn from one another: the members of a group are given before their first point.

    A group never spans two calls of ``save``: it is saved and restored whole, with the slots of its members.
    """

    @property
    def group_by(self) -> Literal["field", "source"]:
        """Whether the members of a group are the same field of several sources, or the fields of one source."""
        ...

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Series *slot* belongs to *group* (0 to capacity − 1), for n series: once, before any point or restore.

        After ``forget`` a slot may join again, another group too; a group whose members were all forgotten is as new.
        """
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The clusters that the events of n series of one group form, the largest first.

    events  learned so far    far  of them, those that no cluster reached    latest  where the newest went, by id
    width   how far a cluster reaches, in spreads of the fields together; 0 while there are none
    ids     (k,) int64    count  (k,) int64 events    first_ms, last_ms  (k,) int64 times of events
    centre  (k, n) float64 in the unit of each series; NaN: it is none of those that events are clustered by
    spread  (k, n) float64 mean absolute deviation from the centre
    """

    events: int
    far: int
    latest: int
    width: float
    ids: NDArray[np.int64]
    count: NDArray[np.int64]
    first_ms: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]


@runtime_checkable
class Clustering(Protocol):
    """A detector that sorts the events of a group into clusters."""

    def clusters(self, slot: NDArray[np.int32]) -> Found:
        """The clusters of the group to which these slots belong, as they stand."""
        ...


@runtime_checkable
class Divisible(Protocol):
    """A detector whose work several threads may share. One that is not, as a plug-in's by default, is called by one."""

    def divide(self, threads: int, run: Callable[[Sequence[Callable[[], None]]], None]) -> None:
        """From now on ``process`` may give its work to *run* in up to *threads* pieces at a time.

        *run* calls each of them, perhaps on other threads at once, and returns when all are done. Opinions and state
        are those of one thread, bit for bit; who calls ``process`` waits for it before any other call. 1: no pieces.
        """
        ...
