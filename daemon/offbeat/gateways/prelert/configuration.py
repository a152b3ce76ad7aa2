"""A whole job configuration: from JSON to data, with every check, and back to the document of the job.

Source: Prelert Engine API, sections 3.3, 4.1, 4.2 and 4.8.
"""
from __future__ import annotations

from dataclasses import dataclass

from offbeat.gateways.prelert.detectors import (
    CATEGORY,
    Around,
    DetectorConfig,
    check_field_name,
    detector_document,
    detector_of,
)
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.ids import checked_id
from offbeat.gateways.prelert.parts import (
    AnalysisLimits,
    ModelDebugConfig,
    check_transforms,
    description_document,
    description_of,
    limits_document,
    limits_of,
    model_debug_document,
    model_debug_of,
    transform_document,
    transform_of,
)
from offbeat.gateways.prelert.schedulers import SchedulerConfig, check_in_job, scheduler_document, scheduler_of
from offbeat.gateways.prelert.values import Values, parsed
from offbeat.wire.records.description import DataDescription
from offbeat.wire.records.java_regex import compiled
from offbeat.wire.records.transforms import Transform
from offbeat_detectors.buckets.categories import filter_of

NO_DETECTORS = "No detectors configured"
BUCKET_SPAN_S = 300
TIMEOUT_S = 600
PERSIST_INTERVAL_S_MIN = 3600
IGNORE_DOWNTIME = ("NEVER", "ONCE", "ALWAYS")
INTERVALS = {
    "renormalizationWindowDays": 0, "backgroundPersistInterval": PERSIST_INTERVAL_S_MIN,
    "modelSnapshotRetentionDays": 0, "resultsRetentionDays": 0,
}
"""Numbers at the top level that may be absent, and the least that each may be."""
KNOWN = ("id", "description", "timeout", "analysisConfig", "analysisLimits", "dataDescription", "transforms",
         "schedulerConfig", "modelDebugConfig", *INTERVALS, "ignoreDowntime", "customSettings")
KNOWN_OF_ANALYSIS = (
    "bucketSpan", "batchSpan", "period", "latency", "detectors", "influencers", "summaryCountFieldName",
    "categorizationFieldName", "categorizationFilters", "overlappingBuckets", "resultFinalizationWindow",
    "multivariateByFields")


