"""Stuck values once more, slow and obvious, one series at a time."""
from __future__ import annotations

from tests.detectors.naive_extremes import Largest, f32, novelty_of_share, surprise_beyond


class Stuck:
    def __init__(self) -> None:
        self.run: list[float] = []
        self.runs = Largest()
        self.known = self.step = 0.0
        self.hour = 0

    def rarity(self, length: int) -> float:
        """The novelty of a run of this length, before anything is made of it."""
        usual = max(8.0, self.runs.second)
        return novelty_of_share(surprise_beyond(length / usual, 1.0, self.known)) if length > usual else 0.0

    def judge(self, time_ms: int, x: float) -> float:
        hour = min(1 << 30, max(-1 << 30, time_ms // 3_600_000))
        if self.run and hour > self.hour and len(self.run) == 1:
            fade = 0.5 ** ((hour - self.hour) / (14 * 24))
            self.runs.fade(fade)
            self.known = f32(self.known * fade)
        self.hour = hour
        moved = abs(x - self.run[0]) if self.run else 0.0
        if moved <= 0.01 * self.step or not self.run:
            self.run.append(x)
            now, earlier = self.rarity(len(self.run)), self.rarity(len(self.run) - 64)
            return 0.3 if earlier >= 3.0 else min(5.0, now) if now >= 3.0 else 0.0
        self.runs.learn(len(self.run))
        self.known = min(1000.0, f32(self.known + 1.0))
        typical = self.step + (min(moved, 4.0 * self.step) - self.step) / 256.0 if self.step else moved
        self.step = f32(min(3e38, typical))
        self.run = [x]
        return 0.0
