"""What the scanners of all formats share: the fields of one line as found, and making them an event.

A scanner never rejects. It takes the lines that it understands in full and stops at any other (ODD) for the careful
path.
"""
from __future__ import annotations

from functools import lru_cache

import numpy as np

from offbeat.wire.build import (
    ARENA,
    FIELDS,
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
    SOURCES,
    START,
    STOP,
    TEXT_CODE,
    TEXT_FIELD,
    TEXT_FIELDS,
    TEXT_POINTS,
    TEXT_ROW,
    TEXTS,
    WANTED,
    WANTED_ROOM,
    Arrays,
    Builder,
    alike,
    has_room,
    intern,
)
from offbeat.wire.compiled import Bytes, Floats, Ints, Slots, Words, inlined, part, signed, step
from offbeat.wire.numbers import (
    BY_MAGNITUDE,
    MICROSECONDS,
    MILLISECONDS,
    NANOSECONDS,
    NO_NUMBER,
    NO_POWER,
    SECONDS,
    WHOLE,
    epoch_ms,
    exact_value,
    iso_ms,
    scan_number,
)
from offbeat.wire.options import Options, Precision

DONE, ODD, FULL = range(3)
"""What a scanner says: all bodies are read; the line at ``place`` needs care; there is no room (see build)."""
BODY, AT, LINE, PLACE_SIZE = range(4)
"""Where a scanner stands: in which body, at which byte, at which line."""
BODY_START, BODY_STOP, FIRST_LINE, ARRIVAL, ROWS_END, BODY_COLUMNS = range(6)
"""Columns of ``bodies``: bytes, number of the first line, milliseconds; filled in: the rows up to its end."""
(LINE_MAX, NAME_MAX, FIELDS_MAX, DEPTH_MAX, FUTURE, PRECISION, TIME_REQUIRED, SOURCE_REQUIRED, DELIMITER, DEFAULT_START,
 DEFAULT_STOP, AS_TEXT, RULES_SIZE) = range(13)
"""The options as scanners read them. The default source stands in the data too, behind the bodies. AS_TEXT: a source is
what its text says whatever it looks like, as in CSV."""
ABSENT, NUMERIC, TRUE, FALSE, STRING = range(5)
"""What a field holds."""
STAMP, TIME_RANK, SOURCE_RANK, IS_TEXT, FIELD, TEXT_NAME, SHAPE, TEXT_SHAPE = range(NOTES, NOTES + 8)
"""What is noted about a key: the last line that has it, its ranks (or -1), its numbers in the table (or -1)."""
(F_KEY, F_TIME, F_SOURCE, F_TEXT, F_KIND, F_STYLE, F_MANTISSA, F_POWER, F_NEGATIVE, F_START, F_STOP, F_LEAD,
 F_LEAD_BYTES, F_DEPTH, F_STACK, F_LEADS, FOUND_COLUMNS) = range(17)
"""Columns of ``found``, a row for each field of the line that is being read: its key, and what is noted about that (its
ranks, is it text); what it holds; of a number what scan_number gives; its span, without quotes; what fast_ndjson wants
to remember until the next line."""
FIELDS_FOUND_MAX = 2048
ROWS_SPARE = 32
"""Lines with more fields, tags or depth are left to the careful path. Rows to spare stand behind those for fields."""
PRECISIONS: dict[Precision | None, int] = {
    "s": SECONDS, "ms": MILLISECONDS, "us": MICROSECONDS, "ns": NANOSECONDS, None: BY_MAGNITUDE,
    "m": NO_POWER, "h": NO_POWER}


def rules_of(options: Options, default_start: int, default_stop: int, fields_max: int) -> Ints:
    """*options* for scanners; the default source is data[default_start:default_stop]; *fields_max*: see fields_in."""
    rules = np.zeros(RULES_SIZE, np.int64)
    rules[LINE_MAX] = options.line_bytes_max
    rules[NAME_MAX] = options.name_bytes_max
    rules[FIELDS_MAX] = fields_max
    rules[DEPTH_MAX] = min(options.depth_max, ROWS_SPARE)
    rules[FUTURE] = options.max_future_ms
    rules[PRECISION] = PRECISIONS[options.precision]
    rules[TIME_REQUIRED] = options.time_required
    rules[SOURCE_REQUIRED] = options.source_required
    rules[DELIMITER] = ord(options.delimiter[:1] or ",") & 127
    rules[AS_TEXT] = options.format == "csv"
    rules[DEFAULT_START], rules[DEFAULT_STOP] = default_start, default_stop
    return rules


