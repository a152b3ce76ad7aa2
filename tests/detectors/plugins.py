"""Detectors as a user writes them."""
from __future__ import annotations

from typing import Any

import numpy as np

from offbeat_detectors.calibrated import Calibrated


class Jumps(Calibrated):
    """How far is a reading from the one before?"""

    state = np.dtype([("last", "f8"), ("seen", "i8")])

    def score_then_learn(self, row: Any, time_ms: int, value: float) -> float:
        score = abs(value - row["last"]) if row["seen"] else np.nan
        row["last"], row["seen"] = value, row["seen"] + 1
        return float(score)


class Moves(Calibrated):
    """A move up, or down, from the slow level: it says which of the two."""

    state = np.dtype([("level", "f8"), ("seen", "i8")])
    pieces = ("up", "down")

    def score_then_learn(self, row: Any, time_ms: int, value: float) -> tuple[float, float]:
        off = value - row["level"] if row["seen"] else np.nan
        row["level"], row["seen"] = row["level"] + 0.1 * off if row["seen"] else value, row["seen"] + 1
        return np.maximum(off, 0.0), np.maximum(-off, 0.0)


class Share(Calibrated):
    """A score between 0 and 1, and no bands: how large is a reading?"""

    bounded = True
    bands = ""

    def score_then_learn(self, row: Any, time_ms: int, value: float) -> float:
        return float(abs(value) / (1.0 + abs(value)))
