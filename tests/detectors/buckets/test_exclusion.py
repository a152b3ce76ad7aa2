"""Which values come so often that they are left out."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.exclusion import BUCKETS_MIN, Exclusion, FrequentValues, Mode

ALL = np.arange(6, dtype=np.int32)


def rows(*some: int) -> NDArray[np.int32]:
    return np.array(some, np.int32)


def naive_frequent(buckets: list[list[int]]) -> list[bool]:
    """By the definition: decayed counts from the whole history, anew for each bucket."""
    keep, frequent, n = 0.5 ** (1 / 500), [False] * 6, 0
    while buckets and not buckets[0]:
        buckets = buckets[1:]
    for n in range(1, len(buckets) + 1):
        age = [keep ** (n - 1 - i) for i in range(n)]
        for value in range(6):
            share = sum(a for a, bucket in zip(age, buckets, strict=False) if value in bucket) / sum(age)
            frequent[value] = n >= BUCKETS_MIN and share >= (0.6 if frequent[value] else 0.8)
    return frequent


# No share of so few buckets comes within rounding of a bound but by chance: 16 of 20, and 12 of 20, decay apart.
@given(st.lists(st.lists(st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5]), max_size=12), max_size=60))
def test_it_agrees_with_its_definition(buckets: list[list[int]]) -> None:
    values = FrequentValues()
    for bucket in buckets:
        values.learn(rows(*bucket))
    assert values.frequent(ALL).tolist() == naive_frequent(buckets)


def learned(shares: list[float], buckets: int, values: FrequentValues | None = None, seed: int = 0) -> FrequentValues:
    """Each value in about its share of the buckets."""
    values, rng = values or FrequentValues(), np.random.default_rng(seed)
    for _ in range(buckets):
        values.learn(np.flatnonzero(rng.random(len(shares)) < shares).astype(np.int32))
    return values


def test_a_value_of_nearly_every_bucket_is_frequent_and_one_of_half_of_them_is_not() -> None:
    assert learned([0.95, 0.5, 0.05], 200).frequent(rows(0, 1, 2)).tolist() == [True, False, False]


def test_at_first_nothing_is_frequent() -> None:
    assert not learned([1.0], BUCKETS_MIN - 1).frequent(rows(0))[0]
    assert learned([1.0], BUCKETS_MIN).frequent(rows(0))[0]


def test_buckets_before_the_first_value_do_not_count() -> None:
    values = FrequentValues()
    for _ in range(100):
        values.learn(rows())
    assert learned([1.0], BUCKETS_MIN, values).frequent(rows(0))[0]


def test_between_the_two_shares_what_was_frequent_stays_so_and_what_was_not_does_not_become_so() -> None:
    values = learned([1.0, 0.5], 500)
    learned([0.7, 0.7], 3_000, values)
    assert values.frequent(rows(0, 1)).tolist() == [True, False]


def test_what_stops_coming_is_frequent_no_longer() -> None:
    values = learned([1.0, 1.0], 500)
    learned([0.0, 1.0], 500, values)
    assert values.frequent(rows(0, 1)).tolist() == [False, True]


def test_a_value_that_nobody_has_seen_is_not_frequent() -> None:
    assert learned([1.0], 50).frequent(rows(7, 0)).tolist() == [False, True]


def test_a_bucket_counts_once_however_many_rows_have_the_value() -> None:
    one, many = FrequentValues(), FrequentValues()
    one.learn(rows(0, 1))
    many.learn(rows(1, 0, 0, 0, 1))
    np.testing.assert_array_equal(one.save()["count"], many.save()["count"])


def test_a_row_that_is_to_stand_for_another_begins_anew() -> None:
    values = learned([1.0, 1.0], 100)
    values.forget(rows(0))
    assert values.frequent(rows(0, 1)).tolist() == [False, True]


def test_its_memory_is_what_it_says() -> None:
    values = FrequentValues()
    values.grow(1000)
    state = values.save()
    assert state["count"].nbytes + state["frequent"].nbytes == 1000 * values.bytes_per_value


@pytest.mark.parametrize(("mode", "expected"), [
    ("none", [False, False, False]), ("by", [True, False, True]), ("over", [False, True, True]),
    ("all", [True, True, True]),
])
def test_the_mode_says_whose_values_are_asked_about(mode: Mode, expected: list[bool]) -> None:
    exclusion = Exclusion(mode)
    for i in range(60):  # by value 0 and over value 0 are in each bucket, by values 1 to 60 in one
        exclusion.learn(rows(0, i + 1), rows(i + 1, 0))
    assert exclusion.excluded(rows(0, 1, 0), rows(1, 0, 0)).tolist() == expected


def test_a_detector_may_have_one_of_the_two_fields() -> None:
    exclusion = Exclusion("all")
    for _ in range(60):
        exclusion.learn(rows(0), None)
    assert exclusion.excluded(rows(0), None).tolist() == [True]
    with pytest.raises(ValueError, match="neither a by nor an over field"):
        exclusion.excluded(None, None)


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="mode is 'some'"):
        Exclusion("some")  # type: ignore[arg-type]


def test_restored_in_the_midst_it_goes_on_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    straight, first = Exclusion("all"), Exclusion("all")
    for i in range(120):
        by, over = (rng.integers(0, 8, 12).astype(np.int32) for _ in range(2))
        for exclusion in (straight, first):
            exclusion.learn(by, over)
        if i == 40:
            state = first.save()
            first = Exclusion("all")
            first.restore(state)
    for name, column in straight.save().items():
        np.testing.assert_array_equal(first.save()[name], column, err_msg=name)


def test_a_state_of_another_form_is_refused() -> None:
    state = learned([1.0, 0.5], 30).save()
    with pytest.raises(ValueError, match="state 'frequent' has shape"):
        FrequentValues().restore(state | {"frequent": np.zeros(3, np.bool_)})
