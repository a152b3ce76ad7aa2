"""The parts of "rhythm" once more, slow and obvious, one series at a time; their constants are the kernels' own."""
from __future__ import annotations

import math
from dataclasses import dataclass, field

from offbeat_detectors import counters, incidents, jumps, patterns, prior, repeats, tails
from tests.detectors.naive_extremes import f32

Triple = tuple[int, int, int]


def within(x: float, most: float) -> float:
    return min(most, max(-most, x))


class Scale:
    """Blocks of one length, and for each past block how unlike the pattern that it ends is to the present one."""

    def __init__(self, lags: int, block: int, memory: float) -> None:
        self.lags, self.block, self.memory = lags, block, memory
        self.origin: float | None = None
        self.unit = 0.0
        self.readings: list[float] = []  # of the present block, less the origin
        self.blocks: list[Triple] = []  # mean, high and low of those before, in units, newest first
        self.distances: list[int] = []  # of the pattern that ended with each of them
        self.mean = self.variance = self.reach = 0.0
        self.judged = self.beyond = 0
        self.nearest = self.second = 0
        self.z = math.nan

    def take(self, x: float) -> bool:
        if self.origin is None:
            self.origin = x
        self.readings.append(x - self.origin)
        if len(self.readings) < self.block:
            return False
        self.end()
        return True

    def successor(self) -> float:
        if self.nearest < 2 or self.origin is None:
            return math.nan
        return self.origin + self.blocks[self.nearest - 1][0] * self.unit

    def end(self) -> None:
        total = self.readings[0]
        for x in self.readings[1:]:
            total += x
        features = [total / self.block, max(self.readings), min(self.readings)]
        self.readings = []
        coded = self.coded(features)
        spread = f32(math.sqrt(self.variance))
        limit = f32(1e30)
        if self.judged > patterns.LIMIT_FROM and spread + self.mean > 0.0:
            limit = f32(patterns.LIMIT * f32(spread + self.mean))
        for lag, (mean, high, low) in enumerate(self.blocks):
            apart = abs(coded[0] - mean) + 0.5 * (abs(coded[1] - high) + abs(coded[2] - low))
            faded = float(patterns.FADE) * self.distances[lag]
            self.distances[lag] = int(f32(min(patterns.RANGE, f32(faded + min(limit, apart))) + 0.5))
        order = sorted(range(patterns.NEAR_LAG, len(self.blocks)), key=lambda lag: self.distances[lag])[:2]
        self.nearest, self.second = (order[k] + 1 if k < len(order) else 0 for k in (0, 1))
        if len(order) == 2:
            self.judge(0.5 * sum(self.distances[lag] for lag in order), spread)
        self.blocks = [coded, *self.blocks][: self.lags]
        self.distances = [*self.distances, 0][: self.lags]
        self.fit()

    def coded(self, features: list[float]) -> Triple:
        """The features as whole numbers, after the range has moved if it has to."""
        far = max(abs(features[1]), abs(features[2]))
        if self.unit == 0.0:
            if far == 0.0:
                return 0, 0, 0
            self.unit = max(1e-300, far / patterns.FINE)
        self.beyond = self.beyond + 1 if far > patterns.RANGE * self.unit else 0
        if self.beyond == patterns.BEYOND:
            mean, high, low = features
            self.rescale(mean, max(self.unit, (high - low) / patterns.FINE, abs(mean) / patterns.COARSE))
            features = [0.0, high - mean, low - mean]
            far = max(abs(features[1]), abs(features[2]))
            self.beyond = 0
        faded = f32(f32(patterns.REACH_FADE) * self.reach)
        self.reach = max(faded, f32(min(patterns.RANGE, far / self.unit)))
        mean, high, low = (round(within(feature * (1.0 / self.unit), patterns.RANGE)) for feature in features)
        return mean, high, low

    def judge(self, s: float, spread: float) -> None:
        if self.judged >= patterns.KNOWN:
            by = spread + patterns.FLOOR * self.mean
            if by > 0.0:
                self.z = f32(min(patterns.UNLIKE_MAX, max(0.0, (s - self.mean) / by)))
            else:
                self.z = patterns.UNLIKE_MAX if s > self.mean else 0.0
        self.judged += 1
        gain = max(1.0 / self.judged, 1.0 / self.memory)
        e = s - self.mean
        self.mean = f32(self.mean + gain * e)
        self.variance = f32(max(0.0, self.variance + gain * ((1.0 - gain) * e * e - self.variance)))

    def fit(self) -> None:
        """Another unit, where the present one is too fine or too coarse."""
        if self.judged < patterns.KNOWN or self.unit == 0.0:
            return
        spread = f32(math.sqrt(self.variance))
        wanted = max(f32(spread + self.mean) / patterns.FINE, self.reach / patterns.COARSE)
        if wanted > 2.0 or 0.0 < wanted < 0.5:
            self.rescale(0.0, max(1e-300, self.unit * wanted))

    def rescale(self, shift: float, unit: float) -> None:
        assert self.origin is not None
        factor, moved = self.unit / unit, shift / unit
        self.blocks = [
            (round(within(a * factor - moved, patterns.RANGE)), round(within(b * factor - moved, patterns.RANGE)),
             round(within(c * factor - moved, patterns.RANGE)))
            for a, b, c in self.blocks]
        self.distances = [round(min(patterns.RANGE, d * factor)) for d in self.distances]
        self.origin, self.unit = self.origin + shift, unit
        self.mean = f32(min(1e30, self.mean * factor))
        self.variance = f32(min(1e36, self.variance * factor * factor))
        self.reach = f32(min(patterns.RANGE, self.reach * factor + abs(moved)))


