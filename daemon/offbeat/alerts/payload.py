"""What those who are told get: alerts, findings, outcomes and notifications as documents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from offbeat.alerts.machine import Alert
from offbeat.alerts.rules import KEYS, Rule, Seen, Turn, series_text

Document = dict[str, Any]
FORM_VERSION = 1


def iso(ms: int) -> str:
    """Milliseconds since 1970 UTC as ISO 8601."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def iso_or_none(ms: int | None) -> str | None:
    """As ``iso``; None stays None."""
    return None if ms is None else iso(ms)


def alert_document(a: Alert) -> Document:
    """An alert as it is now."""
    job, source, field, check = a.group
    return {
        "number": a.number, "rule": a.rule, "state": "active" if a.cleared_ms is None else "cleared", "job": job,
        "source": source, "field": field, "check": check, "raised": iso(a.raised_ms),
        "last_finding": iso(a.reached_ms), "cleared": iso_or_none(a.cleared_ms), "cleared_by": a.cleared_by or None,
        "score": None if a.status else a.score, "status": a.status or None, "record": a.record or None,
        "sentence": a.sentence, "finding_count": a.finding_count, "told": iso_or_none(a.told_ms),
        "told_count": a.told_count, "acknowledged": iso_or_none(a.acknowledged_ms),
        "acknowledged_by": a.acknowledged_by, "acknowledged_comment": a.acknowledged_comment,
    }  # fmt: skip


def finding_document(s: Seen) -> Document:
    """A finding that an alert is raised or held by."""
    return {
        "record": s.record, "job": s.job, "source": s.source, "field": s.field, "time": iso(s.time_ms),
        "arrived": iso(s.at_ms), "score": s.score, "sentence": s.sentence,
    }  # fmt: skip


def outcome_document(t: Turn) -> Document:
    """An outcome that an alert is raised, held or cleared by."""
    return {
        "outcome": t.number, "check": t.check, "subject": t.subject, "source": t.source,
        "fields": [field for _, field in t.columns],
        "columns": [{"source": source, "field": field} for source, field in t.columns],
        "status": t.status or None, "was": t.was or None, "reason": t.reason, "message": t.message, "ran": iso(t.at_ms),
    }  # fmt: skip


def notification(kind: str, rule: Rule, alert: Alert, seen: Seen | Turn | None, link_url: str) -> Document:
    """What is told: *kind* is raised, repeated or cleared; *seen* the finding or the outcome that made it so. It has no
    id yet.
    """
    return {
        "version": FORM_VERSION, "kind": kind, "rule": {"id": rule.id, "description": rule.description},
        "alert": alert_document(alert), "finding": finding_document(seen) if isinstance(seen, Seen) else None,
        "outcome": outcome_document(seen) if isinstance(seen, Turn) else None,
        "link": f"{link_url.rstrip('/')}/api/v1/alerts/{alert.number}" if link_url else "",
    }  # fmt: skip


def name_of(document: Document) -> str:
    """What the alert of a notification is about, in a few words: the rule, and what it is grouped by."""
    alert = document["alert"]
    group = " ".join(f"{key} {alert[key]}" for key in KEYS if alert.get(key) is not None)
    return f"{alert['rule']}: {group}" if group else str(alert["rule"])


def series_of(outcome: Document) -> str:
    """The series of an outcome in words."""
    return series_text(tuple((one["source"], one["field"]) for one in outcome["columns"]))


def trial(at_ms: int, link_url: str) -> Document:
    """What a sink is sent to see whether it works."""
    seen = Seen(0, 0, at_ms, at_ms, "test", "watch", "test", "test", 50.0, "this is a test, and nothing is wrong")
    rule = Rule("test", "whether a sink works")
    group = rule.group_of(seen)
    alert = Alert(0, rule.id, group, at_ms, at_ms, at_ms, 1, 1, seen.score, seen.record, seen.sentence)
    return {**notification("test", rule, alert, seen, link_url), "link": ""}
