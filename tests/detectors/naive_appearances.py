"""That values appear, when, and where: the models of ``rare``, ``clock`` and ``earth`` once more, slow and obvious."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Point = tuple[float, float, float]


class Rare:
    """Of one partition: the values of each bucket, judged before any is counted."""

    def __init__(self) -> None:
        self.count: dict[int, float] = {}
        self.buckets = self.gone = 0.0

    def probability(self, value: int) -> float:
        if self.buckets < 10:
            return math.nan
        new = value not in self.count
        least = 1.0 if new else self.count[value]
        expected = sum(count for count in self.count.values() if count <= least) + self.gone + new
        return 1.0 - math.exp(-expected / (self.buckets + new))

    def bucket(self, values: list[int]) -> list[float]:
        said = [self.probability(value) for value in values]
        keep = 0.5 ** (1 / 2000)
        self.buckets, self.gone = keep * self.buckets + 1, self.gone * keep
        self.count = {value: keep * count for value, count in self.count.items()}
        for value in values:
            if value not in self.count and len(self.count) == 128:
                self.replace(value)
            self.count[value] = self.count.get(value, 0.0) + 1
        return said

    def replace(self, value: int) -> None:
        """The one counted least makes room: in its place, for the earliest place is taken of those that tie."""
        least = min(self.count.values())
        out = next(each for each, count in self.count.items() if count == least)
        self.gone += least
        self.count = {value if each == out else each: 0.0 if each == out else count
                      for each, count in self.count.items()}


class Popular:
    """Of one population: the pairs of a member and a value of each bucket, judged before any is learned.

    mark  the place among 2^64 of a member
    """

    def __init__(self, mark: Callable[[int], int]) -> None:
        self.mark, self.buckets, self.gone = mark, 0, 0.0
        self.members: tuple[set[int], set[int]] = (set(), set())
        self.having: dict[int, tuple[set[int], set[int]]] = {}

    @staticmethod
    def counted(marks: tuple[set[int], set[int]], size: int) -> float:
        return size * math.log(size / max(0.5, size - len(marks[0] | marks[1])))

    def probability(self, value: int) -> float:
        if self.buckets < 10:
            return math.nan
        count = {each: self.counted(marks, 128) for each, marks in self.having.items()}
        own = count.get(value, 0.0)
        new = value not in count
        expected = sum(each for each in count.values() if each <= max(own, 1.5)) + self.gone + new
        return min(1.0, 1.0 - math.exp(-expected / (self.counted(self.members, 1024) + new)))

    def bucket(self, pairs: list[tuple[int, int]]) -> list[float]:
        said = [self.probability(value) for _, value in pairs]
        self.buckets += 1
        if self.buckets % 1000 == 0:
            self.gone /= 2
            self.members = (set(), self.members[0])
            self.having = {value: (set(), marks[0]) for value, marks in self.having.items()}
        for member, value in pairs:
            self.members[0].add(self.mark(member) % 1024)
            if value not in self.having and len(self.having) == 64:
                count = {each: self.counted(marks, 128) for each, marks in self.having.items()}
                out = min(count, key=lambda each: count[each])
                self.gone += count[out]
                self.having = {value if each == out else each: (set(), set()) if each == out else marks
                               for each, marks in self.having.items()}
            self.having.setdefault(value, (set(), set()))[0].add(self.mark(member) % 128)
        return said


class Clock:
    """Of one entity: when events come in a round of *round_s* that begins *start_s* before 1970."""

    def __init__(self, round_s: float, start_s: float, half_life_s: float) -> None:
        self.round_s, self.start_s, self.half_life_s = round_s, start_s, half_life_s
        self.events: list[tuple[float, float]] = []

    def slot(self, time_s: float) -> int:
        return min(167, int((time_s + self.start_s) % self.round_s * 168 / self.round_s))

    def probability(self, time_s: float) -> float:
        if sum(weight for _, weight in self.events) < 10:
            return math.nan
        latest = max(at for at, _ in self.events)
        mass = np.zeros(168)
        for at, weight in self.events:
            fading = 0.5 ** ((latest - at) / self.half_life_s)
            for off, part in zip(range(-3, 4), (0.02, 0.09, 0.22, 0.34, 0.22, 0.09, 0.02), strict=True):
                mass[(self.slot(at) + off) % 168] += weight * fading * part
        mass += 1 / 168
        return float(mass[mass <= mass[self.slot(time_s)] * (1 + 1e-9)].sum() / mass.sum())


class Earth:
    """Of one entity: the places where it is found."""

    def __init__(self) -> None:
        self.places: list[tuple[Point, float, float]] = []  # centre, weight, square
        self.known, self.new = 0, 0.0

    @staticmethod
    def point(latitude: float, longitude: float) -> Point:
        a, b = math.radians(latitude), math.radians(longitude)
        return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)

    @staticmethod
    def apart(a: Point, b: Point) -> float:
        return 2 * 6371.0 * math.asin(min(1.0, math.dist(a, b) / 2))

    @staticmethod
    def spread(place: tuple[Point, float, float]) -> float:
        _, weight, square = place
        return (weight * square + 0.25) / (weight + 1)

    def probability(self, latitude: float, longitude: float) -> float:
        if self.known < 5:
            return math.nan
        at = self.point(latitude, longitude)
        total = sum(weight for _, weight, _ in self.places) + 1
        near = min(self.apart(at, centre) for centre, _, _ in self.places)
        p = (self.new + 0.5) / total / (1 + near**2 / (2 * 500.0**2))
        for place in self.places:
            freedom = min(30.0, max(1.0, place[1] - 1))
            squares = self.apart(at, place[0]) ** 2 / (freedom * self.spread(place))
            p += place[1] / total * (1 + squares) ** (-freedom / 2)
        return min(1.0, p)

    def learn(self, latitude: float, longitude: float) -> None:
        at = self.point(latitude, longitude)
        keep = 0.5 ** (1 / 2000)
        self.new *= keep
        self.places = [(centre, weight * keep, square) for centre, weight, square in self.places]
        far = [self.apart(at, place[0]) for place in self.places]
        near = far.index(min(far)) if far else -1
        if near < 0 or far[near] ** 2 > 16 * max(1.0, self.spread(self.places[near])):
            if len(self.places) == 12:
                self.join(only_near=False)
            self.new += self.known > 0
            self.places.append((at, 1.0, 0.0))
        else:
            centre, weight, square = self.places[near]
            weight += 1
            self.places[near] = (
                self.between(centre, at, 1 / weight), weight, square + (far[near] ** 2 / 2 - square) / weight)
        self.known += 1
        self.join(only_near=True)

    @staticmethod
    def between(a: Point, b: Point, share: float) -> Point:
        middle = np.array(a) + share * (np.array(b) - np.array(a))
        x, y, z = (middle / np.linalg.norm(middle)).tolist()
        return x, y, z

    def join(self, only_near: bool) -> None:
        pairs = [(self.apart(a[0], b[0]) ** 2 / (self.spread(a) + self.spread(b)), i, j)
                 for i, a in enumerate(self.places) for j, b in enumerate(self.places) if i < j]
        if not pairs or (only_near and min(pairs)[0] > 16):
            return
        _, i, j = min(pairs)
        self.new = max(0.0, self.new - 1)
        (a, a_weight, a_square), (b, b_weight, b_square) = self.places[i], self.places[j]
        share = b_weight / (a_weight + b_weight)
        square = (1 - share) * a_square + share * b_square + share * (1 - share) * self.apart(a, b) ** 2 / 2
        self.places[i] = (self.between(a, b, share), a_weight + b_weight, square)
        self.places[j] = self.places[-1]
        self.places.pop()
