"""What of a measurement is followed as events: its key figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.vibration.impacts import impact_figures
from offbeat_detectors.vibration.kpis import kpis

IMPACTS = ("kurtosis", "envelope_kurtosis")
"""What a damaged bearing shows first, and no figure of KPIDemo does."""
Channels = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Event:
    """What is followed of one measurement: numbers by their names."""

    timestamp: int
    fields: Mapping[str, float]


def of_waveform(channels: Channels, duration_s: float) -> dict[str, float]:
    """The figures of KPIDemo, and IMPACTS; of several channels each has the name of its channel behind it, as rms_x."""
    found = {}
    for name, samples in channels.items():
        impacts = impact_figures(samples, duration_s)
        found[name] = {**kpis(samples, duration_s), **{one: impacts[one] for one in IMPACTS}}
    return _joined(found)


def of_spectrum(channels: Channels) -> dict[str, float]:
    """rms and peak of the magnitudes; of several channels as in ``of_waveform``."""
    with np.errstate(over="ignore"):  # what is too large is left out
        return _joined({
            name: {"rms": math.sqrt(float(np.mean(np.square(magnitudes)))), "peak": float(magnitudes.max())}
            for name, magnitudes in channels.items()
        })


def _joined(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    alone = len(figures) == 1
    named = {
        figure if alone else f"{figure}_{channel}": value
        for channel, found in figures.items() for figure, value in found.items()
    }
    return {name: value for name, value in named.items() if math.isfinite(value)}
