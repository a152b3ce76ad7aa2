"""What a page of the daemon asks for, as the API guide and the OpenAPI document show it."""
from __future__ import annotations

from typing import Any

from offbeat.http.examples import LAST, RECORD

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
