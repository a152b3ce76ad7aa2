"""Entities that follow one another: which do, and how odd it is that one of two goes its own way."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel, BucketOpinions
from offbeat_detectors.buckets.residuals import ABSURD
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import inlined_kernel, kernel

ENTITIES_MAX = 64  # of a group that are compared: those that come most often
GROUPS_MAX = 256
ENTITIES_MIN = 8  # for which a table has room at first
KEEP = 0.995  # of the sums from bucket to bucket: they tell of the last 200
COMMON = 50  # buckets that two must share before they can be a pair
COMMON_MIN = (1.0 - KEEP**COMMON) / (1.0 - KEEP) - 1e-6  # what so many add up to
ENTER, LEAVE = 0.9, 0.7  # correlation, of either sign, from which on two are a pair, and below which no longer
REACH = 3.0  # deviations: what is further off counts as this; two that only fail together do not follow one another
TWICE, MORE = 2.0, 5.0  # so much more often must an entity come that takes the place of another
NOBODY = -1
BAND = 2 * 2.326  # deviations between the bounds of an opinion, about 98 %
UNLIMITED = 1 << 62
DIGITS, EXPONENT_MIN = 33, -900  # binary digits that count of a difference; below 2^−900 none do


@dataclass(frozen=True, slots=True)
class PairOpinions:
    """What n values are like beside those of their partners. All (n,); NaN: no partner, or it is not there.

    probability, probability_high, probability_low  of a value that strays so far from where its partner has it
    typical, lower, upper  where it was expected, in the unit of the entity's values
    partner                int32, the entity that it follows, NOBODY where there is no opinion
    """

    probability: NDArray[np.float64]
    probability_high: NDArray[np.float64]
    probability_low: NDArray[np.float64]
    typical: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    partner: NDArray[np.int32]


def strays(value: NDArray[np.float64], said: BucketOpinions) -> NDArray[np.float64]:
    """(n,) what each value is off by, at most REACH deviations; NaN where nothing was expected, or it never strays."""
    reach = REACH * (said.upper - said.lower) / BAND
    known = (reach > 0.0) & np.isfinite(value)
    off = np.full(value.size, np.nan)
    off[known] = np.clip(value[known] - said.typical[known], -reach[known], reach[known])
    return off


def of_two(own: NDArray[np.float64], pair: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the probability that the lesser of two is as small; *own* where there is no other.

    Of two that depend on each other it is less. Source: Z. Šidák, "Rectangular confidence regions for the means of
    multivariate normal distributions", 1967.
    """
    least = np.minimum(own, pair)
    both = -np.expm1(2.0 * np.log1p(-np.minimum(least, 1.0 - 1e-16)))
    return np.where(np.isnan(least), own, both)


def apart(
    first: NDArray[np.float64], second: NDArray[np.float64], slope: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n,) first − slope · second, to ten digits of the larger: an error of arithmetic is no way of one's own."""
    first, follows = (np.clip(each, -ABSURD, ABSURD) for each in (first, slope * second))
    _, exponent = np.frexp(np.maximum(np.abs(first), np.abs(follows)))
    unit = np.ldexp(1.0, np.maximum(exponent, EXPONENT_MIN) - DIGITS)
    rounded: NDArray[np.float64] = np.rint((first - follows) / unit) * unit
    return rounded


@inlined_kernel
def correlation(
    common: NDArray[np.float64], square: NDArray[np.float64], product: NDArray[np.float64], a: int, b: int,
) -> float:
    """Of slots *a* and *b* over the buckets that both had; 0 before they had COMMON of them."""
    if common[a, b] < COMMON_MIN:
        return 0.0
    scale = math.sqrt(square[a, b]) * math.sqrt(square[b, a])
    return float(product[a, b] / scale) if scale > 0.0 else 0.0


@kernel
def learn_table(
    slot: NDArray[np.int32], off: NDArray[np.float64], common: NDArray[np.float64], square: NDArray[np.float64],
    product: NDArray[np.float64], partner: NDArray[np.int32],
) -> None:
    """Learn what n slots were off by in one bucket, then who is whose partner. All of one table, in place.

    common   (k, k) buckets that two slots shared, decayed    square  (k, k) of what the first was off by in those
    product  (k, k) of both in those                          partner (k,) slot, NOBODY

    A pair stays one until it correlates less than LEAVE; of those that are in none the strongest is made first.
    """
    for i in range(slot.size):
        for j in range(slot.size):
            if i != j:
                a, b = slot[i], slot[j]
                common[a, b] = KEEP * common[a, b] + 1.0
                square[a, b] = KEEP * square[a, b] + off[i] * off[i]
                product[a, b] = KEEP * product[a, b] + off[i] * off[j]
    k = partner.size
    for a in range(k):
        b = partner[a]
        if b > a and not abs(correlation(common, square, product, a, b)) >= LEAVE:
            partner[a] = partner[b] = NOBODY
    while True:
        strongest, first, second = 0.0, NOBODY, NOBODY
        for a in range(k):
            if partner[a] != NOBODY:
                continue
            for b in range(a + 1, k):
                if partner[b] == NOBODY:
                    found = abs(correlation(common, square, product, a, b))
                    if found >= ENTER and found > strongest:
                        strongest, first, second = found, a, b
        if first == NOBODY:
            return
        partner[first], partner[second] = second, first


