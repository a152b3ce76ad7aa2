"""What models that keep one row an entity share: the rows grow, are saved, restored and forgotten."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import State
from offbeat_detectors.rows import restore_rows, save_rows, zero_rows


class Kept:
    """One row of *dtype* for each of *capacity* entities, all zero for one of which nothing is known."""

    def __init__(self, capacity: int, dtype: np.dtype[Any]) -> None:
        self._rows = zero_rows(capacity, dtype)

    def grow(self, capacity: int) -> None:
        """Make room for *capacity* entities; those that are there stay as they are."""
        if capacity > self._rows.size:
            grown = zero_rows(capacity, self._rows.dtype)
            grown[: self._rows.size] = self._rows
            self._rows = grown

    def save(self, entity: NDArray[np.int32]) -> State:
        """A copy of the state of these entities (each once), one plain array a column."""
        return save_rows(self._rows, entity)

    def restore(self, entity: NDArray[np.int32], state: State) -> None:
        """Set these entities to what ``save`` gave for as many; going on is as if uninterrupted, bit for bit."""
        restore_rows(self._rows, entity, state)

    def forget(self, entity: NDArray[np.int32]) -> None:
        """Set these entities back to where nothing is known of them."""
        self._rows[entity] = np.zeros((), self._rows.dtype)
