"""What a series will probably read next, and between which bounds: eight cheap experts, weighted by their errors."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.civil import DAY_MS, WEEK_MS
from offbeat_detectors.jumps import median_of_five
from offbeat_detectors.kernel import inlined_kernel, kernel
from offbeat_detectors.rows import AHEAD, NEAR, offset_of, prefetch_at, prefetch_until

LAST, RECENT, SLOW, USUAL, TREND, DAY, WEEK, PATTERN = range(8)
NAMES = ("last value", "recent level", "slow level", "usual value", "trend", "day", "week", "pattern")
"""The experts, in the order of the field "error"."""


def layout(day_slots: int, week_slots: int) -> np.dtype[Any]:
    """The row of a series whose civil day and week are cut into so many slots each; 1 week slot: no week at all."""
    return np.dtype([
        ("last", "f8"), ("recent", "f8"), ("slow", "f8"), ("usual", "f8"), ("trend", "f8"), ("slope", "f8"),
        ("day_level", "f8"), ("week_level", "f8"), ("anchor", "f8"), ("grain", "f8"), ("day_mean", "f8"),
        ("week_mean", "f8"), ("scale", "f8"), ("step", "f8"), ("above", "f8"), ("below", "f8"), ("raw", "f8"),
        ("time_ms", "i8"), ("error", "f4", (8,)), ("interval_ms", "f4"), ("limit", "f4"), ("seen", "i4"),
        ("day_count", "u2"), ("week_count", "u2"), ("day_slot", "u1"), ("week_slot", "u1"),
        ("day_passes", "u1"), ("week_passes", "u1"), ("day_known", "u1"), ("week_known", "u1"), ("pattern_known", "u1"),
        ("votes", "u1"), ("run", "i1"), ("far", "i1"), ("day", "u2", (day_slots,)), ("week", "u2", (week_slots,)),
    ], align=True)


EXPERTS = layout(48, 168)
"""One series: 640 bytes.

last, recent, slow   the levels of three experts: the last reading, and two exponentially weighted means
usual, votes         the value that most readings repeat, and by how many it leads
trend, slope         level, and change in a millisecond
day, week            what a reading at this time of the civil day (week) lies above the anchor, in grains, + 32768; 0:
                     not known. day_mean, day_count: the readings of day_slot, which the table learns when it is over;
                     day_level: recent level of what the table leaves over; day_passes: how often the table was filled
