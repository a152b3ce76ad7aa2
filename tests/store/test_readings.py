"""Readings and rollups of a source: all of them, or as many as a screen shows with every extreme among them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offbeat.clock import ManualClock
from offbeat.engine import rollups
from offbeat.errors import NotFound
from offbeat.service import Service, running
from offbeat.store.downsample import extremes, joined_windows, window_columns
from offbeat.store.queries import ReadingsQuery
from tests.engine.naive import SPANS_MS
from tests.engine.run import Event, random_steps
from tests.store.process import START_MS, applied, config, send

MIDDLE = START_MS + 1_500_000
BOUNDS = [(None, None), (MIDDLE, None), (None, MIDDLE), (MIDDLE, MIDDLE + 3_600_000), (MIDDLE, MIDDLE)]


async def sent(service: Service, seed: int, count: int = 900) -> list[Event]:
    """Events of three sources with checkpoints in between."""
    events = [e for e in random_steps(seed, count, sources=("a", "b")) if isinstance(e, Event)]
    rng = random.Random(seed)
    for first in range(0, len(events), 60):
        await send(service, events[first : first + 60])
        if rng.random() < 0.4:
            await applied(service)
            await service.applier.checkpoint_all()
    await applied(service)
    return events


def within(time_ms: int, low: int | None, high: int | None) -> bool:
    return (low is None or time_ms >= low) and (high is None or time_ms < high)


async def test_raw_readings_are_all_that_were_sent_in_the_order_of_time_and_arrival(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        events = await sent(service, 1)
        for low, high in BOUNDS:
            query = ReadingsQuery("a", start_ms=low, end_ms=high, width=100_000, level="raw")
            for one in await service.results.readings(query):
                mine = [e for e in events if e.source == "a" and one.field in e.values and within(e.time_ms, low, high)]
                expected = [(e.time_ms, e.values[one.field]) for e in sorted(mine, key=lambda e: e.time_ms)]
                assert list(zip(one.time_ms.tolist(), one.columns["value"].tolist(), strict=True)) == expected
                assert (one.level, one.downsampled, one.reading_count) == ("raw", False, len(expected))
        (only,) = await service.results.readings(ReadingsQuery("a", fields=("y",)))
        assert only.field == "y"
        with pytest.raises(NotFound, match="no field nothing"):
            await service.results.readings(ReadingsQuery("a", fields=("y", "nothing")))
        with pytest.raises(NotFound, match="no source nobody"):
            await service.results.readings(ReadingsQuery("nobody"))


@pytest.mark.parametrize("level", ["1m", "1h", "1d"])
async def test_rollups_are_sums_over_all_readings_of_their_windows_late_ones_too(tmp_path: Path, level: str) -> None:
    span_ms = SPANS_MS[level]
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        events = await sent(service, 2)
        for low, high in BOUNDS:
            query = ReadingsQuery("b", start_ms=low, end_ms=high, width=100_000, level=level)  # type: ignore[arg-type]
            for one in await service.results.readings(query):
                held: dict[int, list[float]] = {}
                for e in events:
                    start = math.floor(e.time_ms / span_ms) * span_ms
                    touches = (low is None or start + span_ms > low) and (high is None or start < high)
                    if e.source == "b" and one.field in e.values and touches:
                        held.setdefault(start, []).append(e.values[one.field])
                assert one.time_ms.tolist() == sorted(held)
                rows = [held[start] for start in sorted(held)]
                assert one.columns["count"].tolist() == [len(v) for v in rows]
                assert one.columns["sum"].tolist() == [sum(v) for v in rows]
                assert one.columns["min"].tolist() == [min(v) for v in rows]
                assert one.columns["max"].tolist() == [max(v) for v in rows]
                assert one.columns["mean"].tolist() == [sum(v) / len(v) for v in rows]
                assert one.columns["sum_of_squares"].tolist() == [sum(x * x for x in v) for v in rows]
                assert one.reading_count == sum(map(len, rows))


async def test_a_band_is_the_same_before_and_after_a_checkpoint_and_lies_around_what_is_typical(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        rng = random.Random(4)
        await send(service, [Event("a", START_MS + i * 7_000, {"x": rng.gauss(1e300 / 3, 1e299)}) for i in range(400)])
        await applied(service)
        (before,) = await service.results.readings(ReadingsQuery("a"))
        await service.applier.checkpoint_all()
        (after,) = await service.results.readings(ReadingsQuery("a"))
        assert before.band.keys() == {"time_ms", "typical", "lower", "upper"}
        for name, column in before.band.items():
            assert column.tobytes() == after.band[name].tobytes(), name
        band = after.band
        assert band["time_ms"].size > 30 and np.isfinite(band["upper"]).all()
        assert ((band["lower"] <= band["typical"]) & (band["typical"] <= band["upper"])).all()


async def test_the_level_is_the_finest_that_is_left_and_fits(tmp_path: Path) -> None:
    async with running(config(tmp_path / "state"), clock=ManualClock(START_MS)) as service:
        await send(service, [Event("a", START_MS + i * 10_000, {"x": float(i)}) for i in range(500)])
        await applied(service)
        await service.applier.checkpoint_all()
        (raw,) = await service.results.readings(ReadingsQuery("a", width=40))
        assert (raw.level, raw.downsampled, raw.reading_count) == ("raw", True, 500)
        assert raw.time_ms.size <= 40 and {0.0, 499.0} <= set(raw.columns["value"].tolist())
        async with service.database.transaction() as db:  # as retention does
            await db.execute("DELETE FROM chunk WHERE kind = 'readings'")
        (coarser,) = await service.results.readings(ReadingsQuery("a"))
        assert (coarser.level, coarser.reading_count) == ("1m", 500)
        (asked,) = await service.results.readings(ReadingsQuery("a", level="raw"))
        assert (asked.level, asked.reading_count) == ("raw", 0)


POINTS = st.integers(1, 200).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(-(2**53), 2**53)).map(np.sort),
        hnp.arrays(np.float64, n, elements=st.integers(-5, 5).map(float)),
    )
)


@given(points=POINTS, width=st.integers(1, 60))
def test_down_sampling_keeps_the_first_the_last_and_the_extremes(
    points: tuple[np.ndarray, np.ndarray], width: int
) -> None:
    time_ms, value = points
    shown = extremes(time_ms, value, width)
    assert shown.size <= max(width, 4) and (np.diff(shown) > 0).all()
    if time_ms.size <= width:
        assert shown.size == time_ms.size
    assert shown[0] == 0 and shown[-1] == time_ms.size - 1
    assert value[shown].min() == value.min() and value[shown].max() == value.max()


@given(n=st.integers(1, 150), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_down_sampling_keeps_the_extremes_of_every_pixel(n: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    time_ms, value = np.sort(rng.integers(0, 10_000, n)), rng.integers(0, 50, n).astype(float)
    shown = set(extremes(time_ms, value, width).tolist())
    if n <= width:
        return
    count, span = max(1, width // 4), int(time_ms[-1] - time_ms[0]) + 1
    pixels: dict[int, list[int]] = {}
    for i, t in enumerate(time_ms.tolist()):
        pixels.setdefault((t - int(time_ms[0])) * count // span, []).append(i)
    for mine in pixels.values():
        assert mine[0] in shown and mine[-1] in shown
        of_shown = [value[i] for i in mine if i in shown]
        assert min(of_shown) == min(value[mine]) and max(of_shown) == max(value[mine])


@given(n=st.integers(1, 120), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_joined_windows_lose_no_reading_and_no_extreme(n: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.full((n, rollups.ROW), np.nan)
    rows[:, rollups.SERIES], rows[:, rollups.LEVEL] = 3, 0
    rows[:, rollups.START] = np.sort(rng.choice(5000, n, replace=False)) * 60_000 - 10**7
    rows[:, rollups.COUNT] = rng.integers(1, 9, n)
    for at in (rollups.SUM, rollups.SQUARES, rollups.MIN, rollups.MAX):
        rows[:, at] = rng.integers(-50, 50, n)
    joined = joined_windows(rows, width)
    assert joined.shape[0] <= max(width, 1) and (n > width or joined.shape[0] == n)
    starts = joined[:, rollups.START]
    assert (np.diff(starts) > 0).all() and set(starts) <= set(rows[:, rollups.START])
    for at in (rollups.COUNT, rollups.SUM, rollups.SQUARES):
        assert joined[:, at].sum() == rows[:, at].sum()
    for i, start in enumerate(joined[:, rollups.START]):
        end = joined[i + 1, rollups.START] if i + 1 < joined.shape[0] else np.inf
        mine = rows[(rows[:, rollups.START] >= start) & (rows[:, rollups.START] < end)]
        assert joined[i, rollups.MIN] == mine[:, rollups.MIN].min()
        assert joined[i, rollups.MAX] == mine[:, rollups.MAX].max()
    columns = window_columns(joined)
    assert (columns["mean"] * columns["count"]).tolist() == pytest.approx(columns["sum"].tolist())


@given(hnp.arrays(np.float64, st.integers(0, 20), elements=st.floats(allow_nan=True, allow_infinity=False)))
def test_a_coarse_number_has_seven_digits_of_the_fine_one_and_is_as_coarse_again(values: np.ndarray) -> None:
    kept = rollups.coarse(values)
    assert rollups.coarse(kept).tobytes() == kept.tobytes()
    np.testing.assert_allclose(kept, values, rtol=2**-23, atol=1e-300)
