"""The kernels once more, slow and obvious, one series at a time: what the compiled ones are held against."""
from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np

NONE = (math.nan,) * 5


def novelty_of_probability(p: float) -> float:
    surprise = -math.log10(max(p, 1e-300))
    if surprise > 6.0:
        return 15.0 + 10.0 / 1.4 * (surprise - 6.0)
    return float(np.interp(surprise, [0.0, 2.0, 2.9, 3.5, 4.1, 4.6, 6.0], [0.0, 0.2, 0.7, 1.4, 3.0, 5.0, 15.0]))


def surprise_of_novelty(novelty: float) -> float:
    if novelty > 15.0:
        return 6.0 + 1.4 / 10.0 * (novelty - 15.0)
    return float(np.interp(novelty, [0.0, 0.2, 0.7, 1.4, 3.0, 5.0, 15.0], [0.0, 2.0, 2.9, 3.5, 4.1, 4.6, 6.0]))


def strength_of_score(score: float) -> float:
    log_e = np.interp(score, [0.0, 25.0, 50.0, 75.0, 90.0, 100.0], np.log([0.35, 0.7, 1.4, 3.0, 5.0, 15.0]))
    return float(np.exp(log_e))


def score_of_strength(strength: float) -> float:
    if strength <= 0.0:
        return 0.0
    return float(np.interp(math.log(strength), np.log([0.35, 0.7, 1.4, 3.0, 5.0, 15.0]), [0, 25, 50, 75, 90, 100]))


class Alerts:
    """The alert stage of one series, told apart whether a reading came or none did for too long."""

    def __init__(self) -> None:
        self.readings = 0
        self.told: tuple[int, float] | None = None  # how many readings ago is counted from, how novel
        self.top = 0.0
        self.peaks: list[int] = []

    def _damped(self, novelty: float) -> float:
        return novelty / (1.0 + math.sqrt(sum(0.5 ** ((self.readings - peak) / 3000.0) for peak in self.peaks)))

    def reading(self, novelty: float) -> float:
        if math.isnan(novelty):
            return 0.0
        self.readings += 1
        if self.told is not None and self.readings - self.told[0] > 80:
            if self.top > 1.5:
                self.peaks.append(self.readings)
            self.told, self.top = None, 0.0
        self.top = max(self.top, novelty)
        return self._tell(novelty)

    def silence(self, novelty: float) -> float:
        strength = self._tell(novelty)
        self.top = max(self.top, novelty) if strength else self.top
        return strength

    def _tell(self, novelty: float) -> float:
        if not novelty > (1.75 * self.told[1] if self.told else 0.0):
            return 0.0
        self.told = (self.readings, novelty)
        return self._damped(novelty)


def strengths(novelties: list[float]) -> list[float]:
    """The alert stage, from the whole history at each step."""
    findings: list[tuple[int, float]] = []  # (age at which it was said, novelty)
    peaks: list[int] = []  # ages at which a peak was counted
    since: list[float] = []
    held, held_at, age, said = 0.0, 0, 0, []
    for novelty in novelties:
        if math.isnan(novelty):
            said.append(0.0)
            continue
        age += 1
        if held > 0.0 and age - held_at > 80:
            if max(since) > 1.5:
                peaks.append(age)
            held, since = 0.0, []
        since.append(novelty)
        if novelty > 1.75 * held:
            held, held_at = novelty, age
            findings.append((age, novelty))
            damping = sum(0.5 ** ((age - peak) / 3000.0) for peak in peaks)
            said.append(novelty / (1.0 + math.sqrt(damping)))
        else:
            said.append(0.0)
    return said


class Ewma:
    """One series of the detector "ewma": ``judge`` gives (novelty, probability, typical, lower, upper), then learns."""

    def __init__(self, half_life: float = 20.0, warmup: int = 30, relearn: int = 40) -> None:
        self.alpha = 1.0 - 0.5 ** (1.0 / half_life)
        self.beta = 1.0 - 0.5 ** (1.0 / (4.0 * half_life))
        self.warmup, self.relearn = warmup, relearn
        self.readings: list[float] = []
        self.reach, self.excess, self.run, self.fresh = 4.0, 0.25, 0, 0

    def judge(self, x: float) -> tuple[float, float, float, float, float]:
        opinion = self.opinion(x) if len(self.readings) >= self.warmup else NONE
        if len(self.readings) >= 5:
            self.learn(x)
        self.readings.append(x)
        self.fresh += 1
        if len(self.readings) == 5:
            self.begin()
        return opinion

    def begin(self) -> None:
        self.location = statistics.median(self.readings)
        self.spread = statistics.median(abs(x - self.location) for x in self.readings)
        steps = [abs(b - a) for a, b in pairwise(self.readings)]
        real = [step for step, b in zip(steps, self.readings[1:], strict=True) if step > 1e-12 * abs(b)]
        self.step = min(real, default=0.0)

    @property
    def unit(self) -> float:
        return max(self.spread, self.step)

    @property
    def gain(self) -> float:
        return 1.0 / (self.fresh + 1.0)

    @property
    def known(self) -> float:
        return min(50.0, 4.0 + 0.02 * self.fresh)

    def opinion(self, x: float) -> tuple[float, float, float, float, float]:
        deviation = abs(x - self.location)
        if self.unit == 0.0:
            p = 1.0
            if deviation > 0.0:
                p = 1.0 / (len(self.readings) + 2)
                if self.location != 0.0:
                    p /= max(1.0, deviation / abs(self.location))
            return novelty_of_probability(p), p, self.location, self.location, self.location
        band = self.reach * self.unit * (1.0 + 4.0 * self.gain)
        u = deviation / band
        k = self.known
        p = 0.02 ** (u**1.5) if u <= 1.0 else 0.02 * (1.0 + math.log(u) / (self.excess * k)) ** -k
        p = max(p, 1e-300)
        return novelty_of_probability(p), p, self.location, self.location - band, self.location + band

    def learn(self, x: float) -> None:
        unit, gain, location = self.unit, self.gain, self.location
        deviation = abs(x - location)
        last = self.readings[-1]
        if unit > 0.0:
            outside = deviation > self.reach * unit
            rate = max(0.04, 4.0 * gain)
            if outside:
                far = math.log(deviation / (self.reach * unit))
                self.excess += (min(far, 4.0 * self.excess) - self.excess) / self.known
                self.excess = min(50.0, max(0.08, self.excess))
                side = 1 if x > location else -1
                self.run = self.run + side if self.run * side >= 0 else side
                self.reach *= 1.0 + 0.98 * rate
            else:
                self.run -= int(math.copysign(1, self.run)) if self.run else 0
                self.reach = max(1.5, self.reach * (1.0 - 0.02 * rate))
            self.spread += max(self.beta, gain) * (min(deviation, 4.0 * unit) - self.spread)
            if self.spread < 1e-12 * self.step:
                self.spread = 0.0
            pull = max(self.alpha, gain) * min(deviation, 2.5 * unit)
            self.location += pull if x > location else -pull
            if abs(self.run) >= self.relearn:
                self.location = min((last, x), key=lambda y: (abs(y - location), y == x))
                self.run, self.fresh = 0, 1  # 2 with this reading
        moved = abs(x - last)
        if moved > 1e-12 * abs(x):
            if self.step == 0.0:
                self.step = moved
            elif moved < self.step:
                self.step = math.sqrt(self.step * moved)
            else:
                self.step *= 1.02
