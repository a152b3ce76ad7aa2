"""One detector through one corpus after the other: the figures of a row of each table. Prints nothing."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common import calm, findings, labelled
from common.corpora import LATE, Corpus
from common.findings import FIRST_ROWS, Delay, WarmUp
from common.judge import Judged, Model, judge
from common.nab import NabFigures, NabScorer
from common.speed import Speed, speed

LEVELS = (25.0, 50.0, 75.0, 90.0)
"""The scores from which findings are counted in calm series."""

CHUNK_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much a detector is given.

    alignments  of NAB    series, rows  of each kind of calm series    seconds  of a measurement of speed
    """

    alignments: int
    series: int
    rows: int
    seconds: float

    def text(self) -> str:
        """In words."""
        return (f"{self.alignments} alignment{'s' * (self.alignments > 1)} of NAB, {self.series:,} calm series of "
                f"{self.rows:,} points a kind")


FULL = Plan(alignments=16, series=200, rows=20_000, seconds=3.0)
QUICK = Plan(alignments=4, series=20, rows=10_000, seconds=0.5)
SLOW = Plan(alignments=1, series=4, rows=8_000, seconds=1.0)
"""For detectors of Python objects, which take a thousand times as long."""


@dataclass(frozen=True, slots=True)
class NabTrial:
    """By the strength of findings, which counts, and by row novelty; warm-up and delay of findings."""

    strength: NabFigures
    novelty: NabFigures
    warm_up: WarmUp
    delay: Delay


@dataclass(frozen=True, slots=True)
class LabelledTrial:
    """By the strength of findings, by row novelty; VUS-PR of novelty a set; warm-up; delay a set, and the
    median of all in rows."""

    strength: labelled.Figures
    novelty: labelled.Figures
    vus: dict[str, float]
    warm_up: WarmUp
    delay: dict[str, Delay]
    delay_rows: float

    @property
    def vus_mean(self) -> float:
        """The mean of the sets."""
        return float(np.mean(list(self.vus.values())))


@dataclass(frozen=True, slots=True)
class CalmTrial:
    """Findings per 10,000 points of one kind of calm series, by LEVELS: past the first FIRST_ROWS points, and there."""

    later: tuple[float, ...]
    early: tuple[float, ...]


def try_nab(model: Model, scorer: NabScorer, plan: Plan) -> NabTrial:
    """The first alignments of NAB; the delay is of the whole corpus."""
    alignments = scorer.alignments[: plan.alignments]
    judged = [judge(model, alignment.corpus) for alignment in alignments]
    warm = [findings.warm_up(at.corpus, one.score, 0) for at, one in zip(alignments, judged, strict=True)]
    return NabTrial(
        scorer.figures([one.strength for one in judged], profiles=True),
        scorer.figures([one.novelty for one in judged]), sum(warm[1:], warm[0]) / len(warm),
        findings.delay(alignments[0].corpus, judged[0].score, 0))


def try_labelled(model: Model, corpus: Corpus) -> LabelledTrial:
    """All labelled series."""
    judged: Judged = judge(model, corpus)
    names = dict.fromkeys(corpus.sets)
    delays = {name: findings.delay(corpus, judged.score, LATE, [i for i, s in enumerate(corpus.sets) if s == name])
              for name in names}
    return LabelledTrial(
        labelled.figures(corpus, judged.strength), labelled.figures(corpus, judged.novelty),
        labelled.vus(corpus, judged.novelty), findings.warm_up(corpus, judged.score, LATE), delays,
        findings.delay(corpus, judged.score, LATE).rows)


def warm_up_of(model: Model, scorer: NabScorer, series: Corpus, plan: Plan) -> WarmUp:
    """Warm-up alone, over the first alignments of NAB (their mean) and the labelled series: for a variant."""
    return _nab_warm_up(model, scorer, plan) + findings.warm_up(series, judge(model, series).score, LATE)


def _nab_warm_up(model: Model, scorer: NabScorer, plan: Plan) -> WarmUp:
    corpora = [alignment.corpus for alignment in scorer.alignments[: plan.alignments]]
    each = [findings.warm_up(corpus, judge(model, corpus).score, 0) for corpus in corpora]
    return sum(each[1:], each[0]) / len(each)


def try_calm(model: Model, plan: Plan, seed: int) -> dict[str, CalmTrial]:
    """Every kind of calm series."""
    each = max(1, CHUNK_POINTS // plan.rows)
    trials = {}
    for kind in calm.KINDS:
        counted = np.zeros((2, len(LEVELS)))
        for start in range(0, plan.series, each):
            corpus = calm.corpus(kind, range(start, min(start + each, plan.series)), plan.rows, seed)
            score, young = judge(model, corpus).score, corpus.row < FIRST_ROWS
            counted += [[(score[mine] >= level).sum() for level in LEVELS] for mine in (~young, young)]
        points = plan.series * np.array([max(plan.rows - FIRST_ROWS, 1), min(FIRST_ROWS, plan.rows)])
        later, early = (1e4 * counted / points[:, None]).tolist()
        trials[kind] = CalmTrial(tuple(later), tuple(early))
    return trials


def try_speed(model: Model, plan: Plan, fleets: Sequence[tuple[int, int, bool]]) -> list[Speed]:
    """*fleets*: number of series, readings of each before the clock starts, whether in random order."""
    return [speed(model, series, seen, plan.seconds, shuffled=shuffled) for series, seen, shuffled in fleets]
