"""What a page of the daemon asks for, as the API guide and the OpenAPI document show it."""
from __future__ import annotations

from typing import Any

from offbeat.http.examples import LAST, RECORD, START

OVERVIEW: dict[str, Any] = {
    "job": "watch",
    "rows": "source",
    "start": "2015-12-09T12:00:00.000Z",
    "end": "2015-12-09T18:00:00.000Z",
    "bin_s": 7200.0,
    "bins": 3,
    "row_count": 1,
    "counts": {"critical": 1, "major": 0, "minor": 0, "warning": 0, "quiet": 0},
    "lanes": [
        {
            "name": "AAL", "worst": 100.0, "scores": [None, 0.0, 100.0], "last_event": LAST, "live": True,
            "record": {
                "id": RECORD["id"], "time": LAST, "score": 100.0, "field": "responsetime",
                "sentence": RECORD["explain"]["sentence"],
            },
        }
    ],
    "next_cursor": None,
}
HEALTH: dict[str, Any] = {
    "version": "1.0", "started": START, "uptime_s": 32.0, "ready": True, "reason": "",
    "rates": {"events_per_s_1m": 54.0, "events_per_s_5m": 54.0, "rejected_per_s_5m": 0.1, "late_per_s_5m": 0.0,
              "findings_per_h": 112.5},
    "history": {
        "step_s": 10, "time": [1449677650000, 1449677660000], "events_per_s": [53.9, 54.1],
        "rejected_per_s": [0.1, 0.0], "late_per_s": [0.0, 0.0], "pending_bytes": [0, 0], "lag": [0, 1],
        "store_bytes": [1234, 1234]},
    "queue": {"pending_bytes": 0, "limit_bytes": 67108864, "full_reason": ""},
    "lag": {"journal_sequence": 17, "applied_sequence": 17, "analyses": 0},
    "rejected": {"bad_time": 1}, "late_count": 0, "source_count": 19, "series_count": 19, "warming_up": 1,
    "silent": 0, "jobs": {"count": 1, "analyses": 0, "failed": 0},
    "store": {"bytes": 1234, "free_bytes": 68719476736, "unwritable_reason": "",
              "retention": {"retention.readings_days": 30.0}},
    "limits": [{"name": "engine.series_max", "used": 19, "limit": 1000000}],
    "says": [
        "Lines were rejected in the last five minutes, most of them ever for bad_time: GET /api/v1/quarantine lists "
        "them.",
        "1 of 19 series still warm up: nothing is found in them before."],
}
PREVIEW_ASKED: dict[str, Any] = {
    "id": "boilers", "sources": ["boiler-*"], "fields": ["temp*"], "start": "2015-12-02T18:00:00Z",
    "end": "2015-12-09T18:00:00Z",
}
PREVIEW: dict[str, Any] = {
    "reading_count": 8720, "bucket_count": 1, "truncated": False, "took_s": 0.031,
    "buckets": [{"start": START, "score": 100.0}], "records": [RECORD],
    "warm_up": {"series_count": 1, "warming_up": 0}, "model_bytes": 1784,
}
