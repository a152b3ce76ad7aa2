"""Influx line protocol at speed: lines without backslashes; see lineprotocol for what they mean."""
from __future__ import annotations

import numpy as np

from offbeat.wire.build import (
    FIELDS,
    HEADS,
    KEYS,
    NUMBER,
    POINT_FIELD,
    POINT_ROW,
    POINTS,
    ROW_LINE,
    ROW_SOURCE,
    ROW_TIME,
    ROWS,
    SERIAL,
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
from offbeat.wire.compiled import Bytes, Floats, Ints, Slots, Words, inlined, part, signed, step
from offbeat.wire.fast_delimited import is_word
from offbeat.wire.fast_lineheads import (
    H_NEXT,
    H_SHAPE,
    H_SOURCE,
    H_SOURCE_TEXT,
    H_STATE,
    H_TAGS,
    NO_ROOM,
    NOT_READ,
    UNREADABLE,
    head_after,
    head_end,
    name_end,
    read_head,
    series_name,
)
from offbeat.wire.fast_ndjson import after_blanks
from offbeat.wire.numbers import (
    LOOSE_WHOLE,
    NO_NUMBER,
    WHOLE,
    epoch_ms,
    exact_value,
    scan_number,
    string_end,
)
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
    SHAPE,
    STAMP,
    STRING,
    TEXT_NAME,
    TEXT_SHAPE,
    TIME_REQUIRED,
    predicted_key,
)


@inlined
def number_at(data: Bytes, words: Words, at: int) -> tuple[int, float]:
    """The number that begins at *at*, perhaps with an ``i`` or ``u``: (its end, its value); NaN for what needs care."""
    end, mantissa, power, negative, style = scan_number(data, words, at)
    if style == NO_NUMBER:
        return at, np.nan
    c = data[end]
    if c == 105 or c == 117:
        if (style != WHOLE and style != LOOSE_WHOLE) or (c == 117 and data[at] < 48):
            return at, np.nan
        end += 1
    return end, exact_value(mantissa, power, negative)


@part
def truth_of(data: Bytes, start: int, stop: int) -> float:
    """1 or 0 for a boolean of line protocol in data[start:stop], else NaN."""
    size = stop - start
    c = data[start]
    if size < 4:
        if size != 1:
            return np.nan
        return 1.0 if c == 116 or c == 84 else 0.0 if c == 102 or c == 70 else np.nan
    capitals = (data[start + 1] & 32) == 0
    if capitals and (c & 32) != 0:
        return np.nan
    if is_word(data, start, stop, 0, 4):
        value = 1.0
    elif is_word(data, start, stop, 4, 9):
        value = 0.0
    else:
        return np.nan
    for j in range(start + 2, stop):
        if ((data[j] & 32) == 0) != capitals:
            return np.nan
    return value


@inlined
def read_fields(
    data: Bytes, words: Words, at: int, stop: int, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena_words: Words,
    values: Floats, p: int,
) -> tuple[int, int]:
    """Find the fields from *at* on, numbers into values[p:]: (where they end, how many), or (NOT_READ or NO_ROOM, 0).

    Without room in values it is (NO_ROOM, 1 or more).
    """
    counts[SERIAL] += 1
    serial = counts[SERIAL]
    i = at
    k = 0
    while k < rules[FIELDS_MAX]:
        key = found[k, F_KEY]
        end = predicted_key(data, words, i, 61, key, names, arena_words)
        if end < 0:
            end = name_end(data, i, stop)
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
            c = data[i]
            if c <= 57 and c >= 43 and c != 44:
                i, value = number_at(data, words, i)
            else:
                while data[i] > 32 and data[i] != 44:
                    i += 1
                value = truth_of(data, start, i)
            if np.isnan(value) or (data[i] > 32 and data[i] != 44) or names[key, IS_TEXT] >= 0:
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
    data: Bytes, words: Words, bodies: Ints, place: Ints, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
    rows: Ints, points: Ints, values: Floats, text_points: Ints,
) -> int:
    """Read *bodies* from *place* on: DONE, or ODD or FULL with *place* at that line. Arrays: see scan, build."""
    body, at, line = place[BODY], place[AT], place[LINE]
    said = DONE
    before = signed(-1)  # the head of the line before, if there was one
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
            head = head_after(before, data, words, i, stop, names, arena_words)
            head_stop = i + names[head, STOP] - names[head, START] if head >= 0 else head_end(data, words, i, stop)
            if head_stop <= i:
                break
            i = head_stop
            while i < stop and data[i] == 32:
                i += 1
            i, k = read_fields(
                data, words, i, stop, found, rules, counts, slots, names, arena_words, values, counts[POINTS])
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
            if head < 0:
                head = intern(HEADS, words, head_start, head_stop, counts, slots, names, arena_words)
                if head < 0:
                    break
                if before >= 0:
                    names[before, H_NEXT] = head
            before = head
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
                begin, end = names[text, START], names[text, STOP]
                name = intern(SOURCES, arena_words, begin, end, counts, slots, names, arena_words)
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
