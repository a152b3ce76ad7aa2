"""Histograms of named buckets: added up, taken out again, described. A bucket of count c stands for c samples."""
from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Histogram = Mapping[str, int]
"""The samples in each bucket, by its name. Names count by their spelling: "41.10" and "41.1" are two buckets."""
NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")
NAME_CHARACTERS_MAX = 64
LARGEST = 10**150
"""A bucket of a larger size is none that can be described: its square is no float any more."""
PLACES_MAX = 400
PERCENTILES = (25, 75, 95)


@dataclass(frozen=True, slots=True)
class Merged:
    """Several histograms added up, bucket by bucket, so that one of them can be taken out again.

    buckets  for each name the samples in it, and in how many histograms it stands
    """

    buckets: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, histograms: Iterable[Histogram]) -> Merged:
        """*histograms* added up."""
        return cls({}).changed(histograms, ())

    def changed(self, added: Iterable[Histogram], removed: Iterable[Histogram]) -> Merged:
        """With those *added* and without those *removed*, which must be among them."""
        buckets = dict(self.buckets)
        for histograms, sign in ((added, 1), (removed, -1)):
            for histogram in histograms:
                for name, samples in histogram.items():
                    before, times = buckets.get(name, (0, 0))
                    buckets[name] = before + sign * samples, times + sign
        return Merged({name: (samples, times) for name, (samples, times) in buckets.items() if times})

    @property
    def histogram(self) -> Histogram:
        """The sum, in the order of the names."""
        return {name: self.buckets[name][0] for name in sorted(self.buckets)}


def statistics(histogram: Histogram) -> dict[str, float | list[float]]:
    """Ten figures of the samples; none if there are no samples, or if a bucket has a name that is no number.

    Each is the float nearest to the exact figure of the decimal names; standard-deviation is the root of that of the
    variance, which is the population's. Percentile p of x₁ ≤ … ≤ x_N: n = p/100 · (N + 1), k = ⌊n⌋, and
    x_k + (n − k)(x_{k+1} − x_k), x₁ for k = 0, x_N for k ≥ N. Buckets without samples count for nothing.

    Source: esmond measurement archive, section 14.3.
    """
    decimals: list[tuple[int, int, int]] = []
    for name, samples in histogram.items():
        number = _decimal(name)
        if number is None:
            return {}
        if samples > 0:
            decimals.append((*number, samples))
    if not decimals:
        return {}
    places = max(places for _, places, _ in decimals)
    scale = 10**places
    samples_at: dict[int, int] = {}
    for digits, own, samples in decimals:
        value = digits * 10 ** (places - own)
        samples_at[value] = samples_at.get(value, 0) + samples
    values = sorted(samples_at)
    count = sum(samples_at.values())
    total = sum(value * samples for value, samples in samples_at.items())
    squares = sum(value * value * samples for value, samples in samples_at.items())
    variance = (count * squares - total * total) / (count * count * scale * scale)
    highest = max(samples_at.values())
    return {
        "minimum": values[0] / scale,
        "maximum": values[-1] / scale,
        "mean": total / (count * scale),
        "mode": [value / scale for value in values if samples_at[value] == highest],
        "median": _percentile(50, values, samples_at, count) / (100 * scale),
        **{f"percentile-{p}": _percentile(p, values, samples_at, count) / (100 * scale) for p in PERCENTILES},
        "variance": variance,
        "standard-deviation": math.sqrt(variance),
    }


def _percentile(p: int, values: list[int], samples_at: Mapping[int, int], count: int) -> int:
    """A hundred times percentile *p*, exactly."""
    k, hundredths = divmod(p * (count + 1), 100)
    if k == 0:
        return 100 * values[0]
    if k >= count:
        return 100 * values[-1]
    passed = 0
    for i, value in enumerate(values):
        passed += samples_at[value]
        if passed > k:
            return 100 * value
        if passed == k:
            return 100 * value + hundredths * (values[i + 1] - value)
    raise AssertionError("k is less than the count")


def _decimal(name: str) -> tuple[int, int] | None:
    """The number that *name* says, as whole digits and how many of them stand behind the point; None if it is none."""
    found = NUMBER.fullmatch(name.strip()) if len(name) <= NAME_CHARACTERS_MAX else None
    if found is None or not (found[2] or found[3]):
        return None
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits, places = int(f"{sign}{whole}{fraction}"), len(fraction) - exponent
    if places < 0:
        digits, places = digits * 10**-places, 0
    return (digits, places) if places <= PLACES_MAX and abs(digits) <= LARGEST * 10**places else None
