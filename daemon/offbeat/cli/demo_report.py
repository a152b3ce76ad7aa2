"""How a demo went: injected faults against findings. Pure: labels and records in, figures out."""
from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from offbeat.cli.demo_fleet import FAULT_KINDS, STEP_S, Fault, Fleet

SCORE_MIN = 32.0
"""A finding counts from this score on: the choice of somebody who bears one false finding per series and week.

Over nine fleets of 20 and 40 sensors 30, 32, 36 and 50 gave 0.8, 0.7, 0.5 and 0.04 such, and 95, 95, 94 and 91 % of the
faults.
"""
TOLERANCE_S = 16 * STEP_S
"""A detector that looks at patterns of 16 readings speaks up to 15 readings after the last one of a fault."""

WHY_MISSED = {
    "spike": "one reading is soon over: a series that has spiked before must spike higher",
    "level shift": "a series whose level has shifted before must shift farther",
    "drift": "each step is within the noise, and the whole may be within the usual swing",
    "stuck value": "a sensor that was stuck before must be stuck for longer",
    "noise": "a series that was noisy lately is expected to be so again",
    "silence": "history comes at once: a silence shows in the reading that ends it, and two of a kind are a habit",
    "missed cycle": "each value is a usual one, only its hour is wrong: the usual day must be known first",
}
"""One line for a kind of which some were missed, or seen too late: what is hard about it for the default detector."""


@dataclass(frozen=True, slots=True)
class Label:
    """One injected fault as times: *start_ms* inclusive, *end_ms* exclusive."""

    source: str
    field: str
    kind: str
    start_ms: int
    end_ms: int

    @classmethod
    def of(cls, fleet: Fleet, fault: Fault, *, first_ms: int) -> Label:
        """*fault* of *fleet*, whose first step is at *first_ms*."""
        sensor, step_ms = fleet.sensors[fault.sensor], 1000 * STEP_S
        return cls(
            sensor.source,
            sensor.kind.name,
            fault.kind,
            first_ms + fault.first * step_ms,
            first_ms + fault.stop * step_ms,
        )


@dataclass(frozen=True, slots=True)
class KindReport:
    """One kind of fault.

    found_at_end    of those found, how many first when the fault was over: what was seen is the way back
    median_delay_s  from a fault's start to its first finding, None if none was found
    why_missed      what is hard about it, if some were missed or found at their end only
    """

    kind: str
    injected: int
    found: int
    found_at_end: int
    median_delay_s: float | None
    why_missed: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. *false_findings* are those within no fault of their series, nor TOLERANCE_S after its end.

    injected, found  faults of all kinds
    precision        share of the findings that are not false, None if there are none
    """

    kinds: tuple[KindReport, ...]
    injected: int
    found: int
    findings: int
    false_findings: int
    precision: float | None
    false_per_series_week: float
    score_min: float = SCORE_MIN
    tolerance_s: float = TOLERANCE_S

    def as_dict(self) -> dict[str, Any]:
        """As ``offbeat demo --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """What counts of a record."""

    source: str
    field: str
    time_ms: int


def findings_of(records: Iterable[Mapping[str, Any]], sources: Iterable[str]) -> list[Finding]:
    """The records of *sources* that score SCORE_MIN or more."""
    from datetime import datetime

    ours = set(sources)
    return [
        Finding(r["source"], r["field"], round(1000 * datetime.fromisoformat(r["time"]).timestamp()))
        for r in records
        if r["source"] in ours and r["score"] >= SCORE_MIN
    ]


def judge(labels: Sequence[Label], findings: Sequence[Finding], *, series_count: int, days: float) -> Report:
    """Which faults were found, how soon, and how many findings there were beside them."""
    of_series: dict[tuple[str, str], list[int]] = {}
    for finding in findings:
        of_series.setdefault((finding.source, finding.field), []).append(finding.time_ms)
    explained: set[tuple[str, str, int]] = set()
    delays_s: dict[str, list[float]] = {kind: [] for kind in FAULT_KINDS}
    at_end = dict.fromkeys(FAULT_KINDS, 0)
    for label in labels:
        series = (label.source, label.field)
        hits = [t for t in of_series.get(series, []) if label.start_ms <= t < label.end_ms + 1000 * TOLERANCE_S]
        if hits:
            delays_s[label.kind].append((min(hits) - label.start_ms) / 1000)
            at_end[label.kind] += min(hits) >= label.end_ms
            explained |= {(*series, t) for t in hits}
    kinds = []
    for kind in FAULT_KINDS:
        injected, delays = sum(label.kind == kind for label in labels), delays_s[kind]
        seen_in_time = len(delays) - at_end[kind] == injected
        median_s = statistics.median(delays) if delays else None
        why = "" if seen_in_time else WHY_MISSED[kind]
        kinds.append(KindReport(kind, injected, len(delays), at_end[kind], median_s, why))
    false = sum((f.source, f.field, f.time_ms) not in explained for f in findings)
    return Report(
        kinds=tuple(kinds),
        injected=len(labels),
        found=sum(kind.found for kind in kinds),
        findings=len(findings),
        false_findings=false,
        precision=1.0 - false / len(findings) if findings else None,
        false_per_series_week=false / (series_count * days / 7),
    )
