"""The documents of alerts as JSON Schema, each under its name. Pure data; ``schemas`` joins them to the others."""
from __future__ import annotations

from typing import get_args

from offbeat.alerts.machine import Reason
from offbeat.alerts.rules import KEYS
from offbeat.checks.outcomes import STATUSES
from offbeat.http.check_schemas import STATUS_OR_NULL
from offbeat.http.forms import (
    NUMBER,
    SCORE,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    TIME_GIVEN,
    TIME_OR_NULL,
    WHOLE,
    Schema,
    document,
    listing,
    named,
    paged,
)

SCORE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
REASONS: tuple[str, ...] = get_args(Reason)
ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
KIND: Schema = {"type": "string", "enum": ["raised", "repeated", "cleared"]}
PATTERNS: Schema = dict.fromkeys(("jobs", "sources", "fields"), listing(TEXT))
ALERT: Schema = {
    "number": WHOLE,
    "rule": TEXT,
    "state": {"type": "string", "enum": ["active", "cleared"]},
    **dict.fromkeys(("job", "source", "field", "check"), TEXT_OR_NULL),
    "raised": TIME,
    "last_finding": TIME,
    "cleared": TIME_OR_NULL,
    "cleared_by": TEXT_OR_NULL,
    "score": SCORE_OR_NULL,
    "status": {"type": ["string", "null"], "enum": [*STATUSES[1:], None]},
    "record": TEXT_OR_NULL,
    "sentence": TEXT,
    "finding_count": WHOLE,
    "told": TIME_OR_NULL,
    "told_count": WHOLE,
    "acknowledged": TIME_OR_NULL,
    "acknowledged_by": TEXT,
    "acknowledged_comment": TEXT,
}
RULE: Schema = {
    "id": ID,
    "description": TEXT,
    **PATTERNS,
    "checks": listing(TEXT),
    "status_at": {"type": ["string", "null"], "enum": [*STATUSES[1:], None]},
    "raise_at": SCORE_OR_NULL,
    "clear_below": SCORE_OR_NULL,
    "clear_after_s": {"type": ["number", "null"], "minimum": 1},
    "group_by": listing({"type": "string", "enum": list(KEYS)}),
    "repeat_s": {"type": "number", "minimum": 0},
    "sinks": listing(TEXT),
    "calendars": listing(TEXT),
}
SILENCE: Schema = {"from": TIME, "until": TIME, "reason": TEXT, "who": TEXT, "rules": listing(TEXT), **PATTERNS}
DROPPED: Schema = {"next_cursor": TEXT_OR_NULL, "dropped": WHOLE}

ALERT_SCHEMAS: dict[str, Schema] = {
    "Alert": document(ALERT),
    "Alerts": paged("alerts", "Alert"),
    "AlertFinding": document(
        {"record": TEXT, "job": TEXT, "source": TEXT, "field": TEXT, "time": TIME, "arrived": TIME, "score": SCORE,
         "sentence": TEXT}),
    "AlertOutcome": document(
        {"outcome": WHOLE, "check": TEXT, "subject": WHOLE, "source": TEXT, "fields": listing(TEXT),
         "columns": listing(document({"source": TEXT, "field": TEXT})),
         "status": STATUS_OR_NULL, "was": STATUS_OR_NULL,
         "reason": TEXT, "message": TEXT, "ran": TIME}),
    "Delivery": document(
        {"delivery": WHOLE, "id": TEXT, "alert": WHOLE, "kind": KIND, "sink": TEXT,
         "state": {"type": "string", "enum": ["waiting", "delivered", "dead"]}, "attempts": WHOLE, "created": TIME,
         "due": TIME_OR_NULL, "ended": TIME_OR_NULL, "error": TEXT}),
    "AlertInFull": document(
        {**ALERT, "findings": listing(named("AlertFinding")), "outcomes": listing(named("AlertOutcome")),
         "deliveries": listing(named("Delivery"))}),
    "Acknowledgement": document({"name": TEXT, "comment": TEXT}, optional=("comment",)),
    "SuppressedNotification": document(
        {"number": WHOLE, "time": TIME, "alert": {"type": ["integer", "null"]}, "rule": TEXT, "kind": KIND,
         "reason": {"type": "string", "enum": list(REASONS)}, "by": TEXT, "why": TEXT, "source": TEXT_OR_NULL,
         "check": TEXT_OR_NULL, "record": TEXT_OR_NULL, "score": SCORE_OR_NULL}),
    "AlertsSuppressed": document({"suppressed": listing(named("SuppressedNotification")), **DROPPED}),
    "DeadLetters": document({"dead_letters": listing(named("Delivery")), **DROPPED}),
    "SinkTested": document({"sink": TEXT, "id": TEXT}),
    "AlertRuleGiven": document(RULE, optional=tuple(name for name in RULE if name not in ("id", "sinks"))),
    "AlertRule": document({**RULE, "created": TIME, "changed": TIME}),
    "AlertRules": paged("rules", "AlertRule"),
    "SilenceGiven": document(
        {**SILENCE, "from": TIME_GIVEN, "until": TIME_GIVEN, "duration_s": NUMBER},
        optional=("from", "until", "duration_s", "rules", *PATTERNS)),
    "Silence": document(
        {"silence": WHOLE, "state": {"type": "string", "enum": ["to come", "active", "over"]}, **SILENCE,
         "created": TIME, "removed": TIME_OR_NULL}),
    "Silences": paged("silences", "Silence"),
    "WindowGiven": document(
        {"start": TIME_GIVEN, "end": TIME_GIVEN, "from": TEXT, "to": TEXT,
         "days": listing({"type": "string", "enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}),
         "time_zone": TEXT, "title": TEXT},
        optional=("start", "end", "from", "to", "days", "time_zone", "title")),
    "CalendarGiven": document(
        {"id": ID, "description": TEXT, "windows": listing(named("WindowGiven"))}, optional=("description",)),
    "Window": document(
        {"start": TEXT, "time_zone": TEXT, "wall_s": WHOLE, "exact_s": WHOLE, "repeat": TEXT,
         "without": listing(TEXT), "also": listing(TEXT), "title": TEXT}),
    "Calendar": document({"id": ID, "description": TEXT, "created": TIME, "windows": listing(named("Window"))}),
    "Calendars": paged("calendars", "Calendar"),
}
