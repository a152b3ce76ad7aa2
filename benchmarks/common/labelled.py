"""Scores on the labelled series: those of label_score.py, and the same at every threshold, of one set or of all."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.corpora import BENCH, LATE, Corpus, runs, scorer
from offbeat_detectors.contract import EVIDENCE_MIN

GAP = 30
"""So many quiet rows are bridged within one false alarm."""

PROBATION, PROBATION_ROWS = 0.15, 750
"""The first share of a series, at most so many rows, is not scored."""

ABOVE_ZERO = float(np.nextafter(0.0, 1.0))

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """One series past probation: its scores, first and last row of its events, the rows that are in or after none."""

    score: Scores
    events: NDArray[np.int64]
    outside: NDArray[np.bool_]


def scored(corpus: Corpus, score: Scores) -> dict[str, list[Scored]]:
    """The series by set; those without an event past probation are left out, as label_score.py does."""
    inside, allowed = corpus.marked(0), corpus.marked(LATE)
    sets: dict[str, list[Scored]] = {name: [] for name in corpus.sets}
    for i, name in enumerate(corpus.sets):
        first, end = corpus.first[i : i + 2].tolist()
        first += min(int(PROBATION * (end - first)), PROBATION_ROWS)
        events = runs(inside[first:end])
        if len(events):
            # What trails from an event that ended within probation belongs to nothing that is scored.
            outside = ~allowed[first:end]
            outside[: events[0, 0]] = True
            sets[name].append(Scored(score[first:end], events, outside))
    return {name: series for name, series in sets.items() if series}


class Sweep:
    """Events found and false alarms of some series, at any threshold.

    An event is found at a threshold that the highest score in it, or up to LATE rows after, reaches. A row outside
    begins a false alarm at a threshold that it reaches, if none of the GAP + 1 rows before it does so outside. So the
    alarms at t are the rows that reach t but for those with such a row before them: a difference of two counts.
    """

    def __init__(self, series: Sequence[Scored]) -> None:
        self.events, self.rows = sum(len(one.events) for one in series), sum(one.score.size for one in series)
        peaks, reached, joined = [], [], []
        for one in series:
            peaks.append([one.score[a : b + 1 + LATE].max() for a, b in one.events.tolist()])
            before = highest_before(np.where(one.outside, one.score, -np.inf), GAP + 1)
            reached.append(one.score[one.outside])
            joined.append(np.minimum(one.score, before)[one.outside])
        self._peaks, self._reached, self._joined = (np.sort(np.concatenate(p)) for p in (peaks, reached, joined))

    def found(self, threshold: Scores) -> NDArray[np.int64]:
        """Events found at each threshold."""
        return _reaching(self._peaks, threshold)

    def false_alarms(self, threshold: Scores) -> NDArray[np.int64]:
        """False alarms at each threshold."""
        return _reaching(self._reached, threshold) - _reaching(self._joined, threshold)

    def f1(self, threshold: Scores) -> Scores:
        """Event F1 at each threshold."""
        found = self.found(threshold)
        return 2.0 * found / (found + self.false_alarms(threshold) + self.events)

    def levels(self, least: float) -> Scores:
        """Every score from *least* on at which something changes, ascending."""
        found = np.unique(np.concatenate([self._peaks, self._reached]))
        return found[found >= least]

    def best(self, least: float) -> tuple[float, float]:
        """The best F1 of any threshold from *least* on, and the threshold; (0, inf) if no score is so high."""
        return _highest(levels := self.levels(least), self.f1(levels))

    def half_found(self, threshold: Scores) -> float:
        """False alarms per 10,000 rows at the highest threshold that finds half of the events; NaN if none does."""
        enough = threshold[self.found(threshold) >= 0.5 * self.events]
        return 1e4 * float(self.false_alarms(enough[:1])[0]) / self.rows if enough.size else math.nan


def _highest(levels: Scores, f1: Scores) -> tuple[float, float]:
    if not levels.size:
        return 0.0, math.inf
    top = int(np.argmax(f1))
    return float(f1[top]), float(levels[top])


def highest_before(score: Scores, width: int) -> Scores:
    """The highest of the *width* rows before each row; −inf where there is none."""
    highest = np.full(score.size, -np.inf)
    for back in range(1, min(width, score.size - 1) + 1):
        np.maximum(highest[back:], score[:-back], out=highest[back:])
    return highest


def _reaching(ascending: Scores, threshold: Scores) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = ascending.size - np.searchsorted(ascending, threshold, side="left")
    return counted


@dataclass(frozen=True, slots=True)
class SetFigures:
    """One set with one threshold, or all of them pooled with one threshold for everything.

    scorer_f1   what label_score.py says; its search may end at 0, where every row fires
    f1          the best over all thresholds above zero     threshold  where       found, false_alarms  there
    finding_f1  the best over the thresholds of findings, EVIDENCE_MIN and more
    per_10k     false alarms per 10,000 rows at *threshold*
    at_half     fa@r50: false alarms per 10,000 rows where half of the events are found
    """

    series: int
    events: int
    scorer_f1: float
    f1: float
    threshold: float
    found: int
    false_alarms: int
    finding_f1: float
    per_10k: float
    at_half: float


def set_figures(series: Sequence[Scored]) -> SetFigures:
    """Figures of *series* with one threshold for them all."""
    sweep = Sweep(series)
    pool = np.concatenate([one.score for one in series])
    grid = np.unique(np.quantile(pool, 1 - np.geomspace(2e-5, 0.5, 60)))[::-1]  # label_score.py's search
    f1, threshold = sweep.best(ABOVE_ZERO)
    at = np.array([threshold])
    found, false_alarms = int(sweep.found(at)[0]), int(sweep.false_alarms(at)[0])
    return SetFigures(
        len(series), sweep.events, float(sweep.f1(grid).max()), f1, threshold, found, false_alarms,
        sweep.best(EVIDENCE_MIN)[0], 1e4 * false_alarms / sweep.rows, sweep.half_found(grid[grid > 0.0]))


@dataclass(frozen=True, slots=True)
class Figures:
    """All sets.

    sets      each with a threshold of its own    pooled  all of their events together, with one threshold
    even_f1   the mean of the sets' F1, each set counting alike, at the one threshold where it is best
    even_threshold  that threshold                even_findings  even_f1 over thresholds of EVIDENCE_MIN and more
    """

    sets: dict[str, SetFigures]
    pooled: SetFigures
    even_f1: float
    even_threshold: float
    even_findings: float

    def mean(self, name: str) -> float:
        """The mean over the sets of a figure of theirs."""
        return float(np.nanmean([getattr(one, name) for one in self.sets.values()]))


def figures(corpus: Corpus, score: Scores) -> Figures:
    """Each set with its own threshold, and everything with one."""
    sets = scored(corpus, score)
    whole = [one for series in sets.values() for one in series]
    sweeps = [Sweep(series) for series in sets.values()]

    def even(least: float) -> tuple[float, float]:
        levels = Sweep(whole).levels(least)
        return _highest(levels, np.mean([sweep.f1(levels) for sweep in sweeps], axis=0))

    return Figures({name: set_figures(series) for name, series in sets.items()}, set_figures(whole),
                   *even(ABOVE_ZERO), even(EVIDENCE_MIN)[0])


def vus(corpus: Corpus, novelty: Scores) -> dict[str, float]:
    """VUS-PR of row novelty by label_score.py: the mean over the series of each set."""
    module = scorer("label_score", BENCH)
    means = {}
    for name, series in scored(corpus, novelty).items():
        each = []
        for one in series:
            label = np.zeros(one.score.size, np.int8)
            for a, b in one.events.tolist():
                label[a : b + 1] = 1
            each.append(module.vus_pr(label, one.score))
        means[name] = float(np.mean(each))
    return means
