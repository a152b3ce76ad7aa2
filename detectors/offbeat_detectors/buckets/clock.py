"""When in the day, or in the week, things happen: is this a time at which they do?"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.kept import Kept
from offbeat_detectors.kernel import inlined_kernel, kernel

SLOTS = 168
CLOCK = np.dtype([("latest", "f8"), ("known", "f8"), ("total", "f8"), ("mass", "f8", (SLOTS,))])
"""One entity, 1,368 bytes.

latest, total  its latest event, and the decayed weight of all
known          the weight of all, not decayed
mass           of the slots of the round: hours of the week, or parts of 8 min 34 s of the day
"""

Round = Literal["day", "week"]
DAY_S, WEEK_S = 86_400.0, 604_800.0
MONDAY_S = 259_200.0  # 1970 began on a Thursday
HALF_LIFE_S = {"day": 30.0 * DAY_S, "week": 12.0 * WEEK_S}
KNOWN_FIRST = 10.0  # before the first opinion
PRIOR = 1.0  # events, of which the time is unknown
SMOOTH = (0.34, 0.22, 0.09, 0.02)  # what of an event counts for its slot, and for those beside it: sums to 1


@dataclass(frozen=True, slots=True)
class ClockOpinions:
    """What is said of n times.

    probability      (n,) float64  of an event at a time at least as unusual; NaN: no opinion
    actual, typical  (n,) float64  seconds from midnight, or from Monday 0:00, UTC; typical: the nearest usual time
    """

    probability: NDArray[np.float64]
    actual: NDArray[np.float64]
    typical: NDArray[np.float64]


@kernel
def density(s: Any, smooth: NDArray[np.float64]) -> None:
    """Fill *smooth*, (SLOTS,) float64, with the weight of each slot by row *s*: its own, its neighbours', the prior."""
    for i in range(SLOTS):
        weight = PRIOR / SLOTS + SMOOTH[0] * s.mass[i]
        for step in range(1, len(SMOOTH)):
            weight += SMOOTH[step] * (s.mass[(i + step) % SLOTS] + s.mass[(i - step) % SLOTS])
        smooth[i] = weight


@inlined_kernel
def slot_of(at_s: float, round_s: float) -> int:
    """The slot of the round that holds *at_s*."""
    return min(SLOTS - 1, int(at_s * SLOTS / round_s))


@kernel
def judge_time(s: Any, at_s: float, round_s: float, smooth: NDArray[np.float64]) -> tuple[float, float]:
    """The probability of a time at least as unusual as *at_s*, and the nearest usual one; *smooth* is ``density``.

    The weight of all slots that have no more weight than that of *at_s*, over the weight of all: the complement of the
    smallest set of times that would hold it. A usual slot has at least an even share of the weight.
    Source: R. Hyndman, "Computing and graphing highest density regions", 1996.
    """
    own = slot_of(at_s, round_s)
    mass = 0.0
    for i in range(SLOTS):
        if smooth[i] <= smooth[own] * (1.0 + 1e-9):
            mass += smooth[i]
    whole = s.total + PRIOR
    usual = whole / SLOTS
    typical = at_s
    if smooth[own] < usual:
        width = round_s / SLOTS
        nearest = round_s
        for i in range(SLOTS):
            if smooth[i] >= usual:
                middle = (i + 0.5) * width
                apart = abs(middle - at_s)
                apart = min(apart, round_s - apart)
                if apart < nearest:
                    nearest, typical = apart, middle
    return min(1.0, mass / whole), typical


@kernel
def clock_all(
    rows: NDArray[Any], entity: NDArray[np.int32], bucket: NDArray[np.int64], time_s: NDArray[np.float64],
    weight: NDArray[np.float64], round_s: float, start_s: float, half_life_s: float, learns: bool,
    said: NDArray[np.float64],
) -> None:
    """``judge_time`` of n times, those of one entity and bucket before any is learned; *said* (3, n) is filled."""
    smooth = np.empty(SLOTS, np.float64)
    first = 0
    while first < entity.size:
        last = first + 1
        while last < entity.size and entity[last] == entity[first] and bucket[last] == bucket[first]:
            last += 1
        s = rows[entity[first]]
        told = s.known >= KNOWN_FIRST
        if told:
            density(s, smooth)
        for i in range(first, last):
            at_s = (time_s[i] + start_s) % round_s
            said[0, i], said[1, i], said[2, i] = np.nan, at_s, np.nan
            if told and math.isfinite(at_s):
                said[0, i], said[2, i] = judge_time(s, at_s, round_s, smooth)
        if learns:
            for i in range(first, last):
                learn_time(s, time_s[i], weight[i], round_s, start_s, half_life_s)
        first = last


@kernel
def learn_time(s: Any, time_s: float, weight: float, round_s: float, start_s: float, half_life_s: float) -> None:
    """Learn that an event came at *time_s*; those before fade by half in *half_life_s*, by the time of events."""
    if not math.isfinite(time_s) or not weight > 0.0:
        return
    if s.known > 0.0 and time_s > s.latest:
        keep = 0.5 ** ((time_s - s.latest) / half_life_s)
        s.total *= keep
        for i in range(SLOTS):
            s.mass[i] *= keep
    s.latest = max(s.latest, time_s) if s.known > 0.0 else time_s
    s.known += weight
    s.total += weight
    s.mass[slot_of((time_s + start_s) % round_s, round_s)] += weight


class ClockModel(Kept):
    """How odd is the time of an event? One model for each of *capacity* entities, 1.4 KB each.

    round  "day": time_of_day, counted from midnight; "week": time_of_week, counted from Monday 0:00; UTC

    A histogram on the circle, smoothed over three slots (26 minutes of the day, three hours of the week) to either
    side. It fades by half in 30 days, or 12 weeks. No opinion before ten events. Raises ValueError for another round.
    Functions: Prelert Engine API, section 5.
    """

    bytes_per_entity = CLOCK.itemsize

    def __init__(self, capacity: int, round: Round) -> None:
        if round not in HALF_LIFE_S:
            raise ValueError(f"round is {round!r}: expected day or week")
        self._constants = (
            DAY_S if round == "day" else WEEK_S, 0.0 if round == "day" else MONDAY_S, HALF_LIFE_S[round])
        super().__init__(capacity, CLOCK)

    def process(
        self, entity: NDArray[np.int32], bucket: NDArray[np.int64], time_s: NDArray[np.float64],
        weight: NDArray[np.float64],
    ) -> ClockOpinions:
        """Judge, then learn, the times of n events.

        entity  (n,) int32    its buckets ascend, and the rows of one are neighbours, all in one call
        bucket  (n,) int64    number of the bucket
        time_s  (n,) float64  of the event, or the mean of several, seconds from 1970 UTC; not finite: no opinion
        weight  (n,) float64  how much it teaches; 1: one event
        """
        said = np.empty((3, entity.size), np.float64)
        clock_all(self._rows, entity, bucket, time_s, weight, *self._constants, True, said)
        return ClockOpinions(*said)

    def judge(self, entity: NDArray[np.int32], time_s: NDArray[np.float64]) -> ClockOpinions:
        """Judge the times of n events and learn nothing. Arguments as of ``process``."""
        said = np.empty((3, entity.size), np.float64)
        clock_all(self._rows, entity, np.zeros(entity.size, np.int64), time_s, time_s, *self._constants, False, said)
        return ClockOpinions(*said)
