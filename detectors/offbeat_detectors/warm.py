"""Compiles the kernels before anything waits for them."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from offbeat_detectors import registry, rhythm_divided
from offbeat_detectors.banded import Banded
from offbeat_detectors.contract import Detector, Watchful
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.joint import Joint
from offbeat_detectors.online_clusters import OnlineClusters
from offbeat_detectors.parts import Team
from offbeat_detectors.population import Population
from offbeat_detectors.rhythm import TIERS, Rhythm
from offbeat_detectors.scores import AlertStage, novelty_all, score_all, surprise_of_novelty


def warm_up(model: str = "rhythm", parameters: Mapping[str, object] | None = None) -> None:
    """Compile what a job of the built-in *model* needs, or load it: 12 s the first time, 0.1 s after.

    Of another model, nothing but what all need: it is not asked for an opinion before there is a reading.
    """
    novelty, scores = np.ones(1), np.empty(1)
    score_all(novelty, scores)
    novelty_all(novelty, scores)
    surprise_of_novelty(1.0)
    if model in registry.BUILT_IN:
        _use(registry.create(model, 1, parameters or {}))


def warm_up_others() -> None:
    """Compile every other kernel of every detector, or load it."""
    AlertStage(1).process(np.zeros(1, np.int32), np.ones(1))
    others: list[Detector] = [Ewma(1), Banded(Ewma(1), 1), Population(1), Joint(1), OnlineClusters(1)]
    for detector in (*others, *(Rhythm(1, tier=tier) for tier in TIERS)):
        _use(detector)
    with Team(2) as team:
        shared, n = Rhythm(1), rhythm_divided.POINTS_MIN
        shared.divide(team.threads, team.run)
        shared.process(np.zeros(n, np.int32), np.arange(n), np.zeros(n))


def _use(detector: Detector) -> None:
    slot, time_ms = np.zeros(1, np.int32), np.zeros(1, np.int64)
    AlertStage(1).strength_of(slot, detector.process(slot, time_ms, np.zeros(1)))
    if isinstance(detector, Watchful):
        detector.overdue(slot, time_ms)
