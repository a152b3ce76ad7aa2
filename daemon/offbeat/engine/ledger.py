"""What is known of every source and series whatever the jobs are: counts, last values, the lag of arrival."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.rollups import OPEN
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel

TIME_MIN_MS = -62_135_596_800_000  # the year 1: a time is kept as its distance from here plus 1, so that 0 is "never"
EVENTS, FIRST, LAST, ARRIVAL, LAG = range(5)


@kernel
def note_events(
    source: NDArray[np.int32], time_ms: NDArray[np.int64], arrival_ms: int, sources: NDArray[np.int64]
) -> None:
    """Count n events into *sources* (s, 5) int64.

    Events, first and last time (from TIME_MIN_MS, plus 1), arrival, lag of the newest.
    """
    for i in range(source.size):
        held = sources[source[i]]
        stamp = time_ms[i] - TIME_MIN_MS + 1
        if held[EVENTS] == 0 or stamp < held[FIRST]:
            held[FIRST] = stamp
        if held[EVENTS] == 0 or stamp >= held[LAST]:
            held[LAST] = stamp
            held[LAG] = arrival_ms - time_ms[i]
        held[ARRIVAL] = arrival_ms
        held[EVENTS] += 1


@kernel
def note_readings(
    series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64], readings: NDArray[np.float64]
) -> None:
    """Count p readings into *readings* (s, 3) float64: how many, the newest time (as above), its value."""
    for i in range(series.size):
        held = readings[series[i]]
        stamp = np.float64(time_ms[i] - TIME_MIN_MS + 1)
        if stamp >= held[1]:
            held[1] = stamp
            held[2] = value[i]
        held[0] += 1.0


class Ledger:
    """The columns of ``note_events`` and ``note_readings``, and the open rollup windows.

    sources   (sources_max, 5) int64    series  (series_max, 3) float64    windows  (series_max, 3, OPEN) float64
    The system commits a page when it is first written, so unused room costs nothing.
    """

    def __init__(self, sources_max: int, series_max: int) -> None:
        self.sources = np.zeros((sources_max, 5), np.int64)
        self.series = np.zeros((series_max, 3))
        self.windows = np.zeros((series_max, 3, OPEN))

    def save(self, sources: NDArray[np.int64], series: NDArray[np.int64]) -> State:
        """A copy of the rows of these sources and series."""
        return {"sources": self.sources[sources], "series": self.series[series], "windows": self.windows[series]}

    def restore(self, sources: NDArray[np.int64], series: NDArray[np.int64], state: State) -> None:
        """Set the rows to what ``save`` gave."""
        self.sources[sources], self.series[series], self.windows[series] = (
            state["sources"],
            state["series"],
            state["windows"],
        )
