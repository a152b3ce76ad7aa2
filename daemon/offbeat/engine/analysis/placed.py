"""time_of_day, time_of_week and lat_long: is this when, or where, events of an entity happen?"""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.names import Names
from offbeat.engine.analysis.question import CUT_OFF, Draft
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.analysis.split import Gone, Room
from offbeat.engine.analysis.watching import ENTITY, MEMBER, SEEN, Watching
from offbeat_detectors.buckets.clock import ClockModel
from offbeat_detectors.buckets.earth import EarthModel, position_of
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.contract import State


class Placed(Watching):
    """Each event by itself; of those of a member in a bucket the oddest is the record."""

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
        self._room = 16
        self._model: ClockModel | EarthModel
        if function.probability == "position":
            self._model = EarthModel(self._room)
        else:
            self._model = ClockModel(self._room, "day" if function.name == "time_of_day" else "week")

    def looked_at(self, columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The second of each event, or the number of its position as a text."""
        if isinstance(self._model, ClockModel):
            return columns.time_ms[rows] // 1000
        return columns.numbers(self.spec.field)[rows].astype(np.int64)

    def judged(
        self, bucket: int, rows: NDArray[np.int64], weight: NDArray[np.float64], *, learn: bool
    ) -> tuple[NDArray[np.float64], list[Draft]]:
        """Of the distinct rows of a bucket: what they are like, and records of those that are odd."""
        if self.split.entities.places > self._room:
            self._room = 2 * self.split.entities.places
            self._model.grow(self._room)
        if not rows.size:
            return np.zeros(0), []
        plain = learn and not self.restraint.teaches_less
        probability, actual, typical = self._said(bucket, rows, weight, learn=plain)
        held = self.restraint.hold(
            bucket,
            rows[:, ENTITY].astype(np.int32),
            rows[:, MEMBER].astype(np.int32),
            actual[:, 0],
            typical[:, 0],
            probability,
            final=learn,
        )
        if learn and not plain and held.teaches.any():
            self._said(bucket, rows[held.teaches], weight[held.teaches], learn=True)
        return held.probability, self._drafts(rows, weight, held.probability, typical, actual)

    def _said(
        self, bucket: int, rows: NDArray[np.int64], weight: NDArray[np.float64], *, learn: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(m,) probabilities of rows, and what they are and typically were: (m, 1), or (m, 2) of positions."""
        entity, at = rows[:, ENTITY].astype(np.int32), np.full(rows.shape[0], bucket, np.int64)
        if isinstance(self._model, ClockModel):
            seconds = rows[:, SEEN].astype(np.float64)
            said = self._model.process(entity, at, seconds, weight) if learn else self._model.judge(entity, seconds)
            return said.probability, said.actual[:, None], said.typical[:, None]
        actual = self._positions(rows[:, SEEN])
        latitude, longitude = np.ascontiguousarray(actual[:, 0]), np.ascontiguousarray(actual[:, 1])
        found = (
            self._model.process(entity, at, latitude, longitude)
            if learn
            else self._model.judge(entity, latitude, longitude)
        )
        return found.probability, actual, found.typical

    def _positions(self, seen: NDArray[np.int64]) -> NDArray[np.float64]:
        known = self.names[self.spec.field]
        nowhere = (np.nan, np.nan)
        found = [position_of(known.text(int(number)) or "") or nowhere for number in seen.tolist()]
        return np.array(found, np.float64).reshape(-1, 2)

    def _drafts(
        self,
        rows: NDArray[np.int64],
        weight: NDArray[np.float64],
        probability: NDArray[np.float64],
        typical: NDArray[np.float64],
        actual: NDArray[np.float64],
    ) -> list[Draft]:
        odd = np.flatnonzero(probability <= CUT_OFF)
        drafts: list[Draft] = []
        seen: set[int] = set()
        for i in odd[np.argsort(probability[odd], kind="stable")].tolist():
            member = int(rows[i, MEMBER])
            if member in seen:
                continue
            seen.add(member)
            mine = odd[rows[odd, MEMBER] == member]
            entity = int(rows[i, ENTITY])
            drafts.append(
                Draft(
                    self._description,
                    self.split.partition(entity),
                    self.split.by(entity),
                    self.over(member),
                    float(probability[i]),
                    tuple(typical[i].tolist()),
                    tuple(actual[i].tolist()),
                    float("nan"),
                    float("nan"),
                    self.influences(rows[mine], weight[mine]),
                )
            )
        return drafts

    @staticmethod
    def entity_bytes(function: Function) -> int:
        """What the model of an entity takes."""
        return EarthModel.bytes_per_entity if function.probability == "position" else ClockModel.bytes_per_entity

    def forget(self, gone: Gone) -> None:
        """The numbers of these entities will stand for others."""
        self._model.forget(gone.entity[gone.entity < self._room])

    def models(self) -> dict[str, State]:
        """What was learned, by name."""
        return {"model": self._model.save(np.arange(self._known, dtype=np.int32))}

    def learn_again(self, models: dict[str, State]) -> None:
        """As ``models`` gave it, of as many entities."""
        self._room = max(self._room, self.split.entities.places)
        self._model.grow(self._room)
        self._model.restore(np.arange(self._known, dtype=np.int32), models["model"])

    @property
    def _known(self) -> int:
        return min(self._room, self.split.entities.places)
