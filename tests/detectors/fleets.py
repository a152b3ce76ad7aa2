"""Seeded fleets without any fault: what detectors that compare series must be calm about."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.conformance import Points
from offbeat_detectors.contract import Opinions
from offbeat_detectors.scores import AlertStage

MINUTE_MS = 60_000
START_MS = 1_700_000_000_000
KINDS = ("normal", "heavy-tailed", "seasonal", "walk")


def fleet(kind: str, members: int, minutes: int, seed: int) -> NDArray[np.float64]:
    """(minutes, members): a reading a minute of members at different levels and scales."""
    rng = np.random.default_rng(seed)
    level, scale = rng.normal(0.0, 50.0, members), np.exp(rng.normal(0.0, 0.7, members))
    common = np.zeros(minutes)
    if kind == "seasonal":
        common = 10.0 * np.sin(np.arange(minutes) * 2.0 * np.pi / 1440.0)
    elif kind == "walk":
        common = np.cumsum(rng.normal(size=minutes))
    shape = minutes, members
    noise = rng.standard_t(3, size=shape) if kind == "heavy-tailed" else rng.normal(size=shape)
    return np.asarray(level + scale * (common[:, None] + noise))


def fields(count: int, minutes: int, seed: int, *, noise: float = 0.3, heavy: bool = False) -> NDArray[np.float64]:
    """(minutes, count): fields of one source that share a factor."""
    rng = np.random.default_rng(seed)
    draw = (lambda n: rng.standard_t(3, size=n)) if heavy else (lambda n: rng.normal(size=n))
    factor, own = draw((minutes, 1)), draw((minutes, count))
    return np.asarray(20.0 + np.exp(rng.normal(size=count)) * (factor + noise * own))


def points(values: NDArray[np.float64], seed: int, *, together: bool = False) -> Points:
    """The readings in order of time: each at a moment of its own in its minute, or all *together*."""
    minutes, members = values.shape
    jitter = 0 if together else np.random.default_rng(seed).integers(0, MINUTE_MS, values.shape)
    time_ms = (START_MS + MINUTE_MS * np.arange(minutes)[:, None] + np.zeros_like(values, np.int64) + jitter).ravel()
    order = np.argsort(time_ms, kind="stable")
    return Points(np.tile(np.arange(members, dtype=np.int32), minutes)[order], time_ms[order], values.ravel()[order])


def judged(make: Any, some: Points, group: NDArray[np.int32] | None = None) -> Opinions:
    """What a new detector says of the points; all series are one group if none is given."""
    count = int(some.slot.max()) + 1
    detector = make(count)
    detector.join(np.arange(count, dtype=np.int32), np.zeros(count, np.int32) if group is None else group)
    said: Opinions = detector.process(some.slot, some.time_ms, some.value)
    return said


def strengths(some: Points, said: Opinions) -> NDArray[np.float64]:
    return AlertStage(int(some.slot.max()) + 1).process(some.slot, said.novelty)


def minute(some: Points) -> NDArray[np.int64]:
    return np.asarray((some.time_ms - START_MS) // MINUTE_MS)


def rates(make: Any, fleets: list[NDArray[np.float64]], *, together: bool = False) -> tuple[float, float]:
    """Findings in 10,000 readings with a score of at least 50, and of 75, from minute 500 on."""
    found = []
    for seed, values in enumerate(fleets):
        some = points(values, seed, together=together)
        found.append(strengths(some, judged(make, some))[minute(some) >= 500])
    strength = np.concatenate(found)
    return float((strength >= 1.4).mean() * 1e4), float((strength >= 3.0).mean() * 1e4)
