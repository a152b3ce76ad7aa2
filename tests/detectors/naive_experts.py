"""The experts once more, slow and obvious, one series at a time: what the compiled ones are held against."""
from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np

DAY_MS = 86_400_000
Opinion = tuple[float, float, float]


def single(x: float) -> float:
    """As a float32 keeps it."""
    return float(np.float32(x))


def clipped(x: float, most: float) -> float:
    return min(most, max(-most, x))


def paced(gain: float, pace: float) -> float:
    return gain * pace / (1.0 + gain * (pace - 1.0))


def power_of_16(x: float) -> float:
    """By squares, for the last bit."""
    for _ in range(4):
        x *= x
    return x


class Table:
    """What a reading at each time of a cycle lies above the anchor, in whole grains."""

    def __init__(self, slots: int, cycle_ms: int) -> None:
        self.slots, self.cycle_ms = slots, cycle_ms
        self.grains: dict[int, int] = {}
        self.level = 0.0
        self.slot, self.count, self.mean, self.passes = 0, 0, 0.0, 0

    def at(self, local_ms: int) -> float:
        """In grains, NaN if not known: the line between the middles of two slots, but not across an edge."""
        position = (local_ms % self.cycle_ms) * self.slots / self.cycle_ms
        own = math.floor(position)
        if own not in self.grains:
            return math.nan
        beyond = position - own - 0.5
        side = 1 if beyond > 0 else -1
        here, there, behind = (self.grains.get((own + by) % self.slots) for by in (0, side, -side))
        assert here is not None
        if there is None or behind is None or abs(there - here) > 4 * abs(here - behind) + 32:
            return float(here)
        return here + abs(beyond) * (there - here)


