"""Calm series are what their kind says, and the same ones each time."""
from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from common import calm

ROWS = 20_000


def series(kind: str, number: int = 0) -> np.ndarray:
    return calm.corpus(kind, range(number, number + 1), ROWS, seed=1).value


def lag_one(values: np.ndarray) -> float:
    return float(np.corrcoef(values[1:], values[:-1])[0, 1])


@pytest.mark.parametrize("kind", calm.KINDS)
def test_a_series_is_the_same_however_many_are_made(kind: str) -> None:
    three, last = calm.corpus(kind, range(3), 500, seed=7), calm.corpus(kind, range(2, 3), 500, seed=7)
    np.testing.assert_array_equal(three.value[1000:], last.value)
    assert three.names == (f"{kind}/0", f"{kind}/1", f"{kind}/2")
    assert np.isfinite(three.value).all()
    assert (np.diff(three.time_ms[:500]) == calm.STEP_MS).all()
    assert not np.array_equal(last.value, calm.corpus(kind, range(2, 3), 500, seed=8).value)
    assert not np.array_equal(three.value[:500], three.value[500:1000])


def test_normal_noise_is_normal_and_independent() -> None:
    values = series("normal")
    assert stats.kstest(stats.zscore(values), "norm").pvalue > 0.01
    assert abs(lag_one(values)) < 0.03


def test_student_has_the_tails_of_three_degrees_of_freedom() -> None:
    pooled = np.concatenate([stats.zscore(series("Student t(3)", n)) for n in range(5)])
    beyond_5 = np.mean(np.abs(pooled) > 5.0)
    assert beyond_5 == pytest.approx(2 * stats.t(3).sf(5.0 * np.sqrt(3.0)), rel=0.5)


def test_lognormal_is_positive_and_its_logarithm_normal() -> None:
    logs = np.log(series("lognormal"))
    assert 0.48 < logs.std() < 1.02
    assert stats.kstest(stats.zscore(logs), "norm").pvalue > 0.01


def test_poisson_counts_vary_as_much_as_their_mean() -> None:
    values = series("Poisson")
    np.testing.assert_array_equal(values, np.rint(values))
    assert values.var() == pytest.approx(values.mean(), rel=0.05)


def test_a_season_repeats_every_day() -> None:
    values = series("seasonal")
    assert np.corrcoef(values[calm.DAY_ROWS:], values[:-calm.DAY_ROWS])[0, 1] > 0.8
    assert np.corrcoef(values[calm.DAY_ROWS // 2:], values[:-calm.DAY_ROWS // 2])[0, 1] < 0.8


def test_an_autoregression_remembers_and_has_no_beginning() -> None:
    assert all(0.45 < lag_one(series("autocorrelated", number)) < 0.99 for number in range(10))
    first = [calm.autoregressive(np.random.default_rng(n), 1000, 0.95)[0] for n in range(400)]
    assert np.std(first) == pytest.approx(1.0, abs=0.1)


def test_quantised_readings_lie_on_a_grid_of_few_values() -> None:
    for number in range(10):
        levels = np.unique(series("quantised", number))
        steps = np.diff(levels)
        assert 2 <= levels.size < 60
        np.testing.assert_allclose(steps, np.rint(steps / steps.min()) * steps.min())


def test_mostly_zero_is_mostly_zero() -> None:
    shares = [np.mean(series("mostly zero", number) != 0.0) for number in range(20)]
    assert min(shares) > 0.003
    assert max(shares) < 0.11


def test_a_random_walk_takes_independent_steps() -> None:
    steps = np.diff(series("random walk"))
    assert abs(lag_one(steps)) < 0.03
    assert stats.kstest(stats.zscore(steps), "norm").pvalue > 0.01


def test_bursty_counts_vary_more_than_their_mean_and_together() -> None:
    values = series("bursty counts")
    np.testing.assert_array_equal(values, np.rint(values))
    assert values.var() > 1.3 * values.mean()
    assert lag_one(values) > 0.2
