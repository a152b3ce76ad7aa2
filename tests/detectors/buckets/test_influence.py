"""Without an influencer's value, a bucket is what all other rows say; and how much oddness that takes away."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.content import Content
from offbeat_detectors.buckets.distinct import Distinct, hashes
from offbeat_detectors.buckets.features import FEATURES, Gatherer
from offbeat_detectors.buckets.influence import VALUES_MAX, NumbersWithout, Removed, influence
from offbeat_detectors.buckets.influence_content import ContentWithout
from offbeat_detectors.buckets.influence_distinct import DistinctWithout
from tests.detectors.naive_features import kept_apart

ALL = tuple(FEATURES)
TEXTS = [f"text {i}" for i in range(400)]
INPUT = st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(-1, 4), st.integers(-50, 50), st.integers(1, 3))
KINDS = ["numbers", "medians", "distinct", "content"]
Columns = dict[str, NDArray[Any]]


def columns(rows: list[tuple[int, int, int, int, int]]) -> Columns:
    bucket, entity, code, value, weight = zip(*rows, strict=True)
    return {"bucket": np.array(bucket, np.int64), "entity": np.array(entity, np.int32),
            "code": np.array(code, np.int32), "value": np.array(value) / 8, "weight": np.array(weight, float)}


def seeded(n: int, values: int, *, different: int = 400, entities: int = 3, seed: int = 0) -> Columns:
    """Rows of which half have one of three values of the influencer, and the rest one of many."""
    rng = np.random.default_rng(seed)
    code = np.where(rng.random(n) < 0.5, rng.integers(0, 3, n), rng.integers(-1, values, n))
    return {"bucket": rng.integers(0, 2, n), "entity": rng.integers(0, entities, n).astype(np.int32),
            "code": code.astype(np.int32), "value": rng.integers(0, different, n) / 8,
            "weight": rng.choice([0.5, 1.0, 2.0], n)}


def part(rows: Columns, which: Any) -> Columns:
    return {name: column[which] for name, column in rows.items()}


def texts_of(rows: Columns) -> NDArray[np.int32]:
    """A text for each value."""
    return (rows["value"] * 8).astype(np.int32) % len(TEXTS)


def hashes_of(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A hash of each number; that of NaN says that there is none."""
    return hashes([None if math.isnan(value) else repr(value) for value in values.tolist()])


def without(kind: str) -> Any:
    if kind in ("numbers", "medians"):
        return NumbersWithout(["median"] if kind == "medians" else [name for name in ALL if name != "median"])
    return DistinctWithout() if kind == "distinct" else ContentWithout()


def feed(kind: str, to: Any, rows: Columns) -> None:
    head = rows["bucket"], rows["entity"], rows["code"]
    if kind == "content":
        to.add(*head, texts_of(rows), TEXTS, rows["weight"])
    else:
        to.add(*head, hashes_of(rows["value"]) if kind == "distinct" else rows["value"], rows["weight"])


def gathered(kind: str, rows: Columns, to: Any = None) -> NDArray[np.float64] | None:
    """The features of the one bucket and entity of *rows*; None without rows."""
    if rows["bucket"].size == 0:
        return None
    head = rows["bucket"], rows["entity"]
    if kind == "content":
        made: Any = Content()
        made.add(*head, texts_of(rows), TEXTS, rows["weight"])
    elif kind == "distinct":
        made = Distinct()
        made.add(*head, hashes_of(rows["value"]), rows["weight"])
    else:
        made = Gatherer(without(kind).features)
        made.add(*head, rows["value"], rows["weight"])
    value: NDArray[np.float64] = made.close(int(rows["bucket"][0])).value[0]
    return value


