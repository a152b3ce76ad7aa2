"""Values of an event type: what is accepted, how it is kept, what is returned of it, which numbers it gives. Pure.

Source: esmond measurement archive, section 11.2.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import orjson

from offbeat.errors import BadRequest
from offbeat.gateways.esmond.catalogue import DataType
from offbeat.gateways.esmond.errors import wrong
from offbeat_detectors.histograms import statistics
from offbeat_detectors.totals import rounded

WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")
INT64 = 2**63
EXACT = 2**53
"""Every smaller integer is a float as well."""


def integer(value: object, where: str) -> int:
    """A whole number, also one in quotes, within 64 bits. Raises BadRequest."""
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -INT64 <= value < INT64:
        raise wrong(where, value, "a whole number")
    return value


def second(value: object, where: str) -> int:
    """A second since 1970 UTC, also one before. Raises BadRequest."""
    ts = integer(value, where)
    if not -EXACT <= ts <= EXACT:
        raise wrong(where, value, f"{-EXACT} to {EXACT}")
    return ts


def accepted(data_type: DataType, value: object, where: str) -> Any:
    """*value* as it is kept: of a percentage the two numbers, of an integer the whole number. Raises BadRequest."""
    return ACCEPTED[data_type](value, where)


def _integer(value: object, where: str) -> int | float:
    if isinstance(value, str) and not WHOLE.fullmatch(value.strip()):
        raise wrong(where, value, "a number, or the text of a whole number")
    number = _number(value, where, "a number, or the text of a whole number")
    number = int(number)  # cut toward zero
    return number if -INT64 <= number < INT64 else float(number)


def _float(value: object, where: str) -> float:
    return float(_number(value, where, "a number"))


def _number(value: object, where: str, expected: str) -> int | float:
    """A finite number, also one in quotes."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = int(value) if WHOLE.fullmatch(value.strip()) else float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(where, value, expected)
    try:
        if math.isfinite(float(value)):
            return value
    except OverflowError:
        pass
    raise wrong(where, value, f"{expected} that a float can hold")


def _percentage(value: object, where: str) -> list[int | float]:
    if not isinstance(value, dict):
        raise wrong(where, value, "an object with numerator and denominator")
    pair = []
    for name in ("numerator", "denominator"):
        if name not in value:
            raise BadRequest(f"{where} has no {name}; nothing was stored")
        number = value[name]
        if isinstance(number, str) and not WHOLE.fullmatch(number.strip()):
            raise wrong(f"{where}.{name}", number, "a number, or the text of a whole number")
        pair.append(_kept(_number(number, f"{where}.{name}", "a number, or the text of a whole number")))
    if pair[0] < 0:
        raise wrong(f"{where}.numerator", pair[0], "0 or more")
    if pair[1] <= 0:
        raise wrong(f"{where}.denominator", pair[1], "more than 0")
    return pair


def _kept(number: int | float) -> int | float:
    return number if isinstance(number, float) or -INT64 <= number < INT64 else float(number)


def _histogram(value: object, where: str) -> dict[str, int]:
    if not isinstance(value, dict):
        raise wrong(where, value, "an object of buckets and their counts")
    counts = {name: integer(count, f"{where}[{name!r}]") for name, count in value.items()}
    for name, count in counts.items():
        if count < 0:
            raise wrong(f"{where}[{name!r}]", count, "0 or more")
    return counts


def _subintervals(value: object, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise wrong(where, value, "a list of at least one object with start, duration and val")
    for i, one in enumerate(value):
        if not isinstance(one, dict) or not {"start", "duration", "val"} <= one.keys():
            raise wrong(f"{where}[{i}]", one, "an object with start, duration and val")
        for name in ("start", "duration"):
            _number(one[name], f"{where}[{i}].{name}", "a number")
    return value


def _json(value: object, where: str) -> object:
    return value


ACCEPTED: Mapping[DataType, Callable[[object, str], Any]] = {
    "integer": _integer,
    "float": _float,
    "percentage": _percentage,
    "histogram": _histogram,
    "subinterval": _subintervals,
    "json": _json,
}


def ratio(numerator: Fraction, denominator: Fraction) -> float:
    """The float nearest to the ratio."""
    return rounded(numerator / denominator)


def rendered(data_type: DataType, kept: bytes) -> bytes:
    """What is returned, as JSON, of a value that is kept as the JSON *kept*."""
    if data_type == "integer":
        return orjson.dumps(shown_number(orjson.loads(kept)))
    if data_type == "percentage":
        return orjson.dumps(ratio(*map(Fraction, orjson.loads(kept))))
    return kept


def shown_number(value: int | float) -> int | float:
    """A whole number as the archive writes it: as a float, as long as that is exact."""
    return float(value) if abs(value) <= EXACT or abs(value) >= INT64 else int(value)


def readings(event_type: str, data_type: DataType, value: Any) -> dict[str, float]:
    """The numbers that are followed of a value that was accepted, by field; none of lists and other documents."""
    match data_type:
        case "integer" | "float":
            return {event_type: value}
        case "percentage":
            return {event_type: ratio(*map(Fraction, value))}
        case "histogram":
            described = statistics(value)
            return {f"{event_type}.{short}": described[name] for short, name in SERIES if name in described}  # type: ignore[misc]
    return {}


SERIES = (("mean", "mean"), ("p95", "percentile-95"))
