"""Slow drift: found against the series' own wandering, and only when it is farther than that."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.drift import DRIFT
from offbeat_detectors.rows import zero_rows
from tests.detectors.naive_drift import Drift
from tests.detectors.pieces import CALM, Array, calm, findings, findings_per_10_000, judged

STRETCH = st.tuples(st.sampled_from(["noise", "drift", "walk", "jump", "constant"]), st.integers(100, 1500))


def noise(n: int, seed: int = 0) -> Array:
    return 20.0 + np.random.default_rng(seed).normal(size=n)


@settings(deadline=None, max_examples=60)
@given(st.lists(STRETCH, min_size=1, max_size=8), st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(stretches: list[tuple[str, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[int], Array]] = {
        "noise": lambda n: rng.normal(size=n), "drift": lambda n: rng.normal(size=n) + 0.02 * np.arange(n),
        "walk": lambda n: 0.3 * np.cumsum(rng.normal(size=n)), "jump": lambda n: 50.0 + rng.normal(size=n),
        "constant": lambda n: np.zeros(n)}
    value = np.concatenate([noise(4000, seed), *(kinds[kind](n) for kind, n in stretches)])
    twin = Drift()
    np.testing.assert_allclose(judged("drift", value), [twin.judge(x) for x in value.tolist()], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CALM)
def test_it_is_nearly_silent_on_series_without_anomalies(name: str) -> None:
    assert findings_per_10_000("drift", calm(name, 40, 20_000)) <= 0.15


@pytest.mark.parametrize(("length", "height"), [(500, 6.0), (1000, 5.0), (2000, 5.0)])
def test_a_slow_drift_out_of_the_noise_is_one_finding_while_it_goes_on(length: int, height: float) -> None:
    value = noise(10_000)
    value[8000 : 8000 + length] += np.linspace(0.0, height, length)
    value[8000 + length :] += height
    (at,) = findings(judged("drift", value))
    assert 8000 < at < 8000 + length


def test_a_drift_out_of_a_daily_wave_is_found_when_it_is_as_high_as_the_wave() -> None:
    wave = 5.0 * np.sin(np.arange(20_160) * np.pi / 720) + 0.5 * noise(20_160)
    drifting = wave.copy()
    drifting[14_000:16_000] += np.linspace(0.0, 20.0, 2000)
    drifting[16_000:] += 20.0
    assert findings(judged("drift", wave)) == []
    (at,) = findings(judged("drift", drifting))
    assert 14_000 < at < 16_000


def test_a_drift_without_end_is_normal_after_two_findings() -> None:
    value = noise(60_000)
    value[8000:] += 0.01 * np.arange(52_000)
    at = findings(judged("drift", value))
    assert 8000 < at[0] < 9000
    assert len(at) <= 2


def test_a_jump_of_the_level_is_no_drift() -> None:
    value = noise(12_000)
    value[8003:] += 100.0
    value[10_007:] -= 40.0
    assert not judged("drift", value).any()


def test_a_series_that_has_always_risen_does_not_drift() -> None:
    assert not judged("drift", noise(30_000) + 0.05 * np.arange(30_000)).any()


def test_absurd_values_do_no_harm() -> None:
    value = noise(10_000)
    value[[100, 200, 300, 301, 6000]] = 1e300, -1e300, 1.7e308, -1.7e308, 1e9
    value[8000:9000] += np.linspace(0.0, 8.0, 1000)
    value[9000:] += 8.0
    said = judged("drift", value)
    assert np.isfinite(said).all()
    (at,) = findings(said)
    assert 8000 < at < 9000


def test_it_goes_on_bit_for_bit_wherever_it_is_cut() -> None:
    value = noise(9000)
    value[8000:] += np.linspace(0.0, 8.0, 1000)
    whole = judged("drift", value)
    assert whole.any()
    for cut in (1, 5003, 8000, 8600):
        rows = zero_rows(1, DRIFT)
        np.testing.assert_array_equal(
            np.concatenate([judged("drift", value[:cut], rows=rows), judged("drift", value[cut:], rows=rows)]), whole)


def test_a_series_takes_64_bytes() -> None:
    assert DRIFT.itemsize == 64
