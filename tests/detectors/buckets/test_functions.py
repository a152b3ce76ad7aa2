"""The functions are those of section 5 of the Prelert Engine API."""
from __future__ import annotations

import pytest

from offbeat_detectors.buckets.features import FEATURES
from offbeat_detectors.buckets.functions import BY_NAME, FUNCTIONS, UnknownFunction, function_of

SECTION_5 = """
count high_count low_count                                             | – opt opt
non_zero_count=nzc high_non_zero_count=high_nzc low_non_zero_count=low_nzc | – opt –
distinct_count=dc high_distinct_count=high_dc low_distinct_count=low_dc | req opt opt
rare                                                                   | – req opt
freq_rare                                                              | – req req
info_content high_info_content low_info_content                        | req opt opt
metric                                                                 | req opt opt
mean=avg high_mean=high_avg low_mean=low_avg                           | req opt opt
median                                                                 | req opt opt
min                                                                    | req opt opt
max                                                                    | req opt opt
sum high_sum low_sum                                                   | req opt opt
non_null_sum high_non_null_sum low_non_null_sum                        | req opt opt
varp high_varp low_varp                                                | req opt opt
time_of_day                                                            | – opt opt
time_of_week                                                           | – opt opt
lat_long                                                               | req opt opt
"""
NEEDS = {"–": "forbidden", "opt": "optional", "req": "required"}
ROWS = [(group.split("="), needs.split()) for line in SECTION_5.strip().splitlines()
        for left, needs in [line.split("|")] for group in left.split()]


@pytest.mark.parametrize(("names", "needs"), ROWS, ids=[names[0] for names, _ in ROWS])
def test_a_function_has_the_names_and_fields_of_the_protocol(names: list[str], needs: list[str]) -> None:
    function = function_of(names[0])
    assert list(function.names) == names
    assert all(function_of(name) is function for name in names)
    assert [function.field, function.by, function.over] == [NEEDS[need] for need in needs]
    assert function.side == (names[0].split("_")[0] if names[0].split("_")[0] in ("high", "low") else "both")


def test_there_are_no_others() -> None:
    assert sorted(BY_NAME) == sorted(name for names, _ in ROWS for name in names)


def test_only_counts_and_times_may_stand_alone() -> None:
    assert {each.features[0] for each in FUNCTIONS if each.alone} == {"count", "time_of_day", "time_of_week"}


def test_an_empty_bucket_is_a_zero_for_counts_and_sums_only() -> None:
    assert [each.name for each in FUNCTIONS if each.empty == "zero"] == [
        "count", "high_count", "low_count", "sum", "high_sum", "low_sum"]


def test_metric_looks_at_three_features_and_says_which() -> None:
    assert function_of("metric").features == function_of("metric").descriptions == ("mean", "min", "max")


def test_every_feature_has_a_description_and_somebody_who_computes_it() -> None:
    elsewhere = {"distinct_count", "info_content", "time_of_day", "time_of_week", "position"}
    for each in FUNCTIONS:
        assert len(each.features) == len(each.descriptions)
        assert set(each.features) <= set(FEATURES) | elsewhere


def test_what_goes_with_what() -> None:
    assert [each.name for each in FUNCTIONS if not each.summarised] == ["metric"]
    assert [each.name for each in FUNCTIONS if each.overlapping == "forbidden"] == ["rare", "freq_rare"]


@pytest.mark.parametrize(("name", "hint"), [
    ("high_meen", "did you mean high_mean?"), ("Count", "did you mean count?"), ("high_nzcc", "did you mean high_nzc?"),
])
def test_an_unknown_function_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UnknownFunction) as refused:
        function_of(name)
    assert (refused.value.message, refused.value.hint) == (f"{name!r} is no function", hint)


def test_a_name_like_no_other_is_answered_with_the_list() -> None:
    with pytest.raises(ValueError, match="'xyzzy' is no function; known: count, high_count, low_count, non_zero_count"):
        function_of("xyzzy")
