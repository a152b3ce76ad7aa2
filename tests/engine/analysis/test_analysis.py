"""An analysis: its time, that cuts and restarts change nothing, what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from offbeat.engine.analysis.analysis import GAP_MAX, Analysis
from offbeat.engine.analysis.results import BucketResult
from offbeat.engine.analysis.rules import Condition, Rule, Scope, Window
from offbeat.engine.analysis.spec import CATEGORY_FIELD, AnalysisSpec, DetectorSpec, ModelPlot
from tests.engine.analysis.logs import SPAN_S, START_MS, analysed, calm, same_state, spec_of

SPAN_MS = 1000 * SPAN_S
EARLY = Rule(("skip_result",), (Condition("typical", "lt", 80_000.0),))
LESS = (
    Rule(("skip_result", "skip_model_update"), windows=(Window(0, 43_200, (1, 2)),), zone="America/New_York"),
    Rule(("skip_model_update",), scope=(Scope("over", ("e*",), among=False),)),
)
EVERY = (
    DetectorSpec("count", by="host"),
    DetectorSpec("mean", "value", by="host", over="user", exclude_frequent="all"),
    DetectorSpec("max", "value", by="host", rules=(Rule(("skip_model_update",), (Condition("actual", "gt", 109.0),)),)),
    DetectorSpec("rare", by="word", over="user", exclude_frequent="over", rules=LESS),
    DetectorSpec("freq_rare", by="word", over="user", exclude_frequent="all", rules=LESS),
    DetectorSpec("time_of_day", over="user", rules=(EARLY, LESS[1])),
    DetectorSpec("lat_long", "place", over="user", exclude_frequent="over", rules=LESS[1:]),
    DetectorSpec("high_non_zero_count", by="user", partition="host"),
    DetectorSpec("distinct_count", "user"),
    DetectorSpec("info_content", "message", by="host"),
    DetectorSpec("metric", "value", by="host"),
    DetectorSpec("median", "value", over="user"),
    DetectorSpec("low_sum", "value", by="host", use_null=True),
    DetectorSpec("varp", "value"),
    DetectorSpec("rare", by="word"),
    DetectorSpec("rare", by=CATEGORY_FIELD, over="host"),
    DetectorSpec("freq_rare", by="word", over="user"),
    DetectorSpec("time_of_day", by="host"),
    DetectorSpec("lat_long", "place", by="user"),
    DetectorSpec("mean", "load", by="host", rules=(EARLY,)),
    DetectorSpec("metric", "load", by="user", partition="host"),
)
ROWS = calm(2_000, 7, step_ms=2_500)


def every(**others: object) -> AnalysisSpec:
    """All kinds of detectors at once, with influencers and categories, and pairs of by values."""
    return spec_of(
        *EVERY,
        influencers=("user", "host", "word"),
        categorization_field="message",
        model_plot=ModelPlot(90.0, ("host-a", "eve", "host-7", "user-3")),
        multivariate_by_fields=True,
        **others,
    )


@cache
def whole() -> tuple[Analysis, list[str]]:
    """All records in one part, and what they give: as texts, for numbers may be NaN."""
    analysis = Analysis(every())
    found = analysed(analysis, ROWS)
    assert any(record.correlated for result in found for record in result.found)
    return analysis, told(found)


def told(found: Sequence[BucketResult]) -> list[str]:
    """Results as texts that are the same if all bits are."""
    return [repr(one) for one in found]


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.integers(1, len(ROWS) - 1), max_size=12))
@example([1, 2, 3, 700, 701])
def test_how_records_are_cut_into_uploads_changes_no_bit(cuts: list[int]) -> None:
    analysis, expected = whole()
    cut = Analysis(every())
    assert told(analysed(cut, ROWS, cuts)) == expected
    assert same_state(cut, analysis)


@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(1, len(ROWS) - 1))
@example(700)
def test_a_state_that_was_saved_goes_on_as_if_nothing_had_been(cut: int) -> None:
    analysis, expected = whole()
    before, after = Analysis(every()), Analysis(every())
    found = analysed(before, ROWS[:cut])
    after.restore(before.save())
    assert told([*found, *analysed(after, ROWS[cut:])]) == expected
    assert same_state(after, analysis)


def test_records_in_disorder_within_the_latency_give_what_those_in_order_give() -> None:
    late = calm(3_000, 3, jitter_ms=20_000)
    spec = spec_of(DetectorSpec("mean", "value", by="host"), DetectorSpec("count"), latency_s=60)
    disordered, ordered = Analysis(spec), Analysis(spec)
    found = analysed(disordered, late)
    # What each bucket holds is the same; sums differ in their last bits, for floats are added in another order.
    expected = analysed(ordered, sorted(late, key=lambda row: row[0]))
    assert disordered.totals.counts["out_of_order"] == 0
    assert [(one.start_ms, one.event_count) for one in found] == [(one.start_ms, one.event_count) for one in expected]


def test_a_record_before_the_latest_less_the_latency_is_counted_and_left_out() -> None:
    analysis = Analysis(spec_of(DetectorSpec("count")))
    rows = [(START_MS, {"host": "a"}), (START_MS + 5_000, {}), (START_MS + 4_999, {}), (START_MS + 5_000, {})]
    analysed(analysis, rows)
    assert (analysis.totals.counts["out_of_order"], analysis.totals.counts["processed_record"]) == (1, 3)


def test_the_last_bucket_is_final_only_when_it_is_passed_or_said_to_be() -> None:
    analysis = Analysis(spec_of(DetectorSpec("count")))
    rows = [(START_MS + i * 10_000, {"host": "a"}) for i in range(12)]  # two minutes, but for the end of the second
    assert [one.start_ms for one in analysed(analysis, rows)] == [START_MS]
    (interim,) = analysis.interim(None, None)
    assert (interim.start_ms, interim.event_count, interim.interim) == (START_MS + SPAN_MS, 6, True)
    (final,) = analysis.advance(START_MS + 2 * SPAN_MS).buckets
    assert (final.start_ms, final.event_count, final.interim) == (START_MS + SPAN_MS, 6, False)
    assert analysed(analysis, [(START_MS + SPAN_MS, {})]) == []  # older than what was said to be final
    assert analysis.totals.counts["out_of_order"] == 1


def test_interim_results_change_nothing() -> None:
    asked, plain = Analysis(every()), Analysis(every())
    for analysis in (asked, plain):
        analysed(analysis, ROWS[:1_500])
    assert asked.interim(None, None)
    assert same_state(asked, plain)


def test_empty_buckets_are_results_but_not_those_of_a_gap_without_end() -> None:
    analysis = Analysis(spec_of(DetectorSpec("count")))
    rows = [(START_MS, {}), (START_MS + 5 * SPAN_MS, {}), (START_MS + (GAP_MAX + 20) * SPAN_MS, {})]
    found = analysed(analysis, rows)
    assert [one.event_count for one in found] == [1, 0, 0, 0, 0, 1]


def test_downtime_gives_no_bucket_and_leaves_the_parts_beside_it_out() -> None:
    analysis = Analysis(spec_of(DetectorSpec("count")))
    assert len(analysed(analysis, [(START_MS, {}), (START_MS + SPAN_MS, {}), (START_MS + SPAN_MS + 1, {})])) == 1
    analysis.skip()
    found = analysed(analysis, [(START_MS + i * SPAN_MS, {}) for i in range(50, 54)])
    assert [one.start_ms for one in found] == [START_MS + i * SPAN_MS for i in (51, 52)]


@pytest.mark.parametrize(
    ("detector", "odd", "expected"),
    [
        (DetectorSpec("mean", "value", by="host"), {"host": "host-a", "value": "400"}, ("host-a", None)),
        (DetectorSpec("max", "value", over="user"), {"user": "eve", "value": "900"}, (None, "eve")),
        (DetectorSpec("rare", by="word"), {"word": "drop"}, ("drop", None)),
        (DetectorSpec("lat_long", "place", by="user"), {"user": "bob", "place": "-33.9,18.4"}, ("bob", None)),
    ],
    ids=lambda one: one.function if isinstance(one, DetectorSpec) else "",
)
def test_what_was_planted_is_the_strongest_and_its_influencer_the_first(
    detector: DetectorSpec, odd: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    rows = calm(8_000, 11)
    odd = {"user": "eve"} | odd
    planted = [(time_ms, row | odd if 7_000 <= i < 7_030 else row) for i, (time_ms, row) in enumerate(rows)]
    found = analysed(Analysis(spec_of(detector, influencers=("user",))), planted)
    bucket = max(found, key=lambda one: -min((record.probability for record in one.found), default=1.0))
    strongest = bucket.found[0]
    assert planted[7_000][0] - SPAN_MS <= bucket.start_ms <= planted[7_030][0]
    assert (strongest.by, strongest.over) == expected
    assert strongest.probability < 1e-2  # a value that was never seen in a hundred buckets is about as rare
    assert bucket.influencers[0].value == odd["user"]
