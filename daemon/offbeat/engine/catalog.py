"""Names to dense numbers: sources, fields, and series (a field of a source). Used at the intake, before the journal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.entries import Block
from offbeat.interning import Interner
from offbeat.records import Strings, Table
from offbeat_detectors.kernel import inlined_kernel, lean_kernel
from offbeat_detectors.rows import AHEAD, FAR, prefetch_at


@inlined_kernel
def _pair_slot(source: int, field: int, mask: int) -> np.int64:
    h = ((np.uint64(source) << np.uint64(32)) | np.uint64(field)) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h >> np.uint64(32)) & np.uint64(mask))


@lean_kernel
def find_or_add_pairs(
    source: NDArray[np.int32],
    point_row: NDArray[np.int32],
    point_field: NDArray[np.int32],
    fields: NDArray[np.int32],
    first: int,
    found: NDArray[np.int32],
    table: NDArray[np.int32],
    series_source: NDArray[np.int32],
    series_field: NDArray[np.int32],
    count: int,
) -> tuple[int, int]:
    """Number the pairs (source[point_row], fields[point_field]) from *first* on into *found*; new ones come next.

    Returns (how many were numbered, the new count); fewer than given if the table or the columns must grow.
    """
    mask = table.size - 1
    for i in range(first, point_row.size):
        ahead = min(i + FAR, point_row.size - 1)  # of a million series, none is in the cache
        prefetch_at(table, _pair_slot(source[point_row[ahead]], fields[point_field[ahead]], mask), 0)
        ahead = min(i + AHEAD, point_row.size - 1)
        held = table[_pair_slot(source[point_row[ahead]], fields[point_field[ahead]], mask)] - 1
        if held >= 0:
            prefetch_at(series_source, held, 0)
            prefetch_at(series_field, held, 0)
        s, f = source[point_row[i]], fields[point_field[i]]
        at = _pair_slot(s, f, mask)
        n = -1
        while table[at] != 0:
            held = table[at] - 1
            if series_source[held] == s and series_field[held] == f:
                n = held
                break
            at = (at + 1) & mask
        if n < 0:
            if count >= series_source.size or 2 * (count + 1) > table.size:
                return i, count
            n = count
            series_source[n] = s
            series_field[n] = f
            table[at] = n + 1
            count += 1
        found[i] = n
    return point_row.size, count


@lean_kernel
def rebuild_pairs(
    table: NDArray[np.int32],
    series_source: NDArray[np.int32],
    series_field: NDArray[np.int32],
    count: int,
) -> None:
    """Fill *table* (all zero) with the first *count* series."""
    mask = table.size - 1
    for n in range(count):
        at = _pair_slot(series_source[n], series_field[n], mask)
        while table[at] != 0:
            at = (at + 1) & mask
        table[at] = n + 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each the catalog takes, and how many series make a shard full.

    shards  once so many are full, new sources are dealt out among them; 0: there are as many as it takes
    """

    sources: int
    fields: int
    series: int
    shard_series: int
    shards: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the catalog was: what to go back to if a transaction fails, and where its new rows begin."""

    sources: int
    fields: int
    series: int


class Catalog:
    """The numbers of all names, given in order of first sight and never changed.

    series_source, series_field  (≥ count,) int32   of each series
    source_shard                 (≥ count,) int32   which shard holds a source and its series

    One thread adds (the intake's); others may read numbers that they were given.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sources = Interner()
        self.fields = Interner()
        self.series_count = 0
        self.series_source = np.zeros(1024, np.int32)
        self.series_field = np.zeros(1024, np.int32)
        self.source_shard = np.zeros(1024, np.int32)
        self._pairs = np.zeros(4096, np.int32)

    def mark(self) -> Mark:
        """Where the catalog is now."""
        return Mark(self.sources.count, self.fields.count, self.series_count)

    def back_to(self, mark: Mark) -> None:
        """Forget everything that was added since *mark*."""
        if mark.sources != self.sources.count:
            self.sources.forget_after(mark.sources)
        if mark.fields != self.fields.count:
            self.fields.forget_after(mark.fields)
        if mark.series != self.series_count:
            self.series_count = mark.series
            self._pairs[:] = 0
            rebuild_pairs(self._pairs, self.series_source, self.series_field, mark.series)

    def admit(self, table: Table) -> tuple[Block, NDArray[np.bool_]]:
        """Number the names of *table*: the block of events that fit, and which rows (n,) those are.

        A row that would begin a source, field or series beyond a limit is left out; the others are not disturbed.
        """
        mark = self.mark()
        block = self._number(table)
        taken = np.ones(table.source.size, np.bool_)
        limits = self.limits
        if (
            self.sources.count > max(limits.sources, mark.sources)
            or self.fields.count > max(limits.fields, mark.fields)
            or self.series_count > max(limits.series, mark.series)
        ):
            self.back_to(mark)
            taken = self._fitting(table)
            block = self._number(rows_of(table, taken))
        if self.sources.count > mark.sources:
            self._place(block, mark)
        return block, taken

    def _number(self, table: Table) -> Block:
        # In order of the rows, not of the table's lists: the numbers must not depend on how events were batched.
        sources, fields = self.sources.number(table.sources), self.fields.number(table.fields)
        source = sources[table.source]
        series = np.empty(table.point_row.size, np.int32)
        done = 0
        while True:
            done, self.series_count = find_or_add_pairs(
                source,
                table.point_row,
                table.point_field,
                fields,
                done,
                series,
                self._pairs,
                self.series_source,
                self.series_field,
                self.series_count,
            )
            if done == series.size:
                break
            self._grow()
        return Block(
            source,
            table.time_ms,
            table.point_row,
            series,
            table.point_value,
            table.text_row,
            table.text_field,
            table.text_code,
            table.text_fields,
            table.texts,
        )

    def _grow(self) -> None:
        if 2 * (self.series_count + 1) > self._pairs.size:
            self._pairs = np.zeros(4 * self._pairs.size, np.int32)
            rebuild_pairs(self._pairs, self.series_source, self.series_field, self.series_count)
        if self.series_count >= self.series_source.size:
            self.series_source = np.concatenate([self.series_source, np.zeros_like(self.series_source)])
            self.series_field = np.concatenate([self.series_field, np.zeros_like(self.series_field)])

    def _fitting(self, table: Table) -> NDArray[np.bool_]:
        """Which rows of *table* stay within the limits, one after the other. Slow: only at a limit."""
        # Limits that were lowered beneath what is held already forbid what is new, not what is known.
        limits = self.limits
        sources_max, fields_max, series_max = (
            max(limits.sources, self.sources.count),
            max(limits.fields, self.fields.count),
            max(limits.series, self.series_count),
        )
        known_source = self.sources.number(table.sources, limit=self.sources.count).tolist()
        known_field = self.fields.number(table.fields, limit=self.fields.count).tolist()
        new_sources: set[int] = set()
        new_fields: set[int] = set()
        new_series: set[tuple[int, int]] = set()
        starts = np.searchsorted(table.point_row, np.arange(table.source.size + 1)).tolist()
        source, field = table.source.tolist(), table.point_field.tolist()
        taken = np.ones(table.source.size, np.bool_)
        for row, s in enumerate(source):
            its_fields = field[starts[row] : starts[row + 1]]
            sources = set() if known_source[s] >= 0 else {s} - new_sources
            fields = {f for f in its_fields if known_field[f] < 0} - new_fields
            series = {(s, f) for f in its_fields if not self._knows(known_source[s], known_field[f])} - new_series
            if (
                self.sources.count + len(new_sources) + len(sources) > sources_max
                or self.fields.count + len(new_fields) + len(fields) > fields_max
                or self.series_count + len(new_series) + len(series) > series_max
            ):
                taken[row] = False
                continue
            new_sources |= sources
            new_fields |= fields
            new_series |= series
        return taken

    def _knows(self, source: int, field: int) -> bool:
        return source >= 0 and field >= 0 and self.series_of(source, field) is not None

    def series_of(self, source: int, field: int) -> int | None:
        """The number of a series, None if there is none."""
        mask = self._pairs.size - 1
        at = int(_pair_slot(source, field, mask))
        while self._pairs[at] != 0:
            held = int(self._pairs[at]) - 1
            if self.series_source[held] == source and self.series_field[held] == field:
                return held
            at = (at + 1) & mask
        return None

    def _place(self, block: Block, since: Mark) -> None:
        """Give each source of *block* that is new since the mark its shard: by how many series came before it."""
        while self.source_shard.size < self.sources.count:
            self.source_shard = np.concatenate([self.source_shard, np.zeros_like(self.source_shard)])
        numbers, first_row = np.unique(block.source, return_index=True)
        numbers, first_row = numbers[numbers >= since.sources], first_row[numbers >= since.sources]
        newest = np.maximum.accumulate(np.concatenate([[since.series - 1], block.series]))
        before = newest[np.searchsorted(block.point_row, first_row)] + 1  # however events are batched
        shard, limits = before // self.limits.shard_series, self.limits
        if limits.shards:
            shard = np.where(shard < limits.shards, shard, numbers % limits.shards)
        self.source_shard[numbers] = shard

    def load(
        self,
        sources: Strings,
        shards: NDArray[np.int32],
        fields: Strings,
        series_source: NDArray[np.int32],
        series_field: NDArray[np.int32],
    ) -> None:
        """Fill an empty catalog with what the store kept, in the order of the numbers."""
        self.sources.number(sources)
        self.fields.number(fields)
        self.series_count = series_source.size
        room = max(1024, 1 << self.series_count.bit_length())
        self.series_source, self.series_field = np.zeros(room, np.int32), np.zeros(room, np.int32)
        self.series_source[: self.series_count] = series_source
        self.series_field[: self.series_count] = series_field
        size = self._pairs.size
        while 2 * (self.series_count + 1) > size:
            size *= 4
        self._pairs = np.zeros(size, np.int32)
        rebuild_pairs(self._pairs, self.series_source, self.series_field, self.series_count)
        self.source_shard = np.zeros(max(1024, 1 << len(sources).bit_length()), np.int32)
        self.source_shard[: len(sources)] = shards


def rows_of(table: Table, rows: NDArray[np.bool_]) -> Table:
    """*table* without the other rows, and without the names that only those had."""
    number = np.cumsum(rows, dtype=np.int32) - np.int32(1)
    points, texts = rows[table.point_row], rows[table.text_row]
    source, sources = _renumbered(table.source[rows], table.sources)
    field, fields = _renumbered(table.point_field[points], table.fields)
    return Table(
        sources,
        source,
        table.time_ms[rows],
        fields,
        number[table.point_row[points]],
        field,
        table.point_value[points],
        table.text_fields,
        table.texts,
        number[table.text_row[texts]],
        table.text_field[texts],
        table.text_code[texts],
    )


def _renumbered(codes: NDArray[np.int32], names: Strings) -> tuple[NDArray[np.int32], Strings]:
    """*codes* into a list that has just the names in use, in order of first sight."""
    used, at = np.unique(codes, return_index=True)
    used = used[np.argsort(at)]  # in order of first sight among the rows that are left
    number = np.zeros(len(names), np.int32)
    number[used] = np.arange(used.size, dtype=np.int32)
    every = list(names)
    return number[codes], Strings.of([every[i] for i in used.tolist()])
