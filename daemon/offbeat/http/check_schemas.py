"""The documents of checks as JSON Schema, each under its name. Pure data; ``schemas`` joins them to the others."""
from __future__ import annotations

from offbeat.checks.outcomes import STATUSES
from offbeat.http.forms import (
    ANY_OBJECT,
    FLAG,
    NUMBER,
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

ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
STATUS: Schema = {"type": "string", "enum": [*STATUSES]}
STATUS_OR_NULL: Schema = {"type": ["string", "null"], "enum": [*STATUSES, None]}
WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
COUNTS: Schema = document({"GREEN": WHOLE, "YELLOW": WHOLE, "RED": WHOLE})
COLUMNS: Schema = listing(named("CheckColumn"))
GIVEN: Schema = {
    "id": ID,
    "description": TEXT,
    "kind": TEXT,
    "parameters": ANY_OBJECT,
    "series": listing(named("CheckBinding")),
    "interval_s": {"type": "number", "minimum": 1},
    "time_limit_s": {"type": "number", "minimum": 0.01},
    "raise_after": {"type": "integer", "minimum": 1},
    "clear_after": {"type": "integer", "minimum": 1},
    "enabled": FLAG,
}
OPTIONAL = tuple(name for name in GIVEN if name not in ("id", "kind", "series"))
OUTCOME: Schema = {
    "outcome": WHOLE_OR_NULL,
    "check": TEXT,
    "kind": TEXT,
    "subject": WHOLE_OR_NULL,
    "source": TEXT,
    "fields": listing(TEXT),
    "columns": COLUMNS,
    "status": STATUS,
    "reason": {"type": "string", "enum": ["judged", "no_data", "error"]},
    "message": TEXT,
    "details": ANY_OBJECT,
    "ran": TIME,
    "data_time": TIME_OR_NULL,
    "data_from": TIME_OR_NULL,
    "duration_ms": NUMBER,
    "since": TIME,
    "stale": FLAG,
    "maintenance": {
        **document({"number": WHOLE, "reason": TEXT, "who": TEXT, "until": TIME}), "type": ["object", "null"]},
    "acknowledged": {**document({"who": TEXT, "comment": TEXT, "at": TIME}), "type": ["object", "null"]},
}
COVERS: Schema = {"checks": listing(TEXT), "sources": listing(TEXT)}
PARAMETER: Schema = {
    "name": TEXT,
    "kind": {"type": "string", "enum": ["number", "integer", "text", "flag", "choice", "texts", "windows"]},
    "about": TEXT, "default": {}, "required": FLAG, "choices": listing(TEXT), "unit": TEXT,
}

CHECK_SCHEMAS: dict[str, Schema] = {
    "CheckColumn": document({"source": TEXT, "field": TEXT}),
    "CheckBinding": {"oneOf": [
        document({"source": TEXT, "field": TEXT}),
        document({"source": TEXT, "fields": listing(TEXT)}),
        document({"columns": COLUMNS, "tolerance_s": {"type": "number", "minimum": 0}}, optional=("tolerance_s",)),
    ]},
    "CheckGiven": document(GIVEN, optional=OPTIONAL),
    "Check": document(
        {**GIVEN, "created": TIME, "changed": TIME, "status": STATUS_OR_NULL, "counts": COUNTS}),
    "Checks": paged("checks", "Check"),
    "CheckKinds": document({
        "kinds": listing(document({
            "kind": TEXT, "about": TEXT, "from": {"type": "string", "enum": ["built-in", "plug-in", "folder"]},
            "columns_min": WHOLE, "columns_max": WHOLE, "parameters": listing(document(PARAMETER))})),
        "broken": listing(document({"where": TEXT, "line": WHOLE, "message": TEXT}))}),
    "Outcome": document(OUTCOME),
    "Outcomes": paged("outcomes", "Outcome"),
    "OutcomeInFull": document(
        {**OUTCOME, "parameters": ANY_OBJECT, "previous": WHOLE_OR_NULL, "next": WHOLE_OR_NULL}),
    "StatusOverview": document({
        "status": STATUS_OR_NULL, "counts": COUNTS, "acknowledged": WHOLE, "maintenance": WHOLE,
        "outcomes": listing(named("Outcome")), "next_cursor": TEXT_OR_NULL}),
    "CheckRun": document({"as_of": TIME_GIVEN}, optional=("as_of",)),
    "CheckSaid": document({"outcomes": listing(named("Outcome"))}),
    "CheckPreviewGiven": document({**GIVEN, "start": TIME_GIVEN, "end": TIME_GIVEN}, optional=OPTIONAL),
    "CheckPreview": document(
        {"runs": WHOLE, "outcomes": listing(named("Outcome")), "counts": COUNTS, "cut": TEXT_OR_NULL}),
    "OutcomeAcknowledgement": document({"who": TEXT, "comment": TEXT}, optional=("comment",)),
    "MaintenanceGiven": document(
        {**COVERS, "from": TIME_GIVEN, "until": TIME_GIVEN, "duration_s": NUMBER, "reason": TEXT, "who": TEXT},
        optional=(*COVERS, "from", "until", "duration_s")),
    "Maintenance": document(
        {"number": WHOLE, "state": {"type": "string", "enum": ["to come", "active", "over"]}, **COVERS, "from": TIME,
         "until": TIME, "reason": TEXT, "who": TEXT}),
    "AllMaintenance": document({"maintenance": listing(named("Maintenance"))}),
}
