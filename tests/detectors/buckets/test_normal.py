"""Tails on the scale of the normal law, against scipy."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from offbeat_detectors.buckets.normal import (
    PROBABILITY_MIN,
    both_sides,
    of_count,
    of_gamma,
    of_student,
    tail,
    to_student,
)

TAILS = (1e-200, 1e-20, 1e-5, 0.01, 0.3, 0.5, 0.7, 0.99)


def test_the_tail_is_that_of_the_normal_law_down_to_the_smallest_number() -> None:
    for z in (-50.0, -3.0, 0.0, 1.0, 6.0, 20.0, 37.0):
        assert tail(z) == pytest.approx(max(PROBABILITY_MIN, stats.norm.sf(z)), rel=1e-12)
    assert tail(100.0) == PROBABILITY_MIN
    assert both_sides(0.7, 0.3) == 0.6
    assert both_sides(0.6, 0.6) == 1.0


@pytest.mark.parametrize("freedom", [2.0, 4.0, 10.0, 100.0])
def test_students_law_is_close_and_its_reverse_exact(freedom: float) -> None:
    for u in (0.1, 1.0, 3.0, 10.0, 100.0):
        z = of_student(u, freedom)
        assert z == pytest.approx(stats.norm.isf(stats.t.sf(u, freedom)), rel=0.06)
        assert of_student(-u, freedom) == -z
        assert to_student(z, freedom) == pytest.approx(u, rel=1e-9)


@pytest.mark.parametrize("shape", [0.3, 1.0, 4.0, 100.0])
def test_gamma_tails_are_exact_to_a_quarter(shape: float) -> None:
    for p in TAILS:
        assert tail(of_gamma(stats.gamma.isf(p, shape) / shape, shape)) == pytest.approx(p, rel=0.26)


@pytest.mark.parametrize(("mean", "size"), [(0.01, 1e9), (1.0, 1e9), (50.0, 1e9), (5.0, 1.0), (100.0, 10.0)])
def test_tails_of_counts_are_exact_to_a_tenth(mean: float, size: float) -> None:
    law = stats.poisson(mean) if size > 1e8 else stats.nbinom(size, size / (size + mean))
    for x in (1, 2, 5, 10, 20, 60, 150):
        if law.sf(x - 1) > 1e-200:
            assert tail(of_count(x - 0.5, mean, size)) == pytest.approx(law.sf(x - 1), rel=0.1)
        assert tail(-of_count(x + 0.5, mean, size)) == pytest.approx(law.cdf(x), rel=0.1)


def test_deviations_are_finite_whatever_comes() -> None:
    for x in (1e-300, 1e-9, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 1e9, 1e150):
        for size in (0.05, 1.0, 1e9):
            assert math.isfinite(of_gamma(x, size))
            assert math.isfinite(of_count(x, 1.0, size))
        assert math.isfinite(of_student(x, 2.0))
    assert (np.diff([of_gamma(1.0 + d, 2.0) for d in np.linspace(-0.2, 0.2, 401)]) > 0.0).all()
    assert (np.diff([of_count(5.0 + d, 5.0, 3.0) for d in np.linspace(-1.0, 1.0, 401)]) > 0.0).all()
