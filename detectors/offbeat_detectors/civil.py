"""Civil time: how far a time zone is ahead of UTC at an instant. A table made once, and a kernel that looks it up."""
from __future__ import annotations

import importlib.resources
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import inlined_kernel, kernel

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
_FROM_S = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp())
_TO_S = int(datetime(2101, 1, 1, tzinfo=UTC).timestamp())
_STRIDE_S = 86_400  # no zone has changed its offset twice within a day, and back


def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name, by the rules of the pinned package tzdata; ValueError if it has none.

    Not by those of the operating system: an update there would change results of one and the same journal.
    """
    parts = name.split("/")
    if all(part.isascii() and part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts):
        file = importlib.resources.files("tzdata").joinpath("zoneinfo", *parts)
        if file.is_file():
            with file.open("rb") as opened:
                if opened.read(4) == b"TZif":
                    opened.seek(0)
                    return ZoneInfo.from_file(opened, name)
    raise ValueError(f"{name!r} is no time zone: expected a name of the IANA database, like Europe/Berlin or UTC")


@cache
def transitions(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The instants from 1970 to 2100 at which the zone's offset from UTC changes, and the offsets.

    transitions_ms  (k,) int64  ascending, milliseconds since 1970 UTC; the first stands for all time before the second
    offsets_ms      (k,) int64  what civil time is ahead of UTC from then on; the last holds for ever

    Raises ValueError for a name that is no zone.
    """
    rules = zone(name)

    def offset_s(at_s: int) -> int:
        shift = datetime.fromtimestamp(at_s, rules).utcoffset()
        return 0 if shift is None else round(shift.total_seconds())

    at, ahead = [_FROM_S], [offset_s(_FROM_S)]
    for day in range(_FROM_S, _TO_S, _STRIDE_S):
        if offset_s(day + _STRIDE_S) != ahead[-1]:
            before, after = day, day + _STRIDE_S
            while after - before > 1:
                middle = (before + after) // 2
                if offset_s(middle) == ahead[-1]:
                    before = middle
                else:
                    after = middle
            at.append(after)
            ahead.append(offset_s(after))
    return np.array(at, np.int64) * 1000, np.array(ahead, np.int64) * 1000


@inlined_kernel
def span_at(transitions_ms: NDArray[np.int64], time_ms: int, hint: int) -> int:
    """Which span between two transitions holds *time_ms*: the index for ``offsets_ms``, and the next call's *hint*.

    hint  where to look first, any integer: times that follow one another are mostly in the same span
    """
    last = transitions_ms.size - 1
    hint = min(last, max(0, hint))
    if (hint == 0 or time_ms >= transitions_ms[hint]) and (hint == last or time_ms < transitions_ms[hint + 1]):
        return hint
    low, high = 0, last + 1
    while high - low > 1:
        middle = (low + high) // 2
        if time_ms >= transitions_ms[middle]:
            low = middle
        else:
            high = middle
    return low


@kernel
def offset_at(transitions_ms: NDArray[np.int64], offsets_ms: NDArray[np.int64], time_ms: int, hint: int) -> int:
    """How many milliseconds civil time is ahead of UTC at *time_ms*. The arrays are those of ``transitions``.

    hint  as of ``span_at``, which gives the next one
    """
    return int(offsets_ms[span_at(transitions_ms, time_ms, hint)])
