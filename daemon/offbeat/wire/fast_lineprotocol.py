"""Influx line protocol at speed: lines without backslashes; see lineprotocol for what they mean.

Measurement and tags of a line, its head, are read once and then known by their bytes. What a head says of the names
of its series is a shape: ``measurement.`` before the field, the other tags behind it.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.build import (
    FIELDS,
    HEAD_SOURCES,
    HEADS,
    KEYS,
    NOTES,
    NUMBER,
    POINT_FIELD,
    POINT_ROW,
    POINTS,
    ROW_LINE,
    ROW_SOURCE,
    ROW_TIME,
    ROWS,
    SERIAL,
    SHAPES,
    SOURCES,
    START,
    STOP,
    TEXT_CODE,
    TEXT_FIELD,
    TEXT_FIELDS,
    TEXT_POINTS,
    TEXT_ROW,
    TEXTS,
    has_room,
    intern,
)
from offbeat.wire.fast_ndjson import after_blanks
from offbeat.wire.inlining import inlined, step
from offbeat.wire.numbers import LOOSE_WHOLE, NO_NUMBER, WHOLE, after_character, epoch_ms, exact_value, scan_number, string_end
from offbeat.wire.scan import (
    ARRIVAL,
    AT,
    BODY,
    BODY_START,
    BODY_STOP,
    DONE,
    F_KEY,
    F_KIND,
    F_START,
    F_STOP,
    FIELD,
    FIELDS_MAX,
    FIRST_LINE,
    FULL,
    FUTURE,
    IS_TEXT,
    LINE,
    LINE_MAX,
    NAME_MAX,
    NUMERIC,
    ODD,
    PRECISION,
    ROWS_END,
    ROWS_SPARE,
    SHAPE,
    SOURCE_RANK,
    SOURCE_REQUIRED,
    STAMP,
    STRING,
    TEXT_NAME,
    TEXT_SHAPE,
    TIME_REQUIRED,
    copied,
    predicted_key,
    scratch_in,
)

H_STATE, H_SOURCE_TEXT, H_SOURCE, H_SHAPE, H_TAGS = range(NOTES, NOTES + 5)
"""What is noted about a head: READ or UNREADABLE (-1: not looked at); the name of its source among HEAD_SOURCES and, once in
the table, its number there; its shape; how many tags it has."""
S_BEFORE = NOTES
"""What is noted about a shape: how many of its bytes stand before the field."""
READ, UNREADABLE = range(2)
T_START, T_EQUALS, T_STOP, T_RANK, T_COLUMNS = range(5)
"""Columns of ``found`` for a tag: where it begins, has its equals sign and ends; its rank among the source fields."""
NOT_READ, NO_ROOM = -1, -2


@inlined
def name_end(data: NDArray[np.uint8], at: int, stop: int, in_head: bool) -> int:
    """Where the name that begins at *at* ends (a head at its space, a field at its ``=``); -1 for what needs care."""
    i = at
    while i < stop:
        c = data[i]
        if c == 32:
            return i if in_head else -1
        if not in_head and (c == 61 or c == 44):
            return i if c == 61 else -1
        if c < 32 or c == 34 or c == 92:
            return -1
        if c < 128:
            i += 1
        else:
            i = after_character(data, i, stop)
            if i < 0:
                return -1
    return -1


@inlined
def token_value(data: NDArray[np.uint8], words: NDArray[np.uint64], start: int, stop: int) -> float:
    """The value of data[start:stop], a number or boolean of line protocol; NaN for what needs care."""
    size = stop - start
    if size == 0:
        return np.nan
    c = data[start]
    if c == 43 or c == 45 or c == 46 or (c >= 48 and c <= 57):
        end, mantissa, power, negative, style = scan_number(data, words, start)
        if style == NO_NUMBER:
            return np.nan
        if end + 1 == stop:
            whole = style == WHOLE or style == LOOSE_WHOLE
            if not whole or not (data[end] == 105 or (data[end] == 117 and c >= 48)):
                return np.nan
        elif end != stop:
            return np.nan
        return exact_value(mantissa, power, negative)
    if size == 1:
        return 1.0 if c == 116 or c == 84 else 0.0 if c == 102 or c == 70 else np.nan
    capitals = (data[start + 1] & 32) == 0
    if capitals and (c & 32) != 0:
        return np.nan
    if size == 4 and (c | 32) == 116 and (data[start + 1] | 32) == 114 and (data[start + 2] | 32) == 117 and (data[start + 3] | 32) == 101:
        value = 1.0
    elif (size == 5 and (c | 32) == 102 and (data[start + 1] | 32) == 97 and (data[start + 2] | 32) == 108
          and (data[start + 3] | 32) == 115 and (data[start + 4] | 32) == 101):
        value = 0.0
    else:
        return np.nan
    for j in range(start + 2, stop):
        if ((data[j] & 32) == 0) != capitals:
            return np.nan
    return value


@step
def order_of(data: NDArray[np.uint8], a: int, a_stop: int, b: int, b_stop: int) -> int:
    """Below, at or above 0 as data[a:a_stop] comes before, is or comes after data[b:b_stop] in the order of their bytes."""
    for j in range(min(a_stop - a, b_stop - b)):
        if data[a + j] != data[b + j]:
            return np.int64(data[a + j]) - np.int64(data[b + j])
    return (a_stop - a) - (b_stop - b)


@step
def find_tags(
    data: NDArray[np.uint8], words: NDArray[np.uint64], start: int, stop: int, found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena_words: NDArray[np.uint64],
) -> int:
    """Find the tags in data[start:stop], which begins at a comma, into the last rows of *found*, in the order of their names.

    Returns how many, or NOT_READ or NO_ROOM.
    """
    first = found.shape[0] - ROWS_SPARE
    k = 0
    i = start
    while i < stop:
        a = i + 1
        i = a
        while i < stop and data[i] != 61 and data[i] != 44:
            i += 1
        b = i
        if k == ROWS_SPARE or b == a or i >= stop or data[i] != 61 or b - a > rules[NAME_MAX]:
            return NOT_READ
        i += 1
        while i < stop and data[i] != 44:
            if data[i] == 61:
                return NOT_READ
            i += 1
        if i == b + 1:
            return NOT_READ
        key = intern(KEYS, words, a, b, counts, slots, names, arena_words)
        if key < 0:
            return NO_ROOM
        j = first + k
        while j > first:
            order = order_of(data, a, b, found[j - 1, T_START], found[j - 1, T_EQUALS])
            if order == 0:
                return NOT_READ
            if order > 0:
                break
            for column in range(T_COLUMNS):
                found[j, column] = found[j - 1, column]
            j -= 1
        found[j, T_START] = a
        found[j, T_EQUALS] = b
        found[j, T_STOP] = i
        found[j, T_RANK] = names[key, SOURCE_RANK]
        k += 1
    return k


@step
def read_head(
    data: NDArray[np.uint8], words: NDArray[np.uint64], head: int, start: int, stop: int,
    found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
    arena_words: NDArray[np.uint64],
) -> bool:
    """Note what the head data[start:stop] says; False if there is no room for it."""
    i = start
    while i < stop and data[i] != 44:
        i += 1
    k = find_tags(data, words, i, stop, found, rules, counts, slots, names, arena_words) if i > start else NOT_READ
    scratch = scratch_in(arena, rules, counts)
    if k == NO_ROOM or scratch < 0:
        return False
    names[head, H_STATE] = UNREADABLE
    first = found.shape[0] - ROWS_SPARE
    chosen = -1
    for j in range(first, first + k):
        if found[j, T_RANK] >= 0 and (chosen < 0 or found[j, T_RANK] < found[chosen, T_RANK]):
            chosen = j
    if k < 0 or (chosen < 0 and rules[SOURCE_REQUIRED]):
        return True
    # A shape is put together as measurement, point, NUL, tags: no head holds a NUL, so it shows where the field goes.
    at = copied(data, start, i, arena, scratch)
    if chosen >= 0:
        if at + 10 > arena.size:
            return True
        arena[at] = 46
        arena[at + 1] = 0
        at += 2
    before = at - scratch - 1
    for j in range(first, first + k):
        if j != chosen:
            at = copied(data, found[j, T_START] - 1, found[j, T_STOP], arena, at)
    if chosen >= 0:
        if at - scratch - 1 > rules[NAME_MAX] or found[chosen, T_STOP] - found[chosen, T_EQUALS] - 1 > rules[NAME_MAX]:
            return True
        source = intern(HEAD_SOURCES, words, found[chosen, T_EQUALS] + 1, found[chosen, T_STOP], counts, slots, names, arena_words)
    else:
        if at - scratch > rules[NAME_MAX]:
            return True
        source = intern(HEAD_SOURCES, arena_words, scratch, at, counts, slots, names, arena_words)
        arena[scratch] = 0
        at, before = scratch + 1, 0
    shape = -1
    if source >= 0:
        shape = intern(SHAPES, arena_words, scratch, at, counts, slots, names, arena_words)
    if shape < 0:
        names[head, H_STATE] = -1
        return False
    names[shape, S_BEFORE] = before
    names[head, H_STATE] = READ
    names[head, H_SOURCE_TEXT] = source
    names[head, H_SHAPE] = shape
    names[head, H_TAGS] = k
    return True


@step
def series_name(
    kind: np.int64, shape: int, key: int, rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
    arena_words: NDArray[np.uint64],
) -> int:
    """The number of the series of *key* under *shape* among the names of *kind*; -1 if there is no room."""
    scratch = scratch_in(arena, rules, counts)
    if scratch < 0:
        return -1
    meeting = names[shape, START] + names[shape, S_BEFORE]
    at = copied(arena, names[shape, START], meeting, arena, scratch)
    at = copied(arena, names[key, START], names[key, STOP], arena, at)
    at = copied(arena, meeting + 1, names[shape, STOP], arena, at)
    name = intern(kind, arena_words, scratch, at, counts, slots, names, arena_words)
    return names[name, NUMBER] if name >= 0 else -1


@inlined
def read_fields(
    data: NDArray[np.uint8], words: NDArray[np.uint64], at: int, stop: int, found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena_words: NDArray[np.uint64],
    values: NDArray[np.float64], p: int,
) -> tuple[int, int]:
    """Find the fields from *at* on, the numbers into values[p:]: (where they end, how many), or (NOT_READ or NO_ROOM, 0)."""
    counts[SERIAL] += 1
    serial = counts[SERIAL]
    i = at
    k = 0
    while k < rules[FIELDS_MAX]:
        key = found[k, F_KEY]
        end = predicted_key(data, words, i, 61, key, names, arena_words)
        if end < 0:
            end = name_end(data, i, stop, False)
            if end <= i or end - i > rules[NAME_MAX]:
                return NOT_READ, 0
            key = intern(KEYS, words, i, end, counts, slots, names, arena_words)
            if key < 0:
                return NO_ROOM, 0
        if names[key, STAMP] == serial:
            return NOT_READ, 0
        names[key, STAMP] = serial
        found[k, F_KEY] = key
        i = end + 1
        if i < stop and data[i] == 34:
            start = i + 1
            i = string_end(data, words, start, stop)
            if i < 0:
                return NOT_READ, 0
            found[k, F_KIND] = STRING
            found[k, F_START] = start
            found[k, F_STOP] = i
            i += 1
        else:
            start = i
            while i < stop and data[i] > 32 and data[i] != 44:
                i += 1
            value = token_value(data, words, start, i)
            if np.isnan(value) or names[key, IS_TEXT] >= 0:
                return NOT_READ, 0
            found[k, F_KIND] = NUMERIC
            if p >= values.size:  # has_room says so again, and what is missing
                return NO_ROOM, k + 1
            values[p] = value
            p += 1
        k += 1
        if i >= stop or data[i] != 44:
            return i, k
        i += 1
    return NOT_READ, 0


@step
def scan_lineprotocol(
    data: NDArray[np.uint8], words: NDArray[np.uint64], bodies: NDArray[np.int64], place: NDArray[np.int64],
    found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
    arena_words: NDArray[np.uint64], rows: NDArray[np.int64], points: NDArray[np.int64], values: NDArray[np.float64], text_points: NDArray[np.int64],
) -> int:
    """Read *bodies* of *data* from *place* on: DONE, or ODD or FULL with *place* at that line. For the arrays see scan and build."""
    body, at, line = place[BODY], place[AT], place[LINE]
    said = DONE
    while said == DONE:
        stop = bodies[body, BODY_STOP]
        while at < stop:
            i = after_blanks(data, at, stop)
            if i < stop and data[i] == 35:
                while i < stop and data[i] != 10:
                    i += 1
            if i == stop or data[i] == 10:
                if i - at > rules[LINE_MAX]:
                    said = ODD
                    break
                at = i + 1
                line += 1
                continue
            said = ODD
            head_start = i
            head_stop = name_end(data, i, stop, True)
            if head_stop <= i:
                break
            i = head_stop
            while i < stop and data[i] == 32:
                i += 1
            i, k = read_fields(data, words, i, stop, found, rules, counts, slots, names, arena_words, values, counts[POINTS])
            if i < 0:
                if i == NO_ROOM:
                    if k > 0:
                        has_room(rules[FIELDS_MAX], counts, rows, points, text_points)
                    said = FULL
                break
            if i < stop and data[i] > 32:
                break
            while i < stop and data[i] == 32:
                i += 1
            time_ms = bodies[body, ARRIVAL]
            if i < stop and (data[i] == 45 or (data[i] >= 48 and data[i] <= 57)):
                i, mantissa, power, negative, style = scan_number(data, words, i)
                if style != WHOLE:
                    break
                certain, time_ms = epoch_ms(mantissa, power, negative, rules[PRECISION])
                if not certain or time_ms > bodies[body, ARRIVAL] + rules[FUTURE]:
                    break
            elif rules[TIME_REQUIRED]:
                break
            i = after_blanks(data, i, stop)
            if (i < stop and data[i] != 10) or i - at > rules[LINE_MAX]:
                break
            said = FULL
            if not has_room(k, counts, rows, points, text_points):
                break
            head = intern(HEADS, words, head_start, head_stop, counts, slots, names, arena_words)
            if head < 0:
                break
            if names[head, H_STATE] < 0 and not read_head(
                    data, words, head, head_start, head_stop, found, rules, counts, slots, names, arena, arena_words):
                break
            said = ODD
            if names[head, H_STATE] == UNREADABLE or names[head, H_TAGS] + k > rules[FIELDS_MAX]:
                break
            shape = names[head, H_SHAPE]
            name_room = rules[NAME_MAX] - (names[shape, STOP] - names[shape, START] - 1)
            fits = True
            for f in range(k):
                key = found[f, F_KEY]
                fits = fits and names[key, STOP] - names[key, START] <= name_room
            if not fits:
                break
            said = FULL
            source = names[head, H_SOURCE]
            if source < 0:
                text = names[head, H_SOURCE_TEXT]
                name = intern(SOURCES, arena_words, names[text, START], names[text, STOP], counts, slots, names, arena_words)
                if name < 0:
                    break
                source = names[name, NUMBER]
                names[head, H_SOURCE] = source
            row, p, t = counts[ROWS], counts[POINTS], counts[TEXT_POINTS]
            f = 0
            while f < k:
                key = found[f, F_KEY]
                is_text = found[f, F_KIND] == STRING
                shape_note = TEXT_SHAPE if is_text else SHAPE
                note = TEXT_NAME if is_text else FIELD
                if names[key, shape_note] != shape:
                    number = series_name(TEXT_FIELDS if is_text else FIELDS, shape, key, rules, counts, slots, names,
                                         arena, arena_words)
                    if number < 0:
                        break
                    names[key, note] = number
                    names[key, shape_note] = shape
                if is_text:
                    text = intern(TEXTS, words, found[f, F_START], found[f, F_STOP], counts, slots, names, arena_words)
                    if text < 0:
                        break
                    text_points[t, TEXT_ROW] = row
                    text_points[t, TEXT_FIELD] = names[key, note]
                    text_points[t, TEXT_CODE] = names[text, NUMBER]
                    t += 1
                else:
                    points[p, POINT_ROW] = row
                    points[p, POINT_FIELD] = names[key, note]
                    p += 1
                f += 1
            if f < k:
                break
            rows[row, ROW_SOURCE] = source
            rows[row, ROW_TIME] = time_ms
            rows[row, ROW_LINE] = line
            counts[ROWS], counts[POINTS], counts[TEXT_POINTS] = row + 1, p, t
            said = DONE
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
