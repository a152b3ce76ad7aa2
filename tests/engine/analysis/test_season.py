"""A job that is told of a season: it finds within a few rounds what it would miss without."""
from __future__ import annotations

import random

import pytest

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.results import BucketResult
from offbeat.engine.analysis.spec import DetectorSpec
from tests.engine.analysis.logs import SPAN_S, START_MS, Row, analysed, spec_of

PERIOD, BUCKETS, ODD = 5, 60, 48
LEVELS = (100.0, 160.0, 120.0, 60.0, 80.0)
SEASON_S = PERIOD * SPAN_S


def rows(seed: int) -> list[tuple[int, Row]]:
    """Three hosts in a cycle of five buckets; in one bucket, host-b has what it has two buckets later."""
    rng = random.Random(seed)
    return [
        (START_MS + 1000 * (bucket * SPAN_S + i), {
            "host": f"host-{host}",
            "value": f"{LEVELS[(bucket + 2 * (host == 'b' and bucket == ODD)) % PERIOD] + rng.gauss(0.0, 1.0):.3f}"})
        for bucket in range(BUCKETS)
        for i, host in enumerate("abc")
    ]


def found(season_s: int, detector: DetectorSpec) -> list[BucketResult]:
    return analysed(Analysis(spec_of(detector, season_s=season_s)), rows(7))


@pytest.mark.parametrize("function", ["mean", "sum", "metric"])
def test_what_is_usual_elsewhere_in_the_season_is_found(function: str) -> None:
    detector = DetectorSpec(function, "value", by="host")
    told, alone = found(SEASON_S, detector), found(0, detector)
    start_ms = START_MS + 1000 * ODD * SPAN_S
    (odd,) = [one for one in told if one.start_ms == start_ms]
    assert odd.probability < 1e-6
    assert {record.by for record in odd.found} == {"host-b"}
    calm = [one.probability for one in told if START_MS + 30_000 * SPAN_S < one.start_ms != start_ms]
    assert min(calm) > 1e-4
    (same,) = [one for one in alone if one.start_ms == start_ms]
    assert same.probability > 1e-2


@pytest.mark.parametrize("cut", [1, 7, 60, 120])
def test_it_goes_on_bit_for_bit_from_where_it_was_saved(cut: int) -> None:
    detectors = DetectorSpec("mean", "value", by="host"), DetectorSpec("max", "value", over="host")
    spec = spec_of(*detectors, season_s=SEASON_S)
    whole = analysed(Analysis(spec), rows(7))
    first, second = Analysis(spec), Analysis(spec)
    before = analysed(first, rows(7)[:cut])
    second.restore(first.save())
    assert [*before, *analysed(second, rows(7)[cut:])] == whole
