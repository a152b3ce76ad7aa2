"""The rows of open buckets by entity, in flat arrays that grow, are saved and restored. What a row holds, others know.

A row may have *room*: 8, 32, 128 or 512 entries of its own in one array of words, for a list or a set. Room given back
is taken again. Rows of one entity may form a chain: its first row, with the code OTHERS, then a row for each code,
found by a table of hashes with linear probing (D. Knuth, "The art of computer programming", volume 3, 6.4).
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import State
from offbeat_detectors.kernel import lean_kernel

OTHERS = -1
"""The code of an entity's first row."""
USED, TOP, IGNORED, FREE_ROW, FREE_ROOM = 0, 1, 2, 3, 4
HEAD_SIZE = 8
"""The numbers of a table's head: rows and words in use or free again, rows of this input that were ignored, then one
more than the first free row, and than the first free room of each of the four sizes."""
LEVEL_MAX = 3
ROOM_MAX = 512
NO_ROOM = -1
ROWS_MIN = 64

ROW: list[tuple[str, str]] = [
    ("entity", "i4"), ("code", "i4"), ("next", "i4"), ("chain", "i4"), ("level", "i4"), ("used", "i4"), ("part", "i4"),
    ("sketch", "i4"), ("start", "i8"), ("count", "f8"), ("count_lost", "f8"), ("beyond", "f8"),
]
"""What every row has.

entity, code        whose it is; entity −1: nobody's
next, chain         the next row of the entity (−1: none), and how many follow its first
start, level, used  its room: where, of which size (NO_ROOM: none), how many entries are in use
part, sketch        1 if it may lack early rows of input, if it holds a sketch and not all
count, count_lost   the events that it stands for, and what rounding took from that sum
beyond              the events of rows that were laid to the first, of that one
"""


@dataclass(slots=True)
class Table:
    """One open bucket.

    index  (entities,) int32   one more than the entity's first row; 0: none
    slots  (2^k,) int32        one more than a row with a code, where its hash says; 0: none
    rows   (room,) of the kind's dtype
    words  (room,) what rows have besides
    head   (HEAD_SIZE,) int64
    """

    index: NDArray[np.int32]
    slots: NDArray[np.int32]
    rows: NDArray[Any]
    words: NDArray[Any]
    head: NDArray[np.int64]

    @property
    def live(self) -> NDArray[Any]:
        """The rows up to the last in use; nobody's among them."""
        return self.rows[: self.head[USED]]


