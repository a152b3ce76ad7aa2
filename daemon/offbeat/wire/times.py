"""Written times to milliseconds since 1970 UTC, in exact integer arithmetic, rounded down. No clock here."""
from __future__ import annotations

import re
from datetime import date

from offbeat.wire.options import Precision

ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?")
EPOCH = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
EPOCH_CHARACTERS_MAX = 64
"""A longer number is no time: nothing that a clock says needs more, and huge powers of ten cost real time."""
TIME_MS_MIN = -62_135_596_800_000
"""0001-01-01T00:00:00Z."""
TIME_MS_MAX = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""
DAY_OF_EPOCH = date(1970, 1, 1).toordinal()
POWER_TO_MS: dict[Precision, int] = {"s": 3, "ms": 0, "us": -3, "ns": -6, "m": 3, "h": 3}
SECONDS_OF: dict[Precision, int] = {"m": 60, "h": 3600}


def parse_text_ms(text: str, precision: Precision | None) -> int | None:
    """The time that *text* says, ISO 8601 or an epoch number, None if it is neither or outside the years 1 to 9999.

    ISO 8601 is ``YYYY-MM-DD``, alone or with ``T`` or a space and ``HH:MM[:SS[.fraction]]`` and a zone ``Z``, ``±HH``,
    ``±HH:MM`` or ``±HHMM``; without a zone it is UTC. Spaces around it do not count.
    """
    text = text.strip(" \t")
    iso = ISO.fullmatch(text)
    if iso is None:
        return parse_number_ms(text, precision)
    year, month, day, hour, minute, second, fraction, _, sign, zone_hours, zone_minutes = iso.groups()
    h, m, s = int(hour or 0), int(minute or 0), int(second or 0)
    zh, zm = int(zone_hours or 0), int(zone_minutes or 0)
    if h > 23 or m > 59 or s > 59 or zh > 23 or zm > 59:
        return None
    try:
        days = date(int(year), int(month), int(day)).toordinal() - DAY_OF_EPOCH
    except ValueError:
        return None
    ahead = (zh * 60 + zm) * (-1 if sign == "-" else 1)
    seconds = days * 86_400 + h * 3600 + (m - ahead) * 60 + s
    return _within(seconds * 1000 + int((fraction or "")[:3].ljust(3, "0")))


def parse_number_ms(text: str, precision: Precision | None) -> int | None:
    """The time of the epoch number *text* (integer, decimal or with an exponent), None if it is none or out of range.

    Without *precision* its magnitude decides: below 10¹¹ seconds, 10¹⁴ milliseconds, 10¹⁷ microseconds, else
    nanoseconds.
    """
    number = EPOCH.fullmatch(text) if len(text) <= EPOCH_CHARACTERS_MAX else None
    if number is None or not (number[2] or number[3]):
        return None
    fraction = number[3] or ""
    digits = int(number[2] + fraction)
    power = int(number[4] or 0) - len(fraction)
    if digits == 0:
        return 0
    size = len(str(digits)) + power  # digits before the decimal point
    if size > 30:
        return None
    if precision is None:
        precision = "s" if size <= 11 else "ms" if size <= 14 else "us" if size <= 17 else "ns"
    digits *= SECONDS_OF.get(precision, 1)
    power += POWER_TO_MS[precision]
    if number[1] == "-":
        digits = -digits
    if power >= 0:
        return _within(digits * 10**power)
    # Beyond 200 places the divisor is larger than any such number: the floor is 0 or -1 all the same.
    return _within(digits // 10 ** min(-power, 200))


def _within(time_ms: int) -> int | None:
    return time_ms if TIME_MS_MIN <= time_ms <= TIME_MS_MAX else None
