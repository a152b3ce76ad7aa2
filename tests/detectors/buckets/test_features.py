"""What is gathered of a bucket is what its rows say, however they are cut."""
from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.features import FEATURES, Gathered, Gatherer
from offbeat_detectors.buckets.numbers import LISTED_MAX
from tests.detectors.naive_features import Row, feature

ALL = tuple(FEATURES)
VALUE = st.one_of(st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.sampled_from([math.nan, math.inf, -math.inf]))
INPUT = st.tuples(st.integers(-2, 2), st.integers(0, 4), VALUE, st.integers(1, 5).map(float))
ROWS = st.lists(INPUT, min_size=1, max_size=60)
Columns = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]


def columns(rows: list[tuple[int, int, float, float]]) -> Columns:
    bucket, entity, value, weight = zip(*rows, strict=True)
    return np.array(bucket, np.int64), np.array(entity, np.int32), np.array(value), np.array(weight)


def seeded(n: int, entities: int = 6, buckets: int = 3, seed: int = 0) -> Columns:
    rng = np.random.default_rng(seed)
    value = rng.lognormal(0, 3, n) * rng.choice([-1, 1], n)
    value[rng.random(n) < 0.05] = math.nan
    return (rng.integers(0, buckets, n), rng.integers(0, entities, n).astype(np.int32), value,
            rng.choice([0.5, 1.0, 2.0, 0.1], n))


def of_one(value: NDArray[np.float64], *features: str, weight: NDArray[np.float64] | None = None) -> list[float]:
    gatherer = Gatherer(features)
    gatherer.add(np.zeros(value.size, np.int64), np.zeros(value.size, np.int32), value, weight)
    return list(gatherer.close(0).value[0])