error                mean absolute error of each expert; the last three had an opinion day_known, … times (at most 255)
scale, step          mean absolute error of the typical value; a low quantile of the non-zero steps: the resolution
above, below         so many scales from the typical value hold all but 1 % of the readings on that side
limit                so many scales away, a reading is doubted; far: whether the one before was, +1 above, −1 below
raw, time_ms         the reading before and its time; interval_ms: the usual time between two
run                  readings in a row above (positive) or below (negative) the slow level
While seen < FIRST, the first fields hold the raw readings.
"""
EXPERTS_LIGHT = layout(24, 1)
"""The same without the week, and with the day in hours: 256 bytes."""

_TABLES = offset_of(EXPERTS, "day")
"""Where the tables begin, of which a reading needs two numbers: in bytes."""

FIRST = warmup = 5  # readings before the first opinion: their median bears two absurd values
VALUE_MAX = 1e300  # what is beyond counts as this, so that no sum or difference overflows
ERROR_MAX = 1e38  # an error is kept as a float32
RECENT_GAIN, SLOW_GAIN, LEVEL_GAIN, TREND_GAIN, SLOPE_GAIN = 0.3, 0.03, 0.15, 0.5, 0.05
SLOW_CLIP, SLOPE_CLIP = 2.5, 2.5  # scales: no reading moves these by more than gain times this
ERROR_RATE, ERROR_CLIP = 0.01, 16.0
SCALE_RATE, SCALE_CLIP = 0.02, 4.0
OUTSIDE = 0.01  # share of the readings beyond each bound
REACH_START, REACH_MIN, REACH_MAX = 3.0, 0.25, 1e30
REACH_RATE, REACH_RATE_FIRST = 0.04, 4.0
LIMIT_START, LIMIT_MIN, LIMIT_MAX, LIMIT_RISE, LIMIT_FALL = 32.0, 16.0, 1e30, 16.0, 0.9995
UNSURE = 4.0  # what is known from n readings reaches 1 + UNSURE/n as far
TABLE_GAIN, TABLE_ZERO, TABLE_RANGE, GRAINS, EDGE = 0.2, 32768, 32700.0, 32.0, 4.0
ANCHOR_MS = 7.0 * DAY_MS
SPAN_MAX = 8.0  # intervals: a longer gap counts as this
STEP_RISE, ROUNDING = 1.02, 1e-12
SEEN_MAX = 1 << 30


@kernel
def first_sight(s: Any) -> None:
    """Levels, scale and resolution of the FIRST raw readings in *s*: their median, and the median deviation from it."""
    first = (s.last, s.recent, s.slow, s.usual, s.trend)
    step = 0.0
    for i in range(1, FIRST):
        d = abs(first[i] - first[i - 1])
        if d > ROUNDING * abs(first[i]) and (step == 0.0 or d < step):
            step = d
    a, b, c, d, e = first
    level = median_of_five(a, b, c, d, e)
    scale = median_of_five(abs(a - level), abs(b - level), abs(c - level), abs(d - level), abs(e - level))
    s.last = s.recent = s.slow = s.usual = s.trend = s.day_level = s.week_level = s.anchor = level
    s.scale = scale
    s.step = step
    s.slope = 0.0
    s.above = s.below = REACH_START
    s.limit = LIMIT_START
    for i in range(8):
        s.error[i] = min(ERROR_MAX, 2.0 * s.scale)


@inlined_kernel
def table_at(table: NDArray[np.uint16], at: float) -> float:
    """What a cyclic table says at position *at*, in grains: on the line between two slots' middles; NaN: not known.

    Not across an edge, where a slot differs from one neighbour far more than from the other: it says its own value.
    """
    n = table.size
    own = min(n - 1, int(at))
    here = table[own]
    if here == 0:
        return np.nan
    beyond = at - own - 0.5
    after = own + 1 if own + 1 < n else 0
    before = own - 1 if own > 0 else n - 1
    there, behind = (table[after], table[before]) if beyond > 0.0 else (table[before], table[after])
    value = float(here) - TABLE_ZERO
    rise = float(there) - float(here)
    if there != 0 and behind != 0 and abs(rise) <= EDGE * abs(float(here) - float(behind)) + GRAINS:
        value += abs(beyond) * rise
    return value


@kernel
def coarsen(table: NDArray[np.uint16]) -> None:
    """The table in grains of twice the size."""
    for i in range(table.size):
        if table[i] != 0:
            table[i] = np.uint16(TABLE_ZERO + (np.int64(table[i]) - TABLE_ZERO) // 2)


@kernel
def commit(s: Any, table: NDArray[np.uint16], slot: int, value: float, passes: int) -> None:
    """Let slot *slot* of *table* learn that its readings lay *value* above the anchor, of a series with *passes* days.

    A value beyond the range of the table doubles the grain, once: no value, however far, spoils it.
    """
    if s.grain == 0.0:
        s.grain = max(s.scale, s.step) / GRAINS
    code = 0.0
    if s.grain > 0.0:
        code = value / s.grain
        if abs(code) > TABLE_RANGE:
            coarsen(s.day)
            coarsen(s.week)
            s.grain *= 2.0
            code *= 0.5
    code = min(TABLE_RANGE, max(-TABLE_RANGE, code))
    known = table[slot]
    if known != 0:
        before = float(known) - TABLE_ZERO
        code = before + max(TABLE_GAIN, 1.0 / (passes + 1.0)) * (code - before)
    table[slot] = np.uint16(TABLE_ZERO + round(code))


@inlined_kernel
def weight(error: float, floor: float) -> float:
    """One over the sixteenth power of an expert's error, in units of *floor*, the smallest error that counts."""
    ratio = floor / (error + floor)
    square = ratio * ratio
    square *= square
    square *= square
    return square * square


@inlined_kernel
def paced(gain: float, pace: float) -> float:
    """What *gain* in one interval is in *pace* intervals: close to 1 − (1 − gain)^pace, without the power."""
    return gain if pace == 1.0 else gain * pace / (1.0 + gain * (pace - 1.0))


@inlined_kernel
def error_rate(known: int) -> float:
    """How fast the error of an expert is learned that had *known* opinions, at most 255."""
    return ERROR_RATE if known == 255 else max(ERROR_RATE, 1.0 / (known + 2.0))


