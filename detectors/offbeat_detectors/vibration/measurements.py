"""What may be analysed: series of waveforms, of spectra, or rows of a table; and what is refused, in words.

A series checks itself when it is made, as far as that costs nothing: samples are looked at when they are read, one
measurement at a time, so a sequence that reads them from a disk as it is indexed never holds them all.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

CHANNELS_MAX = 64
MEASUREMENTS_MAX = 100_000
"""Rows of one analysis: at 64 columns they are 50 MB, and a minute or two."""


class Unsuitable(ValueError):
    """What was given cannot be analysed; the text says what was expected."""


class TooFew(Unsuitable):
    """Fewer measurements than the analysis needs."""


class WrongParameter(Unsuitable):
    """A parameter of the analysis has no meaning, or is out of its range."""


class DoesNotFit(Unsuitable):
    """These measurements and this model, or these members of a population, are of different kinds."""


@dataclass(frozen=True, slots=True)
class Waveforms:
    """Samples over time.

    samples      m measurements, each (n,) or, of several channels, (channels, n) float64; read one at a time, each once
    durations_s  (m,) float64, above 0: the sampling rate is n / duration
    timestamps   (m,) int64, ascending, of any unit
    lengths      (m,) int64, each n, where they are known: then no measurement is read for its length alone
    """

    samples: Sequence[ArrayLike]
    durations_s: Floats
    timestamps: NDArray[np.int64]
    lengths: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        checked_times(self.timestamps, len(self.samples))
        durations = np.asarray(self.durations_s, np.float64)
        if durations.shape != (len(self.samples),) or not (np.isfinite(durations) & (durations > 0.0)).all():
            raise Unsuitable(f"expected {len(self.samples)} durations above 0 s, one a measurement")


@dataclass(frozen=True, slots=True)
class Spectra:
    """Magnitudes over frequency.

    magnitudes  m measurements, each (n,) or, of several channels, (channels, n) float64
    ranges_hz   (m, 2) float64: frequencies of the first and the last magnitude; those between are spread evenly
    timestamps  (m,) int64, ascending, of any unit
    """

    magnitudes: Sequence[ArrayLike]
    ranges_hz: Floats
    timestamps: NDArray[np.int64]

    def __post_init__(self) -> None:
        checked_times(self.timestamps, len(self.magnitudes))
        ranges = np.asarray(self.ranges_hz, np.float64)
        if ranges.shape != (len(self.magnitudes), 2) or not np.isfinite(ranges).all() \
                or not (ranges[:, 0] < ranges[:, 1]).all() or not (ranges[:, 0] >= 0.0).all():
            raise Unsuitable(f"expected {len(self.magnitudes)} ranges of frequency, one a measurement, from 0 Hz or "
                             "above to a higher frequency")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers.

    values      (m, columns) float64, finite
    timestamps  (m,) int64, ascending, of any unit
    """

    values: Floats
    timestamps: NDArray[np.int64]

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or values.shape[1] == 0:
            raise Unsuitable(f"expected rows of one number a column, not an array of shape {values.shape}")
        checked_times(self.timestamps, len(values))


Series: TypeAlias = Waveforms | Spectra | Table


def channels_of(measurement: ArrayLike, at: str = "a measurement") -> Floats:
    """*measurement* as (channels, n) float64: not empty, all finite. Not copied if it is that already."""
    array = np.asarray(measurement, np.float64)
    array = array[np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or array.size == 0:
        raise Unsuitable(f"{at}: expected samples, or channels of samples, not an array of shape {array.shape}")
    if len(array) > CHANNELS_MAX:
        raise Unsuitable(f"{at}: expected at most {CHANNELS_MAX} channels, not {len(array)}")
    if not np.isfinite(array).all():
        raise Unsuitable(f"{at}: expected finite numbers, found NaN or an infinity")
    return array


def checked_times(timestamps: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """*timestamps* if they are *count* ascending integers; equal ones may follow one another."""
    times = np.asarray(timestamps)
    if times.shape != (count,) or (count and times.dtype.kind not in "iu"):
        raise Unsuitable(f"expected {count} integer timestamps, one a measurement, not {times.dtype} {times.shape}")
    if count > MEASUREMENTS_MAX:
        raise Unsuitable(f"expected at most {MEASUREMENTS_MAX} measurements, not {count}: narrow the window")
    if (times[1:] < times[:-1]).any():
        raise Unsuitable("expected timestamps in ascending order")
    return times.astype(np.int64)


def number(parameters: Mapping[str, object], name: str, default: float, low: float, high: float) -> float:
    """Parameter *name* as a number from *low* to *high*; *default* if it is missing or None."""
    value = parameters.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating) \
            or not low <= float(value) <= high:
        raise WrongParameter(f"{name}: expected a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def whole(parameters: Mapping[str, object], name: str, default: int, low: int, high: int) -> int:
    """Parameter *name* as a whole number from *low* to *high*; *default* if it is missing or None."""
    value = number(parameters, name, default, low, high)
    if value != int(value):
        raise WrongParameter(f"{name}: expected a whole number, not {value!r}")
    return int(value)
