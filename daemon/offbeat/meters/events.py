"""The event object of an energy meter: what must be in it, and as what it is kept. Pure."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from offbeat.errors import BadRequest
from offbeat.meters.lines import BadLine, moment_of, sections_of, written

NOTHING_FOUND = "Failed to parse event text."
NO_EVENT = "Failed to decode json payload."
INCOMPLETE = "Unabled to extract all fields from the given data."
"""As the original service wrote it."""
INTEGER_MAX = 2**63 - 1
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLUSTERED_PEAKS = 3
CLUSTERED = ("power_active_w", "power_reactive_var", "power_apparent_va", "line_current_a", "line_voltage_v",
             *(f"peak_{i + 1}" for i in range(CLUSTERED_PEAKS)))
"""The features that events are clustered by, in their order."""


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """One event, checked.

    reported_ms  the time that the meter told, milliseconds since 1970 UTC
    numbers      its numbers by field, finite; the first are those that it is clustered by
    body         the whole event as JSON
    """

    device: int
    reported_ms: int
    numbers: Mapping[str, float]
    body: str

    @property
    def features(self) -> tuple[float | None, ...]:
        """The eight features of chapter 6; None for a peak that it does not have."""
        return tuple(self.numbers.get(name) for name in CLUSTERED)


def sections_in(body: bytes) -> dict[str, Any]:
    """The sections of the one line that *body* is. Raises BadRequest."""
    try:
        sections: dict[str, Any] = dict(sections_of(body.decode()))
    except UnicodeDecodeError as e:
        raise BadRequest(f"the body is not UTF-8: {e.reason} at byte {e.start}") from None
    except BadLine as e:
        raise BadRequest(f"syntax error: {e}") from None
    if not sections:
        raise BadRequest(NOTHING_FOUND)
    return sections


def document_in(body: bytes) -> dict[str, Any]:
    """The event object in a JSON body, by itself or in a string of JSON. Raises BadRequest."""
    try:
        document = orjson.loads(body)
        if isinstance(document, str):
            document = orjson.loads(document)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise BadRequest(NO_EVENT) from None
    if not document or not isinstance(document, dict):
        raise BadRequest(NO_EVENT)
    return document


def event_of(sections: Mapping[str, Any]) -> MeterEvent:
    """The event that *sections* are, of a line or of JSON. Raises BadRequest if one is missing or of a wrong type."""
    device, power, line = (_object(sections, name) for name in ("Device", "Power", "Line"))
    alarm = _object(sections, "Alarms")
    if not isinstance(alarm.get("CoilRevesed", alarm.get("CoilReversed")), bool):
        raise BadRequest(INCOMPLETE)
    id, *_ = (_integer(device.get(name)) for name in ("ID", "Fw", "Evt"))
    _integer(_first(sections, "Dummy"))
    peaks = _floats(sections, "Peaks")
    real, imaginary = _floats(sections, "FFT Re"), _floats(sections, "FFT Img")
    if len(real) != len(imaginary):
        raise BadRequest(INCOMPLETE)
    numbers = {
        "power_active_w": _float(power.get("Active")),
        "power_reactive_var": _float(power.get("Reactive")),
        "power_apparent_va": _float(power.get("Appearent", power.get("Apparent"))),
        "line_current_a": _float(line.get("Current")),
        "line_voltage_v": _float(line.get("Voltage")),
        **{f"peak_{i + 1}": peak for i, peak in enumerate(peaks)},
        "line_phase_rad": _float(line.get("Phase")),
        "line_frequency_hz": _float(_first(sections, "hz")),
        "wifi_strength_dbm": _float(_first(sections, "WiFi Strength")),
        **{f"harmonic_{i + 1}_re": part for i, part in enumerate(real)},
        **{f"harmonic_{i + 1}_im": part for i, part in enumerate(imaginary)},
    }
    return MeterEvent(id, _moment_ms(_first(sections, "UTC Time")), numbers, written(sections))


def _object(sections: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    if not isinstance(section, dict):
        raise BadRequest(INCOMPLETE)
    return section


def _array(sections: Mapping[str, Any], name: str) -> Sequence[Any]:
    section = sections.get(name)
    if not isinstance(section, list):
        raise BadRequest(INCOMPLETE)
    return section


def _first(sections: Mapping[str, Any], name: str) -> Any:
    section = _array(sections, name)
    if not section:
        raise BadRequest(INCOMPLETE)
    return section[0]


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > INTEGER_MAX:
        raise BadRequest(INCOMPLETE)
    return value


def _float(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadRequest(INCOMPLETE)
    try:
        number = float(value)
    except OverflowError:
        raise BadRequest(INCOMPLETE) from None
    if not math.isfinite(number):
        raise BadRequest(INCOMPLETE)
    return number


def _floats(sections: Mapping[str, Any], name: str) -> list[float]:
    return [_float(value) for value in _array(sections, name)]


def _moment_ms(value: Any) -> int:
    moment = moment_of(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise BadRequest(INCOMPLETE)
    return (moment - EPOCH) // MILLISECOND
