"""How much of an open bucket has come by now: by its events so far, where it is known how many it usually has."""

from __future__ import annotations

import math

import numpy as np

from offbeat_detectors.buckets.model import BucketModel
from offbeat_detectors.contract import State

ENOUGH = 20.0
"""Events that a bucket must usually have: of fewer, how many are there by now says little."""
DOUBT = 2.0
"""Deviations, as of independent events, by which there may be more of a bucket than its events say."""
HELD_MAX = 64
"""Buckets that are learned together, at most: they are learned in their order, so when makes no difference."""
_ONE = np.zeros(1, np.int32)


class Completeness:
    """Learns how many events buckets of a job have, all together.

    A delivery that lags, or comes in bursts, is then no lack: what has not come yet is not expected yet. After the
    successor of Prelert's engine, in which it is the count so far over a modelled one.
    """

    def __init__(self, span_s: int, season_s: int = 0) -> None:
        self._model = BucketModel(1, span_s, "count", season_s)
        self._held: list[tuple[int, float]] = []

    def learn(self, bucket: int, events: float) -> None:
        """Learn a bucket that is final."""
        self._held.append((bucket, events))
        if len(self._held) == HELD_MAX:
            self._learn_held()

    def _learn_held(self) -> None:
        if self._held:
            bucket, events = zip(*self._held, strict=True)
            size, self._held = len(self._held), []
            self._model.process(
                np.zeros(size, np.int32), np.array(bucket, np.int64), np.array(events, np.float64), np.ones(size)
            )

    def share(self, bucket: int, events: float, passed: float) -> float:
        """The share of *bucket* that has come, above 0 up to 1; *passed*, that of its time, where no model can say."""
        self._learn_held()
        usual = float(self._model.judge(_ONE, np.array([bucket], np.int64), np.array([events])).typical[0])
        if not usual >= ENOUGH:
            return passed
        return min(1.0, (events + DOUBT * (1.0 + math.sqrt(events))) / usual)

    def save(self) -> State:
        """All that was learned."""
        self._learn_held()
        return self._model.save(_ONE)

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        self._held = []
        self._model.restore(_ONE, state)
