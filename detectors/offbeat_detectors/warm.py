"""Compiles the kernels before anything waits for them."""
from __future__ import annotations

import numpy as np

from offbeat_detectors.banded import Banded
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.joint import Joint
from offbeat_detectors.population import Population
from offbeat_detectors.rhythm import Rhythm
from offbeat_detectors.scores import AlertStage, novelty_all, score_all, surprise_of_novelty


def warm_up() -> None:
    """Compile every kernel, or load it from the cache beside the source: about 45 s the first time, 1.5 s after."""
    slot, time_ms, value = np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.float64)
    novelty = Ewma(1).process(slot, time_ms, value).novelty
    alerts = AlertStage(1)
    strength = alerts.process(slot, novelty)
    score_all(strength, np.empty(1, np.float64))
    novelty_all(np.ones(1, np.float64), np.empty(1, np.float64))
    surprise_of_novelty(1.0)
    for detector in (Population(1), Joint(1), Rhythm(1), Rhythm(1, tier="light"), Banded(Ewma(1), 1)):
        alerts.strength_of(slot, detector.process(slot, time_ms, value))
    Rhythm(1).overdue(slot, time_ms)
