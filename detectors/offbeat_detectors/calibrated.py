"""From a raw score of any kind to a calibrated detector: by the law of each series' own scores. In Python, by point."""
from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Evidence, Opinions, State
from offbeat_detectors.ewma import Ewma, is_count
from offbeat_detectors.rows import restore_rows, save_rows

VALUE_MAX = 1e75
"""A reading beyond it is given to a Calibrated as this much: its fourth power is still a number."""

HALF_LIFE_READINGS = 100.0
"""Of the usual score of a series."""
_SEEN, _LAW = "calibration.seen", "calibration.law."


class Calibration:
    """How improbable is a score so high, by the recent law of the same series' scores? Told as novelty.

    settle_readings  of a series, whose scores are not looked at

    The law is that of Ewma, one-sided: a score below the usual one is no surprise. Its tail probability becomes the
    novelty as everywhere (``scores.novelty_of_surprise``). A score that is no finite number is no opinion.
    """

    def __init__(self, capacity: int, *, settle_readings: int = 0) -> None:
        if not is_count(settle_readings, 0):
            raise ValueError(f"settle_readings is {settle_readings!r}: expected a whole number, 0 to 1000000")
        self._settle = settle_readings
        self._seen = np.zeros(capacity, np.int64)
        self._law = Ewma(capacity, half_life_readings=HALF_LIFE_READINGS)
        self.bytes_per_series = 8 + self._law.bytes_per_series

    def process(
        self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], score: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Judge, then learn, n scores in order: novelty, tail probability, and the score that 1 in 100 exceeds."""
        told = np.isfinite(score)
        for i, s in enumerate(slot.tolist()):
            if self._seen[s] < self._settle:
                told[i] = False
            self._seen[s] += 1
        of = self._law.process(slot[told], time_ms[told], score[told])
        higher = ~(score[told] <= of.typical)  # true also for NaN: no opinion stays none
        novelty, probability, high = (np.full(slot.size, np.nan) for _ in range(3))
        novelty[told] = np.where(higher, of.novelty, 0.0)
        probability[told] = np.where(higher, of.probability, 1.0)
        high[told] = of.upper
        return novelty, probability, high

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs: those that settle the model, then those that tell usual scores."""
        return np.maximum(0, self._settle - self._seen[slot]) + self._law.warmup_left(slot)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots; its names begin with "calibration."."""
        law = {f"{_LAW}{name}": column for name, column in self._law.save(slot).items()}
        return {_SEEN: self._seen[slot], **law}

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many; other names of *state* are left to their owner."""
        law = {name.removeprefix(_LAW): column for name, column in state.items() if name.startswith(_LAW)}
        self._law.restore(slot, law)
        self._seen[slot] = state[_SEEN]

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a score."""
        self._seen[slot] = 0
        self._law.forget(slot)


def spread_out(score: float) -> float:
    """−log(1 − score): a score that crowds below 1, as most of those between 0 and 1 do, so that 1 is far from 0.99."""
    return -math.log(max(1.0 - score, sys.float_info.epsilon)) if math.isfinite(score) else math.nan


class Calibrated:
    """A detector made from a raw score. A subclass says what it keeps of a series, and how it scores a reading:

        class Jumps(Calibrated):
            state = np.dtype([("last", "f8"), ("seen", "i8")])

            def score_then_learn(self, row, time_ms, value):
                score = abs(value - row["last"]) if row["seen"] else np.nan
                row["last"], row["seen"] = value, row["seen"] + 1
                return score

    state    what a series needs: a structured dtype of numbers, all 0 at the beginning; saved and restored as it is
    pieces   names of what the score consists of; if several, score_then_learn gives a part for each, and the score is
             their sum: each part, of 0 or more, is told as its share in the novelty
    bounded  whether scores crowd below 1: they are then spread out as −log(1 − score)
    bands    what the registry gives the detector beside the novelty: "experts", or "" for NaN

    Novelty and probability are those of a Calibration. A score of NaN is no opinion of this reading; the first reading,
    and more if a subclass passes ``settle_readings`` on, is never judged.
    """

    state: np.dtype[Any] = np.dtype([])
    pieces: tuple[str, ...] = ("score",)
    bounded = False
    bands = "experts"

    def __init__(self, capacity: int, *, settle_readings: int = 1) -> None:
        self._rows = np.zeros(capacity, self.state)
        self._calibration = Calibration(capacity, settle_readings=settle_readings)

    def score_then_learn(self, row: Any, time_ms: int, value: float) -> float | Sequence[float]:
        """How odd is *value*, by what *row* (of dtype ``state``) holds? Higher is odder. Then learn it, in place."""
        raise NotImplementedError(f"{type(self).__name__} has no score_then_learn")

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes."""
        return self.state.itemsize + self._calibration.bytes_per_series

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        part = np.empty((slot.size, len(self.pieces)))
        value = np.clip(value, -VALUE_MAX, VALUE_MAX)
        for i, (s, t, v) in enumerate(zip(slot.tolist(), time_ms.tolist(), value.tolist(), strict=True)):
            part[i] = self.score_then_learn(self._rows[s], t, v)
        whole = part.sum(axis=1)
        score = np.array([spread_out(one) for one in whole.tolist()]) if self.bounded else whole
        novelty, probability, _ = self._calibration.process(slot, time_ms, score)
        known = (novelty > 0.0) & (whole > 0.0)
        share = np.zeros(part.shape, np.float32)
        share[known] = novelty[known, None] * (part[known] / whole[known, None])
        evidence = Evidence(share, np.zeros((slot.size, 2), np.int32), np.zeros(slot.size, np.uint8))
        unknown = np.full(slot.size, np.nan)
        return Opinions(novelty, probability, unknown, unknown.copy(), unknown.copy(), evidence)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before the detector has an opinion; 0 when it has one."""
        return self._calibration.warmup_left(slot)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots, one plain array a field, and that of the calibration."""
        return save_rows(self._rows, slot) | self._calibration.save(slot)

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots."""
        restore_rows(self._rows, slot, state)
        self._calibration.restore(slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        self._rows[slot] = np.zeros((), self.state)
        self._calibration.forget(slot)
