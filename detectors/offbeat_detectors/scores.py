"""Tail probability to novelty, novelty to findings, a finding's strength to its score: the same for all detectors."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Account, Opinions, State
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import AHEAD, prefetch, restore_rows, save_rows, zero_rows

PROBABILITY_MIN = 1e-300
"""No tail probability is smaller: beyond it nothing is measured, and 0 has no logarithm."""

HOLD_READINGS = 80
OVERRIDE = 1.75
PEAK_MIN = 1.5
PEAK_HALF_LIFE_READINGS = 3000.0
_PEAK_DECAY = 0.5 ** (1.0 / PEAK_HALF_LIFE_READINGS)

# (−log10 p, novelty). Set once, by counting findings: at most about 7 in 10,000 readings have a strength of 0.7, 1.2 of
# 1.4, 0.3 of 3, 0.1 of 5. The p is higher than the rate itself (12 in 10,000 at 0.7), for the alert stage makes one
# finding of the readings of one incident. Beyond what can be counted the last slope keeps the order.
#
#   Findings in 10,000 readings, strength at least            0.7    1.4    3      5
#   "ewma" without anomalies, 40 series, readings 500–10,000
#     normal noise                                            4.6    0.5    0.05   0
#     Student t(3)                                            5.8    1.7    0.37   0.16
#     lognormal                                               6.3    0.7    0.13   0
#     Poisson(1)                                              4.9    0.2    0.03   0
#     noisy sine, random walk                                 4.3    0.5    0.05   0
#     mostly zero                                             2.3    0.6    0.32   0.08
#   outside the labels of labelled series
#     servers                                                 1.5    0.3    0.10   0.05
#     spacecraft                                              1.7    0.4    0.15   0.15
#     synthetic                                               3.0    0.7    0.26   0.09
_SURPRISE = np.array([0.0, 2.0, 2.9, 3.5, 4.1, 4.6, 6.0])
_NOVELTY = np.array([0.0, 0.2, 0.7, 1.4, 3.0, 5.0, 15.0])

# (strength E, score): 25 points a doubling at the low end, so that 0.35 is 0.
_STRENGTH = np.log(np.array([0.35, 0.7, 1.4, 3.0, 5.0, 15.0]))
_SCORE = np.array([0.0, 25.0, 50.0, 75.0, 90.0, 100.0])

ALERT = np.dtype([("held", "f8"), ("top", "f8"), ("peaks", "f8"), ("age", "i8")])
"""What the alert stage holds of a series: novelty of the last finding, the highest since, decayed count of earlier
peaks, readings since. A row of 32 bytes, not four columns: a series is then one access to memory."""


@kernel
def novelty_of_surprise(surprise: float) -> float:
    """The novelty F of a tail probability given as −log10 p, 0 or more: for a detector that knows the logarithm."""
    last = _SURPRISE.size - 1
    i = 1
    while i < last and surprise > _SURPRISE[i]:
        i += 1
    slope = (_NOVELTY[i] - _NOVELTY[i - 1]) / (_SURPRISE[i] - _SURPRISE[i - 1])
    return float(max(0.0, _NOVELTY[i - 1] + slope * (surprise - _SURPRISE[i - 1])))


@kernel
def surprise_of_novelty(novelty: float) -> float:
    """The −log10 p, 0 or more, that ``novelty_of_surprise`` maps to this novelty, 0 or more."""
    last = _NOVELTY.size - 1
    i = 1
    while i < last and novelty > _NOVELTY[i]:
        i += 1
    slope = (_SURPRISE[i] - _SURPRISE[i - 1]) / (_NOVELTY[i] - _NOVELTY[i - 1])
    return float(max(0.0, _SURPRISE[i - 1] + slope * (novelty - _NOVELTY[i - 1])))


@kernel
def novelty_of_probability(p: float) -> float:
    """The novelty F of a tail probability: 0 for p = 1, growing as p falls; NaN for NaN.

    Piecewise linear in −log10 p through p = 10^−2 → 0.2, 10^−2.9 → 0.7, 10^−3.5 → 1.4, 10^−4.1 → 3, 10^−4.6 → 5,
    10^−6 → 15, and on with the last slope: the novelties of the scores 25, 50, 75, 90 and 100, each where the findings
    are as rare as that score says.
    """
    if np.isnan(p):
        return np.nan
    return novelty_of_surprise(-math.log10(min(1.0, max(p, PROBABILITY_MIN))))


@kernel
def score_of_strength(strength: float) -> float:
    """The score, 0 to 100, of a finding's strength E; 0 for NaN.

    Piecewise linear in log E: 0.35 and less → 0, 0.7 → 25, 1.4 → 50, 3 → 75, 5 → 90, 15 and more → 100. Below 0.7 the
    slope above it goes on, 25 points a doubling: such findings are frequent and serve for ranking only.
    """
    if not strength > 0.0:
        return 0.0
    at = math.log(strength)
    if at <= _STRENGTH[0]:
        return 0.0
    for i in range(1, _STRENGTH.size):
        if at < _STRENGTH[i]:
            share = (at - _STRENGTH[i - 1]) / (_STRENGTH[i] - _STRENGTH[i - 1])
            return float(_SCORE[i - 1] + share * (_SCORE[i] - _SCORE[i - 1]))
    return 100.0


@kernel
def strength_of_score(score: float) -> float:
    """The least strength E that scores this much: 0 and less → 0.35, 100 and more → 15."""
    last = _SCORE.size - 1
    if score <= 0.0:
        return float(math.exp(_STRENGTH[0]))
    for i in range(1, last + 1):
        if score < _SCORE[i]:
            share = (score - _SCORE[i - 1]) / (_SCORE[i] - _SCORE[i - 1])
            return float(math.exp(_STRENGTH[i - 1] + share * (_STRENGTH[i] - _STRENGTH[i - 1])))
    return float(math.exp(_STRENGTH[last]))


@kernel
def alert(memory: NDArray[Any], slot: int, novelty: float) -> float:
    """The strength E of the finding that this novelty is to series *slot*, 0 if it is none.

    memory  (capacity,) of dtype ALERT, changed in place

    One incident, one finding: after a finding, the next HOLD_READINGS readings speak only if they are OVERRIDE times as
    novel. A finding is damped by 1 + √(decayed count of the series' earlier peaks): who cries often must cry louder.
    NaN (no opinion) changes nothing: what cannot tell whether the incident lasts does not bring its end nearer.
    """
    if np.isnan(novelty):
        return 0.0
    m = memory[slot]
    m.age += 1
    m.peaks *= _PEAK_DECAY
    if m.peaks < 1e-12:  # subnormal numbers are slow
        m.peaks = 0.0
    if m.age > HOLD_READINGS and m.held > 0.0:
        if m.top > PEAK_MIN:
            m.peaks += 1.0
        m.held = 0.0
        m.top = 0.0
    if novelty > m.top:
        m.top = novelty
    if novelty > OVERRIDE * m.held:
        m.held = novelty
        m.age = 0
        return float(novelty / (1.0 + math.sqrt(m.peaks)))
    return 0.0


@kernel
def silence_strength(memory: NDArray[Any], slot: int, novelty: float) -> float:
    """The strength E of the finding that this novelty of silence is to series *slot*, 0 if it is none.

    As ``alert``, with the hold and the damping as they are: no reading came, so nothing ages, and nothing is changed.
    Whoever makes the finding says so with ``hold``; until then silence may be judged as often as one likes.
    """
    m = memory[slot]
    if not novelty > OVERRIDE * m.held:  # NaN neither
        return 0.0
    return float(novelty / (1.0 + math.sqrt(m.peaks)))


@kernel
def hold(memory: NDArray[Any], slot: int, novelty: float) -> None:
    """A finding of this novelty has been made of series *slot*: its next readings speak only if clearly stronger."""
    m = memory[slot]
    m.held = novelty
    m.age = 0
    if novelty > m.top:
        m.top = novelty


@kernel
def alert_all(
    memory: NDArray[Any], slot: NDArray[np.int32], novelty: NDArray[np.float64], strength: NDArray[np.float64],
) -> None:
    """``alert`` for n points in order; *strength* (n,) float64 is filled."""
    for i in range(slot.size):
        prefetch(memory, slot[min(i + AHEAD, slot.size - 1)])
        strength[i] = alert(memory, slot[i], novelty[i])


@kernel
def age_all(memory: NDArray[Any], slot: NDArray[np.int32]) -> None:
    """``alert`` for n points of which nothing is to be said: each brings the end of an incident nearer."""
    for i in range(slot.size):
        prefetch(memory, slot[min(i + AHEAD, slot.size - 1)])
        alert(memory, slot[i], 0.0)


@kernel
def score_all(strength: NDArray[np.float64], score: NDArray[np.float64]) -> None:
    """``score_of_strength`` for n strengths; *score* (n,) float64 is filled."""
    for i in range(strength.size):
        score[i] = score_of_strength(strength[i])


@kernel
def novelty_all(probability: NDArray[np.float64], novelty: NDArray[np.float64]) -> None:
    """``novelty_of_probability`` for n probabilities; *novelty* (n,) float64 is filled."""
    for i in range(probability.size):
        novelty[i] = novelty_of_probability(probability[i])


class AlertStage:
    """What turns novelties into findings: one incident, one finding. 32 bytes a series, for up to *capacity* series.

    memory  (capacity,) of dtype ALERT, for kernels that call ``alert`` themselves
    """

    bytes_per_series = ALERT.itemsize

    def __init__(self, capacity: int) -> None:
        self.memory = zero_rows(capacity, ALERT)

    def process(self, slot: NDArray[np.int32], novelty: NDArray[np.float64]) -> NDArray[np.float64]:
        """The strength E, (n,) float64, of n points in the order given; 0 where nothing is to be said."""
        strength = np.empty(slot.size, np.float64)
        alert_all(self.memory, slot, novelty, strength)
        return strength

    def strength_of(self, slot: NDArray[np.int32], opinions: Opinions) -> NDArray[np.float64]:
        """The strength E of n points: what a detector with its own account of incidents says, else ``process``.

        Of such a detector the stage accounts for silence only: each reading brings the end of that incident nearer.
        """
        if opinions.strength is None:
            return self.process(slot, opinions.novelty)
        age_all(self.memory, slot)
        return opinions.strength

    def account(self, slot: NDArray[np.int32]) -> Account:
        """The incidents of these slots, as they stand."""
        m = self.memory[slot]
        return Account(1.0 + np.sqrt(np.asarray(m["peaks"], np.float64)), m["held"], m["age"], HOLD_READINGS)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots, one plain array a column."""
        return save_rows(self.memory, slot)

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots."""
        restore_rows(self.memory, slot, state)

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        self.memory[slot] = np.zeros((), ALERT)
