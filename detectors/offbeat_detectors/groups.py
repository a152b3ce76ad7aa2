"""What detectors that compare series share: who belongs to which group, and a panel of each group's latest values."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Evidence, Opinions, State
from offbeat_detectors.ewma import FIRST, MAX, is_count
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import save_rows, zero_rows

PLACES = 16
"""So many values a panel holds: what a member is compared with, whatever the size of its group."""

PANEL = np.dtype([
    ("value", "f8", PLACES), ("until", "i8", PLACES), ("rank", "i4", PLACES),
    ("arrivals", "i8"), ("members", "i4"), ("left", "i4"), ("next", "i4"), ("used", "i4"),
])
"""The latest values of one group, 16 places: a row of 344 bytes.

value     in spreads from the member's own level
until     the event time, in milliseconds, after which the value is too old to count
rank      whose value it is: a member is known by its rank, 1 for the first that had a point, so that what is saved
          does not depend on slots; 0: nobody's
arrivals  points of the group since its beginning
members   ranks given
left      members that were forgotten
next      the place that the next member without one takes
used      places that have ever been taken
"""

STALE_INTERVALS = 5.0  # a value older than so many of its sender's usual intervals is no longer of about the same time
INTERVAL_RATE = 0.05
INTERVAL_CLIP = 4.0  # intervals: one long gap does not make a member look slow
COUNT_MAX = 1 << 30
VALUE_MAX = 1e6
RESOLUTION = 0.5  # steps of the data: a value that is rounded can be off by this
NO_TIME = -(1 << 62)
NEVER = 1 << 40
"""``relearn`` of a member's own law: were members to jump to a new level one by one, they would seem to part."""


@kernel
def bounded(x: float, limit: float) -> float:
    """*x* within ±*limit*."""
    return min(limit, max(-limit, x))


@kernel
def less(x: float, doubt: float) -> float:
    """*x* brought nearer to 0 by *doubt*, and not beyond it; at most the largest number."""
    return math.copysign(min(MAX, max(0.0, abs(x) - doubt)), x)


@kernel
def in_spreads(x: float, location: float, unit: float) -> float:
    """How many *unit* is *x* above *location*, within ±VALUE_MAX; 0 if nothing is known of the unit."""
    if x == location or unit <= 0.0:
        return 0.0
    return bounded((x - location) / unit, VALUE_MAX)


@kernel
def enter(panel: Any, place: int, rank: int, z: float, known: bool, time_ms: int, interval: float) -> None:
    """Member *rank* now has the value *z* in the panel; if that is not *known*, none."""
    panel.rank[place] = rank
    panel.value[place] = z
    panel.until[place] = time_ms + int(STALE_INTERVALS * interval) if known else NO_TIME


@kernel
def usual_interval(interval: float, step_ms: int, seen: int) -> float:
    """The usual interval between a member's readings, in ms, after a step of *step_ms*; *seen* readings before."""
    step = float(max(0, step_ms))
    if seen <= 1:
        return step if seen == 1 else 0.0
    if interval > 0.0:
        step = min(step, INTERVAL_CLIP * interval)
    return interval + max(INTERVAL_RATE, 1.0 / seen) * (step - interval)


