"""What InfluxDB says when it refuses, in the forms of its versions 1 and 2. Pure."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offbeat.errors import NoGoodLine, Refused
from offbeat.records import Receipt

V2_CODES = {
    401: "unauthorized", 403: "forbidden", 404: "not found", 405: "method not allowed", 409: "conflict",
    413: "request too large", 422: "unprocessable entity", 429: "too many requests", 500: "internal error",
    503: "unavailable",
}


class PartialWrite(Refused):
    """Some lines were not taken; the others are durable."""

    code = "partial_write"

    @classmethod
    def of(cls, receipt: Receipt) -> PartialWrite:
        """The refusal that tells of the lines that *receipt* rejected."""
        return cls(f"partial write: {dropped(receipt.as_dict())}")


def dropped(receipt: Mapping[str, Any]) -> str:
    """The first reason of a receipt and how many lines it is about, as InfluxDB counts them."""
    errors: Sequence[Mapping[str, Any]] = receipt["errors"]
    first = f"line {errors[0]['line']}: {errors[0]['reason']} " if errors else ""
    return f"{first}dropped={receipt['rejected']}"


def as_v2(refused: Refused) -> dict[str, Any]:
    """The error document of version 2."""
    return {"code": V2_CODES.get(refused.status, "invalid"), "message": _message(refused)}


def as_v1(refused: Refused) -> dict[str, Any]:
    """The error document of version 1."""
    return {"error": _message(refused)}


def health(status: str, message: str, version: str) -> dict[str, Any]:
    """The health document of version 2; *status* is pass or fail."""
    return {"name": "influxdb", "message": message, "status": status, "checks": [], "version": version, "commit": ""}


def _message(refused: Refused) -> str:
    if isinstance(refused, NoGoodLine):
        return f"no line was taken: {dropped(refused.receipt)}"
    return f"{refused.message}; {refused.hint}" if refused.hint else refused.message
