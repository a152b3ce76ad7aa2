"""By values that follow one another: that two part is found, though neither alone is odd; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.results import BucketResult, Found
from offbeat.engine.analysis.rules import Condition, Rule, Scope
from offbeat.engine.analysis.spec import DetectorSpec
from offbeat_detectors.buckets.model import BucketModel
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, spec_of

SPAN_MS = 1000 * SPAN_S
MEAN, MEAN_OF_ALL = DetectorSpec("mean", "value", by="sensor"), DetectorSpec("mean", "value")
BUCKETS, BREAK, BROKEN = 400, 370, 20
Values = NDArray[np.float64]


def sensors(seed: int, *, own: float = 0.05, mirrored: bool = False) -> Values:
    """(BUCKETS, 8): sensors 0 and 1 follow one another around 50, the others go their own way."""
    rng = np.random.default_rng(seed)
    x = 50.0 + 10.0 * rng.normal(size=(BUCKETS, 8))
    x[:, 1] = 200.0 + (-2.0 if mirrored else 2.0) * (x[:, 0] - 50.0) + 20.0 * own * rng.normal(size=BUCKETS)
    return x


def frozen(x: Values) -> Values:
    """Sensor 0 stays for a while where it often was."""
    x = x.copy()
    x[BREAK : BREAK + BROKEN, 0] = np.median(x[:BREAK, 0])
    return x


def astray(x: Values) -> Values:
    """Sensor 0 does for a while as it did at other times."""
    x = x.copy()
    x[BREAK : BREAK + BROKEN, 0] = np.sort(x[BREAK - BROKEN : BREAK, 0])
    return x


def rows_of(x: Values, **others: str) -> list[tuple[int, Row]]:
    return [
        (START_MS + bucket * SPAN_MS + i, {"sensor": f"s{i}", "value": f"{value:.3f}"} | others)
        for bucket, row in enumerate(x)
        for i, value in enumerate(row)
    ]


def results(x: Values, detector: DetectorSpec = MEAN, *, multivariate: bool = True, **asked: object) -> list[Found]:
    """What is found from the moment of the break on."""
    analysis = Analysis(spec_of(detector, multivariate_by_fields=multivariate, **asked))
    since = START_MS + BREAK * SPAN_MS
    return [one for result in analysed(analysis, rows_of(x)) if result.start_ms >= since for one in result.found]


@pytest.mark.parametrize("breaks", [frozen, astray])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("function", ["mean", "sum", "metric"])
def test_two_that_part_are_found_though_each_alone_is_as_usual(breaks: object, mirrored: bool, function: str) -> None:
    assert callable(breaks)
    x, detector = breaks(sensors(1, mirrored=mirrored)), DetectorSpec(function, "value", by="sensor")
    plain = [one for one in results(x, detector, multivariate=False) if one.by in ("s0", "s1")]
    assert min((one.probability for one in plain), default=1.0) > 1e-3
    found = [one for one in results(x, detector) if one.probability < 1e-10]
    assert {(one.by, one.correlated) for one in found} == {("s0", "s1"), ("s1", "s0")}
    for one in found:
        assert not one.lower <= one.actual[0] <= one.upper
        assert one.lower <= one.typical[0] <= one.upper
        assert one.score > 99.0


@pytest.mark.parametrize("side", ["high", "low"])
def test_a_function_of_one_side_tells_the_one_that_is_high_or_low_beside_the_other(side: str) -> None:
    x = frozen(sensors(2))
    found = [one for one in results(x, DetectorSpec(f"{side}_mean", "value", by="sensor")) if one.probability < 1e-10]
    assert {one.by for one in found} == {"s0", "s1"}
    for one in found:
        assert (one.actual[0] > one.typical[0]) == (side == "high")


def test_where_nobody_follows_another_nothing_changes() -> None:
    x = np.random.default_rng(3).normal(50.0, 10.0, (BUCKETS, 12))
    rows = rows_of(x)
    asked, plain = (
        analysed(Analysis(spec_of(MEAN, multivariate_by_fields=multivariate)), rows) for multivariate in (True, False)
    )
    assert asked == plain


def test_two_that_go_on_following_one_another_are_found_as_seldom_as_others() -> None:
    rng = np.random.default_rng(4)
    x = 50.0 + 10.0 * rng.normal(size=(1_000, 20))
    for i in range(1, 20, 2):
        x[:, i] = x[:, i - 1] + rng.normal(size=1_000)
    counts = []
    for multivariate in (True, False):
        found = analysed(Analysis(spec_of(MEAN, multivariate_by_fields=multivariate)), rows_of(x))[200:]
        records = [one for result in found for one in result.found]
        share = sum(one.probability < 0.01 for one in records) / (800 * 20)
        assert 0.005 < share < 0.012
        assert min(one.probability for one in records) > 1e-6
        counts.append(sum(one.probability < 0.01 for one in found))
    assert counts[0] <= counts[1]  # a pair that seems to part is told of two, and counts once


def test_only_by_values_of_one_partition_are_compared() -> None:
    x = frozen(sensors(5))
    one, other = (rows_of(x[:, i : i + 1], place=f"p{i}") for i in (0, 1))
    rows = sorted([*one, *other], key=lambda row: row[0])
    detector = DetectorSpec("mean", "value", by="sensor", partition="place")
    found = analysed(Analysis(spec_of(detector, multivariate_by_fields=True)), rows)
    assert not any(record.correlated for result in found for record in result.found)


def test_what_means_nothing_is_no_error() -> None:
    for detector in (MEAN_OF_ALL, DetectorSpec("rare", by="sensor"), DetectorSpec("mean", "value", over="sensor")):
        asked, plain = (
            analysed(Analysis(spec_of(detector, multivariate_by_fields=multivariate)), rows_of(sensors(6)[:30]))
            for multivariate in (True, False)
        )
        assert asked == plain


def interim_of(detector: DetectorSpec, upto: int) -> BucketResult:
    """What is said of the bucket of a break of which *upto* sensors have come; saying it changes nothing."""
    x = sensors(7)
    x[BREAK, :2] = 55.0, 190.0  # the one is high beside the other
    analysis = Analysis(spec_of(detector, multivariate_by_fields=True))
    analysed(analysis, [row for row in rows_of(x) if row[0] < START_MS + BREAK * SPAN_MS + upto])
    before = analysis.save()
    (found,) = analysis.interim(None, None)
    after = analysis.save()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    return found


@pytest.mark.parametrize(("function", "upto", "told"), [("mean", 8, True), ("mean", 1, False), ("sum", 8, False)])
def test_of_an_open_bucket_it_is_told_once_both_are_there_and_neither_can_grow(
    function: str, upto: int, told: bool
) -> None:
    found = interim_of(DetectorSpec(function, "value", by="sensor"), upto)
    assert any(one.correlated == "s1" for one in found.found) == told


def test_what_a_rule_holds_back_is_held_back_and_what_it_keeps_from_learning_teaches_no_pair() -> None:
    x = frozen(sensors(8))
    scope = (Scope("by", ("s0",)),)
    held = DetectorSpec("mean", "value", by="sensor", rules=(Rule(("skip_result",), scope=scope),))
    found = [one for one in results(x, held) if one.probability < 1e-10]
    assert {(one.by, one.correlated) for one in found} == {("s1", "s0")}
    unlearned = DetectorSpec("mean", "value", by="sensor", rules=(Rule(("skip_model_update",), scope=scope),))
    assert not any(one.correlated for one in results(x, unlearned))
    # A condition is about the numbers of the record.
    far = Rule(("skip_result",), (Condition("diff_from_typical", "gt", 4.0),))
    left = [one for one in results(x, DetectorSpec("mean", "value", by="sensor", rules=(far,))) if one.correlated]
    assert all(abs(one.actual[0] - one.typical[0]) <= 4.0 for one in left)


def test_a_pair_that_parts_is_told_of_both_and_counts_once() -> None:
    analysis = Analysis(spec_of(MEAN, multivariate_by_fields=True))
    found = analysed(analysis, rows_of(frozen(sensors(9))))
    (result,) = [one for one in found if one.start_ms == START_MS + (BREAK + 1) * SPAN_MS]
    least = result.found[0].probability
    assert [one.probability for one in result.found[:2]] == [least, least]
    assert result.probability > least  # that of two so odd, if they had nothing to do with each other, is less by far


def test_the_value_that_makes_two_part_is_to_blame() -> None:
    x, rows = sensors(10), []
    for time_ms, row in rows_of(x, who="ann"):
        rows.append((time_ms, row))
        if row["sensor"] == "s0":
            bucket = (time_ms - START_MS) // SPAN_MS
            off = 12.0 if bucket == BREAK else 0.0
            rows.append((time_ms, row | {"who": "eve", "value": f"{float(row['value']) + off:.3f}"}))
    analysis = Analysis(spec_of(MEAN, multivariate_by_fields=True, influencers=("who",)))
    (result,) = [one for one in analysed(analysis, rows) if one.start_ms == START_MS + BREAK * SPAN_MS]
    (record,) = [one for one in result.found if one.by == "s0"]
    assert (record.correlated, record.probability < 1e-6) == ("s1", True)
    assert record.influencers == (("who", ("eve",)),)


@pytest.mark.parametrize("memory_max_mb", [0, -1])
def test_what_is_known_of_pairs_counts_as_memory(memory_max_mb: int) -> None:
    x = np.random.default_rng(11).normal(50.0, 10.0, (80, 30)).repeat(2, axis=1)
    sizes = []
    for multivariate in (True, False):
        analysis = Analysis(spec_of(MEAN, multivariate_by_fields=multivariate, memory_max_mb=memory_max_mb))
        analysed(analysis, rows_of(x))
        sizes.append(analysis.size())
    of_entities, of_table, of_pairs = 60 * 32, 64 * (24 * 64 + 8), 32 * BucketModel.bytes_per_entity
    assert sizes[0].model_bytes == sizes[1].model_bytes + of_entities + of_table + of_pairs
    assert sizes[0].status == "OK"


def test_pairs_stay_within_their_part_of_the_memory_and_that_some_are_not_looked_for_is_told() -> None:
    x = np.random.default_rng(12).normal(50.0, 10.0, (80, 30)).repeat(2, axis=1)
    one, other = rows_of(x, place="one"), rows_of(x, place="other")
    detector = DetectorSpec("mean", "value", by="sensor", partition="place")
    analysis = Analysis(spec_of(detector, multivariate_by_fields=True, memory_max_mb=1))
    analysed(analysis, sorted([*one, *other], key=lambda row: row[0]))
    size = analysis.size()
    assert (size.status, size.pruned, size.refused) == ("SOFT_LIMIT", 0, 0)
    assert size.model_bytes <= 2**20


def test_a_job_that_goes_back_to_its_models_goes_on_with_its_pairs() -> None:
    rows = rows_of(frozen(sensors(13)))
    before = [row for row in rows if row[0] < START_MS + BREAK * SPAN_MS]
    analysis, spec = Analysis(spec_of(MEAN, multivariate_by_fields=True)), {"keep_time": True}
    analysed(analysis, before)
    back, anew = analysis.reverted(analysis.save(), **spec), analysis.reverted(None, **spec)
    after = [row for row in rows if row[0] >= START_MS + (BREAK + 1) * SPAN_MS]
    for one, finds in ((back, True), (anew, False)):
        found = [record.correlated for result in analysed(one, after) for record in result.found]
        assert any(found) == finds


def test_shifted_buckets_have_pairs_of_their_own() -> None:
    x = frozen(sensors(12))
    rows = [(time_ms + half * SPAN_MS // 2, row) for time_ms, row in rows_of(x) for half in (0, 1)]
    spec = spec_of(MEAN, multivariate_by_fields=True, overlapping_buckets=True, finalization_spans=1)
    analysis = Analysis(spec)
    found = analysed(analysis, sorted(rows, key=lambda row: row[0]))
    assert any(one.correlated and one.probability < 1e-10 for result in found for one in result.found)
    state = analysis.save()
    assert state["overlapping.question0.pairs0.partner"].tolist() == state["question0.pairs0.partner"].tolist()
