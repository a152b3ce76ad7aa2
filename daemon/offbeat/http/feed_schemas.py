"""The documents of feeds as JSON Schema, each under its name."""
from __future__ import annotations

from offbeat.http.forms import (
    ANY_OBJECT,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    TIME_OR_NULL,
    WHOLE,
    Schema,
    document,
    listing,
    named,
)

SOURCE: Schema = document(
    {
        "kind": {"type": "string", "enum": ["file", "sqlite", "postgres", "search"]},
        "path": TEXT, "pattern": TEXT, "order": {"type": "string", "enum": ["name", "mtime"]}, "tail": FLAG,
        "url": TEXT, "query": {"oneOf": [TEXT, ANY_OBJECT]}, "cursor": TEXT, "rows": WHOLE,
        "base_url": TEXT, "indexes": listing(TEXT), "types": listing(TEXT), "aggregations": ANY_OBJECT,
        "script_fields": ANY_OBJECT, "whole_source": FLAG, "page": WHOLE,
        "compatibility": {"type": "string", "enum": ["1.7.x", "2.x.x"]}, "username": TEXT, "password": TEXT,
    },
    optional=(
        "path", "pattern", "order", "tail", "url", "query", "cursor", "rows", "base_url", "indexes", "types",
        "aggregations", "script_fields", "whole_source", "page", "compatibility", "username", "password"),
)
DATA: Schema = document(
    {"format": {"type": "string", "enum": ["delimited", "json", "lines", "search"]}, "time_field": TEXT,
     "time_format": TEXT, "delimiter": TEXT, "quote": TEXT},
    optional=("format", "time_field", "time_format", "delimiter", "quote"),
)
FEED_SCHEMAS: dict[str, Schema] = {
    "FeedSource": SOURCE,
    "FeedSpec": document(
        {"source": named("FeedSource"), "data": DATA, "transforms": listing(ANY_OBJECT), "query_delay_s": WHOLE,
         "frequency_s": NUMBER},
        optional=("data", "transforms", "query_delay_s", "frequency_s"),
    ),
    "Feed": document(
        {
            "job": TEXT,
            "state": {"type": "string", "enum": ["STARTED", "STOPPING", "STOPPED"]},
            "start": TIME_OR_NULL,
            "end": TIME_OR_NULL,
            "record_count": WHOLE,
            "outside_count": WHOLE,
            "batch_count": WHOLE,
            "trouble_count": WHOLE,
            "last_read": TIME_OR_NULL,
            "trouble": {"type": ["object", "null"], "additionalProperties": True},
            "told": listing(document({"time": TIME, "message": TEXT})),
            "feed": named("FeedSpec"),
        }
    ),
    "Feeds": document({"feeds": listing(named("Feed"))}),
}
