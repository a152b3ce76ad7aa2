"""A season that was told: learned from its second round on, of use besides those that are found, and no harm."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, BucketOpinions, Kind
from offbeat_detectors.buckets.over import PopulationModel
from tests.detectors.naive_given import LiftedEntity

Array = NDArray[np.float64]
HOUR = 3600
KINDS: list[Kind] = ["count", "sum", "metric"]


def cycle(n: int, buckets: float, kind: str, *, size: float = 20.0, seed: int = 1) -> Array:
    """Values of *n* buckets around 100 with a season of as many *buckets*."""
    rng = np.random.default_rng(seed)
    x = 100.0 + size * np.where(np.arange(n) % buckets < buckets / 2, 1.0, -1.0) + rng.normal(0.0, 1.0, n)
    return np.maximum(0.0, np.round(x)) if kind == "count" else x


def said(model: BucketModel, value: Array, first: int = 0) -> BucketOpinions:
    n = value.size
    return model.process(np.zeros(n, np.int32), np.arange(first, first + n), value, np.ones(n))


def asked(model: BucketModel, bucket: int, value: float) -> BucketOpinions:
    return model.judge(np.zeros(1, np.int32), np.array([bucket]), np.array([value]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("buckets", [5, 17])
def test_it_is_learned_in_few_rounds_and_what_is_odd_in_it_is_found(kind: Kind, buckets: int) -> None:
    n = 40 * buckets
    value = cycle(n, buckets, kind)
    told, alone = BucketModel(1, HOUR, kind, buckets * HOUR), BucketModel(1, HOUR, kind)
    with_it, without = said(told, value), said(alone, value)
    width, width_alone = (each.upper - each.lower for each in (with_it, without))
    learned, learned_alone = (int(np.flatnonzero(each >= 20.0)[-1]) for each in (width, width_alone))
    assert learned < 6 * buckets  # from then on the band is narrower than half of what the season moves
    assert learned_alone == n - 1
    assert (with_it.probability[10 * buckets :] < 1e-4).mean() < 0.002
    other_half = float(value[n - buckets // 2 - 1])  # usual half a round earlier
    assert asked(told, n + buckets // 2, other_half).probability[0] > 0.01
    assert asked(told, n, 80.0).probability[0] < 1e-4
    assert asked(alone, n, 80.0).probability[0] > 1e-3


def test_it_stands_beside_the_season_of_the_day_that_is_found() -> None:
    n = 24 * 30
    value = cycle(n, 5, "metric") + 30.0 * np.sin(2 * np.pi * np.arange(n) / 24)
    told = said(BucketModel(1, HOUR, "metric", 5 * HOUR), value)
    assert np.median((told.upper - told.lower)[-48:]) < 16.0
    alone = said(BucketModel(1, HOUR, "metric"), value)
    assert np.median((alone.upper - alone.lower)[-48:]) > 60.0


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_not_there_costs_nothing(kind: Kind) -> None:
    value = np.round(np.random.default_rng(3).normal(100.0, 5.0, 1000))
    told, alone = said(BucketModel(1, HOUR, kind, 7 * HOUR), value), said(BucketModel(1, HOUR, kind), value)
    assert np.isclose(told.typical[200:], alone.typical[200:]).mean() > 0.95
    assert (told.probability[200:] < 1e-3).mean() < 0.004


def test_one_that_ends_is_given_up() -> None:
    model = BucketModel(1, HOUR, "metric", 5 * HOUR)
    said(model, cycle(200, 5, "metric"))
    assert model.given.proof["believed"][0] == 1
    flat = np.random.default_rng(4).normal(100.0, 1.0, 400)
    after = said(model, flat, 200)
    np.testing.assert_allclose(after.typical[-50:], 100.0, atol=2.0)


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.sampled_from([(HOUR, 5 * HOUR), (HOUR, 19_800), (300, 30 * 86_400), (60, 2 * HOUR)]),
       st.integers(0, 2**16), st.floats(0.0, 60.0))
def test_the_kernel_agrees_with_the_definition(kind: Kind, spans: tuple[int, int], seed: int, size: float) -> None:
    span_s, season_s = spans
    value = cycle(400, season_s / span_s, kind, size=size, seed=seed)
    rng = np.random.default_rng(seed)
    value[rng.random(400) < 0.02] *= 3.0
    value[300:] += 50.0
    weight = rng.choice([1.0, 1.0, 0.3], 400)
    bucket = np.cumsum(rng.choice([1, 1, 1, 2, 9], 400))
    twin, expected = LiftedEntity(span_s, kind, season_s), []
    for b, x, w in zip(bucket.tolist(), value.tolist(), weight.tolist(), strict=True):
        expected.append(twin.judge(b, x))
        twin.learn(b, x, w)
    got = BucketModel(1, span_s, kind, season_s).process(np.zeros(400, np.int32), bucket, value, weight)
    found = np.array([got.probability, got.probability_high, got.probability_low, got.typical]).T
    np.testing.assert_allclose(found[:, 3], np.array(expected)[:, 3], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[:, :3], np.array(expected)[:, :3], rtol=1e-3, atol=1e-290)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [0, 3, 8, 40, 400])
def test_it_goes_on_bit_for_bit_wherever_it_is_cut_and_saved(kind: Kind, cut: int) -> None:
    value = cycle(400, 5, kind)
    whole = said(BucketModel(1, HOUR, kind, 5 * HOUR), value)
    one, other = BucketModel(1, HOUR, kind, 5 * HOUR), BucketModel(1, HOUR, kind, 5 * HOUR)
    before = said(one, value[:cut])
    other.grow(9)
    other.restore(np.array([0], np.int32), one.save(np.array([0], np.int32)))
    after = said(other, value[cut:], cut)
    for name in BucketOpinions.__slots__:
        parts = np.concatenate([getattr(before, name), getattr(after, name)])
        np.testing.assert_array_equal(parts, getattr(whole, name))


def test_judging_learns_nothing_and_the_forgotten_begin_anew() -> None:
    model, none = BucketModel(2, HOUR, "metric", 5 * HOUR), np.zeros(1, np.int32)
    said(model, cycle(100, 5, "metric"))
    state = model.save(none)
    first = asked(model, 100, 81.0)
    np.testing.assert_array_equal(asked(model, 100, 81.0).probability, first.probability)
    for name, column in model.save(none).items():
        np.testing.assert_array_equal(column, state[name])
    model.forget(none)
    for name, column in model.save(none).items():
        np.testing.assert_array_equal(column, model.save(np.ones(1, np.int32))[name])


def test_a_population_has_it_too() -> None:
    rng, members = np.random.default_rng(2), 40
    told, alone = (PopulationModel(1, HOUR, "metric", season_s) for season_s in (5 * HOUR, 0))
    middle = cycle(100, 5, "metric")
    for bucket in range(100):
        of = np.zeros(members, np.int32), np.full(members, bucket), middle[bucket] + rng.normal(0.0, 2.0, members)
        told.process(*of, np.ones(members))
        alone.process(*of, np.ones(members))
    odd = np.zeros(1, np.int32), np.array([100]), np.array([80.0])
    assert told.judge(*odd).probability[0] < 1e-6 < alone.judge(*odd).probability[0]
    assert told.bytes_per_population > alone.bytes_per_population == PopulationModel.bytes_per_population


@pytest.mark.parametrize("season_s", [-1, 1, HOUR, 2 * HOUR - 1, 100_000 * HOUR + 1])
def test_one_that_buckets_cannot_tell_is_refused(season_s: int) -> None:
    with pytest.raises(ValueError, match=r"season_s is .*: expected 2 to 100000 buckets of 3600 s, or 0"):
        BucketModel(1, HOUR, "metric", season_s)


def test_memory_of_an_entity_is_bounded() -> None:
    model = BucketModel(1, 60, "metric", 30 * 86_400)
    assert model.bytes_per_entity == BucketModel.bytes_per_entity + 792
    assert BucketModel(1, HOUR, "metric").save(np.zeros(1, np.int32)).keys() == {
        name for name in model.save(np.zeros(1, np.int32)) if not name.startswith("given.")}
