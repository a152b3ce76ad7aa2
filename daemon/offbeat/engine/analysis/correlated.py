"""By values that follow one another: a member's number judged beside that of the one that it follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.split import Gone
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.model import BucketOpinions
from offbeat_detectors.buckets.pairs import NOBODY, PairOpinions, Pairs, of_two, strays
from offbeat_detectors.contract import State


@dataclass(frozen=True, slots=True)
class Beside:
    """What is said of n values of a bucket, their partners considered. All (n,).

    value        as it came
    own          its probability by itself
    probability  the lesser of that and of its pair's, corrected for the two looks
    partner      the member without which it would be less odd; NOBODY if it is odd, or not, by itself
    typical, lower, upper  what was expected: where the partner had it, if there is one
    strays       what the value is off by, NaN where that is unknown
    """

    value: NDArray[np.float64]
    own: NDArray[np.float64]
    probability: NDArray[np.float64]
    partner: NDArray[np.int32]
    typical: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    strays: NDArray[np.float64]


class Correlated:
    """Pairs of by values of each partition, by one feature. *bytes_max*: of what it keeps of pairs."""

    def __init__(self, function: Function, span_s: int, bytes_max: int) -> None:
        self._function = function
        self._pairs = Pairs(span_s, bytes_max)

    @property
    def bytes_per_entity(self) -> int:
        """Memory of one entity, beside ``bytes_held``."""
        return self._pairs.bytes_per_entity

    def grow(self, members: int) -> None:
        """Make room for *members*."""
        self._pairs.grow(members)

    def look(
        self,
        member: NDArray[np.int32],
        bucket: int,
        value: NDArray[np.float64],
        said: BucketOpinions,
        own: NDArray[np.float64],
    ) -> Beside:
        """Judge n values of a bucket, members ascending, of which *said* is said and *own* is the probability."""
        return self._beside(member, bucket, value, found(self._pairs.partner(member), member, value), said, own)

    def again(
        self,
        beside: Beside,
        member: NDArray[np.int32],
        which: NDArray[np.int32],
        bucket: int,
        value: NDArray[np.float64],
        said: BucketOpinions,
        own: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(r,) the probability if members *which* had other values, and their partners those of *beside*."""
        other = found(self._pairs.partner(which), member, beside.value)
        return self._beside(which, bucket, value, other, said, own).probability

    def _beside(
        self,
        member: NDArray[np.int32],
        bucket: int,
        value: NDArray[np.float64],
        other: NDArray[np.float64],
        said: BucketOpinions,
        own: NDArray[np.float64],
    ) -> Beside:
        judged = self._pairs.judge(member, bucket, value, other)
        p = self._sided(judged)
        speaks = p < own
        least = -np.inf if self._function.kind == "metric" else 0.0
        return Beside(
            value,
            own,
            of_two(own, p),
            np.where(speaks, judged.partner, np.int32(NOBODY)),
            np.where(speaks, np.maximum(judged.typical, least), said.typical),
            np.where(speaks, np.maximum(judged.lower, least), said.lower),
            np.where(speaks, np.maximum(judged.upper, least), said.upper),
            strays(value, said),
        )

    def _sided(self, beside: PairOpinions) -> NDArray[np.float64]:
        match self._function.side:
            case "high":
                return beside.probability_high
            case "low":
                return beside.probability_low
            case _:
                return beside.probability

    def learn(
        self,
        member: NDArray[np.int32],
        partition: NDArray[np.int32],
        bucket: int,
        beside: Beside,
        teaches: NDArray[np.bool_],
        came: NDArray[np.bool_],
    ) -> None:
        """Learn a bucket that is complete, all (n,). *came*: who had rows."""
        off = np.where(teaches, beside.strays, np.nan)
        self._pairs.learn(member, partition, bucket, beside.value, off, came)

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities will stand for others."""
        self._pairs.forget(gone.entity)

    @property
    def bytes_held(self) -> int:
        """What is kept of pairs."""
        return self._pairs.bytes_held

    @property
    def crowded(self) -> bool:
        """Whether some were not compared for want of room."""
        return self._pairs.crowded

    def save(self) -> State:
        """All that was learned."""
        return self._pairs.save()

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of as many members."""
        self._pairs.restore(state)


def once(member: NDArray[np.int32], beside: Beside, held: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the probabilities *held* for the bucket as a whole: of two that no longer follow one another, one speaks.

    Both are records, for none knows who of them went its own way; that they part is one event.
    """
    second = np.flatnonzero((beside.partner != NOBODY) & (beside.partner < member) & ~np.isnan(held))
    first = np.searchsorted(member, beside.partner[second])
    told = (beside.partner[first] == member[second]) & ~np.isnan(held[first])
    said = held.copy()
    said[second[told]] = beside.own[second[told]]
    return said


def found(
    wanted: NDArray[np.int32], member: NDArray[np.int32], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) the value of each that is *wanted*, by those of *member*, which ascends; NaN where it is not there."""
    at = np.searchsorted(member, wanted)
    there = (np.append(member, NOBODY)[at] == wanted) & (wanted != NOBODY)
    return np.where(there, np.append(value, np.nan)[at], np.nan)
