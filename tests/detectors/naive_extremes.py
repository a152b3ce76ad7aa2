"""The shared tail of arrival, stuck and drift once more, slow and obvious."""
from __future__ import annotations

import math

import numpy as np

from tests.detectors import naive


def f32(x: float) -> float:
    """*x* as a column of 32 bits holds it."""
    with np.errstate(over="ignore"):
        return float(np.float32(x))


def depth(known: float) -> float:
    return math.log((min(known, 1000.0) + 1.0) / 2.0)


def shape_of(second: float, median: float, known: float, least: float, most: float) -> float:
    if depth(known) <= math.log(2.0):
        return least
    if second <= median:
        return most
    if median <= 0.0:
        return least
    shape: float = math.log(depth(known) / math.log(2.0)) / math.log(second / median)
    return min(max(shape, least), most)


def surprise_beyond(ratio: float, shape: float, known: float) -> float:
    return max(0.0, depth(known)) * math.pow(ratio, shape) / math.log(10.0)


def novelty_of_share(surprise: float) -> float:
    """A thirtieth of the false findings is what one piece may spend."""
    return naive.novelty_of_probability(10.0 ** -min(300.0, max(0.0, surprise - 1.5)))


class Largest:
    """The two largest of some values, fading, and how many they were."""

    def __init__(self) -> None:
        self.two = [0.0, 0.0]

    @property
    def second(self) -> float:
        return self.two[1]

    def fade(self, factor: float) -> None:
        self.two = [f32(factor * v) for v in self.two]

    def learn(self, value: float) -> None:
        self.two = sorted([*self.two, f32(value)], reverse=True)[:2]


def towards(median: float, value: float, rate: float) -> float:
    """The median, one step of its own size nearer to the value, and not beyond it."""
    if value > median:
        return f32(min(value, median * (1.0 + rate)))
    return f32(max(value, median / (1.0 + rate)))
