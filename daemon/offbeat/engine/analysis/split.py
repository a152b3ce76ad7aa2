"""Whose a record is: which rows a detector looks at, and which entity and member of it each belongs to."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.names import NONE, Entities, Names
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


class Split:
    """Divides records by partition, by and over field."""

    def __init__(self, spec: DetectorSpec, names: MutableMapping[str, Names]) -> None:
        self._spec, self._names = spec, names
        self.entities = Entities()  # (partition, by)
        self.members = Entities()  # (entity, over)
        self.refused = 0
        if spec.use_null:  # before any value: numbers do not depend on which upload has the first record without one
            for name in (spec.partition, spec.by, spec.over):
                if name:
                    self._null(name)

    def of(self, columns: Columns, rows: slice, most: int) -> Whose:
        """Whose each of *rows* is; at most *most* entities and members are known, records of more are counted."""
        spec = self._spec
        row = np.arange(rows.start, rows.stop, dtype=np.int64)
        codes = [columns.numbers(name)[rows] for name in (spec.partition, spec.by, spec.over)]
        has = np.ones(row.size, np.bool_)
        for i, name in enumerate((spec.partition, spec.by, spec.over)):
            if not name:
                continue
            if spec.use_null:
                codes[i] = np.where(codes[i] == NONE, self._null(name), codes[i]).astype(np.int32)
            else:
                has &= codes[i] != NONE
        if not has.all():
            row, codes = row[has], [code[has] for code in codes]
        entity, refused = self.entities.number(codes[0], codes[1], most)
        member = entity
        if spec.over:
            member, more = self.members.number(entity, codes[2], most)
            refused += more
        self.refused += refused
        if refused:
            known = (entity != NONE) & (member != NONE)
            return Whose(row[known], entity[known], member[known])
        return Whose(row, entity, member)

    def _null(self, field: str) -> int:
        return self._names.setdefault(field, Names()).one("")

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
            "entity": members["first"],
            "over": members["second"],
            "refused": np.array([self.refused], np.int64),
        }

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self.entities.restore({"first": state["partition"], "second": state["by"]})
        self.members.restore({"first": state["entity"], "second": state["over"]})
        self.refused = int(state["refused"][0])
