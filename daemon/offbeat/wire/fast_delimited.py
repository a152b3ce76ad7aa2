"""CSV rows at speed: cells without quotes; see delimited for what they mean."""
from __future__ import annotations

import numpy as np

from offbeat.wire.build import ROWS
from offbeat.wire.compiled import Bytes, Floats, Ints, Slots, Words, inlined, part, step
from offbeat.wire.fast_ndjson import after_blanks
from offbeat.wire.numbers import NO_NUMBER, after_character, scan_number
from offbeat.wire.scan import (
    ABSENT,
    ARRIVAL,
    AT,
    BODY,
    BODY_STOP,
    DELIMITER,
    DONE,
    F_KIND,
    F_MANTISSA,
    F_NEGATIVE,
    F_POWER,
    F_START,
    F_STOP,
    F_STYLE,
    FALSE,
    LINE,
    LINE_MAX,
    NUMERIC,
    ODD,
    ROWS_END,
    STRING,
    TRUE,
    make_event,
)

WORDS = np.frombuffer(b"truefalsenaninfinity", np.uint8)
UNSURE = -1


@part
def is_word(data: Bytes, start: int, stop: int, word_start: int, word_stop: int) -> bool:
    """Is data[start:stop] that part of WORDS, in small or capital letters?"""
    if stop - start != word_stop - word_start:
        return False
    for j in range(stop - start):  # noqa: SIM110 - numba knows no generator here
        if (data[start + j] | 32) != WORDS[word_start + j]:
            return False
    return True


@part
def kind_of_text(data: Bytes, start: int, stop: int) -> int:
    """TRUE, FALSE or STRING as data[start:stop] says, which is no number; UNSURE if it may be NaN or infinity."""
    if start == stop:
        return ABSENT
    if stop - start > 9:
        return STRING
    first = data[start] | 32
    if first == 116 and is_word(data, start, stop, 0, 4):
        return TRUE
    if first == 102 and is_word(data, start, stop, 4, 9):
        return FALSE
    if data[start] == 43 or data[start] == 45:
        return UNSURE
    if is_word(data, start, stop, 9, 12) or is_word(data, start, stop, 12, 15):
        return UNSURE
    return UNSURE if is_word(data, start, stop, 12, 20) else STRING


@inlined
def read_cells(
    data: Bytes, words: Words, at: int, stop: int, columns: int, delimiter: int, found: Ints,
) -> int:
    """Find the cells of the row at *at*: where it ends, at its newline or *stop*; -1 for what needs care."""
    i = at
    for k in range(columns):
        while i < stop and (data[i] == 32 or data[i] == 9 or data[i] == 13) and data[i] != delimiter:
            i += 1
        start = i
        kind = ABSENT
        if i < stop and data[i] <= 57 and data[i] >= 43:
            end, mantissa, power, negative, style = scan_number(data, words, i)
            if style != NO_NUMBER:
                kind = NUMERIC
                i = end
                found[k, F_STYLE] = style
                found[k, F_MANTISSA] = mantissa
                found[k, F_POWER] = power
                found[k, F_NEGATIVE] = negative
        end = i
        while i < stop and data[i] != 10 and data[i] != delimiter:
            c = data[i]
            if c == 34 or c == 0:
                return -1
            if c < 128:
                i += 1
                if c != 32 and c != 9 and c != 13:
                    end = i
                    kind = STRING
            else:
                i = after_character(data, i, stop)
                if i < 0:
                    return -1
                end = i
                kind = STRING
        if kind == STRING:
            kind = kind_of_text(data, start, end)
            if kind == UNSURE:
                return -1
        found[k, F_KIND] = kind
        found[k, F_START] = start
        found[k, F_STOP] = end
        if k + 1 < columns:
            if i >= stop or data[i] != delimiter:
                return -1
            i += 1
    return i if i == stop or data[i] == 10 else -1


@step
def scan_delimited(
    data: Bytes, words: Words, bodies: Ints, place: Ints, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
    rows: Ints, points: Ints, values: Floats, text_points: Ints,
) -> int:
    """Read the rows of the one body at *place*, behind its header: DONE, or ODD or FULL with *place* at that row.

    found  a row for each column, its key filled in. For the other arrays see scan and build
    """
    body, at, line = place[BODY], place[AT], place[LINE]
    said = DONE
    stop = bodies[body, BODY_STOP]
    while at < stop:
        i = after_blanks(data, at, stop)
        blank = i == stop or data[i] == 10
        if not blank:
            i = read_cells(data, words, at, stop, found.shape[0], rules[DELIMITER], found)
            if i < 0:
                said = ODD
                break
        if i - at > rules[LINE_MAX]:
            said = ODD
            break
        if not blank:
            said = make_event(data, words, found.shape[0], line, bodies[body, ARRIVAL], found, rules,
                              counts, slots, names, arena_words, rows, points, values, text_points)
            if said != DONE:
                break
        at = i + 1
        line += 1
    bodies[body, ROWS_END] = counts[ROWS]
    place[AT], place[LINE] = at, line
    return said
