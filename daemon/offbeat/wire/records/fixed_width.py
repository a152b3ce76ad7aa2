"""Times that all have their digits at the same places, read together as columns of bytes."""
from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.times import TIME_MS_MAX, TIME_MS_MIN

LIMITS = {"y": (1, 9999), "yy": (0, 99), "M": (1, 12), "d": (1, 31), "H": (0, 23), "m": (0, 59), "s": (0, 59)}
OFFSET = re.compile(r"([+-])([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2}))?)?")
ZONES_MAX = 8
"""Most different zones of one column that are read together; times in further ones are left out."""
DAYS_OF_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for a time that cannot be read."""
Column = NDArray[np.int64]


def offset_s(zone: str) -> int | None:
    """Seconds east of Greenwich of ``Z`` or a numeric zone; None if it is neither or 24 hours or more."""
    if zone in ("Z", "z"):
        return 0
    match = OFFSET.fullmatch(zone)
    if match is None:
        return None
    hours, minutes, seconds = int(match[2]), int(match[3] or 0), int(match[4] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return (-1 if match[1] == "-" else 1) * (hours * 3600 + minutes * 60 + seconds)


class FixedWidth:
    """Numbers of a fixed width, texts between them, and perhaps a zone at the end.

    numbers   kind (y yy M d H m s S), start and stop of each
    literals  byte of the text at each place that is no number
    width     characters before the zone
    """

    def __init__(
        self, numbers: Sequence[tuple[str, int, int]], literals: dict[int, int], width: int, zoned: bool,
    ) -> None:
        self._numbers = numbers
        self._places = np.array(sorted(literals), np.int64)
        self._literals = np.array([literals[place] for place in sorted(literals)], np.uint8)
        self._width = width
        self._zoned = zoned

    def read(self, texts: Sequence[str]) -> tuple[Column, NDArray[np.bool_]]:
        """The time of each text, milliseconds since 1970, (n,) int64, and whether it was read, (n,) bool.

        A text that was not read may still be a time: another width, spaces around it.
        """
        found, read = np.full(len(texts), NO_TIME), np.zeros(len(texts), np.bool_)
        size = len(texts[0])
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        alike = np.flatnonzero(lengths == size)
        joined = "".join(texts if alike.size == len(texts) else [texts[i] for i in alike.tolist()])
        if size < self._width or (size > self._width) is not self._zoned or not joined.isascii():
            return found, read
        data = np.frombuffer(joined.encode(), np.uint8).reshape(-1, size)
        ok = (data[:, self._places] == self._literals).all(axis=1)
        values: dict[str, Column] = {}
        for kind, start, stop in self._numbers:
            digits = data[:, start:stop] - np.uint8(48)  # below "0" wraps to beyond 9
            ok &= (digits < 10).all(axis=1)
            value = digits[:, 0].astype(np.int64)
            for i in range(1, stop - start):
                value = value * 10 + digits[:, i]
            if kind == "S":
                value = value * 1000 // 10 ** (stop - start)
            else:
                low, high = LIMITS[kind]
                ok &= (value >= low) & (value <= high)
            values[kind] = value
        time_ms = _local_ms(values, ok)
        if self._zoned:
            ok &= _to_utc(time_ms, data[:, self._width :], ok)
        ok &= (time_ms >= TIME_MS_MIN) & (time_ms <= TIME_MS_MAX)
        read[alike], found[alike] = ok, time_ms
        found[~read] = NO_TIME
        return found, read


def _local_ms(values: dict[str, Column], ok: NDArray[np.bool_]) -> Column:
    """Milliseconds since 1970 of columns of numbers; *ok* turns false where there is no such day.

    Source: H. Hinnant, "chrono-compatible low-level date algorithms", 2014 (days_from_civil).
    """
    one = np.ones(ok.size, np.int64)
    year = values["y"] if "y" in values else values["yy"] + 2000
    month, day = values.get("M", one), values.get("d", one)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    ok &= day <= DAYS_OF_MONTH[np.clip(month, 1, 12) - 1] + (leap & (month == 2))
    year = year - (month <= 2)
    of_era = year % 400
    day_of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days = year // 400 * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468
    nothing = 0 * one
    hour, minute, second = (values.get(kind, nothing) for kind in "Hms")
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + values.get("S", nothing)


def _to_utc(time_ms: Column, zones: NDArray[np.uint8], ok: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the offset of each zone off *time_ms*, in place; where a zone was understood, (n,) bool."""
    done = np.zeros(ok.size, np.bool_)
    for _ in range(ZONES_MAX):
        left = ok & ~done
        if not left.any():
            break
        first = zones[int(np.argmax(left))]
        same = left & (zones == first).all(axis=1)
        offset = offset_s(first.tobytes().decode())
        if offset is None:
            break  # one by one says so, too
        time_ms[same] -= offset * 1000
        done |= same
    return done
