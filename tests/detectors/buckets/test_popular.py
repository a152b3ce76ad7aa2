"""Values that few members have, and a member that has such far too often."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.buckets.popular import FreqRareModel, RareOverModel, marked, scattered
from offbeat_detectors.buckets.rare import RareOpinions
from tests.detectors.naive_appearances import Popular

Pairs = tuple[np.ndarray, np.ndarray]


def crowd(members: int) -> Pairs:
    """Every member has values 1 and 2."""
    return np.repeat(np.arange(members), 2), np.tile(np.array([1, 2], np.int32), members)


def with_members(model: RareOverModel, bucket: int, pairs: Pairs) -> RareOpinions:
    member, value = pairs
    return model.process(np.zeros(member.size, np.int32), np.full(member.size, bucket), member, value)


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.integers(1, 60), st.integers(1, 120), st.sampled_from([30, 1010]))
def test_the_kernel_agrees_with_the_definition(seed: int, members: int, values: int, buckets: int) -> None:
    rng = np.random.default_rng(seed)
    twin, model = Popular(scattered_of), RareOverModel(1)
    for bucket in range(buckets):
        size = int(rng.integers(1, 9)) if bucket < 20 or bucket > 990 else 1
        pairs = (rng.integers(0, members, size), (rng.integers(0, values, size)).astype(np.int32))
        said = with_members(model, bucket, pairs)
        expected = twin.bucket(list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)))
        np.testing.assert_allclose(said.probability, expected, rtol=1e-9)


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
