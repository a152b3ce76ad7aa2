"""Outcomes and maintenance as documents, as the API and the stream have them. Pure."""
from __future__ import annotations

from typing import Any

import numpy as np

from offbeat.checks.outcomes import Maintenance, Outcome

Document = dict[str, Any]


def iso(ms: int) -> str:
    """Milliseconds since 1970 UTC as ISO 8601."""
    return f"{np.datetime64(ms, 'ms')}Z"


def iso_or_none(ms: int | None) -> str | None:
    """As ``iso``; None stays None."""
    return None if ms is None else iso(ms)


def outcome_document(o: Outcome) -> Document:
    """An outcome."""
    acknowledged, maintenance = o.acknowledged, o.maintenance
    return {
        "outcome": o.outcome, "check": o.check, "kind": o.kind, "subject": o.subject, "source": o.columns[0][0],
        "fields": [field for _, field in o.columns],
        "columns": [{"source": source, "field": field} for source, field in o.columns],
        "status": o.status, "reason": o.reason, "message": o.message, "details": dict(o.details),
        "ran": iso(o.ran_ms), "data_time": iso_or_none(o.data_ms), "data_from": iso_or_none(o.data_from_ms),
        "duration_ms": round(o.duration_ms, 3), "since": iso(o.since_ms), "stale": o.stale,
        "maintenance": None if maintenance is None else {
            "number": maintenance.number, "reason": maintenance.reason, "who": maintenance.who,
            "until": iso(maintenance.until_ms)},
        "acknowledged": None if acknowledged is None else {
            "who": acknowledged.who, "comment": acknowledged.comment, "at": iso(acknowledged.at_ms)},
    }


def maintenance_document(m: Maintenance, now_ms: int) -> Document:
    """A maintenance as it is now."""
    state = "over" if m.until_ms <= now_ms else "active" if m.from_ms <= now_ms else "to come"
    return {
        "number": m.number, "state": state, "checks": m.checks, "sources": m.sources, "from": iso(m.from_ms),
        "until": iso(m.until_ms), "reason": m.reason, "who": m.who,
    }
