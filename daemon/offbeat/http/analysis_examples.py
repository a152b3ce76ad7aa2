"""Examples of jobs with detectors for the OpenAPI document; the tests hold them to the schemas. Pure data."""

from __future__ import annotations

from typing import Any

START, END = "2015-12-09T16:00:00.000Z", "2015-12-09T17:00:00.000Z"
SPEC: dict[str, Any] = {
    "id": "farequote",
    "description": "response times of airlines",
    "bucket_span_s": 3600,
    "latency_s": 0,
    "detectors": [
        {
            "function": "metric",
            "field": "responsetime",
            "by": "airline",
            "over": "",
            "partition": "",
            "use_null": False,
            "exclude_frequent": "none",
            "description": "",
            "rules": [
                {
                    "actions": ["skip_result"],
                    "conditions": [{"applies_to": "actual", "operator": "lt", "value": 150.0}],
                    "windows": [{"start_s": 79200, "end_s": 21600, "days": [5, 6]}],
                    "zone": "America/New_York",
                    "scope": [{"dimension": "by", "patterns": ["A*"], "among": False}],
                }
            ],
        }
    ],
    "influencers": ["airline"],
    "summary_count_field": "",
    "categorization_field": "",
    "categorization_filters": [],
    "categorization_examples": 4,
    "memory_max_mb": 0,
    "renormalization_days": -1,
    "model_plot": {"percentile": 95.0, "terms": [], "days": 30.0},
    "overlapping_buckets": False,
    "finalization_spans": 2,
    "multivariate_by_fields": False,
    "sources": [],
    "fields": [],
    "season_s": 0,
}
COUNTS: dict[str, Any] = {
    "received": 86274,
    "processed": 86274,
    "out_of_order": 0,
    "bad_time": 0,
    "missing_fields": 0,
    "bytes": 4089473,
    "buckets": 118,
    "latest_record": "2015-12-11T23:59:54.000Z",
}
SIZE: dict[str, Any] = {
    "model_bytes": 96000,
    "by_count": 19,
    "over_count": 0,
    "partition_count": 0,
    "refused": 0,
    "pruned": 0,
    "status": "ok",
}
ANALYSIS: dict[str, Any] = {
    **SPEC,
    "state": "running",
    "created": END,
    "closed": None,
    "last_upload": END,
    "latest_bucket": START,
    "counts": COUNTS,
    "size": SIZE,
    "withheld": [{"detector": 0, "cause": "rule 0", "values": 212, "records": 3, "unlearned": 0}],
    "peers": [],
    "categorization": None,
}
BUCKET: dict[str, Any] = {
    "job": "farequote",
    "start": START,
    "bucket_span_s": 3600,
    "event_count": 909,
    "record_count": 2,
    "probability": 1e-30,
    "score": 99.2,
    "anomaly_score": 97.1,
    "initial_anomaly_score": 97.1,
    "interim": False,
    "parts": [{"field": "bucketTime", "probability": 1e-30, "score": 97.1}],
}
RECORD: dict[str, Any] = {
    "job": "farequote",
    "bucket_start": START,
    "bucket_span_s": 3600,
    "detector": 0,
    "function": "metric",
    "measure": "mean",
    "field": "responsetime",
    "by": {"field": "airline", "value": "AAL"},
    "over": None,
    "partition": None,
    "correlated_by": None,
    "actual": [242.7],
    "typical": [99.8],
    "lower": 91.0,
    "upper": 108.1,
    "probability": 3e-37,
    "score": 99.4,
    "normalized": 98.2,
    "initial_normalized": 98.2,
    "influencers": [{"field": "airline", "values": ["AAL"]}],
    "causes": [],
    "interim": False,
}
INFLUENCER: dict[str, Any] = {
    "job": "farequote",
    "bucket_start": START,
    "bucket_span_s": 3600,
    "field": "airline",
    "value": "AAL",
    "probability": 3e-37,
    "score": 97.1,
    "initial_score": 97.1,
    "interim": False,
}
POINT: dict[str, Any] = {
    "job": "farequote",
    "bucket_start": START,
    "bucket_span_s": 3600,
    "detector": 0,
    "function": "metric",
    "measure": "mean",
    "field": "responsetime",
    "by": {"field": "airline", "value": "AAL"},
    "over": None,
    "partition": None,
    "lower": 91.0,
    "typical": 99.8,
    "upper": 108.1,
    "actual": 242.7,
}
PLOT: dict[str, Any] = {"plot": [POINT], "next_cursor": None, "left_out": 0}
CATEGORY: dict[str, Any] = {
    "id": 1,
    "terms": "request of took ms",
    "regex": ".*?request.+?of.+?took.+?ms.*",
    "examples": ["request 17 of ann took 3 ms"],
    "matches": 1200,
}
CATEGORIZATION: dict[str, Any] = {
    "status": "warn",
    "reasons": ["one is dominant"],
    "messages": 1240,
    "categories": 3,
    "rare": 1,
    "frequent": 2,
    "beyond": 0,
}
SNAPSHOT: dict[str, Any] = {
    "id": "1449680400",
    "taken": END,
    "description": "saved on close",
    "in_use": True,
    "latest_record": END,
    "latest_bucket": START,
    "size": SIZE,
}
SNAPSHOTS: dict[str, Any] = {"snapshots": [SNAPSHOT]}
SNAPSHOT_DESCRIPTION: dict[str, Any] = {"description": "before the new release"}
RECORD_SENT: dict[str, Any] = {"time": "2015-12-09T16:00:05Z", "airline": "AAL", "responsetime": 132.2}
RECORDS_SENT = '{"time": 1449676805, "airline": "AAL", "responsetime": 132.2}\n'
RECORDS_SENT_AS_CSV = "time,airline,responsetime\n2015-12-09 16:00:05Z,AAL,132.2\n"
FILE = "PK…"


def paged(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A page of one row."""
    return {name: [row], "next_cursor": None}
