"""The detector "ewma": against its definition, and what it promises of single readings."""
from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from offbeat_detectors import conformance
from offbeat_detectors.contract import Opinions
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.scores import AlertStage
from offbeat_detectors.warm import warm_up
from tests.detectors import naive

SLOT = np.zeros(1, np.int32)
READING = st.one_of(
    st.floats(-100, 100, width=32), st.integers(-3, 3).map(float),
    st.sampled_from([0.0, 20.0, 1e6, -1e6, 1111119.6438]))


def judged(detector: Ewma, values: NDArray[Any]) -> Opinions:
    """What one series' readings are said to be."""
    return detector.process(np.zeros(len(values), np.int32), np.zeros(len(values), np.int64), np.asarray(values, float))


def state_after(values: NDArray[Any]) -> dict[str, float]:
    detector = Ewma(1)
    judged(detector, values)
    return {name: float(column[0]) for name, column in detector.save(SLOT).items()}


def noise(n: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    return 20.0 + np.random.default_rng(seed).normal(size=n)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


def test_it_passes_all_checks() -> None:
    assert conformance.check(Ewma) == []


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(READING, st.integers(1, 30)), min_size=1, max_size=60), st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(stretches: list[tuple[float, int]], seed: int) -> None:
    values = np.concatenate([np.full(times, value) for value, times in stretches])
    rng = np.random.default_rng(seed)
    values = values + rng.choice([0.0, 0.25, 3.0]) * rng.normal(size=values.size)
    said, twin = judged(Ewma(1), values), naive.Ewma()
    expected = np.array([twin.judge(x) for x in values.tolist()])
    for column, name in enumerate(conformance.COLUMNS):
        np.testing.assert_allclose(getattr(said, name), expected[:, column], rtol=1e-6, atol=1e-9, err_msg=name)


def test_it_has_no_opinion_in_the_warm_up_and_tells_how_many_readings_are_left() -> None:
    detector = Ewma(3, warmup_readings=10)
    novelty = judged(detector, noise(10)).novelty
    assert np.isnan(novelty).all()
    assert detector.warmup_left(np.array([0, 1], np.int32)).tolist() == [0, 10]
    assert not np.isnan(judged(detector, noise(1)).novelty).any()


def test_two_absurd_values_among_the_first_five_do_not_matter() -> None:
    clean, damaged = noise(400), noise(400)
    damaged[[0, 3]] = 1e9, -1e9
    a, b = judged(Ewma(1), clean), judged(Ewma(1), damaged)
    assert b.typical[30] == pytest.approx(a.typical[30], abs=1.0)
    assert b.upper[30] - b.lower[30] < 3 * (a.upper[30] - a.lower[30])


@settings(deadline=None)
@given(st.floats(1e3, 1e300), st.booleans())
def test_no_value_however_absurd_moves_location_or_scale_by_more_than_a_bounded_step(size: float, up: bool) -> None:
    before = state_after(noise())
    after = state_after(np.append(noise(), size if up else -size))
    assert abs(after["location"] - before["location"]) <= 0.1 * before["spread"]
    assert before["spread"] <= after["spread"] <= 1.03 * before["spread"]
    assert before["reach"] <= after["reach"] <= 1.04 * before["reach"]
    assert before["excess"] <= after["excess"] <= 1.1 * before["excess"]
    assert after["step"] <= 1.02 * before["step"]


def test_after_one_absurd_value_a_later_spike_is_still_a_finding() -> None:
    values = np.concatenate([noise(), [1111119.6438], noise(200, seed=1), [40.0]])
    said = judged(Ewma(1), values)
    assert said.novelty[2000] > 100
    assert said.novelty[-1] > 3
    assert np.nanmax(said.novelty[2001:-1]) < 0.7


def test_a_constant_series_says_nothing_and_its_first_change_is_bounded_by_how_long_it_was_constant() -> None:
    for n in (100, 10_000):
        said = judged(Ewma(1), np.append(np.full(n, 20.0), 21.0))
        assert np.nanmax(said.novelty[:-1]) == 0.0
        assert said.probability[-1] == pytest.approx(1.0 / (n + 2))


def test_a_constant_series_that_jumps_far_beyond_its_level_is_a_finding() -> None:
    assert judged(Ewma(1), np.append(np.full(200, 20.0), 1e6)).novelty[-1] > 5


def test_a_constant_series_that_moves_by_one_step_of_its_resolution_does_not_fire_for_ever() -> None:
    rng = np.random.default_rng(1)
    values = 20.0 + 0.5 * (rng.random(20_000) < 0.01)
    strengths = AlertStage(1).process(np.zeros(20_000, np.int32), judged(Ewma(1), values).novelty)
    assert (strengths >= 0.7).sum() <= 1


