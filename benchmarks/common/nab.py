"""NAB's own scoring, fast enough for sixteen alignments in a second or two: the rules are those of nab_score.py.

An *alignment* is the corpus without the first rows of each record. A detector that works on blocks of rows gains or
loses a point by where its blocks happen to begin; the mean over alignments does not.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.corpora import BENCH, Corpus, Nab, scorer

ALIGNMENTS = 16
MANY = 95
"""Windows that a detector in use should find, of 116: false alarms are counted at the threshold that finds so many."""
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Worth:
    """What a detection is worth in some records, for one profile.

    rows    (m,) int64    rows of the corpus that are scored, those past probation
    value   (m,) float64  what a detection there is worth, by itself
    window  (m,) int64    the window that it lies in; −1: outside
    count   windows that can be found      found, missed  what a window is worth if found at once, and if missed
    """

    rows: NDArray[np.int64]
    value: NDArray[np.float64]
    window: NDArray[np.int64]
    count: int
    found: float
    missed: float

    def best_threshold(self, score: Scores) -> tuple[float, float]:
        """The threshold with the highest total, and that total, of (n,) scores; (inf, …) if silence is best.

        As ``nab_score.best_threshold``, but only the rows above the lowest score are sorted: findings are rare.
        """
        mine = score[self.rows]
        nothing = -self.missed * self.count
        if not mine.size:
            return math.inf, nothing
        low = mine.min()
        order = np.flatnonzero(mine > low)
        order = order[np.argsort(-mine[order], kind="stable")]
        gain, window = self.value[order], self.window[order]
        inside = np.flatnonzero(window >= 0)
        inside = inside[np.argsort(window[inside], kind="stable")]
        cuts = np.flatnonzero(np.diff(window[inside])) + 1
        for places in np.split(inside, cuts):
            gain[places] = np.diff(np.maximum.accumulate(np.append(-self.missed, gain[places])))
        levels, totals = mine[order], nothing + np.cumsum(gain)
        last_of_tie = np.append(levels[1:] != levels[:-1], True)[: levels.size]
        levels = np.append(levels[last_of_tie], low)
        totals = np.append(totals[last_of_tie], self.total(score, low))
        top = int(np.argmax(totals))
        return (float(levels[top]), float(totals[top])) if totals[top] > nothing else (math.inf, nothing)

    def total(self, score: Scores, threshold: float) -> float:
        """The total, not normalised, with a detection wherever the score reaches *threshold*."""
        fires = score[self.rows] >= threshold
        outside, inside = fires & (self.window < 0), fires & (self.window >= 0)
        best = np.full(self.count, -self.missed)
        numbers = np.unique(self.window[self.window >= 0])
        np.maximum.at(best, np.searchsorted(numbers, self.window[inside]), self.value[inside])
        return float(self.value[outside].sum() + best.sum())

    def threshold_finding(self, score: Scores, count: int) -> float:
        """The highest threshold at which *count* windows are found, of (n,) scores; −inf if there are not so many."""
        inside = self.window >= 0
        numbers, window = np.unique(self.window[inside], return_inverse=True)
        peaks = np.full(numbers.size, -np.inf)
        np.maximum.at(peaks, window, score[self.rows[inside]])
        return float(np.sort(peaks)[-count]) if count <= peaks.size else -math.inf

    def normalised(self, total: float) -> float:
        """A total on NAB's scale: 0 for silence, 100 for every window at once and nothing else."""
        nothing, perfect = -self.missed * self.count, self.found * self.count
        return 100.0 * (total - nothing) / (perfect - nothing)