def assert_same(a: Gathered, b: Gathered) -> None:
    for name in ("entity", "count", "value", "beyond"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@settings(deadline=None, max_examples=150)
@given(ROWS)
def test_every_feature_is_what_its_definition_says(rows: list[tuple[int, int, float, float]]) -> None:
    by_bucket: dict[int, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for bucket, entity, value, weight in rows:
        by_bucket[bucket][entity].append((value, weight))
    gatherer = Gatherer(ALL)
    gatherer.add(*columns(rows))
    assert gatherer.buckets == tuple(sorted(by_bucket))
    for bucket, entities in by_bucket.items():
        found = gatherer.close(bucket)
        assert found.entity.tolist() == sorted(entities)
        for entity, count, value in zip(found.entity.tolist(), found.count, found.value, strict=True):
            own = entities[entity]
            assert count == feature("count", own)
            expected = [feature(name, own) for name in ALL]
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9)
    assert gatherer.buckets == ()


def test_a_sum_is_right_to_the_last_bit_where_plain_addition_is_not() -> None:
    value = np.array([0.1] * 10_000 + [1e16, 1.0, -1e16])
    assert of_one(value, "sum") == [math.fsum(value)]
    assert sum(value) != math.fsum(value)


def test_mean_and_variance_of_a_constant_are_that_constant_and_zero() -> None:
    for x in (0.1, 1 / 3, 1e-300, -7.7e200):
        assert of_one(np.full(1001, x), "mean", "varp", "median", weight=np.full(1001, 0.3)) == [x, 0.0, x]


def test_variance_far_from_zero_is_exact_enough() -> None:
    value = 1e9 + np.array([0.0, 1.0, 2.0] * 1000)
    assert of_one(value, "varp")[0] == pytest.approx(2 / 3, rel=1e-8)


def test_absurd_values_give_finite_features() -> None:
    value = np.array([1.7e308, 1.7e308, -1.7e308, 1.7e308, 5.0])
    found = dict(zip(ALL, of_one(value, *ALL), strict=True))
    assert np.isfinite(list(found.values())).all()
    assert (found["max"], found["median"]) == (1.7e308, 1.7e308)
    assert of_one(np.array([1.7e308, 1.7e308]), "mean", "median") == [1.7e308, 1.7e308]


def test_an_entity_whose_values_are_all_missing_has_events_but_no_number() -> None:
    gatherer = Gatherer(["count", "mean", "sum"])
    gatherer.add(np.zeros(2, np.int64), np.full(2, 3, np.int32), np.array([math.nan, math.inf]))
    found = gatherer.close(0)
    np.testing.assert_array_equal(found.value, [[2.0, math.nan, math.nan]])


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_row_that_stands_for_no_event_is_ignored_and_counted(weight: float) -> None:
    gatherer = Gatherer(["count"])
    gatherer.add(np.array([0, 1, 1]), np.zeros(3, np.int32), np.ones(3), np.array([weight, 1.0, weight]))
    assert (gatherer.buckets, gatherer.ignored_rows) == ((1,), 2)
    assert gatherer.close(1).count.tolist() == [1.0]


@pytest.mark.parametrize("features", [("count", "mean", "varp", "sum"), ("median",)])
def test_it_does_not_matter_how_rows_are_cut(features: tuple[str, ...]) -> None:
    rows = seeded(5000)  # more values than a list holds
    whole, one_by_one, in_parts = Gatherer(features), Gatherer(features), Gatherer(features)
    whole.add(*rows)
    for i in range(5000):
        one_by_one.add(*(column[i : i + 1] for column in rows))
    for part in np.split(np.arange(5000), [1, 7, 8, 1000, 4999]):
        in_parts.add(*(column[part] for column in rows))
    saved = [{name: array.tobytes() for name, array in each.save().items()} for each in (whole, one_by_one, in_parts)]
    assert saved[0] == saved[1] == saved[2]
    assert_same(whole.close(1), one_by_one.close(1))


@pytest.mark.parametrize("features", [("count", "mean", "varp"), ("median",)])
@pytest.mark.parametrize("cut", [0, 1, 2500, 5000])
def test_restored_it_goes_on_as_if_uninterrupted(features: tuple[str, ...], cut: int) -> None:
    rows = seeded(5000)
    whole, before, after = Gatherer(features), Gatherer(features), Gatherer(features)
    whole.add(*rows)
    before.add(*(column[:cut] for column in rows))
    after.restore(before.save())
    before.add(*(column[cut:] for column in rows))  # what is saved is a copy
    after.add(*(column[cut:] for column in rows))
    assert after.buckets == whole.buckets == before.buckets
    for bucket in whole.buckets:
        expected = whole.close(bucket)
        assert_same(after.close(bucket), expected)
        assert_same(before.close(bucket), expected)


def test_what_does_not_fit_together_is_not_restored() -> None:
    gatherer = Gatherer(["mean"])
    gatherer.add(*seeded(100))
    state = gatherer.save()
    with pytest.raises(ValueError, match="do not fit together"):
        Gatherer(["mean"]).restore(state | {"row_sum": state["row_sum"][1:]})
    del state["row_sum"]
    with pytest.raises(KeyError):
        Gatherer(["mean"]).restore(state)


def test_to_look_changes_nothing_and_a_closed_bucket_begins_anew() -> None:
    rows = seeded(500)
    gatherer = Gatherer(ALL)
    gatherer.add(*rows)
    assert_same(gatherer.look(1), gatherer.look(1))
    first = gatherer.close(1)
    assert gatherer.close(1).value.shape == (0, len(ALL))
    gatherer.add(*rows)
    assert_same(gatherer.close(1), first)


def test_the_input_is_left_as_it_was() -> None:
    rows = seeded(1000)
    copies = [column.copy() for column in rows]
    for column in rows:
        column.flags.writeable = False
    Gatherer(ALL).add(*rows)
    for column, copy in zip(rows, copies, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_bad_columns_and_features_are_refused() -> None:
    gatherer = Gatherer(["mean"])
    with pytest.raises(ValueError, match="different lengths"):
        gatherer.add(np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(1))
    with pytest.raises(ValueError, match="entity -1: expected 0 or more"):
        gatherer.add(np.zeros(1, np.int64), np.full(1, -1, np.int32), np.zeros(1))
    with pytest.raises(ValueError, match="expected one or more of count, sum, mean"):
        Gatherer(["mode"])


ORDERS = {
    "random": lambda x: x, "ascending": np.sort, "descending": lambda x: np.sort(x)[::-1],
    "from the ends": lambda x: np.stack([np.sort(x)[: x.size // 2], np.sort(x)[x.size // 2 :][::-1]], 1).ravel(),
    "from the middle": lambda x: np.stack([np.sort(x)[: x.size // 2][::-1], np.sort(x)[x.size // 2 :]], 1).ravel(),
    "in waves": lambda x: np.concatenate([np.sort(part) for part in np.split(x, 100)]),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [600, 2000, 100_000])
def test_the_median_of_many_is_off_by_at_most_one_and_a_half_percent_of_the_ranks(order: str, n: int) -> None:
    value = ORDERS[order](np.random.default_rng(n).lognormal(0, 2, n))
    (median,) = of_one(value, "median")
    assert abs((value < median).mean() - 0.5) <= 0.015


def test_the_median_of_many_values_is_exact_while_few_are_different() -> None:
    value = np.random.default_rng(0).integers(0, LISTED_MAX // 2, 100_001).astype(float)
    assert of_one(value, "median") == [np.median(value)]


def test_memory_of_a_median_does_not_grow_with_its_rows() -> None:
    gatherer = Gatherer(["median"])
    value = np.random.default_rng(0).normal(size=20_000)
    sizes = []
    for _ in range(5):
        gatherer.add(np.zeros(value.size, np.int64), np.zeros(value.size, np.int32), value)
        sizes.append(sum(array.nbytes for array in gatherer.save().values()))
    assert sizes[0] == sizes[-1] < 12_000


def test_memory_is_132_bytes_an_entity_without_a_median() -> None:
    gatherer = Gatherer(["mean", "varp"])
    gatherer.add(np.zeros(10_000, np.int64), np.arange(10_000, dtype=np.int32), np.ones(10_000))
    assert sum(array.nbytes for array in gatherer.save().values()) <= 128 * 10_000 + 200