def assert_is_what_the_others_say(kind: str, rows: Columns, bucket: int, found: Removed) -> None:
    of_bucket = part(rows, rows["bucket"] == bucket)
    coded = part(of_bucket, of_bucket["code"] >= 0)
    pairs = set(zip(coded["entity"].tolist(), coded["code"].tolist(), strict=True))
    assert list(zip(found.entity.tolist(), found.code.tolist(), strict=True)) == sorted(pairs)
    assert found.whole.all() and not found.beyond.any()
    for i, (entity, code) in enumerate(sorted(pairs)):
        of_entity = part(of_bucket, of_bucket["entity"] == entity)
        is_it = of_entity["code"] == code
        assert found.count[i] == of_entity["weight"][is_it].sum()
        expected = gathered(kind, part(of_entity, ~is_it))
        if expected is None:
            assert np.isnan(found.without[i]).all()
        else:
            np.testing.assert_allclose(found.without[i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(st.lists(INPUT, min_size=1, max_size=40))
def test_a_bucket_without_a_value_is_what_all_other_rows_say(
    kind: str, rows: list[tuple[int, int, int, int, int]],
) -> None:
    made, given_rows = without(kind), columns(rows)
    feed(kind, made, given_rows)
    for bucket in (0, 1):
        assert_is_what_the_others_say(kind, given_rows, bucket, made.without(bucket))


@pytest.mark.parametrize("kind", ["numbers", "distinct", "content"])
def test_so_it_is_with_many_rows_and_as_many_values_as_are_kept(kind: str) -> None:
    for different in (200, 3000):  # of which the others are exact, and an estimate
        rows, made = seeded(6000, 2 * VALUES_MAX, different=different), without(kind)
        feed(kind, made, rows)
        assert_is_what_the_others_say(kind, rows, 1, made.without(1))


def test_the_median_of_many_without_a_value_is_near_what_the_others_say() -> None:
    rows, made = seeded(20_000, 10, different=100_000, entities=1), without("medians")
    feed("medians", made, rows)
    found = made.without(0)
    for code, (median,) in zip(found.code.tolist(), found.without, strict=True):
        others = part(rows, (rows["bucket"] == 0) & (rows["code"] != code))
        below = others["weight"][others["value"] < median].sum() / others["weight"].sum()
        assert abs(below - 0.5) <= 0.015


def test_without_a_value_that_had_all_rows_nothing_is_left() -> None:
    rows = columns([(0, 1, 7, 3, 1), (0, 1, 7, 4, 1), (0, 2, 7, 3, 1), (0, 2, -1, 3, 1)])
    for kind in KINDS:
        made = without(kind)
        feed(kind, made, rows)
        found = made.without(0)
        assert np.isnan(found.without[0]).all(), kind
        assert not np.isnan(found.without[1]).any(), kind


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_of_chosen_entities_alone_and_changes_nothing(kind: str) -> None:
    rows, made = seeded(1000, 20), without(kind)
    feed(kind, made, rows)
    whole, some = made.without(1), made.without(1, np.array([2, 0, 99, -1], np.int32))
    for name in ("entity", "code", "count", "without", "whole", "beyond"):
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[whole.entity != 1])
    made.forget(1)
    assert made.buckets == (0,)
    assert made.without(1).without.shape == (0, whole.without.shape[1])
    assert made.without(1).code.size == made.without(0, np.array([9], np.int32)).code.size == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_heaviest_values_stay_apart_and_no_event_is_lost(kind: str) -> None:
    rows, made = seeded(8000, 3000), without(kind)
    feed(kind, made, rows)
    found = made.without(1, np.array([1], np.int32))
    assert VALUES_MAX <= found.code.size <= 2 * VALUES_MAX
    own = part(rows, (rows["bucket"] == 1) & (rows["entity"] == 1))
    heaviest = np.bincount(own["code"][own["code"] >= 0], own["weight"][own["code"] >= 0])
    for code in (0, 1, 2):
        (at,) = np.flatnonzero(found.code == code)
        assert found.whole[at]
        assert found.count[at] == heaviest[code]
        expected = gathered(kind, part(own, own["code"] != code))
        assert expected is not None
        tolerance = 0.1 if kind == "medians" else 1e-12
        np.testing.assert_allclose(found.without[at], expected, rtol=tolerance, atol=tolerance)
    assert not found.whole.all()
    assert (found.beyond == own["weight"][own["code"] >= 0].sum() - found.count.sum()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_who_stays_apart_is_what_the_rule_says(kind: str) -> None:
    rows, made = seeded(3000, 200, entities=2, seed=5), without(kind)
    feed(kind, made, rows)
    for bucket, entity in ((0, 0), (0, 1), (1, 0), (1, 1)):
        own = (rows["bucket"] == bucket) & (rows["entity"] == entity)
        events, late, beyond = kept_apart(
            zip(rows["code"][own].tolist(), rows["weight"][own].tolist(), strict=True), VALUES_MAX)
        found = made.without(bucket, np.array([entity], np.int32))
        assert dict(zip(found.code.tolist(), found.count.tolist(), strict=True)) == events
        assert set(found.code[~found.whole].tolist()) == late
        assert set(found.beyond.tolist()) == {beyond} != {0.0}


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_not_matter_how_rows_are_cut_nor_that_it_is_restored(kind: str) -> None:
    rows = seeded(4000, 500, different=2000)
    whole, in_parts, restored = without(kind), without(kind), without(kind)
    feed(kind, whole, rows)
    for i, which in enumerate(np.split(np.arange(4000), [1, 2, 1500, 1501])):
        for each in (in_parts, restored) if i > 2 else (in_parts,):
            feed(kind, each, part(rows, which))
        if i == 2:
            restored.restore(in_parts.save())
    expected = {name: array.tobytes() for name, array in whole.save().items()}
    assert {name: array.tobytes() for name, array in in_parts.save().items()} == expected
    assert {name: array.tobytes() for name, array in restored.save().items()} == expected
    for name in ("entity", "code", "count", "without", "whole", "beyond"):
        np.testing.assert_array_equal(getattr(restored.without(0), name), getattr(whole.without(0), name))


@pytest.mark.parametrize(("kind", "bytes_max"), [
    ("numbers", (2 * VALUES_MAX + 1) * 128 + 200), ("medians", 2 * VALUES_MAX * (128 + 8192 + 2 * 2048)),
    ("distinct", 2 * VALUES_MAX * (64 + 4096 + 2 * 1024)), ("content", 300_000)])
def test_memory_does_not_grow_with_rows_and_values(kind: str, bytes_max: int) -> None:
    made, sizes = without(kind), []
    for seed in range(3):
        feed(kind, made, seeded(30_000, 10_000, different=100_000, entities=1, seed=seed))
        sizes.append(sum(array.nbytes for array in made.save().values()) / len(made.buckets))
    assert sizes[-1] <= bytes_max


def test_influence_is_one_if_the_rest_is_normal_and_none_if_nothing_changes() -> None:
    odd = np.array([1e-30, 1e-30, 1e-30, 1e-30, 1e-30, 0.01])
    rest = np.array([0.05, 0.9, math.nan, 1e-30, 1e-40, 0.01])
    assert influence(odd, rest).tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_influence_falls_as_the_rest_becomes_odder() -> None:
    rest = np.logspace(-40, 0, 200)
    share = influence(np.full(200, 1e-30), rest)
    assert ((share >= 0.0) & (share <= 1.0)).all()
    assert (np.diff(share) >= 0.0).all()
    assert influence(np.array([0.05e-20]), np.array([0.05e-5]))[0] == pytest.approx(0.75)


def test_what_was_not_odd_has_nobody_to_blame() -> None:
    assert influence(np.array([0.05, 1.0, math.nan]), np.array([0.9, math.nan, 1e-9])).tolist() == [0.0, 0.0, 0.0]


def test_probabilities_at_the_floor_and_below_are_alike() -> None:
    assert influence(np.array([0.0, 2.22507e-308]), np.array([0.0, 0.0])).tolist() == [0.0, 0.0]
    assert influence(np.zeros(1), np.ones(1)).tolist() == [1.0]
