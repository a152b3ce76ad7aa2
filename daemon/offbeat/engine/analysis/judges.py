"""By what a member's number is judged: its own past, or its peers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.split import Gone
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.model import BucketModel, BucketOpinions
from offbeat_detectors.buckets.over import PopulationModel
from offbeat_detectors.contract import State


class Judge(Protocol):
    """What is thought of one feature of members."""

    @property
    def bytes_per_entity(self) -> int:
        """Memory of one entity."""
        ...

    def grow(self, members: int, entity: NDArray[np.int32]) -> None:
        """Make room for *members*; entity[i] is whose member i is."""
        ...

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities and members will stand for others."""
        ...

    def judge(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], complete: float
    ) -> BucketOpinions:
        """Say what n values are like, and learn nothing."""
        ...

    def process(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> BucketOpinions:
        """The same of a bucket that is complete, and learn it; a value of *weight* 0 teaches nothing."""
        ...

    def save(self) -> State:
        """All that was learned."""
        ...

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of as many members."""
        ...


class ByOwnPast:
    """Judges a member by its own earlier buckets."""

    def __init__(self, function: Function, span_s: int, season_s: int) -> None:
        self._model = BucketModel(16, span_s, function.kind, season_s)
        self._room, self._members = 16, 0

    @property
    def bytes_per_entity(self) -> int:
        """Memory of one entity, which is its own only member."""
        return self._model.bytes_per_entity

    def grow(self, members: int, entity: NDArray[np.int32]) -> None:
        """Make room for *members*, whoever they are."""
        self._members = members
        if members > self._room:
            self._room = max(members, 2 * self._room)
            self._model.grow(self._room)

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities will stand for others."""
        self._model.forget(gone.entity)

    def judge(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], complete: float
    ) -> BucketOpinions:
        """Say what n values are like, and learn nothing."""
        return self._model.judge(member, np.full(member.size, bucket, np.int64), value, complete)

    def process(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> BucketOpinions:
        """The same of a bucket that is complete, and learn it; a value of *weight* 0 teaches nothing."""
        return self._model.process(member, np.full(member.size, bucket, np.int64), value, weight)

    def save(self) -> State:
        """All that was learned."""
        return self._model.save(np.arange(self._members, dtype=np.int32))

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of as many members."""
        self._model.restore(np.arange(self._members, dtype=np.int32), state)


class ByPeers:
    """Judges a member by what members of the same population have had in earlier buckets."""

    def __init__(self, function: Function, span_s: int, season_s: int) -> None:
        self._over = PopulationModel(16, span_s, function.kind, season_s)
        self._room = 16
        self._population = np.zeros(0, np.int32)  # of each member

    @property
    def bytes_per_entity(self) -> int:
        """Memory of one population; its members take none."""
        return self._over.bytes_per_population

    @property
    def _populations(self) -> int:
        return int(self._population.max(initial=-1)) + 1

    @property
    def usual(self) -> NDArray[np.float64]:
        """How many members a bucket usually has, of each population that has had one."""
        members = self._over.members(np.arange(self._populations, dtype=np.int32))
        return members[members > 0.0]

    def grow(self, members: int, entity: NDArray[np.int32]) -> None:
        """Make room for *members*; entity[i] is the population of member i."""
        self._population = entity.copy()
        if self._populations > self._room:
            self._room = max(self._populations, 2 * self._room)
            self._over.grow(self._room)

    def forget(self, gone: Gone) -> None:
        """The numbers of these populations will stand for others."""
        self._over.forget(gone.entity)

    def judge(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], complete: float
    ) -> BucketOpinions:
        """Say what n values are like, and learn nothing."""
        return self._over.judge(self._population[member], np.full(member.size, bucket, np.int64), value, complete)

    def process(
        self, member: NDArray[np.int32], bucket: int, value: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> BucketOpinions:
        """The same of a bucket that is complete, and learn it; a value of *weight* 0 teaches nothing."""
        population = self._population[member]
        order = np.argsort(population, kind="stable")  # members of one population are neighbours
        said = self._over.process(
            population[order], np.full(member.size, bucket, np.int64), value[order], weight[order]
        )
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        return BucketOpinions(
            said.probability[back],
            said.probability_high[back],
            said.probability_low[back],
            said.typical[back],
            said.lower[back],
            said.upper[back],
        )

    def save(self) -> State:
        """All that was learned."""
        return self._over.save(np.arange(self._populations, dtype=np.int32))

    def restore(self, state: State) -> None:
        """As ``save`` gave it, of as many members."""
        self._over.restore(np.arange(self._populations, dtype=np.int32), state)
