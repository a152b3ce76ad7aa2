"""The built-in checks once more, slow and obvious: one reading after the other, by the civil calendar of datetime."""
from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

Value = float | None


def applies(ms: int, zone: ZoneInfo, parameters: dict[str, object]) -> bool:
    """Whether the windows of the parameters hold at this time."""
    local = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
    hours = parameters.get("hours") or ["00:00-24:00"]
    assert isinstance(hours, list)
    for text in hours:
        begin, end = text.split("-")
        now = f"{local:%H:%M}"
        if begin < end:
            days = [local] if begin <= now < end else []
        else:
            days = [local] if now >= begin else [local - timedelta(days=1)] if now < end else []
        if any(_day_holds(day, parameters) for day in days):
            return True
    return False


def _day_holds(day: datetime, parameters: dict[str, object]) -> bool:
    weekdays = parameters.get("weekdays")
    if weekdays and f"{day:%a}".lower() not in weekdays:  # type: ignore[operator]
        return False
    first, last = parameters.get("from"), parameters.get("to")
    shown = f"{day:%Y-%m-%d}" if len(str(first or last)) > 5 else f"{day:%m-%d}"
    after, before = first is None or shown >= str(first), last is None or shown <= str(last)
    if first is not None and last is not None and str(last) < str(first):
        return after or before
    return after and before


def range_levels(
    values: Sequence[float], low: float, high: float, margin: float, clear: float,
) -> list[int]:
    """The level of each value; a limit that was passed holds until the value is inside by *clear*."""
    shown: list[int] = []
    for x in values:
        level = 2 if x < low or x > high else 1 if x < low + margin or x > high - margin else 0
        if shown and level < shown[-1]:
            tight = 2 if x < low + clear or x > high - clear else (
                1 if x < low + margin + clear or x > high - margin - clear else 0)
            level = max(level, min(shown[-1], tight))
        shown.append(level)
    return shown


def rates(time_s: Sequence[int], values: Sequence[Value], over_s: float) -> list[float | None]:
    """The change per second of each reading against the newest one at least so much older."""
    found: list[float | None] = []
    for place, value in enumerate(values):
        older = [at for at in range(place) if values[at] is not None and time_s[place] - time_s[at] >= over_s]
        before = values[older[-1]] if older else None
        found.append(None if value is None or before is None
                     else (value - before) / (time_s[place] - time_s[older[-1]]))
    return found


def run_length(values: Sequence[float], tolerance: float) -> int:
    """How many of the newest values lie within the tolerance."""
    for count in range(len(values), 0, -1):
        newest = values[-count:]
        if max(newest) - min(newest) <= tolerance:
            return count
    return 0


def difference(values: Sequence[Value]) -> float | None:
    """How far the odd one is from the median of all; of two, how far they are apart. None for less than two."""
    present = [value for value in values if value is not None]
    if len(present) < 2:
        return None
    if len(present) == 2:
        return abs(present[0] - present[1])
    return max(abs(value - statistics.median(present)) for value in present)


def usual_day(minutes: Sequence[float], values: Sequence[float], length: int) -> list[tuple[float, float]]:
    """The median of each time of day that has readings, at the mean of when they were."""
    places: dict[int, list[tuple[float, float]]] = {}
    for minute, value in zip(minutes, values, strict=True):
        places.setdefault(int(minute // length), []).append((minute, value))
    return [(statistics.fmean(minute for minute, _ in places[place]),
             statistics.median(value for _, value in places[place])) for place in sorted(places)]


def on_curve(corners: Sequence[tuple[float, float]], minute: float) -> float:
    """What the curve says: a straight line from corner to corner, from the last to the first over midnight."""
    if len(corners) == 1:
        return corners[0][1]
    around = [(corners[-1][0] - 1440, corners[-1][1]), *corners, (corners[0][0] + 1440, corners[0][1])]
    for (x, y), (x_end, y_end) in pairwise(around):
        if x <= minute <= x_end:
            return y + (y_end - y) * (minute - x) / (x_end - x)
    raise AssertionError


def theil_sen(times: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Slope and value at time 0 of the line through all pairs."""
    slope = statistics.median((values[j] - values[i]) / (times[j] - times[i])
                              for j in range(len(times)) for i in range(j))
    return slope, statistics.median(v - slope * t for t, v in zip(times, values, strict=True))


def held(results: Sequence[int], raise_after: int, clear_after: int) -> list[int]:
    """Gets as bad as the best of the last *raise_after*, as good as the worst of the last *clear_after*."""
    shown: list[int] = []
    for count in range(1, len(results) + 1):
        past = results[:count]
        if not shown:
            shown.append(past[-1])
            continue
        now = shown[-1]
        if count >= raise_after:
            now = max(now, min(past[-raise_after:]))
        if count >= clear_after:
            now = min(now, max(past[-clear_after:]))
        shown.append(now)
    return shown
