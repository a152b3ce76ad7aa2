"""Who follows whom: as defined, whatever the cut; within its room; two that part are odd, whoever of them moved."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, BucketOpinions
from offbeat_detectors.buckets.pairs import (
    ENTITIES_MAX,
    GROUPS_MAX,
    NOBODY,
    PairOpinions,
    Pairs,
    Table,
    of_two,
    strays,
)
from tests.detectors.naive_pairs import Group

Array = NDArray[np.float64]
MODEL_BYTES = BucketModel.bytes_per_entity
SPAN_S, UNLIMITED = 60, -1


def fleet(n: int, seed: int, *, own: float = 0.1, entities: int = 6) -> Array:
    """(n, entities) numbers around 0: 0 and 1 rise together, 2 and 3 the one as the other falls, the rest alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, entities))
    x[:, 1] = 3.0 * (x[:, 0] + own * x[:, 1])
    x[:, 3] = -0.5 * (x[:, 2] + own * x[:, 3])
    return x


def taught(pairs: Pairs, values: Array, first: int = 0, group: int = 0) -> list[PairOpinions]:
    """What is said of each bucket before it is learned; NaN: the entity is not there. Off by its value, around 0."""
    pairs.grow(values.shape[1])
    said = []
    for bucket, row in enumerate(values, first):
        entity = np.flatnonzero(~np.isnan(row)).astype(np.int32)
        said.append(judged(pairs, bucket, row))
        of = np.full(entity.size, group, np.int32)
        pairs.learn(entity, of, bucket, row[entity], row[entity], np.ones(entity.size, np.bool_))
    return said


def judged(pairs: Pairs, bucket: int, row: Array) -> PairOpinions:
    every = np.arange(row.size, dtype=np.int32)
    partner = pairs.partner(every)
    return pairs.judge(every, bucket, row, np.where(partner == NOBODY, np.nan, row[partner]))


def partners(pairs: Pairs, entities: int) -> list[int]:
    return pairs.partner(np.arange(entities, dtype=np.int32)).tolist()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([0.02, 0.3, 0.45]))
def test_it_agrees_with_the_definition(seed: int, gaps: float, own: float) -> None:
    rng = np.random.default_rng(seed)
    x = fleet(260, seed, own=own)
    x[160:, 1] = rng.normal(size=100)  # goes its own way
    x[rng.random(x.shape) < gaps] = np.nan
    pairs, twin = Pairs(SPAN_S, UNLIMITED), Group(SPAN_S)
    for bucket, (row, said) in enumerate(zip(x, taught(pairs, x), strict=True)):
        value = {i: float(one) for i, one in enumerate(row) if not np.isnan(one)}
        expected = twin.judge(bucket, value)
        for i in range(row.size):
            got = (said.probability[i], said.probability_high[i], said.probability_low[i], said.typical[i])
            np.testing.assert_allclose(got, expected.get(i, (np.nan,) * 4), rtol=1e-4, atol=1e-290)
        twin.learn(bucket, value, value)
    both = {a: b for pair in twin.pairs for a, b in (pair, pair[::-1])}
    assert partners(pairs, 6) == [both.get(i, NOBODY) for i in range(6)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 200), st.integers(0, 2**16))
def test_it_goes_on_bit_for_bit_wherever_it_is_saved(cut: int, seed: int) -> None:
    x = fleet(200, seed, entities=12)
    x[150:, 0] = 0.0
    whole, before, after = (Pairs(SPAN_S, 40_000) for _ in range(3))
    expected = taught(whole, x)
    said = taught(before, x[:cut])
    after.restore(before.save())
    said += taught(after, x[cut:], cut)
    for one, other in zip(said, expected, strict=True):
        for name in PairOpinions.__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    a, b = whole.save(), after.save()
    assert a.keys() == b.keys()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert (after.bytes_held, after.crowded) == (whole.bytes_held, whole.crowded)


def test_two_are_a_pair_from_the_fiftieth_bucket_on_that_they_share_until_they_no_longer_follow_one_another() -> None:
    pairs, x = Pairs(SPAN_S, UNLIMITED), fleet(300, 1)
    x[10:30, 1] = np.nan
    taught(pairs, x[:69])
    assert partners(pairs, 6) == [NOBODY, NOBODY, 3, 2, NOBODY, NOBODY]
    taught(pairs, x[69:70], 69)
    assert partners(pairs, 6) == [1, 0, 3, 2, NOBODY, NOBODY]
    taught(pairs, np.random.default_rng(2).normal(size=(150, 6)), 70)
    assert partners(pairs, 6) == [NOBODY] * 6
    assert pairs.save()["taken"].tolist() == [False, False]


@pytest.mark.parametrize(("moved", "high"), [(0, True), (0, False), (1, True), (1, False), (2, True), (3, False)])
def test_who_goes_its_own_way_is_high_or_low_by_its_partner_and_so_is_the_partner_by_it(moved: int, high: bool) -> None:
    pairs, x = Pairs(SPAN_S, UNLIMITED), fleet(200, 3)
    taught(pairs, x)
    row, scale = fleet(1, 9)[0], (1.0, 3.0, 1.0, 0.5)[moved]
    row[moved] += scale * (1.0 if high else -1.0)  # a value as it has had many
    said, other = judged(pairs, 200, row), moved ^ 1
    together = moved < 2
    for one, up in ((moved, high), (other, not high if together else high)):
        low_p, high_p = said.probability_low[one], said.probability_high[one]
        assert said.probability[one] < 1e-6
        assert (high_p < 1e-6 < low_p) if up else (low_p < 1e-6 < high_p)
        assert (row[one] > said.upper[one]) if up else (row[one] < said.lower[one])
        assert said.lower[one] < said.typical[one] < said.upper[one]
    assert said.partner.tolist() == [1, 0, 3, 2, NOBODY, NOBODY]


