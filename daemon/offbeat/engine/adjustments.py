"""What feedback changed in one job: by how much the strengths of a series are divided, and what that hid. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.entries import Adjustment
from offbeat.engine.outcome import EndedAdjustment
from offbeat_detectors import scores
from offbeat_detectors.contract import EVIDENCE_MIN, State
from offbeat_detectors.kernel import kernel

TOTAL_MAX = 16.0
"""Of one series: the strengths are divided by at most this, and multiplied by at most this."""
HIDDEN, REVEALED = 0, 1


@kernel
def score_adjusted(
    strength: NDArray[np.float64],
    novelty: NDArray[np.float64],
    series: NDArray[np.int32],
    factor: NDArray[np.float64],
    score_min: float,
    counts: NDArray[np.int64],
    score: NDArray[np.float64],
) -> int:
    """The scores of n strengths, each divided by the factor of its series first; returns how many findings that hid.

    strength, novelty, score  (n,) float64; score is filled    series  (n,) int32
    factor     (series_max,) float64  0: the series has none
    score_min  a score below is no finding
    counts     (series_max, 2) int64  of each series, findings HIDDEN and REVEALED; counted on here
    A novelty below EVIDENCE_MIN is no finding whatever the factor: of such nothing is known that could be told.
    """
    hidden = 0
    for i in range(strength.size):
        plain = scores.score_of_strength(strength[i])
        by = factor[series[i]]
        if by == 0.0:
            score[i] = plain
            continue
        score[i] = scores.score_of_strength(strength[i] / by) if novelty[i] >= EVIDENCE_MIN else 0.0
        was, will = plain > 0.0 and plain >= score_min, score[i] > 0.0 and score[i] >= score_min
        if was and not will:
            counts[series[i], HIDDEN] += 1
            hidden += 1
        elif will and not was:
            counts[series[i], REVEALED] += 1
    return hidden


def total_of(factors: Iterable[float]) -> float:
    """What a series' strengths are divided by if these factors, in the order in which they were given, are in force."""
    return min(max(math.prod(factors), 1.0 / TOTAL_MAX), TOTAL_MAX)


class Adjustments:
    """The adjustments in force of one job, by number, for up to *series_max* series.

    The factors follow from the journal alone: no checkpoint holds them. What they hid is counted by series, and saved.
    """

    def __init__(self, series_max: int) -> None:
        self.in_force: dict[int, Adjustment] = {}
        self._factor = np.zeros(series_max)
        self._counts = np.zeros((series_max, 2), np.int64)
        self._before: dict[int, NDArray[np.int64]] = {}  # what its series had counted when each began

    def score(
        self, series: NDArray[np.int32], novelty: NDArray[np.float64], strength: NDArray[np.float64], score_min: float
    ) -> tuple[NDArray[np.float64], int]:
        """The scores of n strengths, (n,) float64, and how many findings the adjustments hid."""
        score = np.empty(strength.size)
        if not self.in_force:
            scores.score_all(strength, score)
            return score, 0
        return score, score_adjusted(strength, novelty, series, self._factor, score_min, self._counts, score)

    def begin(self, adjustment: Adjustment, *, counts: bool = True) -> None:
        """Put *adjustment* in force.

        counts  False where a checkpoint later than this has brought the counts of the series already
        """
        self.in_force[adjustment.number] = adjustment
        if counts:
            self._before[adjustment.number] = self._counts[adjustment.series].copy()
        self._weigh(adjustment.series)

    def end(self, number: int, *, counts: bool = True) -> EndedAdjustment | None:
        """Take adjustment *number* out of force; what it did, None if it was not in force or *counts* is False."""
        adjustment = self.in_force.pop(number, None)
        if adjustment is None:
            return None
        self._weigh(adjustment.series)
        if not counts:
            return None
        did = self._counts[adjustment.series] - self._before.pop(number, np.zeros(2, np.int64))
        return EndedAdjustment(number, int(did[HIDDEN]), int(did[REVEALED]))

    def _weigh(self, series: int) -> None:
        factors = [a.factor for _, a in sorted(self.in_force.items()) if a.series == series]
        self._factor[series] = total_of(factors) if factors else 0.0

    def of(self, series: int) -> list[Adjustment]:
        """The adjustments of one series that are in force, in the order of their numbers."""
        return [a for _, a in sorted(self.in_force.items()) if a.series == series]

    def counted(self, series: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many findings of each series were HIDDEN and REVEALED since the job began, (n, 2) int64."""
        return self._counts[series]

    def did(self, number: int) -> tuple[int, int]:
        """How many findings of its series were hidden and revealed since *number* began; 0 if it is not in force."""
        adjustment = self.in_force.get(number)
        if adjustment is None or number not in self._before:
            return 0, 0
        did = self._counts[adjustment.series] - self._before[number]
        return int(did[HIDDEN]), int(did[REVEALED])

    def save(self, mine: NDArray[np.int32]) -> State:
        """A copy of what is counted of these series; nothing where there is nothing, so that most pay nothing."""
        state: State = {}
        if self._counts[mine].any():
            state["counts"] = self._counts[mine]
        series = np.array([a.series for a in self.in_force.values()], np.int32)
        numbers = sorted(a for a, member in zip(self.in_force, np.isin(series, mine).tolist(), strict=True) if member)
        if numbers:
            state["numbers"] = np.array(numbers, np.int64)
            state["before"] = np.array([self._before.get(n, (0, 0)) for n in numbers], np.int64)
        return state

    def restore(self, mine: NDArray[np.int32], state: State) -> None:
        """Set what is counted of these series to what ``save`` gave."""
        if "counts" in state:
            self._counts[mine] = state["counts"]
        if "numbers" in state:
            self._before |= dict(zip(state["numbers"].tolist(), state["before"], strict=True))
