"""Pairs of entities once more, slow and obvious: what ``buckets.pairs`` is held against."""
from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from offbeat_detectors.buckets.model import BucketModel

KEEP, COMMON, ENTER, LEAVE = 0.995, 50, 0.9, 0.7


@dataclass
class Two:
    """One pair, the lower number first: its slope, and all that it has come to since it was made."""

    slope: float
    model: BucketModel

    def judge(self, bucket: int, first: float, second: float, learn: bool) -> tuple[float, float, float, float]:
        """Probability of the first, that it is as high, as low; and where it is expected to be off."""
        off = first - self.slope * second
        call = (np.zeros(1, np.int32), np.array([bucket]), np.array([off]))
        said = self.model.process(*call, np.ones(1)) if learn else self.model.judge(*call)
        return (float(said.probability[0]), float(said.probability_high[0]), float(said.probability_low[0]),
                float(said.typical[0]))


@dataclass
class Group:
    """Entities of one group, of which all are compared."""

    span_s: int
    shared: dict[tuple[int, int], list[tuple[float, float]]] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Two] = field(default_factory=dict)

    def correlation(self, a: int, b: int) -> float:
        """Of all buckets that both had, the latest with the most weight."""
        both = self.shared.get((a, b), [])
        if len(both) < COMMON:
            return 0.0
        weight = [KEEP ** (len(both) - 1 - i) for i in range(len(both))]
        xx = sum(w * x * x for w, (x, _) in zip(weight, both, strict=True))
        yy = sum(w * y * y for w, (_, y) in zip(weight, both, strict=True))
        xy = sum(w * x * y for w, (x, y) in zip(weight, both, strict=True))
        self.ratio = math.copysign(math.sqrt(xx / yy), xy) if xx > 0.0 and yy > 0.0 else 0.0
        return xy / math.sqrt(xx * yy) if xx > 0.0 and yy > 0.0 else 0.0

    def judge(self, bucket: int, value: dict[int, float]) -> dict[int, tuple[float, float, float, float]]:
        """Of each entity with a partner that is there: probability, that it is as high, as low; what was expected."""
        found = {}
        for (a, b), two in self.pairs.items():
            if a in value and b in value:
                p, high, low, off = two.judge(bucket, value[a], value[b], False)
                found[a] = p, high, low, two.slope * value[b] + off
                flipped = (high, low) if two.slope < 0.0 else (low, high)
                found[b] = (p, *flipped, (value[a] - off) / two.slope)
        return found

    def learn(self, bucket: int, value: dict[int, float], off: dict[int, float]) -> None:
        """Learn the values of those that are *off* by so much."""
        for (a, b), two in self.pairs.items():
            if a in off and b in off:
                two.judge(bucket, value[a], value[b], True)
        for a in off:
            for b in off:
                if a < b:
                    self.shared.setdefault((a, b), []).append((off[a], off[b]))
        for pair in list(self.pairs):
            if abs(self.correlation(*pair)) < LEAVE:
                del self.pairs[pair]
        strength = {pair: abs(self.correlation(*pair)) for pair in self.shared}
        for a, b in sorted(strength, key=lambda pair: (-strength[pair], pair)):
            taken = {one for pair in self.pairs for one in pair}
            if strength[a, b] >= ENTER and a not in taken and b not in taken:
                self.correlation(a, b)
                self.pairs[a, b] = Two(self.ratio, BucketModel(1, self.span_s, "metric"))
