"""The parts of the detector "rhythm", each against its definition."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors import counters, incidents, jumps, patterns, prior, repeats, tails
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import zero_rows
from tests.detectors import naive_rhythm_parts as naive

Array = NDArray[Any]
DAY_S = 86_400

STRETCH = st.tuples(
    st.sampled_from([0.0, 1.0, -20.0, 0.1, 1e6, 1e12, -1e300, 1e300, 1e-300, 5e-324]),  # level
    st.sampled_from([0.0, 0.0, 1e-300, 1e-3, 1.0, 1.0, 50.0, 1e9, 1e299]),  # spread
    st.sampled_from([0.0, 0.5, 1.0, 4.0]),  # step of the values, in spreads; 0: none
    st.integers(1, 80))
STRETCHES = st.lists(STRETCH, min_size=1, max_size=8)
SEED = st.integers(0, 2**16)


def readings(stretches: list[tuple[float, float, float, int]], seed: int) -> NDArray[np.float64]:
    """Stretches of noise around their levels: constant, quantised or neither, orders of magnitude apart."""
    rng = np.random.default_rng(seed)
    parts = []
    for level, spread, step, n in stretches:
        noise = rng.normal(size=n)
        parts.append(level + spread * (np.round(noise / step) * step if step else noise))
    return np.clip(np.concatenate(parts), -1e300, 1e300)


@kernel
def take_all(ring: Array, rows: Array, x: Array, block: int, memory: float, z: Array, following: Array) -> None:
    for i in range(x.size):
        following[i] = patterns.successor(rows[0])
        patterns.take_reading(ring, rows[0], x[i], block, memory)
        z[i] = rows[0].z


@settings(deadline=None, max_examples=120)
@given(STRETCHES, SEED, st.sampled_from([(1, 3), (1, 8), (4, 5), (4, 40), (16, 8)]), st.sampled_from([12.0, 2000.0]))
def test_patterns_are_compared_as_their_definition_says(
    stretches: list[tuple[float, float, float, int]], seed: int, shape: tuple[int, int], memory: float,
) -> None:
    (block, lags), x = shape, readings(stretches, seed)
    ring, rows = np.zeros(patterns.ROWS * lags, np.int16), zero_rows(1, patterns.SCALE)
    z, following = np.empty(x.size), np.empty(x.size)
    take_all(ring, rows, x, block, memory, z, following)

    twin = naive.Scale(lags, block, memory)
    expected = []
    for reading in x.tolist():
        successor = twin.successor()
        twin.take(reading)
        expected.append((twin.z, successor))
    np.testing.assert_allclose(z, [e[0] for e in expected], rtol=1e-6)
    np.testing.assert_allclose(following, [e[1] for e in expected], rtol=1e-12)
    row, have = rows[0], len(twin.blocks)
    assert (row["have"], row["nearest"], row["second"], row["seen"], row["rows"], row["beyond"]) == (
        have, twin.nearest, twin.second, twin.judged, len(twin.readings), twin.beyond)
    newest_first = (int(row["at"]) + np.arange(have)) % lags
    kept = ring.reshape(patterns.ROWS, lags)
    np.testing.assert_array_equal(
        kept[patterns.MEAN :, newest_first].T, np.array(twin.blocks, np.int64).reshape(have, 3))
    np.testing.assert_array_equal(kept[patterns.DISTANCE, (newest_first + 1) % lags], twin.distances)
    for name in ("unit", "mean", "variance", "reach"):
        assert float(row[name]) == pytest.approx(getattr(twin, name), rel=1e-6, abs=0.0), name
    assert np.isfinite([float(row[name]) for name in ("origin", "unit", "mean", "variance", "reach")]).all()


@settings(deadline=None, max_examples=100)
@given(STRETCHES, SEED, st.sampled_from([(0.012, 0.2, 0.05), (0.003, 0.4, 1e-30)]))
def test_two_quantiles_are_learned_as_their_definition_says(
    stretches: list[tuple[float, float, float, int]], seed: int, rates: tuple[float, float, float],
) -> None:
    x, rows, twin = readings(stretches, seed), zero_rows(1, tails.TAIL), naive.Tail(1.0, 1.75)
    rows["common"], rows["rare"] = 1.0, 1.75
    heavy = np.empty(x.size)
    learn_tails(rows, x, *rates, heavy)
    expected = []
    for one in x.tolist():
        twin.learn(one, *rates)
        expected.append(twin.heaviness())
    np.testing.assert_allclose(heavy, expected, rtol=1e-5, atol=1e-6)
    assert (rows["common"][0], rows["rare"][0], rows["seen"][0]) == pytest.approx(
        (twin.common, twin.rare, twin.seen), rel=1e-6)


@kernel
def learn_tails(rows: Array, x: Array, rate_min: float, rate_max: float, common_min: float, heavy: Array) -> None:
    for i in range(x.size):
        tails.learn_tail(rows[0], x[i], rate_min, rate_max, common_min)
        heavy[i] = tails.heaviness(rows[0])


@pytest.mark.parametrize(("law", "expected"), [("normal", 0.34), ("t(3)", 0.50), ("lognormal", 0.61)])
def test_the_heaviness_of_a_tail_is_that_of_its_law(law: str, expected: float) -> None:
    rng, n = np.random.default_rng(1), 200_000
    x = np.abs({"normal": rng.normal(size=n), "t(3)": rng.standard_t(3, n), "lognormal": rng.lognormal(size=n)}[law])
    rows, heavy = zero_rows(1, tails.TAIL), np.empty(n)
    rows["common"], rows["rare"] = 1.0, 1.75
    learn_tails(rows, x, 0.003, 0.2, 1e-30, heavy)
    assert np.mean(heavy[n // 2 :]) == pytest.approx(expected, abs=0.03)


@kernel
def jump_all(rows: Array, x: Array, novelty: Array, height: Array) -> None:
    for i in range(x.size):
        novelty[i], height[i] = jumps.judge_jump(rows[0], x[i])
        jumps.learn_jump(rows[0], x[i], height[i])


@settings(deadline=None, max_examples=120)
@given(STRETCHES, SEED)
def test_jumps_are_judged_as_their_definition_says(
    stretches: list[tuple[float, float, float, int]], seed: int,
) -> None:
    x, rows, twin = readings(stretches, seed), zero_rows(1, jumps.JUMP), naive.Jump()
    novelty, height = np.empty(x.size), np.empty(x.size)
    jump_all(rows, x, novelty, height)
    expected = []
    for one in x.tolist():
        expected.append(twin.judge(one))
        twin.learn(one, expected[-1][1])
    np.testing.assert_allclose(novelty, [e[0] for e in expected], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(height, [e[1] for e in expected])


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=5, max_size=5))
def test_the_median_of_five_is_the_middle_one(five: list[float]) -> None:
    assert jumps.median_of_five(*five) == sorted(five)[2]


@kernel
def remember_all(rows: Array, is_jump: Array, time_s: Array, size: Array, known: Array) -> None:
    for i in range(time_s.size):
        first, places = (0, repeats.JUMPS) if is_jump[i] else (repeats.JUMPS, repeats.PATTERNS)
        known[i] = repeats.remembered(rows[0], first, places, time_s[i], size[i])
        repeats.remember(rows[0], first, places, time_s[i], size[i])


SIZE = st.sampled_from([5.0, 6.0, 9.0, 300.0, -5.0, 0.0, 1e300, 1e-300])
HAPPENING = st.tuples(
    st.booleans(), st.sampled_from([0, 60, 600, 610, -600, 3600, DAY_S, DAY_S + 900, 40_000, 9 * DAY_S]), SIZE)


@settings(deadline=None, max_examples=150)
@given(st.lists(HAPPENING, min_size=1, max_size=60))
def test_repeats_are_known_as_their_definition_says(happenings: list[tuple[bool, int, float]]) -> None:
    is_jump, size = np.array([h[0] for h in happenings]), np.array([h[2] for h in happenings])
    time_s = 1_000_000 + np.cumsum([h[1] for h in happenings])
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(time_s.size, int)
    with np.errstate(over="ignore"):
        remember_all(rows, is_jump, time_s, size, known)
        memories = {True: naive.Memory(repeats.JUMPS), False: naive.Memory(repeats.PATTERNS)}
        expected = []
        for which, t, s in zip(is_jump.tolist(), time_s.tolist(), size.tolist(), strict=True):
            expected.append(memories[which].knows(t, s))
            memories[which].keep(t, s)
    np.testing.assert_array_equal(known, expected)


@pytest.mark.parametrize("is_jump", [True, False])
def test_what_comes_every_day_is_known_from_the_third_time_on_for_ever(is_jump: bool) -> None:
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(1000, int)
    remember_all(rows, np.full(1000, is_jump), DAY_S * np.arange(1, 1001), np.full(1000, 5.0), known)
    assert known.tolist() == [repeats.NEW] * 2 + [repeats.RHYTHMIC] * 998


def test_what_comes_every_hour_is_known_from_the_third_time_on_for_ever() -> None:
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(1000, int)
    remember_all(rows, np.ones(1000, bool), 1_000_000 + 3600 * np.arange(1000), np.full(1000, 5.0), known)
    assert known.tolist() == [repeats.NEW] * 2 + [repeats.RHYTHMIC] * 998


def test_the_edges_of_a_machine_that_runs_a_third_of_every_two_hours_are_known_for_ever() -> None:
    n = 1000
    time_s = 1_000_000 + np.cumsum(np.tile([2400, 4800], n // 2))
    size = np.tile([5.0, -5.0], n // 2) * np.random.default_rng(7).uniform(0.9, 1.1, n)
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(n, int)
    remember_all(rows, np.ones(n, bool), time_s, size, known)
    assert known.tolist() == [repeats.NEW] * 4 + [repeats.RHYTHMIC] * (n - 4)


def test_six_alike_within_eight_days_are_a_habit_at_whatever_intervals() -> None:
    time_s = 1_000_000 + np.cumsum([0, 40_000, 11_000, 70_000, 3_000, 25_000, 52_000, 8_000, 9 * DAY_S])
    size = np.array([5.0, 4.5, 5.5, 5.0, 5.2, 4.8, 5.0, 9.0, 5.0])
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(size.size, int)
    remember_all(rows, np.ones(size.size, bool), time_s, size, known)
    assert known[:8].tolist() == [repeats.NEW] * 6 + [repeats.HABITUAL, repeats.NEW]
    assert known[8] != repeats.HABITUAL  # nine days later


def test_a_large_one_is_remembered_for_a_week_among_any_number_of_small_ones() -> None:
    rng = np.random.default_rng(4)
    day = np.repeat(np.arange(12), 200)
    time_s = 1_000_000 + DAY_S * day + np.tile(np.sort(rng.choice(80_000, 200, replace=False)), 12)
    size = rng.uniform(2.0, 3.0, time_s.size)
    nightly = np.arange(12) * 200 + 70
    size[nightly] = 30.0
    rows, known = zero_rows(1, repeats.REPEATS), np.empty(time_s.size, int)
    remember_all(rows, np.ones(time_s.size, bool), time_s, size, known)
    assert known[nightly].tolist() == [repeats.NEW] * 2 + [repeats.RHYTHMIC] * 10


@kernel
def restart_all(rows: Array, x: Array, restarted: Array) -> None:
    for i in range(1, x.size):
        restarted[i] = counters.restarted(rows[0], x[i - 1], x[i])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 300), st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.0, 3.0, 400.0])),
                min_size=1, max_size=12), SEED)
def test_restarts_of_a_total_are_known_as_their_definition_says(
    runs: list[tuple[int, float, float]], seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate([
        start + np.cumsum(rng.poisson(3, n) - 9 * (rng.random(n) < 0.02 * noise)) for n, noise, start in runs])
    rows, restarted = zero_rows(1, counters.COUNTER), np.zeros(x.size, bool)
    restart_all(rows, x, restarted)
    twin = naive.Counter()
    assert restarted.tolist() == [twin.restarted(reading) for reading in x.tolist()]


def test_a_total_that_starts_again_is_known_from_the_third_time_on_whenever_it_does() -> None:
    lengths = [200, 90, 310, 150, 270]
    x = np.concatenate([np.cumsum(np.full(n, 7.0)) for n in lengths])
    rows, restarted = zero_rows(1, counters.COUNTER), np.zeros(x.size, bool)
    restart_all(rows, x, restarted)
    starts = np.cumsum(lengths)[:-1]
    assert restarted[starts].tolist() == [False, False, True, True]
    assert restarted[starts[2] : starts[2] + counters.LASTS].all()
    assert restarted.sum() == 2 * counters.LASTS


def test_a_total_that_falls_back_a_little_has_not_started_again() -> None:
    x = np.concatenate([np.cumsum(np.full(n, 7.0)) for n in (200, 90, 310, 150)])
    x[700:] -= 300.0
    rows, restarted = zero_rows(1, counters.COUNTER), np.zeros(x.size, bool)
    restart_all(rows, x, restarted)
    assert restarted[600] and not restarted[700:].any()


@kernel
def strength_all(rows: Array, novelty: Array, weight: Array, strength: Array) -> None:
    incidents.begin(rows[0])
    for i in range(strength.size):
        pattern, jump, slow = novelty[0, i], novelty[1, i], novelty[2, i]
        strength[i] = incidents.strength_of(rows[0], pattern, jump, slow, weight[0, i], weight[1, i])


EVENT = st.tuples(
    st.sampled_from([0.0, 0.4, 2.0, 8.0, 30.0]), st.integers(0, 2), st.integers(1, 150),
    st.sampled_from([0.1, 0.3, 1.0, 7.0]),  # how long it lasts, in its length: beyond it, it overlaps what follows
    st.sampled_from([1.0, 1.0, 0.1]))


@settings(deadline=None, max_examples=120)
@given(st.lists(EVENT, min_size=1, max_size=20), SEED)
def test_incidents_are_told_once_as_their_definition_says(
    events: list[tuple[float, int, int, float, float]], seed: int,
) -> None:
    n = sum(length for *_, length, _, _ in events)
    novelty, weight = 0.3 * np.random.default_rng(seed).exponential(size=(3, n)), np.ones((2, n))
    start = 0
    for size, which, length, lasts, known in events:
        novelty[which, start : start + int(lasts * length) + 1] += size
        weight[which % 2, start : start + length] = known
        start += length
    rows, strength, twin = zero_rows(1, incidents.INCIDENTS), np.empty(n), naive.Incidents()
    strength_all(rows, novelty, weight, strength)
    expected = [twin.strength(*five) for five in np.concatenate([novelty, weight]).T.tolist()]
    np.testing.assert_allclose(strength, expected, rtol=1e-5, atol=1e-7)


def told(novelty: NDArray[np.float64]) -> list[int]:
    """The readings with which something is told of three novelties a reading."""
    rows, strength = zero_rows(1, incidents.INCIDENTS), np.empty(novelty.shape[1])
    strength_all(rows, novelty, np.ones((2, novelty.shape[1])), strength)
    return np.flatnonzero(strength).tolist()


def test_an_incident_is_one_until_it_is_quiet() -> None:
    novelty = np.zeros((3, 1200))
    novelty[0, 10:500] = 5.0
    novelty[0, 700:] = 5.0
    assert told(novelty) == [10, 700]


def test_what_never_becomes_quiet_is_told_again_after_eight_hundred_readings() -> None:
    novelty, again = np.full((3, 1200), 5.0), incidents.LASTING + 1
    novelty[1:] = 0.0
    assert told(novelty) == [0, again]


def test_a_weak_beginning_does_not_hide_the_finding_that_comes_to_fifty() -> None:
    begun = np.zeros((3, 10))
    begun[2, 0], begun[0, 4] = 1.0, 2.3  # of strength 1.0 and 1.6: not SAME_OVERRIDE times as much, but ALARM
    quiet = begun.copy()
    quiet[0, 4] = 1.9  # of strength 1.32
    assert told(quiet) == [0]
    assert told(begun) == [0, 4]


@kernel
def teach_all(
    rows: Array, first: Array, x: Array, peaks: Array, seen: Array, novelty: Array, knows: Array,
) -> None:
    for i in range(x.size):
        novelty[i] = prior.judge_by_peers(rows, 0, seen[i], x[i])
        prior.teach(rows[0], first[i], x[i], peaks[i])
        knows[i] = prior.knows(rows, 0)


@settings(deadline=None, max_examples=80)
@given(STRETCHES, SEED)
def test_a_group_is_taught_as_its_definition_says(
    stretches: list[tuple[float, float, float, int]], seed: int,
) -> None:
    x, rng = readings(stretches, seed), np.random.default_rng(seed)
    first, seen, peaks = rng.random(x.size) < 0.05, rng.integers(0, 80, x.size), 10 * rng.random(x.size)
    rows, novelty, knows = zero_rows(1, prior.PRIOR), np.empty(x.size), np.empty(x.size, bool)
    teach_all(rows, first, x, peaks, seen, novelty, knows)
    twin, expected = naive.Group(), []
    for i in range(x.size):
        said = twin.novelty(int(seen[i]), float(x[i]))
        twin.teach(bool(first[i]), float(x[i]), float(peaks[i]))
        expected.append((said, twin.knows()))
    np.testing.assert_allclose(novelty, [e[0] for e in expected], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(knows, [e[1] for e in expected])
    for name in ("level", "reach", "peaks"):
        known = float(rows[name][0])
        assert math.isfinite(known), name
        assert known == pytest.approx(getattr(twin, name), rel=1e-6, abs=1e-300), name


def test_a_group_that_no_one_joined_knows_nothing() -> None:
    assert not prior.knows(zero_rows(1, prior.PRIOR), -1)