def test_the_resolution_of_a_quantised_series_is_found_in_spite_of_rounding_errors_and_one_odd_step() -> None:
    rng = np.random.default_rng(2)
    values = np.round(0.2 * rng.normal(size=5000), 1) * 3.0 / 3.0 + 0.1 + 0.2
    values[100] += 1e-7
    assert state_after(values)["step"] == pytest.approx(0.1, rel=0.2)


def test_after_a_lasting_shift_the_new_level_is_normal_once_relearn_readings_have_passed() -> None:
    for relearn in (10, 40):
        values = np.concatenate([noise(), noise(300, seed=1) + 100.0])
        said = judged(Ewma(1, relearn_readings=relearn), values)
        assert said.novelty[2000] > 5
        assert said.typical[2000 + relearn - 1] < 60.0
        assert np.max(said.novelty[2000 + relearn + 1 :]) < 0.7
        assert said.typical[2000 + relearn + 20] == pytest.approx(120.0, abs=1.0)


def test_after_a_lasting_change_of_noise_the_new_noise_is_normal() -> None:
    values = 20.0 + np.concatenate([np.ones(2000), np.full(2000, 20.0)]) * (noise(4000) - 20.0)
    assert (judged(Ewma(1), values).novelty[2300:] > 0.7).mean() < 0.001


def test_the_band_holds_98_of_100_readings() -> None:
    for values in (noise(20_000), np.random.default_rng(3).standard_t(3, 20_000)):
        said = judged(Ewma(1), values)
        inside = (values >= said.lower) & (values <= said.upper)
        assert inside[30:].mean() == pytest.approx(0.98, abs=0.004)


def wave(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return 5.0 * np.sin(np.arange(n) * math.tau / 1440) + 0.5 * rng.normal(size=n)


QUIET: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Student t(3)": lambda rng, n: rng.standard_t(3, n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Poisson(1)": lambda rng, n: rng.poisson(1, n).astype(float),
    "random walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "noisy sine": wave,
    "quantised": lambda rng, n: np.round(20 + 0.3 * rng.normal(size=n)),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.02, rng.exponential(10, n), 0.0),
    "autoregressive": lambda rng, n: lfilter([1.0], [1.0, -0.9], rng.normal(size=n)),
}


@pytest.mark.parametrize("name", QUIET)
def test_without_anomalies_it_finds_about_as_little_as_the_scores_say(name: str) -> None:
    rng, count, n = np.random.default_rng(7), 40, 10_000
    values = np.concatenate([QUIET[name](rng, n) for _ in range(count)])
    slot = np.repeat(np.arange(count, dtype=np.int32), n)
    novelty = Ewma(count).process(slot, np.zeros(count * n, np.int64), values).novelty
    strength = AlertStage(count).process(slot, novelty).reshape(count, n)
    per_10_000 = {e: float((strength[:, 500:] >= e).mean() * 1e4) for e in (0.7, 1.4, 3.0, 5.0)}
    assert per_10_000[0.7] <= 7.0, per_10_000
    assert per_10_000[1.4] <= 2.0, per_10_000
    assert per_10_000[3.0] <= 0.5, per_10_000
    assert per_10_000[5.0] <= 0.25, per_10_000
    assert (strength[:, :500] >= 0.7).mean() * 1e4 <= 40.0  # a young series knows its tail less well


def test_memory_is_64_bytes_a_series_and_none_for_capacity_that_is_not_used() -> None:
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    detector = Ewma(20_000_000)
    assert process.memory_info().rss - before < 16 << 20
    n = 300_000
    arrays = np.arange(n, dtype=np.int32), np.zeros(n, np.int64), np.ones(n)
    said = detector.process(*arrays)
    size = sum(column.nbytes for column in (*arrays, *(getattr(said, name) for name in conformance.COLUMNS)))
    grown = process.memory_info().rss - before - size
    assert detector.bytes_per_series == 64
    assert sum(column.nbytes for column in detector.save(SLOT).values()) == 64
    assert grown < 1.1 * 64 * n + (16 << 20)


@pytest.mark.parametrize("parameters", [
    {"half_life_readings": 0.5}, {"half_life_readings": math.nan}, {"warmup_readings": 4}, {"warmup_readings": 30.5},
    {"relearn_readings": 1}, {"relearn_readings": True},
])
def test_a_parameter_out_of_range_is_refused_by_name(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Ewma(1, **parameters)  # type: ignore[arg-type]