class Members:
    """What is kept of up to *capacity* series and their groups: some rows a series, and a panel a group.

    rows   name to array of rows; "member" has the fields "rank" and "compared", "own" is of ewma's SERIES
    panel  what a panel is; it has the fields "rank", "members" and "left" as PANEL has them
    """

    def __init__(
        self, capacity: int, dtypes: Mapping[str, np.dtype[Any]], panel: np.dtype[Any] = PANEL
    ) -> None:
        self.of = np.zeros(capacity, np.int32)  # group + 1; 0: none
        self.panels = zero_rows(capacity, panel)
        self.rows = {name: zero_rows(capacity, dtype) for name, dtype in dtypes.items()}

    @property
    def bytes_per_series(self) -> int:
        """At most: as if each series had a group of its own."""
        return self.of.itemsize + self.panels.itemsize + sum(rows.dtype.itemsize for rows in self.rows.values())

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Series *slot* belongs to *group*.

        Raises ValueError for a group out of range, and for a series with points that would change its group.
        """
        if slot.shape != group.shape:
            raise ValueError(f"{slot.size} slots and {group.size} groups: expected as many")
        if ((group < 0) | (group >= self.panels.size)).any():
            raise ValueError(f"a group is outside 0 to {self.panels.size - 1}")
        if ((self.rows["member"]["rank"][slot] > 0) & (self.of[slot] != group + 1)).any():
            raise ValueError("a series that has points cannot change its group")
        self.of[slot] = group + 1

    def warmup_left(self, slot: NDArray[np.int32], warmup: int) -> NDArray[np.int64]:
        """How many readings are left: to know the series' own level, then to compare it *warmup* times."""
        left: NDArray[np.int64] = np.maximum(0, FIRST - self.rows["own"]["seen"][slot])
        return left + np.maximum(0, np.int64(warmup) - self.rows["member"]["compared"][slot])

    def save(self, slot: NDArray[np.int32]) -> State:
        """Rows of these slots, and the panels of their groups in the order in which the slots name them first."""
        state = {f"panel_{name}": column for name, column in save_rows(self.panels, self._groups_of(slot)).items()}
        for prefix, rows in self.rows.items():
            state |= {f"{prefix}_{name}": column for name, column in save_rows(rows, slot).items()}
        return state

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots, which have joined their groups, to what ``save`` gave for as many slots."""
        for prefix, rows, index in (
            ("panel", self.panels, self._groups_of(slot)), *((name, rows, slot) for name, rows in self.rows.items()),
        ):
            for name in rows.dtype.names or ():
                column = state[f"{prefix}_{name}"]
                if len(column) != index.size:
                    what = "groups (join before restore)" if prefix == "panel" else "series"
                    raise ValueError(f"state {prefix}_{name!r} is of {len(column)} {what}: expected {index.size}")
                rows[name][index] = column

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point; a group none of whose members is left is as new."""
        for s, rank in zip(slot.tolist(), self.rows["member"]["rank"][slot].tolist(), strict=True):
            if rank > 0:
                panel = self.panels[self.of[s] - 1]
                panel["rank"][panel["rank"] == rank] = 0
                panel["left"] += 1
                if panel["left"] == panel["members"]:
                    self.panels[self.of[s] - 1] = np.zeros((), self.panels.dtype)
        for rows in self.rows.values():
            rows[slot] = np.zeros((), rows.dtype)

    def _groups_of(self, slot: NDArray[np.int32]) -> NDArray[np.int32]:
        groups, first = np.unique(self.of[slot], return_index=True)
        ordered = groups[np.argsort(first)]
        named: NDArray[np.int32] = ordered[ordered > 0] - np.int32(1)
        return named


def opinions_of(filled: NDArray[np.float64]) -> Opinions:
    """(5, n) as Opinions with one piece of evidence, to which all of the novelty is due."""
    n = filled.shape[1]
    evidence = Evidence(filled[0].astype(np.float32).reshape(n, 1), np.zeros((n, 2), np.int32), np.zeros(n, np.uint8))
    return Opinions(filled[0], filled[1], filled[2], filled[3], filled[4], evidence)


def check_parameters(half_life_readings: float, warmup_readings: int, relearn_readings: int, warmup_min: int) -> None:
    """Raises ValueError for one that is out of its range."""
    if not 10.0 <= half_life_readings <= 1e6:
        raise ValueError(f"half_life_readings is {half_life_readings}: expected 10 to 1000000")
    if not is_count(warmup_readings, warmup_min):
        raise ValueError(f"warmup_readings is {warmup_readings}: expected a whole number, {warmup_min} to 1000000")
    if not is_count(relearn_readings, 2):
        raise ValueError(f"relearn_readings is {relearn_readings}: expected a whole number, 2 to 1000000")


def rate_of(half_life_readings: float) -> float:
    """The weight of the newest reading."""
    return float(1.0 - 0.5 ** (1.0 / half_life_readings))


