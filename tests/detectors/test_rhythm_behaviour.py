"""What the detector "rhythm" finds, what it leaves alone, and after how long a change is normal."""
from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from offbeat_detectors import civil
from offbeat_detectors.rhythm import WARMUP, Rhythm
from offbeat_detectors.scores import score_all
from tests.detectors.rhythm_scenes import (
    DAY_MS,
    FOUND,
    MINUTE_MS,
    QUIET,
    SECOND_MS,
    START_MS,
    Series,
    found,
    office,
    strengths,
    wave,
)

SEEDS = range(4)
PER_10_000 = {50: 3.0, 75: 0.7}
SAME_INCIDENT = 25  # readings in which a clearly stronger finding may follow
SHIFT_KNOWN = 1440  # readings after which a new level is as normal as the old one


def not_yet(*values: object, reason: str) -> Any:
    """A case that does not hold yet: to mend it is to take this mark off."""
    return pytest.param(*values, marks=pytest.mark.xfail(raises=AssertionError, strict=True, reason=reason))


def of_kind(kind: str, n: int, rng: np.random.Generator) -> Series:
    return wave(n, 1440, rng) if kind == "season" else 50.0 + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("name", QUIET)
def test_without_anomalies_it_finds_as_little_as_the_scores_say(name: str) -> None:
    strength = strengths(name, 30, 20_000)
    assert (strength >= FOUND).mean() * 1e4 < PER_10_000[50]
    assert (strength >= 3.0).mean() * 1e4 < PER_10_000[75]


SPECIAL = {
    "constant": lambda rng, n: np.full(n, 20.1),
    "counter": lambda rng, n: np.cumsum(rng.poisson(3, n)).astype(float),
    "steady counter": lambda rng, n: 7.0 * np.arange(n),
    "counter that starts again at 5,000": lambda rng, n: np.cumsum(rng.poisson(3, n)).astype(float) % 5000,
    "steady counter that starts again at 7,000": lambda rng, n: 7.0 * np.arange(n) % 7000,
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.02, rng.exponential(10, n), 0.0),
    "two values": lambda rng, n: (rng.random(n) < 0.3).astype(float),
    "two values, one rare": lambda rng, n: (rng.random(n) < 0.01).astype(float),
    "on for an hour, off for two": lambda rng, n: (np.arange(n) // 60 % 3 == 0).astype(float),
}


NOT_YET_KNOWN = {
    "mostly zero": "0 to 7 findings in 16,000 readings, 50 to 77",
    "two values": "0 to 6 findings in 16,000 readings, 50 to 73",
}


@pytest.mark.parametrize("name", [
    not_yet(name, reason=NOT_YET_KNOWN[name]) if name in NOT_YET_KNOWN else name for name in SPECIAL])
def test_what_is_normal_for_such_a_series_is_no_finding_once_it_is_known(name: str) -> None:
    said = found(SPECIAL[name](np.random.default_rng(3), 20_000))
    assert said.within(4000, 20_000) == []


AGAIN = "so far beyond all its readings it is also off its usual course: 75 within 125 readings, or a day later"


@pytest.mark.parametrize(("kind", "sigmas"), [
    ("noise", 20), not_yet("noise", 1000, reason=AGAIN), ("season", 20), not_yet("season", 1000, reason=AGAIN)])
def test_a_level_shift_that_stays_alarms_once_and_is_then_normal(kind: str, sigmas: int) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        value, at = of_kind(kind, 12_000, rng), 8000 + 7 * seed
        value[at:] += 0.5 * sigmas
        said = found(value)
        first = said.within(at, at + SAME_INCIDENT)
        assert 1 <= len(first) <= 2, f"seed {seed}"
        assert first[0] - at <= 4, f"seed {seed}"
        assert said.score[first[-1]] >= said.score[first[0]], f"seed {seed}"
        assert said.within(at + SAME_INCIDENT, value.size) == [], f"seed {seed}"


