"""A detector that says why: "ewma" with evidence that follows from each reading alone, to see what becomes of it."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import NOTE_SETTLING, Evidence, Opinions
from offbeat_detectors.ewma import Ewma

NEAR, NEXT = 3, 11
"""How many readings back it finds the most similar moments, whatever they were."""


class Explained(Ewma):
    """Half of each novelty is a jump, an eighth a piece that no other detector has; it notes every negative value."""

    pieces = ("drift", "swing", "jump")

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        said = super().process(slot, time_ms, value)
        share = np.outer(said.novelty, [0.0, 0.125, 0.5]).astype(np.float32)
        similar = np.tile(np.array([[NEAR, NEXT]], np.int32), (slot.size, 1))
        notes = np.where(value < 0.0, NOTE_SETTLING, 0).astype(np.uint8)
        return replace(said, evidence=Evidence(share, similar, notes))
