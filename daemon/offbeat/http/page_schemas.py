"""The documents that a page of the daemon asks for, as JSON Schema, each under its name: overview, health, preview."""
from __future__ import annotations

from offbeat.http.forms import (
    FLAG,
    NUMBER,
    NUMBER_OR_NULL,
    SCORE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    Schema,
    document,
    listing,
    named,
)

LANE_RECORD = document({"id": TEXT_OR_NULL, "time": TIME, "score": SCORE, "field": TEXT, "sentence": TEXT})
PAGE_SCHEMAS: dict[str, Schema] = {
    "Overview": document(
        {
            "job": TEXT_OR_NULL,
            "rows": {"type": "string", "enum": ["source", "job"]},
            "start": TIME,
            "end": TIME,
            "bin_s": NUMBER,
            "bins": WHOLE,
            "row_count": WHOLE,
            "counts": document(dict.fromkeys(("critical", "major", "minor", "warning", "quiet"), WHOLE)),
            "lanes": listing(named("Lane")),
            "next_cursor": TEXT_OR_NULL,
        }
    ),
    "Lane": document(
        {
            "name": TEXT,
            "kind": {"type": "string", "enum": ["watch", "stream", "buckets"]},
            "worst": SCORE,
            "scores": listing(NUMBER_OR_NULL),
            "last_event": TIME_OR_NULL,
            "live": FLAG,
            "record": {**LANE_RECORD, "type": ["object", "null"]},
        },
        optional=("kind",),
    ),
    "Health": document(
        {
            "version": TEXT,
            "started": TIME,
            "uptime_s": NUMBER,
            "ready": FLAG,
            "reason": TEXT,
            "rates": document(
                dict.fromkeys(
                    ("events_per_s_1m", "events_per_s_5m", "rejected_per_s_5m", "late_per_s_5m", "findings_per_h"),
                    NUMBER,
                )
            ),
            "history": document(
                {
                    "step_s": WHOLE,
                    "time": listing(WHOLE),
                    **dict.fromkeys(("events_per_s", "rejected_per_s", "late_per_s"), listing(NUMBER)),
                    **dict.fromkeys(("pending_bytes", "lag", "store_bytes"), listing(WHOLE)),
                }
            ),
            "queue": document({"pending_bytes": WHOLE, "limit_bytes": WHOLE, "full_reason": TEXT}),
            "lag": document(dict.fromkeys(("journal_sequence", "applied_sequence", "analyses"), WHOLE)),
            "rejected": {"type": "object", "additionalProperties": WHOLE},
            **dict.fromkeys(("late_count", "source_count", "series_count", "warming_up", "silent"), WHOLE),
            "jobs": document(dict.fromkeys(("count", "analyses", "failed"), WHOLE)),
            "store": document(
                {
                    "bytes": WHOLE,
                    "free_bytes": WHOLE,
                    "unwritable_reason": TEXT,
                    "retention": {"type": "object", "additionalProperties": NUMBER},
                }
            ),
            "limits": listing(named("Limit")),
            "says": listing(TEXT),
        }
    ),
    "Preview": document(
        {
            "reading_count": WHOLE,
            "bucket_count": WHOLE,
            "truncated": FLAG,
            "took_s": NUMBER,
            "buckets": listing(document({"start": TIME, "score": SCORE})),
            "records": listing({"oneOf": [named("Record"), named("AnalysisRecord")]}),
            "warm_up": document({"series_count": WHOLE, "warming_up": WHOLE}),
            "model_bytes": WHOLE,
        }
    ),
}
