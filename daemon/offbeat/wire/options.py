"""How a body is to be read: everything that decoding depends on, in one hashable value. No bytes here."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from offbeat.config import IngestConfig

Format = Literal["ndjson", "json", "csv", "influx"]
Precision = Literal["s", "ms", "us", "ns", "m", "h"]
"""m and h, minutes and hours, are what version 1 of line protocol's clients may say."""


@dataclass(frozen=True, slots=True)
class Options:
    """Two bodies with equal options may be decoded together.

    time_fields, source_fields  the first of them that an event has is its time, its source
    time_required               an event without one is rejected (the sender named it); else it has the time of arrival
    source_required             likewise; else its source is *source_default*
    precision                   of epoch numbers; None: by magnitude
    delimiter                   of CSV, one character
    text_fields                 text even where they look like numbers
    """

    format: Format
    time_fields: tuple[str, ...]
    source_fields: tuple[str, ...]
    source_default: str
    max_future_ms: int
    line_bytes_max: int
    depth_max: int
    event_fields_max: int
    name_bytes_max: int
    time_required: bool = False
    source_required: bool = False
    precision: Precision | None = None
    delimiter: str = ","
    text_fields: tuple[str, ...] = ()
    rejects_kept: int = 100

    @classmethod
    def of(cls, config: IngestConfig, format: Format, *, time: tuple[str, ...] = (), source: tuple[str, ...] = (),
           precision: Precision | None = None, delimiter: str = ",", text_fields: tuple[str, ...] = ()) -> Options:
        """The options of a request: *config*, with what the sender named instead."""
        return cls(
            format=format,
            time_fields=time or config.time_fields,
            source_fields=source or config.source_fields,
            source_default=config.source_default,
            max_future_ms=int(config.max_future_s * 1000),
            line_bytes_max=config.line_bytes_max,
            depth_max=config.depth_max,
            event_fields_max=config.event_fields_max,
            name_bytes_max=config.name_bytes_max,
            time_required=bool(time),
            source_required=bool(source),
            precision=precision or ("ns" if format == "influx" else None),
            delimiter=delimiter,
            text_fields=text_fields,
            rejects_kept=max(config.errors_max, 100),
        )
