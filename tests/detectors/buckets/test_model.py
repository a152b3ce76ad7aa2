"""A number in buckets: the kernel is its definition, whatever the cut; what is expected of its manners."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, BucketOpinions, Kind
from tests.detectors.naive_buckets import Entity

Array = NDArray[np.float64]
HOUR = 3600
MAX_BYTES = 1_200


def said(model: BucketModel, value: Array, first: int = 0, entity: int = 0) -> BucketOpinions:
    n = value.size
    return model.process(np.full(n, entity, np.int32), np.arange(first, first + n), value, np.ones(n))


def asked(model: BucketModel, bucket: int, *value: float, completeness: float = 1.0) -> BucketOpinions:
    n = len(value)
    return model.judge(np.zeros(n, np.int32), np.full(n, bucket), np.array(value), completeness)


def columns(opinions: BucketOpinions) -> list[Array]:
    return [getattr(opinions, name) for name in BucketOpinions.__slots__]


STRETCH = st.tuples(
    st.sampled_from(["normal", "level", "wide", "constant", "zeros", "skewed", "odd", "gap", "daily"]),
    st.integers(1, 160))


def stretches(parts: list[tuple[str, int]], kind: str, seed: int) -> tuple[NDArray[np.int64], Array]:
    """Buckets and values of hours of all sorts."""
    rng = np.random.default_rng(seed)
    bucket, value, at, level = [], [], 0, 20.0
    for name, length in parts:
        if name == "gap":
            at += length
            continue
        if name == "level":
            level *= 3.0
        hours = np.arange(at, at + length)
        x = {"wide": rng.normal(level, level / 2, length), "constant": np.full(length, level),
             "zeros": np.where(rng.random(length) < 0.1, level, 0.0), "skewed": level * rng.lognormal(0, 1, length),
             "odd": np.where(rng.random(length) < 0.2, 50 * level, level), "daily": level * (2 + np.sin(hours / 3.82)),
             }.get(name, rng.normal(level, 1.0, length))
        bucket += hours.tolist()
        value += (np.round(x) if kind == "count" else x).tolist()
        at += length
    found = np.array(value, np.float64)
    return np.array(bucket, np.int64), found if kind == "metric" else np.maximum(found, 0.0)


@settings(max_examples=40)
@given(st.lists(STRETCH, min_size=1, max_size=6), st.sampled_from(["count", "sum", "metric"]),
       st.sampled_from([300, 3600, 28_800, 86_400, 604_800]), st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(
    parts: list[tuple[str, int]], kind: Kind, span_s: int, seed: int,
) -> None:
    assert_as_defined(*stretches(parts, kind, seed), kind, span_s, seed)


LONG = [("daily", 1000), ("level", 60), ("gap", 50), ("odd", 300), ("constant", 100), ("daily", 500), ("skewed", 200),
        ("zeros", 400), ("constant", 30), ("normal", 300), ("wide", 100)]


@pytest.mark.parametrize("kind", ["count", "sum", "metric"])
@pytest.mark.parametrize("span_s", [300, 3600, 28_800, 86_400])
def test_so_it_does_in_a_long_history(kind: Kind, span_s: int) -> None:
    assert_as_defined(*stretches(LONG, kind, 1), kind, span_s, 1)


def assert_as_defined(bucket: NDArray[np.int64], value: Array, kind: Kind, span_s: int, seed: int) -> None:
    weight = np.random.default_rng(seed).choice([1.0, 1.0, 0.3], bucket.size)
    twin, expected = Entity(span_s, kind), []
    for b, x, w in zip(bucket.tolist(), value.tolist(), weight.tolist(), strict=True):
        expected.append(twin.judge(b, x))
        twin.learn(b, x, w)
    model = BucketModel(1, span_s, kind)
    got = model.process(np.zeros(bucket.size, np.int32), bucket, value, weight)
    found = np.array([got.probability, got.probability_high, got.probability_low, got.typical]).T
    twins = np.array(expected).reshape(-1, 4)
    # The tables of the seasons hold 32 bits: where two orders of rounding part, so does the sixth figure.
    np.testing.assert_allclose(found[:, :3], twins[:, :3], rtol=1e-4, atol=1e-290)
    np.testing.assert_allclose(found[:, 3], twins[:, 3], rtol=1e-4, atol=1e-4)
    later = int(bucket[-1]) + 3 if bucket.size else 0
    part = asked(model, later, 7.0, completeness=0.3)
    np.testing.assert_allclose(
        [part.probability[0], part.probability_high[0], part.probability_low[0], part.typical[0]],
        twin.judge(later, 7.0, 0.3), rtol=1e-4, atol=1e-290)


@given(st.lists(STRETCH, min_size=1, max_size=4), st.sampled_from(["count", "sum", "metric"]), st.data())
def test_it_goes_on_bit_for_bit_wherever_it_is_cut_and_saved(
    parts: list[tuple[str, int]], kind: Kind, data: st.DataObject,
) -> None:
    bucket, value = stretches(parts, kind, 5)
    cut = data.draw(st.integers(0, bucket.size))
    zeros, ones = np.zeros(bucket.size, np.int32), np.ones(bucket.size)
    whole = columns(BucketModel(1, HOUR, kind).process(zeros, bucket, value, ones))
    one, other = BucketModel(2, HOUR, kind), BucketModel(1, HOUR, kind)
    before = columns(one.process(zeros[:cut] + np.int32(1), bucket[:cut], value[:cut], ones[:cut]))
    other.grow(5)
    other.restore(np.array([3], np.int32), one.save(np.array([1], np.int32)))
    after = columns(other.process(zeros[cut:] + np.int32(3), bucket[cut:], value[cut:], ones[cut:]))
    for all_at_once, a, b in zip(whole, before, after, strict=True):
        np.testing.assert_array_equal(np.concatenate([a, b]), all_at_once)


def test_entities_know_nothing_of_each_other() -> None:
    rng = np.random.default_rng(1)
    value = rng.gamma(2.0, 3.0, (3, 80))
    alone = [said(BucketModel(1, HOUR, "metric"), row).probability for row in value]
    together = BucketModel(3, HOUR, "metric").process(
        np.tile(np.arange(3, dtype=np.int32), 80), np.repeat(np.arange(80), 3), value.T.ravel().copy(), np.ones(240))
    np.testing.assert_array_equal(together.probability.reshape(80, 3).T, alone)


def test_judging_learns_nothing() -> None:
    model = BucketModel(1, HOUR, "metric")
    value = np.random.default_rng(2).normal(10.0, 1.0, 100)
    said(model, value)
    state = model.save(np.zeros(1, np.int32))
    first = asked(model, 100, 10.0, 99.0)
    np.testing.assert_array_equal(asked(model, 100, 10.0, 99.0).probability, first.probability)
    for name, column in model.save(np.zeros(1, np.int32)).items():
        np.testing.assert_array_equal(column, state[name])
    np.testing.assert_array_equal(said(model, np.array([99.0]), 100).probability, first.probability[1:])


def test_a_value_of_no_weight_and_no_number_teach_nothing() -> None:
    model = BucketModel(1, HOUR, "metric")
    said(model, np.random.default_rng(2).normal(10.0, 1.0, 100))
    state = model.save(np.zeros(1, np.int32))
    none = model.process(np.zeros(3, np.int32), np.arange(100, 103), np.array([np.nan, np.inf, 40.0]),
                         np.array([1.0, 1.0, 0.0]))
    assert np.isnan(none.probability[:2]).all()
    assert none.probability[2] < 1e-12
    for name, column in model.save(np.zeros(1, np.int32)).items():
        np.testing.assert_array_equal(column, state[name])


@pytest.mark.parametrize("kind", ["count", "metric"])
def test_a_constant_that_stays_is_certain_and_its_first_change_odd_by_its_length(kind: Kind) -> None:
    for length, least, most in ((10, 1e-4, 0.05), (1000, 1e-9, 1e-4)):
        model = BucketModel(1, HOUR, kind)
        assert (said(model, np.full(length, 60.0)).probability[5:] == 1.0).all()
        down = asked(model, length, 50.0).probability[0]
        assert least < down < most
        assert asked(model, length, 0.0).probability[0] < down
        assert asked(model, length, 60.0).probability[0] == 1.0


def test_a_constant_is_accepted_at_its_new_level_after_six_buckets() -> None:
    model = BucketModel(1, HOUR, "metric")
    said(model, np.full(500, 60.0))
    p = said(model, np.full(20, 70.0), 500).probability
    assert (p[:6] < 1e-3).all()
    assert (p[6:] == 1.0).all()


def test_a_new_level_is_normal_after_a_few_buckets_and_a_single_value_is_not() -> None:
    rng = np.random.default_rng(3)
    model = BucketModel(1, HOUR, "metric")
    said(model, rng.normal(10.0, 1.0, 200))
    said(model, np.array([1e9]), 200)
    assert asked(model, 201, 10.0).probability[0] > 0.5
    assert asked(model, 201, 20.0).probability[0] < 1e-6
    p = said(model, rng.normal(30.0, 1.0, 40), 201).probability
    assert (p[:5] < 1e-6).all()
    assert (p[8:] > 1e-3).all()


def test_a_slow_trend_is_followed() -> None:
    rng = np.random.default_rng(4)
    model = BucketModel(1, HOUR, "metric")
    value = 100.0 + 0.05 * np.arange(800) + rng.normal(0.0, 1.0, 800)
    typical = said(model, value).typical
    assert abs(np.mean(typical[400:] - (100.0 + 0.05 * np.arange(400, 800)))) < 0.3


@pytest.mark.parametrize("span_s", [300, HOUR, 7200])
def test_a_day_is_known_on_its_third_round(span_s: int) -> None:
    day = 86_400 // span_s
    rng = np.random.default_rng(5)
    at = np.arange(3 * day)
    value = 50.0 + 20.0 * np.sin(2 * np.pi * at / day) + rng.normal(0.0, 1.0, at.size)
    model = BucketModel(1, span_s, "metric")
    typical = said(model, value).typical[2 * day :]
    assert np.abs(typical - 50.0 - 20.0 * np.sin(2 * np.pi * at[2 * day :] / day)).mean() < 1.5
    quarter = 3 * day + day // 4
    assert asked(model, quarter, 70.0).probability[0] > 0.05
    assert asked(model, quarter, 50.0).probability[0] < 1e-3


def test_the_weekend_is_known_after_three_weeks() -> None:
    at = np.arange(25 * 24)
    rng = np.random.default_rng(6)
    quiet = (at // 24) % 7 >= 5
    value = rng.poisson(np.where(quiet, 20.0, 100.0)).astype(float)
    model = BucketModel(1, HOUR, "count")
    p = said(model, value).probability
    assert (p[22 * 24 :] < 1e-4).mean() < 0.01
    weekend = 26 * 24 + 12
    assert asked(model, weekend, 20.0).probability[0] > 0.01
    assert asked(model, weekend, 100.0).probability[0] < 1e-3


def test_a_job_of_the_night_is_known_to_the_minute_after_two_nights() -> None:
    rng = np.random.default_rng(13)
    at = np.arange(10 * 288)
    nightly = (at % 288 >= 37) & (at % 288 < 50)  # 3:05 to 4:10
    model = BucketModel(1, 300, "metric")
    p = said(model, 20.0 + 30.0 * nightly + rng.normal(0.0, 1.0, at.size)).probability
    assert (p[2 * 288 :] < 1e-4).sum() <= 1
    night, noon = 10 * 288 + 43, 10 * 288 + 144
    assert asked(model, night, 20.0).probability[0] < 1e-5
    assert asked(model, noon, 50.0).probability[0] < 1e-6


def test_missing_buckets_neither_teach_nor_harm() -> None:
    rng = np.random.default_rng(7)
    value = rng.normal(10.0, 1.0, 400)
    model = BucketModel(1, HOUR, "metric")
    kept = np.sort(rng.choice(4000, 400, replace=False)).astype(np.int64)
    p = model.process(np.zeros(400, np.int32), kept, value, np.ones(400)).probability
    assert (p[50:] < 0.01).mean() < 0.03
    assert (asked(model, 100_000, 10.0).probability > 0.5).all()


def test_half_a_bucket_is_expected_to_hold_half_as_much() -> None:
    rng = np.random.default_rng(8)
    model = BucketModel(1, HOUR, "count")
    said(model, rng.poisson(100, 200).astype(float))
    half = asked(model, 200, 50.0, completeness=0.5)
    assert half.typical[0] == pytest.approx(50.0, rel=0.05)
    assert half.probability[0] > 0.3
    assert asked(model, 200, 50.0).probability_low[0] < 1e-5
    with pytest.raises(ValueError, match="completeness"):
        asked(model, 200, 50.0, completeness=0.0)


def test_a_sum_is_zero_with_a_probability_of_its_own() -> None:
    rng = np.random.default_rng(9)
    model = BucketModel(1, HOUR, "sum")
    said(model, np.where(rng.random(500) < 0.4, 0.0, rng.gamma(50.0, 2.0, 500)))
    zero, usual, much = asked(model, 500, 0.0, 100.0, 300.0).probability
    assert zero > 0.5 and usual > 0.3 and much < 1e-6
    always = BucketModel(1, HOUR, "sum")
    said(always, rng.gamma(50.0, 2.0, 500))
    assert asked(always, 500, 0.0).probability_low[0] < 1e-6


def test_high_and_low_are_the_two_sides() -> None:
    model = BucketModel(1, HOUR, "metric")
    said(model, np.random.default_rng(10).normal(0.0, 1.0, 300))
    high, low = asked(model, 300, 5.0), asked(model, 300, -5.0)
    assert high.probability_high[0] < 1e-4 < 0.99 < high.probability_low[0]
    assert low.probability_low[0] < 1e-4 < 0.99 < low.probability_high[0]
    assert high.probability[0] == 2.0 * high.probability_high[0]


def test_small_probabilities_stay_in_order() -> None:
    model = BucketModel(1, HOUR, "count")
    said(model, np.random.default_rng(11).poisson(1000, 400).astype(float))
    p = asked(model, 400, 1100.0, 1200.0, 1400.0, 1800.0, 2600.0, 6000.0, 40_000.0).probability
    assert (np.diff(p) < 0.0).all()
    assert 0.0 < p[-1] < 1e-100 < p[2] < 1e-9
    assert 2.2250738585072014e-308 <= asked(model, 400, 1e300).probability[0] < p[-1]


@pytest.mark.parametrize("kind", ["count", "sum", "metric"])
def test_absurd_values_do_no_harm(kind: Kind) -> None:
    rng = np.random.default_rng(12)
    value = rng.gamma(2.0, 10.0, 600)
    value[[3, 100, 101, 400]] = 1.7e308, 1e300, 1e-300, 1e200
    if kind == "metric":
        value[[50, 402]] = -1e300, -1.7e308
    model = BucketModel(1, HOUR, kind)
    for column in columns(said(model, value)):
        assert np.isfinite(column[5:]).all()
    assert asked(model, 600, 20.0).probability[0] > 0.1


def test_a_model_takes_little_more_than_a_kb_an_entity_and_forgets() -> None:
    model = BucketModel(2, HOUR, "metric")
    assert model.bytes_per_entity <= MAX_BYTES
    fresh = model.save(np.array([1], np.int32))
    said(model, np.arange(50.0), entity=1)
    model.forget(np.array([1], np.int32))
    for name, column in model.save(np.array([1], np.int32)).items():
        np.testing.assert_array_equal(column, fresh[name])


def test_a_wrong_kind_or_span_or_state_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'median'"):
        BucketModel(1, HOUR, "median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bucket_span_s is 0"):
        BucketModel(1, 0, "count")
    model = BucketModel(2, HOUR, "count")
    with pytest.raises(ValueError, match="expected 2"):
        model.restore(np.arange(2, dtype=np.int32), model.save(np.zeros(1, np.int32)))
    with pytest.raises(KeyError):
        model.restore(np.zeros(1, np.int32), {})
