"""Levels, trends and seasons of one entity, and what it does with a value: once more, slow and obvious.

The laws of residuals are those of the package: their own tests compare them with scipy.
"""
from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from offbeat_detectors.buckets import residuals
from offbeat_detectors.buckets.normal import tail
from offbeat_detectors.rows import zero_rows
from tests.detectors.naive_extremes import f32

KINDS = {"count": residuals.COUNT, "sum": residuals.SUM, "metric": residuals.METRIC}


def bounded(x: float, reach: float) -> float:
    return min(reach, max(-reach, x))


COUNTS = [i / 12 for i in range(96)] + [8 * 1.05**i for i in range(160)]


def chances(bucket: int, step: int) -> tuple[float, float]:
    """Two halves of what splitmix64 makes of a bucket, as shares of 1."""
    mixed, end = (2 * bucket + step) * 0x9E3779B97F4A7C15, 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed %= end
        mixed = (mixed ^ (mixed >> shift)) * factor
    return (mixed >> 38) / 2**26, mixed % 2**26 / 2**26


class Table:
    """A round of slots, read and taught in proportion between the two nearest middles."""

    def __init__(self, slots: int, seen_max: float) -> None:
        self.value, self.seen, self.seen_max, self.unit = [0.0] * slots, [0.0] * slots, seen_max, 0.0

    def near(self, middle: tuple[int, int]) -> list[tuple[int, float]]:
        at = (middle[0] * len(self.value) / middle[1] - 0.5) % len(self.value)
        return [(int(at), 1.0 - at % 1.0), ((int(at) + 1) % len(self.value), at % 1.0)]

    def at(self, middle: tuple[int, int]) -> float:
        return sum(share * self.value[slot] for slot, share in self.near(middle))

    def jump(self, middle: tuple[int, int]) -> float:
        """The largest step near, beyond the mean of the steps beside it."""
        size = len(self.value)
        step = [abs(self.value[(slot + 1) % size] - self.value[slot]) for slot in range(size)]
        slot = self.near(middle)[0][0]
        return max([0.0] + [step[i % size] - (step[(i - 1) % size] + step[(i + 1) % size]) / 2
                            for i in (slot - 1, slot, slot + 1)])

    def teach(self, bucket: int, middle: tuple[int, int], error: float, weight: float) -> None:
        for step, (slot, share) in enumerate(self.near(middle)):
            if weight * share:
                up, other = chances(bucket, step)
                seen = min(self.seen_max, self.seen[slot] + weight * share)
                value = self.value[slot] + error * weight * share / max(seen, weight * share)
                below = max(times for times in (*COUNTS, self.seen[slot]) if times <= max(seen, self.seen[slot]))
                above = min((times for times in COUNTS if times > below), default=below)
                self.seen[slot] = above if seen - below > up * (above - below) else below
                if not (value or self.unit):
                    continue
                if not self.unit:
                    self.unit = 2.0 ** (math.floor(math.log2(abs(value))) + 1 - 12)
                while abs(value) > 32_766 * self.unit:
                    self.unit *= 2
                self.value = [math.floor(each / self.unit + 0.5) * self.unit for each in self.value]
                self.value[slot] = math.floor(value / self.unit + other) * self.unit


