"""A season that was told, once more, slow and obvious: courses of values less what is believed of it."""
from __future__ import annotations

from tests.detectors.naive_buckets import Courses, Entity, Table, bounded


class Means(Table):
    """A table of plain means: no entry is rounded to 16 bits."""

    def learn(self, middle: tuple[int, int], error: float, weight: float) -> None:
        for slot, share in self.near(middle):
            if weight * share:
                self.seen[slot] = min(self.seen_max, self.seen[slot] + weight * share)
                self.value[slot] += error * weight * share / max(self.seen[slot], weight * share)


class LiftedCourses(Courses):
    """``Courses`` with a season of *season_s* besides; what it has foretold better than they did is believed."""

    def __init__(self, span_s: int, season_s: int) -> None:
        super().__init__(span_s)
        self.season_s, self.round = season_s, season_s / span_s
        slots = min(96, season_s // span_s)
        self.given = Means(slots, max(2.0, 7.0 * self.round / slots))
        self.believed, self.compared, self.with_it, self.without, self.rescaled = False, 0, 0.0, 0.0, 1.0

    def lift(self, bucket: int) -> float:
        return self.given.at(self.middle(bucket, self.season_s)) if self.believed else 0.0

    def expect(self, name: str, bucket: int) -> float:
        return super().expect(name, bucket) + self.lift(bucket)

    def edge(self, bucket: int) -> float:
        blurred = self.believed and self.span_s * len(self.given.value) < self.season_s
        return super().edge(bucket) + (self.given.jump(self.middle(bucket, self.season_s)) if blurred else 0.0)

    def learn(self, bucket: int, x: float, weight: float, reach: float) -> float:
        middle, lift = self.middle(bucket, self.season_s), self.lift(bucket)
        foretold = self.given.at(middle)
        base = self.active if self.active in ("daily", "weekly") else "slow"
        residual = x - (self.expect(base, bucket) - lift)
        if all(self.given.seen[slot] > 0 for slot, share in self.given.near(middle) if share):
            rate = weight * max(1 / (self.compared + 1), min(1 / 64, 1 / self.round))
            plain = x - (self.expect(self.active, bucket) - lift)
            off = (plain if self.believed else residual) - foretold
            self.with_it += rate * (min(reach * reach, off * off) - self.with_it)
            self.without += rate * (min(reach * reach, plain * plain) - self.without)
            self.compared += 1
        self.given.learn(
            middle, bounded(residual - foretold, 4 * reach), weight if self.believed else max(weight, 0.25))
        self.rescaled = 1.0
        if self.believed and self.with_it > self.without:
            self.believed = False
            self.level["fast"] += foretold
        elif (not self.believed and self.compared >= min(24, max(3, int(self.round / 2)))
              and self.with_it < 0.8 * self.without):
            self.believed, self.active = True, base
            self.level["fast"] -= foretold
            self.rescaled = max(1e-6, self.with_it / self.without)
            for name in self.names:
                self.error[name] = self.rival[name] = self.with_it
        believed, self.believed = self.believed, False
        smaller = super().learn(bucket, x - foretold if believed else x, weight, reach)  # of values less the season
        self.believed = believed
        return smaller


class LiftedEntity(Entity):
    """``Entity`` with a season that was told."""

    courses: LiftedCourses

    def __init__(self, span_s: int, kind: str, season_s: int) -> None:
        super().__init__(span_s, kind)
        self.courses = LiftedCourses(span_s, season_s)

    def step_to(self, x: float, expected: float, bucket: int) -> float:
        moved, off = super().step_to(x, expected, bucket), abs(x - expected)
        small = off <= 1e-5 * max(abs(x), abs(expected))
        return moved if self.courses.lift(bucket) == 0.0 or small else min(moved, off)

    def learn_course(self, bucket: int, x: float, weight: float, reach: float) -> None:
        smaller = self.courses.learn(bucket, x, weight, reach)
        if self.courses.rescaled != 1.0:
            self.rescale(self.courses.rescaled, self.courses.compared)
        if smaller != 1.0:
            self.rescale(smaller, self.courses.seen[self.courses.active])
