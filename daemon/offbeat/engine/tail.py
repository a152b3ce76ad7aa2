"""What the engine has produced and no chunk holds yet: readings, closed windows and closed buckets, by shard."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets, rollups
from offbeat.engine.rows import Part, Rows, joined

Readings = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]
ByShard = list[tuple[int, NDArray[np.int64] | None]]
"""Shards, and which rows are theirs, see ``by_shard``."""
NO_READINGS: Readings = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0))
NO_WINDOWS, NO_BUCKETS = (np.zeros((0, rollups.ROW)),), (np.zeros((0, buckets.ROW)),)
START, LEFT, JOURNAL = 0.5, 0.8, 2
"""START   the share of what may be kept at which writing begins at the earliest, where all of it is of one shard
LEFT    the share of what is there to which writing then goes on
JOURNAL how many times as much as may be kept may have come since a shard was written: so much the journal holds

Of a fleet of a million series a checkpoint is nearly all models: the more of a shard has come, the cheaper it is.
"""


@dataclass(slots=True)
class ShardTail:
    """The tail of one shard since entry *since_seq*, journaled at *since_ms*, in the order of the entries.

    since_count  rows that all shards had been given by then
    readings     (series, time_ms, value) columns    windows  rows of ``rollups``    closed  by job number, rows of
        ``buckets``
    row_count    of all of these together, and events without a value
    """

    since_seq: int
    since_ms: int
    since_count: int = 0
    readings: Rows = field(default_factory=Rows)
    windows: Rows = field(default_factory=Rows)
    closed: dict[int, Rows] = field(default_factory=dict)
    row_count: int = 0

    def all_readings(self) -> Readings:
        """All readings as three columns."""
        series, time_ms, value = joined([NO_READINGS, *(part.columns for part in self.readings.parts())])
        return series, time_ms, value

    def all_windows(self) -> NDArray[np.float64]:
        """All closed windows, (m, rollups.ROW)."""
        return joined([NO_WINDOWS, *(part.columns for part in self.windows.parts())])[0]

    def all_closed(self, job: int) -> NDArray[np.float64]:
        """All closed buckets of a job, (m, buckets.ROW)."""
        return joined([NO_BUCKETS, *(part.columns for part in self.closed_parts(job))])[0]

    def closed_parts(self, job: int) -> list[Part]:
        """The closed buckets of a job, found by source."""
        return self.closed[job].parts() if job in self.closed else []


class Tail:
    """The tails of all shards. A frozen one is being written; it stays readable until the store has it.

    row_count  of all of them    given_count  rows that came since the start
    """

    def __init__(self) -> None:
        self.active: dict[int, ShardTail] = {}
        self.frozen: dict[int, ShardTail] = {}
        self.row_count = self.given_count = 0

    def touch(self, shard: int, seq: int, at_ms: int) -> ShardTail:
        """The active tail of *shard*, begun by this entry if there is none."""
        tail = self.active.get(shard)
        if tail is None:
            tail = self.active[shard] = ShardTail(seq, at_ms, self.given_count)
        return tail

    def weigh(self, shard: int, events: int) -> None:
        """Count *events* without a value as if they were readings: the bound on the tail bounds the journal as well."""
        self._count(self.active[shard], events)

    def _count(self, tail: ShardTail, rows: int) -> None:
        tail.row_count += rows
        self.row_count += rows
        self.given_count += rows

    def add_readings(self, shards: ByShard, readings: Readings, seq: int, at_ms: int) -> None:
        """Keep p readings; *shards* says whose each is."""
        series, time_ms, value = readings
        for shard, mine in shards:
            tail = self.touch(shard, seq, at_ms)
            tail.readings.add(readings if mine is None else (series[mine], time_ms[mine], value[mine]))
            self._count(tail, series.size if mine is None else mine.size)

    def add_windows(self, shards: NDArray[np.int32], rows: NDArray[np.float64], seq: int, at_ms: int) -> None:
        """Keep closed windows."""
        for shard, mine in by_shard(shards):
            tail = self.touch(shard, seq, at_ms)
            tail.windows.add((rows if mine is None else rows[mine],))
            self._count(tail, shards.size if mine is None else mine.size)

    def add_closed(self, job: int, shards: NDArray[np.int32], rows: NDArray[np.float64], seq: int, at_ms: int) -> None:
        """Keep closed buckets of a job."""
        for shard, mine in by_shard(shards):
            tail = self.touch(shard, seq, at_ms)
            tail.closed.setdefault(job, Rows()).add((rows if mine is None else rows[mine],))
            self._count(tail, shards.size if mine is None else mine.size)

    def freeze(self, shard: int) -> ShardTail | None:
        """Set the active tail of *shard* aside for writing; None if there is nothing, or one is set aside already."""
        if shard in self.frozen or shard not in self.active:
            return None
        self.frozen[shard] = self.active.pop(shard)
        return self.frozen[shard]

    def written(self, shard: int) -> None:
        """The store has the frozen tail of *shard*: let it go."""
        self.row_count -= self.frozen.pop(shard).row_count

    def not_written(self, shard: int) -> None:
        """The store could not take it: put it back before what came since."""
        old, new = self.frozen.pop(shard), self.active.get(shard)
        if new is not None:
            old.readings.extend(new.readings)
            old.windows.extend(new.windows)
            old.row_count += new.row_count
            for job, rows in new.closed.items():
                old.closed.setdefault(job, Rows()).extend(rows)
        self.active[shard] = old

    def due(self, rows_max: int, before_ms: int) -> list[int]:
        """The shards to write now, so that no more than *rows_max* rows need be kept, and none from *before_ms*.

        That is those that began by then, or JOURNAL times as many rows ago as may be kept, for the journal holds all
        since. And once there is no more room for the largest to come again while it is written, the largest, until no
        more than LEFT of what is there would be in the rest.
        """
        sizes = {shard: tail.row_count for shard, tail in self.active.items()}
        chosen = {
            shard
            for shard, tail in self.active.items()
            if tail.since_ms <= before_ms or self.given_count - tail.since_count >= JOURNAL * rows_max
        }
        total = sum(sizes.values())
        by_size = sorted(sizes, key=lambda shard: -sizes[shard])
        if total + max(sizes.values(), default=0) >= 2 * START * rows_max:
            left = total - sum(sizes[shard] for shard in chosen)
            for shard in by_size:
                if left <= LEFT * total:
                    break
                if shard not in chosen:
                    chosen.add(shard)
                    left -= sizes[shard]
        return [shard for shard in by_size if shard in chosen]

    def of(self, shard: int) -> list[ShardTail]:
        """Everything not yet in the store of *shard*, oldest first."""
        return [tails[shard] for tails in (self.frozen, self.active) if shard in tails]

    def shards(self) -> set[int]:
        """Shards that hold anything."""
        return self.frozen.keys() | self.active.keys()


def by_shard(shards: NDArray[np.int32]) -> ByShard:
    """Each shard in *shards* with its rows in order; None for the rows where one shard has them all."""
    if not shards.size:
        return []
    first = int(shards[0])
    if (shards == first).all():
        return [(first, None)]
    narrow = shards.astype(np.uint16) if shards.max() < 65_536 else shards  # a radix sort for 16 bits
    order = np.argsort(narrow, kind="stable")
    ordered = shards[order]
    cuts = np.flatnonzero(np.diff(ordered)) + 1
    return [(int(shards[rows[0]]), rows) for rows in np.split(order, cuts)]
