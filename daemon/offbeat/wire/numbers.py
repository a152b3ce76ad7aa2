"""Kernels for what stands in a line: numbers, UTF-8, times. What they are not sure of is left to the careful path.

They read eight bytes at once where that helps: ``words[i]`` is the eight bytes from i on as one little-endian integer
(see ``words_of``), so the data must go on for eight bytes behind whatever is read.
"""
from __future__ import annotations

import math

import numpy as np

from offbeat.wire.compiled import Bytes, Words, inlined, part, signed
from offbeat.wire.times import TIME_MS_MAX, TIME_MS_MIN

NO_NUMBER, WHOLE, DECIMAL, LOOSE_WHOLE, LOOSE = range(5)
"""How a number is written: not at all; as JSON has it, without or with fraction or exponent; only as others have it."""
POWERS = np.array([10.0**n for n in range(23)])
"""Powers of ten that float64 holds exactly."""
INTEGER_POWERS = np.array([10**n for n in range(19)], np.int64)
NOTHING, ONE, EIGHT, NINE, SIXTEEN, HALF = (np.uint64(n) for n in (0, 1, 8, 9, 16, 32))
LOW_HALF, TOP_BIT, TAIL, THREE = np.uint64(2**32 - 1), np.uint64(2**63), np.uint64(0x1FF), np.uint64(3)
ONES, TOP_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
ZERO_DIGITS, ABOVE_NINE = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676)
TENS, PAIRS, QUARTERS = np.uint64(10), np.uint64(0x00FF00FF00FF00FF), np.uint64(0x000000FF000000FF)
HUNDREDS, TEN_THOUSANDS = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))
QUOTES, BACKSLASHES, SPACES = ONES * np.uint64(34), ONES * np.uint64(92), ONES * np.uint64(32)
SECONDS, MILLISECONDS, MICROSECONDS, NANOSECONDS, BY_MAGNITUDE, NO_POWER = range(6)


def words_of(data: Bytes) -> Words:
    """A view of *data* with an item for each byte: the eight bytes from there on as one little-endian integer."""
    return np.ndarray((data.size - 7,), np.dtype("<u8"), data, strides=(1,))


@inlined
def first_byte(marks: np.uint64) -> int:
    """The number of the first byte that is marked, by its highest bit, of eight read as one little-endian integer."""
    lowest_bits = marks >> np.uint64(7)
    below = (lowest_bits & (~lowest_bits + ONE)) - ONE
    return signed(((below & ONES) * ONES) >> np.uint64(56))


@inlined
def digits_at(words: Words, at: int) -> tuple[int, int]:
    """How many digits stand at *at*, at most eight, and their value.

    Source: D. Lemire, "Quickly parsing eight digits", 2018.
    """
    x = words[at] ^ ZERO_DIGITS
    marks = ((x + ABOVE_NINE) | x) & TOP_BITS
    n = 8
    if marks != NOTHING:
        n = first_byte(marks)
        if n == 0:
            return 0, 0
        x = x << np.uint64(64 - 8 * n)
    x = (x * TENS + (x >> EIGHT)) & PAIRS
    x = (x & QUARTERS) * HUNDREDS + ((x >> SIXTEEN) & QUARTERS) * TEN_THOUSANDS
    return n, signed(x >> HALF)


@inlined
def scan_number(data: Bytes, words: Words, at: int) -> tuple[int, int, int, bool, int]:
    """The number that begins at *at*: (its end, mantissa, power of ten, is negative, how it is written).

    The mantissa is -1 if it has more digits than 63 bits hold. The end means nothing if there is no number. Something
    that is no digit must stand behind it.
    """
    c = data[at]
    negative = c == 45
    loose = c == 43
    first = at + 1 if negative or loose else at
    n, mantissa = digits_at(words, first)
    i = first + n
    while n == 8:
        n, more = digits_at(words, i)
        mantissa = mantissa * INTEGER_POWERS[n] + more
        i += n
    digits = i - first
    loose = loose or digits == 0 or (digits > 1 and data[first] == 48)
    power = 0
    whole = True
    if data[i] == 46:
        whole = False
        point = i + 1
        i = point
        n = 8
        while n == 8:
            n, more = digits_at(words, i)
            mantissa = mantissa * INTEGER_POWERS[n] + more
            i += n
        power = point - i
        digits -= power
        loose = loose or power == 0
    if digits == 0:
        return at, 0, 0, False, NO_NUMBER
    if digits > 19 or mantissa < 0:  # 19 digits overflow to below zero if at all, for they are less than 2^64
        mantissa = -1
    if data[i] == 101 or data[i] == 69:
        j = i + 2 if data[i + 1] == 45 or data[i + 1] == 43 else i + 1
        point = j
        exponent = 0
        n = 8
        while n == 8:
            n, more = digits_at(words, j)
            exponent = min(exponent * INTEGER_POWERS[n] + more, 100_000)
            j += n
        if j > point:  # else the number ends before the letter
            whole = False
            power += -exponent if data[i + 1] == 45 else exponent
            i = j
    if loose:
        return i, mantissa, power, negative, LOOSE_WHOLE if whole else LOOSE
    return i, mantissa, power, negative, WHOLE if whole else DECIMAL


