"""A series of measurements as a matrix: a row each, and the scale in which rows are compared with one another.

Waveforms and spectra become levels of bands of frequency, in logarithms: a machine's mode is in where its vibration
lies, not in its phase. Rows of a table are themselves.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbeat_detectors.vibration.kpis import centred
from offbeat_detectors.vibration.measurements import (
    DoesNotFit,
    Floats,
    Series,
    Spectra,
    Table,
    Unsuitable,
    Waveforms,
    channels_of,
)
from offbeat_detectors.vibration.principal import NEGLIGIBLE, multiplied, principal

Kind: TypeAlias = Literal["waveform", "spectrum", "tabular"]

BAND_HZ = 50.0
BANDS_MIN, BANDS_NARROW, BANDS_MAX = 10, 20, 1024
"""With fewer than the first a band is narrower, so that there are as many as the second."""
CELLS_MAX = 1 << 24
"""Numbers of one matrix: 128 MiB. Bands are wider where there would be more."""
FLOOR = 1e-6
"""Of the largest level, −120 dB: what is quieter is no vibration, but rounding, or leakage of a pure tone."""
EXPLAINED, COMPONENTS_MAX = 0.95, 5
COLUMNS_PLAIN_MAX = 8
FAR = 1e9
"""Scales of its own: no number counts for more, so that none overflows."""
POWER_MAX = 1e300


@dataclass(frozen=True, slots=True)
class Layout:
    """What a number of a row is.

    kind     of the measurements
    channels channels, or columns of a table
    bands    of each channel; 1 for a table
    low_hz, band_hz  band b is from low_hz + b · band_hz on, one band_hz wide; 0 for a table
    """

    kind: Kind
    channels: int
    bands: int = 1
    low_hz: float = 0.0
    band_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How rows of a layout become points that can be compared: made of some rows, used for others too.

    floor       added to each level before its logarithm; 0 for a table
    exponent    (c,) int64: each column is first divided by 2^exponent, so that nothing overflows
    centre      (c,) float64, subtracted
    projection  (c, d) float64, multiplied by
    """

    floor: float
    exponent: NDArray[np.int64]
    centre: Floats
    projection: Floats

    def points(self, rows: Floats) -> Floats:
        """Points (m, d) of *rows* (m, c), far ones cut off."""
        if self.floor == 0.0:
            with np.errstate(over="ignore"):
                scaled = np.clip(np.ldexp(rows, -self.exponent), -FAR, FAR)
        else:
            scaled = np.log(rows + self.floor)
        return np.clip(multiplied(scaled - self.centre, self.projection), -FAR, FAR)


def kind_of(series: Series) -> Kind:
    """The kind of measurements that *series* holds."""
    match series:
        case Waveforms():
            return "waveform"
        case Spectra():
            return "spectrum"
        case Table():
            return "tabular"


def rows_of(series: list[Series], fixed: Layout | None = None) -> tuple[Layout, Floats]:
    """The measurements of all *series*, one after the other, as rows (m, c), and what they hold.

    fixed  the layout of an earlier analysis, which these rows are to have; without, one is chosen that all can have

    Of waveforms, each channel without its mean, under Hann's window, to the root of the mean power density of each
    band; of spectra, to the root of the mean square. Each measurement is read once, and let go.
    Source: P. Welch, "The use of fast Fourier transform for the estimation of power spectra", 1967.

    Raises DoesNotFit where channels or ranges of frequency differ, Unsuitable where a measurement cannot be read.
    """
    kinds = {kind_of(one) for one in series}
    if len(kinds) != 1 or (fixed is not None and kinds != {fixed.kind}):
        expected = f"{fixed.kind} measurements" if fixed is not None else "measurements of one kind"
        raise DoesNotFit(f"expected {expected}, not {' and '.join(sorted(kinds))}")
    tables = [one for one in series if isinstance(one, Table)]
    if tables:
        return table_rows(tables, fixed)
    extents = np.concatenate([extents_of(one) for one in series if not isinstance(one, Table)])
    if not len(extents):
        return fixed or Layout("waveform", 1), np.empty((0, 1))
    rows, layout = np.empty((0, 0)), fixed
    for at, (power, low_hz, step_hz) in enumerate(powers(series)):
        if layout is None:
            layout = chosen(kinds.pop(), len(power), extents)
        if not at:
            rows = np.empty((len(extents), layout.channels * layout.bands))
            enough(layout, extents)
        if len(power) != layout.channels:
            raise DoesNotFit(f"measurement {at}: expected {layout.channels} channels, not {len(power)}")
        rows[at] = levels(power, low_hz, step_hz, layout)
    assert layout is not None
    return layout, rows


