"""Rows to JSON documents, as docs/api.md shows them. Pure: no request, no store."""
from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import numpy as np
import orjson
from aiohttp import web
from numpy.typing import NDArray

from offbeat.records import JobInfo
from offbeat.store.queries import (
    Bucket,
    DaemonDiagnosis,
    Page,
    QuarantinedLine,
    Record,
    SeriesDiagnosis,
    SeriesInfo,
    SeriesReadings,
    SourceClusters,
    SourceDiagnosis,
    SourceInfo,
)

Document = dict[str, Any]
Row = TypeVar("Row")
EMPTY_BAND: Mapping[str, NDArray[Any]] = {
    "time_ms": np.zeros(0, np.int64),
    **{name: np.zeros(0) for name in ("typical", "lower", "upper")},
}


def dump(document: object) -> bytes:
    """*document* as JSON; NaN and infinity become null, numpy arrays become lists."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*document* as the response to a request."""
    return web.Response(body=dump(document), status=status, headers=headers, content_type="application/json")


def iso(ms: int) -> str:
    """Milliseconds since 1970 UTC as ISO 8601."""
    return f"{np.datetime64(ms, 'ms')}Z"


def iso_all(ms: NDArray[np.int64]) -> list[str]:
    """(n,) milliseconds since 1970 UTC as n texts, ISO 8601."""
    texts: list[str] = np.datetime_as_string(ms.astype("M8[ms]"), unit="ms", timezone="UTC").tolist()
    return texts


def page(name: str, rows: Page[Row], row: Callable[[Row], Document]) -> Document:
    """A list under its *name*, and where it goes on."""
    return {name: [row(r) for r in rows.rows], "next_cursor": rows.next_cursor}


def buckets(found: Page[Bucket]) -> Document:
    """A list of buckets; a day of one source has 1,440, so that their times are written together."""
    starts = iso_all(np.array([b.start_ms for b in found.rows], np.int64))
    rows = [_bucket(*b, start) for b, start in zip(found.rows, starts, strict=True)]
    return {"buckets": rows, "next_cursor": found.next_cursor}


def bucket(b: Bucket) -> Document:
    """One bucket: of a source, or of the whole job with the number of sources instead."""
    return _bucket(*b, iso(b.start_ms))


def _bucket(
    job: str, source: str | None, start_ms: int, bucket_span_s: int, event_count: int, record_count: int,
    novelty: float, score: float, interim: bool, source_count: int | None, start: str,
) -> Document:
    if source is None:
        return {
            "job": job, "source_count": source_count, "start": start, "bucket_span_s": bucket_span_s,
            "event_count": event_count, "record_count": record_count, "novelty": novelty, "score": score,
            "interim": interim,
        }
    return {
        "job": job, "source": source, "start": start, "bucket_span_s": bucket_span_s, "event_count": event_count,
        "record_count": record_count, "novelty": novelty, "score": score, "interim": interim,
    }


def record(r: Record) -> Document:
    """One finding, without why it is one."""
    return {
        "id": r.id, "job": r.job, "detector": r.detector, "function": r.function, "source": r.source, "field": r.field,
        "bucket_start": iso(r.bucket_start_ms), "bucket_span_s": r.bucket_span_s, "time": iso(r.time_ms),
        "actual": r.actual, "typical": typical(r), "lower": r.lower, "upper": r.upper,
        "novelty": r.novelty, "probability": r.probability, "score": r.score,
    }


def typical(r: Record) -> float:
    """What was expected, in the unit of the series: NaN where nothing came, for then a record has a time there."""
    return math.nan if math.isnan(r.actual) else r.typical


def source(s: SourceInfo) -> Document:
    """One source as a list shows it."""
    return {
        "source": s.source,
        "series_count": s.series_count,
        "event_count": s.event_count,
        "late_count": s.late_count,
        "first_event": iso(s.first_event_ms),
        "last_event": iso(s.last_event_ms),
        "last_arrival": iso(s.last_arrival_ms),
    }


def source_in_full(s: SourceInfo) -> Document:
    """One source with its metadata and series."""
    return {**source(s), "metadata": dict(s.metadata), "series": [_series(one) for one in s.series]}


def _series(s: SeriesInfo) -> Document:
    return {
        "field": s.field,
        "reading_count": s.reading_count,
        "last_value": s.last_value,
        "last_time": iso(s.last_time_ms),
    }


def readings(
    source: str, series: tuple[SeriesReadings, ...], columns: Collection[str] | None = None, *, epoch: bool = False
) -> Document:
    """The readings of a source, a list of columns for each series.

    columns  of rollups only these, None: all    epoch  times are whole milliseconds since 1970 UTC
    """
    times: Callable[[NDArray[np.int64]], object] = np.ascontiguousarray if epoch else iso_all
    return {"source": source, "series": [_readings(one, columns, times) for one in series]}