class Tables:
    """The open buckets of one detector.

    row          dtype of a row, which begins with ROW
    word         dtype of the words
    width        words of one entry; 0: rows have no room of their own
    chained      whether an entity has a row for each code
    ignored_rows rows of input so far that stood for no event: their weight was not above 0, or not finite
    """

    def __init__(self, row: np.dtype[Any], word: type[Any], width: int, *, chained: bool = False) -> None:
        self._row, self._word, self._chained = row, np.dtype(word), chained
        self.spare = 3 * ROOM_MAX * width
        """Words that one row of input may need at most."""
        self.ignored_rows = 0
        self._open: dict[int, Table] = {}

    @property
    def buckets(self) -> tuple[int, ...]:
        """The numbers of the buckets that have rows, ascending."""
        return tuple(sorted(self._open))

    def of(self, bucket: int) -> Table | None:
        """The table of *bucket*; None if nothing came."""
        return self._open.get(bucket)

    def forget(self, bucket: int) -> None:
        """Close *bucket*, if it is open."""
        self._open.pop(bucket, None)

    def fold(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], columns: tuple[NDArray[Any], ...],
        kernel: Callable[..., int],
    ) -> None:
        """Give *kernel* the rows of each bucket, in order of arrival, until it has taken all.

        bucket, entity, columns  (n,) each
        kernel  called with (first, entity, *columns, index, rows, words, head, spare), slots after index if chained;
                it takes rows from *first* on while there is room for another, and says which is the next

        Raises ValueError for columns of different lengths or a negative entity.
        """
        n = bucket.size
        if any(each.size != n or each.ndim != 1 for each in (entity, *columns)):
            raise ValueError("columns of different lengths")
        if n == 0:
            return
        if int(entity.min()) < 0:
            raise ValueError(f"entity {int(entity.min())}: expected 0 or more")
        for number, rows in parts_of(bucket):
            of_bucket = np.ascontiguousarray(entity[rows])
            table = self._table(number, int(of_bucket.max()) + 1)
            own, done = tuple(np.ascontiguousarray(each[rows]) for each in columns), 0
            while done < of_bucket.size:
                self._make_room(table)
                index = (table.index, table.slots) if self._chained else (table.index,)
                done = kernel(done, of_bucket, *own, *index, table.rows, table.words, table.head, self.spare)
            self.ignored_rows += int(table.head[IGNORED])
            table.head[IGNORED] = 0
            if table.head[USED] == 0:
                self.forget(number)

    def _table(self, bucket: int, entities: int) -> Table:
        table = self._open.get(bucket)
        if table is None:
            table = Table(np.zeros(entities, np.int32), np.zeros(0, np.int32), np.zeros(0, self._row),
                          np.zeros(0, self._word), np.zeros(HEAD_SIZE, np.int64))
            self._open[bucket] = table
        elif entities > table.index.size:
            table.index = longer(table.index, max(entities, 2 * table.index.size))
        return table

    def _make_room(self, table: Table) -> None:
        if table.rows.size - table.head[USED] < 2:
            table.rows = longer(table.rows, max(ROWS_MIN, 2 * table.rows.size))
            self._index_codes(table)
        if table.words.size - table.head[TOP] < self.spare:
            table.words = longer(table.words, max(2 * self.spare, 2 * table.words.size))

    def _index_codes(self, table: Table) -> None:
        if self._chained:
            table.slots = np.zeros(1 << (2 * table.rows.size - 1).bit_length(), np.int32)
            fill_slots(table.slots, table.rows, table.head)

    def save(self) -> State:
        """A copy of all open buckets, one after the other, ascending."""
        numbers = self.buckets
        tables = [self._open[number] for number in numbers]
        rows = np.concatenate([np.zeros(0, self._row), *(each.live for each in tables)])
        words = [each.words[: each.head[TOP]] for each in tables]
        return {
            "bucket": np.array(numbers, np.int64), "ignored": np.array([self.ignored_rows], np.int64),
            "head": np.array([each.head for each in tables], np.int64).reshape(len(tables), HEAD_SIZE),
            "words": np.concatenate([np.zeros(0, self._word), *words]),
            **{f"row_{name}": rows[name].copy() for name in self._row.names or ()},
        }

    def restore(self, state: State) -> None:
        """Set the open buckets to what ``save`` gave; going on is as if uninterrupted, bit for bit.

        Raises KeyError for a missing array, ValueError for arrays that do not fit together.
        """
        heads, numbers = state["head"], state["bucket"]
        of_rows, of_words = heads[:, USED], heads[:, TOP]
        names = self._row.names or ()
        if len(heads) != numbers.size or state["words"].size != of_words.sum() or any(
                state[f"row_{name}"].size != of_rows.sum() for name in names):
            raise ValueError("the saved arrays of open buckets do not fit together")
        rows = np.zeros(int(of_rows.sum()), self._row)
        for name in names:
            rows[name] = state[f"row_{name}"]
        self.ignored_rows = int(state["ignored"][0])
        self._open = {}
        row_ends, word_ends = np.cumsum(of_rows), np.cumsum(of_words)
        for i, number in enumerate(numbers.tolist()):
            own = rows[row_ends[i] - of_rows[i] : row_ends[i]].copy()
            first = np.flatnonzero((own["entity"] >= 0) & (own["code"] == OTHERS))
            index = np.zeros(int(own["entity"].max(initial=0)) + 1, np.int32)
            index[own["entity"][first]] = first + 1
            words = state["words"][word_ends[i] - of_words[i] : word_ends[i]].copy()
            self._open[number] = Table(index, np.zeros(0, np.int32), longer(own, max(ROWS_MIN, own.size)), words,
                                       heads[i].copy())
            self._index_codes(self._open[number])


