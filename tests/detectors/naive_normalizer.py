"""Probabilities to scores once more, slow and obvious: every raw score is kept."""
from __future__ import annotations

import math
from itertools import pairwise

CUTOFF, FLOOR = 0.05, 2.22507e-308
LEAST, MOST = -math.log10(CUTOFF), -math.log10(FLOOR)
KNOTS = [(0.0, 0.0), (0.8, 2.0), (0.95, 8.0), (0.99, 25.0), (0.999, 75.0), (0.9999, 95.0), (1.0, 100.0)]
BINS = 128


def raw_score(p: float) -> float:
    if math.isnan(p):
        return math.nan
    return 0.0 if p > CUTOFF else -math.log10(max(p, FLOOR))


def bin_of(raw: float) -> int:
    return min(BINS - 1, max(0, int(BINS * math.log(raw / LEAST) / math.log(MOST / LEAST))))


def edge(i: int) -> float:
    return LEAST * (MOST / LEAST) ** (i / BINS)


class Level:
    def __init__(self) -> None:
        self.raw: list[float] = []
        self.buckets = 0

    def learn(self, raws: list[float]) -> None:
        self.raw += [raw for raw in raws if not math.isnan(raw)]
        self.buckets += 1

    def share_below(self, raw: float) -> float:
        largest = max(self.raw, default=0.0)
        if not self.raw or raw > largest:
            return 1.0
        ties = sum(each == largest for each in self.raw)
        if raw == largest:
            return 1.0 - max(0.0, (ties - 1) / len(self.raw) - 0.01) / 2.0
        mine = bin_of(raw)
        odd = [each for each in self.raw if each >= LEAST]
        below = len(self.raw) - len(odd) + sum(bin_of(each) < mine for each in odd)
        inside = sum(bin_of(each) == mine and each < largest for each in odd)
        end = largest if bin_of(largest) == mine else edge(mine + 1)
        part = min(1.0, max(0.0, (raw - edge(mine)) / (end - edge(mine))))
        return (below + inside * part) / len(self.raw)

    def score(self, p: float) -> float:
        raw = raw_score(p)
        if math.isnan(raw):
            return math.nan
        if raw == 0.0:
            return 0.0
        share = self.share_below(raw)
        by_share = 100.0
        for (x0, y0), (x1, y1) in pairwise(KNOTS):
            if x0 <= share < x1:
                by_share = y0 + (y1 - y0) * (share - x0) / (x1 - x0)
        by_size = 100.0 * raw / max([raw, *self.raw])
        return min(1.0, self.buckets / 20.0) * min(1.0, (raw - LEAST) / (3.0 - LEAST)) * min(by_share, by_size)
