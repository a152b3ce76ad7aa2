"""The time parameters of a query, for metadata and for data. Pure.

Source: esmond measurement archive, section 10.
"""
from __future__ import annotations

import re
from collections.abc import Mapping

from offbeat.errors import BadRequest
from offbeat.gateways.esmond.errors import wrong

INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
NAMES = ("time", "time-start", "time-end", "time-range")
AHEAD_S = 3600
"""Data may be this far ahead where no end is given."""


def asked_range(query: Mapping[str, str], now_s: int) -> tuple[int, int | None] | None:
    """First and last second, the last None where it is open; None if no time is given. Raises BadRequest."""
    given = {name: _integer(name, query[name]) for name in NAMES if name in query}
    match given:
        case {"time": time}:
            begin, end = time, time
        case {"time-start": start, "time-end": stop}:
            begin, end = start, stop
        case {"time-start": start, "time-range": span}:
            begin, end = start, start + span
        case {"time-end": stop, "time-range": span}:
            begin, end = stop - span, stop
        case {"time-start": start}:
            return start, None
        case {"time-end": stop}:
            begin, end = 0, stop
        case {"time-range": span}:
            return now_s - span, None
        case _:
            return None
    if end < begin:
        raise BadRequest(f"the time ends at {end}, before it begins at {begin}")
    return begin, end


def of_data(query: Mapping[str, str], now_s: int) -> tuple[int, int]:
    """First and last second of the data that are asked for. Raises BadRequest."""
    asked = asked_range(query, now_s)
    if asked is None:
        return 0, now_s
    begin, end = asked
    return begin, now_s + AHEAD_S if end is None else end


def _integer(name: str, text: str) -> int:
    if not INTEGER.fullmatch(text.strip()):
        raise wrong(name, text, "a whole number of seconds")
    return int(text)
