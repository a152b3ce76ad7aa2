"""How rare is it to go beyond the largest values of the past?"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.extremes import novelty_of_share, shape_of, surprise_beyond
from tests.detectors import naive_extremes as naive


@settings(deadline=None)  # the first call compiles
@given(st.floats(1e-3, 1e6), st.floats(0.0, 1e6), st.floats(0.0, 2e3), st.floats(1.0, 1e6))
def test_the_kernels_agree_with_the_definitions(second: float, median: float, known: float, ratio: float) -> None:
    shape = naive.shape_of(second, median, known, 0.5, 2.0)
    surprise = naive.surprise_beyond(ratio, shape, known)
    assert shape_of(second, median, known, 0.5, 2.0) == pytest.approx(shape)
    assert surprise_beyond(ratio, shape, known) == pytest.approx(surprise)
    if surprise < 300:
        assert novelty_of_share(surprise) == pytest.approx(naive.novelty_of_share(surprise), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("draw", [
    lambda rng, n: rng.exponential(size=n), lambda rng, n: np.abs(rng.normal(size=n)),
    lambda rng, n: rng.random(size=n),
], ids=["exponential", "normal", "uniform"])
def test_what_it_calls_as_rare_as_one_in_a_thousand_comes_at_most_four_times_as_often(
    draw: Callable[[np.random.Generator, Any], NDArray[np.float64]],
) -> None:
    rng, k, trials = np.random.default_rng(4), 50, 40_000
    values = np.sort(draw(rng, (trials, k)), axis=1)
    fresh = draw(rng, trials)
    for said in (2.0, 3.0):
        beyond = 0
        for i in np.flatnonzero(fresh > values[:, -2]):
            shape = shape_of(values[i, -2], values[i, k // 2], float(k), 0.5, 2.0)
            beyond += surprise_beyond(fresh[i] / values[i, -2], shape, float(k)) >= said
        assert beyond / trials <= 4.0 * 10.0**-said
