"""The documents of jobs with detectors as JSON Schema, each under its name. Pure data."""

from __future__ import annotations

from typing import Any, get_args

from offbeat.analyses.checks import EXCLUDES
from offbeat.engine.analysis.rules import Action, Dimension, Number, Operator
from offbeat_detectors.buckets.functions import BY_NAME

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}


def _listing(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _document(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _paged(name: str, row: str) -> Schema:
    return _document({name: _listing(_named(row)), "next_cursor": {"type": ["string", "null"]}})


def _word(words: Any) -> Schema:
    return {"type": "string", "enum": list(get_args(words))}


CONDITION: Schema = {"applies_to": _word(Number), "operator": _word(Operator), "value": NUMBER}
WINDOW: Schema = {
    "start_s": {"type": "integer", "minimum": 0, "maximum": 86_399},
    "end_s": {"type": "integer", "minimum": 0, "maximum": 86_400},
    "days": _listing({"type": "integer", "minimum": 0, "maximum": 6}),
}
SCOPE: Schema = {"dimension": _word(Dimension), "patterns": _listing(TEXT), "among": FLAG}
RULE: Schema = {
    "actions": _listing(_word(Action)),
    "conditions": _listing(_named("RuleCondition")),
    "windows": _listing(_named("RuleWindow")),
    "zone": TEXT,
    "scope": _listing(_named("RuleScope")),
}
MODEL_PLOT: Schema = {
    "percentile": {"type": "number", "minimum": 0, "maximum": 100},
    "terms": _listing(TEXT),
    "days": {"type": "number", "minimum": 0, "maximum": 36_500},
}
DETECTOR: Schema = {
    "function": {"type": "string", "enum": list(BY_NAME)},
    **dict.fromkeys(("field", "by", "over", "partition"), TEXT),
    "use_null": FLAG,
    "exclude_frequent": {"type": "string", "enum": list(EXCLUDES)},
    "description": TEXT,
    "rules": _listing(_named("Rule")),
}
ASKED: Schema = {
    "id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "description": TEXT,
    "bucket_span_s": {"type": "integer", "minimum": 1},
    "latency_s": COUNT,
    "detectors": _listing(_named("Detector")),
    "influencers": _listing(TEXT),
    "summary_count_field": TEXT,
    "categorization_field": TEXT,
    "categorization_filters": _listing(TEXT),
    "categorization_examples": COUNT,
    "memory_max_mb": {"type": "integer", "minimum": -1},
    "renormalization_days": {"type": "integer", "minimum": -1},
    "model_plot": {**_document(MODEL_PLOT), "type": ["object", "null"]},
    "overlapping_buckets": FLAG,
    "finalization_spans": COUNT,
    "multivariate_by_fields": FLAG,
    "sources": _listing(TEXT),
    "fields": _listing(TEXT),
    "season_s": COUNT,
}
CATEGORIZATION: Schema = {
    **_document(
        {
            "status": {"type": "string", "enum": ["ok", "warn"]},
            "reasons": _listing(TEXT),
            **dict.fromkeys(("messages", "categories", "rare", "frequent", "beyond"), COUNT),
        }
    ),
    "type": ["object", "null"],
}
NEEDED = ("id", "detectors")
VALUED: Schema = {**_document({"field": TEXT, "value": {"type": ["string", "null"]}}), "type": ["object", "null"]}
SCHEMAS: dict[str, Schema] = {
    "RuleCondition": _document(CONDITION),
    "RuleWindow": _document(WINDOW),
    "RuleWindowSpec": _document(WINDOW, optional=tuple(WINDOW)),
    "RuleScope": _document(SCOPE),
    "RuleScopeSpec": _document(SCOPE, optional=("among",)),
    "Rule": _document(RULE),
    "RuleSpec": _document(
        {**RULE, "windows": _listing(_named("RuleWindowSpec")), "scope": _listing(_named("RuleScopeSpec"))},
        optional=tuple(name for name in RULE if name != "actions"),
    ),
    "Detector": _document(DETECTOR),
    "DetectorSpec": _document(
        {**DETECTOR, "rules": _listing(_named("RuleSpec"))},
        optional=tuple(name for name in DETECTOR if name != "function"),
    ),
    "AnalysisSpec": _document(
        {
            **ASKED,
            "detectors": _listing(_named("DetectorSpec")),
            "model_plot": {**_document(MODEL_PLOT, optional=tuple(MODEL_PLOT)), "type": ["object", "null"]},
        },
        optional=tuple(name for name in ASKED if name not in NEEDED),
    ),
    "Analysis": _document(
        {
            **ASKED,
            "state": {"type": "string", "enum": ["running", "closing", "closed", "failed", "pausing", "paused"]},
            "created": TIME,
            "closed": TIME_OR_NULL,
            "last_upload": TIME_OR_NULL,
            "latest_bucket": TIME_OR_NULL,
            "counts": _named("RecordCounts"),
            "size": _named("ModelSize"),
            "withheld": _listing(_named("Withheld")),
            "peers": _listing(_named("Peers")),
            "categorization": CATEGORIZATION,
        }
    ),
    "Peers": _document({"detector": COUNT, "populations": COUNT, "members": NUMBER}),
    "Withheld": _document(
        {"detector": COUNT, "cause": TEXT, **dict.fromkeys(("values", "records", "unlearned"), COUNT)}
    ),
    "RecordCounts": _document(
        {
            **dict.fromkeys(
                ("received", "processed", "out_of_order", "bad_time", "missing_fields", "bytes", "buckets"), COUNT
            ),
            "latest_record": TIME_OR_NULL,
        }
    ),
    "ModelSize": _document(
        {
            **dict.fromkeys(("model_bytes", "by_count", "over_count", "partition_count", "refused", "pruned"), COUNT),
            "status": {"type": "string", "enum": ["ok", "soft_limit", "hard_limit"]},
        }
    ),
    "FieldValues": _document({"field": TEXT, "values": _listing(TEXT)}),
    "Cause": _document(
        {
            "by": {"type": ["string", "null"]},
            "probability": NUMBER,
            "actual": _listing(NUMBER_OR_NULL),
            "typical": _listing(NUMBER_OR_NULL),
        }
    ),
    "ScorePart": _document({"field": TEXT, "probability": NUMBER, "score": NUMBER}),
    "AnalysisBucket": _document(
        {
            "job": TEXT,
            "start": TIME,
            "bucket_span_s": WHOLE,
            "event_count": COUNT,
            "record_count": COUNT,
            "probability": NUMBER,
            "score": SCORE,
            "anomaly_score": SCORE,
            "initial_anomaly_score": SCORE,
            "interim": FLAG,
            "parts": _listing(_named("ScorePart")),
        }
    ),
    "AnalysisRecord": _document(
        {
            "job": TEXT,
            "bucket_start": TIME,
            "bucket_span_s": WHOLE,
            "detector": COUNT,
            "function": TEXT,
            "measure": TEXT,
            "field": TEXT,
            **dict.fromkeys(("by", "over", "partition"), VALUED),
            "correlated_by": VALUED,
            **dict.fromkeys(("actual", "typical"), _listing(NUMBER_OR_NULL)),
            **dict.fromkeys(("lower", "upper"), NUMBER_OR_NULL),
            "probability": NUMBER,
            "score": SCORE,
            "normalized": SCORE,
            "initial_normalized": SCORE,
            "influencers": _listing(_named("FieldValues")),
            "causes": _listing(_named("Cause")),
            "interim": FLAG,
        }
    ),
    "AnalysisInfluencer": _document(
        {
            "job": TEXT,
            "bucket_start": TIME,
            "bucket_span_s": WHOLE,
            "field": TEXT,
            "value": TEXT,
            "probability": NUMBER,
            "score": SCORE,
            "initial_score": SCORE,
            "interim": FLAG,
        }
    ),
    "ModelPlotPoint": _document(
        {
            "job": TEXT,
            "bucket_start": TIME,
            "bucket_span_s": WHOLE,
            "detector": COUNT,
            "function": TEXT,
            "measure": TEXT,
            "field": TEXT,
            **dict.fromkeys(("by", "over", "partition"), VALUED),
            **dict.fromkeys(("lower", "typical", "upper", "actual"), NUMBER),
        }
    ),
    "ModelPlotPoints": _document(
        {"plot": _listing(_named("ModelPlotPoint")), "next_cursor": {"type": ["string", "null"]}, "left_out": COUNT}
    ),
    "Category": _document({"id": WHOLE, "terms": TEXT, "regex": TEXT, "examples": _listing(TEXT), "matches": COUNT}),
    "AnalysisBuckets": _paged("buckets", "AnalysisBucket"),
    "AnalysisRecords": _paged("records", "AnalysisRecord"),
    "AnalysisInfluencers": _paged("influencers", "AnalysisInfluencer"),
    "Categories": _document(
        {
            "categories": _listing(_named("Category")),
            "next_cursor": {"type": ["string", "null"]},
            "categorization": CATEGORIZATION,
        }
    ),
    "Snapshot": _document(
        {
            "id": TEXT,
            "taken": TIME,
            "description": TEXT,
            "in_use": FLAG,
            "latest_record": TIME_OR_NULL,
            "latest_bucket": TIME_OR_NULL,
            "size": _named("ModelSize"),
        }
    ),
    "Snapshots": _document({"snapshots": _listing(_named("Snapshot"))}),
    "SnapshotDescription": _document({"description": {"type": "string", "minLength": 1, "maxLength": 1000}}),
}
