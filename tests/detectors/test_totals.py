"""Exact sums: in any order and cut anywhere they are the same, and correctly rounded."""
from __future__ import annotations

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.totals import Total, rounded

NUMBERS = st.one_of(st.floats(-1e300, 1e300), st.integers(-(2**63), 2**63 - 1))


@given(values=st.lists(NUMBERS, max_size=20), data=st.data())
def test_a_sum_is_the_same_in_any_order_cut_anywhere(values: list[float], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))
    total = Total().plus(values)
    assert Total().plus(mixed[:cut]).plus(mixed[cut:]) == total
    assert total == Total(sum(map(Fraction, values), Fraction(0)), len(values))
    assert rounded(total.sum) == float(sum(map(Fraction, values), Fraction(0)))


@given(values=st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=20))
def test_a_sum_of_floats_is_the_float_nearest_to_it(values: list[float]) -> None:
    total = Total().plus(values)
    assert rounded(total.sum) == math.fsum(values)
    assert total.mean == float(sum(map(Fraction, values), Fraction(0)) / len(values))


def test_a_sum_beyond_all_floats_is_the_largest() -> None:
    largest = sys.float_info.max
    assert rounded(Total().plus([largest, largest]).sum) == largest
    assert rounded(Total().plus([-largest, -largest]).sum) == -largest


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ZeroDivisionError):
        _ = Total().mean
