"""The detectors "population" and "joint" once more, slow and obvious: what the compiled ones are held against."""
from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

import numpy as np

from tests.detectors.naive import NONE, Ewma, novelty_of_probability

PLACES = 16
NEVER = 1 << 40


@dataclass
class Entry:
    rank: int
    value: float
    until: int


@dataclass
class Member:
    """What both detectors know of one series."""

    rank: int
    level: Ewma
    time: int = 0
    interval: float = 0.0
    compared: int = 0

    @property
    def seen(self) -> int:
        return len(self.level.readings)

    def hear(self, time: int) -> None:
        """Learn the usual interval."""
        step = float(max(0, time - self.time))
        if self.seen == 1:
            self.interval = step
        elif self.seen > 1:
            step = min(step, 4.0 * self.interval) if self.interval > 0.0 else step
            self.interval += max(0.05, 1.0 / self.seen) * (step - self.interval)
        self.time = time

    def in_spreads(self, x: float) -> float:
        if self.level.unit == 0.0:
            return 0.0
        return float(np.clip((x - self.level.location) / self.level.unit, -1e6, 1e6))

    def entry(self, x: float) -> Entry:
        if self.level.unit == 0.0 and x != self.level.location:
            return Entry(self.rank, 0.0, -(1 << 62))
        return Entry(self.rank, self.in_spreads(x), self.time + int(5.0 * self.interval))


def less(x: float, doubt: float) -> float:
    return math.copysign(max(0.0, abs(x) - doubt), x)


@dataclass
class Follower(Member):
    single: Ewma = field(default_factory=lambda: Ewma(400.0, 5, 60))
    held: Ewma = field(default_factory=lambda: Ewma(400.0, 5, 60))
    intercept: float = 0.0
    centre: float = 0.0
    variance: float = 0.0
    slope: float = 1.0
    scatter: float = 0.0
    near: float = 0.0
    before: float = 0.0
    mark: int = 0


class Population:
    """One group; ``judge`` gives the five columns of a reading of a member, then learns."""

    def __init__(self) -> None:
        self.members: dict[int, Follower] = {}
        self.panel: list[Entry] = []
        self.next = self.arrivals = 0

    def judge(self, name: int, time: int, x: float) -> tuple[float, float, float, float, float]:
        m = self.members.setdefault(name, Follower(len(self.members) + 1, Ewma(200.0, 5, NEVER)))
        m.hear(time)
        self.arrivals += 1
        if m.seen < 5:
            m.level.judge(x)
            return NONE
        z = m.in_spreads(x)
        peers = [e.value for e in self.panel if e.rank != m.rank and time <= e.until]
        opinion = self.compare(m, x, z, statistics.median(peers), len(peers)) if len(peers) >= 3 else NONE
        self.enter(m.entry(x))
        m.level.judge(x)
        return opinion

    def enter(self, entry: Entry) -> None:
        for i, there in enumerate(self.panel):
            if there.rank == entry.rank:
                self.panel[i] = entry
                return
        if len(self.panel) < PLACES:
            self.panel.append(entry)
        else:
            self.panel[self.next % PLACES] = entry
            self.next += 1

    def compare(self, m: Follower, x: float, z: float, peers: float, count: int) -> tuple[float, ...]:
        n, unit = m.compared, m.level.unit
        if n == 0:
            m.intercept, m.centre, m.mark = z, peers, self.arrivals
        moved = peers - m.centre
        limit = max(0.5, 4.0 * math.sqrt(m.variance)) if n >= 20 else math.inf
        inside = max(-limit, min(limit, moved))
        beyond = moved - inside
        expected = m.intercept + m.slope * inside + beyond
        doubt = 0.5 * abs(beyond) * unit
        typical = m.level.location + unit * expected
        departure = less(x - typical, doubt + 0.5 * m.level.step)
        if self.arrivals - m.mark >= min(count, 8):
            m.before, m.near, m.mark = m.near, departure, self.arrivals
        else:
            m.near = self.lasting(m.near, departure)
        once = m.single.judge(departure)[1]
        p = m.held.judge(self.lasting(m.near, m.before))[1]
        opinion: tuple[float, ...] = NONE
        if n >= 60:
            p = max(p, once**1.5, 1e-300)
            reach = 3.0 * m.scatter * unit + doubt
            opinion = (novelty_of_probability(p), p, typical, typical - reach, typical + reach)
        if n > 0 and unit > 0.0:
            self.learn(m, z - expected, inside)
        m.compared += 1
        return opinion

    @staticmethod
    def lasting(a: float, b: float) -> float:
        return math.copysign(min(abs(a), abs(b)), a) if a * b > 0.0 else 0.0

    @staticmethod
    def learn(m: Follower, error: float, inside: float) -> None:
        alpha = 1.0 - 0.5 ** (1.0 / 200.0)
        gain = max(alpha, 1.0 / (m.compared + 2.0))
        limit = max(1e-6, 4.0 * m.scatter)
        pull = max(-limit, min(limit, error))
        share = max(alpha, 1.0 / (m.compared + 10.0)) * inside**2 / m.variance if m.variance > 0.0 else 0.0
        if share > 1e-12:
            m.slope = max(-3.0, min(3.0, m.slope + min(1.0, share) * pull / inside))
        m.intercept += gain * (pull + m.slope * inside)
        m.variance += gain * (inside**2 - m.variance)
        m.centre += gain * inside
        wide = max(1e-6, 4.0 * m.scatter if m.compared >= 5 else 4.0)
        m.scatter += gain * (min(abs(error), wide) - m.scatter)


