"""NDJSON at speed: flat objects of plain strings, numbers, booleans and nulls; see ndjson for what they mean."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.build import KEYS, ROWS, SERIAL, intern
from offbeat.wire.numbers import DECIMAL, WHOLE, after_character, scan_number
from offbeat.wire.scan import (
    ABSENT,
    ARRIVAL,
    AT,
    BODY,
    BODY_START,
    BODY_STOP,
    DONE,
    F_KEY,
    F_KIND,
    F_MANTISSA,
    F_NEGATIVE,
    F_POWER,
    F_PREDICTED,
    F_START,
    F_STOP,
    F_STYLE,
    FALSE,
    FIELDS_MAX,
    FIRST_LINE,
    FULL,
    LINE,
    LINE_MAX,
    NAME_MAX,
    NUMERIC,
    ODD,
    ROWS_END,
    STAMP,
    STRING,
    TRUE,
    make_event,
    predicted_key,
)
from offbeat.wire.inlining import step

NOT_READ, NO_ROOM = -1, -2


@step
def string_end(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """Where the string that goes on at *at* has its closing quote, -1 if it has an escape or is no string of JSON."""
    i = at
    while i < stop:
        c = data[i]
        if c == 34:
            return i
        if c < 32 or c == 92:
            return -1
        if c < 128:
            i += 1
        else:
            i = after_character(data, i, stop)
            if i < 0:
                return -1
    return -1


@step
def after_blanks(data: NDArray[np.uint8], at: int, stop: int) -> int:
    """The first place from *at* on that is no space, tab or carriage return."""
    i = at
    while i < stop and (data[i] == 32 or data[i] == 9 or data[i] == 13):
        i += 1
    return i


@step
def read_object(
    data: NDArray[np.uint8], at: int, stop: int, found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
) -> tuple[int, int]:
    """Find the fields of the object at *at*: (where it ends, how many fields), or (NOT_READ, 0) or (NO_ROOM, 0)."""
    if data[at] != 123:
        return NOT_READ, 0
    i = after_blanks(data, at + 1, stop)
    if i < stop and data[i] == 125:
        return i + 1, 0
    counts[SERIAL] += 1
    serial = counts[SERIAL]
    k = 0
    while k < rules[FIELDS_MAX]:
        if i >= stop or data[i] != 34:
            return NOT_READ, 0
        i += 1
        key = found[k, F_PREDICTED]
        end = predicted_key(data, i, stop, 34, key, names, arena)
        if end < 0:
            end = string_end(data, i, stop)
            if end <= i or end - i > rules[NAME_MAX]:
                return NOT_READ, 0
            key = intern(KEYS, data, i, end, counts, slots, names, arena)
            if key < 0:
                return NO_ROOM, 0
            found[k, F_PREDICTED] = key
        i = end
        if names[key, STAMP] == serial:
            return NOT_READ, 0
        names[key, STAMP] = serial
        found[k, F_KEY] = key
        i = after_blanks(data, i + 1, stop)
        if i >= stop or data[i] != 58:
            return NOT_READ, 0
        i = after_blanks(data, i + 1, stop)
        if i >= stop:
            return NOT_READ, 0
        c = data[i]
        if c == 34:
            end = string_end(data, i + 1, stop)
            if end < 0:
                return NOT_READ, 0
            found[k, F_KIND] = STRING
            found[k, F_START] = i + 1
            found[k, F_STOP] = end
            i = end + 1
        elif c == 45 or (c >= 48 and c <= 57):
            end, mantissa, power, negative, style = scan_number(data, i, stop)
            if style != WHOLE and style != DECIMAL:
                return NOT_READ, 0
            found[k, F_KIND] = NUMERIC
            found[k, F_STYLE] = style
            found[k, F_MANTISSA] = mantissa
            found[k, F_POWER] = power
            found[k, F_NEGATIVE] = negative
            found[k, F_START] = i
            found[k, F_STOP] = end
            i = end
        elif c == 116 and i + 4 <= stop and data[i + 1] == 114 and data[i + 2] == 117 and data[i + 3] == 101:
            found[k, F_KIND] = TRUE
            found[k, F_START] = i
            i += 4
            found[k, F_STOP] = i
        elif (c == 102 and i + 5 <= stop and data[i + 1] == 97 and data[i + 2] == 108 and data[i + 3] == 115
              and data[i + 4] == 101):
            found[k, F_KIND] = FALSE
            found[k, F_START] = i
            i += 5
            found[k, F_STOP] = i
        elif c == 110 and i + 4 <= stop and data[i + 1] == 117 and data[i + 2] == 108 and data[i + 3] == 108:
            found[k, F_KIND] = ABSENT
            i += 4
        else:
            return NOT_READ, 0
        k += 1
        i = after_blanks(data, i, stop)
        if i >= stop:
            return NOT_READ, 0
        if data[i] == 125:
            return i + 1, k
        if data[i] != 44:
            return NOT_READ, 0
        i = after_blanks(data, i + 1, stop)
    return NOT_READ, 0


@step
def scan_ndjson(
    data: NDArray[np.uint8], bodies: NDArray[np.int64], place: NDArray[np.int64], found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
    rows: NDArray[np.int64], points: NDArray[np.int64], values: NDArray[np.float64], text_points: NDArray[np.int64],
) -> int:
    """Read *bodies* of *data* from *place* on: DONE, or ODD or FULL with *place* at that line. For the arrays see scan and build."""
    body, at, line = place[BODY], place[AT], place[LINE]
    said = DONE
    while said == DONE:
        stop = bodies[body, BODY_STOP]
        while at < stop:
            i = after_blanks(data, at, stop)
            k = -1
            if i < stop and data[i] != 10:
                i, k = read_object(data, i, stop, found, rules, counts, slots, names, arena)
                if i < 0:
                    said = FULL if i == NO_ROOM else ODD
                    break
                i = after_blanks(data, i, stop)
            if i - at > rules[LINE_MAX] or (i < stop and data[i] != 10):
                said = ODD
                break
            if k >= 0:
                said = make_event(data, k, line, bodies[body, ARRIVAL], False, found, rules,
                                  counts, slots, names, arena, rows, points, values, text_points)
                if said != DONE:
                    break
            at = i + 1
            line += 1
        if said == DONE:
            bodies[body, ROWS_END] = counts[ROWS]
            if body + 1 == bodies.shape[0]:
                break
            body += 1
            at, line = bodies[body, BODY_START], bodies[body, FIRST_LINE]
    place[BODY], place[AT], place[LINE] = body, at, line
    return said
