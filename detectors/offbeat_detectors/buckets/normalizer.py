"""Probabilities to scores of 0 to 100 by the past of the job itself; they shrink when something odder comes.

Source: Prelert Engine API, section 9.6. Each level (records, buckets, each field of influencers, perhaps the records of
each partition) has a history of its own, known by a name that the caller gives.
"""
from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.aggregate import CUTOFF, PROBABILITY_MIN
from offbeat_detectors.buckets.texts import restore_texts, save_texts
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel

RAW_MIN, RAW_MAX = -math.log10(CUTOFF), -math.log10(PROBABILITY_MIN)
"""Raw scores are 0, or between these: 1.3 and 307.7."""

BINS = 128
"""Bins of the sketch, each 4 % wider than the one before. A histogram whose bins grow with the value knows every
quantile to within a bin, in fixed memory. That its counts are whole numbers makes it
independent of order, bit for bit. Source: C. Masson, J. Rim, H. Lee, "DDSketch", 2019."""

SHARE = np.array([0.0, 0.8, 0.95, 0.99, 0.999, 0.9999, 1.0])
SCORE = np.array([0.0, 2.0, 8.0, 25.0, 75.0, 95.0, 100.0])
"""(share of the history that is less odd, score): 25 is what one in a hundred reaches, 75 one in a thousand."""

HISTORY_BUCKETS = 20
"""With fewer buckets behind it a score counts in proportion."""
RAW_PLAIN = 3.0
"""From the cut-off, where it is nothing, to here a score counts in proportion: a probability of 1 in 1,000."""
TIES_FREE = 0.01
"""The largest raw score so far may be shared by so much of the history, and has all of its score; beyond, half of those
that share it count as odder: what happens in every bucket is not unusual, however small its probability."""
CHANGE_MIN = 3.0
"""Points by which a stored score must be wrong to be worth recomputing."""

_PER_BIN = math.log(RAW_MAX / RAW_MIN) / BINS
_EDGES = RAW_MIN * np.exp(_PER_BIN * np.arange(BINS + 1))
LEVELS_TOLD = 50
_QUANTILES = (0.5, 0.9, 0.99, 0.999)
_OTHERS = "(others)"


@kernel
def raw_all(probability: NDArray[np.float64], raw: NDArray[np.float64]) -> None:
    """Fill *raw* (n,): −log10 of each probability, 0 above CUTOFF, NaN for NaN."""
    for i in range(raw.size):
        p = probability[i]
        raw[i] = 0.0 if p > CUTOFF else -math.log10(max(p, PROBABILITY_MIN))  # NaN is above nothing
        if np.isnan(p):
            raw[i] = np.nan


@kernel
def bin_of(raw: float) -> int:
    """The bin of a raw score, at least RAW_MIN."""
    return int(min(BINS - 1, max(0, math.floor(math.log(raw / RAW_MIN) / _PER_BIN))))


@kernel
def share_below(raw: float, count: NDArray[np.int64], zeros: int, largest: float, at_largest: int) -> float:
    """The share of a level's history that is less odd than *raw*, from RAW_MIN on, by the line through its bin."""
    seen = zeros + count.sum()
    if seen == 0 or raw > largest:
        return 1.0
    if raw == largest:
        return float(1.0 - 0.5 * max(0.0, (at_largest - 1) / seen - TIES_FREE))
    place = bin_of(raw)
    inside, end = count[place], _EDGES[place + 1]
    if place == bin_of(largest):
        inside, end = inside - at_largest, largest
    part = (raw - _EDGES[place]) / (end - _EDGES[place])
    return float((zeros + count[:place].sum() + inside * min(1.0, max(0.0, part))) / seen)


@kernel
def score_raw(
    raw: NDArray[np.float64], count: NDArray[np.int64], zeros: int, largest: float, at_largest: int, buckets: int,
    score: NDArray[np.float64],
) -> None:
    """Fill *score* (n,) with what raw scores come to, given the history of their level; NaN for NaN."""
    known = min(1.0, buckets / HISTORY_BUCKETS)
    for i in range(raw.size):
        if not raw[i] >= RAW_MIN:
            score[i] = np.nan if np.isnan(raw[i]) else 0.0
            continue
        share = share_below(raw[i], count, zeros, largest, at_largest)
        k = 1
        while k < SHARE.size - 1 and share > SHARE[k]:
            k += 1
        by_share = SCORE[k - 1] + (SCORE[k] - SCORE[k - 1]) * (share - SHARE[k - 1]) / (SHARE[k] - SHARE[k - 1])
        by_size = 100.0 * raw[i] / max(largest, raw[i])
        plain = min(1.0, (raw[i] - RAW_MIN) / (RAW_PLAIN - RAW_MIN))
        score[i] = known * plain * min(by_share, by_size)


