"""The documents of the API as JSON Schema, each under its name. Pure data, for the OpenAPI document and the tests."""
from __future__ import annotations

from offbeat.http import analysis_schemas
from offbeat.http.alert_schemas import ALERT_SCHEMAS
from offbeat.http.check_schemas import CHECK_SCHEMAS
from offbeat.http.feed_schemas import FEED_SCHEMAS
from offbeat.http.forms import (
    ANY_OBJECT,
    FLAG,
    NUMBER,
    NUMBER_OR_NULL,
    SCORE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_GIVEN,
    TIME_OR_NULL,
    WHOLE,
    Schema,
    document,
    listing,
    named,
    paged,
)
from offbeat.http.page_schemas import PAGE_SCHEMAS
from offbeat.http.token_schemas import TOKEN_SCHEMAS

__all__ = ["ANY_OBJECT", "SCHEMAS", "TEXT", "Schema", "listing", "named"]

TIME_SHOWN: Schema = {"type": ["string", "integer"]}
REFUSAL: Schema = {"code": TEXT, "message": TEXT, "hint": TEXT, "where": ANY_OBJECT}
RECEIPT: Schema = {
    "accepted": WHOLE,
    "rejected": WHOLE,
    "errors": listing(named("LineError")),
    "errors_omitted": WHOLE,
    "sequence": WHOLE,
}
SOURCE: Schema = {
    "source": TEXT, "series_count": WHOLE, "event_count": WHOLE, "late_count": WHOLE,
    "first_event": TIME, "last_event": TIME, "last_arrival": TIME,
}
JOB: Schema = {
    "id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "description": TEXT,
    "function": {"type": "string", "enum": ["value"]},
    "sources": listing(TEXT),
    "fields": listing(TEXT),
    "bucket_span_s": {"type": "integer", "minimum": 1, "maximum": 86_400},
    "latency_s": {"type": "integer", "minimum": 0},
    "model": TEXT,
    "parameters": ANY_OBJECT,
    "peer_groups": listing(TEXT),
}
ROLLUP: Schema = {
    "count": listing(WHOLE),
    **{name: listing(NUMBER_OR_NULL) for name in ("sum", "min", "max", "mean", "sum_of_squares")},
}
RECORD: Schema = {
    "id": TEXT,
    "job": TEXT,
    "detector": WHOLE,
    "function": TEXT,
    "source": TEXT,
    "field": TEXT,
    "bucket_start": TIME,
    "bucket_span_s": WHOLE,
    "time": TIME,
    "actual": NUMBER_OR_NULL,
    "typical": NUMBER_OR_NULL,
    "lower": NUMBER_OR_NULL,
    "upper": NUMBER_OR_NULL,
    "novelty": NUMBER_OR_NULL,
    "probability": NUMBER_OR_NULL,
    "score": SCORE,
    "explain": named("Explanation"),
}
EXPLANATION: Schema = {
    "model": TEXT,
    "sentence": TEXT,
    "observed": NUMBER_OR_NULL,
    "typical": NUMBER_OR_NULL,
    "lower": NUMBER_OR_NULL,
    "upper": NUMBER_OR_NULL,
    "normal": TEXT_OR_NULL,
    "due": TIME_OR_NULL,
    "bits": NUMBER,
    "evidence": listing(named("Piece")),
    "acted": listing(named("Act")),
    "similar": listing(named("SimilarMoment")),
    "history": named("RecordHistory"),
}
VERDICT: Schema = {"type": "string", "enum": ["normal", "missed"]}
FEEDBACK: Schema = {
    "verdict": VERDICT, "job": TEXT, "source": TEXT, "field": TEXT, "start": TIME, "end": TIME, "note": TEXT,
    "factor": NUMBER,
}

