"""Which series of a job have a model, where it may hold fewer models than series: a place for each, given and taken.

Knows the order of the readings and nothing else of them: no value, no time, no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.catalog import Catalog
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel

READINGS, KNOWN, TAKEN, EVICTED, UNJUDGED = range(5)
"""What is counted of a shard: readings on time, series that sent any, places that are taken, models that were evicted,
and readings that nobody judged because their series had no place."""
PATIENCE = 4
"""A series that is silent for more than so many of its usual pauses may lose its place."""
PAUSE_KEPT = 32
"""A pause is forgotten within so many times itself: readings that come together do not make their series look fast."""
NEVER = 1 << 62


@kernel
def due(last: int, pause: int, taken: int) -> int:
    """The number of the reading of its shard after which a series is overdue. No pause counts for less than one turn of
    those that have a place: in so many readings each of them may send one."""
    return last + PATIENCE * max(pause, taken)


@kernel
def most_silent(
    first: int, taken: int, now: int, last: NDArray[np.int64], pause: NDArray[np.int64]
) -> tuple[int, int]:
    """Of the places *first* to *first* + *taken* that are overdue at *now*, that of the series silent for longest.

    −1 if none is. And the soonest that any of the others is overdue, or less.
    """
    found, soonest = -1, NEVER
    for at in range(first, first + taken):
        when = due(last[at], pause[at], taken)
        if when >= now or (found >= 0 and last[at] > last[found]):
            soonest = min(soonest, when)
            continue
        if found >= 0:
            soonest = 0
        found = at
    return found, soonest


@kernel
def give(
    series: NDArray[np.int32],
    shard: NDArray[np.int32],
    share: int,
    at_ms: NDArray[np.int64],
    place_of: NDArray[np.int32],
    holder: NDArray[np.int32],
    last: NDArray[np.int64],
    pause: NDArray[np.int64],
    heard: NDArray[np.int8],
    evictions: NDArray[np.int64],
    tally: NDArray[np.int64],
    soonest: NDArray[np.int64],
    place: NDArray[np.int32],
    begun: NDArray[np.int64],
    lost: NDArray[np.int64],
    losers: NDArray[np.int32],
) -> tuple[int, int]:
    """The places of q readings in their order; −1 for one whose series has none.

    series, shard        (q,) int32  whose each reading is    at_ms  (q,) int64  when it arrived
    place_of             (series_max,) int32  the place of each series, plus 1; 0: none
    holder, last, pause  (places,)  whose it is, plus 1; its newest reading, counted in its shard; its usual pause in
        such readings: the longest lately
    heard                (series_max,) int8   1: it has sent a reading
    evictions            (series_max, 2) int64  how often its model was evicted, and when last
    tally, soonest       (shards, 5) and (shards,) int64  counts; nothing is overdue before this reading, or later
    place, begun, lost   (q,) filled: the places; which readings began a model; which of those evicted another one, and
        losers that of which series
    """
    begun_count, lost_count = 0, 0
    for i in range(series.size):
        s, k = series[i], shard[i]
        tally[k, READINGS] += 1
        now = tally[k, READINGS]
        at = place_of[s] - 1
        if at >= 0:
            gap = now - last[at]
            pause[at] = max(gap, pause[at] - gap // PAUSE_KEPT)
        else:
            if heard[s] == 0:
                heard[s] = 1
                tally[k, KNOWN] += 1
            if tally[k, TAKEN] < share:
                at = k * share + tally[k, TAKEN]
                tally[k, TAKEN] += 1
            elif soonest[k] < now:
                at, soonest[k] = most_silent(k * share, share, now, last, pause)
                if at >= 0:
                    old = holder[at] - 1
                    place_of[old] = 0
                    evictions[old, 0] += 1
                    evictions[old, 1] = at_ms[i]
                    tally[k, EVICTED] += 1
                    lost[lost_count] = i
                    losers[lost_count] = old
                    lost_count += 1
            if at < 0:
                tally[k, UNJUDGED] += 1
                place[i] = -1
                continue
            begun[begun_count] = i
            begun_count += 1
            place_of[s] = np.int32(at + 1)
            holder[at] = np.int32(s + 1)
            pause[at] = tally[k, KNOWN]  # as if all that ever sent took turns
        last[at] = now
        soonest[k] = min(soonest[k], due(now, pause[at], tally[k, TAKEN]))
        place[i] = np.int32(at)
    return begun_count, lost_count


@dataclass(frozen=True, slots=True)
class Given:
    """Places of q readings.

    place           (q,) int32  −1: none
    begun           (b,) int64  which readings began a model in their place
    lost, losers    (e,) int64, int32  which of those took it from another series, and from which, in order
    unjudged_count  readings without a place
    """

    place: NDArray[np.int32]
    begun: NDArray[np.int64]
    lost: NDArray[np.int64]
    losers: NDArray[np.int32]
    unjudged_count: int


class Places:
    """*models_max* places, divided evenly among *shards*: what happens in one shard has no effect in another.

    A series is given a place with its first reading, and again with any later one if it has lost it: a free place of
    its shard; else that of the series that has been silent for longest, of those that are overdue (``due``). While none
    is, all who have a place still send, and the reading is not judged: taking turns, nobody's model would be of use.
    """

    def __init__(self, models_max: int, shards: int, series_max: int, catalog: Catalog) -> None:
        self.share = models_max // shards
        self._catalog = catalog
        places = self.share * shards
        self._place_of, self._heard = np.zeros(series_max, np.int32), np.zeros(series_max, np.int8)
        self._evictions = np.zeros((series_max, 2), np.int64)
        self._holder = np.zeros(places, np.int32)
        self._last, self._pause = np.zeros(places, np.int64), np.zeros(places, np.int64)
        self.tally = np.zeros((shards, 5), np.int64)
        self._soonest = np.zeros(shards, np.int64)

    def give(self, series: NDArray[np.int32], at_ms: NDArray[np.int64]) -> Given:
        """Places for the readings of q *series*, which arrived at *at_ms*, (q,), in their order."""
        q = series.size
        place, losers = np.empty(q, np.int32), np.empty(q, np.int32)
        begun, lost = np.empty(q, np.int64), np.empty(q, np.int64)
        begun_count, lost_count = give(
            series,
            self._shard_of(series),
            self.share,
            at_ms,
            self._place_of,
            self._holder,
            self._last,
            self._pause,
            self._heard,
            self._evictions,
            self.tally,
            self._soonest,
            place,
            begun,
            lost,
            losers,
        )
        return Given(place, begun[:begun_count], lost[:lost_count], losers[:lost_count], int((place < 0).sum()))

    def of(self, series: NDArray[np.int32]) -> NDArray[np.int32]:
        """The place of each of n series, (n,) int32; −1: none."""
        return self._place_of[series] - np.int32(1)

    def has_heard(self, series: int) -> bool:
        """Whether a reading of *series* has come."""
        return bool(self._heard[series])

    def evicted(self, series: int) -> tuple[int, int]:
        """How often the model of *series* was evicted, and when last, in milliseconds since 1970 UTC."""
        count, when_ms = self._evictions[series].tolist()
        return count, when_ms

    def _shard_of(self, series: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._catalog.source_shard[self._catalog.series_source[series]]

    def save(self, mine: NDArray[np.int32]) -> State:
        """A copy of what is kept of these series, and of their shards, which are theirs alone."""
        held, gone = mine[self._place_of[mine] > 0], mine[self._evictions[mine, 0] > 0]
        at, shards = self.of(held), np.unique(self._shard_of(mine))
        return {
            "heard": self._heard[mine],
            "held": held,
            "last": self._last[at],
            "pause": self._pause[at],
            "gone": gone,
            "evictions": self._evictions[gone],
            "shards": shards,
            "tally": self.tally[shards],
        }

    def restore(self, mine: NDArray[np.int32], state: State) -> NDArray[np.int32]:
        """Set these series and their shards to what ``save`` gave; those of them that have a model."""
        shards, held = state["shards"], state["held"]
        self._heard[mine], self.tally[shards], self._soonest[shards] = state["heard"], state["tally"], 0
        self._evictions[state["gone"]] = state["evictions"]
        shard = self._shard_of(held)
        for k in shards.tolist():  # which place it is makes no difference: what is saved does not tell
            those = np.flatnonzero(shard == k)
            at = k * self.share + np.arange(those.size, dtype=np.int32)
            self._place_of[held[those]] = at + np.int32(1)
            self._holder[at] = held[those] + np.int32(1)
            self._last[at], self._pause[at] = state["last"][those], state["pause"][those]
        return np.asarray(held, np.int32)