def table_rows(tables: list[Table], fixed: Layout | None) -> tuple[Layout, Floats]:
    """The rows of all *tables*, one after the other."""
    columns = {np.asarray(one.values).shape[1] for one in tables}
    layout = fixed or Layout("tabular", min(columns))
    if columns != {layout.channels}:
        raise DoesNotFit(f"expected {layout.channels} columns, not {' and '.join(map(str, sorted(columns)))}")
    rows = np.concatenate([np.asarray(one.values, np.float64) for one in tables])
    if rows.size > CELLS_MAX:
        raise Unsuitable(f"expected at most {CELLS_MAX} numbers, not {rows.size}: narrow the window")
    if not np.isfinite(rows).all():
        raise Unsuitable("expected finite numbers in every column, found NaN or an infinity")
    return layout, rows


def extents_of(series: Waveforms | Spectra) -> Floats:
    """Lowest and highest frequency and distance of frequencies of each measurement: (m, 3) float64, in Hz."""
    if isinstance(series, Waveforms):
        lengths = series.lengths
        if lengths is None:
            lengths = lengths_of(series.samples)
        durations = np.asarray(series.durations_s, np.float64)
        return np.stack([np.zeros(len(durations)), lengths / (2.0 * durations), 1.0 / durations], axis=1)
    ranges = np.asarray(series.ranges_hz, np.float64)
    lengths = lengths_of(series.magnitudes)
    return np.column_stack([ranges, (ranges[:, 1] - ranges[:, 0]) / np.maximum(1, lengths - 1)])


def lengths_of(measurements: Sequence[ArrayLike]) -> NDArray[np.int64]:
    """Samples or magnitudes in each channel of each of *measurements*, (m,)."""
    return np.array([channels_of(one, f"measurement {at}").shape[1] for at, one in enumerate(measurements)], np.int64)


