"""The event types, the data type of each, and which summaries a data type can have. Pure data.

Source: esmond measurement archive, sections 6, 11.1 and 14.1.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

DataType = Literal["integer", "float", "percentage", "histogram", "subinterval", "json"]

_NAMES: dict[DataType, str] = {
    "integer": "ntp-reach ntp-stratum packet-count-lost packet-count-lost-bidir packet-count-sent packet-duplicates "
    "packet-duplicates-bidir packet-reorders packet-reorders-bidir packet-retransmits packet-rtt path-mtu "
    "tcp-windowsize throughput",
    "float": "ntp-delay ntp-dispersion ntp-jitter ntp-offset ntp-polling-interval ntp-wander time-error-estimates",
    "percentage": "packet-loss-rate packet-loss-rate-bidir",
    "histogram": "histogram-owdelay histogram-rtt histogram-ttl histogram-ttl-reverse",
    "subinterval": "packet-retransmits-subintervals packet-rtt-subintervals tcp-windowsize-subintervals "
    "throughput-subintervals",
    "json": "failures iostat mpstat packet-trace packet-trace-multi pscheduler-raw pscheduler-run-href rusage "
    "streams-packet-retransmits streams-packet-retransmits-subintervals streams-packet-rtt "
    "streams-packet-rtt-subintervals streams-tcp-windowsize streams-tcp-windowsize-subintervals streams-tcpinfo "
    "streams-throughput streams-throughput-subintervals tcpinfo",
}
EVENT_TYPES: Mapping[str, DataType] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
ONCE: frozenset[DataType] = frozenset(("integer", "float", "percentage"))
"""A second value for a second is a conflict; of the others it replaces the first."""

SUMMARIES: Mapping[DataType, tuple[str, ...]] = {
    "integer": ("aggregation", "average"),
    "float": ("aggregation", "average"),
    "percentage": ("aggregation",),
    "histogram": ("aggregation", "statistics"),
    "subinterval": (),
    "json": (),
}
IN_URLS: Mapping[str, str] = {"aggregation": "aggregations", "average": "averages", "statistics": "statistics"}
"""What a summary type is called in addresses."""
FROM_URLS: Mapping[str, str] = {plural: name for name, plural in IN_URLS.items()}
