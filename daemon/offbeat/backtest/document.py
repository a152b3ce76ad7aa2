"""A comparison as JSON documents, the same for the command and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offbeat.backtest.comparison import Comparison
from offbeat.backtest.diff import Difference, Kind, iso
from offbeat.backtest.run import Found
from offbeat.records import JobSpec

Document = dict[str, Any]


def summary(c: Comparison) -> Document:
    """What was compared, and how many findings were kept, moved, are gone, are new."""
    ran = c.ran
    return {
        "baseline": {**_configuration(c.baseline), "findings": "stored" if c.stored else "rerun"},
        "candidate": _configuration(c.candidate),
        "job": c.baseline.id,
        "readings": ran.reading_count,
        "series": ran.series_count,
        "first": None if ran.first_ms is None else iso(ran.first_ms),
        "last": None if ran.last_ms is None else iso(ran.last_ms),
        "score_min": c.score_min,
        "tolerance_readings": c.tolerance,
        "counts": {**c.counts, "kept_unchanged": c.unchanged_count},
        "findings_per_series_and_week": {
            "baseline": c.weekly(c.baseline_count),
            "candidate": c.weekly(c.candidate_count),
        },
        "left_out": c.left_out,
        "rejected_lines": ran.rejected_count,
        "late_events": ran.late_count,
        "notes": list(c.notes),
        "seconds": round(c.seconds, 3),
        "readings_per_second": round(ran.reading_count / max(c.run_seconds, 1e-9)),
        "workers": c.workers,
    }


def _configuration(spec: JobSpec) -> Document:
    return {"model": spec.model, "parameters": dict(spec.parameters), "bucket_span_s": spec.bucket_span_s}


def difference(d: Difference) -> Document:
    """One incident as each side has it."""
    found = d.found
    return {
        "change": d.kind,
        "time": iso(found.time_ms),
        "source": found.source,
        "field": found.field,
        "baseline": _found(d.baseline),
        "candidate": _found(d.candidate),
        "reason": d.reason,
    }


def _found(f: Found | None) -> Document | None:
    if f is None:
        return None
    return {
        "time": iso(f.time_ms), "bucket_start": iso(f.bucket_ms), "score": f.score, "novelty": f.novelty,
        "actual": f.actual, "typical": f.typical, "lower": f.lower, "upper": f.upper,
    }


def differences(c: Comparison, kinds: Sequence[Kind]) -> list[Document]:
    """Those of these *kinds*, by time."""
    return [difference(d) for d in c.differences if d.kind in kinds]