def test_an_entity_is_in_one_pair_with_the_one_that_is_most_alike() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(60, 1))
    x = common + np.array([0.3, 0.05, 0.2, 0.05, 0.3]) * rng.normal(size=(60, 5))
    pairs = Pairs(SPAN_S, UNLIMITED)
    taught(pairs, x)
    found = partners(pairs, 5)
    assert found[1] == 3
    assert [found[found[i]] for i in range(5) if found[i] != NOBODY] == [i for i in range(5) if found[i] != NOBODY]


def test_copies_that_differ_by_an_error_of_arithmetic_never_part() -> None:
    rng = np.random.default_rng(5)
    x = np.round(rng.normal(0.0, 5.0, (400, 1)), 2) * np.ones(2)
    x[:, 1] = 3.0 * x[:, 0] + np.where(rng.random(400) < 0.02, 1e-13, 0.0)
    said = taught(Pairs(SPAN_S, UNLIMITED), x)
    assert np.nanmin([one.probability.min() for one in said[60:]]) == 1.0


def test_those_that_come_most_often_are_compared_and_no_more_than_a_table_holds() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(300, ENTITIES_MAX + 20))
    x[:, -1] = x[:, -2]
    early = x.copy()
    early[:, -20:] = np.nan
    early[:, :4][rng.random((300, 4)) < 0.9] = np.nan  # they come, but hardly ever
    pairs = Pairs(SPAN_S, UNLIMITED)
    taught(pairs, early)
    later = x.copy()
    later[:, :4] = np.nan
    restored = Pairs(SPAN_S, UNLIMITED)
    restored.restore(pairs.save())
    for one in (pairs, restored):
        taught(one, later, 300)
    a, b = pairs.save(), restored.save()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    table = pairs._tables[0]
    assert table.entity.size == ENTITIES_MAX
    assert partners(pairs, ENTITIES_MAX + 20)[-2:] == [NOBODY, NOBODY]  # sixteen others were there before them
    assert set(range(4)).isdisjoint(table.entity.tolist())
    assert set(range(4, ENTITIES_MAX)) <= set(table.entity.tolist())
    assert not pairs.crowded


@pytest.mark.parametrize("bytes_max", [0, Table.bytes_of(8), Table.bytes_of(8) + MODEL_BYTES, 20_000, 200_000])
def test_it_takes_no_more_than_it_may_and_says_that_it_would(bytes_max: int) -> None:
    x = np.random.default_rng(7).normal(size=(60, 20)).repeat(2, axis=1)
    pairs = Pairs(SPAN_S, bytes_max)
    taught(pairs, x)
    assert pairs.bytes_held <= bytes_max
    assert pairs.crowded == (bytes_max < 200_000)
    paired = sum(one != NOBODY for one in partners(pairs, 40)) // 2
    assert paired == (20 if bytes_max == 200_000 else min(8, max(0, bytes_max - Table.bytes_of(8)) // MODEL_BYTES))


def test_groups_know_nothing_of_each_other_and_are_no_more_than_there_may_be() -> None:
    pairs, x = Pairs(SPAN_S, UNLIMITED), fleet(60, 8)
    every = np.arange(6, dtype=np.int32)
    pairs.grow(GROUPS_MAX + 6)
    for bucket, row in enumerate(x):
        pairs.learn(every, every % 2, bucket, row, row, np.ones(6, np.bool_))
    assert partners(pairs, 6) == [NOBODY] * 6  # 0 and 1 are of two groups
    many = np.arange(6, GROUPS_MAX + 6, dtype=np.int32)
    pairs.learn(many, many, 60, np.ones(many.size), np.ones(many.size), np.ones(many.size, np.bool_))
    assert (len(pairs._tables), pairs.crowded) == (GROUPS_MAX, True)


def test_who_is_forgotten_leaves_its_number_its_slot_and_its_model_to_others() -> None:
    pairs, x = Pairs(SPAN_S, UNLIMITED), fleet(60, 9)
    taught(pairs, x)
    pairs.forget(np.array([0, 5], np.int32))
    assert partners(pairs, 6) == [NOBODY, NOBODY, 3, 2, NOBODY, NOBODY]
    taught(pairs, x, 60)
    assert partners(pairs, 6) == [1, 0, 3, 2, NOBODY, NOBODY]
    pairs.forget(np.arange(6, dtype=np.int32))
    assert not pairs.save()["presence"].any()
    fresh = Pairs(SPAN_S, UNLIMITED)
    said, expected = taught(pairs, x, 120), taught(fresh, x, 120)
    for one, other in zip(said, expected, strict=True):
        np.testing.assert_array_equal(one.probability, other.probability)


def test_what_is_far_off_counts_as_three_deviations_and_where_nothing_is_known_it_is_unknown() -> None:
    value, nothing = np.array([10.0, -1.0, -9.0, np.nan, np.inf, 5.0, 5.0]), np.zeros(7)
    reach = np.array([2.326] * 5 + [0.0, np.nan])
    said = BucketOpinions(nothing, nothing, nothing, nothing, -reach, reach)
    np.testing.assert_allclose(strays(value, said), [3.0, -1.0, -3.0, np.nan, np.nan, np.nan, np.nan])


def test_what_two_looks_find_is_as_rare_as_it_says() -> None:
    p = np.random.default_rng(10).random((2, 100_000))
    both = of_two(*p)
    assert [float((both < level).mean()) for level in (0.01, 0.1)] == pytest.approx([0.01, 0.1], rel=0.1)
    assert of_two(np.array([0.3, 1.0, 1e-300]), np.array([np.nan, 1.0, 1.0])).tolist() == [0.3, 1.0, 2e-300]