def _readings(
    s: SeriesReadings, columns: Collection[str] | None, times: Callable[[NDArray[np.int64]], object]
) -> Document:
    band = s.band or EMPTY_BAND
    shown = {name: c for name, c in s.columns.items() if s.level == "raw" or columns is None or name in columns}
    return {
        "field": s.field,
        "level": s.level,
        "downsampled": s.downsampled,
        "reading_count": s.reading_count,
        "time": times(s.time_ms),
        **_columns(shown),
        "band": {
            "time": times(band["time_ms"]),
            **_columns({name: band[name] for name in ("typical", "lower", "upper")}),
        },
    }


def _columns(columns: Mapping[str, NDArray[Any]]) -> Document:
    return {name: np.ascontiguousarray(column) for name, column in columns.items()}  # orjson reads no strides


def job(j: JobInfo) -> Document:
    """A job as it was asked for, and what it has done."""
    s = j.spec
    return {
        "id": s.id,
        "description": s.description,
        "function": s.function,
        "sources": list(s.sources),
        "fields": list(s.fields),
        "bucket_span_s": s.bucket_span_s,
        "latency_s": s.latency_s,
        "model": s.model,
        "parameters": dict(s.parameters),
        "peer_groups": list(s.peer_groups),
        "state": "open",
        "created": iso(j.created_ms),
        "series_count": j.series_count,
        "model_count": j.model_count,
        "models_max": s.models_max or None,
        "evicted_count": j.evicted_count,
        "unjudged_count": j.unjudged_count,
        "event_count": j.event_count,
        "late_count": j.late_count,
        "record_count": j.record_count,
        "bytes_per_series": j.bytes_per_series,
    }


def clusters(s: SourceClusters) -> Document:
    """The clusters of events of a source, the largest first; a field that they are not made by is in none."""
    found = s.found
    rows = zip(found.ids.tolist(), found.count.tolist(), iso_all(found.first_ms), iso_all(found.last_ms),
               found.centre.tolist(), found.spread.tolist(), strict=True)
    return {
        "job": s.job, "source": s.source, "event_count": found.events, "far_count": found.far,
        "latest": found.latest or None, "width": found.width,
        "clusters": [
            {"cluster": id, "count": count, "first": first, "last": last,
             "centre": _by_field(s.fields, centre), "spread": _by_field(s.fields, spread)}
            for id, count, first, last, centre, spread in rows
        ],
    }


def _by_field(fields: tuple[str, ...], values: list[float]) -> dict[str, float]:
    return {field: value for field, value in zip(fields, values, strict=True) if not math.isnan(value)}


def diagnosis(daemon: DaemonDiagnosis, sources: Page[SourceDiagnosis]) -> Document:
    """The daemon's own state, and a page of sources."""
    return {"daemon": _daemon(daemon), **page("sources", sources, _diagnosed)}


def _daemon(d: DaemonDiagnosis) -> Document:
    return {
        "version": d.version, "started": iso(d.started_ms), "applied_sequence": d.applied_sequence,
        "journal_sequence": d.journal_sequence, "pending_bytes": d.pending_bytes, "writable": d.writable,
        "unwritable_reason": d.unwritable_reason, "full_reason": d.full_reason,
        "store_bytes": d.store_bytes, "rejected": dict(d.rejected),
        "limits": [{"name": one.name, "used": one.used, "limit": one.limit} for one in d.limits],
    }


def _diagnosed(s: SourceDiagnosis) -> Document:
    return {
        "source": s.source,
        "last_event": iso(s.last_event_ms),
        "last_arrival": iso(s.last_arrival_ms),
        "lag_s": s.lag_s,
        "silent_for_s": s.silent_for_s,
        "live": s.live,
        "event_count": s.event_count,
        "late_count": s.late_count,
        "suppressed": [
            {"job": one.job, "held": one.held, "damped": one.damped, "silence": one.silence, "adjusted": one.adjusted}
            for one in s.suppressed
        ],
        "series": [_says(one) for one in s.series],
    }


def _says(s: SeriesDiagnosis) -> Document:
    return {
        "job": s.job,
        "field": s.field,
        "state": s.state,
        "warmup_left": s.warmup_left,
        "warmup_left_s": s.warmup_left_s,
        "silent_since": None if s.silent_since_ms is None else iso(s.silent_since_ms),
        "held_left": s.held_left,
        "damping": s.damping,
        "adjustment": s.adjustment,
        "settled": s.settled,
        "settles_in_s": s.settles_in_s,
        "says": s.says,
    }


def quarantined(line: QuarantinedLine) -> Document:
    """One rejected line as it was kept."""
    return {
        "id": line.id, "arrived": iso(line.arrived_ms), "format": line.format, "line": line.line, "code": line.code,
        "reason": line.reason, "start": line.start,
    }
