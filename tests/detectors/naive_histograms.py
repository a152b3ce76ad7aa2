"""Histograms and sums, slow and obvious: every sample stands in a list, every number is a fraction."""
from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction


def samples_of(histogram: Mapping[str, int]) -> list[Fraction]:
    """The samples, sorted."""
    return sorted(Fraction(name) for name, count in histogram.items() for _ in range(count))


def percentile(p: int, samples: list[Fraction]) -> Fraction:
    """As section 14.3 of the archive's protocol says it, x being counted from 1."""
    n = Fraction(p, 100) * (len(samples) + 1)
    k = int(n)
    if k == 0:
        return samples[0]
    if k >= len(samples):
        return samples[-1]
    return samples[k - 1] + (n - k) * (samples[k] - samples[k - 1])


def statistics(histogram: Mapping[str, int]) -> dict[str, float | list[float]]:
    """The ten figures."""
    samples = samples_of(histogram)
    if not samples:
        return {}
    mean = sum(samples, Fraction(0)) / len(samples)
    variance = sum(((x - mean) ** 2 for x in samples), Fraction(0)) / len(samples)
    most = max(samples.count(x) for x in samples)
    return {
        "minimum": float(samples[0]), "maximum": float(samples[-1]), "mean": float(mean),
        "mode": [float(x) for x in sorted(set(samples)) if samples.count(x) == most],
        "median": float(percentile(50, samples)),
        "percentile-25": float(percentile(25, samples)), "percentile-75": float(percentile(75, samples)),
        "percentile-95": float(percentile(95, samples)),
        "variance": float(variance), "standard-deviation": float(variance) ** 0.5,
    }


def merged(histograms: list[Mapping[str, int]]) -> dict[str, int]:
    """All buckets that stand in any, with what all have in them."""
    names = sorted({name for one in histograms for name in one})
    return {name: sum(one.get(name, 0) for one in histograms) for name in names}
