"""What a Prelert job wants, as it is asked of the analysis."""

from __future__ import annotations

from typing import Any

import pytest

from offbeat.engine.analysis.spec import ModelPlot
from offbeat.gateways.prelert.configuration import configuration_of
from offbeat.gateways.prelert.translation import spec_of

DETECTOR = {"function": "mean", "fieldName": "x", "byFieldName": "host", "excludeFrequent": "by", "useNull": True}


def spec(analysis: dict[str, Any] | None = None, **top: Any) -> Any:
    """The analysis of a job that has one detector."""
    return spec_of(configuration_of({"analysisConfig": {"detectors": [DETECTOR]} | (analysis or {}), **top}), "a")


def test_what_is_not_said_has_the_defaults_of_the_protocol() -> None:
    made = spec()
    assert (made.bucket_span_s, made.latency_s) == (300, 0)
    assert (made.categorization_examples, made.renormalization_days) == (4, -1)
    assert (made.model_plot, made.overlapping_buckets, made.finalization_spans) == (None, False, 2)
    detector = made.detectors[0]
    assert (detector.field, detector.by, detector.over, detector.exclude_frequent, detector.use_null) == (
        "x", "host", "", "by", True)


@pytest.mark.parametrize(
    ("debug", "plot"),
    [
        ({"boundsPercentile": 90, "terms": "a, b,"}, ModelPlot(90.0, ("a", "b"))),
        ({"boundsPercentile": 95.0}, ModelPlot(95.0)),
        ({"terms": "a"}, None),
    ],
)
def test_a_percentile_has_the_bands_of_the_models_kept(debug: dict[str, Any], plot: ModelPlot | None) -> None:
    assert spec(modelDebugConfig=debug).model_plot == plot


def test_that_by_values_are_judged_beside_each_other_reaches_the_analysis_and_comes_back() -> None:
    assert not spec().multivariate_by_fields
    assert spec({"multivariateByFields": True}).multivariate_by_fields
    alone = {"function": "mean", "fieldName": "x"}  # it can mean nothing, and is no error
    assert spec({"multivariateByFields": True, "detectors": [alone]}).multivariate_by_fields


@pytest.mark.parametrize(
    ("analysis", "season_s"),
    [
        ({"period": 5, "batchSpan": 3600}, 18_000),
        ({"period": 2, "batchSpan": 300}, 600),
        ({"period": 100_000, "batchSpan": 300}, 30_000_000),
        ({"period": 100_001, "batchSpan": 300}, 0),
        ({"period": 1, "batchSpan": 599}, 0),
        ({"period": 5}, 0),
        ({"batchSpan": 3600}, 0),
        ({"period": 0, "batchSpan": 3600}, 0),
    ],
)
def test_a_season_that_buckets_can_tell_reaches_the_analysis(analysis: dict[str, Any], season_s: int) -> None:
    assert spec(analysis).season_s == season_s


def test_overlapping_buckets_and_how_long_they_are_waited_for_reach_the_analysis() -> None:
    made = spec({"overlappingBuckets": True, "resultFinalizationWindow": 3, "bucketSpan": 60})
    assert (made.overlapping_buckets, made.finalization_spans, made.bucket_span_s) == (True, 3, 60)