@dataclass
class Tail:
    common: float = 0.0
    rare: float = 0.0
    seen: int = 0

    def heaviness(self) -> float:
        if not 0.0 < self.common < self.rare:
            return 0.0
        return f32(math.log(f32(self.rare / self.common))) / math.log(tails.COMMON / tails.RARE)

    def learn(self, novelty: float, rate_min: float, rate_max: float, common_min: float) -> None:
        if novelty <= 0.0:
            return
        self.seen += 1
        rate = max(rate_min, min(rate_max, tails.RATE_FIRST / (self.seen + 1.0)))
        common = self.common * (1.0 - rate * tails.COMMON + rate * (novelty > self.common))
        rare = self.rare * (1.0 - 1.5 * rate * tails.RARE + 1.5 * rate * (novelty > self.rare))
        self.common = f32(min(1e30, max(common_min, common)))
        self.rare = f32(min(1e30, max(1e-30, rare)))


class Jump:
    def __init__(self) -> None:
        self.readings: list[float] = []
        self.unit = 0.0
        self.tail = Tail()
        self.largest = [0.0, 0.0]

    def judge(self, x: float) -> tuple[float, float]:
        if len(self.readings) < jumps.BEFORE:
            return 0.0, 0.0
        height = x - sorted(self.readings)[jumps.BEFORE // 2]
        if self.tail.seen < jumps.LEARN:
            return 0.0, height
        distance = min(jumps.DISTANCE_MAX, abs(height) / self.unit)
        over = distance / self.tail.common
        if over <= 1.0:
            return 0.0, height
        heavy = within(max(jumps.NORMAL, self.tail.heaviness()), jumps.HEAVY_MAX)
        novelty = jumps.GAIN * (over ** ((jumps.NORMAL / heavy) ** jumps.POWER) - 1.0)
        if self.largest[1] > 0.0:
            novelty = min(novelty, jumps.LARGEST * (distance / self.largest[1]) ** jumps.TOP_POWER)
        return novelty, height

    def learn(self, x: float, height: float) -> None:
        if len(self.readings) == jumps.BEFORE:
            self.largest = [f32(d * jumps.FADE) if d > 1e-30 else 0.0 for d in self.largest]
            if height:
                if self.unit == 0.0:
                    self.unit, self.tail = abs(height), Tail(1.0, 1.75)
                distance = min(jumps.DISTANCE_MAX, abs(height) / self.unit)
                self.tail.learn(distance, jumps.RATE_MIN, jumps.RATE_MAX, 1e-30)
                if distance > self.largest[1]:
                    self.largest = sorted([self.largest[0], f32(distance)], reverse=True)
        self.readings = [*self.readings, x][-jumps.BEFORE :]


@dataclass
class Memory:
    """What stood out: when, in civil seconds, and how large; the newest stands in the place of what it replaced."""

    places: int
    kept: list[tuple[int, float]] = field(default_factory=list)

    def knows(self, time_s: int, size: float) -> int:
        """By the intervals to all that was like it, the last first; else by how many were like it lately."""
        side = -1.0 if size < 0.0 else 1.0
        like = [(time_s - t, abs(s)) for t, s in self.kept if t < time_s and side * s >= repeats.AS_LARGE * abs(size)]
        agos = sorted(ago for ago, _ in like)
        if len(agos) >= 2:
            last, between = agos[0], agos[1] - agos[0]
            if abs(last - between) <= repeats.REGULAR * between:
                return repeats.RHYTHMIC
        other_days = [ago % repeats.DAY_S for ago in agos if ago > repeats.HALF_DAY_S]
        late = repeats.DAY_TOLERANCE_S
        if sum(off <= late or off >= repeats.DAY_S - late for off in other_days) >= repeats.DAYS_KNOWN:
            return repeats.RHYTHMIC
        alike = [s for ago, s in like if ago <= repeats.OLD_S and repeats.ALIKE * s <= abs(size)]
        return repeats.HABITUAL if len(alike) >= repeats.HABIT else repeats.NEW

    def keep(self, time_s: int, size: float) -> None:
        if any(t >= time_s for t, _ in self.kept):
            return
        if len(self.kept) < self.places:
            self.kept.append((time_s, f32(size)))
            return
        gone = min(self.kept)
        if time_s - gone[0] <= repeats.OLD_S:
            least = min(abs(size) for _, size in self.kept)
            gone = min(one for one in self.kept if repeats.AS_LARGE * abs(one[1]) <= least)
        self.kept[self.kept.index(gone)] = time_s, f32(size)


@dataclass
class Counter:
    """A total that starts again, by its steps up and down."""

    before: float = math.nan
    up: int = 0
    down: int = 0
    landing: float = -math.inf
    ago: int = counters.LASTS

    def restarted(self, x: float) -> bool:
        before, self.before = self.before, x
        self.ago += 1
        if x > before:
            self.up += 1
        if x < before:
            rises = self.up >= max(counters.RISES_MIN, counters.RISES_A_FALL * self.down)
            if rises and self.down >= counters.KNOWN and x - self.landing <= counters.NEAR * (before - self.landing):
                self.ago = 0
            self.landing = max(self.landing, f32(x))
            self.down += 1
        if self.up >= 60_000 or self.down >= 250:
            self.up, self.down = self.up // 2, (self.down + 1) // 2
        return self.ago < counters.LASTS


@dataclass
class Account:
    hold: int
    peak: float
    cap: float
    power: int
    decay: float
    peaks: float = 0.0
    held: float = 0.0
    top: float = 0.0
    age: int = 0

    def over(self, novelty: float) -> bool:
        """Whether the incident, if there is one, is past with this reading."""
        long_ago = self.age > incidents.LASTING
        return bool(self.held) and (long_ago or (self.age > self.hold and novelty < incidents.QUIET * self.held))

    def strength(self, novelty: float, weight: float = 1.0) -> float:
        self.age += 1
        self.peaks = f32(self.peaks * self.decay)
        if self.over(novelty):
            self.peaks = f32(self.peaks + min(self.top / self.peak, self.cap) ** self.power)
            self.held = self.top = 0.0
        told = weight * novelty
        self.top = max(self.top, f32(told))
        if novelty <= incidents.OVERRIDE * self.held:
            return 0.0
        self.held, self.age = f32(novelty), 0
        return told / (1.0 + f32(math.sqrt(self.peaks)))


class Incidents:
    def __init__(self) -> None:
        i = incidents
        self.pattern = Account(i.PATTERN_HOLD, i.PATTERN_PEAK, i.PATTERN_CAP, 2, i.PATTERN_DECAY, i.PATTERN_START)
        self.jump = Account(i.JUMP_HOLD, i.JUMP_PEAK, i.JUMP_CAP, 1, i.JUMP_DECAY, i.JUMP_START)
        self.slow = Account(i.SLOW_HOLD, i.SLOW_PEAK, 2.0, 1, i.PATTERN_DECAY)
        self.last, self.age = 0.0, 0

    def strength(
        self, pattern: float, jump: float, slow: float, pattern_weight: float = 1.0, jump_weight: float = 1.0,
    ) -> float:
        strength = max(
            incidents.STRENGTH * self.pattern.strength(pattern, pattern_weight),
            incidents.STRENGTH * incidents.JUMP_WORTH * self.jump.strength(jump, jump_weight),
            self.slow.strength(slow))
        self.age += 1
        if strength == 0.0 or self.told(strength):
            return 0.0
        self.last, self.age = f32(strength), 0
        return strength

    def told(self, strength: float) -> bool:
        """Whether another account has told this incident, and loudly enough."""
        if self.age > incidents.SAME or strength > incidents.SAME_OVERRIDE * self.last:
            return False
        return strength < incidents.ALARM or self.last >= incidents.ALARM


class Group:
    """What settled members taught."""

    def __init__(self) -> None:
        self.lessons = self.members = 0
        self.level = self.reach = self.peaks = 0.0

    def teach(self, first: bool, x: float, peaks: float) -> None:
        self.members += first
        self.lessons += 1
        if self.lessons == 1:
            self.level, self.peaks = x, f32(peaks)
            return
        rate = max(prior.RATE, 1.0 / self.lessons)
        away = x - self.level
        if self.reach:
            outside = abs(away) > self.reach
            self.reach *= 1.0 + 4.0 * rate * ((1.0 - prior.OUTSIDE) if outside else -prior.OUTSIDE)
            self.level += rate * within(away, prior.CLIP * self.reach)
        else:
            self.reach = abs(away)
            self.level += rate * (within(away, prior.CLIP * self.reach) if self.reach else away)
        self.peaks = f32(self.peaks + rate * (peaks - self.peaks))

    def knows(self) -> bool:
        return self.members >= prior.MEMBERS_MIN and self.lessons >= prior.SEEN_MIN

    def novelty(self, seen: int, x: float) -> float:
        if self.reach <= 0.0 or abs(x - self.level) <= self.reach:
            return 0.0
        beyond = abs(x - self.level) / self.reach - 1.0
        return min(prior.NOVELTY_MAX, prior.GAIN * beyond) * max(0.0, 1.0 - seen / prior.OWN)
