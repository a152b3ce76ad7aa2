"""A season whose length is known beforehand: what buckets differ by in its course, besides those of ``season``."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.season import (
    BETTER,
    COURSES,
    DAILY,
    ERROR_GAIN,
    FAST,
    SLOW,
    SMALL_MAX,
    SMALLER_MIN,
    TABLE_REACH,
    TABLE_WEIGHT_MIN,
    between,
    expect,
    jump,
    place,
    root,
)
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import inlined_kernel, kernel
from offbeat_detectors.rows import copy_of, restore_rows, save_rows, zero_rows

SLOTS_MAX = 96
ROUNDS_KEPT = 7.0
PROOF_MIN, PROOF_MAX = 3, 24
"""Values that a season must foretell before it is believed: half a round, and no fewer, no more than these."""
BUCKETS_MIN, BUCKETS_MAX = 2, 100_000

PROOF = np.dtype([("seen", "i4"), ("believed", "i4"), ("error", "f8"), ("plain", "f8")])
"""What the season is worth for one entity: the mean squares, over the same *seen* values, of what is off with it and
without it. They are winsorised."""


def usable_season(season_s: int, span_s: int) -> bool:
    """Can buckets of *span_s* tell a season of *season_s* seconds? They can if it is 0, none."""
    return season_s == 0 or BUCKETS_MIN * span_s <= season_s <= BUCKETS_MAX * span_s


@inlined_kernel
def teach(table: Any, seen: Any, at: float, error: float, weight: float, seen_max: float) -> None:
    """As ``season.teach``, of a table in 32 bits: rounding loses nothing there that is worth a chance."""
    slot = int(at)
    share = at - slot
    size = table.size
    for step in range(2):
        part = weight * (share if step else 1.0 - share)
        if part > 0.0:
            i = (slot + step) % size
            seen[i] = min(seen_max, seen[i] + part)
            moved = table[i] + error * part / max(seen[i], part)
            table[i] = min(SMALL_MAX, max(-SMALL_MAX, moved))


@inlined_kernel
def lifted(
    proof: NDArray[Any], table: NDArray[np.float32], season_s: int, entity: int, bucket: int, span_s: int,
) -> tuple[float, float]:
    """What a bucket differs by in the course of the season, and how far that may be off: as ``season.edge``."""
    if season_s == 0 or proof[entity].believed == 0:
        return 0.0, 0.0
    slots = table.shape[1] // 2
    at = place(bucket, span_s, season_s, slots)
    off = jump(table[entity, :slots], at) if span_s * slots < season_s else 0.0
    return between(table[entity, :slots], 1.0, at), off


@kernel
def learn(
    g: Any, both: Any, course: Any, season_s: int, bucket: int, span_s: int, x: float, weight: float, reach: float,
) -> tuple[float, float]:
    """Learn *x* of *bucket*, before the courses do.

    By what factor squared errors are smaller now, or 1; and what of *x* is the season's: 0 while it is not believed.

    g, both  an entity's row of dtype PROOF, and of the table
    course   its row of dtype COURSE, of values less what is believed of the season
    weight, reach  as of ``season.learn``

    Each slot is a mean of what values were off the slow level, or off the season of the day and week if that is
    believed, at first, and of the last rounds later. It is believed, being told, from its second round on, as soon as
    it foretells a few values better than the course believed without it; and no longer, once it is worse.
    """
    slots = both.size // 2
    differs, seen = both[:slots], both[slots:]
    at = place(bucket, span_s, season_s, slots)
    round_ = season_s / span_s
    foretold = between(differs, 1.0, at)
    base = course.active if course.active >= DAILY else SLOW
    residual = x - expect(course, base, bucket, span_s)
    slot = int(at)
    if min(seen[slot], seen[(slot + 1) % slots] if at > slot else seen[slot]) > 0.0:
        rate = weight * max(1.0 / (g.seen + 1.0), min(ERROR_GAIN, 1.0 / round_))
        without = x - expect(course, course.active, bucket, span_s)
        off = (without if g.believed else residual) - foretold
        g.error += rate * (min(reach * reach, off * off) - g.error)
        g.plain += rate * (min(reach * reach, without * without) - g.plain)
        g.seen = min(g.seen + 1, 1_000_000)
    wide = min(TABLE_REACH * reach, max(-TABLE_REACH * reach, residual - foretold))
    teach(differs, seen, at, wide, weight if g.believed else max(weight, TABLE_WEIGHT_MIN),
          max(2.0, ROUNDS_KEPT * round_ / slots))
    if g.believed:
        if g.error <= g.plain:
            return 1.0, foretold
        g.believed = 0
        course.level[FAST] += foretold
        return 1.0, 0.0
    if g.seen < min(PROOF_MAX, max(PROOF_MIN, int(0.5 * round_))) or not g.error < BETTER * g.plain:
        return 1.0, 0.0
    g.believed = 1
    course.level[FAST] -= foretold  # it has followed the season
    course.active = base
    for each in range(COURSES):  # what they were off by was that of the season: they are compared anew
        course.error[each] = course.rival[each] = root(g.error)
    return float(max(SMALLER_MIN, g.error / g.plain)), foretold


class GivenSeason:
    """The season of *season_s* seconds, 0: none, of each of *capacity* entities; arrays that kernels work on.

    proof  (capacity,) of dtype PROOF; of no season (0,)
    table  (capacity, 2·slots) float32: what each slot of the round differs by, then how often each was seen
    """

    def __init__(self, capacity: int, season_s: int, span_s: int) -> None:
        if not usable_season(season_s, span_s):
            of = f"{BUCKETS_MIN} to {BUCKETS_MAX} buckets of {span_s} s, or 0"
            raise ValueError(f"season_s is {season_s}: expected {of}")
        self.season_s = int(season_s)
        self._slots = min(SLOTS_MAX, season_s // span_s)
        self.proof = zero_rows(0, PROOF)
        self.table = np.zeros((0, 2 * self._slots), np.float32)
        self.grow(capacity)

    @property
    def bytes_per_entity(self) -> int:
        """Memory of one entity."""
        return PROOF.itemsize + 8 * self._slots if self.season_s else 0

    def grow(self, capacity: int) -> None:
        """Make room for *capacity* entities; those that are there stay as they are."""
        had = self.proof.size
        if self.season_s and capacity > had:
            proof, table = zero_rows(capacity, PROOF), np.zeros((capacity, 2 * self._slots), np.float32)
            proof[:had], table[:had] = self.proof, self.table
            self.proof, self.table = proof, table

    def save(self, entity: NDArray[np.int32]) -> State:
        """The state of these entities (each once), an array a column; of no season nothing."""
        if not self.season_s:
            return {}
        columns = save_rows(self.proof, entity) | {"table": copy_of(self.table, entity)}
        return {f"given.{name}": column for name, column in columns.items()}

    def restore(self, entity: NDArray[np.int32], state: State) -> None:
        """Set these entities to what ``save`` gave.

        Raises KeyError for a missing array, ValueError for one of another shape.
        """
        if self.season_s:
            restore_rows(self.proof, entity, {name: state[f"given.{name}"] for name in PROOF.names or ()})
            self.table[entity] = state["given.table"]

    def forget(self, entity: NDArray[np.int32]) -> None:
        """Set these entities back to never having seen a value."""
        if self.season_s:
            self.proof[entity] = np.zeros((), PROOF)
            self.table[entity] = 0.0