@dataclass
class Field(Member):
    law: Ewma = field(default_factory=lambda: Ewma(400.0, 5, 60))
    weight: np.ndarray[tuple[int], np.dtype[np.float32]] = field(default_factory=lambda: np.zeros(PLACES, np.float32))
    cross: np.ndarray[tuple[int], np.dtype[np.float32]] = field(default_factory=lambda: np.zeros(PLACES, np.float32))
    moment: np.ndarray[tuple[int, int], np.dtype[np.float32]] = field(
        default_factory=lambda: np.zeros((PLACES, PLACES), np.float32))


class Joint:
    """One source; ``judge`` gives the five columns of a reading of a field, then learns."""

    def __init__(self) -> None:
        self.fields: dict[int, Field] = {}
        self.panel: dict[int, Entry] = {}

    def judge(self, name: int, time: int, x: float) -> tuple[float, float, float, float, float]:
        m = self.fields.setdefault(name, Field(len(self.fields) + 1, Ewma(400.0, 5, NEVER)))
        m.hear(time)
        if m.seen < 5:
            m.level.judge(x)
            return NONE
        z = m.in_spreads(x)
        heard = {r: e.value for r, e in self.panel.items() if r != m.rank and time <= e.until}
        opinion = self.compare(m, x, z, heard) if heard else NONE
        if m.rank <= PLACES:
            self.panel[m.rank] = m.entry(x)
        m.level.judge(x)
        return opinion

    def compare(self, m: Field, x: float, z: float, heard: dict[int, float]) -> tuple[float, ...]:
        places, unit, n = min(len(self.fields), PLACES), m.level.unit, m.compared
        full = np.array([heard.get(i + 1, 0.0) for i in range(places)])
        other = np.clip(full, -4.0, 4.0)
        weight = m.weight[:places].astype(float)
        doubt = float(np.abs(weight * (full - other)).sum())
        typical = m.level.location + unit * float(weight @ other)
        usual = m.law.unit if len(m.law.readings) >= 5 else 0.0
        p = m.law.judge(less(x - typical, doubt * unit + 0.5 * m.level.step))[1]
        reach = 3.0 * usual + doubt * unit
        opinion = (novelty_of_probability(p), p, typical, typical - reach, typical + reach) if n >= 100 else NONE

        gain = max(1.0 - 0.5 ** (1.0 / 400.0), 1.0 / (n + 1.0))
        own = max(-4.0, min(4.0, z))
        cross, moment = m.cross[:places].astype(float), m.moment[:places, :places].astype(float)
        m.cross[:places] = cross + gain * (own * other - cross)
        m.moment[:places, :places] = moment + gain * (np.outer(other, other) - moment)
        m.compared += 1
        if m.compared % (8 if n < 128 else 32) == 0:
            ridge = (0.03 + 8.0 / (n + 1.0)) * np.eye(places)
            solved = np.linalg.solve(m.moment[:places, :places].astype(float) + ridge, m.cross[:places].astype(float))
            m.weight[:places] = solved * min(1.0, 3.0 / max(1e-300, float(np.abs(solved).sum())))
        return opinion
