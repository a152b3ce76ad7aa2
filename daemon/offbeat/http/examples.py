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
    "explain": {"model": "ewma", "sentence": "responsetime of AAL was 302.9, typical is 100.2 (60.1 to 140.3)"},
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
    "detector": "ewma",
    "parameters": {},
}
JOB: dict[str, Any] = {
    **JOB_SPEC,
    "state": "open",
    "created": START,
    "series_count": 12,
    "event_count": 8720,
    "late_count": 0,
    "record_count": 3,
    "bytes_per_series": 96,
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
            "series": [{"job": "watch", "field": "responsetime", "warmup_left": 0, "says": "ready"}],
        }
    ],
    "next_cursor": None,
}
QUARANTINE: dict[str, Any] = {
    "rejected": [{
        "id": 5, "arrived": LAST, "format": "ndjson", "line": 3, "code": "bad_time",
        "reason": "the time \"yesterday\" is neither ISO 8601 nor an epoch number", "start": "{\"time\": \"yest"}],
    "next_cursor": None,
}
STREAM = "id: 17-0\nevent: bucket\ndata: {\"job\": \"watch\", \"source\": \"AAL\", \"score\": 100.0, …}\n\n"
