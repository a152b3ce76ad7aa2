"""Analyses, their results and snapshots as JSON documents. Pure; what is asked of one is ``analysis_asked``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from offbeat.analyses.job import Job
from offbeat.analyses.running import About
from offbeat.engine.analysis.results import BucketResult, Found, Size, Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.http.analysis_asked import asked
from offbeat.http.documents import Document, iso
from offbeat.store.analysis_queries import BucketRow, InfluencerRow, PointRow, RecordRow
from offbeat.store.snapshots import Snapshot
from offbeat_detectors.buckets.categories import CategorizerStatus, CategoryDefinition

RECEIVED = {
    "received": "input_record",
    "processed": "processed_record",
    "out_of_order": "out_of_order",
    "bad_time": "invalid_date",
    "missing_fields": "missing_field",
    "bytes": "input_bytes",
    "buckets": "bucket",
}
"""What is told of records sent, and how it is counted."""
CAUSE = ("by", "probability", "actual", "typical")


def job(one: Job, about: About) -> Document:
    """A job: what it is asked, its state, what it has taken, what its models take and know, what it has left out."""
    return asked(one.spec) | {
        "state": one.status.lower(),
        "created": iso(one.created_ms),
        "closed": _time(one.finished_ms),
        "last_upload": _time(one.last_data_ms),
        "latest_bucket": _time(about.latest_result_ms),
        "counts": counts(about.totals),
        "size": model_size(about.size),
        "withheld": [asdict(one) for one in about.withheld],
        "peers": [asdict(one) for one in about.peers],
        "categorization": categorizer(about.categorization),
    }


def categorizer(status: CategorizerStatus | None) -> Document | None:
    """Whether the categories of a job are of use, and why not; None if it has none."""
    return None if status is None else asdict(status)


def counts(taken: Taken) -> Document:
    """What became of records."""
    numbers = {name: taken.counts[counted] for name, counted in RECEIVED.items()}
    return numbers | {"latest_record": _time(taken.latest_ms)}


def model_size(size: Size) -> Document:
    """What models take, and whether a limit was felt."""
    return asdict(size) | {"status": size.status.lower()}


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def bucket(spec: AnalysisSpec, row: BucketRow) -> Document:
    """One bucket of a job."""
    return {
        "job": spec.id,
        "start": iso(row.start_ms),
        "bucket_span_s": spec.bucket_span_s,
        "event_count": row.event_count,
        "record_count": row.record_count,
        "probability": row.probability,
        "score": row.score,
        "anomaly_score": row.anomaly_score,
        "initial_anomaly_score": row.initial_anomaly_score,
        "interim": row.interim,
        "parts": [asdict(part) for part in row.parts],
    }


def record(spec: AnalysisSpec, row: RecordRow) -> Document:
    """One finding, as it is stored."""
    scores = row.probability, row.score, row.normalized, row.initial_normalized
    return _record(spec, row.start_ms, row.detector, scores, row.body, interim=row.interim)


def live_records(spec: AnalysisSpec, results: Sequence[BucketResult]) -> Iterator[tuple[float, Callable[[], Document]]]:
    """The records of buckets that are complete: the score of each, and what makes its document if somebody wants it."""
    for result in results:
        for found in () if result.interim else result.found:
            yield found.score, partial(live_record, spec, result, found)


def live_record(spec: AnalysisSpec, result: BucketResult, found: Found) -> Document:
    """One finding as its bucket closes: what ``record`` gives of it."""
    body = {name: getattr(found, name) for name in ("partition", "by", "over", "correlated", "description")}
    body |= {name: getattr(found, name) for name in ("typical", "actual", "lower", "upper", "influencers")}
    body["causes"] = [asdict(cause) for cause in found.causes]
    scores = found.probability, found.score, found.normalized, found.normalized
    return _record(spec, result.start_ms, found.detector, scores, body, interim=result.interim)


def _record(
    spec: AnalysisSpec,
    start_ms: int,
    detector: int,
    scores: tuple[float, float, float, float],
    body: Mapping[str, Any],
    *,
    interim: bool,
) -> Document:
    asks = spec.detectors[detector]
    probability, score, normalized, initial = scores
    correlated = body.get("correlated")
    return {
        "job": spec.id,
        "bucket_start": iso(start_ms),
        "bucket_span_s": spec.bucket_span_s,
        "detector": detector,
        "function": asks.function,
        "measure": body["description"],
        "field": asks.field,
        **{name: _valued(getattr(asks, name), body[name]) for name in ("by", "over", "partition")},
        "correlated_by": _valued(asks.by, correlated) if correlated is not None else None,
        **{name: body[name] for name in ("actual", "typical", "lower", "upper")},
        "probability": probability,
        "score": score,
        "normalized": normalized,
        "initial_normalized": initial,
        "influencers": [{"field": field, "values": values} for field, values in body["influencers"]],
        "causes": [{name: cause[name] for name in CAUSE} for cause in body["causes"]],
        "interim": interim,
    }


def _valued(field: str, value: str | None) -> Document | None:
    return {"field": field, "value": value} if field else None


def influencer(spec: AnalysisSpec, row: InfluencerRow) -> Document:
    """One value that may be blamed."""
    one = row.influencer
    return {
        "job": spec.id,
        "bucket_start": iso(row.start_ms),
        "bucket_span_s": spec.bucket_span_s,
        "field": one.field,
        "value": one.value,
        "probability": one.probability,
        "score": one.score,
        "initial_score": row.initial_score,
        "interim": row.interim,
    }


def point(spec: AnalysisSpec, row: PointRow) -> Document:
    """One point of the model plot."""
    one = row.point
    asks = spec.detectors[one.detector]
    return {
        "job": spec.id,
        "bucket_start": iso(row.start_ms),
        "bucket_span_s": spec.bucket_span_s,
        "detector": one.detector,
        "function": asks.function,
        "measure": one.feature,
        "field": asks.field,
        **{name: _valued(getattr(asks, name), getattr(one, name)) for name in ("by", "over", "partition")},
        **{name: getattr(one, name) for name in ("lower", "typical", "upper", "actual")},
    }


def category(one: CategoryDefinition) -> Document:
    """One category of messages."""
    return asdict(one)


def snapshot(one: Snapshot, *, in_use: bool) -> Document:
    """One model snapshot. in_use: the job goes on from it."""
    return {
        "id": one.id,
        "taken": iso(one.taken_ms),
        "description": one.description,
        "in_use": in_use,
        "latest_record": _time(one.latest_record_ms),
        "latest_bucket": _time(one.latest_result_ms),
        "size": model_size(one.size),
    }


def snapshots(every: Sequence[Snapshot]) -> list[Document]:
    """All snapshots of a job, the one in use first, as the store gives them."""
    return [snapshot(one, in_use=i == 0) for i, one in enumerate(every)]
