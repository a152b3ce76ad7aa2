"""Populations: a member among its peers; members come and go; memory is that of the population."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketOpinions, Kind
from offbeat_detectors.buckets.over import PopulationModel
from tests.detectors.naive_buckets import Population

SPAN_S = 300


def one_bucket(model: PopulationModel, bucket: int, value: NDArray[np.float64], population: int = 0) -> BucketOpinions:
    n = value.size
    return model.process(np.full(n, population, np.int32), np.full(n, bucket), value, np.ones(n))


@settings(max_examples=30)
@given(st.sampled_from(["count", "sum", "metric"]), st.lists(st.integers(1, 40), min_size=1, max_size=40),
       st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(kind: Kind, sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    twin, model = Population(SPAN_S, kind), PopulationModel(1, SPAN_S, kind)
    for bucket, size in enumerate(sizes):
        value = np.round(rng.gamma(1.0, 10.0, size) * np.where(rng.random(size) < 0.05, 30.0, 1.0))
        expected = twin.bucket(bucket, value.tolist())
        said = one_bucket(model, bucket, value)
        got = np.array([said.probability, said.probability_high, said.probability_low, said.typical]).T
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-290)
    assert model.members(np.zeros(1, np.int32))[0] == pytest.approx(twin.members)


@pytest.mark.parametrize("kind", ["count", "sum", "metric"])
@pytest.mark.parametrize("members", [20, 300])
def test_calm_populations_are_calm_and_who_leaves_the_crowd_is_found(kind: Kind, members: int) -> None:
    rng = np.random.default_rng(1)
    model = PopulationModel(1, SPAN_S, kind)
    p = []
    for bucket in range(150):
        p.append(one_bucket(model, bucket, rng.poisson(20.0, members).astype(float)).probability)
    late = np.array(p)[20:]
    assert (late < 0.01).mean() < 0.015
    assert (late < 1e-4).mean() < 0.0005
    value = rng.poisson(20.0, members).astype(float)
    value[members // 2] = 80.0
    said = one_bucket(model, 150, value)
    assert np.argmin(said.probability) == members // 2
    assert said.probability[members // 2] < 1e-12
    assert said.typical[0] == pytest.approx(20.0, abs=1.0)


def test_who_always_does_what_nobody_does_stays_odd() -> None:
    rng = np.random.default_rng(2)
    model = PopulationModel(1, SPAN_S, "count")
    for bucket in range(400):
        value = rng.poisson(20.0, 40).astype(float)
        value[7] = 200.0
        said = one_bucket(model, bucket, value)
        if bucket >= 20:
            assert said.probability[7] < 1e-12


def test_a_population_that_moves_as_a_whole_is_normal_again() -> None:
    rng = np.random.default_rng(3)
    model = PopulationModel(1, SPAN_S, "count")
    for bucket in range(100):
        one_bucket(model, bucket, rng.poisson(20.0, 40).astype(float))
    first = one_bucket(model, 100, rng.poisson(60.0, 40).astype(float))
    assert np.median(first.probability) < 1e-6
    for bucket in range(101, 110):
        last = one_bucket(model, bucket, rng.poisson(60.0, 40).astype(float))
    assert np.median(last.probability) > 0.1


def test_members_come_and_go_and_are_counted() -> None:
    rng = np.random.default_rng(4)
    model = PopulationModel(1, SPAN_S, "metric")
    for bucket in range(300):
        size = 10 if bucket < 100 else 50
        p = one_bucket(model, bucket, rng.normal(5.0, 1.0, size)).probability
        assert np.isnan(p).all() if bucket < 3 else (p > 0.0).all()
    assert model.members(np.zeros(1, np.int32))[0] == pytest.approx(50.0, abs=1.0)
    assert model.bytes_per_population <= 4096


def test_populations_are_apart_and_go_on_bit_for_bit() -> None:
    rng = np.random.default_rng(5)
    value = rng.gamma(2.0, 5.0, (60, 15))
    alone = PopulationModel(1, SPAN_S, "metric")
    expected = [one_bucket(alone, bucket, row).probability for bucket, row in enumerate(value)]
    both = PopulationModel(2, SPAN_S, "metric")
    for bucket, row in enumerate(value):
        said = both.process(np.repeat(np.array([0, 1], np.int32), 15), np.full(30, bucket),
                            np.concatenate([3.0 * row, row]), np.ones(30))
        np.testing.assert_array_equal(said.probability[15:], expected[bucket])
        judged = both.judge(np.ones(1, np.int32), np.full(1, bucket + 1), np.array([500.0]))
        assert np.isnan(judged.probability[0]) == (bucket < 2)
        other = PopulationModel(1, SPAN_S, "metric")
        other.grow(4)
        state = both.save(np.array([1], np.int32))
        both.forget(np.array([1], np.int32))
        assert np.isnan(both.judge(np.ones(1, np.int32), np.full(1, bucket + 1), np.array([500.0])).probability[0])
        other.restore(np.array([3], np.int32), state)
        both.restore(np.array([1], np.int32), other.save(np.array([3], np.int32)))
