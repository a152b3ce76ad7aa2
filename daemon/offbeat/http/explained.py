"""Records as documents, with why each is one: evidence in bits, what acted, what was similar, a sentence. Pure."""
from __future__ import annotations

from collections.abc import Sequence

from offbeat.http import documents
from offbeat.http.documents import Document, iso
from offbeat.store.queries import Record, RecordInFull
from offbeat_detectors import explain
from offbeat_detectors.explain import Finding


def record(r: Record) -> Document:
    """One finding and why. When the similar moments were takes a look at the readings: here their times are null."""
    return {**documents.record(r), "explain": _explain(r, (), None)}


def record_in_full(full: RecordInFull) -> Document:
    """One finding and why, with the times of what was similar and the plain facts of its series."""
    r, last_ms = full.record, full.last_ms
    history = {
        "reached": full.reached,
        "watched_since": iso(full.since_ms),
        "reading_count": full.reading_count,
        "reading_before": None if last_ms is None else iso(last_ms),
    }
    return {**documents.record(r), "explain": {**_explain(r, full.similar_ms, last_ms), "history": history}}


def _explain(r: Record, similar_ms: Sequence[int | None], last_ms: int | None) -> Document:
    finding = Finding(
        f"{r.field} of {r.source}", r.time_ms, r.actual, r.typical, r.lower, r.upper, r.novelty, r.probability
    )
    reason, due_ms = explain.unpack(r.evidence), explain.due_ms(finding)
    told = explain.tell(finding, reason, similar_ms, last_ms)
    times = similar_ms or (None,) * len(reason.similar)
    return {
        "model": r.model,
        "sentence": told.sentence,
        "observed": r.actual,
        "typical": documents.typical(r),
        "lower": r.lower,
        "upper": r.upper,
        "normal": told.normal or None,
        "due": None if due_ms is None else iso(due_ms),
        "bits": round(told.bits, 2),
        "evidence": [
            {"piece": p.name, "bits": round(p.bits, 2), "share": round(p.share, 3), "meaning": p.meaning}
            for p in told.pieces
        ],
        "acted": [
            {"name": act.name, "text": act.text, "factor": None if act.factor is None else round(act.factor, 4)}
            for act in told.acts
        ],
        "similar": [
            {"readings_ago": back, "time": None if ms is None else iso(ms)}
            for back, ms in zip(reason.similar, times, strict=True)
        ],
    }