class Experts:
    """One series: ``judge`` gives typical value, lower and upper bound, then learns."""

    def __init__(self, day_slots: int = 48, week_slots: int = 168) -> None:
        self.tables = {"day": Table(day_slots, DAY_MS)}
        if week_slots > 1:
            self.tables["week"] = Table(week_slots, 7 * DAY_MS)
        self.readings: list[float] = []
        self.grain, self.interval, self.time_ms = 0.0, 0.0, 0
        self.known = {"day": 0, "week": 0, "pattern": 0}

    def begin(self) -> None:
        level = statistics.median(self.readings)
        self.last = self.recent = self.slow = self.usual = self.trend = self.anchor = level
        for table in self.tables.values():
            table.level = level
        self.scale = statistics.median(abs(x - level) for x in self.readings)
        steps = [abs(b - a) for a, b in pairwise(self.readings)]
        self.step = min((s for s, b in zip(steps, self.readings[1:], strict=True) if s > 1e-12 * abs(b)), default=0.0)
        self.slope, self.above, self.below, self.limit = 0.0, 3.0, 3.0, 32.0
        self.votes = self.run = self.far = 0
        names = "last", "recent", "slow", "usual", "trend", "day", "week", "pattern"
        self.error = dict.fromkeys(names, single(min(1e38, 2.0 * self.scale)))

    def judge(self, time_ms: int, x: float, offset_ms: int = 0, successor: float = math.nan) -> Opinion:
        x = clipped(x, 1e300)
        since = time_ms - self.time_ms if self.readings else 0
        interval = self.interval
        if since > 0:
            counted = min(since, 4 * interval) if interval else since
            self.interval = single(interval + 0.05 * (counted - interval) if interval else since)
        self.time_ms = time_ms
        opinion = math.nan, math.nan, math.nan
        if len(self.readings) >= 5:
            opinion = self.opinion_then_learn(time_ms, since, interval, x, offset_ms, successor)
        self.readings.append(x)
        if len(self.readings) == 5:
            self.begin()
        return opinion

    def said(self, span: float, local_ms: int, successor: float) -> dict[str, float]:
        """What each expert that has an opinion says."""
        said = {"last": self.last, "recent": self.recent, "slow": self.slow, "trend": self.trend + self.slope * span}
        if self.votes > 0:
            said["usual"] = self.usual
        for name, table in self.tables.items():
            said[name] = table.level + table.at(local_ms) * self.grain
        said["pattern"] = successor
        return {name: value for name, value in said.items() if not math.isnan(value)}

    def typical(self, said: dict[str, float]) -> float:
        unit = max(self.scale, self.step)
        best = min(self.error[name] for name in said if name != "usual")
        if "usual" in said and self.error["usual"] <= best:
            return self.usual
        floor = best + 1e-3 * unit
        if floor == 0.0:
            return self.last
        weights = {name: power_of_16(floor / (self.error[name] + floor)) for name in said}
        apart = sum(weights[name] * (said[name] - self.last) for name in said)
        return clipped(self.last + apart / sum(weights.values()), 1e300)

    def opinion_then_learn(
        self, time_ms: int, since: int, interval: float, x: float, offset_ms: int, successor: float,
    ) -> Opinion:
        pace, span = 1.0, 1.0
        if interval > 0.0:
            span = min(max(0.0, since), 8.0 * interval)
            if since > 0:
                pace = max(1 / 8, span / interval)
        local_ms = time_ms + offset_ms
        said = self.said(span, local_ms, successor)
        for name, times in self.known.items():
            if times == 0 and name in said:  # heard for the first time
                self.error[name] = single(min(1e38, 2.0 * max(self.scale, self.step)))
                if name in self.tables:
                    said[name] = self.last
                    self.tables[name].level = self.last - self.tables[name].at(local_ms) * self.grain
        typical = self.typical(said)
        unit, gain = max(self.scale, self.step), 1.0 / (len(self.readings) + 1.0)
        above, below = max(self.above * unit, 0.5 * self.step), max(self.below * unit, 0.5 * self.step)
        unsure = 1.0 + 4.0 * gain
        opinion = typical, typical - unsure * below, typical + unsure * above

        last = self.last
        taken, jumped = self.taken(x, typical, unit)
        missed = self.readings[-1] - last if jumped else 0.0
        clip = min(1e38, 16.0 * unit)
        for name in said:
            rate = max(0.01, gain)
            if name in self.known:
                rate = max(0.01, 1.0 / (self.known[name] + 2.0))
                self.known[name] += 1
            error = self.error[name]
            self.error[name] = single(error + rate * (min(abs(x - said[name]), clip) - error))
        self.learn_bounds(x, typical, above, below, unit, gain)
        self.learn_levels(taken, jumped, said["trend"], unit, gain, pace, max(span, interval) if interval else 1.0)
        self.learn_tables(taken, jumped, missed, local_ms, since, pace, span, unit)
        return opinion

    def taken(self, x: float, typical: float, unit: float) -> tuple[float, bool]:
        """What is learned of x, and whether the level jumps there: one reading far off teaches nothing, two do."""
        if abs(x - typical) <= self.limit * unit:
            self.limit, self.far = single(max(16.0, self.limit * 0.9995)), 0
            return x, False
        self.limit = single(min(1e30, self.limit * 16.0))
        side = 1 if x > typical else -1
        again, self.far = side == self.far, side
        if not again:
            return typical, False
        return min((x, self.readings[-1]), key=lambda y: abs(y - typical)), True

    def learn_bounds(self, x: float, typical: float, above: float, below: float, unit: float, gain: float) -> None:
        rate = max(0.04, 4.0 * gain)
        self.above *= 1.0 + 0.99 * rate if x - typical > above else 1.0 - 0.01 * rate
        self.below *= 1.0 + 0.99 * rate if typical - x > below else 1.0 - 0.01 * rate
        self.above, self.below = min(1e30, max(0.25, self.above)), min(1e30, max(0.25, self.below))
        self.scale += max(0.02, gain) * (min(abs(x - typical), 4.0 * unit) - self.scale)
        if self.scale < 1e-12 * self.step:
            self.scale = 0.0
        raw = self.readings[-1]
        moved = abs(x - raw)
        if moved > 1e-12 * abs(x):
            if self.step == 0.0:
                self.step = moved if raw == 0.0 else min(moved, abs(raw))
            elif moved < self.step:
                self.step = math.sqrt(self.step) * math.sqrt(moved)
            else:
                self.step = min(1e300, 1.02 * self.step)

    def learn_levels(
        self, taken: float, jumped: bool, trend: float, unit: float, gain: float, pace: float, elapsed: float,
    ) -> None:
        if taken == self.usual:
            self.votes = min(255, self.votes + 1)
        elif self.votes > 0:
            self.votes -= 1
        else:
            self.usual = taken
        self.last = taken
        side = int(np.sign(taken - self.slow))
        self.run = self.run + side if self.run * side > 0 else side
        self.run = max(-100, min(100, self.run))
        if jumped:
            self.recent = self.slow = self.trend = taken
            return
        self.recent += paced(0.3, pace) * (taken - self.recent)
        slow_gain = min(0.5, max(gain, 0.03 * max(1, abs(self.run) - 5)))
        self.slow += paced(slow_gain, pace) * clipped(taken - self.slow, 2.5 * unit)
        self.trend = trend + paced(0.5, pace) * (taken - trend)
        self.slope += 0.05 * clipped(taken - trend, 2.5 * unit) / elapsed

    def learn_tables(
        self, taken: float, jumped: bool, missed: float, local_ms: int, since: int, pace: float, span: float,
        unit: float,
    ) -> None:
        gain = 1.0 if jumped else paced(0.15, pace)
        parts = {name: table.at(local_ms) * self.grain for name, table in self.tables.items()}
        for name, table in self.tables.items():
            if not math.isnan(parts[name]):
                table.level += gain * (taken - parts[name] - table.level)
        if not math.isnan(parts["day"]):
            left = taken - parts["day"]
            if jumped:
                self.anchor = left
            elif self.tables["day"].passes > 0:
                share = min(0.05, span / (7 * DAY_MS))
                self.anchor += share * clipped(left - self.anchor, self.limit * unit)
        if since < 0:
            return
        for table in self.tables.values():
            table.mean += missed / max(1, table.count)
            slot = (local_ms % table.cycle_ms) * table.slots // table.cycle_ms
            if table.count and slot != table.slot:
                self.commit(table)
                table.passes = min(255, table.passes + (slot < table.slot))
                table.count, table.mean = 0, 0.0
            table.slot = slot
            table.count = min(65535, table.count + 1)
            table.mean += (taken - table.mean) / table.count

    def commit(self, table: Table) -> None:
        """The slot that is over learns the mean of its readings."""
        value = table.mean - self.anchor
        if self.grain == 0.0:
            self.grain = max(self.scale, self.step) / 32
        grains = value / self.grain if self.grain else 0.0
        if abs(grains) > 32700.0:
            for each in self.tables.values():
                each.grains = {slot: known // 2 for slot, known in each.grains.items()}
            self.grain *= 2.0
            grains *= 0.5
        grains = clipped(grains, 32700.0)
        before = table.grains.get(table.slot)
        if before is not None:
            grains = before + max(0.2, 1.0 / (table.passes + 1)) * (grains - before)
        table.grains[table.slot] = round(grains)
