"""What spans the edge of a bucket: buckets shifted by half a span are asked too, and a result waits for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.overlapping import restored, saved
from offbeat.engine.analysis.question import Answer, Draft
from offbeat.engine.analysis.results import BucketResult, Cause, PlotPoint
from offbeat.engine.analysis.spec import DetectorSpec
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, calm, changing, same_state, spec_of
from tests.engine.analysis.test_analysis import every, told

SPAN_MS = 1000 * SPAN_S
COUNT = DetectorSpec("count", by="host")
ODD = 80
"""The bucket at whose end, and the beginning of the next, too much comes."""


def burst(buckets: int = 100) -> list[tuple[int, Row]]:
    """About 30 records of two hosts a bucket; of one, 14 more from the last quarter of one to the first of the next."""
    rng = np.random.default_rng(9)
    times = np.sort(START_MS + rng.integers(0, buckets * SPAN_MS, 60 * buckets))
    rows: list[tuple[int, Row]] = [(int(t), {"host": f"host-{i % 2}"}) for i, t in enumerate(times.tolist())]
    edge = START_MS + (ODD + 1) * SPAN_MS
    rows += [(edge + int(off), {"host": "host-1"}) for off in np.linspace(-0.25 * SPAN_MS, 0.2 * SPAN_MS, 28)]
    return sorted(rows, key=lambda row: row[0])


def results(rows: list[tuple[int, Row]], **others: object) -> dict[int, BucketResult]:
    """By number, from the first on."""
    found = analysed(Analysis(spec_of(COUNT, **others)), rows)
    return {(one.start_ms - START_MS) // SPAN_MS: one for one in found}


def test_what_spans_two_buckets_is_more_unusual_with_those_that_are_shifted() -> None:
    plain, shifted = results(burst()), results(burst(), overlapping_buckets=True)
    for number in (ODD, ODD + 1):
        assert shifted[number].probability < 0.01 * plain[number].probability
        assert shifted[number].anomaly_score > plain[number].anomaly_score
        (record,) = (one for one in shifted[number].found if one.by == "host-1")
        assert record.actual[0] > 50.0  # of the bucket that has it all
    for number in range(ODD):
        assert shifted[number].probability <= plain[number].probability
        assert shifted[number].event_count == plain[number].event_count


@pytest.mark.parametrize("spans", [0, 1, 2, 5])
def test_a_result_is_final_once_it_has_waited_and_interim_until_then(spans: int) -> None:
    analysis = Analysis(spec_of(COUNT, overlapping_buckets=True, finalization_spans=spans))
    rows = burst()
    found = analysed(analysis, rows)
    closed = 99  # the last bucket is open
    assert [one.start_ms for one in found] == [START_MS + i * SPAN_MS for i in range(closed - spans)]
    said = analysis.interim(None, None)
    assert [one.start_ms for one in said] == [START_MS + i * SPAN_MS for i in range(closed - spans, 100)]
    assert all(one.interim for one in said)
    if spans > 1:
        some = analysis.interim(START_MS + 98 * SPAN_MS, START_MS + 99 * SPAN_MS)
        assert [one.start_ms for one in some] == [START_MS + 98 * SPAN_MS]
    last = analysis.advance(START_MS + 100 * SPAN_MS).buckets
    starts = [one.start_ms for one in last if isinstance(one, BucketResult)]
    assert starts == [START_MS + i * SPAN_MS for i in range(closed - spans, 100)]
    assert analysis.totals.counts["bucket"] == 100


def test_a_result_that_waits_for_nothing_knows_only_the_shifted_bucket_before_it() -> None:
    at_once, later = (results(burst(), overlapping_buckets=True, finalization_spans=spans) for spans in (0, 1))
    plain = results(burst())
    assert at_once[ODD].probability > later[ODD].probability
    assert at_once[ODD + 1].probability < 0.01 * plain[ODD + 1].probability


def test_shifted_buckets_beside_downtime_are_no_part_of_a_result() -> None:
    plain, shifted = (Analysis(spec_of(COUNT, overlapping_buckets=overlap)) for overlap in (False, True))
    found: list[list[BucketResult]] = []
    for analysis in (plain, shifted):
        rows = burst()
        first = analysed(analysis, [row for row in rows if row[0] < START_MS + 70.4 * SPAN_MS])
        analysis.skip()
        rest = analysed(analysis, [row for row in rows if row[0] > START_MS + 75.6 * SPAN_MS])
        last = [one for one in analysis.advance(START_MS + 100 * SPAN_MS).buckets if isinstance(one, BucketResult)]
        found.append([*first, *rest, *last])
    assert [one.start_ms for one in found[0]] == [one.start_ms for one in found[1]]
    by_number = [{(one.start_ms - START_MS) // SPAN_MS: one.probability for one in each} for each in found]
    assert 70 not in by_number[0]  # a part of it was not watched
    for number in (69, 76):
        assert by_number[1][number] == pytest.approx(min(by_number[0][number], by_number[1][number]))
    assert min(p for number, p in by_number[1].items() if 60 <= number < 79) > 1e-3


def test_a_bucket_that_is_sent_anew_leaves_no_half_of_a_shifted_one() -> None:
    rows = [row for row in burst() if row[1]["host"] == "host-0"]
    analysis = Analysis(spec_of(COUNT, overlapping_buckets=True, latency_s=4 * SPAN_S))
    analysed(analysis, rows)
    start, end = (START_MS + bucket * SPAN_MS for bucket in (97, 98))
    analysis.reset(start, end)
    restored_one = Analysis(analysis.spec)
    restored_one.restore(analysis.save())
    found = analysed(restored_one, [row for row in rows if start <= row[0] < end])
    found += [one for one in restored_one.advance(START_MS + 100 * SPAN_MS).buckets if isinstance(one, BucketResult)]
    late = {(one.start_ms - START_MS) // SPAN_MS: one for one in found}
    assert [late[number].found for number in (96, 97, 98)] == [(), (), ()]  # what is half of it would be too little
    learned = restored_one.save()["overlapping.question0.judge0.seen"]
    assert learned.tolist() == [99 - 2]


def test_functions_for_which_it_is_of_no_use_are_not_asked_twice() -> None:
    detectors = (DetectorSpec("max", "value"), DetectorSpec("time_of_day"), DetectorSpec("mean", "value"))
    state = Analysis(spec_of(*detectors, overlapping_buckets=True)).save()
    assert [i for i in range(3) if any(name.startswith(f"overlapping.question{i}.") for name in state)] == [0]


@settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.integers(1, 1_499), min_size=1, max_size=8), st.booleans())
def test_cuts_and_restarts_change_no_bit_of_results_that_wait(cuts: list[int], crowded: bool) -> None:
    rows = changing(1_500, 6) if crowded else calm(1_500, 6, step_ms=3_000)
    spec = every(overlapping_buckets=True, memory_max_mb=1 if crowded else 0)
    whole, cut, before, after = (Analysis(spec) for _ in range(4))
    expected = told(analysed(whole, rows))
    assert (whole.size().pruned > 0) == crowded
    assert told(analysed(cut, rows, cuts)) == expected
    found = analysed(before, rows[: cuts[0]])
    after.restore(before.save())
    assert told([*found, *analysed(after, rows[cuts[0] :])]) == expected
    assert same_state(cut, whole)
    assert same_state(after, whole)
    assert told(after.interim(None, None)) == told(whole.interim(None, None))


def test_what_waits_is_saved_to_the_last_bit() -> None:
    nan, odd = float("nan"), 0.1 + 0.2
    draft = Draft(
        "mean",
        None,
        "a\n",
        "",
        odd,
        (1e-308, nan),
        (float("inf"), -0.0),
        nan,
        3.0,
        {"": (("x", odd), ("", 1.0)), "user": ()},
        (Cause(odd, None, (nan,), (1.0, 2.0)),),
        "b",
    )
    point = PlotPoint(1, "mean", None, "b", None, -1.0, odd, 2.0, nan)
    answers = [Answer(3, np.array([odd, nan]), [draft, draft], (point,), 2), Answer(1, np.zeros(0), [])]
    assert repr(restored(saved(answers))) == repr(answers)
