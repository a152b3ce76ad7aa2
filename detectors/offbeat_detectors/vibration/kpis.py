"""Key figures of one waveform, by which measurements of a machine are compared. Definitions: docs/vibration.md."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbeat_detectors.vibration.measurements import Floats, Unsuitable, channels_of

KPI_NAMES = ("rms", "peak", "peak2peak", "variance", "crest_factor", "utilization", "dc_component")
RMS_NAMES = ("rms", "rms_dc", "dc", "utilization")
UTILIZATION_THRESHOLD = 0.1


class Centred(NamedTuple):
    """Samples without their mean, scaled by a power of two so that no square overflows or vanishes.

    y         (n,) float64: (sample − mean) / 2^exponent, at most 2 in size
    mean      of the samples
    exponent  so that a figure in the unit of the samples is ldexp(figure of y, exponent)
    """

    y: Floats
    mean: float
    exponent: int

    def in_unit(self, figure: float) -> float:
        """A *figure* of y in the unit of the samples; NaN beyond the range of doubles."""
        try:
            return math.ldexp(figure, self.exponent)
        except OverflowError:
            return math.nan


def kpis(
    samples: ArrayLike, duration_s: float, utilization_threshold: float = UTILIZATION_THRESHOLD,
) -> dict[str, float]:
    """The figures named in KPI_NAMES, in that order, of *samples* (n,) over *duration_s*; finite, or NaN if too large.

    Peaks, rms and crest factor are of the samples without their mean. ``peak`` is the largest, with its sign, not the
    largest in size; ``crest_factor`` is of the largest in size, and 0 where nothing moves. ``utilization`` is 1 if the
    rms is above *utilization_threshold*: the machine ran. No figure depends on the duration; it is checked.

    Raises Unsuitable for no samples, samples that are not finite, or a duration that is not above 0.
    """
    if not (duration_s > 0.0 and math.isfinite(duration_s)):
        raise Unsuitable(f"expected a duration above 0 s, not {duration_s!r}")
    if not math.isfinite(utilization_threshold):
        raise Unsuitable(f"utilization_threshold: expected a finite number, not {utilization_threshold!r}")
    part = centred(one_channel(samples))
    high, low = float(part.y.max()), float(part.y.min())
    spread = mean_square(part.y)
    root = math.sqrt(spread)
    rms = part.in_unit(root)
    variance = rms * rms
    return {
        "rms": rms,
        "peak": part.in_unit(high),
        "peak2peak": part.in_unit(high - low),
        "variance": variance if math.isfinite(variance) else math.nan,
        "crest_factor": max(high, -low) / root if root > 0.0 else 0.0,
        "utilization": float(rms > utilization_threshold),
        "dc_component": part.mean,
    }


def rms_figures(samples: ArrayLike, utilization_threshold: float = UTILIZATION_THRESHOLD) -> dict[str, float]:
    """The figures named in RMS_NAMES of *samples* (n,): rms without the mean, rms with it, the mean, utilization."""
    part = centred(one_channel(samples))
    spread = mean_square(part.y)
    rms = part.in_unit(math.sqrt(spread))
    mean = math.ldexp(part.mean, -part.exponent)
    return {
        "rms": rms,
        "rms_dc": part.in_unit(math.sqrt(spread + mean * mean)),
        "dc": part.mean,
        "utilization": float(rms > utilization_threshold),
    }


def one_channel(samples: ArrayLike) -> Floats:
    """*samples* as (n,) float64, not empty, finite."""
    array = np.asarray(samples, np.float64)
    if array.ndim != 1:
        raise Unsuitable(f"expected the samples of one channel, not an array of shape {array.shape}")
    only: Floats = channels_of(array)[0]
    return only


def centred(x: Floats) -> Centred:
    """*x* (n,), not empty and finite, without its mean."""
    high, low = float(x.max()), float(x.min())
    size = max(abs(high), abs(low))
    exponent = math.frexp(size)[1] if size > 0.0 else 0
    if high == low:  # the mean of equal numbers rounds: what is constant would move by the last bit
        return Centred(np.zeros(x.size), high, exponent)
    scaled: NDArray[np.float64] = np.ldexp(x, -exponent)
    mean = float(scaled.mean())
    scaled -= mean
    return Centred(scaled, math.ldexp(mean, exponent), exponent)


def mean_square(y: Floats) -> float:
    """Mean of the squares of *y* (n,), added pairwise: the same bits whatever the number of threads."""
    return float(np.square(y).mean())
