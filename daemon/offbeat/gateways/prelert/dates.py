"""Dates as the Prelert Engine API writes them, and as its callers write them in queries and paths."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from offbeat.gateways.prelert.errors import PrelertError
from offbeat.wire.times import TIME_MS_MAX, TIME_MS_MIN, parse_text_ms

SECONDS_DIGITS_MAX = 10
"""A whole number of more digits counts milliseconds."""
WHOLE = re.compile(r"[+-]?([0-9]{1,18})")
ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)(Z|[ +-][0-9]{2}(?::?[0-9]{2})?)?)?")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def date_text(time_ms: int) -> str:
    """*time_ms* as every response writes it: ``2014-06-25T16:00:00.000+0000``."""
    at = EPOCH + timedelta(milliseconds=time_ms)
    return f"{at.year:04d}-{at:%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def query_ms(text: str | None, parameter: str) -> int | None:
    """The time that the value of *parameter* says, milliseconds since 1970; None if it is not given.

    Empty and ``None`` are not given. Raises PrelertError 60101.

    Source: Prelert Engine API, section 1.5.
    """
    if text is None or text in ("", "None"):
        return None
    whole = WHOLE.fullmatch(text)
    if whole is not None:
        time_ms: int | None = int(text) * (1000 if len(whole[1]) <= SECONDS_DIGITS_MAX else 1)
    else:
        iso = ISO.fullmatch(text)
        # A + that was not encoded arrives as a space.
        time_ms = parse_text_ms(f"{iso[1]}{iso[2] or ''}{(iso[3] or '').replace(' ', '+')}", None) if iso else None
    if time_ms is None or not TIME_MS_MIN <= time_ms <= TIME_MS_MAX:
        raise PrelertError(
            60101, f"{parameter} is {text!r}: expected seconds or milliseconds since 1970, or 2014-01-22T06:00:00Z")
    return time_ms


def query_range_ms(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """From when, inclusive, until when, exclusive; None where it is not given. Raises PrelertError 60101 or 60107."""
    start_ms, end_ms = query_ms(start, "start"), query_ms(end, "end")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise PrelertError(60107, f"end {end} is before start {start}")
    return start_ms, end_ms
