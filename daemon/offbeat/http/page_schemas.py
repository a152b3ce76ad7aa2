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
}
