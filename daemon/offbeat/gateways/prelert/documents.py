"""The documents of the Prelert Engine API: pages, buckets, records, influencers, snapshots. Pure.

Source: Prelert Engine API, sections 1.7, 3.3, 9 and 11.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from offbeat.engine.analysis.results import COUNTS, Size, Taken
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.gateways.prelert.dates import date_text
from offbeat.store.analysis_queries import BucketRow, InfluencerRow, RecordRow
from offbeat.store.snapshots import Snapshot

Document = dict[str, Any]
ACKNOWLEDGED: Document = {"acknowledgement": True}
PROBABILITY_MIN = 2.22507e-308
COUNT_NAMES = {
    "processed_record": "processedRecordCount",
    "missing_field": "missingFieldCount",
    "out_of_order": "outOfOrderTimeStampCount",
    "input_bytes": "inputBytes",
    "input_record": "inputRecordCount",
    "input_field": "inputFieldCount",
    "invalid_date": "invalidDateCount",
    "failed_transform": "failedTransformCount",
    "excluded_record": "excludedRecordCount",
    "bucket": "bucketCount",
}
assert set(COUNT_NAMES) == set(COUNTS)


def page(
    documents: Sequence[Document], hits: int, skip: int, take: int, url: str, query: Mapping[str, object]
) -> Document:
    """A list, with links to the pages around it; *url* without a query, *query* as it was understood."""

    def link(first: int) -> str:
        return f"{url}?{urlencode({'skip': first, 'take': take} | {name: _plain(x) for name, x in query.items()})}"

    return {
        "hitCount": hits,
        "skip": skip,
        "take": take,
        "nextPage": link(skip + take) if take > 0 and skip + take < hits else None,
        "previousPage": link(max(0, skip - take)) if skip > 0 else None,
        "documents": list(documents),
    }


def _plain(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def single(kind: str, document: Document | None) -> Document:
    """One document in its envelope; None: it does not exist."""
    if document is None:
        return {"exists": False, "type": kind}
    return {"exists": True, "type": kind, "document": document}


def counts(taken: Taken, fields: int, *, whole: bool) -> Document:
    """What became of records; *fields* is how many the analysis reads, *whole* with the buckets of the job."""
    made = {COUNT_NAMES[name]: number for name, number in taken.counts.items()}
    buckets = made.pop("bucketCount")
    processed = made.pop("processedRecordCount")
    fields_read = max(0, processed * fields - made["missingFieldCount"])
    document: Document = {"bucketCount": buckets} if whole else {}
    document |= {"processedRecordCount": processed, "processedFieldCount": fields_read, **made}
    if taken.latest_ms is not None:
        document["latestRecordTimeStamp"] = date_text(taken.latest_ms)
    return document


def size(one: Size, result_ms: int | None, log_ms: int) -> Document:
    """What the models take, as of the bucket at *result_ms*."""
    document: Document = {
        "modelBytes": one.model_bytes,
        "totalByFieldCount": one.by_count,
        "totalOverFieldCount": one.over_count,
        "totalPartitionFieldCount": one.partition_count,
        "bucketAllocationFailuresCount": one.refused,
        "memoryStatus": one.status,
    }
    if result_ms is not None:
        document["timestamp"] = date_text(result_ms)
    return document | {"logTime": date_text(log_ms)}


def bucket(
    one: BucketRow, spec: AnalysisSpec, records: Sequence[Document] = (), influencers: Sequence[Document] = ()
) -> Document:
    """A bucket, with its records and influencers where they are asked for."""
    return {
        "id": str(one.start_ms // 1000),
        "timestamp": date_text(one.start_ms),
        "bucketSpan": spec.bucket_span_s,
        "anomalyScore": one.anomaly_score,
        "initialAnomalyScore": one.initial_anomaly_score,
        "maxNormalizedProbability": one.normalized_max,
        "recordCount": one.record_count,
        "eventCount": one.event_count,
        "isInterim": one.interim,
        "bucketInfluencers": [
            {
                "influencerFieldName": part.field,
                "anomalyScore": part.score,
                "probability": _probability(part.probability),
            }
            for part in one.parts
            if part.field == "bucketTime" or part.score > 0.0
        ],
        "influencers": list(influencers),
        "records": list(records),
    }


def record(one: RecordRow, spec: AnalysisSpec, functions: Sequence[str]) -> Document:
    """A record. *functions*: what the client called the function of each detector."""
    detector, body = spec.detectors[one.detector], one.body
    document: Document = {
        "timestamp": date_text(one.start_ms),
        "bucketSpan": spec.bucket_span_s,
        "detectorIndex": one.detector,
        "probability": _probability(one.probability),
        "normalizedProbability": one.normalized,
        "initialNormalizedProbability": one.initial_normalized,
        "anomalyScore": one.bucket_score,
        "function": functions[one.detector],
        "functionDescription": body["description"],
    }
    if detector.field:
        document["fieldName"] = detector.field
    for kind, name in (("by", detector.by), ("partition", detector.partition), ("over", detector.over)):
        if name and body[kind] is not None:
            document |= {f"{kind}FieldName": name, f"{kind}FieldValue": body[kind]}
    if body.get("correlated") is not None:
        document["correlatedByFieldValue"] = body["correlated"]
    if not detector.over:
        document |= _numbers(body)
    else:
        document["causes"] = [_cause(cause, document, body) for cause in body["causes"] or [body]]
    if spec.influencers:
        document["influencers"] = [
            {"influencerFieldName": field, "influencerFieldValues": values} for field, values in body["influencers"]
        ]
    return document | {"isInterim": one.interim}


def _cause(cause: Mapping[str, Any], record: Document, body: Mapping[str, Any]) -> Document:
    shared = (
        "function",
        "functionDescription",
        "fieldName",
        "byFieldName",
        "overFieldName",
        "overFieldValue",
        "partitionFieldName",
        "partitionFieldValue",
    )
    document: Document = {"probability": _probability(cause.get("probability", record["probability"]))}
    document |= {name: record[name] for name in shared if name in record}
    if cause.get("by") is not None:
        document["byFieldValue"] = cause["by"]
    document |= _numbers(cause)
    if body["influencers"]:
        document["influencers"] = [
            {"influencerFieldName": field, "influencerFieldValues": values} for field, values in body["influencers"]
        ]
    return document


def _numbers(body: Mapping[str, Any]) -> Document:
    """Typical and actual: the bare number where there is one, left out where it is none."""
    made: Document = {}
    for name in ("typical", "actual"):
        numbers = [x for x in body[name] if x is not None and math.isfinite(x)]
        if numbers:
            made[name] = numbers[0] if len(numbers) == 1 else numbers
    return made


def influencer(one: InfluencerRow) -> Document:
    """An influencer."""
    return {
        "timestamp": date_text(one.start_ms),
        "influencerFieldName": one.influencer.field,
        "influencerFieldValue": one.influencer.value,
        "probability": _probability(one.influencer.probability),
        "anomalyScore": one.influencer.score,
        "isInterim": one.interim,
    }


def snapshot(one: Snapshot) -> Document:
    """A model snapshot."""
    document: Document = {
        "snapshotId": one.id,
        "timestamp": date_text(one.taken_ms),
        "description": one.description,
        "restorePriority": one.priority,
        "snapshotDocCount": 1,
        "modelSizeStats": size(one.size, one.latest_result_ms, one.taken_ms),
    }
    if one.latest_record_ms is not None:
        document["latestRecordTimeStamp"] = date_text(one.latest_record_ms)
    if one.latest_result_ms is not None:
        document["latestResultTimeStamp"] = date_text(one.latest_result_ms)
    return document


def _probability(p: float) -> float:
    return max(p, PROBABILITY_MIN)
