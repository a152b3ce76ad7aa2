"""Simulated machines whose modes are known: what a test plants, and finds again."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 4096
SHAFT_HZ = (50.0, 120.0, 300.0, 700.0)
LOUDNESS = (1.0, 2.0, 0.5, 3.0)


def waveform(mode: int, seed: int, n: int = RATE_HZ) -> NDArray[np.float64]:
    """One measurement of a machine in *mode*, 0 to 3: its shaft, a harmonic, at any phase, and noise."""
    random = np.random.default_rng([seed, mode])
    angle = 2.0 * np.pi * SHAFT_HZ[mode] * np.arange(n) / RATE_HZ
    tones = np.sin(angle + random.uniform(0, 6)) + 0.5 * np.sin(2.5 * angle + random.uniform(0, 6))
    return LOUDNESS[mode] * tones + 0.3 * random.normal(size=n)


def waveforms(modes: Sequence[int], seed: int = 0) -> list[NDArray[np.float64]]:
    """A measurement of each of *modes*, no two alike."""
    return [waveform(mode, 1000 * seed + at) for at, mode in enumerate(modes)]


def spectra(modes: Sequence[int], seed: int = 0) -> list[NDArray[np.float64]]:
    """Magnitudes of two channels from 10 to 1010 Hz: the first has a resonance whose place is the mode."""
    random = np.random.default_rng(seed)
    hz = np.linspace(10.0, 1010.0, 501)
    found = []
    for mode in modes:
        both = 0.1 * np.abs(random.normal(size=(2, hz.size)))
        both[0] += 5.0 * np.exp(-0.5 * ((hz - 200.0 * (mode + 1)) / 10.0) ** 2)
        found.append(both)
    return found


def table(modes: Sequence[int], seed: int = 0) -> NDArray[np.float64]:
    """Rows of three columns of very different scale, and one that never moves."""
    centres = np.array([[1e6, 1e-3, 5.0], [1.2e6, 1e-3, 9.0], [1e6, 3e-3, 5.0]])[list(modes)]
    rows = centres + np.random.default_rng(seed).normal(size=centres.shape) * [2e4, 1e-4, 0.4]
    return np.column_stack([rows, np.full(len(rows), 7.0)])


IMPACT_HZ, RESONANCE_HZ = 107.0, 6200.0


def bearing(strength: float, seed: int = 5) -> NDArray[np.float64]:
    """A second of a machine at 20 kHz, whose bearing strikes IMPACT_HZ times and rings at RESONANCE_HZ each time."""
    random = np.random.default_rng(seed)
    n = 20_000
    t = np.arange(n) / n
    samples = random.normal(size=n) + np.sin(2.0 * np.pi * 50.0 * t)
    for start in np.arange(0.001, 1.0, 1.0 / IMPACT_HZ):
        after = t[t >= start] - start
        samples[t >= start] += 5.0 * strength * np.exp(-800.0 * after) * np.sin(2.0 * np.pi * RESONANCE_HZ * after)
    return samples


class ReadAsAsked(Sequence[NDArray[np.float64]]):
    """Measurements that exist only while they are looked at; how often each was."""

    def __init__(self, modes: Sequence[int], n: int) -> None:
        self.modes, self.n, self.reads = modes, n, [0] * len(modes)

    def __len__(self) -> int:
        return len(self.modes)

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, at: int) -> NDArray[np.float64]:  # type: ignore[override]
        self.reads[at] += 1
        return waveform(self.modes[at], at, self.n)
