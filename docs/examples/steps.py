"""A detector of a user's own, in a file of its own: see docs/plugins.md."""
import numpy as np

from offbeat_detectors.calibrated import Calibrated


class Steps(Calibrated):
    """How large is the step from the reading before, up or down? A step up to *least* is none."""

    state = np.dtype([("last", "f8"), ("seen", "?")])
    pieces = ("step up", "step down")

    def __init__(self, capacity, *, least=0.0):
        if not least >= 0.0:
            raise ValueError(f"least is {least!r}: expected 0 or more")
        super().__init__(capacity)
        self.least = least

    def score_then_learn(self, row, time_ms, value):
        step = value - row["last"] if row["seen"] else np.nan
        row["last"], row["seen"] = value, True
        if abs(step) <= self.least:
            step = 0.0
        return max(step, 0.0), max(-step, 0.0)
