"""Values that appear in few buckets, with few members, or with one member far too often."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.buckets.rare import FreqRareModel, RareModel, RareOpinions, RareOverModel, marked, scattered
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


Pairs = tuple[np.ndarray, np.ndarray]


def crowd(members: int) -> Pairs:
    """Every member has values 1 and 2."""
    return np.repeat(np.arange(members), 2), np.tile(np.array([1, 2], np.int32), members)


def with_members(model: RareOverModel, bucket: int, pairs: Pairs) -> RareOpinions:
    member, value = pairs
    return model.process(np.zeros(member.size, np.int32), np.full(member.size, bucket), member, value)


def test_a_value_that_few_members_have_is_rare_however_often_they_have_it() -> None:
    model = RareOverModel(1)
    member, value = crowd(200)
    for bucket in range(100):
        said = with_members(model, bucket, (np.append(member, 7), np.append(value, np.int32(50))))
    assert said.probability[-1] == pytest.approx(1.0 / 200.0, rel=0.3)
    assert said.seen[-1] == pytest.approx(1.0, rel=0.05)
    assert said.of[-1] == pytest.approx(200.0, rel=0.1)
    assert (said.probability[:-1] > 0.5).all()
    new = model.judge(np.zeros(1, np.int32), np.array([999], np.int32))
    assert new.probability[0] == pytest.approx(2.0 / 200.0, rel=0.3)


def test_values_of_a_crowd_that_all_differ_are_not_rare() -> None:
    model = RareOverModel(1)
    rng = np.random.default_rng(4)
    for bucket in range(100):
        with_members(model, bucket, (np.arange(50), rng.integers(0, 10_000, 50).astype(np.int32)))
    assert model.judge(np.zeros(1, np.int32), np.array([999], np.int32)).probability[0] > 0.5


def test_what_nobody_has_any_more_counts_for_nothing() -> None:
    model = RareOverModel(1)
    member, value = crowd(20)
    for bucket in range(20):
        with_members(model, bucket, (member, np.where(member < 10, value, 5).astype(np.int32)))
    for bucket in range(20, 2100):
        with_members(model, bucket, (np.zeros(1, np.int64), np.array([1], np.int32)))
    said = model.judge(np.zeros(2, np.int32), np.array([1, 5], np.int32))
    assert said.of == pytest.approx([1.0, 1.0], abs=0.05)
    assert said.seen == pytest.approx([1.0, 0.0], abs=0.05)


@given(st.sets(st.integers(-2**62, 2**62), max_size=300))
def test_members_are_counted_by_their_marks(members: set[int]) -> None:
    bits = np.zeros(32, np.uint64)
    for member in members:
        at = int(scattered_of(member)) % 1024
        bits[at >> 6] |= np.uint64(1 << (at & 63))
    counted = marked(bits, 16)
    assert counted == pytest.approx(len(members), abs=3.0 + 0.12 * len(members))


def scattered_of(member: int) -> int:
    """The twin of ``scattered``, in whole numbers."""
    z = (member * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


@given(st.integers(-2**62, 2**62))
def test_marks_are_scattered_as_defined(member: int) -> None:
    assert int(scattered(member)) == scattered_of(member)


def test_a_member_with_rare_values_unusually_often_is_found() -> None:
    rng = np.random.default_rng(5)
    model = FreqRareModel(1, 300)
    member, value = crowd(200)
    least = []
    for bucket in range(120):
        who, what = member, value
        if bucket % 20 == 10:
            who, what = np.append(who, rng.integers(0, 200)), np.append(what, np.int32(50 + rng.integers(0, 5)))
        if bucket == 110:
            who, what = np.append(who, np.full(5, 7)), np.append(what, np.arange(50, 55, dtype=np.int32))
        order = np.argsort(who, kind="stable")
        events = np.where(what >= 50, 4.0 if bucket == 110 else 1.0, 1.0)[order]
        said = model.process(np.zeros(who.size, np.int32), np.full(who.size, bucket), who[order], what[order], events)
        least.append(np.nan if np.isnan(said.probability).all() else float(np.nanmin(said.probability)))
        if bucket == 110:
            assert who[order][said.row[np.nanargmin(said.probability)]] == 7
            assert said.actual.max() >= 20.0
            assert said.typical[0] < 1.0
    assert np.isnan(least[:10]).all()
    assert least[110] == np.nanmin(least)
    assert least[110] < 1e-6
    state = model.save(np.zeros(1, np.int32))
    other = FreqRareModel(1, 300)
    other.grow(3)
    other.restore(np.array([2], np.int32), state)
    for name, column in other.save(np.array([2], np.int32)).items():
        np.testing.assert_array_equal(column, state[name])
    nobody = model.process(*(np.empty(0, kind) for kind in (np.int32, np.int64, np.int64, np.int32, np.float64)))
    assert nobody.probability.size == 0
