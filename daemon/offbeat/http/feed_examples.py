"""Feeds as the API guide and the OpenAPI document show them."""
from __future__ import annotations

from typing import Any

FEED_SPEC: dict[str, Any] = {
    "source": {"kind": "file", "path": "/var/log/shop/requests.csv", "tail": True},
    "data": {"format": "delimited", "time_field": "time", "time_format": "yyyy-MM-dd HH:mm:ssX"},
}
FEED: dict[str, Any] = {
    "job": "requests",
    "state": "STARTED",
    "start": None,
    "end": None,
    "record_count": 86274,
    "outside_count": 0,
    "batch_count": 24,
    "trouble_count": 1,
    "last_read": "2026-03-01T12:00:07.000Z",
    "trouble": {
        "message": "/var/log/shop/requests.csv: Permission denied", "since": "2026-03-01T12:00:08.000Z", "tries": 1,
        "again": "2026-03-01T12:00:09.000Z"},
    "told": [{"time": "2026-03-01T11:00:00.000Z", "message": "/var/log/shop/requests.csv is another file now"}],
    "feed": {
        "source": {"kind": "file", "path": "/var/log/shop/requests.csv", "order": "name", "tail": True},
        "data": {"format": "delimited", "time_field": "time", "time_format": "yyyy-MM-dd HH:mm:ssX", "delimiter": ",",
                 "quote": "\""},
        "query_delay_s": 60},
}
FEEDS: dict[str, Any] = {"feeds": [FEED]}
