"""What a bucket of an analysis gives: records, influencers, its own probability; and how much was taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from offbeat_detectors.buckets.normalizer import Normalizer


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the by values that make a member of a population unusual."""

    probability: float
    by: str | None
    typical: tuple[float, ...]
    actual: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: this detector, these values, this bucket.

    description  the measure that is unusual: mean of metric, for instance
    typical, actual  two numbers of a position, else one each
    score        0–100, with the one fixed meaning that all of Offbeat's scores have; *normalized* by the job's past
    influencers  by influencer field, the values to blame
    correlated   the by value that this one has followed so far, if that it no longer does is what is odd
    """

    detector: int
    description: str
    partition: str | None
    by: str | None
    over: str | None
    probability: float
    typical: tuple[float, ...]
    actual: tuple[float, ...]
    lower: float
    upper: float
    score: float
    normalized: float
    influencers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    causes: tuple[Cause, ...] = ()
    correlated: str | None = None


@dataclass(frozen=True, slots=True)
class Influencer:
    """A value that contributed to what is unusual in a bucket."""

    field: str
    value: str
    probability: float
    score: float


@dataclass(frozen=True, slots=True)
class Part:
    """What an influencer field as a whole, or the bucket itself (*field* ``bucketTime``), gives to its score."""

    field: str
    probability: float
    score: float


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """Of one entity in a bucket: a feature, in which band it was expected, the middle of it, and what came."""

    detector: int
    feature: str
    partition: str | None
    by: str | None
    over: str | None
    lower: float
    typical: float
    upper: float
    actual: float


@dataclass(frozen=True, slots=True)
class Plot:
    """The model plot of a bucket; left_out: points beyond the limit. Those of buckets before *oldest_ms* may go."""

    points: tuple[PlotPoint, ...]
    left_out: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class BucketResult:
    """One bucket. *interim*: it is not complete, and this result will be replaced. *plot*: if it is asked for."""

    start_ms: int
    event_count: int
    probability: float
    anomaly_score: float
    score: float
    found: tuple[Found, ...]
    influencers: tuple[Influencer, ...]
    parts: tuple[Part, ...]
    interim: bool
    plot: Plot | None = None

    @property
    def normalized_max(self) -> float:
        """The largest normalized score of its records."""
        return max((one.normalized for one in self.found), default=0.0)


@dataclass(frozen=True, slots=True)
class Rescore:
    """Scores of the past are to be set anew, at these levels, by this state of the normalizer, which nobody changes."""

    levels: tuple[str, ...]
    normalizer: Normalizer


@dataclass(frozen=True, slots=True)
class Withheld:
    """What one detector has left out of final results, or of learning, for one cause.

    cause      exclude_frequent, or "rule 0", the first of its rules
    values     judged, and no part of a result; records: how many of them would have been records
    unlearned  values that taught nothing
    """

    detector: int
    cause: str
    values: int
    records: int
    unlearned: int


@dataclass(frozen=True, slots=True)
class Peers:
    """With whom members are compared by one detector that has an over field.

    populations  how many there are: one for each partition and by value
    members      that a bucket usually has, of all of them
    """

    detector: int
    populations: int
    members: float


COUNTS = (
    "processed_record",
    "missing_field",
    "out_of_order",
    "input_bytes",
    "input_record",
    "input_field",
    "invalid_date",
    "failed_transform",
    "excluded_record",
    "bucket",
)
"""What is counted of what was sent; the door counts from input_bytes to excluded_record, the bucket not."""


@dataclass(slots=True)
class Taken:
    """What became of records: running totals of a job, or of one upload. latest_ms: of those processed."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    latest_ms: int | None = None

    def count(self, **more: int) -> None:
        """Add to the counts."""
        for name, number in more.items():
            self.counts[name] += number

    def copy(self) -> Taken:
        """As it is now."""
        return Taken(dict(self.counts), self.latest_ms)

    def since(self, before: Taken) -> Taken:
        """What was added since it was *before*."""
        return Taken({name: count - before.counts.get(name, 0) for name, count in self.counts.items()}, self.latest_ms)

    def add(self, other: Taken) -> None:
        """Count *other* as well."""
        self.count(**other.counts)
        if other.latest_ms is not None:
            self.latest_ms = max(self.latest_ms if self.latest_ms is not None else other.latest_ms, other.latest_ms)


@dataclass(frozen=True, slots=True)
class Size:
    """What the models of a job take, and whether a limit was felt: rows refused, entities and members forgotten."""

    model_bytes: int
    by_count: int
    over_count: int
    partition_count: int
    refused: int
    status: str
    pruned: int = 0


@dataclass(slots=True)
class Outcome:
    """All that one entry gave: buckets in their order, and between them when the scores of those before change."""

    taken: Taken = field(default_factory=Taken)
    buckets: list[BucketResult | Rescore] = field(default_factory=list)