@kernel
def learn_raw(
    raw: NDArray[np.float64], said: NDArray[np.float64], count: NDArray[np.int64], kept: NDArray[np.float64],
) -> int:
    """Count raw scores, and keep of each bin the least and the largest of them and of what was *said* of them.

    kept  (4, BINS) changed in place    returns how many are 0
    """
    zeros = 0
    for i in range(raw.size):
        if raw[i] < RAW_MIN:
            zeros += 1
        elif not np.isnan(raw[i]):
            b = bin_of(raw[i])
            count[b] += 1
            kept[0, b], kept[1, b] = min(kept[0, b], raw[i]), max(kept[1, b], raw[i])
            kept[2, b], kept[3, b] = min(kept[2, b], said[i]), max(kept[3, b], said[i])
    return zeros


@kernel
def moved(
    count: NDArray[np.int64], kept: NDArray[np.float64], zeros: int, largest: float, at_largest: int, buckets: int,
    raw: NDArray[np.float64], score: NDArray[np.float64],
) -> bool:
    """Is a score that was said now off by more than CHANGE_MIN points? raw, score: (1,), for the work."""
    for b in range(count.size):
        if count[b] > 0:
            for end in range(2):
                raw[0] = kept[end, b]
                score_raw(raw, count, zeros, largest, at_largest, buckets, score)
                if abs(score[0] - kept[2 + end, b]) > CHANGE_MIN:
                    return True
    return False


def raw_scores(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) raw scores of as many probabilities: −log10 p, 0 above CUTOFF, NaN where there is no opinion."""
    raw = np.empty(probability.size)
    raw_all(probability, raw)
    return raw


def _nothing_kept() -> NDArray[np.float64]:
    return np.array([[np.inf], [-np.inf], [np.inf], [-np.inf]]).repeat(BINS, axis=1)


@dataclass(slots=True)
class _Level:
    """The history of one level, 5 KB.

    count       (BINS,) int64     raw scores by bin
    kept        (4, BINS) float64 of each bin the least and the largest raw score, and what was said of them: the stored
                scores lie between the last two
    zeros       raw scores that are 0
    largest     the largest raw score, at_largest: how many are exactly that
    buckets     final buckets learned
    """

    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    kept: NDArray[np.float64] = field(default_factory=_nothing_kept)
    zeros: int = 0
    largest: float = 0.0
    at_largest: int = 0
    buckets: int = 0

    @property
    def seen(self) -> int:
        return self.zeros + int(self.count.sum())

    def score(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        score = np.empty(raw.size)
        score_raw(raw, self.count, self.zeros, self.largest, self.at_largest, self.buckets, score)
        return score

    def learn(self, raw: NDArray[np.float64]) -> None:
        if not raw.any():  # most buckets are so; NaN is something
            self.zeros += raw.size
            self.buckets += 1
            return
        said = self.score(raw)
        self.zeros += learn_raw(raw, said, self.count, self.kept)
        self.buckets += 1
        odd = raw[raw >= RAW_MIN]
        if odd.size:
            self._largest(float(odd.max()), int((odd == odd.max()).sum()))

    def _largest(self, largest: float, times: int) -> None:
        if largest > self.largest:
            self.largest, self.at_largest = largest, 0
        if largest == self.largest:
            self.at_largest += times

    def now(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The bins that hold something, and what the least and the largest raw score of each come to now."""
        held = np.flatnonzero(self.count)
        return held, self.score(self.kept[0, held]), self.score(self.kept[1, held])

    def changed(self) -> bool:
        work = np.empty((2, 1))
        return bool(moved(self.count, self.kept, self.zeros, self.largest, self.at_largest, self.buckets, *work))

    def settle(self) -> None:
        held, least, most = self.now()
        self.kept[2, held], self.kept[3, held] = least, most

    def quantile(self, share: float) -> float:
        """The end of the bin in which this share of the history is reached; 0 if it is reached among the zeros."""
        reached = self.zeros + np.cumsum(self.count)
        if share * self.seen <= self.zeros:
            return 0.0
        place = int(np.searchsorted(reached, share * self.seen))
        return float(min(self.largest, _EDGES[min(place, BINS - 1) + 1]))


