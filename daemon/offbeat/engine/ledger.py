"""What is known of every source and series whatever the jobs are: counts, last values, the lag of arrival."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.entries import Run
from offbeat.engine.rollups import OPEN, ROW, add_readings
from offbeat_detectors.contract import Opinions, State
from offbeat_detectors.kernel import kernel, lean_kernel
from offbeat_detectors.rows import FAR, copy_of, prefetch, prefetch_at

TIME_MIN_MS = -62_135_596_800_000  # the year 1: a time is kept as its distance from here plus 1, so that 0 is "never"
EVENTS, FIRST, LAST, ARRIVAL, LAG, GAP, DELAY = range(7)
READINGS, NEWEST, VALUE, INTERVAL = range(4)
INTERVAL_GAIN, INTERVAL_CLIP = 0.1, 4.0
NEVER = -(1 << 62)


@lean_kernel
def note_events(
    source: NDArray[np.int32],
    time_ms: NDArray[np.int64],
    end: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    sources: NDArray[np.int64],
) -> None:
    """Count n events into *sources* (s, 7) int64; those before end[j], and from the end before it, arrived at at_ms[j].

    Events, first and last time (from TIME_MIN_MS, plus 1), arrival, lag of the newest, time between the last two
    arrivals, and the delay: how late its events come at worst lately, who collects them for an hour sends them an hour
    late. An event that is later than it can have been collected, the time since the arrival before, is history that is
    filled in, and no sign of a habit. The delay is forgotten by an eighth at each arrival.
    """
    entry = 0
    for i in range(source.size):
        ahead = source[min(i + FAR, source.size - 1)]
        prefetch_at(sources, ahead, 0)
        prefetch_at(sources, ahead, 8 * DELAY)
        while i >= end[entry]:
            entry += 1
        arrival_ms = at_ms[entry]
        held = sources[source[i]]
        stamp = time_ms[i] - TIME_MIN_MS + 1
        lag = arrival_ms - time_ms[i]
        if held[EVENTS] == 0 or stamp < held[FIRST]:
            held[FIRST] = stamp
        if held[EVENTS] == 0 or stamp >= held[LAST]:
            held[LAST] = stamp
            held[LAG] = lag
        if held[EVENTS] > 0 and arrival_ms != held[ARRIVAL]:
            held[GAP] = max(0, arrival_ms - held[ARRIVAL])
            held[DELAY] -= held[DELAY] // 8
        held[DELAY] = max(held[DELAY], min(lag, held[GAP]))
        held[ARRIVAL] = arrival_ms
        held[EVENTS] += 1


@kernel
def reached(held: NDArray[np.int64], now_ms: int, lag_max_ms: int) -> int:
    """The event time up to which a source has sent what it has by *now_ms*; NEVER if it is not live.

    held  its row of ``note_events``. Live: its newest event came within *lag_max_ms* of its time.
    """
    if held[EVENTS] == 0 or abs(held[LAG]) > lag_max_ms:
        return NEVER
    return int(max(now_ms - max(held[LAG], held[DELAY]), held[LAST] - 1 + TIME_MIN_MS))


@lean_kernel
def note_readings(
    series: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64], readings: NDArray[np.float64]
) -> None:
    """Count p readings into *readings* (s, 4) float64.

    How many, the newest time (as above), its value, and the usual time between two in ms: their exponentially weighted
    mean, to which no gap, however long, counts for more than INTERVAL_CLIP times as long as usual.
    """
    for i in range(series.size):
        prefetch(readings, series[min(i + FAR, series.size - 1)])
        held = readings[series[i]]
        stamp = np.float64(time_ms[i] - TIME_MIN_MS + 1)
        if stamp >= held[NEWEST]:
            gap = stamp - held[NEWEST]
            if held[READINGS] > 0.0 and gap > 0.0:
                usual = held[INTERVAL]
                if usual == 0.0:
                    held[INTERVAL] = gap
                else:
                    held[INTERVAL] = usual + INTERVAL_GAIN * (min(gap, INTERVAL_CLIP * usual) - usual)
            held[NEWEST] = stamp
            held[VALUE] = value[i]
        held[READINGS] += 1.0


class Ledger:
    """The columns of ``note_events`` and ``note_readings``, and the open rollup windows.

    sources   (sources_max, 7) int64    series  (series_max, 4) float64    windows  (series_max, 3, OPEN) float64
    The system commits a page when it is first written, so unused room costs nothing.
    """

    def __init__(self, sources_max: int, series_max: int) -> None:
        self.sources = np.zeros((sources_max, 7), np.int64)
        self.series = np.zeros((series_max, 4))
        self.windows = np.zeros((series_max, 3, OPEN))

    def note(self, run: Run, kept: NDArray[np.int64], said: Opinions | None) -> NDArray[np.float64]:
        """Count the events of *run*, and put its values into the open windows; the windows that closed, (m, ROW).

        kept, said  which of the values the built-in job judged, (q,), and its opinions: the bands of the windows
        """
        note_events(run.source, run.time_ms, run.end, run.at_ms, self.sources)
        note_readings(run.series, run.point_ms, run.value, self.series)
        p = run.series.size
        if said is not None and kept.size == p:
            typical, lower, upper = said.typical, said.lower, said.upper
        else:
            typical, lower, upper = band = np.full((3, p), np.nan)
            if said is not None:
                band[:, kept] = said.typical, said.lower, said.upper
        closed = np.empty((3 * p, ROW))
        count = add_readings(run.series, run.point_ms, run.value, typical, lower, upper, self.windows, closed)
        return closed[:count].copy()

    def save(self, sources: NDArray[np.int64], series: NDArray[np.int64]) -> State:
        """A copy of the rows of these sources and series."""
        return {
            "sources": copy_of(self.sources, sources),
            "series": copy_of(self.series, series),
            "windows": copy_of(self.windows, series),
        }

    def restore(self, sources: NDArray[np.int64], series: NDArray[np.int64], state: State) -> None:
        """Set the rows to what ``save`` gave."""
        self.sources[sources], self.series[series], self.windows[series] = (
            state["sources"],
            state["series"],
            state["windows"],
        )
