"""An event of a meter as the intake takes it, and clusters as the protocol shows them. Pure."""
from __future__ import annotations

from typing import Any

import orjson

from offbeat.config import IngestConfig
from offbeat.errors import BadRequest
from offbeat.meters.events import INCOMPLETE, MeterEvent
from offbeat.store.energy import ClusterRow
from offbeat.wire.options import Options
from offbeat.wire.times import TIME_MS_MIN


def options_of(config: IngestConfig) -> Options:
    """How ``line_of`` is to be read."""
    return Options.of(config, "ndjson", time=("time",), source=("source",), precision="ms")


def line_of(event: MeterEvent, time_ms: int) -> bytes:
    """The event as one line of NDJSON: a source for the device, a field for each number."""
    return orjson.dumps({"time": time_ms, "source": str(event.device), **event.numbers}) + b"\n"


def time_of(event: MeterEvent, config: IngestConfig, by: str, now_ms: int) -> int:
    """The event's time in the streams: the one that it reported, or *now_ms* where *by* is ``stored``.

    Raises BadRequest for a reported time, or a number of fields, that the intake takes of nobody.
    """
    if len(event.numbers) > config.event_fields_max:
        raise BadRequest(INCOMPLETE)
    if by == "stored":
        return now_ms
    if not TIME_MS_MIN <= event.reported_ms <= now_ms + int(config.max_future_s * 1000):
        raise BadRequest(INCOMPLETE)
    return event.reported_ms


def cluster_document(row: ClusterRow) -> dict[str, Any]:
    """One cluster with its seven members."""
    return {
        "label": row.label,
        "count": row.count,
        "avg_power_active_w": row.active,
        "avg_power_reactive_var": row.reactive,
        "avg_power_apparent_va": row.apparent,
        "avg_line_current_a": row.current,
        "avg_line_voltage_v": row.voltage,
    }
