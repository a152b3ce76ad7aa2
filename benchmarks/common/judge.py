"""A detector run over a corpus as the engine runs it: novelty, then the alert stage. Scores nothing."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.corpora import Corpus
from offbeat_detectors import registry
from offbeat_detectors.contract import Detector, Grouped
from offbeat_detectors.scores import AlertStage, score_all

CALL_ROWS = 131_072
"""Rows a call: some detectors answer with a table of evidence, which is not kept."""


@dataclass(frozen=True)
class Model:
    """A detector by its name in the registry, with parameters."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        return self.label or self.name

    def make(self, capacity: int) -> Detector:
        """A fresh one for *capacity* series. A detector whose series learn from one another gets groups of one."""
        detector = registry.create(self.name, capacity, self.parameters)
        if isinstance(detector, Grouped):
            slots = np.arange(capacity, dtype=np.int32)
            detector.join(slots, slots)
        return detector

    @property
    def components(self) -> tuple[str, ...]:
        """The parts that can be left out, by the parameter ``without``."""
        return tuple(getattr(type(self.make(1)), "COMPONENTS", ()))

    def without(self, component: str) -> Model:
        """The same without one of its components, beside those already left out."""
        left_out = self.parameters.get("without", ())
        assert isinstance(left_out, tuple | list)
        parameters = {**self.parameters, "without": (*left_out, component)}
        return Model(self.name, parameters, f"{self} without {component}")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a detector said of n rows.

    novelty   (n,) float64  0 where it had no opinion    strength  (n,) float64  E of a finding, 0 where there is none
    score     (n,) float64  0 to 100, of the strength
    """

    novelty: NDArray[np.float64]
    strength: NDArray[np.float64]
    score: NDArray[np.float64]


def judge(model: Model, corpus: Corpus) -> Judged:
    """Each series of *corpus* from its beginning, by one detector, causally."""
    count, n = len(corpus.names), corpus.value.size
    detector, alerts = model.make(count), AlertStage(count)
    novelty, strength, score = np.zeros(n), np.empty(n), np.empty(n)
    for start in range(0, n, CALL_ROWS):
        rows = slice(start, start + CALL_ROWS)
        said = detector.process(corpus.slot[rows], corpus.time_ms[rows], corpus.value[rows])
        strength[rows] = alerts.strength_of(corpus.slot[rows], said)
        novelty[rows] = np.nan_to_num(said.novelty, nan=0.0)
    score_all(strength, score)
    return Judged(novelty, strength, score)
