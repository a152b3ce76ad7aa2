"""Populations: a member's value of a bucket against what members have had in earlier buckets, all pooled."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets import season
from offbeat_detectors.buckets.entity import ENTITY, FIRST, HELD, foresee, learn_spread, opinion
from offbeat_detectors.buckets.given import learn, lifted
from offbeat_detectors.buckets.model import KINDS, BucketModel, BucketOpinions, Kind
from offbeat_detectors.buckets.residuals import ABSURD
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import restore_rows, save_rows, zero_rows

MEMBERS = np.dtype([("buckets", "i8"), ("members", "f8")])
"""How many buckets a population has had, and how many members they usually have."""

BUCKETS_FIRST = 3  # before the first opinion
MEMBERS_GAIN = 1.0 / 32.0
A_BUCKET = 30.0  # values: members of a larger population teach less each, so that one bucket is not all that is known
ODD_RATE = 0.08  # of the values: fewer members than that may be odd for ever, and stay so
ALL_FAR = 1.5  # buckets of far values, net, after which the population as a whole has moved


@kernel
def judge_values(
    s: Any, known: Any, kind: int, span_s: int, first: int, last: int, bucket: int,
    value: NDArray[np.float64], lift: tuple[float, float], said: NDArray[np.float64],
) -> None:
    """``opinion`` of the values from *first* up to *last* of one population and *bucket*; *said* (6, n) is filled."""
    for i in range(first, last):
        if known.buckets < BUCKETS_FIRST or s.seen < FIRST:
            said[:, i] = np.nan
            continue
        said[0, i], said[1, i], said[2, i], said[3, i], said[4, i], said[5, i] = opinion(
            s, kind, value[i], 1.0, foresee(s, kind, bucket, span_s, value[i], 1.0, lift))


@kernel
def learn_values(
    s: Any, known: Any, kind: int, span_s: int, first: int, last: int, bucket: int,
    value: NDArray[np.float64], weight: NDArray[np.float64], lift: tuple[float, float], proof: NDArray[Any],
    table: NDArray[np.float32], season_s: int, population: int,
) -> None:
    """Learn the values from *first* up to *last*: each in how they spread, their mean in what is expected."""
    count = float(last - first)
    part = min(1.0, A_BUCKET / count)
    enough = max(float(HELD), ALL_FAR * count)
    total = moved = reach = 0.0
    expected = np.nan
    for i in range(first, last):
        x = value[i]
        if not math.isfinite(x) or not weight[i] > 0.0:
            continue
        x = min(ABSURD, max(-ABSURD, x))
        expected, high, low, _, _ = foresee(s, kind, bucket, span_s, x, 1.0, lift)
        share, near = learn_spread(
            s, kind, bucket, span_s, x, part * min(1.0, weight[i]), enough, ODD_RATE, expected, high, low, lift)
        if share > 0.0:
            total += share
            moved += share * min(near, max(-near, x - expected))
            reach = max(reach, near)
    if total > 0.0:
        middle = expected + moved / total
        seasonal = learn(
            proof[population], table[population], s.course, season_s, bucket, span_s, middle, 1.0, reach,
        )[1] if season_s else 0.0
        season.learn(s.course, bucket, span_s, middle - seasonal, 1.0, reach)
    known.buckets += 1
    known.members += max(MEMBERS_GAIN, 1.0 / known.buckets) * (count - known.members)


@kernel
def process_all(
    rows: NDArray[Any], members: NDArray[Any], kind: int, span_s: int, population: NDArray[np.int32],
    bucket: NDArray[np.int64], value: NDArray[np.float64], weight: NDArray[np.float64], proof: NDArray[Any],
    table: NDArray[np.float32], season_s: int, said: NDArray[np.float64],
) -> None:
    """Judge each run of rows of one population and bucket, then learn it; *said* (6, n) float64 is filled."""
    first = 0
    while first < population.size:
        last = first + 1
        while last < population.size and population[last] == population[first] and bucket[last] == bucket[first]:
            last += 1
        s, known = rows[population[first]], members[population[first]]
        lift = lifted(proof, table, season_s, population[first], bucket[first], span_s)
        judge_values(s, known, kind, span_s, first, last, bucket[first], value, lift, said)
        learn_values(s, known, kind, span_s, first, last, bucket[first], value, weight, lift, proof, table, season_s,
                     population[first])
        first = last


class PopulationModel:
    """How odd is a member's value among those of all members? One model for each of *capacity* populations.

    A population is what has one over field: one for each partition and by value. Parameters as of ``BucketModel``.

    All values of a population follow one law, that of ``BucketModel`` with its level, seasons and residuals, pooled
    over members and buckets; so memory is fixed for a population whatever members come and go, 1.2 KB, and a member's
    own history counts no more than anybody's: one that always does what nobody does stays odd, for what is odd is
    learned with a hundredth of the weight. Prelert Engine API, section 5 ("each value compared with its peers").
    """

    bytes_per_population = ENTITY.itemsize + MEMBERS.itemsize

    def __init__(self, capacity: int, bucket_span_s: int, kind: Kind, season_s: int = 0) -> None:
        self._model = BucketModel(capacity, bucket_span_s, kind, season_s)
        self.bytes_per_population = self._model.bytes_per_entity + MEMBERS.itemsize
        self._kind, self._span_s = KINDS[kind], int(bucket_span_s)
        self._members = zero_rows(capacity, MEMBERS)

    def grow(self, capacity: int) -> None:
        """Make room for *capacity* populations; those that are there stay as they are."""
        if capacity > self._members.size:
            grown = zero_rows(capacity, MEMBERS)
            grown[: self._members.size] = self._members
            self._members = grown
            self._model.grow(capacity)

    def process(
        self, population: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> BucketOpinions:
        """Judge n values, one a member, then learn them. Arguments as of ``BucketModel.process``.

        The members of one population and bucket are neighbours, all in one call: they are judged by the buckets before.
        """
        said = np.empty((6, population.size), np.float64)
        given = self._model.given
        process_all(
            self._model.rows, self._members, self._kind, self._span_s, population, bucket, value, weight, given.proof,
            given.table, given.season_s, said)
        return BucketOpinions(*said)

    def judge(
        self, population: NDArray[np.int32], bucket: NDArray[np.int64], value: NDArray[np.float64],
        completeness: NDArray[np.float64] | float = 1.0,
    ) -> BucketOpinions:
        """Judge n values and learn nothing. Arguments as of ``BucketModel.judge``."""
        said = self._model.judge(population, bucket, value, completeness)
        for column in (said.probability, said.probability_high, said.probability_low,
                       said.typical, said.lower, said.upper):
            column[self._members["buckets"][population] < BUCKETS_FIRST] = np.nan
        return said

    def members(self, population: NDArray[np.int32]) -> NDArray[np.float64]:
        """How many members a bucket of each of these usually has, (n,) float64."""
        return np.asarray(self._members["members"][population], np.float64)

    def save(self, population: NDArray[np.int32]) -> State:
        """A copy of the state of these populations (each once), one plain array a column."""
        return self._model.save(population) | save_rows(self._members, population)

    def restore(self, population: NDArray[np.int32], state: State) -> None:
        """Set these populations to what ``save`` gave for as many; going on is as if uninterrupted, bit for bit."""
        self._model.restore(population, state)
        restore_rows(self._members, population, state)

    def forget(self, population: NDArray[np.int32]) -> None:
        """Set these populations back to never having seen a value."""
        self._model.forget(population)
        self._members[population] = np.zeros((), MEMBERS)
