"""Questions that take several calls: the next call, and what its answer gives. Pure; both clients ask alike."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from offbeat.client.calls import Call, Time, asked, named
from offbeat.client.columns import Readings
from offbeat.client.errors import NotOffbeat, TooDense

PAGE_ROWS = 1000
"""Rows asked for at a time when a list is followed: a page is then under a megabyte."""


class Pages:
    """The rows of a list, by its cursors: at most *limit*, None: all."""

    def __init__(self, path: str, key: str, limit: int | None, **parameters: object) -> None:
        self._path, self._key, self._parameters = path, key, parameters
        self._left = limit
        self._cursor: str | None = None
        self._over = limit is not None and limit <= 0

    def call(self) -> Call | None:
        """What to ask next; None: that was all."""
        if self._over:
            return None
        limit = PAGE_ROWS if self._left is None else min(PAGE_ROWS, self._left)
        return asked("GET", self._path, limit=limit, cursor=self._cursor, **self._parameters)

    def rows(self, document: dict[str, Any]) -> list[Any]:
        """The rows of the answer. Raises NotOffbeat if it has none."""
        rows = document.get(self._key)
        if not isinstance(rows, list):
            raise NotOffbeat(f"what answers is not this version of Offbeat: its answer has no {self._key}")
        self._cursor = document.get("next_cursor")
        if self._left is not None:
            self._left -= len(rows)
        self._over = self._cursor is None or (self._left is not None and self._left <= 0)
        return rows


class Spans:
    """Every reading of a source, in order of time: spans that hold more than an answer are cut, until none does."""

    def __init__(
        self, source: str, fields: Sequence[str] | None, start: Time | None, end: Time | None, width: int
    ) -> None:
        self._source, self._fields, self._width = source, fields, width
        self._ends = start, end
        self._spans: list[tuple[int, int]] | None = None

    def call(self) -> Call | None:
        """What to ask next; None: that was all."""
        path = f"/sources/{named(self._source)}"
        if self._spans is None:
            return asked("GET", path)
        if not self._spans:
            return None
        start, end = self._spans[-1]
        return asked("GET", f"{path}/readings", field=self._fields, level="raw", time="epoch_ms", width=self._width,
                     start=_iso(start), end=_iso(end))  # fmt: skip

    def rows(self, document: dict[str, Any]) -> list[Readings]:
        """The readings of the answer, a part of each series that has any; none if the span is to be cut.

        Raises TooDense for a millisecond that holds more than an answer.
        """
        if self._spans is None:
            start, end = self._ends
            first = _ms(start if start is not None else document["first_event"])
            last = _ms(end) if end is not None else _ms(document["last_event"]) + 1
            self._spans = [(first, last)] if last > first else []
            return []
        start_ms, end_ms = self._spans.pop()
        series = document["series"]
        cut_into = max((1 + one["reading_count"] // self._width for one in series if one["downsampled"]), default=1)
        if cut_into == 1:
            return [Readings(self._source, one["field"], one["time"], one["value"]) for one in series if one["time"]]
        if end_ms - start_ms == 1:
            raise TooDense(f"{self._source} has more than {self._width} readings at {_iso(start_ms)}")
        cut_into = min(1 + cut_into, end_ms - start_ms)
        bounds = [start_ms + (end_ms - start_ms) * part // cut_into for part in range(cut_into + 1)]
        self._spans += reversed(list(pairwise(bounds)))
        return []


def _ms(time: Time) -> int:
    """Milliseconds since 1970 UTC; a number is seconds to nanoseconds by magnitude, as the API reads it."""
    if isinstance(time, int | float):
        for bound, per_ms in ((1e11, 1e-3), (1e14, 1.0), (1e17, 1e3)):
            if abs(time) < bound:
                return round(time / per_ms)
        return round(time / 1e6)
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _iso(ms: int) -> str:
    seconds, left = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{left:03}Z"
