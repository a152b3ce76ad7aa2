"""Many probabilities to one: calibrated, monotone, the same in any order."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from offbeat_detectors.buckets.aggregate import (
    CUTOFF,
    PROBABILITY_MIN,
    aggregate,
    aggregate_groups,
    gamma_tail_log,
    joint_log,
)
from tests.detectors import naive_aggregate as naive

P = st.one_of(
    st.floats(0.0, 1.0), st.floats(0.0, 0.06), st.floats(-320.0, 0.0).map(lambda power: 10.0**power),
    st.sampled_from([0.0, 1e-300, CUTOFF, math.nextafter(CUTOFF, 1.0), 0.5, 1.0]),
)
ROUNDING = 1e-9


def of(*probabilities: float, others: int = 0) -> float:
    return aggregate(np.array(probabilities, np.float64), others)


@given(st.lists(st.one_of(P, st.just(math.nan)), max_size=40), st.sampled_from([0, 0, 1, 30, 200]))
@example([CUTOFF, CUTOFF], 1)
def test_it_agrees_with_its_definition(probabilities: list[float], others: int) -> None:
    expected = naive.aggregate(probabilities, others)
    assert of(*probabilities, others=others) == pytest.approx(expected, rel=1e-8, nan_ok=True)


@given(st.integers(1, 300), st.floats(0.0, 5_000.0))
@example(1, 1.0)
@example(1, 25.0)
@example(300, 300.0)
def test_the_tail_of_a_sum_agrees_with_its_definition(k: int, x: float) -> None:
    assert gamma_tail_log(k, x) == pytest.approx(naive.gamma_tail_log(k, x), rel=1e-9, abs=1e-12)
    if x < 500.0:
        assert math.exp(gamma_tail_log(k, x)) == pytest.approx(stats.gamma.sf(x, k), rel=1e-9)


def test_the_joint_probability_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(1)
    p = rng.random((40_000, 30))
    surprise = np.where(p <= CUTOFF, -np.log(p), 0.0).sum(axis=1)
    for beyond in (4.0, 8.0, 14.0):
        share = float((surprise >= beyond).mean())
        assert math.exp(joint_log(beyond, 30)) == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize("n", [1, 2, 20, 1000])
def test_of_uniform_probabilities_at_most_three_in_two_hundred_come_to_less_than_one_in_a_hundred(n: int) -> None:
    rng, draws = np.random.default_rng(n), 6_000
    together = aggregate_groups(rng.random(draws * n), np.repeat(np.arange(draws, dtype=np.int32), n), draws)
    assert 0.006 < (together < 0.01).mean() <= 0.015
    assert (together < 0.001).mean() <= 0.0025


def test_two_that_are_one_and_the_same_come_to_less_than_one_in_a_hundred_at_most_five_times_as_often() -> None:
    p = np.random.default_rng(2).random(20_000)
    together = aggregate_groups(np.repeat(p, 2), np.repeat(np.arange(p.size, dtype=np.int32), 2), p.size)
    assert (together < 0.01).mean() <= 0.05


@given(st.lists(P, min_size=1, max_size=30), st.data())
def test_it_falls_with_every_one_of_them(probabilities: list[float], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(probabilities) - 1))
    less = list(probabilities)
    less[which] = data.draw(st.floats(0.0, probabilities[which]))
    assert of(*less) <= of(*probabilities) * (1.0 + ROUNDING)


@given(st.lists(P, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_order_does_not_matter_bit_for_bit(probabilities: list[float], random: object) -> None:
    mixed = list(probabilities)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert of(*mixed) == of(*probabilities)


@given(st.lists(st.tuples(P, st.integers(0, 4)), max_size=60))
def test_groups_are_what_each_is_by_itself_bit_for_bit(rows: list[tuple[float, int]]) -> None:
    p = np.array([row[0] for row in rows], np.float64)
    group = np.array([row[1] for row in rows], np.int32)
    more = np.array([0, 1, 2, 0, 50], np.int64)
    expected = [aggregate(p[group == g], int(more[g])) for g in range(5)]
    np.testing.assert_array_equal(aggregate_groups(p, group, 5, more), expected)


@given(st.lists(P, min_size=1, max_size=20), st.integers(0, 30))
def test_those_that_are_not_odd_may_be_told_by_their_number(probabilities: list[float], others: int) -> None:
    assert of(*probabilities, others=others) == of(*probabilities, *[0.7] * others)


def calm(n: int) -> NDArray[np.float64]:
    return (np.arange(n) + 0.5) / n


def test_the_least_of_a_thousand_is_not_odd() -> None:
    assert aggregate(calm(1000)) > 0.3
    assert of(1.0 / 1001.0, others=999) > 0.5


def test_one_that_is_odd_among_a_thousand_need_not_make_an_odd_bucket() -> None:
    assert aggregate(np.append(calm(999), 1e-4)) > CUTOFF


def test_what_cannot_be_chance_stays_odd_among_a_thousand() -> None:
    assert 1e-38 < aggregate(np.append(calm(999), 1e-40)) < 1e-36
    assert 1e-36 < of(1e-40, others=100_000) < 1e-34


def test_that_all_together_are_calm_does_not_hide_one_that_is_not() -> None:
    assert of(1e-8, others=100_000) == pytest.approx(0.002, rel=0.05)


def test_many_weak_ones_make_a_strong_bucket() -> None:
    assert aggregate(np.append(calm(900), np.full(100, 0.01))) < 1e-10
    assert of(*[0.01] * 10) < 1e-10


def test_one_alone_stays_what_it_is() -> None:
    assert (of(0.3), of(1e-7), of(math.nan, 0.02)) == (0.3, 1e-7, 0.02)


def test_without_an_opinion_there_is_none() -> None:
    assert math.isnan(of()) and math.isnan(of(math.nan, math.nan))


def test_it_is_never_0_and_never_above_1() -> None:
    assert of(0.0) == PROBABILITY_MIN
    assert PROBABILITY_MIN <= aggregate(np.zeros(2000)) < 1e-300
    assert of(1.0, 1.0) == 1.0


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.inf])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="a probability is outside 0 to 1"):
        of(0.5, wrong)


def test_a_group_that_there_is_not_and_a_negative_number_are_refused() -> None:
    with pytest.raises(ValueError, match="a group is outside 0 to 1"):
        aggregate_groups(np.ones(2), np.array([0, 2], np.int32), 2)
    with pytest.raises(ValueError, match="others is negative"):
        of(0.5, others=-1)
