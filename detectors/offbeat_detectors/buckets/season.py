"""What the next bucket is expected to hold: level, trend, and seasons of day and week that have proven themselves."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from offbeat_detectors.kernel import inlined_kernel, kernel

SLOW, FAST, DAILY, WEEKLY = range(4)
COURSES = 4
"""A level with a trend, a level that follows at once, a slow level with the season of the day, and of the week too."""

DAY_S, WEEK_S = 86_400, 604_800
DAY_SLOTS, WEEK_SLOTS = 96, 168

COURSE = np.dtype([
    ("first", "i8"), ("last", "i8"), ("level", "f8", (COURSES,)), ("trend", "f8"),
    ("error", "f4", (COURSES,)), ("rival", "f4", (COURSES,)), ("seen", "u2", (COURSES,)), ("active", "u2"),
    ("count", "u2"),
    ("daily_unit", "f4"), ("weekly_unit", "f4"),
    ("daily", "i2", (DAY_SLOTS,)), ("weekly", "i2", (WEEK_SLOTS,)),
    ("daily_seen", "u1", (DAY_SLOTS,)), ("weekly_seen", "u1", (WEEK_SLOTS,)),
])
"""Four forecasts of one entity, of which the one with the least error is believed: 900 bytes.

first, last   its first and its latest bucket
level, error  of each course, in the unit of the data; the error is the root of a mean square, winsorised
rival         the error, over the same values, of the course that is believed
trend         of the slow level, a bucket
active        the course that is believed
count, seen   values learned since the level was last begun; since each course can be compared: COUNT_MAX at most
daily, weekly what quarters of an hour of the day, and hours of the week, differ by; *_seen: how often each was seen
*_unit        of the entries of such a table: a power of two, 0 as long as all are 0