class Table:
    """What is known of the entities of one group: slot i is that of entity[i]. The arrays are those of ``learn_table``.

    A slot of NOBODY has shared no bucket with any other.
    """

    def __init__(self, size: int) -> None:
        self.entity, self.partner = np.full(size, NOBODY, np.int32), np.full(size, NOBODY, np.int32)
        self.common, self.square, self.product = (np.zeros((size, size)) for _ in range(3))

    @staticmethod
    def bytes_of(size: int) -> int:
        """What one of this size takes."""
        return size * (24 * size + 8)

    def larger(self) -> Table:
        """The same with twice the room."""
        size = self.entity.size
        made = Table(2 * size)
        made.entity[:size], made.partner[:size] = self.entity, self.partner
        for new, old in zip(made.sums, self.sums, strict=True):
            new[:size, :size] = old
        return made

    @property
    def sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """common, square and product."""
        return self.common, self.square, self.product

    def clear(self, slot: int) -> None:
        """It is nobody's."""
        self.entity[slot] = NOBODY
        for each in self.sums:
            each[slot, :] = each[:, slot] = 0.0


class Pairs:
    """Who follows whom among the entities of each group, and a model of how far the two of a pair stray apart.

    bucket_span_s  of the buckets, seconds
    bytes_max      of tables and models; what has no room is not compared, ``crowded`` says so. Below 0: no limit

    Of each of at most GROUPS_MAX groups the ENTITIES_MAX that come most often are compared, pair by pair: n² sums of
    24 bytes. Two that stray together, by a correlation of ENTER over COMMON buckets, are a pair; an entity is in one
    at most. x_a − slope · x_b is judged by a ``BucketModel`` that has learned it since then. The slope is what it was
    when the pair was made, the ratio of how far the two stray: with one that moves, every level would seem to. What is
    compared is the values, not what they stray by, for two models need not expect the same of two that are alike: of
    12,800 judgements of calm autocorrelated series ten were below 1e-4 so, and none with the values.
    """

    bytes_per_entity = 32
    """Of each entity, compared or not; tables and models come to ``bytes_held`` besides."""

    def __init__(self, bucket_span_s: int, bytes_max: int) -> None:
        self._bytes_max = bytes_max if bytes_max >= 0 else UNLIMITED
        self._model, self._span_s = BucketModel(0, bucket_span_s, "metric"), bucket_span_s
        self._taken = np.zeros(0, np.bool_)  # rows of the model
        self._tables: dict[int, Table] = {}
        self._table_bytes = 0
        self.crowded = False
        """Whether something was not compared for want of room, since it began."""
        self._presence = np.zeros(0)  # of each entity: decayed count of buckets in which it came
        self._group, self._slot = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._partner, self._row = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._slope = np.zeros(0)  # of an entity by its partner: of the second of a pair the inverse

    def grow(self, capacity: int) -> None:
        """Make room for entities below *capacity*."""
        more = capacity - self._slot.size
        if more <= 0:
            return
        self._presence = np.concatenate([self._presence, np.zeros(more)])
        nobody = np.full(more, NOBODY, np.int32)
        self._group, self._slot = (np.concatenate([each, nobody]) for each in (self._group, self._slot))
        self._partner, self._row = (np.concatenate([each, nobody]) for each in (self._partner, self._row))
        self._slope = np.concatenate([self._slope, np.zeros(more)])

    @property
    def bytes_held(self) -> int:
        """What tables and models take."""
        return self._table_bytes + self._taken.size * BucketModel.bytes_per_entity

    def partner(self, entity: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n,) whom each entity follows, NOBODY if it follows none."""
        return self._partner[entity]

    # ── judging ───────────────────────────────────────────────────────────────────────────────────────────────

    def judge(
        self, entity: NDArray[np.int32], bucket: int, value: NDArray[np.float64], other: NDArray[np.float64],
    ) -> PairOpinions:
        """Judge n entities, which have *value* while their partners have *other*, and learn nothing."""
        at = np.flatnonzero((self._row[entity] != NOBODY) & np.isfinite(value) & np.isfinite(other))
        whose, x, y = entity[at], value[at], other[at]
        slope, partner = self._slope[whose], self._partner[whose]
        first = whose < partner
        of_first = np.where(first, slope, self._slope[partner])
        off = apart(np.where(first, x, y), np.where(first, y, x), of_first)
        said = self._model.judge(self._row[whose], np.full(at.size, bucket, np.int64), off)
        # The model knows the first; the second is off by −slope times as much: to the other side, or to the same.
        times = np.where(first, 1.0, -slope)
        same = times > 0.0
        low, high = np.where(same, said.lower, said.upper), np.where(same, said.upper, said.lower)
        of = np.full(entity.size, NOBODY, np.int32)
        of[at] = np.where(np.isnan(said.probability), NOBODY, partner)

        def spread(said_of: NDArray[np.float64]) -> NDArray[np.float64]:
            every = np.full(entity.size, np.nan)
            every[at] = said_of
            return every

        return PairOpinions(
            spread(said.probability),
            spread(np.where(same, said.probability_high, said.probability_low)),
            spread(np.where(same, said.probability_low, said.probability_high)),
            spread(slope * y + times * said.typical),
            spread(slope * y + times * low),
            spread(slope * y + times * high),
            of)

    # ── learning ──────────────────────────────────────────────────────────────────────────────────────────────

    def learn(
        self, entity: NDArray[np.int32], group: NDArray[np.int32], bucket: int, value: NDArray[np.float64],
        off: NDArray[np.float64], came: NDArray[np.bool_],
    ) -> None:
        """Learn a bucket that is complete.

        entity  (n,) ascending, each once    group  (n,) of which each is, always the same
        off     (n,) what its value ``strays`` by, NaN where that is unknown or is not to teach
        came    (n,) whether there was anything of it: what is filled in strays, too
        """
        self._presence *= KEEP
        self._presence[entity[came]] += 1.0
        at = np.flatnonzero(np.isfinite(off))
        entity, group, off = entity[at], group[at], off[at]
        self._learn_models(entity, bucket, value[at])
        order = np.argsort(group, kind="stable")
        ends = np.flatnonzero(np.diff(group[order])) + 1
        for mine in np.split(order, ends) if order.size else ():
            self._learn_group(int(group[mine[0]]), entity[mine], off[mine])

    def _learn_models(self, entity: NDArray[np.int32], bucket: int, value: NDArray[np.float64]) -> None:
        first = np.flatnonzero(self._partner[entity] > entity)
        second = np.searchsorted(entity, self._partner[entity[first]])
        there = second < entity.size
        first, second = first[there], second[there]
        there = entity[second] == self._partner[entity[first]]
        first, second = first[there], second[there]
        off = apart(value[first], value[second], self._slope[entity[first]])
        n = first.size
        self._model.process(self._row[entity[first]], np.full(n, bucket, np.int64), off, np.ones(n))

    def _learn_group(self, group: int, entity: NDArray[np.int32], off: NDArray[np.float64]) -> None:
        if (table := self._with_room(group, entity)) is None:
            return
        inside = self._slot[entity] != NOBODY
        before = table.partner.copy()
        learn_table(self._slot[entity[inside]], off[inside], *table.sums, table.partner)
        changed = np.flatnonzero(before != table.partner)
        for one in changed[before[changed] != NOBODY].tolist():
            self._part(int(table.entity[one]))
        for one in changed[table.partner[changed] > changed].tolist():
            self._pair(table, one, int(table.partner[one]))

    def _with_room(self, group: int, entity: NDArray[np.int32]) -> Table | None:
        """The table of a group, with a slot for those of *entity* that come most often."""
        table = self._tables.get(group)
        if table is None:
            if not self._fits(Table.bytes_of(ENTITIES_MIN), tables=1):
                return None
            table = self._tables[group] = Table(ENTITIES_MIN)
            self._table_bytes += Table.bytes_of(ENTITIES_MIN)
        outside = entity[self._slot[entity] == NOBODY]
        if not outside.size:
            return table
        if table.entity.size == ENTITIES_MAX and (table.entity != NOBODY).all():
            least = self._presence[table.entity].min()  # of thousands nearly all are as rare as before
            outside = outside[self._presence[outside] > TWICE * least + MORE]
        outside = outside[np.lexsort((outside, -self._presence[outside]))][:ENTITIES_MAX]
        for one in outside.tolist():
            free = np.flatnonzero(table.entity == NOBODY)
            size = table.entity.size
            more = Table.bytes_of(2 * size) - Table.bytes_of(size)
            if not free.size and size < ENTITIES_MAX and self._fits(more):
                table = self._tables[group] = table.larger()
                self._table_bytes += more
                free = np.arange(size, 2 * size)
            slot = int(free[0]) if free.size else int(np.argmin(self._presence[table.entity]))
            if not free.size:
                if not self._presence[one] > TWICE * self._presence[table.entity[slot]] + MORE:
                    break
                self._leave(table, slot)
            table.entity[slot] = one
            self._slot[one], self._group[one] = slot, group
        return table

    def _fits(self, more: int, tables: int = 0) -> bool:
        fits = self.bytes_held + more <= self._bytes_max and len(self._tables) + tables <= GROUPS_MAX
        self.crowded |= not fits
        return fits

    def _pair(self, table: Table, slot: int, other: int) -> None:
        free = np.flatnonzero(~self._taken)
        if not free.size:
            size = self._taken.size
            if not self._fits(max(1, size) * BucketModel.bytes_per_entity):
                table.partner[slot] = table.partner[other] = NOBODY
                return
            self._model.grow(max(1, 2 * size))
            self._taken = np.concatenate([self._taken, np.zeros(max(1, size), np.bool_)])
            free = np.array([size])
        slope = math.copysign(
            math.sqrt(table.square[slot, other]) / math.sqrt(table.square[other, slot]), table.product[slot, other])
        both = table.entity[[slot, other]]
        self._taken[free[0]] = True
        self._row[both], self._partner[both], self._slope[both] = free[0], both[::-1], (slope, 1.0 / slope)

    def _part(self, entity: int) -> None:
        """It is in no pair any more, nor is its partner."""
        if (row := int(self._row[entity])) == NOBODY:
            return
        both = np.array([entity, self._partner[entity]])
        self._model.forget(np.array([row], np.int32))
        self._taken[row] = False
        self._row[both] = self._partner[both] = NOBODY

    def _leave(self, table: Table, slot: int) -> None:
        """The slot is nobody's."""
        entity = int(table.entity[slot])
        self._part(entity)
        if (other := int(table.partner[slot])) != NOBODY:
            table.partner[slot] = table.partner[other] = NOBODY
        table.clear(slot)
        self._slot[entity] = self._group[entity] = NOBODY

    def forget(self, entity: NDArray[np.int32]) -> None:
        """The numbers of these entities will stand for others."""
        for one in entity[self._slot[entity] != NOBODY].tolist():
            group = int(self._group[one])
            table = self._tables[group]
            self._leave(table, int(self._slot[one]))
            if (table.entity == NOBODY).all():
                del self._tables[group]
                self._table_bytes -= Table.bytes_of(table.entity.size)
        self._presence[entity] = 0.0

    # ── state ─────────────────────────────────────────────────────────────────────────────────────────────────

    def save(self) -> State:
        """All that was learned."""
        tables = list(self._tables.values())
        state: State = {
            "presence": self._presence.copy(), "group": self._group.copy(), "slot": self._slot.copy(),
            "partner": self._partner.copy(), "row": self._row.copy(), "slope": self._slope.copy(),
            "taken": self._taken.copy(), "crowded": np.array([self.crowded]),
            "groups": np.array(list(self._tables), np.int64),
            "sizes": np.array([table.entity.size for table in tables], np.int64),
        }
        for i, table in enumerate(tables):
            state[f"sums{i}"] = np.stack(table.sums)
        return state | {f"model.{name}": each for name, each in self._model.save(self._rows).items()}

    @property
    def _rows(self) -> NDArray[np.int32]:
        return np.arange(self._taken.size, dtype=np.int32)

    def restore(self, state: State) -> None:
        """As ``save`` gave it; going on is as if uninterrupted, bit for bit."""
        self._presence, self._slope = state["presence"].copy(), state["slope"].copy()
        self._group, self._slot = state["group"].copy(), state["slot"].copy()
        self._partner, self._row = state["partner"].copy(), state["row"].copy()
        self._taken, self.crowded = state["taken"].copy(), bool(state["crowded"][0])
        self._model = BucketModel(self._taken.size, self._span_s, "metric")
        self._model.restore(self._rows, {
            name.removeprefix("model."): each for name, each in state.items() if name.startswith("model.")})
        self._tables, self._table_bytes = {}, 0
        for i, (group, size) in enumerate(zip(state["groups"].tolist(), state["sizes"].tolist(), strict=True)):
            table = self._tables[group] = Table(size)
            self._table_bytes += Table.bytes_of(size)
            for each, saved in zip(table.sums, state[f"sums{i}"], strict=True):
                each[:] = saved
            mine = np.flatnonzero((self._slot != NOBODY) & (self._group == group))
            table.entity[self._slot[mine]] = mine
            paired = mine[self._partner[mine] != NOBODY]
            table.partner[self._slot[paired]] = self._slot[self._partner[paired]]