class Normalizer:
    """Scores of 0 to 100, by level. 5 KB a level, up to *levels_max* of them; all further ones share one history.

    overflowed  how many buckets of a level too many have been learned into the history that these share

    A score is the smaller of two: what the share of the history that is less odd comes to (SHARE, SCORE), and 100 times
    the raw score by the largest so far. It is damped with fewer than HISTORY_BUCKETS buckets, and near the cut-off. So
    within one state it is monotone in the probability; what is above the cut-off scores 0; and the oddest so far scores
    100, given that history, a probability of RAW_PLAIN, and that few share it. The same buckets give the same scores.
    """

    def __init__(self, levels_max: int = 1000) -> None:
        if levels_max < 1:
            raise ValueError(f"levels_max is {levels_max}: expected 1 or more")
        self.levels_max = levels_max
        self.overflowed = 0
        self._levels: dict[str, _Level] = {}

    def normalize(self, level: str, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores, (n,), of n probabilities by what *level* has learned so far; NaN for NaN."""
        return self._find(level).score(raw_scores(probability))

    def learn(self, level: str, raw: NDArray[np.float64]) -> None:
        """Learn the raw scores of one final bucket of *level*, zeros included, after they were normalized."""
        name = self._name(level)
        if name == _OTHERS:
            self.overflowed += 1
        if name not in self._levels:
            self._levels[name] = _Level()
        self._levels[name].learn(raw)

    def changed_enough(self) -> tuple[str, ...]:
        """The levels in which a score that was said is now off by more than CHANGE_MIN points: rescore those.

        All that share a history have the name ``(others)`` together.
        """
        return tuple(name for name, level in self._levels.items() if level.changed())

    def rescore(self, level: str, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores, (n,), of n stored probabilities as they are now. From here on *level* is unchanged.

        It may be called for as many parts of what is stored as one likes, before anything else is learned.
        """
        found = self._find(level)
        found.settle()
        return found.score(raw_scores(probability))

    def quantile_state(self) -> str:
        """What is known of each level, as a line of JSON: for a person who reads a snapshot, not for ``restore``.

        At most LEVELS_TOLD levels, in the order of their first bucket; "more" says how many there are besides.
        """
        told = {
            name: {"buckets": level.buckets, "scores": level.seen, "largest": round(level.largest, 3),
                   "quantiles": {str(share): round(level.quantile(share), 3) for share in _QUANTILES}}
            for name, level in list(self._levels.items())[:LEVELS_TOLD]}
        return json.dumps({"levels": told, "more": len(self._levels) - len(told)}, separators=(",", ":"))

    def save(self) -> State:
        """A copy of all that was learned."""
        levels = list(self._levels.values())
        return save_texts("level", self._levels) | {
            "count": np.array([level.count for level in levels], np.int64).reshape(-1, BINS),
            "kept": np.array([level.kept for level in levels]).reshape(-1, 4, BINS),
            "number": np.array([(of.zeros, of.at_largest, of.buckets) for of in levels], np.int64).reshape(-1, 3),
            "largest": np.array([level.largest for level in levels]),
            "overflowed": np.array([self.overflowed], np.int64)}

    def restore(self, state: State) -> None:
        """Go on from what ``save`` gave, bit for bit. Raises KeyError, or ValueError if it is of another form."""
        names = restore_texts("level", state)
        if state["count"].shape != (len(names), BINS) or state["kept"].shape != (len(names), 4, BINS):
            raise ValueError(f"state 'count' has shape {state['count'].shape}: expected {(len(names), BINS)}")
        columns = (state["count"], state["kept"], state["largest"].tolist(), state["number"].tolist())
        self._levels = {
            name: _Level(count.copy(), kept.copy(), zeros, largest, ties, buckets)
            for name, count, kept, largest, (zeros, ties, buckets) in zip(names, *columns, strict=True)}
        self.overflowed = int(state["overflowed"][0])

    def _name(self, level: str) -> str:
        own = len(self._levels) - (_OTHERS in self._levels)
        return level if level in self._levels or own < self.levels_max else _OTHERS

    def _find(self, level: str) -> _Level:
        found = self._levels.get(self._name(level))
        return _Level() if found is None else found
