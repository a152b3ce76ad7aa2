"""Raw readings of many series at once are those that were sent, wherever they lie."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from offbeat.clock import ManualClock
from offbeat.service import running
from offbeat.store.raw_readings import FAR_MS, known, raw_readings
from tests.store.process import START_MS, config
from tests.store.test_readings import MIDDLE, sent


@pytest.mark.parametrize("seed", range(3))
async def test_each_series_has_its_readings_from_its_own_moment_on(tmp_path: Path, seed: int) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        events = await sent(service, seed)
        catalog, ask = service.catalog, service.applier.ask
        numbers = np.arange(catalog.series_count, dtype=np.int32)
        names = [(catalog.sources.text(int(s)), catalog.fields.text(int(f))) for s, f in zip(
            catalog.series_source[: numbers.size], catalog.series_field[: numbers.size], strict=True)]
        for low, high in ((-FAR_MS, FAR_MS), (MIDDLE, FAR_MS), (-FAR_MS, MIDDLE)):
            lows = np.array([low + 60_000 * i if low > -FAR_MS else low for i in range(numbers.size)])
            series, time_ms, value = await raw_readings(service.database, ask, numbers, lows, high)
            for number, (source, field), its_low in zip(numbers.tolist(), names, lows.tolist(), strict=True):
                mine = [e for e in events if e.source == source and field in e.values and its_low <= e.time_ms < high]
                expected = [(e.time_ms, e.values[field]) for e in sorted(mine, key=lambda e: e.time_ms)]
                rows = series == number
                assert list(zip(time_ms[rows].tolist(), value[rows].tolist(), strict=True)) == expected
        state = await ask(lambda engine: known(engine, np.array([0, -1])))
        newest = max(e.time_ms for e in events if e.source == names[0][0] and names[0][1] in e.values)
        assert state.newest_ms.tolist() == [newest, -FAR_MS]
        assert state.first_ms[0] == min(e.time_ms for e in events if e.source == names[0][0])
