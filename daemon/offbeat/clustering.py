"""When the events of energy meters are clustered: at every batch, beside the event loop, one run after the other."""
from __future__ import annotations

import asyncio
import logging

import numpy as np
from numpy.typing import NDArray

from offbeat.errors import StoreUnavailable
from offbeat.store import energy
from offbeat.store.database import Database
from offbeat.store.energy import MEANS, ClusterRow
from offbeat_detectors import mean_shift

log = logging.getLogger("offbeat.clustering")
AGAIN_S = 5.0
"""So long it waits when the store cannot be read or written."""


class Clustering:
    """Runs over all events ever stored; ``look`` says that one may be due.

    A run that is due survives a restart. What comes due while one goes on is one run more, over all until then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wake = asyncio.Event()
        self._failed = 0
        self._wake.set()

    def look(self) -> None:
        """An event was stored: see whether a run is due. Never waits."""
        self._wake.set()

    async def run(self) -> None:
        """Cluster whenever a run is due."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await self._next():
                    pass
            except StoreUnavailable as e:
                log.warning("clustering waits: %s", e.message)
                await asyncio.sleep(AGAIN_S)
                self._wake.set()  # what is due is due, also if no event follows

    async def _next(self) -> bool:
        """Make the run that is due, if there is one; a run that fails leaves the clusters before, until the next."""
        batches = await energy.batches(self._database)
        if batches.due in (batches.done, self._failed):
            return False
        features = await energy.features(self._database, batches.due)
        try:
            rows = await asyncio.to_thread(clustered, features)
        except Exception:
            log.exception("the clustering of %d events failed; the clusters before stay", len(features))
            self._failed = batches.due
            return False
        await energy.replace(self._database, rows, batches.due)
        return True


def clustered(features: NDArray[np.float64]) -> list[ClusterRow]:
    """The clusters of (n, 8) *features*, ascending by label: −1, if it has any events, first."""
    labels = mean_shift.cluster(features).labels
    rows = []
    for label in np.unique(labels).tolist():
        members = features[labels == label]
        rows.append(ClusterRow(label, len(members), *members[:, :MEANS].mean(axis=0).tolist()))
    return rows
