"""What can be said of findings against labels at a fixed score: warm-up against later, delay. Chooses no threshold."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from common.corpora import Corpus

FINDING = 50.0
"""The score from which a finding counts here."""

FIRST_ROWS = 500
"""The warm-up of a series ends for these figures after so many rows."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """False findings of score FINDING or more in the first FIRST_ROWS rows of each series, and later.

    early, later            how many        early_rows, later_rows  of how many rows outside the labels
    early_events            labelled events that begin in the first rows    early_found  those that were found
    """

    early: float
    early_rows: float
    later: float
    later_rows: float
    early_events: float
    early_found: float

    @property
    def early_rate(self) -> float:
        """False findings per 10,000 rows at first."""
        return 1e4 * self.early / max(self.early_rows, 1)

    @property
    def ratio(self) -> float:
        """How many times as often as later it cries wolf at first."""
        return self.early_rate / self.later_rate if self.later else math.nan

    @property
    def later_rate(self) -> float:
        """False findings per 10,000 rows afterwards."""
        return 1e4 * self.later / max(self.later_rows, 1)

    def __truediv__(self, count: int) -> WarmUp:
        """The mean of *count* runs that were added up."""
        return WarmUp(*(figure / count for figure in astuple(self)))

    def __add__(self, other: WarmUp) -> WarmUp:
        """Both counted together."""
        return WarmUp(*(mine + yours for mine, yours in zip(astuple(self), astuple(other), strict=True)))


def warm_up(corpus: Corpus, score: NDArray[np.float64], late: int) -> WarmUp:
    """Findings outside the events (and the *late* rows after them), by where in its series they come."""
    outside, young, said = ~corpus.marked(late), corpus.row < FIRST_ROWS, score >= FINDING
    delays = first_findings(corpus, score, late)
    begun = corpus.events[:, 1] < FIRST_ROWS
    return WarmUp(
        int((said & outside & young).sum()), int((outside & young).sum()), int((said & outside & ~young).sum()),
        int((outside & ~young).sum()), int(begun.sum()), int((begun & (delays >= 0)).sum()))


def first_findings(corpus: Corpus, score: NDArray[np.float64], late: int) -> NDArray[np.int64]:
    """(m,) int64: how many rows after its beginning each event has its first finding; −1: none."""
    delays = np.full(len(corpus.events), -1, np.int64)
    for number, (series, begin, end) in enumerate(corpus.events.tolist()):
        first, stop = corpus.first[series] + begin, min(corpus.first[series] + end + 1 + late, corpus.first[series + 1])
        hits = np.flatnonzero(score[first:stop] >= FINDING)
        if hits.size:
            delays[number] = hits[0]
    return delays


@dataclass(frozen=True, slots=True)
class Delay:
    """From the beginning of an event to its first finding of score FINDING or more; medians over the events found."""

    events: int
    found: int
    rows: float
    seconds: float
    at_once: float


def delay(corpus: Corpus, score: NDArray[np.float64], late: int, series: Sequence[int] | None = None) -> Delay:
    """Over the events of all series or of some. at_once: the share of those found that were so in their first row."""
    after = first_findings(corpus, score, late)
    mine = np.ones(after.size, np.bool_) if series is None else np.isin(corpus.events[:, 0], np.asarray(series))
    told = mine & (after >= 0)
    if not told.any():
        return Delay(int(mine.sum()), 0, np.nan, np.nan, np.nan)
    begin = corpus.first[corpus.events[told, 0]] + corpus.events[told, 1]
    seconds = (corpus.time_ms[begin + after[told]] - corpus.time_ms[begin]) / 1000.0
    return Delay(int(mine.sum()), int(told.sum()), float(np.median(after[told])), float(np.median(seconds)),
                 float(np.mean(after[told] == 0)))
