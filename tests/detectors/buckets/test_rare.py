"""Values that appear in few of the buckets."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.buckets.rare import RareModel, RareOpinions
from tests.detectors.naive_appearances import Rare

BUCKETS = 1000


def see(model: RareModel, bucket: int, values: Sequence[int], entity: int = 0) -> RareOpinions:
    n = len(values)
    return model.process(np.full(n, entity, np.int32), np.full(n, bucket), np.array(values, np.int32))


def after(values: Callable[[int], Sequence[int]], buckets: int = BUCKETS) -> RareModel:
    model = RareModel(1)
    for bucket in range(buckets):
        see(model, bucket, values(bucket))
    return model


def odd(model: RareModel, value: int) -> float:
    return float(model.judge(np.zeros(1, np.int32), np.array([value], np.int32)).probability[0])


@given(st.lists(st.sets(st.integers(0, 200), max_size=30), max_size=60))
def test_the_kernel_agrees_with_the_definition(buckets: list[set[int]]) -> None:
    twin, model = Rare(), RareModel(1)
    for bucket, values in enumerate(buckets):
        if values:
            said = see(model, bucket, sorted(values))
            np.testing.assert_allclose(said.probability, twin.bucket(sorted(values)), rtol=1e-9)


def test_a_new_value_after_a_long_calm_history_of_a_few_steady_ones_is_odd_by_its_length() -> None:
    model = after(lambda bucket: [1, 2, 3, 4])
    assert 0.5 / BUCKETS < odd(model, 9) < 2.0 / BUCKETS
    assert odd(model, 1) > 0.9
    assert 5.0 / BUCKETS < odd(after(lambda bucket: [1, 2, 3, 4], 100), 9) < 20.0 / BUCKETS


def test_where_new_values_come_all_the_time_they_are_not_odd() -> None:
    assert odd(after(lambda bucket: [1, 2, 3, 1000 + bucket]), 9) > 0.5
    rng = np.random.default_rng(1)
    sometimes = after(lambda bucket: [1, 2, 3, *([1000 + bucket] if rng.random() < 0.05 else [])])
    assert 0.02 < odd(sometimes, 9) < 0.1


def test_what_is_seen_in_few_buckets_is_rare_only_where_most_is_seen_in_many() -> None:
    steady = after(lambda bucket: [1, 2, *([5] if bucket % 100 == 50 else [])])
    assert odd(steady, 5) == pytest.approx(0.01, rel=0.2)
    rng = np.random.default_rng(2)
    scattered_over_many = after(lambda bucket: np.unique(rng.integers(0, 500, 2)).tolist())
    assert odd(scattered_over_many, 5) > 0.3


def test_the_number_of_buckets_is_told_and_none_is_judged_before_the_tenth() -> None:
    model = RareModel(1)
    for bucket in range(30):
        said = see(model, bucket, [1])
        assert np.isnan(said.probability[0]) == (bucket < 11)  # ten faded buckets are not quite ten
    assert said.seen[0] == pytest.approx(29.0, rel=0.01) and said.of[0] == said.seen[0]


def test_partitions_are_apart_and_go_on_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    buckets = [np.unique(rng.zipf(1.5, 8) % 300).tolist() for _ in range(120)]
    whole, parts = RareModel(1), RareModel(2)
    for bucket, values in enumerate(buckets):
        expected = see(whole, bucket, values).probability
        see(parts, bucket, [7], 0)
        np.testing.assert_array_equal(see(parts, bucket, values, 1).probability, expected)
        state = parts.save(np.array([1], np.int32))
        parts.forget(np.array([1], np.int32))
        parts.grow(bucket + 3)
        parts.restore(np.array([1], np.int32), state)