class OpenBuckets:
    """What gathers rows of open buckets in *tables*: its buckets are told, forgotten, saved and restored."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def buckets(self) -> tuple[int, ...]:
        """The open buckets that have rows, ascending."""
        return self._tables.buckets

    @property
    def ignored_rows(self) -> int:
        """Rows so far that stood for no event: their weight was not above 0, or not finite."""
        return self._tables.ignored_rows

    def forget(self, bucket: int) -> None:
        """Close *bucket*, if it is open."""
        self._tables.forget(bucket)

    def save(self) -> State:
        """A copy of all open buckets."""
        return self._tables.save()

    def restore(self, state: State) -> None:
        """Go on from what ``save`` of the same kind gave. Raises as ``Tables.restore``."""
        self._tables.restore(state)


def parts_of(bucket: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    """Each bucket number of (n,) rows with what selects its rows, in order of arrival."""
    if bucket[0] == bucket[-1] and bucket.min() == bucket.max():
        yield int(bucket[0]), slice(None)
        return
    order = np.argsort(bucket, kind="stable")
    ordered = bucket[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    for start, end in zip(starts, [*starts[1:], bucket.size], strict=True):
        yield int(ordered[start]), order[start:end]


def longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    """*array* with zeros after it, *size* long."""
    made = np.zeros(size, array.dtype)
    made[: array.size] = array
    return made


@lean_kernel
def new_row(rows: NDArray[Any], head: NDArray[np.int64], entity: int, code: int) -> int:
    """A row of *entity* and *code*, of which the fields of ROW are set; there must be one left."""
    at = head[FREE_ROW] - 1
    if at >= 0:
        head[FREE_ROW] = rows[at].next
    else:
        at = head[USED]
        head[USED] = at + 1
    r = rows[at]
    r.entity, r.code, r.next, r.chain = np.int32(entity), np.int32(code), np.int32(-1), np.int32(0)
    r.level, r.used, r.part, r.sketch = np.int32(NO_ROOM), np.int32(0), np.int32(0), np.int32(0)
    r.start, r.count, r.count_lost, r.beyond = np.int64(0), 0.0, 0.0, 0.0
    return int(at)


@lean_kernel
def take_room(words: NDArray[Any], head: NDArray[np.int64], level: int, width: int) -> int:
    """Where 8·4^level entries of *width* words are free; they hold anything."""
    free = head[FREE_ROOM + level]
    if free > 0:
        head[FREE_ROOM + level] = np.int64(words[free - 1])
        return int(free - 1)
    start = head[TOP]
    head[TOP] = start + (width << (3 + 2 * level))
    return int(start)


@lean_kernel
def give_room(words: NDArray[Any], head: NDArray[np.int64], level: int, start: int) -> None:
    """The room at *start* is free again."""
    words[start] = head[FREE_ROOM + level]
    head[FREE_ROOM + level] = start + 1


@lean_kernel
def home(slots: NDArray[np.int32], entity: int, code: int) -> int:
    """The slot that *entity* and *code* would like."""
    mixed = ((np.uint64(entity) << np.uint64(32)) | np.uint64(code)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
    return int(np.int64(mixed >> np.uint64(32)) & (slots.size - 1))


@lean_kernel
def slot_of(slots: NDArray[np.int32], rows: NDArray[Any], entity: int, code: int) -> int:
    """The slot of *entity* and *code*, or the empty one where it would be."""
    slot = home(slots, entity, code)
    while slots[slot] != 0 and (rows[slots[slot] - 1].entity != entity or rows[slots[slot] - 1].code != code):
        slot = (slot + 1) & (slots.size - 1)
    return slot


@lean_kernel
def empty_slot(slots: NDArray[np.int32], rows: NDArray[Any], slot: int) -> None:
    """Nothing is in *slot*; what stood behind it for want of its place moves up."""
    mask, at = slots.size - 1, slot
    while True:
        at = (at + 1) & mask
        if slots[at] == 0:
            break
        r = rows[slots[at] - 1]
        if ((at - home(slots, r.entity, r.code)) & mask) >= ((at - slot) & mask):
            slots[slot] = slots[at]
            slot = at
    slots[slot] = 0


@lean_kernel
def fill_slots(slots: NDArray[np.int32], rows: NDArray[Any], head: NDArray[np.int64]) -> None:
    """Enter all rows with a code into the empty *slots*."""
    for at in range(head[USED]):
        if rows[at].entity >= 0 and rows[at].code != OTHERS:
            slots[slot_of(slots, rows, rows[at].entity, rows[at].code)] = at + 1


@lean_kernel
def link(slots: NDArray[np.int32], rows: NDArray[Any], first: int, at: int) -> None:
    """The new row *at* is in the chain of *first*, and is found."""
    slots[slot_of(slots, rows, rows[at].entity, rows[at].code)] = np.int32(at + 1)
    rows[at].part = np.int32(rows[first].beyond > 0.0)
    rows[at].next = rows[first].next
    rows[first].next = np.int32(at)
    rows[first].chain = np.int32(rows[first].chain + 1)


@lean_kernel
def before_lightest(rows: NDArray[Any], first: int) -> int:
    """The row of the chain before the one with the fewest events; of equals, before that of the highest code."""
    found, before, at = first, first, rows[first].next
    while at >= 0:
        least, r = rows[rows[found].next], rows[at]
        if r.count < least.count or (r.count == least.count and r.code > least.code):
            found = before
        before, at = at, rows[at].next
    return int(found)


@lean_kernel
def unlink(
    slots: NDArray[np.int32], rows: NDArray[Any], head: NDArray[np.int64], first: int, before: int,
) -> None:
    """The row after *before* leaves the chain of *first*, and is nobody's."""
    at = rows[before].next
    empty_slot(slots, rows, slot_of(slots, rows, rows[at].entity, rows[at].code))
    rows[before].next = rows[at].next
    rows[first].chain = np.int32(rows[first].chain - 1)
    rows[at].entity, rows[at].next = np.int32(-1), np.int32(head[FREE_ROW])
    head[FREE_ROW] = at + 1
