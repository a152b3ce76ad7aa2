"""The laws of residuals: their likelihoods and tails against scipy, what they learn, and which of them is believed."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from offbeat_detectors.buckets import residuals
from offbeat_detectors.buckets.normal import tail
from offbeat_detectors.buckets.residuals import COUNT, COUNTS, GAMMA, HEAVIER, LOG_NORMAL, METRIC, NORMAL
from offbeat_detectors.rows import zero_rows


def fresh(kind: int, variance: float, mean: float) -> Any:
    row: Any = zero_rows(1, residuals.RESIDUALS)[0]
    residuals.begin(row, kind, variance, mean, mean > 0.0)
    row["known"] = residuals.KNOWN_MAX
    return row


def only(row: Any, law: int) -> Any:
    row["evidence"] = np.where(np.arange(residuals.LAWS) == law, 0.0, -residuals.EVIDENCE_MAX)
    return row


def test_likelihoods_are_those_of_scipy() -> None:
    row = fresh(METRIC, 4.0, 10.0)
    for x in (6.0, 9.0, 10.5, 13.0, 25.0):
        likely = residuals.likelihoods(row, METRIC, x, 10.0, 0.01, 0.01)
        root = math.sqrt(row["log_variance"])
        shape = float(residuals.shape_of.py_func(float(row["deviance"])))
        assert likely[NORMAL] == pytest.approx(stats.t.logpdf(x, 299, 10.0, 2.0), abs=1e-3)
        for law, freedom in enumerate(residuals.FREEDOM, 1):
            assert likely[law] == pytest.approx(stats.t.logpdf(x, freedom, 10.0, 2.0), abs=1e-9)
        in_logs = (math.log(x / 10.0)) / root
        assert likely[LOG_NORMAL] == pytest.approx(stats.t.logpdf(in_logs, 299) - math.log(root * x), abs=1e-3)
        assert likely[GAMMA] == pytest.approx(stats.gamma.logpdf(x, shape, scale=10.0 / shape), abs=1e-3)
    row = fresh(COUNT, 30.0, 10.0)
    for count in (0, 1, 3, 10, 40):
        size = 1.0 / (2.0 / 10.0 + 1.0 / 3000.0)
        likely = residuals.likelihoods(row, COUNT, float(count), 10.0, 0.5, 0.5)
        assert likely[COUNTS] == pytest.approx(stats.nbinom.logpmf(count, size, size / (size + 10.0)), abs=0.03)


def test_one_law_alone_has_its_own_tails() -> None:
    def tails(law: int, kind: int, x: float) -> tuple[float, float]:
        up, down, _, _ = residuals.deviations(only(fresh(kind, 4.0, 10.0), law), kind, x, 10.0, 0.5, 0.5, 1.0)
        return tail(up), tail(-down)

    for x in (4.0, 9.0, 10.0, 13.0, 18.0):
        high, low = tails(NORMAL, METRIC, x)
        assert high == pytest.approx(stats.t.sf((x - 10.5) / 2.0, 299), rel=0.05)
        assert low == pytest.approx(stats.t.cdf((x - 9.5) / 2.0, 299), rel=0.05)
        high, _ = tails(HEAVIER, METRIC, x)
        assert high == pytest.approx(stats.t.sf((x - 10.5) / 2.0, 4.0), rel=0.1)
        high, low = tails(COUNTS, COUNT, x)
        assert high == pytest.approx(stats.poisson.sf(x - 1, 10.0), rel=0.15)
        assert low == pytest.approx(stats.poisson.cdf(x, 10.0), rel=0.15)


def test_ratios_learned_at_a_high_level_say_nothing_of_one_near_zero() -> None:
    row = fresh(METRIC, 1.0, 100.0)  # a spread of a hundredth: all laws are alike here
    up, down, _, _ = residuals.deviations(row, METRIC, 102.0, 100.0, 0.01, 0.01, 1.0)
    assert up == pytest.approx(2.0, abs=0.1)
    up, down, lower, upper = residuals.deviations(row, METRIC, 3.0, 1.0, 0.01, 0.01, 1.0)
    assert up == pytest.approx(2.0, abs=0.2) and down == pytest.approx(2.0, abs=0.2)
    assert lower < -1.0 and upper > 3.0


DRAWS = {
    NORMAL: (METRIC, lambda rng: rng.normal(0.0, 1.0)),
    HEAVIER: (METRIC, lambda rng: rng.standard_t(3.5)),
    LOG_NORMAL: (METRIC, lambda rng: rng.lognormal(-0.5, 1.0)),
    GAMMA: (METRIC, lambda rng: rng.gamma(1.5, 1.0 / 1.5)),
    COUNTS: (COUNT, lambda rng: float(rng.poisson(3.0))),
}


@pytest.mark.parametrize("law", DRAWS)
def test_the_law_that_the_values_have_is_believed(law: int) -> None:
    kind, draw = DRAWS[law]
    rng = np.random.default_rng(2)
    expected = 3.0 if kind == COUNT else 1.0 if law in (LOG_NORMAL, GAMMA) else 0.0
    row = fresh(kind, 1.0, expected)
    row["known"] = 5.0
    half = 0.5 if kind == COUNT else 0.001
    for _ in range(1000):
        x = draw(rng)
        residuals.compare(row, kind, x, expected, half, half)
        residuals.learn(row, kind, x, expected, half, half, 1.0, 1.0, 5.0)
    assert int(np.argmax(row["evidence"])) == law


def test_spreads_are_learned() -> None:
    rng = np.random.default_rng(3)
    row = fresh(METRIC, 1.0, 10.0)
    value = 10.0 * rng.gamma(4.0, 0.25, 3000)
    for x in value.tolist():
        residuals.learn(row, METRIC, x, 10.0, 0.001, 0.001, 1.0, 1.0, 5.0)
    assert row["variance"] == pytest.approx(np.var(value[-600:]), rel=0.2)
    assert residuals.shape_of.py_func(float(row["deviance"])) == pytest.approx(4.0, rel=0.25)
    assert row["log_variance"] == pytest.approx(np.var(np.log(value[-600:])), rel=0.25)


def test_a_single_monster_moves_every_spread_by_a_bounded_step() -> None:
    row = fresh(METRIC, 1.0, 10.0)
    before = {name: row[name].copy() for name in ("variance", "student", "log_variance", "deviance")}
    residuals.learn(row, METRIC, 1e140, 10.0, 0.001, 0.001, 1.0, 1.0, 5.0)
    for name, was in before.items():
        assert (row[name] < 1.3 * was).all(), name
    likely = row["evidence"].copy()
    residuals.compare(row, METRIC, 1e140, 10.0, 0.001, 0.001)
    assert (np.abs(np.diff(row["evidence"] - likely)) <= residuals.EVIDENCE_CLIP + 0.1).all()


def test_the_kernel_of_shapes_solves_the_equation_of_the_gamma_law() -> None:
    from scipy.special import digamma
    for shape in (0.2, 1.0, 7.0, 300.0):
        assert residuals.shape_of.py_func(math.log(shape) - digamma(shape)) == pytest.approx(shape, rel=0.02)
