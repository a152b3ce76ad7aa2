"""Off its usual course once more, slow and obvious, one series at a time."""
from __future__ import annotations

from offbeat_detectors import outside
from tests.detectors.naive_experts import Experts
from tests.detectors.naive_extremes import Largest, f32, novelty_of_share, shape_of, surprise_beyond, towards


class Excursions:
    """How far away a series is, by one measure, against the farthest of past epochs."""

    def __init__(self, least: float, echo: float, shapes: tuple[float, float]) -> None:
        self.least, self.echo, self.shapes = least, echo, shapes
        self.peaks = Largest()
        self.peak = self.median = 0.0
        self.known = self.lasts = 0

    def judge(self, far: float, ends: bool) -> float:
        second = max(self.peaks.second, self.least)
        gate = max(second, self.echo * self.peaks.two[0])
        if self.lasts:
            self.lasts = 0 if far <= gate / 2 else self.lasts + 1
        elif far > gate and self.known >= 3:
            shape = shape_of(second, max(self.median, self.least / 2), self.known, *self.shapes)
            surprise = surprise_beyond(far / gate, shape, self.known) + outside.LOG10_EPOCH
            self.lasts = int(novelty_of_share(surprise) >= outside.SAID)
        self.peak = max(self.peak, f32(far))
        if ends and not self.lasts and far <= max(self.peak, self.least) / 2:
            self.learn()
        return 0.0 if not self.lasts else outside.SAID if self.lasts <= 64 else outside.LASTING

    def learn(self) -> None:
        self.peaks.fade(0.5 ** (1 / 120))
        if self.peak > self.echo * self.peaks.two[0]:
            self.peaks.learn(self.peak)
        self.median = towards(self.median if self.known else self.peak, self.peak, max(0.05, 1.0 / (self.known + 3.0)))
        self.known = min(120, self.known + 1)
        self.peak = 0.0


class Outside:
    def __init__(self) -> None:
        self.away = Excursions(outside.AWAY_MIN, outside.ECHO, (0.7, 2.0))
        self.wide = Excursions(outside.WIDE_MIN, 0.0, (1.0, 1.0))
        self.level = self.usual = 0.0
        self.count = 0

    def judge(self, experts: Experts) -> float:
        """Of the reading that these experts have just learned."""
        self.count += 1
        ends = self.count % 256 == 0
        seen = len(experts.readings)
        away = wide = 0.0
        day = experts.tables["day"]
        if day.passes >= 2 and experts.grain:
            left = min(1e30, max(-1e30, (day.level - experts.anchor) / experts.grain))
            self.level = f32(self.level + (left - self.level) / 96)
            away = self.away.judge(abs(self.level), ends)
        distance = min(1e30, experts.scale) if seen >= 5 else 0.0
        self.usual = self.usual or f32(distance)
        self.usual = f32(self.usual + max(1 / 2048, 1 / max(1, seen)) * (distance - self.usual))
        if seen > 512 and self.usual:
            wide = self.wide.judge(min(1e30, distance / self.usual - 1.0), ends)
        return max(away, wide)
