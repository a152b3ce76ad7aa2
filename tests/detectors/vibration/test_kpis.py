"""Key figures of waveforms whose answers are known, and what scale, shift and order do to them."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from offbeat_detectors.vibration.kpis import KPI_NAMES, RMS_NAMES, kpis, rms_figures
from offbeat_detectors.vibration.measurements import Unsuitable

SAMPLES = arrays(np.float64, st.integers(2, 200), elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))


def sine(amplitude: float, mean: float = 0.0, periods: int = 50, n: int = 10_000) -> np.ndarray:
    return mean + amplitude * np.sin(2 * np.pi * periods * np.arange(n) / n)


def test_a_sine_has_the_rms_and_crest_factor_of_the_textbook() -> None:
    found = kpis(sine(3.0, mean=7.0), 1.0)
    assert tuple(found) == KPI_NAMES
    assert found == pytest.approx({
        "rms": 3.0 / math.sqrt(2.0), "peak": 3.0, "peak2peak": 6.0, "variance": 4.5, "crest_factor": math.sqrt(2.0),
        "utilization": 1.0, "dc_component": 7.0}, rel=1e-12)


def test_a_square_wave_has_a_crest_factor_of_one() -> None:
    assert kpis(np.tile([2.0, -2.0], 500), 1.0)["crest_factor"] == 1.0


def test_an_impulse_has_the_crest_factor_of_its_length() -> None:
    n = 400
    impulse = np.zeros(n)
    impulse[17] = 5.0
    found = kpis(impulse, 1.0)
    assert found["rms"] == pytest.approx(5.0 * math.sqrt(n - 1) / n)
    assert found["crest_factor"] == pytest.approx(math.sqrt(n - 1))
    assert found["peak"] == pytest.approx(5.0 * (n - 1) / n)


def test_peak_keeps_its_sign_and_the_crest_factor_takes_the_larger_side() -> None:
    found = kpis(np.array([1.0, 1.0, 1.0, -3.0]), 1.0)
    assert found["peak"] == 1.0
    assert found["peak2peak"] == 4.0
    assert found["crest_factor"] * found["rms"] == pytest.approx(found["peak2peak"] - found["peak"])


def test_the_variance_is_exactly_the_square_of_the_rms() -> None:
    found = kpis(np.random.default_rng(1).normal(size=999), 1.0)
    assert found["variance"] == found["rms"] ** 2


@pytest.mark.parametrize("level", [0.0, 0.1, -3.3, 1e300])
def test_what_is_constant_does_not_move(level: float) -> None:
    found = kpis(np.full(1001, level), 1.0)
    assert found == {"rms": 0.0, "peak": 0.0, "peak2peak": 0.0, "variance": 0.0, "crest_factor": 0.0,
                     "utilization": 0.0, "dc_component": level}


def test_one_sample_is_a_measurement() -> None:
    assert kpis([4.0], 0.1)["dc_component"] == 4.0


def test_utilization_is_one_only_above_the_threshold() -> None:
    square = np.tile([0.5, -0.5], 8)
    assert [kpis(square, 1.0, limit)["utilization"] for limit in (0.49, 0.5, 0.51)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_no_scale_overflows_or_vanishes(scale: float) -> None:
    found = kpis(scale * np.array([1.0, -1.0, 2.0, -2.0]), 1.0)
    assert found["rms"] == pytest.approx(scale * math.sqrt(2.5), rel=1e-6)
    assert found["crest_factor"] == pytest.approx(2.0 / math.sqrt(2.5), rel=1e-6)
    assert not any(math.isinf(value) for value in found.values())


def test_the_old_rms_feature_knows_the_rms_with_and_without_the_mean() -> None:
    found = rms_figures(sine(1.0, mean=2.0))
    assert tuple(found) == RMS_NAMES
    assert found == pytest.approx({"rms": math.sqrt(0.5), "rms_dc": math.sqrt(4.5), "dc": 2.0, "utilization": 1.0})


@given(samples=SAMPLES, factor=st.sampled_from([-8.0, 0.25, 2.0, 1024.0]))
def test_figures_scale_with_the_samples(samples: np.ndarray, factor: float) -> None:
    before, after = kpis(samples, 1.0), kpis(samples * factor, 1.0)
    for name in ("rms", "peak2peak"):
        assert after[name] == before[name] * abs(factor)
    assert after["dc_component"] == before["dc_component"] * factor
    assert after["crest_factor"] == before["crest_factor"]
    other = before["peak"] if factor > 0 else before["peak2peak"] - before["peak"]
    assert after["peak"] == pytest.approx(other * abs(factor), rel=1e-9, abs=1e-9)


@given(samples=SAMPLES, shift=st.integers(-1000, 1000))
def test_a_shift_moves_the_mean_alone(samples: np.ndarray, shift: int) -> None:
    before, after = kpis(samples, 1.0), kpis(samples + shift, 1.0)
    assert after["dc_component"] == pytest.approx(before["dc_component"] + shift, rel=1e-9, abs=1e-8)
    for name in ("rms", "peak", "peak2peak"):
        assert after[name] == pytest.approx(before[name], rel=1e-7, abs=1e-8)


@given(samples=SAMPLES, seed=st.integers(0, 9))
def test_the_order_of_samples_does_not_matter(samples: np.ndarray, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(samples)
    assert kpis(shuffled, 1.0) == pytest.approx(kpis(samples, 1.0), rel=1e-9, abs=1e-9)


@given(samples=SAMPLES)
def test_the_figures_agree_with_their_definitions(samples: np.ndarray) -> None:
    y = samples - math.fsum(samples) / len(samples)
    rms = math.sqrt(math.fsum(y * y) / len(y))
    found = kpis(samples, 1.0)
    assert found["rms"] == pytest.approx(rms, rel=1e-9, abs=1e-8)
    assert found["peak"] == pytest.approx(y.max(), rel=1e-9, abs=1e-8)
    assert found["crest_factor"] <= math.sqrt(len(samples)) * (1 + 1e-9)


@pytest.mark.parametrize(("samples", "duration_s", "said"), [
    ([], 1.0, "expected samples"), ([1.0, math.nan], 1.0, "finite"), ([[1.0], [2.0]], 1.0, "one channel"),
    ([1.0], 0.0, "duration"), ([1.0], math.inf, "duration"),
])
def test_what_is_no_waveform_is_refused_in_words(samples: list[float], duration_s: float, said: str) -> None:
    with pytest.raises(Unsuitable, match=said):
        kpis(samples, duration_s)


def test_samples_are_left_as_they_were() -> None:
    samples = sine(2.0, mean=1.0)
    kept = samples.copy()
    kpis(samples, 1.0)
    np.testing.assert_array_equal(samples, kept)