class Courses:
    """Four forecasts, by name, of buckets of *span_s*."""

    def __init__(self, span_s: int) -> None:
        self.span_s, self.per_day = span_s, 86_400 / span_s
        self.days, self.weeks = span_s <= 28_800, span_s <= 86_400
        self.names = ["slow", "fast"] + ["daily"] * self.days + ["weekly"] * self.weeks
        self.daily = Table(96, max(2.0, 7.0 * self.per_day / 96))
        self.weekly = Table(168, max(2.0, 35.0 * self.per_day / 168))

    def begin(self, first: int, last: int, level: float, error: float) -> None:
        self.first, self.last, self.count, self.trend, self.active = first, last, 5, 0.0, "slow"
        self.level = dict.fromkeys(["slow", "fast", "daily", "weekly"], level)
        self.error, self.rival = dict.fromkeys(self.names, error), dict.fromkeys(self.names, error)
        self.seen = {name: 5 if name in ("slow", "fast") else 0 for name in self.names}

    def shift(self, by: float) -> None:
        for name in self.level if self.active in ("daily", "weekly") else ("slow", "fast"):
            self.level[name] += by
        self.trend, self.count = 0.0, min(self.count, 6)

    def middle(self, bucket: int, round_s: int) -> tuple[int, int]:
        """How far into the round the middle of a bucket is, and how long the round is."""
        return (bucket * self.span_s + self.span_s // 2) % round_s, round_s

    def expect(self, name: str, bucket: int) -> float:
        expected = self.level[name]
        if name == "slow":
            return expected + self.trend * min(32, max(1, bucket - self.last))
        if name in ("daily", "weekly") and self.days:
            expected += self.daily.at(self.middle(bucket, 86_400))
        if name == "weekly":
            expected += self.weekly.at(self.middle(bucket, 604_800))
        return expected

    def edge(self, bucket: int) -> float:
        off = 0.0
        if self.active in ("daily", "weekly") and self.days and self.span_s < 900:
            off += self.daily.jump(self.middle(bucket, 86_400))
        if self.active == "weekly" and self.span_s < 3600:
            off += self.weekly.jump(self.middle(bucket, 604_800))
        return off

    def learn(self, bucket: int, x: float, weight: float, reach: float) -> float:
        age_s = (bucket - self.first) * self.span_s
        foreseen = {name: self.expect(name, bucket) for name in self.names}
        ready = {"slow": True, "fast": True, "daily": age_s >= 86_400, "weekly": age_s >= 8 * 86_400}
        table_weight = weight if self.active in ("daily", "weekly") else max(weight, 0.25)
        square = {name: min(reach * reach, (x - foreseen[name]) ** 2) for name in self.names}
        for name in self.names:
            if ready[name]:
                rate = weight * max(1 / (self.seen[name] + 1), min(1 / 64, 1 / self.per_day))
                self.error[name] += rate * (square[name] - self.error[name])
                self.rival[name] += rate * (square[self.active] - self.rival[name])
                self.seen[name] += 1
        pull = {name: bounded(x - foreseen[name], reach) for name in self.names}
        wide = {name: bounded(x - foreseen[name], 4 * reach) for name in self.names}
        step = max(weight / 64, weight / (self.count + 1))
        self.level["slow"] = foreseen["slow"] + step * pull["slow"]
        if self.count >= 16:
            self.trend += step * step / 4 * pull["slow"]
        self.level["fast"] += max(0.35 * weight, weight / (self.count + 1)) * pull["fast"]
        if self.days:
            if ready["daily"]:
                self.level["daily"] += weight * min(1 / 24, 1 / self.per_day) * pull["daily"]
            self.level["weekly"] = self.level["daily"]
            self.daily.teach(bucket, self.middle(bucket, 86_400), wide["daily"], table_weight)
        elif self.weeks and ready["weekly"]:
            self.level["weekly"] += weight / 28 * pull["weekly"]
        if self.weeks and (ready["daily"] or not self.days):
            self.weekly.teach(bucket, self.middle(bucket, 604_800), wide["weekly"], table_weight)
        self.last = bucket
        self.count += 1
        return self.choose()

    def choose(self) -> float:
        proof = min(48, max(8, int(self.per_day / 2)))
        best, least = self.active, 0.8
        for name in self.names:
            if name != self.active and self.seen[name] >= proof and self.error[name] < least * self.rival[name]:
                best, least = name, self.error[name] / self.rival[name]
        if best == self.active:
            return 1.0
        self.active = best
        for name in self.names:
            self.rival[name] = self.error[name] if name == best else max(self.rival[name], self.error[name])
        return max(1e-6, least)


class Entity:
    """One entity of the model of this kind: ``judge`` says (probability, high, low, typical), ``learn`` learns."""

    def __init__(self, span_s: int, kind: str) -> None:
        self.kind, self.code = kind, KINDS[kind]
        self.first: list[float] = []
        self.first_bucket = 0
        self.courses = Courses(span_s)
        self.laws: Any = zero_rows(1, residuals.RESIDUALS)[0]
        self.far: list[float] = []
        self.seen = 0
        self.run = self.step = self.before = self.others = self.odd = 0.0
        self.zeros = self.total = self.positive = self.positives = 0.0

    @property
    def half(self) -> float:
        return 0.5 if self.kind == "count" else self.step / 2

    def least(self, expected: float) -> float:
        return max(self.half, 1e-12 * abs(expected), 1e-150)

    def expected(self, bucket: int) -> float:
        expected = self.courses.expect(self.courses.active, bucket)
        if self.kind == "count":
            return max(expected, 0.5 / (float(self.laws["known"]) + 1))
        return max(expected, 0.0) if self.kind == "sum" else expected

    def nearer(self, x: float, expected: float, edge: float) -> float:
        return x if edge == 0 else expected + math.copysign(max(0.0, abs(x - expected) - edge), x - expected)

    def tails(self, x: float, expected: float, share: float) -> tuple[float, float]:
        if self.step == 0.0:
            off = abs(x - self.before)
            if off <= 1e-12 * abs(x):
                return 1.0, 1.0
            unit = 1.0 if self.kind == "count" else abs(self.before) / 100
            power = 2.0 if unit == 0 else 1.0 + math.log10(1.0 + off / unit) * (1.0 if self.kind == "count" else 0.5)
            p = max(2.2250738585072014e-308, min(1.0, (self.others + 1) / (self.seen + 2)) ** power) / 2
            return (p, 1.0 - p) if x > self.before else (1.0 - p, p)
        up, down, _, _ = residuals.deviations(
            self.laws, self.code, x, expected, self.half, self.least(expected), share)
        high = tail(up)
        if self.kind == "count" and x > 0 and self.positives and self.zeros >= 0.8 * self.total:
            some = (1.0 - self.zeros / (self.total + 1)) * share
            high = max(high, some * (1.0 + (x - 1) / (self.positives * self.positive)) ** -(self.positives + 1))
        return high, tail(-down)

    def judge(self, bucket: int, x: float, share: float = 1.0) -> tuple[float, float, float, float]:
        zero = (self.zeros / (self.total + 1)) ** share if self.kind == "sum" else 0.0
        if self.seen < 5:
            if self.kind != "sum" or self.total < 5:
                return (math.nan,) * 4
            p = (self.total - self.zeros + 1) / (self.total + 2)
            return (1.0, 1.0, zero, 0.0) if x == 0 else (p, p, 1.0, 0.0)
        share = 1.0 if self.kind == "metric" else share
        expected = share * self.expected(bucket)
        near = self.nearer(x, expected, share * self.courses.edge(bucket))
        high, low = self.tails(near, expected, share)
        low = zero + (1 - zero) * low
        high = (1 - zero) * high if x > 0 or self.kind != "sum" else zero + (1 - zero) * high
        return min(1.0, 2 * min(high, low)), min(1.0, high), min(1.0, low), expected * (1 - zero)

    def learn(self, bucket: int, x: float, weight: float = 1.0) -> None:
        if spread := self.learn_spread(bucket, x, weight):
            self.learn_course(bucket, x, *spread)

    def learn_course(self, bucket: int, x: float, weight: float, reach: float) -> None:
        smaller = self.courses.learn(bucket, x, weight, reach)
        if smaller != 1.0:
            self.rescale(smaller, self.courses.seen[self.courses.active])

    def rescale(self, smaller: float, known: int) -> None:
        residuals.rescale(self.laws, smaller, float(known), 0.5)

    def step_to(self, x: float, expected: float, bucket: int) -> float:
        return abs(x - self.before)

    def learn_spread(
        self, bucket: int, x: float, weight: float = 1.0, enough: float = 6.0, often: float = 0.004,
    ) -> tuple[float, float] | None:
        """The weight with which the courses are to learn it, and how far it may move them; None: not at all."""
        if self.kind != "metric":
            self.total, self.zeros = f32(0.998 * self.total + 1), f32(0.998 * self.zeros + (x == 0))
            if x > 0:
                most = 8 * self.positive if self.positives else x
                self.positives = min(50.0, self.positives + 1)
                self.positive += (min(x, most) - self.positive) / self.positives
        if self.kind == "sum" and x == 0:
            return None
        if self.seen < 5:
            self.first_bucket = self.first_bucket if self.first else bucket
            self.first.append(x)
            self.seen, self.before = self.seen + 1, x
            if self.seen == 5:
                self.begin(bucket)
            return None
        expected = self.expected(bucket)
        near = self.nearer(x, expected, self.courses.edge(bucket))
        odd = min(self.tails(near, expected, 1.0)) / 1e-3
        constant = self.step == 0.0
        self.seen = min(10_000, self.seen + 1)
        self.others = f32(f32(0.999 * self.others) + (constant and abs(x - self.before) > 1e-12 * abs(x)))
        self.odd = f32(0.998 * self.odd + (odd < 1 and self.run == 0))
        usual = 0.0
        if odd < 1:
            self.far = [*self.far[-5:], x - expected]
            self.run += 1
            if self.run >= enough and len(self.far) == 6:
                self.accept(x, bucket)
                return None
            rate = self.odd / (min(self.seen, 500) + 100)
            usual = min(1.0, max(0.0, (rate / often - 1) / 2))
            if constant and usual < 0.5:
                return None
        else:
            self.run = max(0.0, self.run - 0.5)
            self.far = self.far if self.run else []
        share = max(0.01, odd, usual) if odd < 1 else 1.0
        if share >= 0.5:
            self.learn_step(x, self.step_to(x, expected, bucket))
        if constant and self.step:
            residuals.begin(self.laws, self.code, self.step**2 / self.seen, expected, min(x, expected) > 0)
            self.laws["known"] = min(300.0, self.seen)
        least = self.least(expected)
        clip = 5.0 + 45.0 * usual
        reach = clip * max(least, math.sqrt(self.laws["variance"]))
        if self.courses.edge(bucket) ** 2 <= self.laws["variance"] / 4:
            near = self.nearer(x, expected, self.courses.edge(bucket))
            if odd >= 1 or (self.run <= 1 and (odd >= 1e-3 or usual > 0)):
                residuals.compare(self.laws, self.code, near, expected, self.half, least)
            residuals.learn(self.laws, self.code, near, expected, self.half, least, weight * share, weight, clip)
        return weight * share, reach

    def begin(self, bucket: int) -> None:
        ordered = sorted(self.first)
        middle = (ordered[1] + ordered[2] + ordered[3]) / 3
        variance = sum(sorted((x - middle) ** 2 for x in ordered)[:-1]) / 3 * 1.5
        self.step = min((b - a for a, b in pairwise(ordered) if b - a > 1e-12 * abs(b)),
                        default=0.0)
        if self.step == 0.0:
            middle, variance = self.before, 0.0
        spread = max(variance, self.least(middle) ** 2) if self.step else 0.0
        residuals.begin(self.laws, self.code, spread, middle, ordered[0] > 0)
        self.courses.begin(self.first_bucket, bucket, middle, variance)

    def accept(self, x: float, bucket: int) -> None:
        ordered = sorted(self.far)
        off = float(np.median(ordered))
        if self.step == 0.0:
            steps = (b - a for a, b in pairwise(ordered) if b - a > 1e-12 * abs(x))
            self.step = min(steps, default=0.0)
        spread = 1.4826 * float(np.median([abs(each - off) for each in ordered]))
        self.courses.shift(off)
        self.courses.last = bucket
        if self.laws["variance"] > 0:
            residuals.rescale(self.laws, max(1.0, spread**2 / float(self.laws["variance"])), 6.0, 1.0)
        elif self.step:
            residuals.begin(self.laws, self.code, max(spread, self.step) ** 2, self.courses.level["slow"], x > 0)
        if self.step == 0.0:
            self.seen = 5
        self.others, self.before, self.far, self.run = 0.0, x, [], 0.0

    def learn_step(self, x: float, moved: float) -> None:
        if moved > 1e-12 * abs(x):
            if self.step == 0.0:
                self.step = moved
            else:
                self.step = math.sqrt(self.step) * math.sqrt(moved) if moved < self.step else self.step * 1.02
        self.before = x


class Population:
    """The members of one population, judged by all values of earlier buckets."""

    def __init__(self, span_s: int, kind: str) -> None:
        self.pool, self.buckets, self.members = Entity(span_s, kind), 0, 0.0

    def bucket(self, bucket: int, values: list[float]) -> list[tuple[float, float, float, float]]:
        none = (math.nan,) * 4
        said = [self.pool.judge(bucket, x) if self.buckets >= 3 and self.pool.seen >= 5 else none for x in values]
        part, moved, reaches = min(1.0, 30 / len(values)), [], []
        for x in values:
            expected = self.pool.expected(bucket) if self.pool.seen >= 5 else math.nan
            spread = self.pool.learn_spread(bucket, x, part, max(6.0, 1.5 * len(values)), 0.08)
            if spread:
                share, reach = spread
                moved.append((share, share * bounded(x - expected, reach)))
                reaches.append(reach)
                last = expected
        if moved:
            mean = sum(off for _, off in moved) / sum(share for share, _ in moved)
            self.pool.courses.learn(bucket, last + mean, 1.0, max(reaches))
        self.buckets += 1
        self.members += max(1 / 32, 1 / self.buckets) * (len(values) - self.members)
        return said
