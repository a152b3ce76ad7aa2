"""One example of each document of the API, shown by /docs and held against the schemas by a test. Pure data."""
from __future__ import annotations

from typing import Any

START, LAST = "2015-12-09T16:14:00.000Z", "2015-12-09T16:14:02.000Z"

EVENTS = '{"time": "2015-12-09T16:14:02Z", "source": "AAL", "responsetime": 302.9}\n'
EVENT: dict[str, Any] = {"time": "2015-12-09T16:14:02Z", "source": "AAL", "responsetime": 302.9}
CSV = "time,source,responsetime\n2015-12-09T16:14:02Z,AAL,302.9\n"
LINE_PROTOCOL = "responses,host=AAL responsetime=302.9 1449677642000000000\n"
RECEIPT: dict[str, Any] = {
    "accepted": 2,
    "rejected": 1,
    "errors": [
        {"line": 3, "code": "bad_time", "reason": 'the time "yesterday" is neither ISO 8601 nor an epoch number'}
    ],
    "errors_omitted": 0,
    "sequence": 17,
}
ERROR: dict[str, Any] = {
    "error": {
        "code": "bad_request",
        "message": "limit is 0: expected 1 to 10000",
        "hint": "",
        "where": {"parameter": "limit"},
    },
}
NO_GOOD_LINE: dict[str, Any] = {
    **RECEIPT,
    "accepted": 0,
    "error": {"code": "no_good_line", "message": "no line was taken", "hint": "", "where": {}},
}
BUCKET: dict[str, Any] = {
    "job": "watch", "source": "AAL", "start": START, "bucket_span_s": 60, "event_count": 54, "record_count": 1,
    "novelty": 19.5, "score": 100.0, "interim": False,
}
BUCKETS: dict[str, Any] = {"buckets": [BUCKET], "next_cursor": None}
RECORD: dict[str, Any] = {
    "id": "watch:0:AAL:responsetime:1449677640000",
    "job": "watch",
    "detector": 0,
    "function": "value",
    "source": "AAL",
    "field": "responsetime",
    "bucket_start": START,
    "bucket_span_s": 60,
    "time": LAST,
    "actual": 302.9,
    "typical": 100.2,
    "lower": 60.1,
    "upper": 140.3,
    "novelty": 19.5,
    "probability": 1e-12,
    "score": 100.0,
    "explain": {
        "model": "rhythm",
        "sentence": "responsetime of AAL was 302.9, expected 60 to 140 (typical 100): no pattern like that of the "
        "last 16 readings in the recent past; besides, one reading far from those just before it; a value between 60 "
        "and 140 would have been normal. The most similar moment lies 812 readings back. It was made weaker, to "
        "50 %, for this series is often novel by itself.",
        "observed": 302.9,
        "typical": 100.2,
        "lower": 60.1,
        "upper": 140.3,
        "normal": "between 60 and 140",
        "due": None,
        "bits": 22.02,
        "evidence": [
            {
                "piece": "pattern",
                "bits": 16.52,
                "share": 0.75,
                "meaning": "no pattern like that of the last 16 readings in the recent past",
            },
            {
                "piece": "jump",
                "bits": 5.51,
                "share": 0.25,
                "meaning": "one reading far from those just before it",
            },
        ],
        "acted": [
            {
                "name": "damping",
                "text": "made weaker, to 50 %, for this series is often novel by itself",
                "factor": 0.5,
            }
        ],
        "similar": [{"readings_ago": 812, "time": None}],
    },
}
RECORD_IN_FULL: dict[str, Any] = {
    **RECORD,
    "explain": {
        **RECORD["explain"],
        "sentence": RECORD["explain"]["sentence"].replace(
            "lies 812 readings back", "was 2015-12-09 07:02:10 UTC"
        ),
        "similar": [{"readings_ago": 812, "time": "2015-12-09T07:02:10.000Z"}],
        "history": {
            "reached": 1,
            "watched_since": "2015-12-02T21:57:00.000Z",
            "reading_count": 8720,
            "reading_before": "2015-12-09T16:13:49.000Z",
        },
    },
}
RECORDS: dict[str, Any] = {"records": [RECORD], "next_cursor": None}
SOURCE: dict[str, Any] = {
    "source": "AAL", "series_count": 1, "event_count": 8720, "late_count": 0, "first_event": "2015-12-02T21:57:00.000Z",
    "last_event": LAST, "last_arrival": LAST,
}
SOURCES: dict[str, Any] = {"sources": [SOURCE], "next_cursor": None}
METADATA: dict[str, Any] = {"metadata": {"airline": "American", "desk": "B4"}}
SOURCE_IN_FULL: dict[str, Any] = {
    **SOURCE,
    **METADATA,
    "series": [{"field": "responsetime", "reading_count": 8720, "last_value": 98.1, "last_time": LAST}],
}
READINGS: dict[str, Any] = {
    "source": "AAL",
    "series": [
        {
            "field": "responsetime",
            "level": "raw",
            "downsampled": True,
            "reading_count": 8720,
            "time": [LAST],
            "value": [98.1],
            "band": {"time": [LAST], "typical": [100.2], "lower": [60.1], "upper": [140.3]},
        }
    ],
}
JOB_SPEC: dict[str, Any] = {
    "id": "boilers",
    "description": "",
    "function": "value",
    "sources": ["boiler-*"],
    "fields": ["temp*"],
    "bucket_span_s": 60,
    "latency_s": 0,
    "model": "ewma",
    "parameters": {},
    "peer_groups": [],
}
JOB: dict[str, Any] = {
    **JOB_SPEC,
    "state": "open",
    "created": START,
    "series_count": 12,
    "model_count": 12,
    "models_max": None,
    "evicted_count": 0,
    "unjudged_count": 0,
    "event_count": 8720,
    "late_count": 0,
    "record_count": 3,
    "bytes_per_series": 96,
}
CLUSTERS: dict[str, Any] = {
    "job": "kinds", "source": "meter-7", "event_count": 1000, "far_count": 12, "latest": 2, "width": 0.31,
    "clusters": [{
        "cluster": 2, "count": 522, "first": START, "last": LAST,
        "centre": {"power_active_w": 270.1, "line_current_a": 1.34},
        "spread": {"power_active_w": 41.2, "line_current_a": 0.2},
    }],
}
JOBS: dict[str, Any] = {"jobs": [JOB], "next_cursor": None}
DIAGNOSIS: dict[str, Any] = {
    "daemon": {
        "version": "1.0",
        "started": START,
        "applied_sequence": 17,
        "journal_sequence": 17,
        "pending_bytes": 0,
        "writable": True,
        "unwritable_reason": "",
        "full_reason": "",
        "store_bytes": 1234,
        "rejected": {"bad_time": 1},
        "limits": [{"name": "engine.series_max", "used": 19, "limit": 1_000_000}],
    },
    "sources": [
        {
            "source": "AAL",
            "last_event": LAST,
            "last_arrival": LAST,
            "lag_s": 0.2,
            "silent_for_s": 3.1,
            "live": True,
            "event_count": 8720,
            "late_count": 0,
            "suppressed": [{"job": "watch", "held": 17, "damped": 2, "silence": 0, "adjusted": 0}],
            "series": [
                {
                    "job": "watch",
                    "field": "responsetime",
                    "state": "warming_up",
                    "warmup_left": 23,
                    "warmup_left_s": 1380.0,
                    "silent_since": None,
                    "held_left": 0,
                    "damping": 1.0,
                    "adjustment": 1.0,
                    "settled": 0.0046,
                    "settles_in_s": 89580.0,
                    "says": "warming up: 23 more readings, about 23 minutes",
                }
            ],
        }
    ],
    "next_cursor": None,
}
FEEDBACK_GIVEN: dict[str, Any] = {
    "verdict": "normal", "record": "watch:0:AAL:responsetime:1449677640000", "note": "the partner's nightly batch",
    "below": 25,
}
FEEDBACK_PREVIEW: dict[str, Any] = {
    "name": None,
    "verdict": "normal",
    "job": "watch",
    "source": "AAL",
    "field": "responsetime",
    "start": START,
    "end": "2015-12-09T16:15:00.000Z",
    "note": "the partner's nightly batch",
    "factor": 4.02,
    "total_factor_now": 1.0,
    "total_factor_then": 4.02,
    "target_score": 25.0,
    "reached_score": 24.9,
    "estimated": False,
    "record_count": 3,
    "changed_count": 2,
    "hidden_count": 1,
    "bucket_count": 0,
    "revealed_count": 0,
    "records": [
        {"id": "watch:0:AAL:responsetime:1449677640000", "time": LAST, "score": 73.2, "score_now": 73.2,
         "score_then": 24.9},
        {"id": "watch:0:AAL:responsetime:1449591240000", "time": "2015-12-08T16:14:02.000Z", "score": 31.0,
         "score_now": 31.0, "score_then": 0.0},
    ],
    "records_omitted": 0,
    "sentence": "findings of responsetime of AAL are made 4.02 times weaker from here on: of 3 past ones 2 would have "
    "scored below 25, and 1 would not have been kept",
}
FEEDBACK_ACCEPTED: dict[str, Any] = {**FEEDBACK_PREVIEW, "name": "calmer-17"}
ADJUSTMENT: dict[str, Any] = {
    **{name: FEEDBACK_ACCEPTED[name] for name in (
        "name", "verdict", "job", "source", "field", "start", "end", "note", "factor")},
    "created": LAST,
    "undone": None,
    "hidden_count": 2,
    "revealed_count": 0,
}
FEEDBACK: dict[str, Any] = {"feedback": [ADJUSTMENT], "next_cursor": None}
QUARANTINE: dict[str, Any] = {
    "rejected": [{
        "id": 5, "arrived": LAST, "format": "ndjson", "line": 3, "code": "bad_time",
        "reason": "the time \"yesterday\" is neither ISO 8601 nor an epoch number", "start": "{\"time\": \"yest"}],
    "next_cursor": None,
}
STREAM = "id: 17-0\nevent: bucket\ndata: {\"job\": \"watch\", \"source\": \"AAL\", \"score\": 100.0, …}\n\n"
