"""Results of an open bucket take into account how much of it has come."""

from __future__ import annotations

import pytest

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.completeness import ENOUGH, Completeness
from offbeat.engine.analysis.results import BucketResult
from offbeat.engine.analysis.spec import DetectorSpec
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, spec_of

SPAN_MS = 1000 * SPAN_S
HOSTS = ("a", "b", "c", "d")


def delivered(bucket: int, seconds: range, each: int = 1, hosts: tuple[str, ...] = HOSTS) -> list[tuple[int, Row]]:
    """*each* records of each host in each of these *seconds* of a bucket."""
    start = START_MS + bucket * SPAN_MS
    return [
        (start + 1000 * at, {"host": host, "value": "5"}) for at in seconds for host in hosts for _ in range(each)
    ]


def interim_of(
    usual: range, now: list[tuple[int, Row]], *detectors: DetectorSpec, buckets: int = 40
) -> BucketResult:
    """What is said of an open bucket with the rows *now*, after buckets with rows in the *usual* seconds."""
    analysis = Analysis(spec_of(*detectors))
    for bucket in range(buckets):
        analysed(analysis, delivered(bucket, usual, 1 + bucket % 2))
    analysed(analysis, now)
    (found,) = analysis.interim(None, None)
    assert found.start_ms == START_MS + buckets * SPAN_MS
    return found


COUNTS = (DetectorSpec("count", by="host"), DetectorSpec("sum", "value", by="host"), DetectorSpec("low_count"))


@pytest.mark.parametrize("seconds", [1, 3, 6, 10])
def test_a_delivery_at_the_start_of_each_bucket_is_not_too_much(seconds: int) -> None:
    # By the time that has passed, one sixth, six times too much would have come.
    found = interim_of(range(10), delivered(40, range(seconds)), *COUNTS)
    assert found.found == ()
    assert found.anomaly_score < 1.0


@pytest.mark.parametrize("seconds", [2, 20, 50, 60])
def test_what_has_not_come_yet_is_not_missing(seconds: int) -> None:
    few = interim_of(range(60), delivered(40, range(seconds), hosts=HOSTS[:1]), *COUNTS)
    late = interim_of(range(50, 60), delivered(40, range(seconds))[:3], *COUNTS)
    assert few.found == late.found == ()


def test_what_is_too_much_already_is_found_before_the_bucket_ends() -> None:
    found = interim_of(range(60), delivered(40, range(20), 30, hosts=("c",)), DetectorSpec("count", by="host"))
    assert [one.by for one in found.found] == ["c"]
    assert found.interim


@pytest.mark.parametrize("function", ["max", "min"])
def test_a_largest_value_can_still_rise_and_a_smallest_one_fall(function: str) -> None:
    analysis = Analysis(spec_of(DetectorSpec(function, "value")))
    wide = (10.0, 90.0)
    for bucket in range(40):
        values = [wide[0] + bucket % 3, wide[1] + bucket % 3]
        rows = [(START_MS + bucket * SPAN_MS, {"value": str(value)}) for value in values]
        analysed(analysis, rows)
    other = {"max": wide[0], "min": wide[1]}[function]
    for value, count in ((other, 0), ({"max": 400.0, "min": -400.0}[function], 1)):
        analysed(analysis, [(START_MS + 40 * SPAN_MS, {"value": str(value)})])
        (found,) = analysis.interim(None, None)
        assert len(found.found) == count


def test_the_share_of_a_bucket_is_that_of_its_usual_events_where_they_are_known() -> None:
    completeness = Completeness(SPAN_S)
    assert completeness.share(0, 3.0, 0.25) == 0.25  # nothing is known
    for bucket in range(50):
        completeness.learn(bucket, 10_000.0 + bucket % 3)
    assert completeness.share(50, 5_000.0, 0.25) == pytest.approx(0.51, abs=0.01)
    assert completeness.share(50, 0.0, 0.9) < 0.001
    assert completeness.share(50, 30_000.0, 0.1) == 1.0
    few = Completeness(SPAN_S)
    for bucket in range(50):
        few.learn(bucket, ENOUGH - 2 + bucket % 2)
    assert few.share(50, 5.0, 0.25) == 0.25
