"""CSV rows at speed: cells without quotes; see delimited for what they mean."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.wire.build import ROWS
from offbeat.wire.fast_ndjson import after_blanks
from offbeat.wire.inlining import inlined, step
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


@step
def is_word(data: NDArray[np.uint8], start: int, stop: int, word_start: int, word_stop: int) -> bool:
    """Is data[start:stop] that part of WORDS, in small or capital letters?"""
    if stop - start != word_stop - word_start:
        return False
    for j in range(stop - start):
        if (data[start + j] | 32) != WORDS[word_start + j]:
            return False
    return True


@step
def kind_of_text(data: NDArray[np.uint8], start: int, stop: int) -> int:
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
    if first == 110 or first == 105:
        if is_word(data, start, stop, 9, 12) or is_word(data, start, stop, 12, 15) or is_word(data, start, stop, 12, 20):
            return UNSURE
    return STRING


@inlined
def read_cells(
    data: NDArray[np.uint8], words: NDArray[np.uint64], at: int, stop: int, columns: int, delimiter: int, found: NDArray[np.int64],
) -> int:
    """Find the cells of the row at *at*: where it ends, at its newline or *stop*; -1 if it has a quote or not *columns* cells."""
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
    data: NDArray[np.uint8], words: NDArray[np.uint64], bodies: NDArray[np.int64], place: NDArray[np.int64],
    found: NDArray[np.int64], rules: NDArray[np.int64],
    counts: NDArray[np.int64], slots: NDArray[np.int32], names: NDArray[np.int64], arena: NDArray[np.uint8],
    arena_words: NDArray[np.uint64], rows: NDArray[np.int64], points: NDArray[np.int64], values: NDArray[np.float64], text_points: NDArray[np.int64],
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
