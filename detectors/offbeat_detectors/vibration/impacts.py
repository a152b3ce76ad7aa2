"""What a damaged bearing shows first: short impacts, again and again, long before the rms grows."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbeat_detectors.vibration.kpis import centred, mean_square, one_channel
from offbeat_detectors.vibration.measurements import Floats, TooFew, Unsuitable

IMPACT_NAMES = (
    "kurtosis", "skewness", "shape_factor", "impulse_factor", "clearance_factor", "envelope_rms", "envelope_kurtosis")
LEVELS = 6
BINS_MIN = 32
"""Of a band: the kurtosis of fewer is chance."""
SAMPLES_MIN = 4 * BINS_MIN
CHANCE = 8.0
"""Divided by the root of a band's bins: four times the spread of the kurtosis of noise. Narrow bands stray more."""
POWER_MIN = 1e-10
"""Of all power: a band with less holds rounding, or what a converter makes of silence."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """How strongly one band of frequency vibrates, over time.

    low_hz, high_hz  the band
    kurtosis         of the band: 0 for noise, −1 for a steady tone, large for impacts
    values           (k,) float64: amplitude over time, in the unit of the samples, evenly over the duration
    frequency_hz     (j,) float64: multiples of 1 / duration, up to the width of the band
    line             (j,) float64: amplitude at which the square of ``values`` varies with that frequency; 0 at 0 Hz
    impact_hz        the frequency of the strongest line: how often something strikes, if something does
    """

    low_hz: float
    high_hz: float
    kurtosis: float
    values: Floats
    frequency_hz: Floats
    line: Floats
    impact_hz: float


def impact_figures(samples: ArrayLike, duration_s: float) -> dict[str, float]:
    """The figures named in IMPACT_NAMES, in that order, of *samples* (n,): finite, or NaN where there is no answer.

    kurtosis is 3 for a normal law and 1.5 for a sine. The factors compare the largest deviation from the mean, and the
    rms, with the mean deviation (impulse, shape) and with the squared mean of its roots (clearance). Of what does not
    move, all but the envelope's rms, which is 0, are NaN. The envelope is that of the band with the most impacts, NaN
    for fewer than 128 samples.

    Source: R. Randall, J. Antoni, "Rolling element bearing diagnostics: a tutorial", 2011.
    """
    part = centred(one_channel(samples))
    y = part.y
    square = np.square(y)
    power = float(square.mean())
    size = np.abs(y)
    if power > 0.0:
        root, mean = math.sqrt(power), float(size.mean())
        found = [float(np.square(square).mean()) / power**2, float((square * y).mean()) / (power * root), root / mean,
                 float(size.max()) / mean, float(size.max()) / float(np.sqrt(size).mean()) ** 2]
    else:
        found = [math.nan] * 5
    if y.size < SAMPLES_MIN:
        found += [math.nan, math.nan]
    elif power > 0.0:
        band = envelope(samples, duration_s)
        found += [part.in_unit(math.sqrt(mean_square(np.ldexp(band.values, -part.exponent)))), band.kurtosis]
    else:
        found += [0.0, math.nan]
    return dict(zip(IMPACT_NAMES, found, strict=True))


def envelope(samples: ArrayLike, duration_s: float, band_hz: tuple[float, float] | None = None) -> Envelope:
    """The envelope of *samples* (n,), at least 128, in *band_hz*, or in the band that shows impacts most clearly.

    That is the one whose kurtosis is furthest above what chance gives, among all frequencies, halves, quarters … down
    to a 64th. Bands are cut out of the spectrum, so their edges are sharp.
    Sources: J. Antoni, "Fast computation of the kurtogram for the detection of transient faults", 2007, with sharp
    filters, and what chance gives subtracted; J. Antoni, "Cyclic spectral analysis of rolling-element bearing signals:
    facts and fictions", 2007.

    Raises TooFew, or Unsuitable for a band that holds fewer than 32 multiples of 1 / duration.
    """
    from scipy import fft  # 13 MiB that a daemon without vibration does not carry

    if not (duration_s > 0.0 and math.isfinite(duration_s)):
        raise Unsuitable(f"expected a duration above 0 s, not {duration_s!r}")
    x = one_channel(samples)
    if x.size < SAMPLES_MIN:
        raise TooFew(f"expected at least {SAMPLES_MIN} samples, not {x.size}")
    part = centred(x)
    bins = fft.rfft(part.y)
    bins[0] = 0.0
    low, high = (clearest(bins) if band_hz is None else
                 (max(1, math.ceil(band_hz[0] * duration_s)), min(len(bins), math.floor(band_hz[1] * duration_s) + 1)))
    if high - low < BINS_MIN:
        raise Unsuitable(f"expected a band of at least {BINS_MIN / duration_s:g} Hz, from above 0 to "
                         f"{x.size / duration_s / 2:g} Hz, not {band_hz}")
    # Twice as many points as bins: the square of the envelope varies up to the width of the band.
    points = fft.next_fast_len(2 * (high - low))
    amplitude = np.abs(fft.ifft(bins[low:high], points)) * (2.0 * points / x.size)
    squared = np.square(amplitude)
    squared -= squared.mean()
    line = np.abs(fft.rfft(squared))[:high - low] * (2.0 / points)
    line[0] = 0.0
    with np.errstate(over="ignore"):
        values, line_in_unit = np.ldexp(amplitude, part.exponent), np.ldexp(line, 2 * part.exponent)
    frequency = np.arange(high - low) / duration_s
    return Envelope(low / duration_s, (high - 1) / duration_s, kurtosis_of(amplitude), values, frequency, line_in_unit,
                    float(frequency[int(line.argmax())]))


def clearest(bins: NDArray[np.complex128]) -> tuple[int, int]:
    """First bin, and the one after the last, of the band in which *bins* of a spectrum show impacts most clearly."""
    from scipy import fft  # see envelope

    power = np.cumsum(bins.real**2 + bins.imag**2)
    best, found = -math.inf, (1, len(bins))
    for level in range(LEVELS + 1):
        edges = np.linspace(1, len(bins), (1 << level) + 1).astype(np.int64)
        if np.diff(edges).min() < BINS_MIN:
            break
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if power[high - 1] - power[low - 1] < POWER_MIN * power[-1]:
                continue
            kurtosis = kurtosis_of(np.abs(fft.ifft(bins[low:high], fft.next_fast_len(high - low))))
            clear = kurtosis - CHANCE / math.sqrt(high - low)
            if clear > best:
                best, found = clear, (low, high)
    return found


def kurtosis_of(amplitude: Floats) -> float:
    """Kurtosis of a band by its *amplitude* (k,) over time: 0 for noise; −1 for a steady tone, and for nothing."""
    square = np.square(amplitude)
    power = float(square.mean())
    return float(np.square(square / power).mean()) - 2.0 if power > 0.0 else -1.0
