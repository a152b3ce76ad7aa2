"""One example of each document of checks, shown by /docs and held against the schemas by a test. Pure data."""
from __future__ import annotations

from typing import Any

RAN, DATA, SINCE = "2015-12-09T16:14:05.000Z", "2015-12-09T16:14:00.000Z", "2015-12-09T16:10:05.000Z"
MESSAGE = "responsetime of AAL is 302.9 at 16:14:00 UTC, above the maximum of 200"
CHECK_GIVEN: dict[str, Any] = {
    "id": "slow", "description": "an airline answers slowly", "kind": "range", "parameters": {"max": 200},
    "series": [{"source": "A*", "field": "responsetime"}], "interval_s": 60,
}
CHECK: dict[str, Any] = {
    **CHECK_GIVEN, "time_limit_s": 5, "raise_after": 1, "clear_after": 1, "enabled": True, "created": SINCE,
    "changed": SINCE, "status": "RED", "counts": {"GREEN": 2, "YELLOW": 0, "RED": 1},
}
CHECKS: dict[str, Any] = {"checks": [CHECK], "next_cursor": None}
KINDS: dict[str, Any] = {
    "kinds": [{
        "kind": "range", "about": "The value lies between limits.", "from": "built-in", "columns_min": 1,
        "columns_max": 1, "parameters": [
            {"name": "max", "kind": "number", "about": "a value above it is RED", "default": None, "required": False,
             "choices": [], "unit": ""}]}],
    "broken": [{"where": "/etc/offbeat/checks/wet.py", "line": 3, "message": "SyntaxError: invalid syntax"}],
}
ACKNOWLEDGED: dict[str, Any] = {"who": "ada", "comment": "the partner was called", "at": "2015-12-09T16:20:00.000Z"}
OUTCOME: dict[str, Any] = {
    "outcome": 17, "check": "slow", "kind": "range", "subject": 4, "source": "AAL", "fields": ["responsetime"],
    "columns": [{"source": "AAL", "field": "responsetime"}], "status": "RED", "reason": "judged", "message": MESSAGE,
    "details": {"max": 200, "value": 302.9}, "ran": RAN, "data_time": DATA, "data_from": DATA, "duration_ms": 0.214,
    "since": SINCE, "stale": False, "maintenance": None, "acknowledged": ACKNOWLEDGED,
}
OUTCOMES: dict[str, Any] = {"outcomes": [OUTCOME], "next_cursor": None}
OUTCOME_IN_FULL: dict[str, Any] = {**OUTCOME, "parameters": {"max": 200}, "previous": 12, "next": None}
STATUS: dict[str, Any] = {
    "status": "GREEN", "counts": {"GREEN": 2, "YELLOW": 0, "RED": 1}, "acknowledged": 1, "maintenance": 0,
    "outcomes": [OUTCOME], "next_cursor": None,
}
RUN: dict[str, Any] = {"as_of": "2015-12-09T16:14:05Z"}
SAID: dict[str, Any] = {"outcomes": [{**OUTCOME, "outcome": None, "acknowledged": None}]}
PREVIEW_GIVEN: dict[str, Any] = {**CHECK_GIVEN, "start": "2015-12-09", "end": "2015-12-10"}
PREVIEW: dict[str, Any] = {
    "runs": 1440, "outcomes": [{**OUTCOME, "outcome": None, "subject": None, "acknowledged": None}],
    "counts": {"GREEN": 1437, "YELLOW": 0, "RED": 3}, "cut": None,
}
ACKNOWLEDGEMENT: dict[str, Any] = {"who": "ada", "comment": "the partner was called"}
MAINTENANCE_GIVEN: dict[str, Any] = {"sources": ["AAL"], "duration_s": 7200, "reason": "new line", "who": "ada"}
MAINTENANCE: dict[str, Any] = {
    "number": 3, "state": "active", "checks": ["*"], "sources": ["AAL"], "from": RAN,
    "until": "2015-12-09T18:14:05.000Z", "reason": "new line", "who": "ada",
}
ALL_MAINTENANCE: dict[str, Any] = {"maintenance": [MAINTENANCE]}
