"""rare and freq_rare: is it odd that a by value appears at all, or that a member has such values so often?"""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.names import NONE, Entities, Names
from offbeat.engine.analysis.question import CUT_OFF, Draft
from offbeat.engine.analysis.restraint import Held
from offbeat.engine.analysis.results import Cause
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.analysis.split import Gone, Room
from offbeat.engine.analysis.watching import ENTITY, MEMBER, SEEN, Watching
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.popular import FreqRareModel, FreqRareOpinions, RareOverModel
from offbeat_detectors.buckets.rare import RareModel, RareOpinions
from offbeat_detectors.contract import State

CAUSES_MAX = 10


class Appearing(Watching):
    """Entities are partitions here, for a by value is what appears; with an over field they are populations."""

    def __init__(
        self,
        index: int,
        function: Function,
        spec: DetectorSpec,
        analysis: AnalysisSpec,
        names: MutableMapping[str, Names],
        room: Room,
    ) -> None:
        super().__init__(index, spec, analysis, names, room)
        self._description = function.descriptions[0]
        self._groups = Entities()  # partitions
        self._room = 16
        self._model: RareModel | RareOverModel | FreqRareModel
        if function.probability == "freq_rare":
            self._model = FreqRareModel(self._room, analysis.bucket_span_s)
        else:
            self._model = RareOverModel(self._room) if spec.over else RareModel(self._room)

    def looked_at(self, columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the by value of each row."""
        return columns.numbers(self.spec.by)[rows].astype(np.int64)

    def judged(
        self, bucket: int, rows: NDArray[np.int64], weight: NDArray[np.float64], *, learn: bool
    ) -> tuple[NDArray[np.float64], list[Draft]]:
        """Of the distinct rows of a bucket: what they are like, and records of those that are odd."""
        if not rows.size:
            return np.zeros(0), []
        partition = self.split.entities.first[rows[:, ENTITY]]
        nothing = np.full(partition.size, NONE, np.int32)
        if learn:
            self._groups.number(partition, nothing)
        group, _ = self._groups.number(partition, nothing, most=0)
        if (group == NONE).any():  # of a partition that no final bucket has had nothing can be said
            known = group != NONE
            return self.judged(bucket, rows[known], weight[known], learn=False)
        if self._groups.places > self._room:
            self._room = 2 * self._groups.places
            self._model.grow(self._room)
        over = self.split.members.second[rows[:, MEMBER]].astype(np.int64) if self.spec.over else np.zeros(len(rows))
        keys = np.stack([group.astype(np.int64), over.astype(np.int64), rows[:, SEEN]], axis=1)
        distinct, first, where = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        where = where.ravel()
        events = np.zeros(distinct.shape[0])
        np.add.at(events, where, weight)
        if isinstance(self._model, FreqRareModel):
            return self._often(bucket, rows, weight, distinct, first, where, events, learn=learn)
        plain = learn and not self.restraint.teaches_less
        said = self._rarity(self._model, bucket, distinct, learn=plain)
        held = self._held(bucket, rows[first], said.probability, final=learn)
        if learn and not plain and held.teaches.any():
            self._rarity(self._model, bucket, distinct[held.teaches], learn=True)
        drafts = []
        for i in np.flatnonzero(held.probability <= CUT_OFF).tolist():
            mine = where == i
            typical = float(said.seen[i] / said.of[i]) if said.of[i] > 0.0 else 0.0
            numbers = (typical,), (float(events[i]),)
            drafts.append(self._draft(rows[mine], weight[mine], float(said.probability[i]), *numbers))
        return held.probability, drafts

    @staticmethod
    def _rarity(
        model: RareModel | RareOverModel, bucket: int, distinct: NDArray[np.int64], *, learn: bool
    ) -> RareOpinions:
        groups, values = distinct[:, 0].astype(np.int32), distinct[:, 2].astype(np.int32)
        if not learn:
            return model.judge(groups, values)
        at = np.full(groups.size, bucket, np.int64)
        if isinstance(model, RareOverModel):
            return model.process(groups, at, distinct[:, 1].copy(), values)
        return model.process(groups, at, values)

    def _held(
        self, bucket: int, rows: NDArray[np.int64], probability: NDArray[np.float64], *, final: bool
    ) -> Held:
        """What is held back of probabilities, each of the entity and member of a row."""
        nothing = np.full(rows.shape[0], np.nan)
        entity, member = rows[:, ENTITY].astype(np.int32), rows[:, MEMBER].astype(np.int32)
        return self.restraint.hold(bucket, entity, member, nothing, nothing, probability, final=final)

    def _often(
        self,
        bucket: int,
        rows: NDArray[np.int64],
        weight: NDArray[np.float64],
        distinct: NDArray[np.int64],
        first: NDArray[np.intp],
        where: NDArray[np.intp],
        events: NDArray[np.float64],
        *,
        learn: bool,
    ) -> tuple[NDArray[np.float64], list[Draft]]:
        assert isinstance(self._model, FreqRareModel)
        if not learn:  # of an open bucket nothing is said: how often is often, its end tells
            return np.zeros(0), []
        before = self._learned() if self.restraint.teaches_less else {}
        said = self._frequency(self._model, bucket, distinct, events)
        held = self._held(bucket, rows[first[said.row]], said.probability, final=learn)
        if not held.teaches.all():  # what the model says of a bucket it has then learned: go back, and leave those out
            self._model.restore(self._all_groups, before)
            whose = np.searchsorted(said.row, np.arange(distinct.shape[0]), "right") - 1
            kept = held.teaches[whose]
            self._frequency(self._model, bucket, distinct[kept], events[kept])
        drafts = []
        for i in np.flatnonzero(held.probability <= CUT_OFF).tolist():
            one = int(said.row[i])
            member = (distinct[:, 0] == distinct[one, 0]) & (distinct[:, 1] == distinct[one, 1])
            mine = member[where]
            numbers = (float(said.typical[i]),), (float(said.actual[i]),)
            drafts.append(self._draft(rows[mine], weight[mine], float(said.probability[i]), *numbers))
        return held.probability, drafts

    @staticmethod
    def _frequency(
        model: FreqRareModel, bucket: int, distinct: NDArray[np.int64], events: NDArray[np.float64]
    ) -> FreqRareOpinions:
        groups, values = distinct[:, 0].astype(np.int32), distinct[:, 2].astype(np.int32)
        at = np.full(groups.size, bucket, np.int64)
        return model.process(groups, at, distinct[:, 1].copy(), values, events)

    @property
    def _all_groups(self) -> NDArray[np.int32]:
        return np.arange(self._groups.places, dtype=np.int32)

    def _learned(self) -> State:
        return self._model.save(self._all_groups)

    def _draft(
        self,
        rows: NDArray[np.int64],
        weight: NDArray[np.float64],
        probability: float,
        typical: tuple[float, ...],
        actual: tuple[float, ...],
    ) -> Draft:
        entity, member = int(rows[0, ENTITY]), int(rows[0, MEMBER])
        values = np.unique(rows[:, SEEN])
        by = self.names[self.spec.by].text(int(values[0])) if values.size == 1 else None
        causes: tuple[Cause, ...] = ()
        if self.spec.over:
            counted = ((int(v), float(weight[rows[:, SEEN] == v].sum())) for v in values)
            causes = tuple(
                Cause(probability, self.names[self.spec.by].text(value), typical, (count,))
                for value, count in sorted(counted, key=lambda one: (-one[1], one[0]))[:CAUSES_MAX]
            )
        return Draft(
            self._description,
            self.split.partition(entity),
            by,
            self.over(member),
            probability,
            typical,
            actual,
            0.0,
            typical[0],
            self.influences(rows, weight),
            causes,
        )

    @staticmethod
    def entity_bytes(function: Function, spec: DetectorSpec) -> int:
        """What the models of an entity take: a partition has one, and may have no more than one by value."""
        if not spec.partition:
            return 0
        if function.probability == "freq_rare":
            return FreqRareModel.bytes_per_population
        return RareOverModel.bytes_per_population if spec.over else RareModel.bytes_per_entity

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities will stand for others; the models of partitions that have none left end."""
        if self.spec.partition:
            entities = self.split.entities
            partition = np.unique(entities.first[entities.live])
            groups = self._groups.keep_only(partition, np.full(partition.size, NONE, np.int32))
            self._model.forget(groups[groups < self._room])

    def used(self, field: str) -> list[NDArray[np.int32]]:
        """The numbers of those values of a field that it knows by them, also those that its models remember."""
        known = super().used(field)
        if field == self.spec.by and len(self._groups):
            learned = self._learned()
            head = "rare." if isinstance(self._model, FreqRareModel) else ""
            value, held = learned[f"{head}value"], learned[f"{head}held"]
            known.append(value[np.arange(value.shape[1]) < held[:, None]])
        return known

    def models(self) -> dict[str, State]:
        """What was learned, by name."""
        return {"groups": self._groups.save(), "rare": self._learned()}

    def learn_again(self, models: dict[str, State]) -> None:
        """As ``models`` gave it, of as many entities."""
        self._groups.restore(models["groups"])
        self._room = max(self._room, self._groups.places)
        self._model.grow(self._room)
        self._model.restore(self._all_groups, models["rare"])
