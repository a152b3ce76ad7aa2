"""Histograms: described as the protocol of the esmond archive says, added up and taken out without a trace."""
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.histograms import Histogram, Merged, statistics
from tests.detectors import naive_histograms as naive

NAMES = st.one_of(
    st.integers(-50, 50).map(str),
    st.decimals(-99, 99, places=2).map(str),
    st.sampled_from(["41.1", "41.10", "5e1", "50", "-0", ".5"]),
)
HISTOGRAMS = st.dictionaries(NAMES, st.integers(0, 12), max_size=8)


def test_the_example_of_the_protocol() -> None:
    found = statistics({"41.00": 98, "41.10": 98, "41.20": 3, "50.0": 1})
    assert found == {
        "minimum": 41.0, "maximum": 50.0, "mean": 41.097, "mode": [41.0, 41.1], "median": 41.1, "percentile-25": 41.0,
        "percentile-75": 41.1, "percentile-95": 41.1, "variance": 0.401091, "standard-deviation": math.sqrt(0.401091),
    }


@given(histogram=HISTOGRAMS)
def test_the_figures_are_those_of_the_samples_one_by_one(histogram: dict[str, int]) -> None:
    assert statistics(histogram) == naive.statistics(histogram)


@pytest.mark.parametrize(
    "histogram",
    [
        {}, {"1": 0}, {"1": 3, "fast": 1}, {"": 1}, {".": 1}, {"nan": 1}, {"inf": 1}, {"1_0": 1}, {"0x10": 1}, {"١": 1},
        {"1e999": 1}, {"1e-999": 1}, {"9" * 65: 1}, {"1e9999999999": 1},
    ],
    ids=lambda histogram: str(list(histogram))[:30],
)
def test_what_has_no_samples_or_a_bucket_that_is_no_number_has_no_figures(histogram: Histogram) -> None:
    assert statistics(histogram) == {}


def test_counts_beyond_what_a_float_holds_exactly_are_counted_exactly() -> None:
    huge = 2**62
    found = statistics({"1": huge, "2": huge, "3": 1})
    assert (found["median"], found["mode"], found["maximum"]) == (2.0, [1.0, 2.0], 3.0)


def test_the_largest_buckets_that_are_numbers_have_a_variance() -> None:
    assert statistics({"1e150": 1, "-1e150": 1})["variance"] == 1e300


@given(histograms=st.lists(HISTOGRAMS, max_size=6), gone=st.data())
def test_what_is_added_and_taken_out_again_leaves_no_trace(
    histograms: list[dict[str, int]], gone: st.DataObject
) -> None:
    removed = gone.draw(st.sets(st.sampled_from(range(len(histograms))))) if histograms else set()
    left = [one for i, one in enumerate(histograms) if i not in removed]
    first = Merged.of(histograms[:2]).changed(histograms[2:], [])
    merged = first.changed([], [histograms[i] for i in sorted(removed)])
    assert merged == Merged.of(left)
    assert merged.histogram == naive.merged(left)
    assert list(merged.histogram) == sorted(merged.histogram)
