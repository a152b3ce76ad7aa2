"""Detectors that look at each event: whether it may come at all, when, and where. What they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.names import NONE, Names
from offbeat.engine.analysis.nested import part, under
from offbeat.engine.analysis.question import Answer, Draft
from offbeat.engine.analysis.restraint import Restraint
from offbeat.engine.analysis.results import Size, Withheld
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.analysis.split import Gone, Room, Split
from offbeat.engine.analysis.tally import Tally
from offbeat_detectors.contract import State

ENTITY, MEMBER, SEEN, OWN = range(4)
"""Columns of a row: whose it is, what the kind of detector looks at, and OWN on the values of influencers."""


class Watching(ABC):
    """One such detector at work."""

    def __init__(
        self, index: int, spec: DetectorSpec, analysis: AnalysisSpec, names: MutableMapping[str, Names], room: Room
    ) -> None:
        self.index, self.spec, self.names = index, spec, names
        self.influencers = analysis.influencers
        self.split = Split(spec, names, room)
        self.restraint = Restraint(index, spec, self.split, analysis.bucket_span_s)
        self._tally = Tally(OWN + len(analysis.influencers))

    @abstractmethod
    def looked_at(self, columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,) what is looked at in these rows of an upload, as whole numbers; −1: nothing."""

    @abstractmethod
    def judged(
        self, bucket: int, rows: NDArray[np.int64], weight: NDArray[np.float64], *, learn: bool
    ) -> tuple[NDArray[np.float64], list[Draft]]:
        """Of the distinct rows of a bucket: what they are like, and records of those that are odd."""

    @abstractmethod
    def models(self) -> dict[str, State]:
        """What was learned, by name."""

    @abstractmethod
    def learn_again(self, models: dict[str, State]) -> None:
        """As ``models`` gave it, of as many entities."""

    @abstractmethod
    def forget(self, gone: Gone) -> None:
        """The numbers of these entities and members will stand for others."""

    def add(self, columns: Columns, rows: slice, bucket: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        """Take *rows* of an upload, with the bucket and the weight of each."""
        whose = self.split.of(columns, rows)
        at = whose.row - rows.start
        self.split.saw(whose, bucket[at])
        seen = self.looked_at(columns, whose.row)
        has = (seen != NONE) & (weight[at] > 0.0)
        blamed = [columns.numbers(field)[whose.row][has] for field in self.influencers]
        self._tally.add(bucket[at][has], [whose.entity[has], whose.member[has], seen[has], *blamed], weight[at][has])

    def close(self, bucket: int) -> Answer:
        """Judge a bucket that is complete, learn it, and forget its rows."""
        rows, weight = self._tally.rows(bucket)
        probability, drafts = self.judged(bucket, rows, weight, learn=True)
        self.restraint.learn(rows[:, ENTITY].astype(np.int32), rows[:, MEMBER].astype(np.int32))
        self._tally.forget(bucket)
        return Answer(self.index, probability, drafts)

    def look(self, bucket: int, complete: float) -> Answer:
        """Judge an open bucket of which a share *complete* has come, and change nothing."""
        return Answer(self.index, *self.judged(bucket, *self._tally.rows(bucket), learn=False))

    def drop(self, bucket: int) -> None:
        """Forget the rows of a bucket, of which nothing is to be said."""
        self._tally.forget(bucket)

    def drop_open(self) -> None:
        """Forget the rows of all open buckets."""
        for bucket in self._tally.buckets:
            self._tally.forget(bucket)

    def influences(
        self, rows: NDArray[np.int64], weight: NDArray[np.float64]
    ) -> dict[str, tuple[tuple[str, float], ...]]:
        """Of the rows of one record: by influencer field, the share of its events that goes with each value."""
        found: dict[str, tuple[tuple[str, float], ...]] = {}
        for i, field in enumerate(self.influencers):
            values, where = np.unique(rows[:, OWN + i], return_inverse=True)
            shares = np.bincount(where.ravel(), weight, values.size) / weight.sum()
            named = (
                (self.names[field].text(int(v)), float(s)) for v, s in zip(values, shares, strict=True) if v != NONE
            )
            found[field] = tuple(
                sorted(((text or "", share) for text, share in named), key=lambda one: (-one[1], one[0]))
            )
        return found

    def over(self, member: int) -> str | None:
        """The over value of a member."""
        return self.split.over(member) if self.spec.over else None

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What it left out, by cause."""
        return self.restraint.withheld

    def size(self) -> Size:
        """What its models take."""
        return self.split.size()

    def make_room(self, bucket: int) -> None:
        """Once *bucket* is final: forget, if there are too many, whom nobody has seen for longest."""
        gone = self.split.make_room(bucket)
        if gone.entity.size or gone.member.size:
            self.restraint.forget(gone)
            self.forget(gone)

    def used(self, field: str) -> list[NDArray[np.int32]]:
        """The numbers of those values of a field that it knows by them."""
        return self.split.used(field)

    def save(self) -> State:
        """All of it, as arrays."""
        state = under("split", self.split.save()) | under("open", self._tally.save())
        state |= under("restraint", self.restraint.save())
        for name, model in self.models().items():
            state |= under(name, model)
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self.split.restore(part(state, "split"))
        self._tally.restore(part(state, "open"))
        self.restraint.restore(part(state, "restraint"))
        self.learn_again({name: part(state, name) for name in self.models()})