def fields_in(options: Options, data_bytes: int) -> int:
    """How many fields of a line are to be found here: no line of so many bytes has more, but for the careful path's."""
    return min(options.event_fields_max, FIELDS_FOUND_MAX, data_bytes // 4 + 1)


def nothing_found(fields_max: int) -> Ints:
    """Room for the fields of a line."""
    return np.full((fields_max + ROWS_SPARE, FOUND_COLUMNS), -1, np.int64)


@lru_cache(maxsize=64)
def roles_of(options: Options) -> Arrays:
    """Names that are known before any line: which keys are times, sources and texts. Not to be written to.

    One that is too long for a name is left out: no line that is read here has it.
    """
    builder = Builder(0)
    roles = ((TIME_RANK, options.time_fields), (SOURCE_RANK, options.source_fields), (IS_TEXT, options.text_fields))
    for place, names in roles:
        for rank, name in enumerate(names):
            if 0 < len(name.encode()) <= options.name_bytes_max:
                key = builder.name(KEYS, name)  # may grow the arrays
                if builder.arrays.names[key, place] < 0:
                    builder.arrays.names[key, place] = rank
    return builder.arrays


@part
def scratch_in(arena: Bytes, rules: Ints, counts: Ints) -> int:
    """Where in the arena a name may be put together: in its last bytes, room for two before; -1 if there is none."""
    size = rules[NAME_MAX] + 16
    if counts[ARENA] + 3 * size > arena.size:
        counts[WANTED] = ARENA
        counts[WANTED_ROOM] = 3 * size
        return -1
    return int(arena.size - size)


@part
def copied(data: Bytes, start: int, stop: int, arena: Bytes, at: int) -> int:
    """Copy data[start:stop] to arena[at:]; where it ends there. What has no room is left out."""
    size = min(stop - start, arena.size - 8 - at)
    for j in range(size):
        arena[at + j] = data[start + j]
    return at + size


@step
def note_key(found: Ints, k: int, key: int, names: Ints) -> None:
    """Field *k* is called *key*."""
    found[k, F_KEY] = key
    found[k, F_TIME] = names[key, TIME_RANK]
    found[k, F_SOURCE] = names[key, SOURCE_RANK]
    found[k, F_TEXT] = names[key, IS_TEXT]


@inlined
def predicted_key(
    data: Bytes, words: Words, at: int, closing: int, key: int,
    names: Ints, arena_words: Words,
) -> int:
    """Where *key* (of the last line in this position) ends, if it stands at *at* with *closing* behind it; else -1."""
    if key < 0:
        return -1
    start = names[key, START]
    size = names[key, STOP] - start
    if at + size >= data.size or data[at + size] != closing or not alike(words, at, arena_words, start, size):
        return -1
    return int(at + size)


@inlined
def time_found(
    data: Bytes, words: Words, f: int, found: Ints, precision: int,
) -> tuple[bool, int]:
    """The time that field *f* says: (is it certain, the time)."""
    if found[f, F_KIND] == NUMERIC:
        return epoch_ms(found[f, F_MANTISSA], found[f, F_POWER], found[f, F_NEGATIVE] != 0, precision)
    if found[f, F_KIND] != STRING or found[f, F_START] == found[f, F_STOP]:
        return False, 0
    certain, time_ms = iso_ms(data, found[f, F_START], found[f, F_STOP])
    if certain:
        return True, time_ms
    end, mantissa, power, negative, style = scan_number(data, words, found[f, F_START])
    if style == NO_NUMBER or end != found[f, F_STOP]:
        return False, 0
    return epoch_ms(mantissa, power, negative, precision)


@inlined
def make_event(
    data: Bytes, words: Words, k: int, line: int, arrival_ms: int,
    found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena_words: Words,
    rows: Ints, points: Ints, values: Floats, text_points: Ints,
) -> int:
    """Append the event of the *k* fields found: DONE, or ODD or FULL and nothing is appended. See fields.event_of."""
    if not has_room(k, counts, rows, points, text_points):
        return FULL
    time_at = source_at = signed(-1)  # not a plain -1: numba would compile all that gets it twice
    time_rank = source_rank = 1 << 40
    for f in range(k):
        if found[f, F_KIND] == ABSENT:
            continue
        if 0 <= found[f, F_TIME] < time_rank:
            time_at, time_rank = f, found[f, F_TIME]
        if found[f, F_SOURCE] >= 0:
            if found[f, F_KIND] == STRING and found[f, F_START] == found[f, F_STOP]:
                if found[f, F_TIME] >= 0:
                    return ODD
                found[f, F_KIND] = ABSENT
            elif found[f, F_SOURCE] < source_rank:
                source_at, source_rank = f, found[f, F_SOURCE]
    time_ms = arrival_ms
    if time_at >= 0:
        certain, time_ms = time_found(data, words, time_at, found, rules[PRECISION])
        if not certain or time_ms > arrival_ms + rules[FUTURE]:
            return ODD
    elif rules[TIME_REQUIRED]:
        return ODD
    start, stop = rules[DEFAULT_START], rules[DEFAULT_STOP]
    if source_at >= 0:
        start, stop = found[source_at, F_START], found[source_at, F_STOP]
        kind = found[source_at, F_KIND]
        if not rules[AS_TEXT] and kind != STRING and (
                kind != NUMERIC or found[source_at, F_STYLE] != WHOLE
                or (found[source_at, F_MANTISSA] == 0 and found[source_at, F_NEGATIVE])):
            return ODD
    elif rules[SOURCE_REQUIRED]:
        return ODD
    if stop - start > rules[NAME_MAX]:
        return ODD
    # All values before any name: once a name is in the table its line must be taken.
    p = counts[POINTS]
    for f in range(k):
        kind = found[f, F_KIND]
        if f in (time_at, source_at) or kind in (ABSENT, STRING) or found[f, F_TEXT] >= 0:
            continue
        value = 1.0
        if kind == FALSE:
            value = 0.0
        elif kind == NUMERIC:
            value = exact_value(found[f, F_MANTISSA], found[f, F_POWER], found[f, F_NEGATIVE] != 0)
            if np.isnan(value):
                return ODD
        values[p] = value
        p += 1
    source = intern(SOURCES, words, start, stop, counts, slots, names, arena_words)
    if source < 0:
        return FULL
    row = counts[ROWS]
    p = counts[POINTS]
    t = counts[TEXT_POINTS]
    for f in range(k):
        kind = found[f, F_KIND]
        if f in (time_at, source_at) or kind == ABSENT:
            continue
        key = found[f, F_KEY]
        is_text = kind == STRING or found[f, F_TEXT] >= 0
        note = TEXT_NAME if is_text else FIELD
        number = names[key, note]
        if number < 0:
            kind_of_name = TEXT_FIELDS if is_text else FIELDS
            begin, end = names[key, START], names[key, STOP]
            name = intern(kind_of_name, arena_words, begin, end, counts, slots, names, arena_words)
            if name < 0:
                return FULL
            number = names[name, NUMBER]
            names[key, note] = number
        if is_text:
            text = intern(TEXTS, words, found[f, F_START], found[f, F_STOP], counts, slots, names, arena_words)
            if text < 0:
                return FULL
            text_points[t, TEXT_ROW] = row
            text_points[t, TEXT_FIELD] = number
            text_points[t, TEXT_CODE] = names[text, NUMBER]
            t += 1
        else:
            points[p, POINT_ROW] = row
            points[p, POINT_FIELD] = number
            p += 1
    rows[row, ROW_SOURCE] = names[source, NUMBER]
    rows[row, ROW_TIME] = time_ms
    rows[row, ROW_LINE] = line
    counts[ROWS] = row + 1
    counts[POINTS] = p
    counts[TEXT_POINTS] = t
    return DONE
