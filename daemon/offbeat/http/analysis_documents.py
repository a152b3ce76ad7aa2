"""Analyses, their results and snapshots as JSON documents, and the document that asks for one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from offbeat.analyses.checks import bad
from offbeat.analyses.life import Job
from offbeat.engine.analysis.results import BucketResult, Found, Size, Taken
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.errors import BadRequest
from offbeat.http.documents import Document, dump, iso
from offbeat.http.parameters import nearest
from offbeat.store.analysis_queries import BucketRow, InfluencerRow, RecordRow
from offbeat.store.snapshots import Snapshot
from offbeat_detectors.buckets.categories import CategoryDefinition

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


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────


def spec_of(document: Mapping[str, Any], live_lag_max_s: float) -> AnalysisSpec:
    """The analysis that *document* asks for, as far as its form goes; whether it can work, ``checks`` says.

    What is null is not given. Raises BadRequest for the first property that is unknown, missing or of the wrong type.
    """
    given = _read(document, READERS, "")
    if "id" not in given:
        raise bad("id", "is missing: the job has none; nothing was created")
    return AnalysisSpec(**given, live_lag_max_s=live_lag_max_s)


def _read(document: Mapping[str, Any], readers: Mapping[str, Callable[[str, Any], Any]], place: str) -> dict[str, Any]:
    for name in document:
        if name not in readers:
            raise BadRequest(
                f"{place}{name} is not a property of {'a detector' if place else 'an analysis'}; nothing was created",
                hint=nearest(name, readers),
                where={"field": f"{place}{name}"},
            )
    return {name: readers[name](f"{place}{name}", value) for name, value in document.items() if value is not None}


def _wrong(place: str, value: object, expected: str) -> BadRequest:
    return bad(place, f"is {dump(value).decode():.80}: expected {expected}; nothing was created")


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(place, value, "a text")
    return value


def _texts(place: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(place, value, "a list of texts")
    return tuple(dict.fromkeys(value))


def _whole(place: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(place, value, "a whole number")
    return value


def _flag(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(place, value, "true or false")
    return value


def _detectors(place: str, value: object) -> tuple[DetectorSpec, ...]:
    if not isinstance(value, list):
        raise _wrong(place, value, "a list of detectors")
    return tuple(_detector(f"{place}[{i}]", one) for i, one in enumerate(value))


def _detector(place: str, value: object) -> DetectorSpec:
    if not isinstance(value, dict):
        raise _wrong(place, value, "an object")
    given = _read(value, DETECTOR_READERS, f"{place}.")
    if "function" not in given:
        raise bad(f"{place}.function", "is missing; nothing was created")
    return DetectorSpec(**given)


DETECTOR_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("function", "field", "by", "over", "partition"), _text),
    "use_null": _flag,
    "exclude_frequent": _text,
    "description": _text,
}
READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "id": _text,
    "description": _text,
    "bucket_span_s": _whole,
    "latency_s": _whole,
    "detectors": _detectors,
    "influencers": _texts,
    "summary_count_field": _text,
    "categorization_field": _text,
    "categorization_filters": _texts,
    "categorization_examples": _whole,
    "memory_max_mb": _whole,
    "sources": _texts,
    "fields": _texts,
}


# ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────


def asked(spec: AnalysisSpec) -> Document:
    """What a job is asked, in the form in which it is asked for."""
    document = {name: getattr(spec, name) for name in READERS}
    detectors = [{name: getattr(one, name) for name in DETECTOR_READERS} for one in spec.detectors]
    return document | {"detectors": detectors}


def job(one: Job, totals: Taken, size: Size, latest_result_ms: int | None) -> Document:
    """A job: what it is asked, its state, what it has taken, what its models take."""
    return asked(one.spec) | {
        "state": one.status.lower(),
        "created": iso(one.created_ms),
        "closed": _time(one.finished_ms),
        "last_upload": _time(one.last_data_ms),
        "latest_bucket": _time(latest_result_ms),
        "counts": counts(totals),
        "size": model_size(size),
    }


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
    body = {name: getattr(found, name) for name in ("partition", "by", "over", "description")}
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
    return {
        "job": spec.id,
        "bucket_start": iso(start_ms),
        "bucket_span_s": spec.bucket_span_s,
        "detector": detector,
        "function": asks.function,
        "measure": body["description"],
        "field": asks.field,
        **{name: _valued(getattr(asks, name), body[name]) for name in ("by", "over", "partition")},
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
