"""Kernels for what stands in a line: numbers, UTF-8, times. What they are not sure of is left to the careful path."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.times import TIME_MS_MAX, TIME_MS_MIN
from offbeat.wire.inlining import step

NO_NUMBER, WHOLE, DECIMAL, LOOSE_WHOLE, LOOSE = range(5)
"""How a number is written: not at all; as JSON has it, without or with fraction or exponent; only as others have it."""
MANTISSA_MAX = (2**63 - 10) // 10
POWERS = np.array([10.0**n for n in range(23)])
"""Powers of ten that float64 holds exactly."""
INTEGER_POWERS = np.array([10**n for n in range(19)], np.int64)
SECONDS, MILLISECONDS, MICROSECONDS, NANOSECONDS, BY_MAGNITUDE = range(5)


@step
def scan_number(data: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int, int, bool, int]:
    """The number that begins at *at*: (its end, mantissa, power of ten, is negative, how it is written).

    The mantissa is -1 if it has more digits than 63 bits hold. The end means nothing if there is no number.
    """
    i = at
    negative = False
    loose = False
    c = data[i]
    if c == 45:
        negative = True
        i += 1
    elif c == 43:
        loose = True
        i += 1
    first = i
    mantissa = 0
    power = 0
    while i < stop:
        d = np.int64(data[i]) - 48
        if d < 0 or d > 9:
            break
        mantissa = mantissa * 10 + d if 0 <= mantissa <= MANTISSA_MAX else -1
        i += 1
    digits = i - first
    if digits == 0 or (digits > 1 and data[first] == 48):
        loose = True
    whole = True
    if i < stop and data[i] == 46:
        whole = False
        i += 1
        point = i
        while i < stop:
            d = np.int64(data[i]) - 48
            if d < 0 or d > 9:
                break
            mantissa = mantissa * 10 + d if 0 <= mantissa <= MANTISSA_MAX else -1
            i += 1
        power = point - i
        digits += i - point
        if i == point:
            loose = True
    if digits == 0:
        return at, 0, 0, False, NO_NUMBER
    if i < stop and (data[i] == 101 or data[i] == 69):
        j = i + 1
        down = False
        if j < stop and (data[j] == 45 or data[j] == 43):
            down = data[j] == 45
            j += 1
        exponent = 0
        point = j
        while j < stop:
            d = np.int64(data[j]) - 48
            if d < 0 or d > 9:
                break
            exponent = min(exponent * 10 + d, 100_000)
            j += 1
        if j > point:  # else the number ends before the letter
            whole = False
            power += -exponent if down else exponent
            i = j
    if loose:
        return i, mantissa, power, negative, LOOSE_WHOLE if whole else LOOSE
    return i, mantissa, power, negative, WHOLE if whole else DECIMAL


@step
def exact_value(mantissa: int, power: int, negative: bool) -> float:
    """mantissa · 10^power as float64, rounded once, NaN where that is not certain.

    Source: W. D. Clinger, "How to read floating point numbers accurately", 1990: both factors are exact, so one
    multiplication or division rounds correctly.
    """
    if mantissa < 0 or mantissa > 9007199254740992 or power > 22 or power < -22:
        return np.nan
    value = np.float64(mantissa)
    value = value * POWERS[power] if power >= 0 else value / POWERS[-power]
    return -value if negative else value


@step
def epoch_ms(mantissa: int, power: int, negative: bool, precision: int) -> tuple[bool, int]:
    """The time of an epoch number, rounded down to milliseconds: (is it certain and in range, the time). See times.parse_number_ms."""
    if mantissa < 0 or power > 0 or power < -18:
        return False, 0
    whole = mantissa // INTEGER_POWERS[-power]
    if precision == BY_MAGNITUDE:
        if whole < 100_000_000_000:
            precision = SECONDS
        elif whole < 100_000_000_000_000:
            precision = MILLISECONDS
        elif whole < 100_000_000_000_000_000:
            precision = MICROSECONDS
        else:
            precision = NANOSECONDS
    if precision == SECONDS and whole > 253_402_300_799:
        return False, 0
    power += 3 - 3 * precision
    if power >= 0:
        time_ms = mantissa * INTEGER_POWERS[power]
        time_ms = -time_ms if negative else time_ms
    elif power >= -18:
        divisor = INTEGER_POWERS[-power]
        time_ms = mantissa // divisor
        if negative:
            time_ms = -time_ms - (1 if time_ms * divisor != mantissa else 0)
    else:
        return False, 0
    return TIME_MS_MIN <= time_ms <= TIME_MS_MAX, time_ms


@step
def two_digits(data: NDArray[np.uint8], at: int) -> int:
    """The number of two digits at *at*, a negative number if they are none."""
    a, b = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    return a * 10 + b if 0 <= a <= 9 and 0 <= b <= 9 else -1_000_000


@step
def iso_ms(data: NDArray[np.uint8], start: int, stop: int) -> tuple[bool, int]:
    """The time that data[start:stop] says in ISO 8601: (is it certain, the time). See times.parse_text_ms.

    Source of the count of days: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2014.
    """
    n = stop - start
    if n < 10 or data[start + 4] != 45 or data[start + 7] != 45:
        return False, 0
    year = two_digits(data, start) * 100 + two_digits(data, start + 2)
    month = two_digits(data, start + 5)
    day = two_digits(data, start + 8)
    if year < 1 or month < 1 or month > 12 or day < 1:
        return False, 0
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    longest = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    elif month == 2:
        longest = 29 if leap else 28
    if day > longest:
        return False, 0
    y = year - 1 if month <= 2 else year
    era = y // 400
    year_of_era = y - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    minutes = days * 1440
    ms = 0
    i = start + 10
    if i < stop:
        if n < 16 or (data[i] != 84 and data[i] != 32) or data[i + 3] != 58:
            return False, 0
        hour, minute = two_digits(data, i + 1), two_digits(data, i + 4)
        if hour < 0 or hour > 23 or minute < 0 or minute > 59:
            return False, 0
        minutes += hour * 60 + minute
        i += 6
        if i + 2 < stop and data[i] == 58:
            second = two_digits(data, i + 1)
            if second < 0 or second > 59:
                return False, 0
            ms = second * 1000
            i += 3
            if i < stop and data[i] == 46:
                first = i + 1
                i = first
                weight = 100
                while i < stop and data[i] >= 48 and data[i] <= 57:
                    ms += weight * (np.int64(data[i]) - 48)
                    weight //= 10
                    i += 1
                if i == first:
                    return False, 0
        if i < stop and data[i] == 90:
            i += 1
        elif i + 2 < stop and (data[i] == 43 or data[i] == 45):
            east = data[i] == 43
            zone = two_digits(data, i + 1)
            i += 3
            zone_minutes = 0
            if i < stop and data[i] == 58:
                i += 1
                if i == stop:
                    return False, 0
            if i + 2 <= stop:
                zone_minutes = two_digits(data, i)
                i += 2
            if zone < 0 or zone > 23 or zone_minutes < 0 or zone_minutes > 59:
                return False, 0
            zone = zone * 60 + zone_minutes
            minutes += -zone if east else zone
        if i != stop:
            return False, 0
    time_ms = minutes * 60_000 + ms
    return TIME_MS_MIN <= time_ms <= TIME_MS_MAX, time_ms


@step
def after_character(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Where the next character begins after the one at *at*, whose first byte is 128 or more; -1 if it is not UTF-8.

    Source: The Unicode Standard, table 3-7, well-formed UTF-8 byte sequences.
    """
    c = data[at]
    low, high = 128, 191
    if 194 <= c <= 223:
        more = 1
    elif 224 <= c <= 239:
        more = 2
        low = 160 if c == 224 else 128
        high = 159 if c == 237 else 191
    elif 240 <= c <= 244:
        more = 3
        low = 144 if c == 240 else 128
        high = 143 if c == 244 else 191
    else:
        return -1
    if at + more >= stop:
        return -1
    if data[at + 1] < low or data[at + 1] > high:
        return -1
    for i in range(at + 2, at + more + 1):
        if data[i] < 128 or data[i] > 191:
            return -1
    return at + more + 1
