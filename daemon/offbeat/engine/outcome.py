"""What applying an entry gives besides state: findings, and buckets that changed because of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that is a record of its bucket, or a stronger one than before. Names are numbers of the catalog.

    (seq, ordinal) is its place among all that the journal ever gave: the id of the stream. at_ms is when it arrived.
    actual is NaN where the finding is that nothing came; typical is then the time in ms by which it was due.
    evidence is why, as offbeat_detectors.explain packs it.
    """

    seq: int
    ordinal: int
    at_ms: int
    job: int
    source: int
    series: int
    bucket_ms: int
    time_ms: int
    actual: float
    typical: float
    lower: float
    upper: float
    novelty: float
    probability: float
    score: float
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class BucketChange:
    """A bucket that holds a record, as it is now."""

    seq: int
    ordinal: int
    at_ms: int
    job: int
    source: int
    start_ms: int
    event_count: int
    novelty: float
    score: float
    record_count: int
    closed: bool


@dataclass(frozen=True, slots=True)
class EndedAdjustment:
    """An adjustment that is no longer in force: how many findings of its series were hidden, and revealed, by then."""

    number: int
    hidden_count: int
    revealed_count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of one entry, or of some that were applied together, in order.

    *hidden_count*: findings that adjustments kept from being any. *untold*: how many were found and not told, by
    ``buckets.RULES``. *evicted_count*: models that others took the place of; *unjudged_count*: readings of series
    without one.
    """

    findings: tuple[Finding, ...]
    changes: tuple[BucketChange, ...]
    late_count: int = 0
    hidden_count: int = 0
    ended: tuple[EndedAdjustment, ...] = ()
    untold: tuple[int, ...] = (0, 0, 0)
    evicted_count: int = 0
    unjudged_count: int = 0


NOTHING = Outcome((), ())