An entry of a table has 16 bits of the largest, how often it was seen is one of SEEN. What lies between two such numbers
becomes the lower or the upper, with chances that make the mean right: small steps add up, where rounding would lose
them. Chance is a function of the bucket, so the same values give the same bits. Source: R. Morris, "Counting large
numbers of events in small registers", 1978.
"""

SLOW_GAIN, FAST_GAIN = 1.0 / 64.0, 0.35
TREND_FROM = 16  # values: earlier a slope is noise
AHEAD_MAX = 32  # buckets that a trend is carried over a gap
ERROR_GAIN = 1.0 / 64.0  # or a day, if that is more values: a season shows its worth once a day
BETTER = 0.8  # of the mean square error of the course believed so far
PROOF = 0.5  # of a day: so long a season must foretell before it may be believed
PROOF_MIN, PROOF_MAX = 8, 48  # values
SMALLER_MIN = 1e-6  # however well a season foretells
DAYS_KEPT, WEEKS_KEPT = 7.0, 5.0
WEEK_GAIN = 1.0 / 28.0
TABLE_REACH = 4.0  # a season may be sharper than any noise
TABLE_WEIGHT_MIN = 0.25  # of a value that is odd only because its season is not believed yet
COUNT_MAX = 65_000
SMALL_MAX = 1e37  # what a 32-bit number holds
ENTRY_MAX = 32_766.0
ENTRY_BEGINS = 2.0**12  # the first entry of a table is less, and half of it or more: others may be eight times as large
UNIT_MIN = 2.0**-110
SEEN = np.concatenate([np.arange(96) / 12.0, 8.0 * 1.05 ** np.arange(160)])
"""How often an entry was seen, by the byte that says so: up to 8 in twelfths, then in steps of 5 %, up to 18,700. At
first each counts, for a mean of values that lie on both sides of a slot is only right if each has its weight."""


@inlined_kernel
def place(bucket: int, span_s: int, round_s: int, slots: int) -> float:
    """Where in its round, in slots from the middle of slot 0, the middle of a bucket lies: 0 up to *slots*."""
    at = ((bucket % (2 * round_s)) * span_s + span_s // 2) % round_s
    return (at * slots / round_s - 0.5) % slots


@inlined_kernel
def between(table: Any, unit: float, at: float) -> float:
    """The value of a round table at *at* slots, between two of its entries in proportion."""
    slot = int(at)
    share = at - slot
    size = table.size
    return float(unit * ((1.0 - share) * table[slot % size] + share * table[(slot + 1) % size]))


@inlined_kernel
def chances(bucket: int, step: int) -> tuple[float, float]:
    """Two numbers from 0 up to 1, of 26 bits each, that look like chance: a hash. Source: S. Vigna, "splitmix64"."""
    mixed = (np.uint64(bucket) * np.uint64(2) + np.uint64(step)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return float(mixed >> np.uint64(38)) * 2.0**-26, float(mixed & np.uint64(0x3FFFFFF)) * 2.0**-26


@inlined_kernel
def counted(code: int, times: float, chance: float) -> int:
    """The byte, *code* or more, that says *times*, or the next with the chance that is due."""
    at = int(code)
    while at < SEEN.size - 1 and SEEN[at + 1] <= times:
        at += 1
    if at < SEEN.size - 1 and times - SEEN[at] > chance * (SEEN[at + 1] - SEEN[at]):
        at += 1
    return at


@inlined_kernel
def unit_for(table: Any, unit: float, most: float) -> float:
    """The unit in which *table* holds *most* as well; its entries are in that unit then."""
    if most <= ENTRY_MAX * unit or most == 0.0:
        return unit
    if unit == 0.0:
        return max(UNIT_MIN, 2.0 ** math.frexp(most)[1] / ENTRY_BEGINS)
    larger = unit
    while most > ENTRY_MAX * larger:
        larger *= 2.0
    for i in range(table.size):
        table[i] = math.floor(table[i] * (unit / larger) + 0.5)
    return larger


@inlined_kernel
def teach(
    table: Any, seen: Any, unit: float, bucket: int, at: float, error: float, weight: float, seen_max: float,
) -> float:
    """Move the two entries around *at* by their share of *error*: means at first, then of the last *seen_max* times.

    The unit of the table from now on.
    """
    slot = int(at)
    share = at - slot
    size = table.size
    for step in range(2):
        part = weight * (share if step else 1.0 - share)
        if part > 0.0:
            i = (slot + step) % size
            chance, other = chances(bucket, step)
            times = min(seen_max, SEEN[seen[i]] + part)
            moved = min(SMALL_MAX, max(-SMALL_MAX, table[i] * unit + error * part / max(times, part)))
            seen[i] = counted(seen[i], times, chance)
            unit = unit_for(table, unit, abs(moved))
            if unit > 0.0:
                table[i] = math.floor(moved / unit + other)
    return unit


@inlined_kernel
def has_days(span_s: int) -> bool:
    """Whether buckets of this span can tell the time of day."""
    return 3 * span_s <= DAY_S


@inlined_kernel
def has_weeks(span_s: int) -> bool:
    """Whether buckets of this span can tell the day of the week."""
    return span_s <= DAY_S


@kernel
def expect(s: Any, course: int, bucket: int, span_s: int) -> float:
    """What *course* of *s*, a row of dtype COURSE, expects of *bucket*."""
    expected = s.level[course]
    if course == SLOW:
        return float(expected + s.trend * min(AHEAD_MAX, max(1, bucket - s.last)))
    if course >= DAILY and has_days(span_s):
        expected += between(s.daily, s.daily_unit, place(bucket, span_s, DAY_S, DAY_SLOTS))
    if course == WEEKLY:
        expected += between(s.weekly, s.weekly_unit, place(bucket, span_s, WEEK_S, WEEK_SLOTS))
    return float(expected)


@inlined_kernel
def jump(table: Any, at: float) -> float:
    """By how many units a round table jumps around *at* slots: the largest step beyond the mean of those beside it."""
    slot = int(at)
    size = table.size
    most = 0.0
    for near in range(-1, 2):
        i = slot + near
        here = abs(table[(i + 1) % size] - table[i % size])
        before = abs(table[i % size] - table[(i - 1) % size])
        after = abs(table[(i + 2) % size] - table[(i + 1) % size])
        most = max(most, here - 0.5 * (before + after))
    return float(most)


@kernel
def edge(s: Any, bucket: int, span_s: int) -> float:
    """How far off a value may be because the moment of a change is known to a slot only: 0 where seasons are smooth.

    For buckets shorter than a slot, and a season that is believed: what begins at 3:05 every night is between two
    slots of the day.
    """
    off = 0.0
    if s.active >= DAILY and has_days(span_s) and span_s * DAY_SLOTS < DAY_S:
        off = s.daily_unit * jump(s.daily, place(bucket, span_s, DAY_S, DAY_SLOTS))
    if s.active == WEEKLY and span_s * WEEK_SLOTS < WEEK_S:
        off += s.weekly_unit * jump(s.weekly, place(bucket, span_s, WEEK_S, WEEK_SLOTS))
    return float(off)


@inlined_kernel
def root(square: float) -> float:
    """The root of a mean square, as it is kept."""
    return min(SMALL_MAX, math.sqrt(square))


@kernel
def begin(s: Any, first: int, last: int, level: float, error: float, count: int) -> None:
    """Begin all courses at *level*."""
    s.first, s.last, s.count, s.active, s.trend = first, last, count, SLOW, 0.0
    for course in range(COURSES):
        s.level[course] = level
        s.error[course] = s.rival[course] = root(error)
        s.seen[course] = count if course <= FAST else 0
    s.daily_unit = s.weekly_unit = 0.0
    s.daily[:] = 0
    s.daily_seen[:] = 0
    s.weekly[:] = 0
    s.weekly_seen[:] = 0


@kernel
def shift(s: Any, by: float, count: int) -> None:
    """A new level, *by* away from the one that was expected, of which *count* values tell.

    Seasons that are not believed yet stay where they are: what looks like a new level may be the hour of the day.
    """
    for course in range(COURSES if s.active >= DAILY else DAILY):
        s.level[course] += by
    s.trend = 0.0
    s.count = min(s.count, count)


@kernel
def learn(s: Any, bucket: int, span_s: int, x: float, weight: float, reach: float) -> float:
    """Learn *x* of *bucket*: every course, and which is believed. By what factor squared errors are smaller now, or 1.

    weight  of the value, 0 to 1
    reach   no level is moved by an error larger than this

    The slow level and its trend are a critically damped filter (C. Holt, 1957). The season of the day is what its
    first day held, then a mean of the last seven days; it is compared from its second day on, that of the week from
    the second week. Another course is believed once its error is BETTER times that of the one believed, over the same
    values, so a season that is not there costs nothing.
    """
    days = has_days(span_s)
    day = DAY_S / span_s
    gain = weight / (s.count + 1.0)
    day_gain = weight * min(1.0 / 24.0, 1.0 / day)
    second_day = (bucket - s.first) * span_s >= DAY_S
    second_week = (bucket - s.first) * span_s >= WEEK_S + DAY_S
    foreseen = (expect(s, SLOW, bucket, span_s), expect(s, FAST, bucket, span_s),
                expect(s, DAILY, bucket, span_s), expect(s, WEEKLY, bucket, span_s))
    believed = min(reach * reach, (x - foreseen[s.active]) ** 2)
    table_weight = weight if s.active >= DAILY else max(weight, TABLE_WEIGHT_MIN)
    for course in range(COURSES):
        if (course == DAILY and not days) or (course == WEEKLY and not has_weeks(span_s)):
            continue
        residual = x - foreseen[course]
        if course <= FAST or (course == DAILY and second_day) or (course == WEEKLY and second_week):
            off = min(residual * residual, reach * reach)
            known = s.seen[course]
            rate = weight * max(1.0 / (known + 1.0), min(ERROR_GAIN, 1.0 / day))
            error, rival = float(s.error[course]) ** 2, float(s.rival[course]) ** 2
            s.error[course] = root(error + rate * (off - error))
            s.rival[course] = root(rival + rate * (believed - rival))
            s.seen[course] = min(known + 1, COUNT_MAX)
        pull = min(reach, max(-reach, residual))
        wide = min(TABLE_REACH * reach, max(-TABLE_REACH * reach, residual))
        if course == SLOW:
            step = max(weight * SLOW_GAIN, gain)
            s.level[SLOW] = foreseen[SLOW] + step * pull
            if s.count >= TREND_FROM:
                s.trend += 0.25 * step * step * pull
        elif course == FAST:
            s.level[FAST] += max(weight * FAST_GAIN, gain) * pull
        elif course == DAILY:
            if second_day:
                s.level[DAILY] += day_gain * pull
            s.daily_unit = teach(
                s.daily, s.daily_seen, s.daily_unit, bucket, place(bucket, span_s, DAY_S, DAY_SLOTS), wide,
                table_weight, max(2.0, DAYS_KEPT * day / DAY_SLOTS))
        else:
            if days:
                s.level[WEEKLY] = s.level[DAILY]
            elif second_week:
                s.level[WEEKLY] += weight * WEEK_GAIN * pull
            if second_day or not days:
                s.weekly_unit = teach(
                    s.weekly, s.weekly_seen, s.weekly_unit, bucket, place(bucket, span_s, WEEK_S, WEEK_SLOTS), wide,
                    table_weight, max(2.0, WEEKS_KEPT * 7.0 * day / WEEK_SLOTS))
    s.last = bucket
    s.count = min(s.count + 1, COUNT_MAX)

    proof = min(PROOF_MAX, max(PROOF_MIN, int(PROOF * day)))
    best, least = s.active, BETTER
    for course in range(COURSES):
        error, rival = float(s.error[course]) ** 2, float(s.rival[course]) ** 2
        if course != s.active and s.seen[course] >= proof and error < least * rival:
            best, least = course, error / rival
    if best == s.active:
        return 1.0
    s.active = best
    for course in range(COURSES):
        s.rival[course] = max(s.rival[course], s.error[course]) if course != best else s.error[course]
    return float(max(SMALLER_MIN, least))
