"""Tables that grow while bodies are scanned: arrays, doubled when full, that scanners fill and plain Python can add to.

Nothing here reads a format. A scanner that finds no room notes what it wants in ``counts``, is called again after
``Builder.grow`` and goes on with the same line. The arrays are few and plain because a kernel passes each on by value.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbeat.records import Strings, Table
from offbeat.wire.compiled import Bytes, Floats, Ints, Slots, Words, inlined, step
from offbeat.wire.fields import Event
from offbeat.wire.numbers import NOTHING, product, words_of

SOURCES, FIELDS, TEXT_FIELDS, TEXTS, KEYS, HEADS, HEAD_SOURCES, SHAPES = (np.int64(n) for n in range(8))
"""The kinds of names: four of the table, and those that scanners keep for themselves. counts[kind] names are known.
(Of numpy's type because numba compiles a function anew for every plain constant that it is called with.)"""
NAMES, ARENA, ROWS, POINTS, TEXT_POINTS, SERIAL, WANTED, WANTED_ROOM, SEED, COUNTS_SIZE = range(8, 18)
"""More places in ``counts``: names of all kinds, bytes of them, events, values, text values; lines tried; what has no
room, how much; the seed of hashes, Python's own: numbers go by first sight, so it changes nothing that is seen."""
MIX = np.uint64(0xA0761D6478BD642F)
HASH, START, STOP, KIND, NUMBER, NOTES = range(6)
"""Columns of ``names``; scanners note what they like of their own kinds from NOTES on, where -1 is nothing."""
NAMES_COLUMNS = NOTES + 8
ROW_SOURCE, ROW_TIME, ROW_LINE = range(3)
POINT_ROW, POINT_FIELD = range(2)
TEXT_ROW, TEXT_FIELD, TEXT_CODE = range(3)


class Arrays(NamedTuple):
    """All that a scanner writes to, in the order of its arguments.

    counts       (COUNTS_SIZE,) int64       how much of the others is in use
    slots        (2^k,) int32               hash table with open addressing: name + 1, 0 is free
    names        (c, NAMES_COLUMNS) int64   each text of each kind once; its bytes are arena[START:STOP]
    arena        (b,) uint8                 at least eight bytes longer than the names
    arena_words  (b - 7,) uint64            the same by eight bytes, see numbers.words_of
    rows         (n, 3) int64               source, time_ms, line
    points       (p, 2) int64               row, field
    values       (p,) float64
    text_points  (t, 3) int64               row, field, text
    """

    counts: Ints
    slots: Slots
    names: Ints
    arena: Bytes
    arena_words: Words
    rows: Ints
    points: Ints
    values: Floats
    text_points: Ints


@inlined
def alike(words: Words, a: int, others: Words, b: int, size: int) -> bool:
    """Are the *size* bytes at *a* those at *b*?"""
    j = 8
    while j <= size:
        if words[a + j - 8] != others[b + j - 8]:
            return False
        j += 8
    left = size + 8 - j
    return left == 0 or bool((words[a + j - 8] ^ others[b + j - 8]) << np.uint64(64 - 8 * left) == NOTHING)


@inlined
def hash_of(words: Words, start: int, stop: int, seed: np.uint64) -> np.uint64:
    """A hash of the bytes from *start* to *stop*; seeded, for senders choose the names and could make them collide.

    Source: after Wang Yi, "wyhash", final version 4: fold the product of 128 bits.
    """
    h = seed ^ np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        high, low = product(h ^ words[i], MIX ^ seed)
        h = high ^ low
        i += 8
    if i < stop:
        high, low = product(h ^ (words[i] << np.uint64(64 - 8 * (stop - i))), MIX ^ seed)
        h = high ^ low
    return h


@step
def intern(
    kind: np.int64, words: Words, start: int, stop: int,
    counts: Ints, slots: Slots, names: Ints, arena_words: Words,
) -> int:
    """The row in *names* of the text from *start* to *stop* of a kind; -1 if it is new and there is no room."""
    h = np.int64(hash_of(words, start, stop, np.uint64(counts[SEED]))) ^ kind
    mask = slots.size - 1
    at = h & mask
    size = stop - start
    while True:
        n = np.int64(slots[at]) - 1
        if n < 0:
            break
        same = names[n, HASH] == h and names[n, KIND] == kind and names[n, STOP] - names[n, START] == size
        if same and alike(words, start, arena_words, names[n, START], size):
            return int(n)
        at = (at + 1) & mask
    n = counts[NAMES]
    a = counts[ARENA]
    if n >= names.shape[0]:
        counts[WANTED] = NAMES
        counts[WANTED_ROOM] = 1
        return -1
    if a + size >= arena_words.size:
        counts[WANTED] = ARENA
        counts[WANTED_ROOM] = size + 8
        return -1
    for j in range(0, size, 8):
        arena_words[a + j] = words[start + j]
    names[n, HASH] = h
    names[n, START] = a
    names[n, STOP] = a + size
    names[n, KIND] = kind
    names[n, NUMBER] = counts[kind]
    if kind >= KEYS:
        for j in range(NOTES, NAMES_COLUMNS):
            names[n, j] = -1
    slots[at] = n + 1
    counts[kind] += 1
    counts[NAMES] = n + 1
    counts[ARENA] = a + size
    return int(n)


@step
def rehash(slots: Slots, names: Ints, count: int) -> None:
    """Fill *slots* (all zero) with the first *count* names."""
    mask = slots.size - 1
    for n in range(count):
        at = names[n, HASH] & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = n + 1


@step
def gather(
    kind: np.int64, count: int, names: Ints, arena: Bytes, end: Ints, data: Bytes,
) -> int:
    """Copy the texts of a kind, of *count* of all kinds, to *data*, their ends to *end*; returns the bytes copied."""
    number = used = 0
    for n in range(count):
        if names[n, KIND] == kind:
            for j in range(names[n, START], names[n, STOP]):
                data[used] = arena[j]
                used += 1
            end[number] = used
            number += 1
    return used


@step
def has_room(
    points_more: int, counts: Ints, rows: Ints, points: Ints, text_points: Ints,
) -> bool:
    """Is there room for one event more with *points_more* values, numeric or text?"""
    counts[WANTED_ROOM] = points_more
    if counts[ROWS] >= rows.shape[0]:
        counts[WANTED] = ROWS
        return False
    if counts[POINTS] + points_more > points.shape[0]:
        counts[WANTED] = POINTS
        return False
    if counts[TEXT_POINTS] + points_more > text_points.shape[0]:
        counts[WANTED] = TEXT_POINTS
        return False
    return True


class Builder:
    """A table that grows. ``arrays`` is what scanners get; it is another tuple after ``grow``."""

    def __init__(self, data_bytes: int, known: Arrays | None = None) -> None:
        """Room at first for what *data_bytes* of data usually hold; the names of *known* are there already."""
        events = 16 + data_bytes // 48
        names = 64 + data_bytes // 64
        counts = np.zeros(COUNTS_SIZE, np.int64)
        counts[SEED] = hash("offbeat")
        arena = np.empty(2048 + data_bytes // 8, np.uint8)
        self.arrays = Arrays(
            counts, np.zeros(slots_for(names), np.int32), np.empty((names, NAMES_COLUMNS), np.int64), arena,
            words_of(arena), np.empty((events, 3), np.int64), np.empty((events, 2), np.int64),
            np.empty(events, np.float64), np.empty((64, 3), np.int64))

        if known is not None:
            self._take_names(known)

    def _take_names(self, known: Arrays) -> None:
        count, used = int(known.counts[NAMES]), int(known.counts[ARENA])
        a = self.arrays
        if count > len(a.names) // 2 or used + 1024 > a.arena.size:
            arena = np.empty(2 * known.arena.size, np.uint8)
            self.arrays = a = a._replace(
                slots=np.zeros(slots_for(2 * len(known.names)), np.int32), arena=arena, arena_words=words_of(arena),
                names=np.empty((2 * len(known.names), NAMES_COLUMNS), np.int64))
        a.counts[:] = known.counts
        a.names[:count], a.arena[:used] = known.names[:count], known.arena[:used]
        rehash(a.slots, a.names, count)

    def grow(self) -> None:
        """Make the room that a scanner wanted: at least twice what there was."""
        a = self.arrays
        wanted, room = int(a.counts[WANTED]), int(a.counts[WANTED_ROOM])
        if wanted == NAMES:
            names = longer(a.names, 3 * len(a.names))
            slots = np.zeros(slots_for(len(names)), np.int32)
            rehash(slots, names, int(a.counts[NAMES]))
            self.arrays = a._replace(slots=slots, names=names)
        elif wanted == ARENA:
            arena = longer(a.arena, room)
            self.arrays = a._replace(arena=arena, arena_words=words_of(arena))
        elif wanted == ROWS:
            self.arrays = a._replace(rows=longer(a.rows, room))
        elif wanted == POINTS:
            self.arrays = a._replace(points=longer(a.points, room), values=longer(a.values, room))
        else:
            self.arrays = a._replace(text_points=longer(a.text_points, room))

    def name(self, kind: np.int64, text: str) -> int:
        """The row in ``names`` of *text*."""
        encoded = text.encode()
        words = words_of(np.frombuffer(bytearray(encoded + bytes(8)), np.uint8))  # writable, as intern is compiled for
        while True:
            a = self.arrays
            n = intern(kind, words, 0, len(encoded), a.counts, a.slots, a.names, a.arena_words)
            if n >= 0:
                return int(n)
            self.grow()

    def number(self, kind: np.int64, text: str) -> int:
        """The number of *text* among the names of its kind."""
        name = self.name(kind, text)  # first: it may grow the arrays
        return int(self.arrays.names[name, NUMBER])

    def add(self, event: Event, line: int) -> None:
        """Append *event*, which stood in line *line* of its body."""
        a = self.arrays
        while not has_room(len(event.points) + len(event.texts), a.counts, a.rows, a.points, a.text_points):
            self.grow()
            a = self.arrays
        row = int(a.counts[ROWS])
        source = self.number(SOURCES, event.source)
        for p, (name, value) in enumerate(event.points, int(a.counts[POINTS])):
            a.points[p] = row, self.number(FIELDS, name)
            a.values[p] = value
        for t, (name, text) in enumerate(event.texts, int(a.counts[TEXT_POINTS])):
            a.text_points[t] = row, self.number(TEXT_FIELDS, name), self.number(TEXTS, text)
        a.rows[row] = source, event.time_ms, line
        a.counts[ROWS] += 1
        a.counts[POINTS] += len(event.points)
        a.counts[TEXT_POINTS] += len(event.texts)

    def table(self) -> Table:
        """All events so far, as copies: the room that was not needed is given back."""
        a = self.arrays
        rows = a.rows[: int(a.counts[ROWS])]
        points = a.points[: int(a.counts[POINTS])].astype(np.int32)
        texts = a.text_points[: int(a.counts[TEXT_POINTS])].astype(np.int32)
        return Table(
            sources=self._strings(SOURCES),
            source=rows[:, ROW_SOURCE].astype(np.int32), time_ms=rows[:, ROW_TIME].copy(),
            fields=self._strings(FIELDS),
            point_row=points[:, POINT_ROW].copy(), point_field=points[:, POINT_FIELD].copy(),
            point_value=a.values[: len(points)].copy(),
            text_fields=self._strings(TEXT_FIELDS), texts=self._strings(TEXTS),
            text_row=texts[:, TEXT_ROW].copy(), text_field=texts[:, TEXT_FIELD].copy(),
            text_code=texts[:, TEXT_CODE].copy())

    def lines(self) -> NDArray[np.int32]:
        """The line number of each event."""
        return self.arrays.rows[: int(self.arrays.counts[ROWS]), ROW_LINE].astype(np.int32)

    def _strings(self, kind: np.int64) -> Strings:
        a = self.arrays
        end = np.empty(int(a.counts[kind]), np.int64)
        data = np.empty(int(a.counts[ARENA]), np.uint8)
        used = gather(kind, int(a.counts[NAMES]), a.names, a.arena, end, data)
        return Strings(data[:used].copy(), end)


def slots_for(names: int) -> int:
    """How large a hash table for *names* names is: a power of two, at most half full."""
    return 1 << (2 * names - 1).bit_length()


def longer(column: NDArray[Any], room: int) -> NDArray[Any]:
    """A copy of *column* at least twice as long, with *room* more entries at least."""
    new = np.empty((len(column) + max(len(column), room), *column.shape[1:]), column.dtype)
    new[: len(column)] = column
    return new
