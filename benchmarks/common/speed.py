"""How many events a second a detector and the alert stage judge and learn on one core. No daemon, no journal."""
from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from common.calm import START_MS
from common.judge import Model
from common.report import median
from offbeat_detectors.scores import AlertStage, score_all

CALL_ROWS = 65_536
ROUND_MS = 60_000
MEASURED = 5
"""So many measurements, of which the median counts."""

PATTERNS = 1_000
"""So many series are fed one by one; a larger fleet begins with copies of their state."""


@dataclass(frozen=True, slots=True)
class Speed:
    """rate: events a second of processor time. seen: readings that each series had had when the clock started."""

    series: int
    order: str
    rate: float
    seen: float
    detector_bytes: int
    alert_bytes: int


class Fleet:
    """*series* sensors on a daily rhythm under noise, each about its own level, before one detector."""

    def __init__(self, model: Model, series: int, seed: int) -> None:
        self.series, self.fed = series, 0
        self.detector, self.alerts = model.make(series), AlertStage(series)
        self._rng = np.random.default_rng(seed)
        self._level = np.resize(self._rng.uniform(-100.0, 100.0, PATTERNS), series)

    def grown_from(self, few: Fleet) -> None:
        """Take over the state of *few*, over and over until every slot has one."""
        of = np.arange(few.series, dtype=np.int32)
        state, alert_state = few.detector.save(of), few.alerts.save(of)
        for start in range(0, self.series - few.series + 1, few.series):
            self.detector.restore(start + of, state)
            self.alerts.restore(start + of, alert_state)
        self.fed = few.fed // few.series * self.series

    def feed(self, rows: int, *, shuffled: bool = False) -> float:
        """Seconds of processor time that novelty, findings and scores of the next *rows* readings take."""
        number = self.fed + np.arange(rows)
        turn = number // self.series
        slot = (self._rng.integers(0, self.series, rows) if shuffled else number % self.series).astype(np.int32)
        value = self._level[slot] + np.sin(2.0 * np.pi * turn / 1440) + 0.2 * self._rng.normal(size=rows)
        time_ms, score = START_MS + ROUND_MS * turn, np.empty(rows)
        began_s = time.process_time()
        score_all(self.alerts.strength_of(slot, self.detector.process(slot, time_ms, value)), score)
        took_s = time.process_time() - began_s
        self.fed += rows
        return took_s


def speed(model: Model, series: int, seen: int, seconds: float, *, shuffled: bool = False, seed: int = 1) -> Speed:
    """Feed *seen* readings a series, or for ten times *seconds* if that is less; then measure for *seconds*.

    In rounds each series has one reading in turn; *shuffled*, the next reading is of any series. *series* is a multiple
    of PATTERNS if it is more.
    """
    fleet = Fleet(model, min(series, PATTERNS), seed)
    fleet.feed(512)  # compiles
    rows = int(np.clip(512 * 0.05 * seconds / max(fleet.feed(512), 1e-9), 512, CALL_ROWS))
    spent_s = 0.0
    while fleet.fed < seen * fleet.series and spent_s < 10.0 * seconds:
        spent_s += fleet.feed(rows)
    if series > PATTERNS:
        few, fleet = fleet, Fleet(model, series, seed)
        fleet.grown_from(few)
    before, rates = fleet.fed / series, []
    for _ in range(MEASURED):
        spent_s, start = 0.0, fleet.fed
        while spent_s < seconds / MEASURED:
            spent_s += fleet.feed(rows, shuffled=shuffled)
        rates.append((fleet.fed - start) / spent_s)
    return Speed(series, "random" if shuffled else "in rounds", median(rates), before,
                 fleet.detector.bytes_per_series, AlertStage.bytes_per_series)
