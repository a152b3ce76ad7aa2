"""Typical value and band for a detector that has none: a detector around a detector, asked of the experts."""
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors import civil, experts
from offbeat_detectors.contract import Detector, Explaining, Grouped, Opinions, State, Watchful
from offbeat_detectors.rows import restore_rows, save_rows, zero_rows

_INNER, _EXPERT = "inner.", "expert."
_MAX = float(np.finfo(np.float64).max)


class Banded:
    """*inner*, and where it leaves typical, lower or upper open, those of ``experts``. 640 bytes a series more.

    time_zone  IANA name: the experts' days and weeks follow its civil time

    Novelty, probability, evidence and strength stay those of *inner*. The experts have an opinion from the sixth
    reading of a series; a detector that would speak before is not heard until then. What *inner* can beside
    (Explaining, Watchful, Grouped), ``banded`` passes on. Raises ValueError for a name that is no time zone.
    """

    def __init__(self, inner: Detector, capacity: int, *, time_zone: str = "UTC") -> None:
        self.inner = inner
        self._transitions, self._offsets = _transitions(time_zone)
        self._experts = zero_rows(capacity, experts.EXPERTS)

    @property
    def bytes_per_series(self) -> int:
        """Memory of one series in bytes."""
        return self.inner.bytes_per_series + self._experts.itemsize

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """Judge, then learn, n points in order."""
        said = self.inner.process(slot, time_ms, value)
        span = np.maximum(0, np.searchsorted(self._transitions, time_ms, side="right") - 1)
        following = np.full(slot.size, np.nan)  # no pattern is known here
        theirs = np.empty((3, slot.size))
        experts.process_all(self._experts, slot, time_ms, value, self._offsets[span], following, *theirs)
        theirs.clip(-_MAX, _MAX, out=theirs)  # NaN stays
        own = np.stack([said.typical, said.lower, said.upper])
        band = np.where(np.isnan(own).any(axis=0), theirs, own)
        silent = np.isnan(said.novelty) | np.isnan(band[0])
        band[:, silent] = np.nan
        novelty, probability = (np.where(silent, np.nan, column) for column in (said.novelty, said.probability))
        strength = None if said.strength is None else np.where(silent, 0.0, said.strength)
        return replace(
            said, novelty=novelty, probability=probability, typical=band[0], lower=band[1], upper=band[2],
            strength=strength)

    def warmup_left(self, slot: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many readings each slot still needs before detector and experts have an opinion; 0 when they have."""
        left = experts.warmup - self._experts["seen"][slot].astype(np.int64)
        return np.maximum(self.inner.warmup_left(slot), left)

    def save(self, slot: NDArray[np.int32]) -> State:
        """A copy of the state of these slots: the detector's and the experts', whose names begin differently."""
        state = {_INNER + name: column for name, column in self.inner.save(slot).items()}
        return state | {_EXPERT + name: column for name, column in save_rows(self._experts, slot).items()}

    def restore(self, slot: NDArray[np.int32], state: State) -> None:
        """Set these slots to what ``save`` gave for as many slots."""
        restore_rows(self._experts, slot, _of(state, _EXPERT))
        self.inner.restore(slot, _of(state, _INNER))

    def forget(self, slot: NDArray[np.int32]) -> None:
        """Set these slots back to never having seen a point."""
        self.inner.forget(slot)
        self._experts[slot] = np.zeros((), experts.EXPERTS)


def banded(inner: Detector, capacity: int, *, time_zone: str = "UTC") -> Banded:
    """*inner* in a Banded that is Explaining, Watchful and Grouped where *inner* is."""
    also = tuple(mixin for protocol, mixin in _PASSED_ON.items() if isinstance(inner, protocol))
    made = type("Banded", (*also, Banded), {})(inner, capacity, time_zone=time_zone)
    return cast(Banded, made)


class _Explains:
    inner: Any

    @property
    def pieces(self) -> tuple[str, ...]:
        """The names of the inner detector's pieces of evidence."""
        return cast(tuple[str, ...], self.inner.pieces)


class _Watches:
    inner: Any

    def overdue(self, slot: NDArray[np.int32], now_ms: NDArray[np.int64]) -> Opinions:
        """What the inner detector says of a silence."""
        return cast(Opinions, self.inner.overdue(slot, now_ms))


class _Joins:
    inner: Any

    @property
    def group_by(self) -> Literal["field", "source"]:
        """As the inner detector's groups are."""
        return cast(Literal["field", "source"], self.inner.group_by)

    def join(self, slot: NDArray[np.int32], group: NDArray[np.int32]) -> None:
        """Tell the inner detector of a group's members."""
        self.inner.join(slot, group)


_PASSED_ON: dict[Any, type[Any]] = {Explaining: _Explains, Watchful: _Watches, Grouped: _Joins}


def _of(state: State, beginning: str) -> State:
    return {name.removeprefix(beginning): column for name, column in state.items() if name.startswith(beginning)}


@lru_cache(maxsize=8)  # making them takes longer than making a detector
def _transitions(time_zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return civil.transitions(time_zone)
