"""The pieces of evidence run over whole series, as the default detector runs them: reading by reading."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from offbeat_detectors import arrival, drift, stuck
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import zero_rows
from offbeat_detectors.scores import AlertStage

Array = NDArray[Any]
MINUTE_MS = 60_000


@kernel
def arrival_all(rows: Array, slot: Array, time_ms: Array, value: Array, novelty: Array) -> None:
    for i in range(slot.size):
        novelty[i] = arrival.judge_then_learn(rows, slot[i], time_ms[i])


@kernel
def stuck_all(rows: Array, slot: Array, time_ms: Array, value: Array, novelty: Array) -> None:
    for i in range(slot.size):
        novelty[i] = stuck.judge_then_learn(rows, slot[i], time_ms[i], value[i])


@kernel
def drift_all(rows: Array, slot: Array, time_ms: Array, value: Array, novelty: Array) -> None:
    for i in range(slot.size):
        novelty[i] = drift.judge_then_learn(rows, slot[i], time_ms[i], value[i])


PIECES: dict[str, tuple[Callable[..., None], np.dtype[Any]]] = {
    "arrival": (arrival_all, arrival.ARRIVAL), "stuck": (stuck_all, stuck.STUCK), "drift": (drift_all, drift.DRIFT),
}


def minutes(n: int) -> NDArray[np.int64]:
    """The times of n readings, one a minute."""
    return np.arange(n, dtype=np.int64) * MINUTE_MS


def judged(
    piece: str, value: Array, time_ms: Array | None = None, slot: Array | None = None, rows: Array | None = None,
) -> NDArray[np.float64]:
    """The novelty that *piece* gives to each reading; *rows* go on from what they are."""
    run, dtype = PIECES[piece]
    value = np.asarray(value, float)
    slot = np.zeros(value.size, np.int32) if slot is None else slot
    novelty = np.empty(value.size)
    rows = zero_rows(int(slot.max()) + 1, dtype) if rows is None else rows
    run(rows, slot, minutes(value.size) if time_ms is None else time_ms, value, novelty)
    return novelty


def findings(novelty: Array) -> list[int]:
    """The readings of one series at which the alert stage makes a finding with a score of 50 or more."""
    strength = AlertStage(1).process(np.zeros(novelty.size, np.int32), novelty)
    return [int(i) for i in np.flatnonzero(strength >= 1.4)]


def findings_per_10_000(piece: str, value: Array, time_ms: Array | None = None) -> float:
    """The same as a rate, of *value* (series, readings) at *time_ms* of the same shape."""
    count, n = value.shape
    slot = np.repeat(np.arange(count, dtype=np.int32), n)
    times = np.tile(minutes(n), count) if time_ms is None else np.ascontiguousarray(time_ms.ravel())
    novelty = judged(piece, value.ravel(), times, slot)
    return float((AlertStage(count).process(slot, novelty) >= 1.4).mean() * 1e4)


def bursty(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Counts that are low for 300 readings on average, then high for 60."""
    ends = np.cumsum(rng.exponential(np.tile([300.0, 60.0], n // 100)) + 1.0)
    return rng.poisson(np.where(np.searchsorted(ends, np.arange(n)) % 2, 20.0, 0.3)).astype(float)


CALM: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Student t(3)": lambda rng, n: rng.standard_t(3, n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Poisson(1)": lambda rng, n: rng.poisson(1, n).astype(float),
    "Poisson(0.1)": lambda rng, n: rng.poisson(0.1, n).astype(float),
    "daily wave": lambda rng, n: 5.0 * np.sin(np.arange(n) * np.pi / 720 + 6 * rng.random()) + 0.5 * rng.normal(size=n),
    "autoregressive 0.9": lambda rng, n: lfilter([1.0], [1.0, -0.9], rng.normal(size=n)),
    "autoregressive 0.99": lambda rng, n: lfilter([1.0], [1.0, -0.99], rng.normal(size=n)),
    "quantised": lambda rng, n: np.round(20 + 0.3 * rng.normal(size=n)),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.02, rng.exponential(10, n), 0.0),
    "random walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "bursty counts": bursty,
    "rarely set": lambda rng, n: np.cumsum((rng.random(n) < 0.003) * rng.normal(size=n)),
    "counter": lambda rng, n: np.cumsum(rng.poisson(0.3, n)).astype(float),
    "constant": lambda rng, n: np.full(n, 20.0),
}
"""Series without anomalies."""


def calm(name: str, count: int, n: int) -> NDArray[np.float64]:
    """(count, n) readings of *count* such series."""
    rng = np.random.default_rng(11)
    return np.array([CALM[name](rng, n) for _ in range(count)])
