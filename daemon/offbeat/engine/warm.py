"""Compiles the engine's kernels before anything waits for them, by putting two events through a small engine."""

from __future__ import annotations

import numpy as np

from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.engine import Engine
from offbeat.engine.entries import Entry, Job
from offbeat.engine.rollups import merged
from offbeat.engine.views import live_readings
from offbeat.records import EMPTY_STRINGS, JobSpec, Strings, Table


def warm_up() -> None:
    """Compile every kernel of the engine and the catalog, or load it from the cache."""
    none = np.zeros(0, np.int32)
    catalog = Catalog(Limits(4, 4, 4, 4))
    engine = Engine(catalog)
    engine.apply(Entry(1, "job_created", 0, Job(1, JobSpec("watch"), 0, 0)))
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
        engine.apply(Entry(seq, "data", time_ms, block))
    engine.apply(Entry(4, "tick", 86_400_000, None))
    live = live_readings(engine, 0, rows)
    merged(np.concatenate([live.closed, live.opened, live.opened]))
    catalog.series_of(0, 0)
    catalog.back_to(type(catalog.mark())(0, 0, 0))
