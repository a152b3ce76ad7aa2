"""One example of each document of alerts, shown by /docs and held against the schemas by a test. Pure data."""
from __future__ import annotations

from typing import Any

ARRIVED, LAST = "2015-12-09T16:14:03.000Z", "2015-12-09T16:14:02.000Z"
RECORD = "watch:0:AAL:responsetime:1449677640000"
SENTENCE = "responsetime of AAL was 302.9, expected 60 to 140 (typical 100): one reading far from those just before it"
ALERT: dict[str, Any] = {
    "number": 7, "rule": "airlines", "state": "active", "job": None, "source": "AAL", "field": None, "check": None,
    "raised": ARRIVED, "last_finding": ARRIVED, "cleared": None, "cleared_by": None, "score": 68.6, "status": None,
    "record": RECORD,
    "sentence": SENTENCE, "finding_count": 1, "told": ARRIVED, "told_count": 1, "acknowledged": None,
    "acknowledged_by": "", "acknowledged_comment": "",
}
ALERTS: dict[str, Any] = {"alerts": [ALERT], "next_cursor": None}
DELIVERY: dict[str, Any] = {
    "delivery": 12, "id": "9f0c6a1be3d24f77-12", "alert": 7, "kind": "raised", "sink": "pager", "state": "delivered",
    "attempts": 1, "created": ARRIVED, "due": None, "ended": ARRIVED, "error": "",
}
ALERT_IN_FULL: dict[str, Any] = {
    **ALERT,
    "findings": [{"record": RECORD, "job": "watch", "source": "AAL", "field": "responsetime", "time": LAST,
                  "arrived": ARRIVED, "score": 68.6, "sentence": SENTENCE}],
    "outcomes": [],
    "deliveries": [DELIVERY],
}
ACKNOWLEDGEMENT: dict[str, Any] = {"name": "ada", "comment": "the partner was called"}
ACKNOWLEDGED: dict[str, Any] = {
    **ALERT_IN_FULL, "acknowledged": "2015-12-09T16:20:00.000Z", "acknowledged_by": "ada",
    "acknowledged_comment": "the partner was called",
}
SUPPRESSED: dict[str, Any] = {
    "suppressed": [{
        "number": 3, "time": ARRIVED, "alert": 7, "rule": "airlines", "kind": "raised", "reason": "silence", "by": "1",
        "why": "silence 1, by ada, until 2015-12-09T18:00:00.000Z: new line", "source": "AAL", "check": None,
        "record": RECORD, "score": 68.6}],
    "next_cursor": None,
    "dropped": 0,
}
DEAD: dict[str, Any] = {**DELIVERY, "state": "dead", "attempts": 10, "error": "it answered 500: no room"}
DEAD_LETTERS: dict[str, Any] = {"dead_letters": [DEAD], "next_cursor": None, "dropped": 0}
RETRIED: dict[str, Any] = {**DELIVERY, "state": "waiting", "attempts": 0, "due": ARRIVED, "ended": None}
SINK_TESTED: dict[str, Any] = {"sink": "pager", "id": "9f0c6a1be3d24f77-test-1449677643000"}
RULE_GIVEN: dict[str, Any] = {
    "id": "airlines", "description": "an airline answers slowly", "sources": ["A*"], "fields": ["responsetime"],
    "raise_at": 50, "clear_below": 20, "clear_after_s": 900, "group_by": ["source"], "repeat_s": 3600,
    "sinks": ["pager"], "calendars": ["nights"],
}
RULE: dict[str, Any] = {
    **RULE_GIVEN, "jobs": ["*"], "checks": [], "status_at": None, "created": LAST, "changed": LAST,
}
RULES: dict[str, Any] = {"rules": [RULE], "next_cursor": None}
SILENCE_GIVEN: dict[str, Any] = {"sources": ["AAL"], "duration_s": 6357, "reason": "new line", "who": "ada"}
SILENCE: dict[str, Any] = {
    "silence": 1, "state": "active", "from": ARRIVED, "until": "2015-12-09T18:00:00.000Z", "reason": "new line",
    "who": "ada", "rules": ["*"], "jobs": ["*"], "sources": ["AAL"], "fields": ["*"], "created": ARRIVED,
    "removed": None,
}
SILENCES: dict[str, Any] = {"silences": [SILENCE], "next_cursor": None}
CALENDAR_GIVEN: dict[str, Any] = {
    "id": "nights", "description": "the nightly batch",
    "windows": [
        {"from": "22:00", "to": "06:00", "days": ["mon", "tue", "wed", "thu", "fri"], "time_zone": "Europe/Berlin"},
        {"start": "2015-12-24T00:00:00Z", "end": "2015-12-27T00:00:00Z", "title": "Christmas"},
    ],
}
CALENDAR: dict[str, Any] = {
    "id": "nights", "description": "the nightly batch", "created": LAST,
    "windows": [
        {"start": "2024-01-01T22:00:00", "time_zone": "Europe/Berlin", "wall_s": 28800, "exact_s": 0,
         "repeat": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "without": [], "also": [], "title": ""},
        {"start": "2015-12-24T00:00:00", "time_zone": "UTC", "wall_s": 0, "exact_s": 259200, "repeat": "",
         "without": [], "also": [], "title": "Christmas"},
    ],
}
CALENDARS: dict[str, Any] = {"calendars": [CALENDAR], "next_cursor": None}
ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//plant//EN\r\nBEGIN:VEVENT\r\nUID:1@plant\r\n"
    "DTSTAMP:20151201T000000Z\r\nDTSTART;TZID=Europe/Berlin:20151201T220000\r\nDURATION:PT8H\r\n"
    "RRULE:FREQ=DAILY\r\nSUMMARY:Nightly batch\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
