"""What the tests of the detector "rhythm" show it: series without anomalies, seasons, and what was found in them."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from offbeat_detectors.rhythm import Rhythm
from offbeat_detectors.scores import score_all, strength_of_score

Series = NDArray[np.float64]
START_MS = 1_700_006_400_000  # midnight, UTC
SECOND_MS, MINUTE_MS, DAY_MS = 1_000, 60_000, 86_400_000
FOUND = strength_of_score(50.0)


@dataclass(frozen=True)
class Found:
    """What is said of one series: the score of each reading, and which are findings of 50 or more."""

    score: Series
    at: list[int]

    def within(self, start: int, stop: int) -> list[int]:
        return [i for i in self.at if start <= i < stop]


def found(value: Series, *, every_ms: int = MINUTE_MS, start_ms: int = START_MS, time_zone: str = "UTC") -> Found:
    """What a new detector finds in one series."""
    n = value.size
    time_ms = start_ms + every_ms * np.arange(n, dtype=np.int64)
    said = Rhythm(1, time_zone=time_zone).process(np.zeros(n, np.int32), time_ms, np.asarray(value, float))
    assert said.strength is not None
    score = np.empty(n)
    score_all(said.strength, score)
    return Found(score, np.flatnonzero(said.strength >= FOUND).tolist())


def wave(n: int, period: int, rng: np.random.Generator, *, height: float = 10.0, noise: float = 0.5) -> Series:
    """A sine with noise."""
    return 50.0 + height * np.sin(np.arange(n) * (2 * np.pi / period)) + noise * rng.normal(size=n)


def office(local_hour: Series, rng: np.random.Generator, noise: float = 0.5) -> Series:
    """High from eight to six by the clock on the wall, with half an hour of slope on both sides, and noise."""
    by_day = np.interp(local_hour, [0.0, 7.75, 8.25, 17.75, 18.25, 24.0], [10.0, 10.0, 30.0, 30.0, 10.0, 10.0])
    return by_day + noise * rng.normal(size=local_hour.size)


def bursty(rng: np.random.Generator, n: int) -> Series:
    """Counts that are low for 300 readings on average, then high for 60."""
    ends = np.cumsum(rng.exponential(np.tile([300.0, 60.0], n // 100)) + 1.0)
    return rng.poisson(np.where(np.searchsorted(ends, np.arange(n)) % 2, 20.0, 0.3)).astype(float)


def seasonal(rng: np.random.Generator, n: int) -> Series:
    at = np.arange(n)
    return 5.0 * np.sin(at * np.pi / 720 + 6 * rng.random()) + np.sin(at * np.pi / 60) + 0.5 * rng.normal(size=n)


QUIET: dict[str, Callable[[np.random.Generator, int], Series]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Student t(3)": lambda rng, n: rng.standard_t(3, n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Poisson": lambda rng, n: rng.poisson(1, n).astype(float),
    "seasonal": seasonal,
    "autoregressive": lambda rng, n: lfilter([1.0], [1.0, -0.9], rng.normal(size=n)),
    "quantised": lambda rng, n: np.round(20 + 0.3 * rng.normal(size=n)),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.02, rng.exponential(10, n), 0.0),
    "random walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "bursty": bursty,
}
"""Series without anomalies."""


def strengths(name: str, count: int, n: int, seed: int = 7) -> Series:
    """(count, n) strengths of *count* such series, a reading a minute."""
    rng = np.random.default_rng(seed)
    value = np.concatenate([QUIET[name](rng, n) for _ in range(count)])
    slot = np.repeat(np.arange(count, dtype=np.int32), n)
    time_ms = np.tile(START_MS + MINUTE_MS * np.arange(n, dtype=np.int64), count)
    strength = Rhythm(count).process(slot, time_ms, value).strength
    assert strength is not None
    return strength.reshape(count, n)
