"""The detector "rhythm" once more, slow and obvious: one object a series, put together from the twins of its parts."""
from __future__ import annotations

import math
from dataclasses import dataclass

from offbeat_detectors import incidents, prior, repeats, rhythm, settling
from offbeat_detectors.contract import NOTE_PRIOR, NOTE_REPEATS, NOTE_SETTLING
from tests.detectors.naive_arrival import Arrival
from tests.detectors.naive_drift import Drift
from tests.detectors.naive_experts import Experts
from tests.detectors.naive_extremes import f32
from tests.detectors.naive_outside import Outside
from tests.detectors.naive_rhythm_parts import Account, Counter, Group, Incidents, Jump, Memory, Scale, Tail, within
from tests.detectors.naive_stuck import Stuck


@dataclass
class Said:
    """What is said of one reading; pieces in the order of rhythm.PIECES."""

    novelty: float
    strength: float
    typical: float
    lower: float
    upper: float
    pieces: tuple[float, ...] = ()
    similar: tuple[int, int] = (0, 0)
    notes: int = 0


def soft(novelty: float, limit: float) -> float:
    return novelty if novelty <= limit else limit * (1.0 + rhythm.SOFT * math.log(novelty / limit))


class Series:
    """One series, and what it knows of its group."""

    def __init__(self, tier: str = "standard", group: Group | None = None, without: tuple[str, ...] = ()) -> None:
        lags = rhythm.TIERS[tier]
        blocks = rhythm.SMALL, rhythm.MIDDLE, rhythm.LARGE
        memories = rhythm.MEMORY_SMALL, rhythm.MEMORY_MIDDLE, rhythm.MEMORY_LARGE
        self.scales = [Scale(*of_one) for of_one in zip(lags, blocks, memories, strict=True) if of_one[0]]
        self.group, self.without = group, without
        self.experts = Experts(24, 1) if tier == "light" else Experts()
        self.tail = Tail(1.0, 1.75)
        self.jump, self.incidents = Jump(), Incidents()
        self.jumps, self.patterns = Memory(repeats.JUMPS), Memory(repeats.PATTERNS)
        self.counter = Counter()
        self.drift, self.stuck, self.arrival, self.outside = Drift(), Stuck(), Arrival(), Outside()
        self.novelty = 0.0  # of the patterns together, since the last block ended
        self.shape = self.sudden = 0.0  # what small blocks and jumps said lately, fading
        self.seen, self.taught, self.began_s = 0, False, 0
        self.rate = 0.0  # what the last block of arrivals was worth

    def judge(self, time_ms: int, x: float, offset_ms: int = 0) -> Said:
        x = within(x, 1e300)
        band = (math.nan,) * 3
        if "experts" not in self.without:
            band = self.experts.judge(time_ms, x, offset_ms, self.scales[0].successor())
        seen, self.seen = self.seen, self.seen + 1
        group = self.group
        by_peers = (
            group is not None and group.knows() and seen < prior.OWN and "peers" not in self.without)
        if by_peers and seen == 0:
            assert group is not None
            self.incidents.jump.peaks = group.peaks
        civil_s, notes = min((1 << 32) - 1, max(1, time_ms // 1000 + offset_ms // 1000)), 0
        self.began_s = time_ms // 1000 if seen == 0 else self.began_s

        self.take_blocks(x)
        pattern = soft(self.novelty, rhythm.PATTERN_SOFT)
        jump, height = self.jump.judge(x)
        if by_peers:
            assert group is not None
            if group.novelty(seen, x) > jump:
                jump, notes = group.novelty(seen, x), notes | NOTE_PRIOR
        jump = 0.0 if "jump" in self.without else jump
        jump_known = self.repeated(self.jumps, self.incidents.jump, jump, civil_s, height)
        pattern_known = self.repeated(self.patterns, self.incidents.pattern, pattern, civil_s, pattern)
        jump_weight = (1.0, rhythm.JUMP_HABITUAL, rhythm.JUMP_REPEATED)[jump_known]
        pattern_weight = rhythm.PATTERN_REPEATED if pattern_known else 1.0
        restarted = self.counter.restarted(x) and "repeats" not in self.without
        if restarted:
            jump_weight, pattern_weight = rhythm.JUMP_REPEATED, rhythm.PATTERN_REPEATED
        notes |= NOTE_REPEATS if jump_known or pattern_known or restarted else 0
        jump = soft(jump, rhythm.JUMP_SOFT)
        self.jump.learn(x, height)

        drifting = 0.0 if "drift" in self.without else self.drift.judge(x)
        stuck = 0.0 if "stuck" in self.without else self.stuck.judge(time_ms, x)
        rate = 0.0 if "rate" in self.without else self.arrival.judge(time_ms)
        if self.arrival.block == [] and self.arrival.behind == 0:
            self.rate = rhythm.RATE_GRAIN * min(255, int(rate / rhythm.RATE_GRAIN))
        away = 0.0 if "outside" in self.without else self.outside.judge(self.experts)
        slow = max(drifting, stuck, rate, away)
        small, middle, large = self.parts()
        self.shape = f32(max(small, rhythm.SHAPE_FADE * self.shape))
        self.sudden = f32(max(jump_weight * jump, rhythm.SUDDEN_FADE * self.sudden))
        novelty = self.shape + middle + large + rhythm.SUDDEN_SHARE * self.sudden
        strength = self.incidents.strength(pattern, jump, slow, pattern_weight, jump_weight)
        if not notes & NOTE_PRIOR and "settling" not in self.without:
            whole, strength = strength, strength * self.counts(seen, time_ms)
            strength = min(strength, settling.BEARS * seen)
            notes |= NOTE_SETTLING if strength < whole else 0
        jump, pattern = incidents.STRENGTH * incidents.JUMP_WORTH * jump, incidents.STRENGTH * pattern
        self.teach(seen, x)
        if seen < rhythm.WARMUP and not by_peers:
            return Said(math.nan, 0.0, math.nan, math.nan, math.nan)
        pieces = jump, *self.shares(pattern), drifting, stuck, max(rate, self.rate), 0.0, away
        return Said(max(novelty, slow, strength), strength, *band, pieces, self.similar(), notes)

    def counts(self, seen: int, time_ms: int) -> float:
        """How much of a finding counts after so many readings and days."""
        days = (time_ms / 1000 - self.began_s) / 86_400
        return math.pow(within(max(seen / settling.READINGS, days / settling.DAYS), 1.0), settling.POWER)

    def take_blocks(self, x: float) -> None:
        ended = [scale.take(x) for scale in self.scales]
        if not ended[0]:
            return
        together = sum(
            part for name, part in zip(("shape", "pattern", "long pattern"), self.parts(), strict=True)
            if name not in self.without)
        self.novelty = f32(together if "tails" in self.without else self.compressed(together))
        self.tail.learn(together, rhythm.TAIL_RATE_MIN, rhythm.TAIL_RATE_MAX, rhythm.COMMON_MIN)

    def parts(self) -> list[float]:
        """What each of three scales gives; one that knows too little gives nothing."""
        z = [0.0 if math.isnan(scale.z) else scale.z for scale in self.scales] + [0.0]
        return [z[0], rhythm.MIDDLE_SHARE * z[1], rhythm.LARGE_SHARE * z[2]]

    def compressed(self, novelty: float) -> float:
        if novelty <= self.tail.common:
            return novelty
        heavy = within(max(rhythm.NORMAL, self.tail.heaviness()), rhythm.HEAVY_MAX)
        believed = self.tail.seen / (self.tail.seen + rhythm.TAIL_KNOWN)
        over = novelty / self.tail.common
        return self.tail.common * math.pow(over, 1.0 + believed * (rhythm.NORMAL / heavy - 1.0))

    def repeated(self, memory: Memory, account: Account, novelty: float, civil_s: int, size: float) -> int:
        """How well what stands out now, and is not told yet, is known, as ``repeats`` says; then it is remembered."""
        told = novelty <= incidents.OVERRIDE * account.held
        if "repeats" in self.without or novelty <= rhythm.RARELY or told:
            return repeats.NEW
        known = memory.knows(civil_s, size)
        memory.keep(civil_s, size)
        return known

    def teach(self, seen: int, x: float) -> None:
        if self.group is not None and seen >= prior.SETTLED and seen % prior.EVERY == 0:
            self.group.teach(not self.taught, x, self.incidents.jump.peaks)
            self.taught = True

    def shares(self, pattern: float) -> list[float]:
        """The novelty of the patterns, parted among the scales as these gave."""
        parts = self.parts()
        return [pattern * part / sum(parts) if sum(parts) else 0.0 for part in parts]

    def similar(self) -> tuple[int, int]:
        """How many readings ago the two most similar patterns ended, at the scale that finds the present one odder."""
        parts = self.parts()
        scale = self.scales[1 if parts[1] > parts[0] else 0]
        first, second = (
            blocks * scale.block + len(scale.readings) if blocks else 0 for blocks in (scale.nearest, scale.second))
        return first, second
