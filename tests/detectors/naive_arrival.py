"""The rhythm of arrival once more, slow and obvious, one series at a time."""
from __future__ import annotations

import math

import numpy as np

from tests.detectors.naive_extremes import Largest, f32, novelty_of_share, shape_of, surprise_beyond, towards


def slowly(surprise: float) -> float:
    novelty = novelty_of_share(surprise)
    return novelty if novelty <= 1.4 else min(5.0, 1.4 + 1.2 * math.log2((surprise - 1.5) / 3.5))


class Arrival:
    def __init__(self) -> None:
        self.last: int | None = None
        self.behind = 0
        self.block: list[float] = []
        self.gaps, self.paces = Largest(), Largest()
        self.median = self.known = self.pace = self.blocks = 0.0

    def rarity(self, gap: float) -> float:
        usual = max(self.gaps.second, 3.0 * self.median)
        shape = min(1.0, 0.6 * shape_of(usual, self.median, self.known, 0.2, 1 / 0.6))
        return slowly(surprise_beyond(gap / usual, shape, self.known)) if gap > usual else 0.0

    def overdue(self, now_ms: int) -> tuple[float, float]:
        if self.last is None or self.known < 32.0:
            return math.nan, math.nan
        return self.rarity(float(now_ms - self.last)), self.last + max(self.gaps.second, self.median)

    def judge(self, time_ms: int) -> float:
        if self.last is None or (self.behind == 999 and time_ms <= self.last):
            self.last, self.behind = time_ms, 0
            return 0.0
        if time_ms <= self.last:
            self.behind += 1
            self.block += [0.0] * (time_ms == self.last)
            return 0.0
        gap, self.last, self.behind = float(time_ms - self.last), time_ms, 0
        if self.known == 0.0:
            self.median = f32(gap)
        novelty = self.rarity(gap) if self.known >= 32.0 else 0.0
        rate = max(0.02, 2.0 / (self.known + 3.0))
        self.block.append(min(gap, 3.0 * self.median))
        if len(self.block) >= 16:
            novelty = max(novelty, self.judge_block(float(np.sum(np.array(self.block, np.float32)))))
        self.median = towards(self.median, gap, rate)
        self.gaps.learn(gap)
        self.known = min(1000.0, f32(self.known + 1.0))
        return novelty

    def judge_block(self, elapsed: float) -> float:
        mean, self.block = elapsed / len(self.block), []
        fade = max(0.98, 0.5 ** (elapsed / (14 * 86_400_000.0)))
        self.pace = self.pace or f32(mean)
        far, usual = abs(math.log(mean / self.pace)), max(self.paces.second, 0.35)
        judged = self.blocks >= 8.0 and far > usual
        novelty = min(2.4, slowly(surprise_beyond(far / usual, 1.0, self.blocks) + 0.4)) if judged else 0.0
        self.pace = towards(self.pace, mean, max(0.05, 1.0 / (self.blocks + 3.0)))
        for largest in (self.gaps, self.paces):
            largest.fade(fade)
        self.paces.learn(far)
        self.known = f32(self.known * fade)
        self.blocks = min(1000.0, f32(self.blocks * fade + 1.0))
        return novelty
