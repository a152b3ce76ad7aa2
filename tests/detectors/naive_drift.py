"""Slow drift once more, slow and obvious, one series at a time."""
from __future__ import annotations

from tests.detectors.naive_extremes import Largest, f32, novelty_of_share, shape_of, surprise_beyond, towards


class Drift:
    def __init__(self) -> None:
        self.block: list[float] = []
        self.level = self.said = self.step = self.fast = self.slow = 0.0
        self.blocks = 0
        self.peaks = Largest()
        self.peak = self.median = 0.0

    def judge(self, x: float) -> float:
        self.block.append(x / 16)
        if len(self.block) == 16:
            level = min(1e300, max(-1e300, sum(self.block)))
            self.block = []
            self.blocks += 1
            if self.blocks > 1:
                self.follow(level - self.level)
            self.level = level
            if self.blocks > 64 and self.step:
                self.judge_block()
        return self.said

    def follow(self, move: float) -> None:
        """The level's distance from its short and its long mean, after it has moved."""
        if move:
            self.step = self.step or abs(move)
            if abs(move) <= 6.0 * self.step:
                self.fast += move
                self.slow += move
            self.step += max(1 / 256, 1 / self.blocks) * (min(abs(move), 4.0 * self.step) - self.step)
        self.fast -= max(1 / 12, 1 / self.blocks) * self.fast
        self.slow -= max(1 / 128, 1 / self.blocks) * self.slow

    def judge_block(self) -> None:
        known = min(60.0, float((self.blocks - 65) // 32))
        far = min(1e30, abs(self.slow - self.fast) / self.step)
        usual = self.peaks.second
        gate = max(5.0, usual)
        if self.said:
            if far <= 0.5 * gate:
                self.said = 0.0
            elif self.blocks % 512 == 0:
                self.slow, self.said = self.fast, 0.0
            elif self.blocks % 4 == 0:
                self.said = f32(0.3)
        elif far > gate and known >= 6.0:
            shape = shape_of(usual, self.median, known, 0.5, 2.0)
            novelty = novelty_of_share(surprise_beyond(far / max(1.0, usual), shape, known) + 1.0)
            self.said = f32(min(5.0, novelty)) if novelty >= 1.4 else 0.0
        self.peak = max(self.peak, f32(far))
        if self.blocks % 32 == 0 and not self.said:
            self.peaks.fade(0.5 ** (1 / 60))
            self.peaks.learn(self.peak)
            self.median = towards(self.median if known else self.peak, self.peak, max(0.05, 1.0 / (known + 3.0)))
            self.peak = 0.0
