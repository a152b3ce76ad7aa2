"""Whose a record is: which rows a detector looks at, and which entity and member of it each belongs to."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.names import CROWDED, NONE, Entities, Names, longer
from offbeat.engine.analysis.results import Size
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat_detectors.contract import State


@dataclass(frozen=True, slots=True)
class Whose:
    """Rows that count.

    row     (m,) int64 into the upload    entity  (m,) int32 a by value in a partition
    member  (m,) int32 an over value of an entity; the entity itself without an over field
    """

    row: NDArray[np.int64]
    entity: NDArray[np.int32]
    member: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Room:
    """How many entities and members a detector may know, and what each takes in bytes, its models with it."""

    entities: int
    members: int
    entity_bytes: int
    member_bytes: int

    @classmethod
    def of(cls, bytes_max: int, values_max: int, entity_bytes: int, member_bytes: int, *, over: bool) -> Room:
        """Room for entities, and half of it for members if there is an over field; bytes_max below 0: without limit.

        Of the values of a field, of which there are at most *values_max*, half may be known by it: others come and go.
        """
        share = bytes_max // 2 if over else bytes_max
        if bytes_max < 0:
            return cls(2**31 - 1, 2**31 - 1, entity_bytes, member_bytes)
        most = values_max // 2
        entities, members = (max(1, min(most, share // each)) for each in (entity_bytes, member_bytes))
        return cls(entities, members, entity_bytes, member_bytes)


@dataclass(frozen=True, slots=True)
class Gone:
    """Entities and members that were forgotten: their numbers will stand for others."""

    entity: NDArray[np.int32]
    member: NDArray[np.int32]


NOBODY = Gone(np.zeros(0, np.int32), np.zeros(0, np.int32))


class Split:
    """Divides records by partition, by and over field."""

    def __init__(self, spec: DetectorSpec, names: MutableMapping[str, Names], room: Room) -> None:
        self._spec, self._names, self._room = spec, names, room
        self.entities = Entities()  # (partition, by)
        self.members = Entities()  # (entity, over)
        self._seen = np.zeros(16, np.int64), np.zeros(16, np.int64)  # of each of them: the newest bucket
        self.refused = self.pruned = 0
        if spec.use_null:  # before any value: numbers do not depend on which upload has the first record without one
            for name in (spec.partition, spec.by, spec.over):
                if name:
                    self._null(name)

    def of(self, columns: Columns, rows: slice) -> Whose:
        """Whose each of *rows* is; records of entities and members for which there is no room are counted."""
        spec = self._spec
        row = np.arange(rows.start, rows.stop, dtype=np.int64)
        codes = [columns.numbers(name)[rows] for name in (spec.partition, spec.by, spec.over)]
        has = np.ones(row.size, np.bool_)
        for name in spec.partition, spec.by, spec.over:
            has &= ~columns.beyond(name)[rows]
        self.refused += row.size - int(has.sum())
        for i, name in enumerate((spec.partition, spec.by, spec.over)):
            if not name:
                continue
            if spec.use_null:
                codes[i] = np.where(codes[i] == NONE, self._null(name), codes[i]).astype(np.int32)
            else:
                has &= codes[i] != NONE
        if not has.all():
            row, codes = row[has], [code[has] for code in codes]
        entity, refused = self.entities.number(codes[0], codes[1], self._room.entities)
        self.refused += refused
        if refused:
            known = entity != NONE
            row, entity, codes = row[known], entity[known], [code[known] for code in codes]
        if not spec.over:
            return Whose(row, entity, entity)
        member, refused = self.members.number(entity, codes[2], self._room.members)
        self.refused += refused
        if refused:
            known = member != NONE
            row, entity, member = row[known], entity[known], member[known]
        return Whose(row, entity, member)

    def saw(self, whose: Whose, bucket: NDArray[np.int64]) -> None:
        """Each of these rows is of that bucket, (m,)."""
        entity, member = self._seen
        self._seen = longer(entity, self.entities.places, 0), longer(member, self.members.places, 0)
        np.maximum.at(self._seen[0], whose.entity, bucket)
        if self._spec.over:
            np.maximum.at(self._seen[1], whose.member, bucket)

    @property
    def places(self) -> int:
        """One more than the largest number of a member, or of an entity where they are the same."""
        return self.members.places if self._spec.over else self.entities.places

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever a number stands for something new."""
        return self.entities.version, self.members.version

    def make_room(self, bucket: int) -> Gone:
        """Once *bucket* is final: if there are too many, forget those unseen for longest, but none that it had."""
        entity = self._unseen(self.entities, self._seen[0], self._room.entities, bucket)
        member = self._unseen(self.members, self._seen[1], self._room.members, bucket)
        if not entity.size and not member.size:
            return NOBODY
        if entity.size and self._spec.over:
            of_those = np.flatnonzero(np.isin(self.members.first, entity)).astype(np.int32)
            member = np.union1d(member, of_those).astype(np.int32)
        self.entities.forget(entity)
        self.members.forget(member)
        for seen, gone in zip(self._seen, (entity, member), strict=True):
            seen[gone] = 0
        self.pruned += entity.size + member.size
        return Gone(entity, member)

    @staticmethod
    def _unseen(known: Entities, seen: NDArray[np.int64], most: int, bucket: int) -> NDArray[np.int32]:
        too_many = len(known) - max(1, int(CROWDED * most))
        if too_many <= 0:
            return NOBODY.entity
        live = known.live
        live = live[seen[live] < bucket]
        return live[np.lexsort((live, seen[live]))[:too_many]]

    def used(self, field: str) -> list[NDArray[np.int32]]:
        """The numbers of the values of a field that entities and members are made of."""
        spec = self._spec
        made = (spec.partition, self.entities.first), (spec.by, self.entities.second), (spec.over, self.members.second)
        return [numbers for name, numbers in made if name == field]

    def size(self) -> Size:
        """What all of them take, with their models, and whether room had to be made, or there was none."""
        spec, room = self._spec, self._room
        live = self.entities.live
        return Size(
            self.entities.places * room.entity_bytes + self.members.places * room.member_bytes,
            live.size if spec.by else 0,
            len(self.members),
            int(np.unique(self.entities.first[live]).size) if spec.partition else 1,
            self.refused,
            "HARD_LIMIT" if self.refused else "SOFT_LIMIT" if self.pruned else "OK",
            self.pruned,
        )

    def _null(self, field: str) -> int:
        return self._names[field].one("")

    def partition(self, entity: int) -> str | None:
        """The partition value of an entity."""
        return self._text(self._spec.partition, int(self.entities.first[entity]))

    def by(self, entity: int) -> str | None:
        """The by value of an entity."""
        return self._text(self._spec.by, int(self.entities.second[entity]))

    def over(self, member: int) -> str | None:
        """The over value of a member."""
        return self._text(self._spec.over, int(self.members.second[member])) if self._spec.over else None

    def _text(self, field: str, number: int) -> str | None:
        return self._names[field].text(number) if field and number != NONE else None

    def save(self) -> State:
        """All that is known, in its order."""
        entities, members = self.entities.save(), self.members.save()
        return {
            "partition": entities["first"],
            "by": entities["second"],
            "entities_free": entities["free"],
            "entities_ever": entities["ever"],
            "entities_seen": self._seen[0][: self.entities.places].copy(),
            "entity": members["first"],
            "over": members["second"],
            "members_free": members["free"],
            "members_ever": members["ever"],
            "members_seen": self._seen[1][: self.members.places].copy(),
            "counts": np.array([self.refused, self.pruned], np.int64),
        }

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        for pairs, first, second, name in (
            (self.entities, "partition", "by", "entities"),
            (self.members, "entity", "over", "members"),
        ):
            rest = {"free": state[f"{name}_free"], "ever": state[f"{name}_ever"]}
            pairs.restore({"first": state[first], "second": state[second]} | rest)
        self._seen = state["entities_seen"].copy(), state["members_seen"].copy()
        self.refused, self.pruned = (int(count) for count in state["counts"])
