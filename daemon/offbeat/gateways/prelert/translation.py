"""A job as its creator wants it, and as it is analysed here."""

from __future__ import annotations

from typing import Any, cast

from offbeat.analyses.job import Job
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec, Exclude, ModelPlot
from offbeat.gateways.prelert.configuration import AnalysisConfig, JobConfiguration, as_document, configuration_of
from offbeat.gateways.prelert.detectors import DetectorConfig
from offbeat.gateways.prelert.parts import ModelDebugConfig
from offbeat_detectors.buckets.given import usable_season

EXAMPLES = 4
"""Of a category, where the job does not say. Source: Prelert Engine API, section 4.3."""
FINALIZATION_SPANS = 2
"""Where a job with overlapping buckets does not say. Source: Prelert Engine API, section 4.2."""


def spec_of(configuration: JobConfiguration, id: str) -> AnalysisSpec:
    """What is analysed."""
    analysis, limits = configuration.analysis, configuration.limits
    examples = None if limits is None else limits.category_examples
    return AnalysisSpec(
        id=id,
        detectors=tuple(_detector(one) for one in analysis.detectors),
        bucket_span_s=analysis.bucket_span_s,
        description=configuration.description or "",
        latency_s=analysis.latency_s,
        influencers=analysis.influencers,
        summary_count_field=analysis.summary_count_field_name or "",
        categorization_field=analysis.categorization_field_name or "",
        categorization_filters=analysis.categorization_filters,
        categorization_examples=EXAMPLES if examples is None else examples,
        memory_max_mb=0 if limits is None else limits.model_memory_mb or 0,
        renormalization_days=(
            -1 if configuration.renormalization_window_days is None else configuration.renormalization_window_days
        ),
        model_plot=_plot(configuration.model_debug),
        overlapping_buckets=analysis.overlapping_buckets,
        multivariate_by_fields=analysis.multivariate_by_fields,
        finalization_spans=(
            FINALIZATION_SPANS if analysis.result_finalization_window is None else analysis.result_finalization_window
        ),
        season_s=season_of(analysis) if usable_season(season_of(analysis), analysis.bucket_span_s) else 0,
    )


def season_of(analysis: AnalysisConfig) -> int:
    """The length in seconds of the season that the job tells of; 0: none. Source: Prelert Engine API, section 4.2."""
    return (analysis.period or 0) * (analysis.batch_span_s or 0)


def _plot(debug: ModelDebugConfig | None) -> ModelPlot | None:
    """What of the models is kept: a percentile switches it on. Source: Prelert Engine API, section 4.5."""
    if debug is None or debug.bounds_percentile is None:
        return None
    terms = tuple(term.strip() for term in (debug.terms or "").split(",") if term.strip())
    return ModelPlot(debug.bounds_percentile, terms)


def _detector(one: DetectorConfig) -> DetectorSpec:
    return DetectorSpec(
        function=one.function,
        field=one.field_name or "",
        by=one.by_field_name or "",
        over=one.over_field_name or "",
        partition=one.partition_field_name or "",
        use_null=one.use_null,
        exclude_frequent=cast(Exclude, (one.exclude_frequent or "none").lower()),
        description=one.description or "",
    )


def said_of(configuration: JobConfiguration) -> dict[str, Any]:
    """What is kept with the job: the configuration, and what the daemon itself must know of it."""
    said: dict[str, Any] = {
        "prelert": as_document(configuration),
        "idle_timeout_s": 0 if configuration.scheduler is not None else configuration.timeout_s,
    }
    if configuration.model_snapshot_retention_days is not None:
        said["model_snapshot_retention_days"] = configuration.model_snapshot_retention_days
    if configuration.background_persist_interval_s is not None:
        said["background_persist_interval_s"] = configuration.background_persist_interval_s
    if configuration.results_retention_days is not None:
        said["results_retention_days"] = configuration.results_retention_days
    return said


def configuration_of_job(job: Job) -> JobConfiguration:
    """What the creator of *job* wanted; of a job that was not made through this gateway, as it would be said here."""
    document = dict(job.document["prelert"]) if "prelert" in job.document else _said_here(job.spec)
    if job.feed is not None and "schedulerConfig" in document:
        password = job.feed["spec"]["source"].get("password")
        if password is not None:  # it is kept with the feed alone
            document["schedulerConfig"] = {**document["schedulerConfig"], "password": password}
    return configuration_of(document)


def _said_here(spec: AnalysisSpec) -> dict[str, Any]:
    detectors = [
        {
            "function": one.function,
            "fieldName": one.field,
            "byFieldName": one.by,
            "overFieldName": one.over,
            "partitionFieldName": one.partition,
            "useNull": one.use_null,
            "detectorDescription": one.description,
        }
        for one in spec.detectors
    ]
    analysis: dict[str, Any] = {
        "bucketSpan": spec.bucket_span_s,
        "latency": spec.latency_s,
        "influencers": list(spec.influencers),
        "summaryCountFieldName": spec.summary_count_field,
        "categorizationFieldName": spec.categorization_field,
        "multivariateByFields": spec.multivariate_by_fields,
        "detectors": [{name: value for name, value in one.items() if value} for one in detectors],
    }
    if spec.season_s:
        analysis |= {"batchSpan": spec.season_s, "period": 1}
    return {"id": spec.id, "description": spec.description, "analysisConfig": analysis}
