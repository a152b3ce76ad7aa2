"""A bearing that strikes is heard in its band, at its rate, before the rms grows."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.vibration.impacts import IMPACT_NAMES, envelope, impact_figures
from offbeat_detectors.vibration.kpis import kpis
from offbeat_detectors.vibration.measurements import TooFew, Unsuitable
from tests.detectors.vibration.machines import IMPACT_HZ, RESONANCE_HZ, bearing

T = np.arange(20_000) / 20_000


def test_a_sine_has_the_figures_of_the_textbook() -> None:
    found = impact_figures(3.0 * np.sin(2 * np.pi * 50 * T) + 9.0, 1.0)
    assert tuple(found) == IMPACT_NAMES
    assert found == pytest.approx({
        "kurtosis": 1.5, "skewness": 0.0, "shape_factor": math.pi / math.sqrt(8.0), "impulse_factor": math.pi / 2.0,
        "clearance_factor": 1.72, "envelope_rms": 3.0, "envelope_kurtosis": -1.0}, rel=1e-3, abs=1e-9)


def test_noise_has_a_kurtosis_of_three_and_an_envelope_without_impacts() -> None:
    found = impact_figures(np.random.default_rng(0).normal(size=200_000), 1.0)
    assert found["kurtosis"] == pytest.approx(3.0, abs=0.1)
    assert found["skewness"] == pytest.approx(0.0, abs=0.05)
    assert abs(found["envelope_kurtosis"]) < 0.3


def test_an_impulse_has_a_kurtosis_of_its_length() -> None:
    impulse = np.zeros(1000)
    impulse[3] = 1.0
    assert impact_figures(impulse, 1.0)["kurtosis"] == pytest.approx(1000.0, rel=0.01)


@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
def test_a_bearing_that_strikes_is_found_in_its_band_at_its_rate(strength: float) -> None:
    found = envelope(bearing(strength), 1.0)
    assert found.low_hz < RESONANCE_HZ < found.high_hz
    assert found.impact_hz == IMPACT_HZ
    assert found.kurtosis > 0.2


def test_impacts_are_heard_before_the_rms_grows() -> None:
    sound, damaged = bearing(0.0), bearing(0.6)
    assert kpis(damaged, 1.0)["rms"] < 1.1 * kpis(sound, 1.0)["rms"]
    assert impact_figures(damaged, 1.0)["envelope_kurtosis"] > 1.0
    figures = [impact_figures(bearing(strength), 1.0)["kurtosis"] for strength in (0.5, 1.0, 2.0, 3.0)]
    assert figures == sorted(figures)


def test_the_envelope_of_a_modulated_tone_is_what_modulates_it() -> None:
    depth = 0.5
    tone = 2.0 * np.sin(2 * np.pi * 3000 * T) * (1.0 + depth * np.sin(2 * np.pi * 40 * T))
    found = envelope(tone, 1.0, (2000.0, 4000.0))
    at = np.arange(len(found.values)) / len(found.values)
    np.testing.assert_allclose(found.values, 2.0 * (1.0 + depth * np.sin(2 * np.pi * 40 * at)), atol=1e-6)
    assert found.impact_hz == 40.0
    assert found.line[40] == pytest.approx(4.0 * 2.0 * depth)  # of the square: 4 (1 + m)² has 2 m · 4 at 40 Hz


@settings(max_examples=20)
@given(scale=st.sampled_from([-1.0, 1e-150, 7.0, 1e150]), shift=st.floats(-5, 5))
def test_neither_unit_nor_offset_changes_a_shape(scale: float, shift: float) -> None:
    samples = bearing(1.0)[:4000]
    before, after = impact_figures(samples, 0.2), impact_figures(scale * (samples + shift), 0.2)
    for name in ("kurtosis", "shape_factor", "impulse_factor", "clearance_factor", "envelope_kurtosis"):
        assert after[name] == pytest.approx(before[name], rel=1e-6)
    assert after["skewness"] == pytest.approx(math.copysign(1.0, scale) * before["skewness"], rel=1e-6)
    assert after["envelope_rms"] == pytest.approx(abs(scale) * before["envelope_rms"], rel=1e-6)


@given(seed=st.integers(0, 20))
def test_the_order_of_samples_matters_to_the_envelope_alone(seed: int) -> None:
    samples = bearing(2.0)[:1000]
    before = impact_figures(samples, 0.05)
    after = impact_figures(np.random.default_rng(seed).permutation(samples), 0.05)
    for name in IMPACT_NAMES[:5]:
        assert after[name] == pytest.approx(before[name], rel=1e-9)


def test_what_does_not_move_or_is_short_has_no_shape() -> None:
    still = impact_figures(np.full(500, 3.0), 1.0)
    assert still["envelope_rms"] == 0.0
    assert all(math.isnan(still[name]) for name in IMPACT_NAMES if name != "envelope_rms")
    short = impact_figures(np.sin(np.arange(100.0)), 1.0)
    assert math.isnan(short["envelope_rms"]) and math.isfinite(short["kurtosis"])
    assert not any(map(math.isinf, impact_figures(1e308 * np.sin(np.arange(1000.0)), 1.0).values()))


def test_what_has_no_envelope_is_refused_in_words() -> None:
    with pytest.raises(TooFew, match="at least 128 samples"):
        envelope(np.ones(100), 1.0)
    with pytest.raises(Unsuitable, match="at least 32 Hz, from above 0 to 500 Hz"):
        envelope(np.ones(1000), 1.0, (100.0, 110.0))
    with pytest.raises(Unsuitable, match="duration"):
        envelope(np.ones(1000), 0.0)
