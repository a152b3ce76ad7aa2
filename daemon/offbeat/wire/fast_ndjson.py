"""NDJSON at speed: flat objects of plain strings, numbers, booleans and nulls; see ndjson for what they mean."""
from __future__ import annotations

from offbeat.wire.build import KEYS, ROWS, SERIAL, alike, intern
from offbeat.wire.compiled import Bytes, Floats, Ints, Slots, Words, inlined, part, step
from offbeat.wire.numbers import DECIMAL, WHOLE, scan_number, string_end
from offbeat.wire.scan import (
    ABSENT,
    ARRIVAL,
    AT,
    BODY,
    BODY_START,
    BODY_STOP,
    DEPTH_MAX,
    DONE,
    F_DEPTH,
    F_KIND,
    F_LEAD,
    F_LEAD_BYTES,
    F_LEADS,
    F_MANTISSA,
    F_NEGATIVE,
    F_POWER,
    F_STACK,
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
    copied,
    make_event,
    note_key,
    scratch_in,
)

NOT_READ, NO_ROOM = -1, -2


@inlined
def after_blanks(data: Bytes, at: int, stop: int) -> int:
    """The first place from *at* on that is no space, tab or carriage return."""
    i = at
    while i < stop and (data[i] == 32 or data[i] == 9 or data[i] == 13):
        i += 1
    return i


@inlined
def read_value(data: Bytes, words: Words, at: int, stop: int, found: Ints, k: int) -> int:
    """Find the value of field *k* at *at*; where it ends, or NOT_READ."""
    c = data[at]
    if c == 34:
        end = string_end(data, words, at + 1, stop)
        if end < 0:
            return NOT_READ
        found[k, F_KIND] = STRING
        found[k, F_START] = at + 1
        found[k, F_STOP] = end
        return end + 1
    found[k, F_START] = at
    if c == 45 or (c >= 48 and c <= 57):
        end, mantissa, power, negative, style = scan_number(data, words, at)
        if style != WHOLE and style != DECIMAL:
            return NOT_READ
        found[k, F_KIND] = NUMERIC
        found[k, F_STYLE] = style
        found[k, F_MANTISSA] = mantissa
        found[k, F_POWER] = power
        found[k, F_NEGATIVE] = negative
        found[k, F_STOP] = end
        return end
    if at + 5 > stop:
        return NOT_READ
    if c == 102:
        found[k, F_KIND] = FALSE
        found[k, F_STOP] = at + 5
        good = data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115 and data[at + 4] == 101
        return at + 5 if good else NOT_READ
    found[k, F_STOP] = at + 4
    if c == 116:
        found[k, F_KIND] = TRUE
        return at + 4 if data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101 else NOT_READ
    found[k, F_KIND] = ABSENT
    return at + 4 if c == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108 else NOT_READ


@inlined
def read_alike(
    data: Bytes, words: Words, at: int, stop: int, found: Ints,
) -> tuple[int, int]:
    """Find the fields of an object built as the last one was: (where it ends, how many fields), or (NOT_READ, 0).

    What stands between two values (the lead of the second) is compared as a whole with what stood there then.
    """
    i = at
    for k in range(found[0, F_LEADS]):
        lead, size = found[k, F_LEAD], found[k, F_LEAD_BYTES]
        if i + size >= stop or not alike(words, i, words, lead, size):
            return NOT_READ, 0
        i = read_value(data, words, i + size, stop, found, k)
        if i < 0:
            return NOT_READ, 0
        i = after_blanks(data, i, stop)
        if i < stop and data[i] == 125:
            end, depth = i, found[k, F_DEPTH]
            while depth > 0 and end < stop and data[end] == 125:
                end += 1
                depth -= 1
                if depth == 0:
                    return end, k + 1
                end = after_blanks(data, end, stop)
    return NOT_READ, 0


@part
def read_object(
    data: Bytes, words: Words, at: int, stop: int, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
) -> tuple[int, int]:
    """Find the fields of the object at *at*: (where it ends, how many fields), or (NOT_READ, 0) or (NO_ROOM, 0).

    The dotted name of a field inside objects is put together in the arena. An object's own name is noted as a field's
    is, so that the careful path sees every line where a name might occur twice.
    """
    found[0, F_LEADS] = 0  # how many leads are known
    counts[SERIAL] += 1
    depth = k = 0
    path = scratch_in(arena, rules, counts)  # where the name of the object ends
    lead = i = at
    opens = True
    while k < rules[FIELDS_MAX]:
        scratch = scratch_in(arena, rules, counts)
        if scratch < 0:
            return NO_ROOM, 0
        if opens:
            depth += 1
            if data[i] != 123 or depth > rules[DEPTH_MAX]:
                return NOT_READ, 0
            found[depth, F_STACK] = path
        i = after_blanks(data, i + 1, stop)
        if opens and depth == 1 and i < stop and data[i] == 125:
            return i + 1, 0
        if i >= stop or data[i] != 34:
            return NOT_READ, 0
        end = string_end(data, words, i + 1, stop)
        if end <= i + 1:
            return NOT_READ, 0
        path = copied(data, i + 1, end, arena, found[depth, F_STACK])
        if path - scratch > rules[NAME_MAX]:
            return NOT_READ, 0
        key = intern(KEYS, arena_words, scratch, path, counts, slots, names, arena_words)
        if key < 0:
            return NO_ROOM, 0
        if names[key, STAMP] == counts[SERIAL]:
            return NOT_READ, 0
        names[key, STAMP] = counts[SERIAL]
        i = after_blanks(data, end + 1, stop)
        if i >= stop or data[i] != 58:
            return NOT_READ, 0
        i = after_blanks(data, i + 1, stop)
        if i >= stop:
            return NOT_READ, 0
        opens = data[i] == 123
        if opens:
            arena[path] = 46
            path += 1
            continue
        note_key(found, k, key, names)
        found[k, F_LEAD] = lead
        found[k, F_LEAD_BYTES] = i - lead
        found[k, F_DEPTH] = depth
        i = read_value(data, words, i, stop, found, k)
        if i < 0:
            return NOT_READ, 0
        k += 1
        i = after_blanks(data, i, stop)
        lead = i
        while i < stop and data[i] == 125:
            i += 1
            depth -= 1
            if depth == 0:
                found[0, F_LEADS] = k
                return i, k
            i = after_blanks(data, i, stop)
        if i >= stop or data[i] != 44:
            return NOT_READ, 0
    return NOT_READ, 0


@step
def scan_ndjson(
    data: Bytes, words: Words, bodies: Ints, place: Ints, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
    rows: Ints, points: Ints, values: Floats, text_points: Ints,
) -> int:
    """Read *bodies* from *place* on: DONE, or ODD or FULL with *place* at that line. Arrays: see scan, build."""
    body, at, line = place[BODY], place[AT], place[LINE]
    said = DONE
    while said == DONE:
        stop = bodies[body, BODY_STOP]
        while at < stop:
            i = after_blanks(data, at, stop)
            k = -1
            if i < stop and data[i] != 10:
                start = i
                i, k = read_alike(data, words, start, stop, found)
                if i < 0:
                    i, k = read_object(
                        data, words, start, stop, found, rules, counts, slots, names, arena, arena_words)
                if i < 0:
                    said = FULL if i == NO_ROOM else ODD
                    break
                i = after_blanks(data, i, stop)
            if i - at > rules[LINE_MAX] or (i < stop and data[i] != 10):
                said = ODD
                break
            if k >= 0:
                said = make_event(data, words, k, line, bodies[body, ARRIVAL], found, rules,
                                  counts, slots, names, arena_words, rows, points, values, text_points)
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
