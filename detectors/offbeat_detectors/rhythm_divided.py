"""The work of "rhythm" shared out among threads: the same as by one, bit for bit."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors import parts, prior
from offbeat_detectors.contract import EVIDENCE_MIN
from offbeat_detectors.experts import VALUE_MAX
from offbeat_detectors.kernel import lean_kernel

POINTS_MIN = 8_192
"""Points of one call that several threads share: fewer take less time than handing them over."""
_NO_LESSON, _NO_ROWS = np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
_NOTHING_DUE: prior.Due = (_NO_ROWS, np.zeros(0, np.int32), np.zeros(0), _NO_LESSON)


@dataclass(frozen=True, slots=True)
class Points:
    """n points in order. Of those of a part, also

    lesson  (n, 2) float32  filled with what each has to teach its group, which is not taught now; empty: it is
    row     (n,) int64      their places among all points    due  what all have to teach, to be taught between these
    """

    slot: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    lesson: NDArray[np.float32] = field(default_factory=lambda: _NO_LESSON)
    row: NDArray[np.int64] = field(default_factory=lambda: _NO_ROWS)
    due: prior.Due = field(default_factory=lambda: _NOTHING_DUE)


@dataclass(frozen=True, slots=True)
class Room:
    """Where the opinions of n points go, the numbers of Opinions and Evidence.

    numbers  (6, n) float64  novelty, strength, typical, lower, upper, probability
    """

    numbers: NDArray[np.float64]
    share: NDArray[np.float32]
    similar: NDArray[np.int32]
    notes: NDArray[np.uint8]

    def part(self, points: slice) -> Room:
        """Of some of the points, the same memory."""
        return Room(self.numbers[:, points], self.share[points], self.similar[points], self.notes[points])


def room_for(n: int, pieces: int) -> Room:
    """Room for the opinions of n points, with so many pieces of evidence."""
    # One piece of memory: of several, the allocator gives back some at the end of a call and takes them anew at the
    # next, and each page of them, when first written, costs more than the readings on it.
    room = np.empty(n * (6 * 8 + pieces * 4 + 2 * 4 + 1), np.uint8)
    numbers, room = room[: n * 6 * 8], room[n * 6 * 8 :]
    share, room = room[: n * pieces * 4], room[n * pieces * 4 :]
    similar, notes = room[: n * 2 * 4], room[n * 2 * 4 :]
    return Room(numbers.view(np.float64).reshape(6, n), share.view(np.float32).reshape(n, pieces),
                similar.view(np.int32).reshape(n, 2), notes)


@lean_kernel
def find_young(
    series: NDArray[Any], group: NDArray[np.int32], slot: NDArray[np.int32], young: NDArray[np.bool_],
) -> None:
    """Which of n points are of series that may be judged by their peers; *young* (n,) is filled."""
    for i in range(slot.size):
        young[i] = group[slot[i]] >= 0 and series[slot[i]].seen < prior.OWN


def process(
    points: Points, room: Room, one: Callable[[Points, Room], None], series: NDArray[Any], group: NDArray[np.int32],
    threads: int, run: parts.Run,
) -> None:
    """As one(points, room), of *threads* parts at once.

    A series that stands on its own needs nothing of its group; what it teaches is kept and taught afterwards, in the
    order of the points, between those of the young ones, which follow one by one.
    """
    n = points.slot.size
    end, order, young = np.empty(threads + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    find_young(series, group, points.slot, young)
    parts.share_out(points.slot, young, threads, end, order)
    given, lesson = room_for(n, room.share.shape[1]), np.zeros((n, 2), np.float32)

    def sorted_points(part: slice) -> Points:
        of = order[part]
        return Points(points.slot[of], points.time_ms[of], points.value[of])

    def piece(first: int, stop: int) -> parts.Piece:
        part = slice(first, stop)
        return lambda: one(replace(sorted_points(part), lesson=lesson[part]), given.part(part))

    edges = [0, *end.tolist()]
    run([piece(*edge) for edge in pairwise(edges[:-1]) if edge[0] < edge[1]])
    taught = np.flatnonzero(lesson[:, 0])
    given_by = order[taught]
    in_turn = np.argsort(given_by)
    taught, given_by = taught[in_turn], given_by[in_turn]
    value = np.clip(points.value[given_by], -VALUE_MAX, VALUE_MAX)
    due = (given_by, group[points.slot[given_by]], value, lesson[taught])
    last = slice(edges[-2], n)
    one(replace(sorted_points(last), row=order[last], due=due), given.part(last))

    def back(columns: slice) -> parts.Piece:
        return lambda: parts.put_back(order, given.numbers[columns], room.numbers[columns])

    run([back(slice(0, 2)), back(slice(2, 5))])
    told = np.flatnonzero(given.numbers[0] >= EVIDENCE_MIN)
    to = order[told]
    room.share[to], room.similar[to], room.notes[to] = given.share[told], given.similar[told], given.notes[told]
