"""One value of each entity and bucket, judged by what the entity's earlier buckets taught: for functions of numbers.

What is expected is in ``season``, how far values stray from it in ``residuals``, what becomes of one in ``entity``.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.entity import ENTITY, foresee, learn, learn_course, learn_season, opinion
from offbeat_detectors.buckets.given import GivenSeason, lifted
from offbeat_detectors.buckets.residuals import COUNT, METRIC, SUM
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import AHEAD, copy_of, prefetch_until, restore_rows, zero_rows

Kind = Literal["count", "sum", "metric"]
KINDS: dict[Kind, int] = {"count": COUNT, "sum": SUM, "metric": METRIC}
FETCHED = 320  # bytes of a row, fetched ahead: all but the tables of the seasons


@dataclass(frozen=True, slots=True)
class BucketOpinions:
    """What is said of n values. All (n,) float64; NaN: no opinion (warm-up).

    probability       of a value at least as odd, on either side; PROBABILITY_MIN to 1
    probability_high  of a value as high; probability_low: as low
    typical           what was expected, in the unit of the value
    lower, upper      where about 98 % are expected
    """

    probability: NDArray[np.float64]
    probability_high: NDArray[np.float64]
    probability_low: NDArray[np.float64]
    typical: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@kernel
def process_all(
    rows: NDArray[Any], kind: int, span_s: int, entity: NDArray[np.int32], bucket: NDArray[np.int64],
    value: NDArray[np.float64], weight: NDArray[np.float64], proof: NDArray[Any], table: NDArray[np.float32],
    season_s: int, said: NDArray[np.float64],
) -> None:
    """``opinion`` of n values in order, each before it is learned; *said* (6, n) float64 is filled."""
    for i in range(entity.size):
        prefetch_until(rows, entity[min(i + AHEAD, entity.size - 1)], FETCHED)
        s = rows[entity[i]]
        lift = lifted(proof, table, season_s, entity[i], bucket[i], span_s)
        foreseen = foresee(s, kind, bucket[i], span_s, value[i], 1.0, lift)
        said[0, i], said[1, i], said[2, i], said[3, i], said[4, i], said[5, i] = opinion(
            s, kind, value[i], 1.0, foreseen)
        share, reach = learn(
            s, kind, bucket[i], span_s, value[i], weight[i], foreseen[0], foreseen[1], foreseen[2], lift)
        if share > 0.0:
            seasonal = learn_season(
                s, proof[entity[i]], table[entity[i]], season_s, bucket[i], span_s, value[i], share, reach,
            ) if season_s else 0.0
            learn_course(s, bucket[i], span_s, value[i], share, reach, seasonal)


@kernel
def judge_all(
    rows: NDArray[Any], kind: int, span_s: int, entity: NDArray[np.int32], bucket: NDArray[np.int64],
    value: NDArray[np.float64], share: NDArray[np.float64], proof: NDArray[Any], table: NDArray[np.float32],
    season_s: int, said: NDArray[np.float64],
) -> None:
    """``opinion`` of n values; *said* (6, n) float64 is filled."""
    for i in range(entity.size):
        s = rows[entity[i]]
        said[0, i], said[1, i], said[2, i], said[3, i], said[4, i], said[5, i] = opinion(
            s, kind, value[i], share[i], foresee(s, kind, bucket[i], span_s, value[i], share[i], lifted(
                proof, table, season_s, entity[i], bucket[i], span_s)))


class BucketModel:
    """How odd is a number, judged by the entity's own past? One model for each of *capacity* entities.

    bucket_span_s  of the buckets, whole seconds from 1; a bucket is known by its number, start / span
    kind           "count": whole numbers from 0, of which zeros count; "sum": mostly above 0, zero with a probability
                   of its own; "metric": any number
    season_s       length of a season that is known beforehand: it is learned from its second round on, besides those
                   that are found. 2 to 100,000 buckets; 0: none

    1,092 bytes an entity, and up to 792 more for a season. A probability is that of the buckets before; missing
    buckets neither teach nor harm. The answer does not depend on how a sequence of values is cut into calls. Raises
    ValueError for a parameter out of its range. Functions: Prelert Engine API, section 5.
    """

    bytes_per_entity = ENTITY.itemsize

    def __init__(self, capacity: int, bucket_span_s: int, kind: Kind, season_s: int = 0) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}: expected one of {', '.join(KINDS)}")
        if bucket_span_s < 1:
            raise ValueError(f"bucket_span_s is {bucket_span_s}: expected 1 or more")
        self._kind = KINDS[kind]
        self._span_s = int(bucket_span_s)
        self.rows = zero_rows(capacity, ENTITY)
        self.given = GivenSeason(capacity, season_s, self._span_s)
        self.bytes_per_entity = ENTITY.itemsize + self.given.bytes_per_entity

    def grow(self, capacity: int) -> None:
        """Make room for *capacity* entities; those that are there stay as they are."""
        if capacity > self.rows.size:
            grown = zero_rows(capacity, ENTITY)
            grown[: self.rows.size] = self.rows
            self.rows = grown
            self.given.grow(capacity)

    def process(
        self, entity: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> BucketOpinions:
        """Judge, then learn, n values in the order given.

        entity  (n,) int32    buckets of one entity ascend
        bucket  (n,) int64    number of the bucket, from 1970 UTC
        value   (n,) float64  one that is not finite is no value: no opinion, and it teaches nothing
        weight  (n,) float64  0 to 1, how much of a whole bucket it stands for in learning; 0: it teaches nothing
        """
        said = np.empty((6, entity.size), np.float64)
        given = self.given
        process_all(
            self.rows, self._kind, self._span_s, entity, bucket, value, weight, given.proof, given.table,
            given.season_s, said)
        return BucketOpinions(*said)

    def judge(
        self, entity: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.float64],
        completeness: NDArray[np.float64] | float = 1.0,
    ) -> BucketOpinions:
        """Judge n values and learn nothing. Arguments as of ``process``.

        completeness  above 0 up to 1, one or (n,): the share of an open bucket that has passed. Of a count or a sum so
                      much less is expected, and as much varied as of independent parts; a metric is judged as it is.
        """
        share = np.ascontiguousarray(np.broadcast_to(np.asarray(completeness, np.float64), entity.shape))
        if not ((share > 0.0) & (share <= 1.0)).all():
            raise ValueError("completeness is out of its range: expected above 0, up to 1")
        said = np.empty((6, entity.size), np.float64)
        given = self.given
        judge_all(
            self.rows, self._kind, self._span_s, entity, bucket, value, share, given.proof, given.table,
            given.season_s, said)
        return BucketOpinions(*said)

    def save(self, entity: NDArray[np.int32]) -> State:
        """The state of these entities (each once), an array a column: columns of one copy of the rows."""
        taken = copy_of(self.rows, entity)
        return {
            f"{name}.{column}": taken[name][column] for name in NESTED for column in taken[name].dtype.names or ()
        } | {name: taken[name] for name in PLAIN} | self.given.save(entity)

    def restore(self, entity: NDArray[np.int32], state: State) -> None:
        """Set these entities to what ``save`` gave for as many; going on is as if uninterrupted, bit for bit."""
        part = zero_rows(entity.size, ENTITY)
        every = np.arange(entity.size, dtype=np.int32)
        for name in NESTED:
            restore_rows(part[name], every, {
                column: state[f"{name}.{column}"] for column in part[name].dtype.names or ()})
        restore_rows(part[list(PLAIN)], every, state)
        self.rows[entity] = part
        self.given.restore(entity, state)

    def forget(self, entity: NDArray[np.int32]) -> None:
        """Set these entities back to never having seen a value."""
        self.rows[entity] = np.zeros((), ENTITY)
        self.given.forget(entity)


NESTED = ("residuals", "course")
PLAIN = tuple(name for name in ENTITY.names or () if name not in NESTED)
