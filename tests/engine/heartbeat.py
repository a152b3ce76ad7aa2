"""A detector that watches for silence, and learns from peers how long a pause is usual: small, slow and obvious."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.ewma import Ewma

OWN = 3  # pauses from which a series knows its own usual one


class Heartbeat:
    """Values as "ewma" judges them; silence by how often the usual pause has passed, in *patience* of it.

    The usual pause is the mean of the series' own; of its group's, while it has fewer than OWN.
    """

    bytes_per_series = 100

    def __init__(
        self,
        capacity: int,
        *,
        patience: float = 3.0,
        warmup_readings: int = 30,
        by: Literal["field", "source"] = "field",
        time_zone: str = "UTC",
    ) -> None:
        if not patience > 0.0:
            raise ValueError(f"patience is {patience}: expected more than 0")
        self._values = Ewma(capacity, warmup_readings=warmup_readings)
        self._patience, self._by, self.time_zone = patience, by, time_zone
        self._seen, self._last = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self._pauses, self._waited = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self._group = np.full(capacity, -1, np.int64)
        self._group_pauses, self._group_waited = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)

    @property
    def group_by(self) -> Literal["field", "source"]:
        return self._by

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        assert (self._group[slot] == -1).all() and not self._seen[slot].any(), "a series joins once, before any point"
        self._group[slot] = group

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        for s, t in zip(slot.tolist(), time_ms.tolist(), strict=True):
            assert self._group[s] >= 0, "a series joins before its first point"
            if self._seen[s] and t > self._last[s]:
                for pauses, waited, of in (
                    (self._pauses, self._waited, s),
                    (self._group_pauses, self._group_waited, self._group[s]),
                ):
                    pauses[of] += 1
                    waited[of] += t - self._last[s]
            self._last[s] = t if not self._seen[s] else max(t, self._last[s])
            self._seen[s] += 1
        return self._values.process(slot, time_ms, value)

    def overdue(self, slot: NDArray[np.int32], now_ms: NDArray[np.int64]) -> Opinions:
        said = np.full((5, slot.size), np.nan)
        for i, (s, now) in enumerate(zip(slot.tolist(), now_ms.tolist(), strict=True)):
            own = self._pauses[s] >= OWN
            pauses, waited = (
                (self._pauses[s], self._waited[s])
                if own
                else (self._group_pauses[self._group[s]], self._group_waited[self._group[s]])
            )
            if not self._seen[s] or not pauses:
                continue
            usual = self._patience * waited / pauses
            late = (now - self._last[s]) / usual
            said[0, i], said[2, i] = (0.7 * late if late > 1.0 else 0.0), self._last[s] + usual
        return Opinions(*said)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        return self._values.warmup_left(slot)

    def _columns(self, slot: NDArray[np.int32]) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        group = self._group[slot]
        return {
            "seen": (self._seen, slot),
            "last": (self._last, slot),
            "pauses": (self._pauses, slot),
            "waited": (self._waited, slot),
            "group_pauses": (self._group_pauses, group),
            "group_waited": (self._group_waited, group),
        }

    def save(self, slot: NDArray[np.int32]) -> State:
        return self._values.save(slot) | {f"beat_{name}": a[at] for name, (a, at) in self._columns(slot).items()}

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        self._values.restore(slot, state)
        assert (self._group[slot] >= 0).all(), "a series joins before it is restored"
        for name, (column, at) in self._columns(slot).items():
            column[at] = state[f"beat_{name}"]

    def forget(self, slot: NDArray[np.int32]) -> None:
        self._values.forget(slot)
        for column in (self._seen, self._last, self._pauses, self._waited):
            column[slot] = 0
        groups, self._group[slot] = self._group[slot], -1
        empty = groups[~np.isin(groups, self._group)]
        self._group_pauses[empty] = self._group_waited[empty] = 0