SCHEMAS: dict[str, Schema] = {
    "Error": document({"error": document(REFUSAL)}),
    "NoGoodLine": document({**RECEIPT, "error": document(REFUSAL)}),
    "LineError": document({"line": WHOLE, "code": TEXT, "reason": TEXT}),
    "Receipt": document(RECEIPT),
    "Bucket": document(
        {
            "job": TEXT,
            "source": TEXT,
            "source_count": WHOLE,
            "start": TIME,
            "bucket_span_s": WHOLE,
            "event_count": WHOLE,
            "record_count": WHOLE,
            "novelty": NUMBER_OR_NULL,
            "score": SCORE,
            "interim": FLAG,
        },
        optional=("source", "source_count"),
    ),
    "Buckets": paged("buckets", "Bucket"),
    "Record": document(RECORD, optional=("explain",)),
    "Records": paged("records", "Record"),
    "Explanation": document(EXPLANATION, optional=("history",)),
    "Piece": document({"piece": TEXT, "bits": NUMBER, "share": NUMBER, "meaning": TEXT}),
    "Act": document({"name": TEXT, "text": TEXT, "factor": NUMBER_OR_NULL}),
    "SimilarMoment": document({"readings_ago": WHOLE, "time": TIME_OR_NULL}),
    "RecordHistory": document(
        {"reached": WHOLE, "watched_since": TIME, "reading_count": WHOLE, "reading_before": TIME_OR_NULL}
    ),
    "Source": document(SOURCE),
    "Sources": paged("sources", "Source"),
    "Series": document({"field": TEXT, "reading_count": WHOLE, "last_value": NUMBER_OR_NULL, "last_time": TIME}),
    "SourceInFull": document({**SOURCE, "metadata": ANY_OBJECT, "series": listing(named("Series"))}),
    "Metadata": document({"metadata": ANY_OBJECT}),
    "Band": document(
        {"time": listing(TIME_SHOWN), **{name: listing(NUMBER_OR_NULL) for name in ("typical", "lower", "upper")}}
    ),
    "SeriesReadings": document(
        {
            "field": TEXT,
            "level": {"type": "string", "enum": ["raw", "1m", "1h", "1d"]},
            "downsampled": FLAG,
            "reading_count": WHOLE,
            "time": listing(TIME_SHOWN),
            "value": listing(NUMBER_OR_NULL),
            **ROLLUP,
            "band": named("Band"),
        },
        optional=("value", *ROLLUP),
    ),
    "Readings": document({"source": TEXT, "series": listing(named("SeriesReadings"))}),
    "JobSpec": document(JOB, optional=tuple(name for name in JOB if name != "id")),
    "Job": document(
        {
            **JOB,
            "state": {"type": "string", "enum": ["open"]},
            "created": TIME,
            "series_count": WHOLE,
            "model_count": WHOLE,
            "models_max": {"type": ["integer", "null"]},
            "evicted_count": WHOLE,
            "unjudged_count": WHOLE,
            "event_count": WHOLE,
            "late_count": WHOLE,
            "record_count": WHOLE,
            "bytes_per_series": WHOLE,
        }
    ),
    "Jobs": document(
        {
            "jobs": listing({"oneOf": [named("Job"), named("Analysis")]}),
            "next_cursor": {"type": ["string", "null"]},
        }
    ),
    "FeedbackGiven": document(
        {
            "verdict": VERDICT,
            "record": TEXT,
            **dict.fromkeys(("job", "source", "field"), TEXT),
            **dict.fromkeys(("start", "end"), TIME_GIVEN),
            "note": TEXT,
            "below": {"type": "number", "minimum": 1, "maximum": 100},
        },
        optional=("record", "job", "source", "field", "start", "end", "note", "below"),
    ),
    "FeedbackEffect": document({"id": TEXT, "time": TIME, "score": SCORE, "score_now": SCORE, "score_then": SCORE}),
    "FeedbackWeighed": document(
        {
            "name": {"type": ["string", "null"]},
            **FEEDBACK,
            "total_factor_now": NUMBER,
            "total_factor_then": NUMBER,
            "target_score": SCORE,
            "reached_score": SCORE,
            "estimated": FLAG,
            "record_count": WHOLE,
            "changed_count": WHOLE,
            "hidden_count": WHOLE,
            "bucket_count": WHOLE,
            "revealed_count": WHOLE,
            "records": listing(named("FeedbackEffect")),
            "records_omitted": WHOLE,
            "sentence": TEXT,
        }
    ),
    "Adjustment": document(
        {
            "name": TEXT,
            **FEEDBACK,
            "created": TIME,
            "undone": {"type": ["string", "null"]},
            "hidden_count": WHOLE,
            "revealed_count": WHOLE,
        }
    ),
    "Feedback": paged("feedback", "Adjustment"),
    "Limit": document({"name": TEXT, "used": WHOLE, "limit": WHOLE}),
    "Daemon": document(
        {
            "version": TEXT,
            "started": TIME,
            "applied_sequence": WHOLE,
            "journal_sequence": WHOLE,
            "pending_bytes": WHOLE,
            "writable": FLAG,
            "unwritable_reason": TEXT,
            "full_reason": TEXT,
            "store_bytes": WHOLE,
            "rejected": {"type": "object", "additionalProperties": WHOLE},
            "limits": listing(named("Limit")),
        }
    ),
    "SeriesDiagnosis": document(
        {
            "job": TEXT,
            "field": TEXT,
            "state": {"type": "string", "enum": ["quiet", "no_model", "warming_up", "silent", "held", "ready"]},
            "warmup_left": WHOLE,
            "warmup_left_s": NUMBER_OR_NULL,
            "silent_since": {"type": ["string", "null"], "format": "date-time"},
            "held_left": WHOLE,
            "damping": NUMBER,
            "adjustment": NUMBER,
            "settled": NUMBER,
            "settles_in_s": NUMBER,
            "says": TEXT,
        }
    ),
    "Suppressed": document({"job": TEXT, "held": WHOLE, "damped": WHOLE, "silence": WHOLE, "adjusted": WHOLE}),
    "SourceDiagnosis": document(
        {
            "source": TEXT,
            "last_event": TIME,
            "last_arrival": TIME,
            "lag_s": NUMBER,
            "silent_for_s": NUMBER,
            "live": FLAG,
            "event_count": WHOLE,
            "late_count": WHOLE,
            "suppressed": listing(named("Suppressed")),
            "series": listing(named("SeriesDiagnosis")),
        }
    ),
    "Diagnosis": document(
        {
            "daemon": named("Daemon"),
            "sources": listing(named("SourceDiagnosis")),
            "next_cursor": {"type": ["string", "null"]},
        }
    ),
    "RejectedLine": document(
        {"id": WHOLE, "arrived": TIME, "format": TEXT, "line": WHOLE, "code": TEXT, "reason": TEXT, "start": TEXT}
    ),
    "Quarantine": paged("rejected", "RejectedLine"),
    "EventCluster": document({
        "cluster": WHOLE, "count": WHOLE, "first": TIME, "last": TIME, "centre": ANY_OBJECT, "spread": ANY_OBJECT,
    }),
    "SourceClusters": document({
        "job": TEXT, "source": TEXT, "event_count": WHOLE, "far_count": WHOLE,
        "latest": {"type": ["integer", "null"]}, "width": NUMBER, "clusters": listing(named("EventCluster")),
    }),
    "Status": document({"status": TEXT}),
    "InfluxError": document({"code": TEXT, "message": TEXT}),
    "InfluxV1Error": document({"error": TEXT}),
    "InfluxHealth": document(
        {
            "name": TEXT,
            "message": TEXT,
            "status": {"type": "string", "enum": ["pass", "fail"]},
            "checks": listing(ANY_OBJECT),
            "version": TEXT,
            "commit": TEXT,
        }
    ),
    "InfluxVersion": document({"version": TEXT}),
    "EnergyError": document({"error": TEXT}),
    "EnergyCluster": document({
        "label": WHOLE, "count": WHOLE,
        **dict.fromkeys(("avg_power_active_w", "avg_power_reactive_var", "avg_power_apparent_va",
                         "avg_line_current_a", "avg_line_voltage_v"), NUMBER),
    }),
    "EnergyClusters": document({"clusters": listing(named("EnergyCluster"))}),
    **ALERT_SCHEMAS,
    **FEED_SCHEMAS,
    **PAGE_SCHEMAS,
    **CHECK_SCHEMAS,
    **TOKEN_SCHEMAS,
}
SCHEMAS |= analysis_schemas.SCHEMAS
for _name, _asked in (("JobPreview", SCHEMAS["JobSpec"]), ("AnalysisPreview", SCHEMAS["AnalysisSpec"])):
    SCHEMAS[_name] = _asked | {"properties": _asked["properties"] | dict.fromkeys(("start", "end"), TIME_GIVEN)}
