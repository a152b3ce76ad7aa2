"""The detector "clusters" once more, slow and obvious: what the compiled one is held against."""
from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field

from tests.detectors.naive import NONE, Ewma

PLACES, CLUSTERS, SAMPLE, NEAREST, OVER, SETTLED, RATE = 16, 16, 32, 6, 2048, 5, 1.0 / 400.0
NEVER = 1 << 40
Event = dict[int, float]
"""Value by the rank of its field."""


@dataclass
class Cluster:
    id: int
    centre: Event
    count: int
    fed: int
    away: float = 0.0
    uneven: float = 0.0


@dataclass
class Clusters:
    """One source; ``judge`` gives the five columns of a reading of a field, then learns."""

    rank: dict[int, int] = field(default_factory=dict)
    level: dict[int, Ewma] = field(default_factory=dict)
    readings: dict[int, int] = field(default_factory=dict)
    unit: Event = field(default_factory=dict)
    value: Event = field(default_factory=dict)
    come: set[int] = field(default_factory=set)
    grown: bool = False
    time: int = 0
    sample: list[Event] = field(default_factory=list)
    places: list[Cluster | None] = field(default_factory=lambda: [None] * CLUSTERS)
    law: Ewma = field(default_factory=lambda: Ewma(400.0, 5, NEVER))
    events: int = 0
    named: int = 0
    width: float = 0.0

    def judge(self, name: int, time: int, x: float) -> tuple[float, float, float, float, float]:
        r = self.rank.setdefault(name, len(self.rank) + 1)
        level = self.level.setdefault(r, Ewma(400.0, 5, NEVER))
        new = not level.readings
        if new and r <= PLACES:
            for event in [*self.sample, *(c.centre for c in self.clusters())]:
                event[r] = x
            self.value[r], self.unit[r] = x, 0.0
        unit = level.unit if len(level.readings) >= 5 else 0.0
        level.judge(x)
        if r > PLACES:
            return NONE
        if self.come and (time != self.time or r in self.come):
            self.finish()
        self.come.add(r)
        self.grown = self.grown or new
        self.time, self.value[r] = time, x
        self.unit[r] = level.unit if len(level.readings) >= 5 else 0.0
        self.readings[r] = self.readings.get(r, 0) + 1
        opinion = self.opinion(r, x, unit) if self.readings[r] > 100 else NONE
        if len(self.come) == len(self.value) and not self.grown:
            self.finish()
        return opinion

    def clusters(self) -> list[Cluster]:
        return [c for c in self.places if c is not None]

    def settled(self) -> list[Cluster]:
        most = max(c.count for c in self.clusters())
        return [c for c in self.clusters() if c.count >= min(SETTLED, most)]

    def apart(self, a: float, b: float, r: int) -> float:
        return 0.0 if a == b or self.unit[r] == 0.0 else min(1e6, abs(a - b) / self.unit[r])

    def distance(self, a: Event, b: Event, fields: set[int]) -> float:
        return math.sqrt(sum(self.apart(a[r], b[r], r) ** 2 for r in sorted(fields)))

    def opinion(self, r: int, x: float, unit: float) -> tuple[float, float, float, float, float]:
        near = min(self.settled(), key=lambda c: self.distance(self.value, c.centre, self.come))
        d = self.distance(self.value, near.centre, self.come)
        own = self.apart(x, near.centre[r], r)
        law = deepcopy(self.law)
        law.warmup = 5
        novelty, p, usual, _, edge = law.judge(d)
        if d <= usual or 2.0 * len(self.come) * own**2 < d**2:
            novelty, p = 0.0, 1.0
        before = self.come - {r}
        expected, rest = max(self.clusters(), key=lambda c: c.count), 0.0
        if before:
            expected = min(self.settled(), key=lambda c: self.distance(self.value, c.centre, before))
            rest = self.distance(self.value, expected.centre, before)
        reach = unit * math.sqrt(max(0.0, edge**2 - rest**2))
        return novelty, p, expected.centre[r], expected.centre[r] - reach, expected.centre[r] + reach

    def nearest_of_sample(self, event: Event) -> float:
        return sorted(self.distance(event, other, set(self.value)) for other in self.sample)[NEAREST - 1]

    def finish(self) -> None:
        self.come, self.grown = set(), False
        n, event = self.events, dict(self.value)
        self.events += 1
        if n < SAMPLE:
            self.sample.append(event)
            if n == SAMPLE - 1:
                self.width = sum(map(self.nearest_of_sample, self.sample)) / SAMPLE
                for i, each in enumerate(self.sample):
                    self.assign(each, i)
            return
        self.law.judge(min(self.distance(event, c.centre, set(event)) for c in self.clusters()))
        self.width += max(RATE, 1.0 / (n + 1)) * (self.nearest_of_sample(event) - self.width)
        drawn = (n * 0x9E3779B97F4A7C15 % 2**64) >> 32
        place = drawn * min(n + 1, OVER) >> 32
        if place < SAMPLE:
            self.sample[place] = dict(event)
        self.assign(event, n)

    def reach(self, cluster: Cluster) -> float:
        return max(self.width, cluster.away + 4.0 * cluster.uneven)

    def assign(self, event: Event, n: int) -> None:
        near = min(self.clusters(), key=lambda c: self.distance(event, c.centre, set(event)), default=None)
        far = self.distance(event, near.centre, set(event)) if near is not None else 0.0
        if near is not None and far <= self.reach(near):
            near.count += 1
            gain = max(RATE, 1.0 / near.count)
            off = abs(far - near.away)
            near.away += gain * (far - near.away)
            near.uneven += gain * (off - near.uneven)
            for r, x in event.items():
                near.centre[r] += gain * (x - near.centre[r])
        else:
            self.named += 1
            near = Cluster(self.named, dict(event), 1, n)
            self.places[self.place()] = near
        near.fed = n
        for i, other in enumerate(self.places):
            if other is None or other is near:
                continue
            larger = near if near.count >= other.count else other
            if self.distance(near.centre, other.centre, set(event)) > self.reach(larger):
                continue
            share = other.count / (near.count + other.count)
            near.away += share * (other.away - near.away)
            near.uneven += share * (other.uneven - near.uneven)
            for r in event:
                near.centre[r] += share * (other.centre[r] - near.centre[r])
            near.id = max((near.count, -near.id), (other.count, -other.id))[1] * -1
            near.count += other.count
            self.places[i] = None

    def place(self) -> int:
        if None in self.places:
            return self.places.index(None)
        return min(range(CLUSTERS), key=lambda i: (self.clusters()[i].count >= SETTLED, self.clusters()[i].fed))
