"""The open buckets of one detector: what its rows come to, with and without each value that may be to blame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.columns import Columns
from offbeat.engine.analysis.nested import part, under
from offbeat_detectors.buckets.content import Content
from offbeat_detectors.buckets.distinct import Distinct
from offbeat_detectors.buckets.features import Gathered, Gatherer
from offbeat_detectors.buckets.functions import Function
from offbeat_detectors.buckets.influence import NumbersWithout, Removed
from offbeat_detectors.buckets.influence_content import ContentWithout
from offbeat_detectors.buckets.influence_distinct import DistinctWithout
from offbeat_detectors.contract import State


class Gathering:
    """Features by member, a row of one or more numbers; *field* is what is measured, "" for a count."""

    def __init__(self, function: Function, field: str, influencers: Sequence[str]) -> None:
        self._field, self._influencers = field, tuple(influencers)
        self._whole: Gatherer | Distinct | Content
        self._parts: list[NumbersWithout | DistinctWithout | ContentWithout]
        if function.features == ("distinct_count",):
            self._whole, self._parts = Distinct(), [DistinctWithout() for _ in influencers]
        elif function.features == ("info_content",):
            self._whole, self._parts = Content(), [ContentWithout() for _ in influencers]
        else:
            self._whole = Gatherer(function.features)
            self._parts = [NumbersWithout(function.features) for _ in influencers]

    def add(
        self,
        columns: Columns,
        row: NDArray[np.int64],
        bucket: NDArray[np.int64],
        member: NDArray[np.int32],
        weight: NDArray[np.float64],
    ) -> None:
        """Take rows of an upload, with the bucket, member and weight of each."""
        codes = [columns.numbers(field)[row] for field in self._influencers]
        if isinstance(self._whole, Content):
            texts, code = columns.texts(self._field)
            listed, code = list(texts), code[row]
            self._whole.add(bucket, member, code, listed, weight)
            for one, blamed in zip(self._parts, codes, strict=True):
                assert isinstance(one, ContentWithout)
                one.add(bucket, member, blamed, code, listed, weight)
        elif isinstance(self._whole, Distinct):
            hashed = columns.hashes(self._field)[row]
            self._whole.add(bucket, member, hashed, weight)
            for one, blamed in zip(self._parts, codes, strict=True):
                assert isinstance(one, DistinctWithout)
                one.add(bucket, member, blamed, hashed, weight)
        else:
            value = columns.values(self._field)[row] if self._field else np.full(row.size, np.nan)
            self._whole.add(bucket, member, value, weight)
            for one, blamed in zip(self._parts, codes, strict=True):
                assert isinstance(one, NumbersWithout)
                one.add(bucket, member, blamed, value, weight)

    @property
    def buckets(self) -> tuple[int, ...]:
        """The open buckets that have rows, ascending."""
        return self._whole.buckets

    def look(self, bucket: int) -> Gathered:
        """What the rows of *bucket* come to by now."""
        return self._whole.look(bucket)

    def without(self, bucket: int, member: NDArray[np.int32]) -> list[tuple[str, Removed]]:
        """By influencer field: the same of these members without each value."""
        return [(field, one.without(bucket, member)) for field, one in zip(self._influencers, self._parts, strict=True)]

    def forget(self, bucket: int) -> None:
        """Close *bucket*."""
        self._whole.forget(bucket)
        for one in self._parts:
            one.forget(bucket)

    def save(self) -> State:
        """All open buckets."""
        state = under("whole", self._whole.save())
        for i, one in enumerate(self._parts):
            state |= under(f"part{i}", one.save())
        return state

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._whole.restore(part(state, "whole"))
        for i, one in enumerate(self._parts):
            one.restore(part(state, f"part{i}"))
