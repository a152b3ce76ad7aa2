"""Machines that vibrate as planted: tones in modes, wear in a bearing. Seeded."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.gateways.mvg.client import FIRST_MS, HOUR_MS, Client

RATE_HZ, SAMPLES = 2_000, 1_000
TONES_HZ = ((60.0, 1.0), (310.0, 2.0), (710.0, 0.5))
"""Of mode 0, 1 and 2: frequency and amplitude."""


def tone(rng: np.random.Generator, mode: int) -> list[float]:
    """Half a second of a machine in that mode."""
    frequency, amplitude = TONES_HZ[mode]
    seconds = np.arange(SAMPLES) / RATE_HZ
    wave = amplitude * np.sin(2 * np.pi * (frequency * seconds + rng.random()))
    return (wave + rng.normal(0.0, 0.05, SAMPLES)).tolist()


def times(count: int) -> list[int]:
    """One an hour."""
    return [FIRST_MS + i * HOUR_MS for i in range(count)]


def send(client: Client, id: str, modes: Sequence[int], seed: int, channels: tuple[str, ...] = ("acc",)) -> list[int]:
    """A source whose measurements are in these *modes*; their timestamps."""
    rng = np.random.default_rng(seed)
    client.create(id, names=channels)
    client.done("POST", f"/sources/{id}/measurements", [
        {"timestamp": time, "duration": SAMPLES / RATE_HZ, "data": {name: tone(rng, mode) for name in channels}}
        for time, mode in zip(times(len(modes)), modes, strict=True)])
    return times(len(modes))


def worn(rng: np.random.Generator, wear: float, samples: int = 2_000, rate_hz: float = 4_000.0) -> list[float]:
    """Half a second of a bearing: noise, a turning shaft and, with *wear*, a strike of its ball 80 times a second."""
    seconds = np.arange(samples) / rate_hz
    since = (seconds * 80.0) % 1.0 / 80.0
    strikes = np.exp(-since * 900.0) * np.sin(2 * np.pi * 1_200.0 * since)
    shaft = 0.5 * np.sin(2 * np.pi * (25.0 * seconds + rng.random()))
    return (shaft + rng.normal(0.0, 0.3, samples) + wear * (strikes - strikes.mean())).tolist()
