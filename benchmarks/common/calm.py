"""Series without a single anomaly, of ten kinds: whatever a detector finds in them is false. Seeded, no clock.

Each series has its own level, scale and shape, drawn by its own generator: a series is the same however many are made.
"""
from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from common.corpora import Corpus

START_MS = 1_767_225_600_000  # 2026-01-01 UTC
STEP_MS = 300_000
DAY_ROWS = 86_400_000 // STEP_MS

Values = NDArray[np.float64]


def autoregressive(rng: Generator, rows: int, memory: float) -> Values:
    """x[t] = memory · x[t−1] + noise, with mean 0 and variance 1 from the first row on."""
    made = rng.normal(size=rows)
    made[1:] *= np.sqrt(1.0 - memory * memory)
    return np.asarray(lfilter([1.0], [1.0, -memory], made), np.float64)


def normal(rng: Generator, rows: int) -> Values:
    """Independent, normal."""
    return _placed(rng, rng.normal(size=rows))


def student(rng: Generator, rows: int) -> Values:
    """Independent, Student t with 3 degrees of freedom: of finite variance, without a fourth moment."""
    return _placed(rng, rng.standard_t(3, size=rows))


def lognormal(rng: Generator, rows: int) -> Values:
    """Independent, positive, skewed: the logarithm has a standard deviation of 0.5 to 1."""
    return _scale(rng) * rng.lognormal(0.0, rng.uniform(0.5, 1.0), size=rows)


def poisson(rng: Generator, rows: int) -> Values:
    """Independent counts with a mean of 0.3 to 30."""
    return np.asarray(rng.poisson(10.0 ** rng.uniform(-0.5, 1.5), size=rows), np.float64)


def seasonal(rng: Generator, rows: int) -> Values:
    """A day of two harmonics, 288 rows long, under normal noise of 5 to 30 % of its amplitude."""
    turn = 2.0 * np.pi * np.arange(rows) / DAY_ROWS
    day = np.sin(turn + rng.uniform(0.0, 7.0)) + rng.uniform(0.0, 0.5) * np.sin(2.0 * turn + rng.uniform(0.0, 7.0))
    return _placed(rng, day + rng.uniform(0.05, 0.3) * rng.normal(size=rows))


def autocorrelated(rng: Generator, rows: int) -> Values:
    """A first-order autoregression that remembers 50 to 98 % from row to row."""
    return _placed(rng, autoregressive(rng, rows, rng.uniform(0.5, 0.98)))


def quantised(rng: Generator, rows: int) -> Values:
    """A slow autoregression with noise, read in steps of 0.3 to 3 of its standard deviations."""
    smooth = autoregressive(rng, rows, rng.uniform(0.9, 0.99)) + 0.3 * rng.normal(size=rows)
    step = 10.0 ** rng.uniform(-0.5, 0.5)
    steps: Values = np.rint(smooth / step + rng.uniform(-50.0, 50.0))
    return _scale(rng) * steps


def mostly_zero(rng: Generator, rows: int) -> Values:
    """Zero but for 0.5 to 10 % of the rows, each for itself; those are exponential."""
    awake = rng.random(rows) < 10.0 ** rng.uniform(-2.3, -1.0)
    return np.where(awake, _scale(rng) * rng.exponential(size=rows), 0.0)


def random_walk(rng: Generator, rows: int) -> Values:
    """The sum of independent normal steps."""
    return _placed(rng, np.cumsum(rng.normal(size=rows)))


def bursty(rng: Generator, rows: int) -> Values:
    """Poisson counts whose rate swings: its logarithm is an autoregression with a standard deviation of 0.5 to 1."""
    swing = rng.uniform(0.5, 1.0) * autoregressive(rng, rows, rng.uniform(0.8, 0.97))
    return np.asarray(rng.poisson(10.0 ** rng.uniform(0.0, 1.5) * np.exp(swing)), np.float64)


KINDS: Mapping[str, Callable[[Generator, int], Values]] = {
    "normal": normal, "Student t(3)": student, "lognormal": lognormal, "Poisson": poisson, "seasonal": seasonal,
    "autocorrelated": autocorrelated, "quantised": quantised, "mostly zero": mostly_zero, "random walk": random_walk,
    "bursty counts": bursty,
}


def corpus(kind: str, series: range, rows: int, seed: int) -> Corpus:
    """The series of *kind* with these numbers, *rows* rows each, one reading every five minutes."""
    values = [KINDS[kind](np.random.default_rng([seed, zlib.crc32(kind.encode()), number]), rows) for number in series]
    return Corpus(
        tuple(f"{kind}/{number}" for number in series), rows * np.arange(len(series) + 1),
        np.tile(START_MS + STEP_MS * np.arange(rows), len(series)), np.concatenate(values), np.zeros((0, 3), np.int64))


def _scale(rng: Generator) -> float:
    """Between a hundredth and a hundred."""
    return float(10.0 ** rng.uniform(-2.0, 2.0))


def _placed(rng: Generator, values: Values) -> Values:
    """*values* at a scale and about a level of the series' own."""
    scale = _scale(rng)
    return scale * (values + rng.uniform(-100.0, 100.0))
