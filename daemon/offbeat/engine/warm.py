"""Compiles the engine's kernels before anything waits for them, by putting two events through a small engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.buckets import by_start
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Adjustment, Entry, Job, pack_block
from offbeat.engine.rollups import merged
from offbeat.engine.rows import put_in_order
from offbeat.engine.views import diagnosed, live_readings
from offbeat.packing import ROWS_MIN, pack
from offbeat.records import EMPTY_STRINGS, JobSpec, Strings, Table
from offbeat_detectors.contract import Opinions
from offbeat_detectors.ewma import Ewma


class _Impatient(Ewma):
    """Surprised by nothing, but finds every silence too long. Compiles nothing: detectors are compiled elsewhere."""

    def process(self, slot: NDArray[np.int32], time_ms: NDArray[np.int64], value: NDArray[np.float64]) -> Opinions:
        """All of the points are as they should be."""
        nothing = np.zeros(slot.size)
        return Opinions(nothing, nothing, nothing, nothing, nothing, strength=nothing)

    def overdue(self, slot: NDArray[np.int32], now_ms: NDArray[np.int64]) -> Opinions:
        """All of *slot* are overdue."""
        return Opinions(*np.ones((5, slot.size)))


def warm_up() -> None:
    """Compile every kernel of the engine and the catalog, or load it from the cache."""
    none = np.zeros(0, np.int32)
    catalog = Catalog(Limits(4, 4, 4, 4))
    engine = Engine(catalog)
    engine.apply(Entry(1, "job_created", 0, Job(1, JobSpec("watch"), 0, 0)))
    engine.apply(Entry(1, "job_created", 0, Job(2, JobSpec("few", models_max=1, shards=1), 0, 0)))
    for job in engine.jobs.values():
        job.detector = _Impatient(4)
    rows = np.zeros(1, np.int32)
    for seq, time_ms in enumerate((0, 86_400_000), 2):
        block, _ = catalog.admit(
            Table(
                Strings.of(["a"]),
                rows,
                np.array([time_ms]),
                Strings.of(["b"]),
                rows,
                rows,
                np.ones(1),
                EMPTY_STRINGS,
                EMPTY_STRINGS,
                none,
                none,
                none,
            )
        )
        pack_block(block)
        pack({"rows": np.zeros((ROWS_MIN, 2))})
        once = np.zeros(1, np.int64)
        put_in_order(once, 0, once, np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))
        engine.apply(Entry(seq, "data", time_ms, block))
        engine.jobs[1].adjustments.begin(Adjustment(1, 1, 0, 2.0))  # so that the second goes the other way
    engine.apply(Entry(4, "tick", 86_500_000, None))
    diagnosed(engine, 0, rows, 86_500_000)
    live = live_readings(engine, 0, rows)
    by_start(engine.tail.of(0)[0].all_closed(1))
    merged(np.concatenate([live.own_windows(), live.opened]))
    catalog.series_of(0, 0)
    catalog.back_to(type(catalog.mark())(0, 0, 0))
