"""Calm series of many kinds: how often a probability is as small as it says."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, Kind

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Array]
BUCKETS, SERIES, FROM = 1100, 100, 100


def daily(rng: np.random.Generator, n: int, m: int) -> Array:
    turn = 2.0 * np.pi * (np.arange(n)[:, None] + rng.integers(0, 24, m)) / 24.0
    return np.asarray(np.sin(turn), np.float64)


CALM: dict[str, tuple[Kind, Draw]] = {
    "gaussian": ("metric", lambda rng, n, m: rng.normal(10.0, 1.0, (n, m))),
    "gaussian around zero": ("metric", lambda rng, n, m: rng.normal(0.0, 1.0, (n, m))),
    "lognormal": ("metric", lambda rng, n, m: rng.lognormal(0.0, 1.0, (n, m))),
    "Poisson(1)": ("count", lambda rng, n, m: rng.poisson(1.0, (n, m)).astype(float)),
    "Poisson(50)": ("count", lambda rng, n, m: rng.poisson(50.0, (n, m)).astype(float)),
    "negative binomial": ("count", lambda rng, n, m: rng.negative_binomial(2, 1 / 11, (n, m)).astype(float)),
    "gamma": ("metric", lambda rng, n, m: rng.gamma(2.0, 1.0, (n, m))),
    "exponential": ("metric", lambda rng, n, m: rng.exponential(3.0, (n, m))),
    "Student t(4)": ("metric", lambda rng, n, m: rng.standard_t(4, (n, m))),
    "uniform": ("metric", lambda rng, n, m: rng.random((n, m))),
    "quantised": ("metric", lambda rng, n, m: np.round(rng.normal(20.0, 0.6, (n, m)))),
    "mostly zero": ("count", lambda rng, n, m: np.where(
        rng.random((n, m)) < 0.03, 1.0 + rng.poisson(5.0, (n, m)), 0.0)),
    "rare ones": ("count", lambda rng, n, m: (rng.random((n, m)) < 0.03).astype(float)),
    "sum, half of them zero": ("sum", lambda rng, n, m: np.where(
        rng.random((n, m)) < 0.5, rng.gamma(2.0, 10.0, (n, m)), 0.0)),
    "two levels": ("metric", lambda rng, n, m: np.where(rng.random((n, m)) < 0.3, 20.0, 10.0) + rng.normal(
        0.0, 0.5, (n, m))),
    "daily sine": ("metric", lambda rng, n, m: 10.0 + 3.0 * daily(rng, n, m) + rng.normal(0.0, 0.5, (n, m))),
    "daily count": ("count", lambda rng, n, m: rng.poisson(np.exp(2.5 + daily(rng, n, m))).astype(float)),
    "trend": ("metric", lambda rng, n, m: 0.05 * np.arange(n)[:, None] + rng.normal(0.0, 1.0, (n, m))),
    "autoregressive": ("metric", lambda rng, n, m: smoothed(rng.normal(0.0, 1.0, (n, m)))),
}


def smoothed(noise: Array) -> Array:
    out = noise.copy()
    for i in range(1, len(out)):
        out[i] += 0.7 * out[i - 1]
    return out


def judged(name: str) -> tuple[BucketModel, Array]:
    """The probabilities of SERIES hourly series, (BUCKETS, SERIES)."""
    kind, draw = CALM[name]
    value = draw(np.random.default_rng(17), BUCKETS, SERIES)
    model = BucketModel(SERIES, 3600, kind)
    p = model.process(
        np.tile(np.arange(SERIES, dtype=np.int32), BUCKETS), np.repeat(np.arange(BUCKETS), SERIES),
        np.ascontiguousarray(value).ravel(), np.ones(value.size)).probability.reshape(value.shape)
    return model, p


@pytest.mark.parametrize("name", CALM)
def test_probabilities_of_calm_series_are_no_smaller_than_they_say(name: str) -> None:
    _, p = judged(name)
    late = p[FROM:]
    shares = {limit: float((late < limit).mean()) for limit in (0.1, 0.01, 1e-3, 1e-4)}
    early = float((p[5:FROM] < 1e-4).mean())
    print(f"| {name} | " + " | ".join(f"{share:.5f}" for share in shares.values()) + f" | {early:.5f} |")
    assert shares[0.1] <= 0.13
    assert shares[0.01] <= 0.02
    assert shares[1e-4] <= 0.0005
    assert early <= 0.01


def test_the_first_five_values_have_no_opinion_and_all_others_one() -> None:
    _, p = judged("gaussian")
    assert np.isnan(p[:5]).all()
    assert (p[5:] > 0.0).all()
    assert (p[5:] <= 1.0).all()


def test_a_value_six_deviations_off_is_as_rare_as_that() -> None:
    model, _ = judged("gaussian")
    p = model.judge(np.arange(SERIES, dtype=np.int32), np.full(SERIES, BUCKETS), np.full(SERIES, 16.0)).probability
    assert (p < 1e-6).mean() > 0.9
    assert np.median(p) > 1e-12


def test_the_band_holds_about_98_in_100() -> None:
    for name in ("gaussian", "lognormal", "Poisson(50)", "gamma", "Student t(4)", "daily sine"):
        kind, draw = CALM[name]
        value = draw(np.random.default_rng(3), 500, 20)
        said = BucketModel(20, 3600, kind).process(
            np.tile(np.arange(20, dtype=np.int32), 500), np.repeat(np.arange(500), 20),
            np.ascontiguousarray(value).ravel(), np.ones(value.size))
        inside = ((value.ravel() >= said.lower) & (value.ravel() <= said.upper))[20 * 150 :].mean()
        assert 0.96 < inside < 0.995, name