@inlined_kernel
def learn_error(error: float, x: float, said: float, clip: float, rate: float) -> float:
    """The mean absolute error of an expert that said *said* of *x*, no error counting more than *clip*."""
    return error + rate * (min(abs(x - said), clip) - error)


@inlined_kernel
def judge_then_learn(
    rows: NDArray[Any], slot: int, time_ms: int, x: float, offset_ms: int, successor: float,
) -> tuple[float, float, float]:
    """Typical value, lower and upper bound of reading *x* of series *slot*, from what came before; then learn *x*.

    rows       (capacity,) of dtype EXPERTS or EXPERTS_LIGHT, changed in place
    time_ms    of the reading; offset_ms: what civil time is ahead of UTC then
    successor  the value that the nearest past pattern was followed by; NaN: none

    All three are NaN for the first FIRST readings. About 98 % of the readings are within the bounds.
    Sources: J. Bates, C. Granger, "The combination of forecasts", 1969 (weights from past errors; here the inverse
    sixteenth power of the mean absolute error, so that one good expert is heard nearly alone); C. Holt, "Forecasting
    seasonals and trends by exponentially weighted moving averages", 1957 (trend; here in time, its slope learned from
    clipped errors); R. Boyer, J. Moore, "MJRTY", 1991 (the usual value); H. Robbins, S. Monro, "A stochastic
    approximation method", 1951 (the bounds; in steps proportional to themselves).
    """
    s = rows[slot]
    x = min(VALUE_MAX, max(-VALUE_MAX, x))
    seen = s.seen
    since = time_ms - s.time_ms if seen > 0 else 0
    s.time_ms = time_ms
    s.seen = min(seen + 1, SEEN_MAX)
    interval = float(s.interval_ms)
    if since > 0:
        # The first interval may be a gap: no interval counts more than four times the usual one.
        s.interval_ms = since if interval == 0.0 else interval + 0.05 * (min(float(since), 4.0 * interval) - interval)
    if seen < FIRST:
        if seen == 0:
            s.last = x
        elif seen == 1:
            s.recent = x
        elif seen == 2:
            s.slow = x
        elif seen == 3:
            s.usual = x
        else:
            s.trend = x
            first_sight(s)
        s.raw = x
        return np.nan, np.nan, np.nan

    # Forgetting is per time: pace is the time since the last reading in usual intervals.
    pace, span = 1.0, 1.0
    if interval > 0.0:
        span = min(max(0.0, float(since)), SPAN_MAX * interval)
        if since > 0:
            pace = max(1.0 / SPAN_MAX, span / interval)

    # What each expert says.
    local = time_ms + offset_ms
    day_at = (local % DAY_MS) * s.day.size / DAY_MS  # exact at the edges of slots: no factor for the fraction
    last, recent, slow, usual = s.last, s.recent, s.slow, s.usual
    trend = s.trend + s.slope * span
    day_part = table_at(s.day, day_at) * s.grain
    day = s.day_level + day_part
    has_week = s.week.size > 1
    week_at, week_part, week = 0.0, np.nan, np.nan
    if has_week:
        week_at = (local % WEEK_MS) * s.week.size / WEEK_MS
        week_part = table_at(s.week, week_at) * s.grain
        week = s.week_level + week_part
    day_says, week_says, pattern_says = not np.isnan(day), not np.isnan(week), not np.isnan(successor)

    # Their weighted mean, as a distance from the last value: where all agree, it is exactly what they say.
    scale, step, error = s.scale, s.step, s.error
    unit = max(scale, step)  # a constant or quantised series has no less scale than its resolution
    # Who is heard for the first time begins at the last value, and is believed as little as twice the present error.
    if day_says and s.day_known == 0:
        s.day_level, day = last - day_part, last
        error[DAY] = min(ERROR_MAX, 2.0 * unit)
    if week_says and s.week_known == 0:
        s.week_level, week = last - week_part, last
        error[WEEK] = min(ERROR_MAX, 2.0 * unit)
    if pattern_says and s.pattern_known == 0:
        error[PATTERN] = min(ERROR_MAX, 2.0 * unit)
    usual_says = s.votes > 0
    best = min(min(error[LAST], error[RECENT]), min(error[SLOW], error[TREND]))
    if day_says:
        best = min(best, error[DAY])
    if week_says:
        best = min(best, error[WEEK])
    if pattern_says:
        best = min(best, error[PATTERN])
    typical = last
    floor = best + 1e-3 * unit
    if usual_says and error[USUAL] <= best:
        typical = usual  # between the few values of a quantised series there is none
    elif floor > 0.0:
        w1 = weight(error[RECENT], floor)
        w2 = weight(error[SLOW], floor)
        w3 = weight(error[TREND], floor)
        total = weight(error[LAST], floor) + w1 + w2 + w3
        apart = w1 * (recent - last) + w2 * (slow - last) + w3 * (trend - last)
        if usual_says:
            w = weight(error[USUAL], floor)
            total += w
            apart += w * (usual - last)
        if day_says:
            w = weight(error[DAY], floor)
            total += w
            apart += w * (day - last)
        if week_says:
            w = weight(error[WEEK], floor)
            total += w
            apart += w * (week - last)
        if pattern_says:
            w = weight(error[PATTERN], floor)
            total += w
            apart += w * (successor - last)
        typical = min(VALUE_MAX, max(-VALUE_MAX, last + apart / total))

    gain = 1.0 / (seen + 1.0)
    unsure = 1.0 + UNSURE * gain
    least = 0.5 * step
    above, below = max(s.above * unit, least), max(s.below * unit, least)
    opinion = (typical, typical - unsure * below, typical + unsure * above)

    # A reading far beyond what was ever usual is doubted: it teaches the levels nothing unless the next is there too.
    # Where such readings come again and again, the limit grows to let them in.
    deviation = x - typical
    far = 0
    taken = x
    moved_level = False
    if abs(deviation) > s.limit * unit:
        far = 1 if deviation > 0.0 else -1
        s.limit = min(LIMIT_MAX, s.limit * LIMIT_RISE)
        if far == s.far:
            # The nearer of the two, so that one absurd value is never taken for the new level.
            if abs(s.raw - typical) < abs(deviation):
                taken = s.raw
            moved_level = True
        else:
            taken = typical
    else:
        s.limit = max(LIMIT_MIN, s.limit * LIMIT_FALL)
    s.far = far

    # The errors.
    clip = min(ERROR_MAX, ERROR_CLIP * unit)
    rate = max(ERROR_RATE, gain)
    error[LAST] = learn_error(error[LAST], x, last, clip, rate)
    error[RECENT] = learn_error(error[RECENT], x, recent, clip, rate)
    error[SLOW] = learn_error(error[SLOW], x, slow, clip, rate)
    if usual_says:
        error[USUAL] = learn_error(error[USUAL], x, usual, clip, rate)
    error[TREND] = learn_error(error[TREND], x, trend, clip, rate)
    if day_says:
        error[DAY] = learn_error(error[DAY], x, day, clip, error_rate(s.day_known))
        s.day_known = min(255, s.day_known + 1)
    if week_says:
        error[WEEK] = learn_error(error[WEEK], x, week, clip, error_rate(s.week_known))
        s.week_known = min(255, s.week_known + 1)
    if pattern_says:
        error[PATTERN] = learn_error(error[PATTERN], x, successor, clip, error_rate(s.pattern_known))
        s.pattern_known = min(255, s.pattern_known + 1)

    # The bounds, the scale and the resolution.
    reach_rate = max(REACH_RATE, REACH_RATE_FIRST * gain)
    wider, narrower = 1.0 + reach_rate * (1.0 - OUTSIDE), 1.0 - reach_rate * OUTSIDE
    s.above = min(REACH_MAX, max(REACH_MIN, s.above * (wider if deviation > above else narrower)))
    s.below = min(REACH_MAX, max(REACH_MIN, s.below * (wider if -deviation > below else narrower)))
    s.scale = scale + max(SCALE_RATE, gain) * (min(abs(deviation), SCALE_CLIP * unit) - scale)
    if s.scale < 1e-12 * step:  # subnormal numbers are slow
        s.scale = 0.0
    # As in ewma.py: the resolution rests where about 4 % of the steps are smaller.
    moved = abs(x - s.raw)
    if moved > ROUNDING * abs(x):
        if step == 0.0:
            s.step = moved if s.raw == 0.0 else min(moved, abs(s.raw))
        elif moved < step:
            s.step = np.sqrt(step) * np.sqrt(moved)
        else:
            s.step = min(VALUE_MAX, step * STEP_RISE)

    # The experts.
    if taken == usual:
        s.votes = min(255, s.votes + 1)
    elif s.votes > 0:
        s.votes -= 1
    else:
        s.usual = taken
    s.last = taken
    side = 1 if taken > slow else -1 if taken < slow else 0
    s.run = min(100, max(-100, s.run + side)) if s.run * side > 0 else side
    if moved_level:
        s.recent = s.slow = s.trend = taken
    else:
        s.recent = recent + paced(RECENT_GAIN, pace) * (taken - recent)
        off = taken - slow
        slow_gain = min(0.5, max(gain, SLOW_GAIN * max(1.0, abs(s.run) - 5.0)))
        s.slow = slow + paced(slow_gain, pace) * min(SLOW_CLIP * unit, max(-SLOW_CLIP * unit, off))
        off = taken - trend
        s.trend = trend + paced(TREND_GAIN, pace) * off
        off = min(SLOPE_CLIP * unit, max(-SLOPE_CLIP * unit, off))
        s.slope += SLOPE_GAIN * off / (max(span, interval) if interval > 0.0 else 1.0)

    # The tables. They learn the mean of a slot's readings when it is over; a step back in time teaches nothing.
    level_gain = 1.0 if moved_level else paced(LEVEL_GAIN, pace)
    if day_says:
        left = taken - day_part
        s.day_level += level_gain * (left - s.day_level)
        if moved_level:
            s.anchor = left
        elif s.day_passes > 0:
            off = left - s.anchor
            most = s.limit * unit
            s.anchor += min(0.05, span / ANCHOR_MS) * min(most, max(-most, off))
    if week_says:
        s.week_level += level_gain * (taken - week_part - s.week_level)
    if since >= 0:
        if moved_level:  # the reading before was real, but what was taken in its place is in the means
            missed = s.raw - last
            s.day_mean += missed / max(1, s.day_count)
            if has_week:
                s.week_mean += missed / max(1, s.week_count)
        slot_now = min(s.day.size - 1, int(day_at))
        if slot_now != s.day_slot or s.day_count == 0:
            if s.day_count > 0:
                commit(s, s.day, s.day_slot, s.day_mean - s.anchor, s.day_passes)
                if slot_now < s.day_slot and s.day_passes < 255:
                    s.day_passes += 1
            s.day_slot, s.day_count, s.day_mean = slot_now, 0, 0.0
        s.day_count = min(65535, s.day_count + 1)
        s.day_mean += (taken - s.day_mean) / s.day_count
        if has_week:
            slot_now = min(s.week.size - 1, int(week_at))
            if slot_now != s.week_slot or s.week_count == 0:
                if s.week_count > 0:
                    commit(s, s.week, s.week_slot, s.week_mean - s.anchor, s.week_passes)
                    if slot_now < s.week_slot and s.week_passes < 255:
                        s.week_passes += 1
                s.week_slot, s.week_count, s.week_mean = slot_now, 0, 0.0
            s.week_count = min(65535, s.week_count + 1)
            s.week_mean += (taken - s.week_mean) / s.week_count
    s.raw = x
    return opinion


@inlined_kernel
def prefetch_levels(rows: NDArray[Any], slot: int) -> None:
    """Ask for all of a row that each reading needs, but for the tables."""
    prefetch_until(rows, slot, _TABLES)


@inlined_kernel
def prefetch_tables(rows: NDArray[Any], slot: int) -> None:
    """Ask for what the tables say of the time of the last reading: mostly the next one needs the same line.

    Reads the row, which should have come by now.
    """
    s = rows[slot]
    prefetch_at(rows, slot, _TABLES + 2 * s.day_slot)
    prefetch_at(rows, slot, _TABLES + 2 * (s.day.size + s.week_slot))


@kernel
def process_all(
    rows: NDArray[Any], slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64],
    offset_ms: NDArray[np.int64], successor: NDArray[np.float64],
    typical: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64],
) -> None:
    """``judge_then_learn`` for n points in order; the last three, (n,) float64, are filled."""
    for i in range(slot.size):
        prefetch_levels(rows, slot[min(i + AHEAD, slot.size - 1)])
        prefetch_tables(rows, slot[min(i + NEAR, slot.size - 1)])
        typical[i], lower[i], upper[i] = judge_then_learn(
            rows, slot[i], time_ms[i], value[i], offset_ms[i], successor[i])
