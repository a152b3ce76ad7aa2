"""Two lists of findings side by side, made by hand: what is kept, moved, gone and new, and the reason that is given."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.backtest.diff import KINDS, Difference, band, compare, why_not
from offbeat.backtest.probe import Said
from offbeat.backtest.run import Found

MINUTE_MS = 60_000
SOON = 10
"""Readings that may lie between two findings of one incident, here."""


def found(minute: int, score: float = 60.0, source: str = "boiler") -> Found:
    """A finding of the reading of that *minute*: the series sends one a minute."""
    return Found(source, "heat", minute * MINUTE_MS, minute * MINUTE_MS, 9.0, 5.0, 4.0, 6.0, 2.0, score)


def said(*findings: Found) -> dict[tuple[str, str, int], Said]:
    """What a run says of the readings of *findings*: as many came before as minutes passed, and novelty is small."""
    return {f.point: Said(f.time_ms // MINUTE_MS, 0.1, 0.0) for f in findings}


def differences(baseline: list[Found], candidate: list[Found], score_min: float = 10.0) -> list[Difference]:
    known = said(*baseline, *candidate)
    return compare(
        baseline, candidate, score_min=score_min, tolerance=SOON, candidate_said=known, baseline_said=known
    )


def kinds(baseline: list[Found], candidate: list[Found]) -> list[str]:
    return [d.kind for d in differences(baseline, candidate)]


def test_the_same_finding_is_kept_unchanged_and_needs_no_reason():
    (kept,) = differences([found(5)], [found(5)])
    assert (kept.kind, kept.unchanged, kept.reason) == ("kept", True, "")


def test_a_finding_with_another_score_of_its_band_is_kept_and_the_change_is_told():
    (kept,) = differences([found(5, 60.0)], [found(5, 70.25)])
    assert (kept.kind, kept.unchanged, kept.reason) == ("kept", False, "scores 70.25, was 60")


@pytest.mark.parametrize(
    ("now", "reason"), [(75.0, "stronger: scores 75, was 60"), (49.5, "weaker: scores 49.5, was 60")]
)
def test_a_finding_of_another_band_is_moved(now, reason):
    (moved,) = differences([found(5, 60.0)], [found(5, now)])
    assert (moved.kind, moved.reason) == ("moved", reason)


@pytest.mark.parametrize(
    ("minute", "reason"), [(6, "1 reading later"), (15, "10 readings later"), (2, "3 readings earlier")]
)
def test_a_finding_of_the_same_incident_at_another_reading_is_moved(minute, reason):
    (moved,) = differences([found(5)], [found(minute)])
    assert (moved.kind, moved.reason) == ("moved", reason)
    assert (moved.baseline, moved.candidate) == (found(5), found(minute))


def test_what_lies_further_apart_is_gone_and_new():
    assert kinds([found(5)], [found(16)]) == ["gone", "new"]


def test_findings_of_two_series_have_nothing_to_do_with_each_other():
    assert sorted(kinds([found(5)], [found(5, source="pump")])) == ["gone", "new"]


def test_the_nearest_pair_first_and_each_finding_in_one_pair_only():
    told = differences([found(10), found(18)], [found(17)])
    assert [(d.kind, d.found.time_ms // MINUTE_MS) for d in told] == [("gone", 10), ("moved", 17)]


def test_a_finding_of_one_reading_is_not_taken_by_a_neighbour():
    told = differences([found(10), found(12)], [found(12), found(13)])
    assert [(d.kind, d.found.time_ms // MINUTE_MS) for d in told] == [("kept", 12), ("moved", 13)]


def test_findings_below_the_least_score_count_on_neither_side():
    assert [d.kind for d in differences([found(5, 30.0)], [found(5, 30.0)], score_min=50.0)] == []


def test_a_finding_that_falls_below_the_least_score_is_gone_for_that_reason():
    before, after = found(5, 52.0), found(5, 48.0)
    known = {before.point: Said(5, 1.3, 1.3)}
    (gone,) = compare(
        [before], [after], score_min=50.0, tolerance=SOON, candidate_said=known, baseline_said=None
    )
    assert (gone.kind, gone.reason) == ("gone", "novelty there is 1.3: scores 47.33, below 50")


def test_what_is_new_beside_stored_findings_is_explained_as_the_caller_says():
    (new,) = compare(
        [], [found(5)], score_min=10.0, tolerance=SOON, candidate_said=said(found(5)), baseline_said=None,
        stored="nothing is stored there",
    )
    assert (new.kind, new.reason) == ("new", "nothing is stored there")


HELD_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "the candidate did not judge that reading: it came too late for its bucket"),
        (Said(3, math.nan, 0.0), "the candidate has no opinion there yet: it is warming up"),
        (Said(3, 0.2, 0.2), "novelty there is 0.2: scores 0, below 10"),
        (Said(3, 0.2, 0.0), "novelty there is 0.2: would score 0, below 10"),
        (
            Said(3, 0.9, 0.0, HELD_MS, 3.0),
            "novelty there is 0.9: held by the finding at 2023-11-14T22:13:20.000Z of novelty 3",
        ),
        (
            Said(3, 0.9, 0.36),
            "novelty there is 0.9, damped to 0.36 by earlier peaks of the series: scores 1.016",
        ),
        (
            Said(3, 1.4, 1.4),
            "the candidate scores 50 there: a stronger finding in the same bucket stands for it",
        ),
    ],
)
def test_the_reason_says_what_kept_the_other_side_quiet(said, reason):
    assert why_not(said, "candidate", 10.0) == reason


def test_the_bands_are_those_of_the_meaning_of_a_score():
    assert [band(score) for score in (0, 24.9, 25, 50, 74.9, 75, 90, 100)] == [0, 0, 1, 2, 2, 3, 4, 4]


LISTS = st.lists(
    st.builds(found, st.integers(0, 60), st.sampled_from([12.0, 30.0, 60.0, 95.0]), st.sampled_from(["a", "b"])),
    max_size=12,
    unique_by=lambda f: f.point,
)


@given(LISTS, LISTS)
def test_each_finding_of_either_side_is_in_just_one_difference(baseline, candidate):
    told = differences(baseline, candidate)
    assert sorted([d.baseline for d in told if d.baseline], key=repr) == sorted(baseline, key=repr)
    assert sorted([d.candidate for d in told if d.candidate], key=repr) == sorted(candidate, key=repr)
    for d in told:
        assert (d.baseline is None, d.candidate is None) == (d.kind == "new", d.kind == "gone")
        if d.kind == "kept":
            assert d.baseline.point == d.candidate.point and band(d.baseline.score) == band(d.candidate.score)


@given(LISTS, LISTS, st.randoms(use_true_random=False))
def test_the_order_in_which_findings_come_does_not_matter(baseline, candidate, random):
    expected = differences(baseline, candidate)
    random.shuffle(baseline)
    random.shuffle(candidate)
    assert differences(baseline, candidate) == expected


@given(LISTS, LISTS)
def test_seen_from_the_other_side_what_is_gone_is_new(baseline, candidate):
    there: dict[str, int] = dict.fromkeys(KINDS, 0)
    back = dict(there)
    for d in differences(baseline, candidate):
        there[d.kind] += 1
    for d in differences(candidate, baseline):
        back[d.kind] += 1
    assert there == {**back, "gone": back["new"], "new": back["gone"]}


@given(LISTS)
def test_compared_with_itself_everything_is_kept(findings):
    assert all(d.kind == "kept" and d.unchanged for d in differences(findings, [replace(f) for f in findings]))