def _powers_of_five() -> Words:
    """5^q as 128 bits with the highest set, in two halves, for q from -POWER_MAX to POWER_MAX; see exact_value."""
    halves = []
    for q in range(-POWER_MAX, POWER_MAX + 1):
        five = 5 ** abs(q)
        if q < 0:
            bits = (five - 1).bit_length()
            five = 2 ** (bits + 127 if q >= -27 else 2 * bits + 128) // five + 1
        five = five << 128 >> five.bit_length()
        halves.append((five >> 64, five & 2**64 - 1))
    return np.array(halves, np.uint64)


POWER_MAX = 60
FIVES = _powers_of_five()


@inlined
def product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """a · b as (high, low) half of 128 bits."""
    a1, a0, b1, b0 = a >> HALF, a & LOW_HALF, b >> HALF, b & LOW_HALF
    low, middle, other = a0 * b0, a1 * b0, a0 * b1
    carry = (low >> HALF) + (middle & LOW_HALF) + (other & LOW_HALF)
    return a1 * b1 + (middle >> HALF) + (other >> HALF) + (carry >> HALF), (carry << HALF) | (low & LOW_HALF)


@inlined
def exact_value(mantissa: int, power: int, negative: bool) -> float:
    """mantissa · 10^power as float64, rounded once as Python rounds, NaN if the two are too large for that.

    Sources: W. D. Clinger, "How to read floating point numbers accurately", 1990 (if both factors are exact, one
    multiplication or division rounds correctly); D. Lemire, "Number parsing at a gigabyte per second", 2021, for the
    rest; that 64 bits never need its fall-back: N. Mushtak, D. Lemire, "Fast number parsing without fallback", 2023.
    """
    if mantissa < 0 or power > POWER_MAX or power < -POWER_MAX:
        return np.nan
    if mantissa == 0:
        value = 0.0
    elif mantissa <= 9007199254740992 and -22 <= power <= 22:
        value = np.float64(mantissa)
        value = value * POWERS[power] if power >= 0 else value / POWERS[-power]
    else:
        w = np.uint64(mantissa)
        zeros = 0
        while w < TOP_BIT:
            w = w << ONE
            zeros += 1
        high, low = product(w, FIVES[power + POWER_MAX, 0])
        if high & TAIL == TAIL:
            more, _ = product(w, FIVES[power + POWER_MAX, 1])
            low = low + more
            if low < more:
                high = high + ONE
        upper = high >> np.uint64(63)
        shift = upper + NINE
        m = high >> shift
        if low <= ONE and -4 <= power <= 23 and m & THREE == ONE and m << shift == high:
            m = m & ~ONE  # exactly between two: to the even one
        m = (m + (m & ONE)) >> ONE
        value = math.ldexp(np.float64(m), ((217706 * power) >> 16) + 11 + signed(upper) - zeros)
    return -value if negative else value


@inlined
def epoch_ms(mantissa: int, power: int, negative: bool, precision: int) -> tuple[bool, int]:
    """The time of an epoch number, rounded down to milliseconds: (is it certain, the time). See times."""
    if mantissa < 0 or power > 0 or power < -18 or precision == NO_POWER:
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


@part
def two_digits(data: Bytes, at: int) -> int:
    """The number of two digits at *at*, a negative number if they are none."""
    a, b = signed(data[at]) - 48, signed(data[at + 1]) - 48
    return a * 10 + b if 0 <= a <= 9 and 0 <= b <= 9 else -1_000_000


@part
def iso_ms(data: Bytes, start: int, stop: int) -> tuple[bool, int]:
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
                    ms += weight * (signed(data[i]) - 48)
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


@part
def after_character(data: Bytes, at: int, stop: int) -> int:
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


@inlined
def string_end(data: Bytes, words: Words, at: int, stop: int) -> int:
    """Where the text that goes on at *at* has its closing quote; -1 if it has a backslash or is not good UTF-8 before.

    Control characters are not good either, and one, the newline, must stand at *stop*.
    """
    i = at
    while True:
        w = words[i]
        quote, backslash = w ^ QUOTES, w ^ BACKSLASHES
        # In each term a borrow can only mark bytes behind one that is marked rightly: the first mark is right.
        marks = (((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) | ((w - SPACES) & ~w) | w) & TOP_BITS
        if marks == NOTHING:
            i += 8
            continue
        i += first_byte(marks)
        if data[i] == 34:
            return i
        if data[i] < 128:
            return -1
        i = after_character(data, i, stop)
        if i < 0:
            return -1
