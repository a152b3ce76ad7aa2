"""Where a long list was left: opaque to whoever carries it, checked when it comes back."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from offbeat.errors import BadRequest


def cursor_of(*place: Any) -> str:
    """The cursor of a place: numbers and texts that order the list."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The place that a cursor stands for, None without one. Raises BadRequest for one that this list did not give."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        place = None
    if (
        not isinstance(place, list)
        or len(place) != len(kinds)
        or any(not _fits(p, k) for p, k in zip(place, kinds, strict=True))
    ):
        raise BadRequest(
            "the cursor is not one of this list",
            hint="leave it out to begin at the start",
            where={"parameter": "cursor"},
        )
    return tuple(place)


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, int) and abs(value) >= 1 << 62:
        return False
    return not isinstance(value, bool) and (isinstance(value, kind) or (kind is float and isinstance(value, int)))
