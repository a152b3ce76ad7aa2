"""Heads of line protocol at speed: measurement and tags, read once and then known by their bytes.

What a head says of the names of its series is a shape: ``measurement.`` before the field, the other tags behind it.
"""
from __future__ import annotations

import numpy as np

from offbeat.wire.build import (
    HEAD_SOURCES,
    KEYS,
    NOTES,
    NUMBER,
    SHAPES,
    START,
    STOP,
    alike,
    intern,
)
from offbeat.wire.compiled import Bytes, Ints, Slots, Words, inlined, part, signed
from offbeat.wire.numbers import (
    BACKSLASHES,
    NOTHING,
    ONES,
    QUOTES,
    SPACES,
    TOP_BITS,
    after_character,
    first_byte,
)
from offbeat.wire.scan import (
    NAME_MAX,
    ROWS_SPARE,
    SOURCE_RANK,
    SOURCE_REQUIRED,
    copied,
    scratch_in,
)

H_STATE, H_SOURCE_TEXT, H_SOURCE, H_SHAPE, H_TAGS, H_NEXT = range(NOTES, NOTES + 6)
"""What is noted about a head: READ or UNREADABLE (-1: not looked at); the name of its source among HEAD_SOURCES and,
once in the table, its number there; its shape; how many tags it has; which head came next when it was last read."""
S_BEFORE = NOTES
"""What is noted about a shape: how many of its bytes stand before the field."""
READ, UNREADABLE = range(2)
T_START, T_EQUALS, T_STOP, T_RANK, T_COLUMNS = range(5)
"""Columns of ``found`` for a tag: where it begins, has its equals sign and ends; its rank among the source fields."""
NOT_READ, NO_ROOM = -1, -2


@inlined
def head_end(data: Bytes, words: Words, at: int, stop: int) -> int:
    """Where the head that begins at *at* has its space; -1 for one that needs care. See string_end."""
    i = at
    while True:
        w = words[i]
        quote, backslash = w ^ QUOTES, w ^ BACKSLASHES
        marks = (quote - ONES) & ~quote | (backslash - ONES) & ~backslash | (w - SPACES - ONES) & ~w | w
        marks = marks & TOP_BITS
        if marks == NOTHING:
            i += 8
            continue
        i += first_byte(marks)
        if data[i] == 32:
            return i
        if data[i] < 128:
            return -1
        i = after_character(data, i, stop)
        if i < 0:
            return -1


@inlined
def head_after(
    before: int, data: Bytes, words: Words, at: int, stop: int, names: Ints, arena_words: Words,
) -> int:
    """The head that begins at *at* if it came after the head *before* the last time too; else -1.

    Who sends keeps to an order, mostly: to compare is less than to look for the end, to hash and to look up.
    """
    if before < 0:
        return -1
    head = names[before, H_NEXT]
    if head < 0:
        return -1
    size = names[head, STOP] - names[head, START]
    if at + size >= stop or data[at + size] != 32 or not alike(words, at, arena_words, names[head, START], size):
        return -1
    return signed(head)


@part
def name_end(data: Bytes, at: int, stop: int) -> int:
    """Where the name of a field that begins at *at* has its ``=``; -1 for what needs care."""
    i = at
    while i < stop:
        c = data[i]
        if c == 61:
            return i
        if c <= 32 or c == 34 or c == 44 or c == 92:
            return -1
        if c < 128:
            i += 1
        else:
            i = after_character(data, i, stop)
            if i < 0:
                return -1
    return -1


@part
def order_of(data: Bytes, a: int, a_stop: int, b: int, b_stop: int) -> int:
    """Below, at or above 0 as data[a:a_stop] comes before, is or comes after data[b:b_stop] by their bytes."""
    for j in range(min(a_stop - a, b_stop - b)):
        if data[a + j] != data[b + j]:
            return signed(data[a + j]) - signed(data[b + j])
    return (a_stop - a) - (b_stop - b)


@part
def find_tags(
    data: Bytes, words: Words, start: int, stop: int, found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena_words: Words,
) -> int:
    """Find the tags in data[start:stop], which begins at a comma, into the last rows of *found*, in order of names.

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


@part
def read_head(
    data: Bytes, words: Words, head: int, start: int, stop: int,
    found: Ints, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
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
        begin, end = found[chosen, T_EQUALS] + 1, found[chosen, T_STOP]
        source = intern(HEAD_SOURCES, words, begin, end, counts, slots, names, arena_words)
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


@part
def series_name(
    kind: np.int64, shape: int, key: int, rules: Ints,
    counts: Ints, slots: Slots, names: Ints, arena: Bytes, arena_words: Words,
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