@dataclass(frozen=True, slots=True)
class AnalysisConfig:
    """What is analysed. Spans in seconds; None: not given.

    categorization_filters  regular expressions; what they match is no part of the text that is categorised
    """

    detectors: tuple[DetectorConfig, ...]
    bucket_span_s: int = BUCKET_SPAN_S
    batch_span_s: int | None = None
    period: int | None = None
    latency_s: int = 0
    influencers: tuple[str, ...] = ()
    summary_count_field_name: str | None = None
    categorization_field_name: str | None = None
    categorization_filters: tuple[str, ...] = ()
    overlapping_buckets: bool = False
    result_finalization_window: int | None = None
    multivariate_by_fields: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The analysis fields, each once: of the detectors, the influencers, the summary count and categorization.

        Source: section 4.8.
        """
        named = [name for detector in self.detectors for name in detector.fields]
        named += [*self.influencers, self.summary_count_field_name or "", self.categorization_field_name or ""]
        return tuple(name for name in dict.fromkeys(named) if name not in ("", CATEGORY))


@dataclass(frozen=True, slots=True)
class JobConfiguration:
    """A job as its creator wants it. None: not given, the server chooses; *id* None: the server makes one."""

    analysis: AnalysisConfig
    id: str | None = None
    description: str | None = None
    timeout_s: int = TIMEOUT_S
    limits: AnalysisLimits | None = None
    data_description: DataDescription | None = None
    transforms: tuple[Transform, ...] = ()
    scheduler: SchedulerConfig | None = None
    model_debug: ModelDebugConfig | None = None
    renormalization_window_days: int | None = None
    background_persist_interval_s: int | None = None
    model_snapshot_retention_days: int | None = None
    results_retention_days: int | None = None
    ignore_downtime: str | None = None
    custom_settings: dict[str, object] | None = None

    @property
    def data(self) -> DataDescription:
        """The form of the data: what was given, else the defaults."""
        return self.data_description or DataDescription()


def parse_configuration(body: bytes) -> JobConfiguration:
    """The job that *body*, JSON, describes. Raises PrelertError, the first check that fails first."""
    return configuration_of(parsed(body, 10101))


def configuration_of(document: object) -> JobConfiguration:
    """The job that *document* describes; it takes what as_document gives. Raises PrelertError."""
    values = Values(document, "the job", KNOWN)
    id = values.name("id")
    if id is not None:
        checked_id(id)
    description, timeout_s = values.name("description"), values.integer("timeout", 0)
    if not values.has("analysisConfig"):
        raise PrelertError(10107, NO_DETECTORS)
    of_analysis = Values(values.raw("analysisConfig"), "analysisConfig", KNOWN_OF_ANALYSIS)
    analysis = _analysis_of(of_analysis)
    limits = limits_of(values.raw("analysisLimits")) if values.has("analysisLimits") else None
    data = description_of(values.raw("dataDescription")) if values.has("dataDescription") else None
    transforms = tuple(transform_of(item) for item in values.array("transforms"))
    form = data or DataDescription()
    if form.format == "SINGLE_LINE" and not transforms:
        raise PrelertError(10207, "data of the format SINGLE_LINE need transforms that make the fields")
    check_transforms(transforms, {*analysis.fields, form.time_field})
    scheduler = scheduler_of(values.raw("schedulerConfig")) if values.has("schedulerConfig") else None
    if scheduler is not None:
        check_in_job(
            scheduler, span_given=of_analysis.has("bucketSpan"), latency_s=analysis.latency_s,
            summarised=analysis.summary_count_field_name is not None, data_format=form.format)
    debug = model_debug_of(values.raw("modelDebugConfig")) if values.has("modelDebugConfig") else None
    renormalization, persist, snapshots, results = (values.integer(key, low) for key, low in INTERVALS.items())
    return JobConfiguration(
        analysis, id, description, TIMEOUT_S if timeout_s is None else timeout_s, limits, data, transforms, scheduler,
        debug, renormalization, persist, snapshots, results, values.one_of("ignoreDowntime", IGNORE_DOWNTIME),
        values.object("customSettings"))


def _analysis_of(values: Values) -> AnalysisConfig:
    bucket_span_s, batch_span_s = values.integer("bucketSpan", 1), values.integer("batchSpan", 0)
    period, latency_s = values.integer("period", 0), values.integer("latency", 0)
    documents = values.array("detectors")
    if not documents:
        raise PrelertError(10107, NO_DETECTORS)
    summary_count, categorization = values.name("summaryCountFieldName"), values.name("categorizationFieldName")
    overlapping = values.boolean("overlappingBuckets")
    window = values.integer("resultFinalizationWindow", 0)
    influencers = tuple(name for name in dict.fromkeys(values.texts("influencers")) if name)
    check_field_name(summary_count)
    check_field_name(categorization)
    around = Around(summary_count is not None, overlapping, categorization is not None)
    detectors = tuple(detector_of(document, around) for document in documents)
    if CATEGORY in influencers and categorization is None:
        raise PrelertError(10106, f"{CATEGORY} needs a categorizationFieldName")
    return AnalysisConfig(
        detectors, BUCKET_SPAN_S if bucket_span_s is None else bucket_span_s, batch_span_s, period, latency_s or 0,
        influencers, summary_count, categorization, checked_filters(values.texts("categorizationFilters")), overlapping,
        window, values.boolean("multivariateByFields"))


def checked_filters(filters: tuple[str, ...]) -> tuple[str, ...]:
    """*filters*, if all are regular expressions without look-around and back-references. Raises PrelertError 10104."""
    for text in filters:
        try:
            compiled(text)
            filter_of(text)
        except ValueError as e:  # BadRegex is one
            raise PrelertError(10104, f"the filter {text!r} is no regular expression: {e}") from None
    return filters


def as_document(job: JobConfiguration) -> dict[str, object]:
    """*job* as section 3.3 shows it: what was given, with its defaults filled in, without the password.

    The status, times, counts and links of a job are not known here.
    """
    document: dict[str, object] = {
        "id": job.id, "description": job.description, "timeout": job.timeout_s,
        "analysisConfig": _analysis_document(job.analysis),
        "analysisLimits": None if job.limits is None else limits_document(job.limits),
        "schedulerConfig": None if job.scheduler is None else scheduler_document(job.scheduler),
        "dataDescription": None if job.data_description is None else description_document(job.data_description),
        "transforms": [transform_document(transform) for transform in job.transforms] or None,
        "modelDebugConfig": None if job.model_debug is None else model_debug_document(job.model_debug),
        "ignoreDowntime": job.ignore_downtime, "renormalizationWindowDays": job.renormalization_window_days,
        "backgroundPersistInterval": job.background_persist_interval_s,
        "modelSnapshotRetentionDays": job.model_snapshot_retention_days,
        "resultsRetentionDays": job.results_retention_days, "customSettings": job.custom_settings}
    return {key: value for key, value in document.items() if value is not None}


def _analysis_document(analysis: AnalysisConfig) -> dict[str, object]:
    document: dict[str, object] = {
        "bucketSpan": analysis.bucket_span_s, "batchSpan": analysis.batch_span_s, "period": analysis.period,
        "latency": analysis.latency_s, "influencers": list(analysis.influencers),
        "summaryCountFieldName": analysis.summary_count_field_name,
        "categorizationFieldName": analysis.categorization_field_name,
        "categorizationFilters": list(analysis.categorization_filters) or None,
        "overlappingBuckets": analysis.overlapping_buckets or None,
        "resultFinalizationWindow": analysis.result_finalization_window,
        "multivariateByFields": analysis.multivariate_by_fields or None,
        "detectors": [detector_document(detector) for detector in analysis.detectors]}
    return {key: value for key, value in document.items() if value is not None}


def links(base: str, id: str) -> dict[str, object]:
    """``location`` and ``endpoints`` of the job *id*; *base* is the address up to the version, no slash behind it."""
    return {
        "location": f"{base}/jobs/{id}",
        "endpoints": {
            "data": f"{base}/data/{id}",
            "buckets": f"{base}/results/{id}/buckets",
            "records": f"{base}/results/{id}/records",
            "categoryDefinitions": f"{base}/results/{id}/categorydefinitions",
            "alertsLongPoll": f"{base}/alerts_longpoll/{id}",
            "logs": f"{base}/logs/{id}",
            "modelSnapshots": f"{base}/modelsnapshots/{id}"}}
