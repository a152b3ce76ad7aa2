"""What the engine has produced and no chunk holds yet: readings, closed windows and closed buckets, by shard."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offbeat.engine import buckets, rollups

Readings = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]
NO_READINGS: Readings = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0))


@dataclass(slots=True)
class ShardTail:
    """The tail of one shard since entry *since_seq*, journaled at *since_ms*, in the order of the entries.

    readings  (series, time_ms, value) columns    windows  rows of ``rollups``    closed  by job number, rows of
        ``buckets``
    """

    since_seq: int
    since_ms: int
    readings: list[Readings] = field(default_factory=list)
    windows: list[NDArray[np.float64]] = field(default_factory=list)
    closed: dict[int, list[NDArray[np.float64]]] = field(default_factory=dict)
    reading_count: int = 0

    def all_readings(self) -> Readings:
        """All readings as three columns."""
        if not self.readings:
            return NO_READINGS
        series, time_ms, value = zip(*self.readings, strict=True)
        return np.concatenate(series), np.concatenate(time_ms), np.concatenate(value)

    def all_windows(self) -> NDArray[np.float64]:
        """All closed windows, (m, rollups.ROW)."""
        return np.concatenate(self.windows) if self.windows else np.zeros((0, rollups.ROW))

    def all_closed(self, job: int) -> NDArray[np.float64]:
        """All closed buckets of a job, (m, buckets.ROW)."""
        return np.concatenate(self.closed[job]) if job in self.closed else np.zeros((0, buckets.ROW))


class Tail:
    """The tails of all shards. A frozen one is being written; it stays readable until the store has it."""

    def __init__(self) -> None:
        self.active: dict[int, ShardTail] = {}
        self.frozen: dict[int, ShardTail] = {}
        self.reading_count = 0

    def touch(self, shard: int, seq: int, at_ms: int) -> ShardTail:
        """The active tail of *shard*, begun by this entry if there is none."""
        tail = self.active.get(shard)
        if tail is None:
            tail = self.active[shard] = ShardTail(seq, at_ms)
        return tail

    def weigh(self, shard: int, events: int) -> None:
        """Count *events* without a value as if they were readings: the bound on the tail bounds the journal as well."""
        self.active[shard].reading_count += events
        self.reading_count += events

    def add_readings(self, shards: NDArray[np.int32], readings: Readings, seq: int, at_ms: int) -> None:
        """Keep p readings; *shards* (p,) says whose each is."""
        series, time_ms, value = readings
        self.reading_count += series.size
        for shard, rows in by_shard(shards):
            tail = self.touch(shard, seq, at_ms)
            part = readings if rows is None else (series[rows], time_ms[rows], value[rows])
            tail.readings.append(part)
            tail.reading_count += part[0].size

    def add_windows(self, shards: NDArray[np.int32], rows: NDArray[np.float64], seq: int, at_ms: int) -> None:
        """Keep closed windows."""
        for shard, mine in by_shard(shards):
            self.touch(shard, seq, at_ms).windows.append(rows if mine is None else rows[mine])

    def add_closed(self, job: int, shards: NDArray[np.int32], rows: NDArray[np.float64], seq: int, at_ms: int) -> None:
        """Keep closed buckets of a job."""
        for shard, mine in by_shard(shards):
            self.touch(shard, seq, at_ms).closed.setdefault(job, []).append(rows if mine is None else rows[mine])

    def freeze(self, shard: int) -> ShardTail | None:
        """Set the active tail of *shard* aside for writing; None if there is nothing, or one is set aside already."""
        if shard in self.frozen or shard not in self.active:
            return None
        self.frozen[shard] = self.active.pop(shard)
        return self.frozen[shard]

    def written(self, shard: int) -> None:
        """The store has the frozen tail of *shard*: let it go."""
        self.reading_count -= self.frozen.pop(shard).reading_count

    def not_written(self, shard: int) -> None:
        """The store could not take it: put it back before what came since."""
        old, new = self.frozen.pop(shard), self.active.get(shard)
        if new is not None:
            old.readings += new.readings
            old.windows += new.windows
            old.reading_count += new.reading_count
            for job, rows in new.closed.items():
                old.closed.setdefault(job, []).extend(rows)
        self.active[shard] = old

    def of(self, shard: int) -> list[ShardTail]:
        """Everything not yet in the store of *shard*, oldest first."""
        return [tails[shard] for tails in (self.frozen, self.active) if shard in tails]

    def shards(self) -> set[int]:
        """Shards that hold anything."""
        return self.frozen.keys() | self.active.keys()


def by_shard(shards: NDArray[np.int32]) -> list[tuple[int, NDArray[np.int64] | None]]:
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
