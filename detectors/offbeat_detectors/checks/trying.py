"""For tests of a check: readings from plain lists. Needs no daemon."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from offbeat_detectors.checks.readings import Arrivals, FoundBefore, Readings
from offbeat_detectors.civil import zone as zone_of

Value = float | None


def readings(
    times: Sequence[datetime | str | float],
    values: Sequence[Value] | Mapping[str, Sequence[Value]],
    *,
    source: str = "source",
    zone: str = "UTC",
    now: datetime | str | float | None = None,
    new: int | None = None,
    found: Sequence[FoundBefore] = (),
    arrivals: Arrivals | None = None,
) -> Readings:
    """Readings as the daemon hands them to a check.

    times   aware datetimes, ISO texts (without an offset: of the zone) or seconds since 1970; ascending
    values  one list, or a list for each name of a column; None where there is no value
    now     as of when the check runs; the last time, if not given
    new     so many of the last moments came since it last ran; all, if not given

    Raises ValueError for lists of different lengths, times that do not ascend, an unknown zone, or more *new* moments
    than there are.
    """
    columns = values if isinstance(values, Mapping) else {"value": values}
    rules = zone_of(zone)

    def ms(at: datetime | str | float) -> int:
        if isinstance(at, int | float):
            return round(at * 1000)
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        return round((moment if moment.tzinfo else moment.replace(tzinfo=rules)).timestamp() * 1000)

    time_ms = np.array([ms(at) for at in times], np.int64)
    table = np.full((time_ms.size, len(columns)), np.nan)
    for place, (name, column) in enumerate(columns.items()):
        if len(column) != time_ms.size:
            raise ValueError(f"{name} has {len(column)} values: expected {time_ms.size}, one for each time")
        table[:, place] = [np.nan if value is None else value for value in column]
    if (np.diff(time_ms) <= 0).any():
        raise ValueError("the times do not ascend")
    if new is not None and not 0 <= new <= time_ms.size:
        raise ValueError(f"new is {new}: expected 0 to {time_ms.size}")
    present = ~np.isnan(table)
    last_ms = np.max(np.where(present, time_ms[:, None], -1), axis=0, initial=-1)
    for array in (time_ms, table, last_ms):
        array.setflags(write=False)
    now_ms = ms(now) if now is not None else int(time_ms[-1]) if time_ms.size else 0
    return Readings(source, tuple(columns), time_ms, table, 0 if new is None else time_ms.size - new, now_ms, rules,
                    last_ms, tuple(found), arrivals)
