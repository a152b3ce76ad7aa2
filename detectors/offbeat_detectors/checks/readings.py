"""The readings that a check is handed: a read-only sequence in time order that knows its columns. Copies nothing."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import overload
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment: the values that all columns had then."""

    time: datetime
    _values: NDArray[np.float64]

    def value(self, column: int = 0) -> float | None:
        """The value of a column, None if it has none then. Raises IndexError for a column that is not there."""
        return _present(self._values[_at(column, self._values.size)])


@dataclass(frozen=True, slots=True)
class FoundBefore:
    """A finding of a model in one of the columns."""

    time_ms: int
    column: int
    score: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How events of the sources arrived during *span_s* seconds. *rejected* lines are those of the whole daemon."""

    span_s: float
    events: int
    late: int
    rejected: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Readings(Sequence[Reading]):
    """n moments in ascending time, of k columns.

    source      of the first column          columns   names: the field, or source and field where sources differ
    time_ms     (n,) int64 since 1970 UTC    values    (n, k) float64; NaN where a column has no value then
    new_from    moments from this one on came since the check last ran: those are to be judged
    now_ms      as of when it runs: nothing later is known
    zone        where days, weeks and years begin
    last_ms     (k,) int64  when the newest reading of each column came, however long ago; -1 never
    found       what models found in the columns in this time; arrivals  how events came; only for who needs them
    """

    source: str
    columns: tuple[str, ...]
    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    new_from: int
    now_ms: int
    zone: ZoneInfo
    last_ms: NDArray[np.int64]
    found: tuple[FoundBefore, ...] = ()
    arrivals: Arrivals | None = None

    def __len__(self) -> int:
        return int(self.time_ms.size)

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> Readings: ...
    def __getitem__(self, at: int | slice) -> Reading | Readings:
        if isinstance(at, slice):
            first, last, step = at.indices(len(self))
            if step != 1:
                raise ValueError(f"a step of {step}: readings are cut in one piece")
            return self._between(first, max(first, last))
        return Reading(_moment(int(self.time_ms[at])), self.values[at])

    def __iter__(self) -> Iterator[Reading]:
        return (self[at] for at in range(len(self)))

    def column(self, which: int | str = 0) -> NDArray[np.float64]:
        """(n,) values of a column by its place or name, NaN where it has none. Raises IndexError if it is not there."""
        return self.values[:, self._place(which)]

    def value(self, which: int | str = 0) -> float | None:
        """The newest value of a column by its place or name; None if it has none at all."""
        present = np.flatnonzero(~np.isnan(column := self.column(which)))
        return float(column[present[-1]]) if present.size else None

    def series(self, which: int | str = 0) -> list[float | None]:
        """The values of a column, one for each moment."""
        return [_present(value) for value in self.column(which)]

    def times(self) -> list[datetime]:
        """When the moments were, UTC."""
        return [_moment(int(ms)) for ms in self.time_ms]

    @property
    def now(self) -> datetime:
        """As of when the check runs, UTC."""
        return _moment(self.now_ms)

    @property
    def new(self) -> Readings:
        """The moments that are to be judged."""
        return self._between(self.new_from, len(self))

    @property
    def before(self) -> Readings:
        """The moments before those that are to be judged."""
        return self._between(0, self.new_from)

    def since(self, *, days: float = 0.0, hours: float = 0.0, seconds: float = 0.0) -> Readings:
        """The moments of so long before ``now``."""
        back_ms = timedelta(days=days, hours=hours, seconds=seconds) / timedelta(milliseconds=1)
        return self._between(int(np.searchsorted(self.time_ms, self.now_ms - back_ms)), len(self))

    def between(self, start: datetime, end: datetime) -> Readings:
        """The moments from *start* on, before *end*. Both know their zone."""
        first, last = np.searchsorted(self.time_ms, [start.timestamp() * 1000, end.timestamp() * 1000])
        return self._between(int(first), int(max(first, last)))

    def _between(self, first: int, last: int) -> Readings:
        return replace(
            self, time_ms=self.time_ms[first:last], values=self.values[first:last],
            new_from=min(max(self.new_from - first, 0), last - first),
        )

    def _place(self, which: int | str) -> int:
        if isinstance(which, int):
            return _at(which, len(self.columns))
        if which not in self.columns:
            raise IndexError(f"there is no column {which!r}: there are {', '.join(self.columns)}")
        return self.columns.index(which)


def _at(column: int, count: int) -> int:
    if not 0 <= column < count:
        raise IndexError(f"there is no column {column}: there are {count}")
    return column


def _present(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
