"""Stuck values: found where a series does not repeat itself, and not where it does."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.rows import zero_rows
from offbeat_detectors.stuck import STUCK
from tests.detectors.naive_stuck import Stuck
from tests.detectors.pieces import CALM, MINUTE_MS, Array, calm, findings, findings_per_10_000, judged

DAY = 1440
STRETCH = st.tuples(st.sampled_from(["noise", "stuck", "whole", "tiny"]), st.integers(1, 90), st.integers(1, 300))


def noise(n: int, seed: int = 0) -> Array:
    return 20.0 + np.random.default_rng(seed).normal(size=n)


def stuck_at(value: float, n: int) -> Array:
    return np.full(n, value)


@settings(deadline=None, max_examples=100)
@given(st.lists(STRETCH, min_size=1, max_size=12), st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(stretches: list[tuple[str, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[int], Array]] = {
        "noise": lambda n: rng.normal(size=n), "stuck": lambda n: np.full(n, rng.normal()),
        "whole": lambda n: rng.poisson(1, n).astype(float), "tiny": lambda n: 3.0 + 1e-3 * rng.normal(size=n)}
    value = np.concatenate([kinds[kind](n) for kind, n, _ in stretches])
    steps = np.concatenate([np.full(n, minutes) for _, n, minutes in stretches])
    time_ms = np.cumsum(steps * rng.choice([1, 1, 1, -1], steps.size)) * MINUTE_MS
    twin = Stuck()
    expected = [twin.judge(t, x) for t, x in zip(time_ms.tolist(), value.tolist(), strict=True)]
    np.testing.assert_allclose(judged("stuck", value, time_ms), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CALM)
def test_it_is_nearly_silent_on_series_without_anomalies(name: str) -> None:
    assert findings_per_10_000("stuck", calm(name, 40, 20_000)) <= 0.1


@pytest.mark.parametrize(("before", "most"), [(200, 24), (1000, 18), (10_000, 18)])
def test_a_series_that_never_repeats_is_stuck_after_10_to_25_equal_readings(before: int, most: int) -> None:
    said = judged("stuck", np.concatenate([noise(before), stuck_at(21.0, 400), noise(500, seed=1)]))
    (at,) = findings(said)
    assert 10 <= at - before <= most
    assert 3.0 <= said[at] <= 5.0


def test_one_stuck_episode_is_one_finding_however_long() -> None:
    said = judged("stuck", np.concatenate([noise(2000), stuck_at(21.0, 20_000)]))
    assert len(findings(said)) == 1
    assert said[-1] == pytest.approx(0.3)


def test_a_stuck_episode_does_not_hide_the_next() -> None:
    once = np.concatenate([noise(2000), stuck_at(21.0, 5000)])
    again = np.concatenate([once, noise(1000, seed=1), stuck_at(19.0, 300)])
    assert [at > once.size for at in findings(judged("stuck", again))] == [False, True]


def test_noise_that_vanishes_is_stuck_too() -> None:
    rng = np.random.default_rng(2)
    said = judged("stuck", np.concatenate([noise(2000), 21.0 + 1e-3 * rng.normal(size=300)]))
    assert len(findings(said)) == 1


def test_a_machine_that_is_idle_every_night_is_known_after_two_nights() -> None:
    days = [np.concatenate([noise(DAY - 480, seed=day), stuck_at(5.0, 480)]) for day in range(14)]
    nights = [at // DAY for at in findings(judged("stuck", np.concatenate(days)))]
    assert set(nights) <= {0, 1, 2}
    assert nights


def test_a_series_constant_from_the_start_is_normal_for_ever_and_so_is_its_first_change() -> None:
    said = judged("stuck", np.concatenate([stuck_at(20.0, 30_000), stuck_at(21.0, 30_000)]))
    assert not said.any()


def test_absurd_values_and_times_do_no_harm() -> None:
    value = noise(3000)
    value[[100, 200, 300, 301]] = 1e300, -1e300, 1.7e308, -1.7e308
    value[2900:] = 20.0
    time_ms = np.arange(3000, dtype=np.int64) * MINUTE_MS
    time_ms[[400, 500]] = 2**62, -(2**62)
    said = judged("stuck", value, time_ms)
    assert np.isfinite(said).all()
    assert len(findings(said)) == 1


def test_it_goes_on_bit_for_bit_wherever_it_is_cut() -> None:
    value = np.concatenate([noise(1000), stuck_at(21.0, 100), noise(100, seed=3)])
    time_ms = np.arange(value.size, dtype=np.int64) * MINUTE_MS
    whole = judged("stuck", value, time_ms)
    for cut in (1, 1000, 1016, 1050):
        rows = zero_rows(1, STUCK)
        parts = [judged("stuck", value[a], time_ms[a], rows=rows) for a in (slice(0, cut), slice(cut, None))]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_series_takes_32_bytes() -> None:
    assert STUCK.itemsize == 32