class Alignment:
    """NAB without the first *dropped* rows of each record, and what a detection at each row is worth."""

    def __init__(self, nab: Nab, dropped: int = 0) -> None:
        self.corpus = nab.dropped(dropped)
        self._module = scorer("nab_score", BENCH)

    def worth(self, profile: str = "standard", records: Sequence[int] | None = None) -> Worth:
        """For a profile of NAB's, in all records or some."""
        rules = self._module.PROFILES[profile]
        parts, windows, count = [], 0, 0
        for i in range(len(self.corpus.names)) if records is None else records:
            record = self.record(i)
            value, owner = self._module.worth(record, rules)
            past = slice(record.probation, None)
            rows = np.arange(self.corpus.first[i], self.corpus.first[i + 1])
            parts.append((rows[past], value[past], np.where(owner >= 0, owner + windows, -1)[past]))
            windows += len(record.windows)
            count += len(record.scored_windows())
        rows, value, window = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Worth(rows, value, window, count, rules.tp, rules.fn)

    def record(self, i: int, score: Scores | None = None) -> Any:
        """Record *i* as nab_score.py has it."""
        first, end = self.corpus.first[i : i + 2]
        windows = [(a, b) for series, a, b in self.corpus.events.tolist() if series == i]
        times = self.corpus.time_ms[first:end].astype("datetime64[ms]")
        scores = np.zeros(end - first) if score is None else score[first:end]
        return self._module.Record(self.corpus.names[i], times, windows, scores)

    @cached_property
    def standard(self) -> Worth:
        """Of all records, the standard profile."""
        return self.worth()

    @cached_property
    def halves(self) -> tuple[Worth, Worth]:
        """Of every other record by name, the standard profile: both halves hold some of each group."""
        count = len(self.corpus.names)
        return self.worth(records=range(0, count, 2)), self.worth(records=range(1, count, 2))

    def crossed(self, score: Scores) -> float:
        """Each half scored at the threshold that is best for the other, normalised; the mean of the two."""
        one, other = self.halves
        return sum(mine.normalised(mine.total(score, yours.best_threshold(score)[0]))
                   for mine, yours in ((one, other), (other, one))) / 2

    def windows(self, score: Scores, threshold: float) -> dict[str, float]:
        """``nab_score.window_report``: found, missed, false alarms, delay."""
        records = [self.record(i, score) for i in range(len(self.corpus.names))]
        reported: dict[str, float] = self._module.window_report(records, threshold)
        return reported


@dataclass(frozen=True, slots=True)
class NabFigures:
    """Means over alignments. score, crossed, low_fp, low_fn: NAB's scale; deviation: the standard deviation of score.

    threshold     the standard profile's best
    found, of     windows, at that threshold      false_alarms  runs of rows outside windows
    delay_rows, delay_s  from a window's first row to its first detection, median
    false_many           false alarms at the highest threshold that finds MANY windows; NaN if none above 0 does
    low_fp, low_fn       the other two profiles; NaN where not asked for
    """

    score: float
    deviation: float
    crossed: float
    threshold: float
    found: float
    of: float
    false_alarms: float
    delay_rows: float
    delay_s: float
    false_many: float
    low_fp: float
    low_fn: float


class NabScorer:
    """NAB under *alignments* alignments; what does not depend on a detector is worked out once."""

    def __init__(self, nab: Nab, alignments: int = ALIGNMENTS) -> None:
        self.alignments = [Alignment(nab, dropped) for dropped in range(alignments)]

    def strengths(self, judge: Callable[[Corpus], Scores]) -> list[Scores]:
        """What *judge* says of the rows of each alignment."""
        return [judge(alignment.corpus) for alignment in self.alignments]

    def mean(self, strengths: Sequence[Scores]) -> float:
        """The standard profile's score, one threshold for all records, mean over as many alignments as are given."""
        return float(np.mean(self.each(strengths)))

    def each(self, strengths: Sequence[Scores]) -> list[float]:
        """The standard profile's score of each alignment."""
        each = []
        for alignment, score in zip(self.alignments[: len(strengths)], strengths, strict=True):
            worth = alignment.standard
            each.append(worth.normalised(worth.best_threshold(score)[1]))
        return each

    def figures(self, strengths: Sequence[Scores], *, profiles: bool = False) -> NabFigures:
        """Everything of interest, means over the alignments given."""
        rows, others = [], []
        for alignment, score in zip(self.alignments, strengths, strict=False):
            worth = alignment.standard
            threshold, total = worth.best_threshold(score)
            seen = alignment.windows(score, threshold)
            many = worth.threshold_finding(score, MANY)
            false_many = alignment.windows(score, many)["false_alarms"] if many > 0.0 else math.nan
            rows.append([worth.normalised(total), alignment.crossed(score), threshold, seen["found"], seen["windows"],
                         seen["false_alarms"], seen["median_delay_rows"], seen["median_delay_seconds"],
                         false_many])
            if profiles:
                kinds = [alignment.worth(name) for name in ("reward_low_FP_rate", "reward_low_FN_rate")]
                others.append([kind.normalised(kind.best_threshold(score)[1]) for kind in kinds])
        score_mean, *means = np.mean(rows, axis=0).tolist()
        low = np.mean(others, axis=0).tolist() if others else [math.nan, math.nan]
        deviation = float(np.std([row[0] for row in rows], ddof=1)) if len(rows) > 1 else math.nan
        return NabFigures(score_mean, deviation, *means, *low)


def nab_mean(nab: Nab, strengths: Sequence[Scores]) -> float:
    """The standard profile's mean over alignments: strengths[k] is of the rows of ``nab.dropped(k)``.

    For many detectors make a ``NabScorer`` and keep it: half of the time here goes into what it remembers.
    """
    return NabScorer(nab, len(strengths)).mean(strengths)