CAPPED = "the height of the shift limits later jumps, and fades by half in 3,900 readings: the spike scores 45 to 59"


@pytest.mark.parametrize("kind", [not_yet("noise", reason=CAPPED), "season"])
def test_after_a_level_shift_a_spike_is_found_and_the_old_level_is_again_a_finding(kind: str) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        value, at = of_kind(kind, 8000 + 2 * SHIFT_KNOWN, rng), 8000
        value[at:] += 20.0
        spike = at + SHIFT_KNOWN
        value[spike] += 20.0
        assert found(value).within(spike, spike + 4), f"seed {seed}"
        back = at + SHIFT_KNOWN + 700
        value[back:] -= 20.0
        assert found(value).within(back, back + 8), f"seed {seed}"


@pytest.mark.parametrize(("minutes", "every_s", "kind"), [
    (0, 60, "noise"), (0, 60, "season"), (0, 10, "noise"), (0, 10, "season"),
    (10, 60, "noise"), (10, 60, "season"), (10, 10, "noise"), (10, 10, "season")])
def test_a_nightly_spike_stops_alarming_after_at_most_five_nights(kind: str, every_s: int, minutes: int) -> None:
    per_day, days = 86_400 // every_s, 21
    for seed in range(2):
        rng = np.random.default_rng(seed)
        value = wave(per_day * days, per_day, rng) if kind == "season" else 50 + 0.5 * rng.normal(size=per_day * days)
        for day in range(days):
            start = day * per_day + per_day // 8 + int(rng.integers(-2, 3))
            value[start : start + max(1, minutes * 60 // every_s)] += 15.0
        said = found(value, every_ms=every_s * SECOND_MS)
        nightly = [i for i in said.at if abs(i % per_day - per_day // 8) < per_day // 24]
        assert nightly, f"seed {seed}"
        assert nightly[-1] < 5 * per_day, f"seed {seed}: last in night {nightly[-1] // per_day}"


@pytest.mark.parametrize("start", ["2024-02-20", "2024-09-25"], ids=["spring", "autumn"])
@pytest.mark.parametrize("minutes", [5, 15])
@pytest.mark.parametrize("kind", ["office hours", "sine"])
def test_a_clock_change_raises_at_most_one_finding(start: str, minutes: int, kind: str) -> None:
    start_ms = int(datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1000
    n, transitions = 50 * 1440 // minutes, civil.transitions("Europe/Berlin")
    time_ms = start_ms + minutes * MINUTE_MS * np.arange(n)
    offset = np.array([civil.offset_at(*transitions, t, 0) for t in time_ms.tolist()])
    hour = (time_ms + offset) % DAY_MS / 3_600_000
    change = int(np.flatnonzero(np.diff(offset))[0]) + 1
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        value = office(hour, rng) if kind == "office hours" else (
            50.0 + 10.0 * np.sin(hour * np.pi / 12) + 0.5 * rng.normal(size=n))
        said = found(value, every_ms=minutes * MINUTE_MS, start_ms=start_ms, time_zone="Europe/Berlin")
        assert len(said.within(change, n)) <= 1, f"seed {seed}"
        assert said.within(7 * 1440 // minutes, change) == [], f"seed {seed}"


LAWS = {
    "normal": lambda rng, n: 20.0 + rng.normal(size=n),
    "Student t(3)": lambda rng, n: 20.0 + rng.standard_t(3, n),
    "slow wave": lambda rng, n: 20.0 + 3.0 * np.sin(np.arange(n) / 100) + rng.normal(size=n),
}


@pytest.mark.parametrize("peers", [5, 8])
@pytest.mark.parametrize("law", LAWS)
def test_a_new_member_of_a_group_is_judged_by_its_peers_from_its_first_reading(law: str, peers: int) -> None:
    for seed in SEEDS:
        detector, n = Rhythm(peers + 2), 2000
        detector.join(np.arange(peers + 2, dtype=np.int32), np.zeros(peers + 2, np.int32))
        time_ms = START_MS + SECOND_MS * np.arange(n)
        settled = np.stack([LAWS[law](np.random.default_rng((seed, i)), n) for i in range(peers)], axis=1)
        slot = np.tile(np.arange(peers, dtype=np.int32), n)
        detector.process(slot, np.repeat(time_ms, peers), settled.ravel())
        minute = time_ms[-1] + SECOND_MS * np.arange(1, 61)
        rng = np.random.default_rng((seed, 99))
        scores = []
        for new, times in ((peers, 10.0), (peers + 1, 1.0)):
            strength = detector.process(np.full(60, new, np.int32), minute, times * LAWS[law](rng, 60)).strength
            assert strength is not None
            score = np.empty(60)
            score_all(strength, score)
            scores.append(score)
        odd, like = scores
        assert odd[0] >= 50.0, f"seed {seed}"
        assert 1 <= (odd >= 50.0).sum() <= 2, f"seed {seed}"
        assert like.max() < 50.0, f"seed {seed}: at reading {like.argmax()}"


@pytest.mark.parametrize("at", [300, 1001, 2500, 9002])
def test_a_constant_that_moves_for_the_first_time_is_found_within_four_readings(at: int) -> None:
    value = np.full(at + 100, 20.1)
    value[at:] = 20.2
    said = found(value)
    assert said.within(0, at) == []
    assert len(said.within(at, at + 4)) == 1
    assert said.within(at + 4, value.size) == []


def faulty(fault: str, rng: np.random.Generator, per_day: int = 288, days: int = 25) -> tuple[Series, int]:
    """A noisy daily wave with one fault in its last day, and when it begins."""
    n = per_day * days
    value = wave(n, per_day, rng)
    at = n - per_day + int(rng.integers(0, per_day // 2))
    if fault == "a spike":
        value[at] += 10.0
    elif fault == "a level shift":
        value[at:] += 8.0
    elif fault == "a change of noise":
        value[at:] += 3.0 * rng.normal(size=n - at)
    elif fault == "a stuck value":
        value[at : at + per_day // 4] = value[at]
    else:
        at = n - per_day
        value[at:] = 50.0 + 0.5 * rng.normal(size=per_day)
    return value, at


@pytest.mark.parametrize("fault", [
    "a spike", "a level shift", "a change of noise", "a stuck value", "a missed cycle"])
def test_a_fault_in_a_noisy_seasonal_series_is_found(fault: str) -> None:
    for seed in range(6):
        value, at = faulty(fault, np.random.default_rng(seed))
        said = found(value, every_ms=5 * MINUTE_MS)
        assert said.within(at, value.size), f"seed {seed}: {said.score[at:].max():.0f} at most"
        assert said.within(WARMUP, at) == [], f"seed {seed}"


@pytest.mark.parametrize("period", [32, 96])
def test_a_missed_cycle_of_a_short_season_is_found(period: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = 40 * period
        value, at = wave(n, period, rng), 35 * period
        value[at : at + period] = 50.0 + 0.5 * rng.normal(size=period)
        assert found(value).within(at, at + 2 * period), f"seed {seed}"


@pytest.mark.parametrize("kind", ["noise", "season"])
@pytest.mark.parametrize("monster", [1e12, -1e30, 1e300])
def test_an_absurd_value_does_not_blind_it_for_a_spike_a_hundred_readings_later(kind: str, monster: float) -> None:
    for seed in SEEDS:
        for later in (100, 300, 1000):
            rng = np.random.default_rng(seed)
            value = of_kind(kind, 6000 + later + 100, rng)
            value[6000] = monster
            value[6000 + later] += 15.0
            said = found(value)
            assert said.within(6000, 6001), f"seed {seed}"
            assert said.within(6001, 6000 + later) == [], f"seed {seed}"
            assert said.within(6000 + later, 6004 + later), f"seed {seed}, {later} later"