def chosen(kind: Kind, channels: int, extents: Floats) -> Layout:
    """The layout that all measurements with *extents* (m, 3) can have, with the finest bands that serve."""
    low, high, step = float(extents[:, 0].max()), float(extents[:, 1].min()), float(extents[:, 2].max())
    reach = high - low
    if not (reach > 0.0 and math.isfinite(reach) and math.isfinite(step)):
        raise DoesNotFit(f"expected measurements that share a range of frequency, not from {low:g} to {high:g} Hz")
    bands_max = min(BANDS_MAX, CELLS_MAX // (len(extents) * channels))
    if not bands_max:
        raise Unsuitable(f"expected at most {CELLS_MAX} channels of measurements: narrow the window")
    wanted = BAND_HZ if reach >= BANDS_MIN * BAND_HZ else reach / BANDS_NARROW
    band = max(wanted, step, reach / bands_max)
    # What is left above the last whole band is one if it is not much less: the mean of a few bins is mostly noise.
    bands = math.floor(reach / band + (0.5 if step <= band / 2 else 1e-9))
    return Layout(kind, channels, max(1, min(bands, bands_max)), low, band)


def enough(layout: Layout, extents: Floats) -> None:
    """Raise DoesNotFit if a measurement with one of *extents* (m, 3) has no number for some band of *layout*."""
    low, high = layout.low_hz, layout.low_hz + layout.bands * layout.band_hz
    slack = 0.5 * layout.band_hz
    short = (extents[:, 0] > low + slack) | (extents[:, 1] < high - slack - extents[:, 2]) \
        | (extents[:, 2] > max(layout.band_hz, high - low) * (1.0 + 1e-9))
    if short.any():
        at = int(short.argmax())
        raise DoesNotFit(
            f"measurement {at}: expected frequencies from {low:g} to {high:g} Hz in steps of at most "
            f"{layout.band_hz:g} Hz, not from {extents[at, 0]:g} to {extents[at, 1]:g} Hz in steps of "
            f"{extents[at, 2]:g} Hz")


def powers(series: list[Series]) -> Iterator[tuple[Floats, float, float]]:
    """Of each measurement, power (channels, bins) by frequency, the frequency of the first bin, and the step, in Hz."""
    window = np.empty(0)
    for one in series:
        if isinstance(one, Waveforms):
            for at, samples in enumerate(one.samples):
                channels = channels_of(samples, f"measurement {at}")
                if channels.shape[1] != window.size:
                    window = hann(channels.shape[1])
                duration = float(one.durations_s[at])
                yield power_density(channels, duration, window), 0.0, 1.0 / duration
        elif isinstance(one, Spectra):
            for at, magnitudes in enumerate(one.magnitudes):
                channels = channels_of(magnitudes, f"measurement {at}")
                low, high = (float(hz) for hz in one.ranges_hz[at])
                with np.errstate(over="ignore"):
                    yield np.minimum(channels**2, POWER_MAX), low, (high - low) / max(1, channels.shape[1] - 1)


def hann(n: int) -> Floats:
    """Hann's window of *n* samples, (n,); all ones for fewer than four, of which it would leave nothing."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n) if n >= 4 else np.ones(n)


def power_density(channels: Floats, duration_s: float, window: Floats) -> Floats:
    """Power per Hz of *channels* (c, n) without their means: (c, n div 2 + 1) at multiples of 1 / duration.

    Of half the power: the other half is at negative frequencies.
    """
    from scipy import fft  # 13 MiB that a daemon without vibration does not carry

    rate = channels.shape[1] / duration_s
    found = np.empty((len(channels), channels.shape[1] // 2 + 1))
    weight = rate * float(np.square(window).sum())
    for at, samples in enumerate(channels):
        part = centred(samples)
        bins = fft.rfft(part.y * window)
        with np.errstate(over="ignore", under="ignore"):
            density = np.ldexp((bins.real**2 + bins.imag**2) / weight, 2 * part.exponent)
        found[at] = np.minimum(density, POWER_MAX)
    return found


def levels(power: Floats, low_hz: float, step_hz: float, layout: Layout) -> Floats:
    """Root of the mean *power* (channels, bins) of each band, (channels · bands,), the first channel first."""
    frequency = low_hz + step_hz * np.arange(power.shape[1])
    # The last bit of a frequency on the border between two bands does not decide between them.
    band = np.floor((frequency - layout.low_hz) / layout.band_hz + 1e-9).astype(np.int64)
    inside = (band >= 0) & (band < layout.bands)
    band, power = band[inside], power[:, inside]
    count = np.maximum(1, np.bincount(band, minlength=layout.bands))
    sums = [np.bincount(band, channel, layout.bands) for channel in power]
    found: Floats = np.sqrt(np.concatenate(sums) / np.tile(count, len(power)))
    return found


def scale_of(layout: Layout, rows: Floats) -> Scale:
    """The scale in which *rows* (m, c), at least one, are compared.

    Levels: logarithms, whose total variance is 1, on the principal components that hold 95 % of it, at most 5. A
    table: columns of variance 1, those that do not move 0; on principal components only if there are more than 8.
    Source: H. Hotelling, "Analysis of a complex of statistical variables into principal components", 1933.
    """
    columns = rows.shape[1]
    exponent = np.zeros(columns, np.int64)
    if layout.kind == "tabular":
        floor = 0.0
        exponent = np.frexp(np.abs(rows).max(axis=0))[1].astype(np.int64)
        rows = np.ldexp(rows, -exponent)
    else:
        floor = FLOOR * float(rows.max()) or 1.0
        rows = np.log(rows + floor)
    centre = rows.mean(axis=0)
    centre[np.ptp(rows, axis=0) == 0.0] = rows[0, np.ptp(rows, axis=0) == 0.0]
    rows = rows - centre
    spread = np.sqrt(np.square(rows).mean(axis=0))
    if layout.kind == "tabular":
        weight = np.where(spread > NEGLIGIBLE, 1.0 / np.maximum(spread, NEGLIGIBLE), 0.0)
        if columns <= COLUMNS_PLAIN_MAX:
            return Scale(floor, exponent, centre, np.diag(weight))
    else:
        total = math.sqrt(float(np.square(spread).sum()))
        weight = np.full(columns, 1.0 / total if total > NEGLIGIBLE else 0.0)
    return Scale(floor, exponent, centre, weight[:, np.newaxis] * principal(rows * weight, EXPLAINED, COMPONENTS_MAX))
