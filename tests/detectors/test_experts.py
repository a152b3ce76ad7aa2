"""Typical value and band: against their definition, and what they promise of each kind of series."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from offbeat_detectors import civil
from offbeat_detectors.contract import State
from offbeat_detectors.experts import DAY, EXPERTS, EXPERTS_LIGHT, FIRST, LAST, NAMES, WEEK, process_all, warmup
from offbeat_detectors.rows import restore_rows, save_rows, zero_rows
from tests.detectors import naive_experts

MINUTE_MS, DAY_MS = 60_000, 86_400_000
SLOT = np.zeros(1, np.int32)
READING = st.one_of(
    st.floats(-100, 100, width=32), st.integers(-3, 3).map(float), st.sampled_from([0.0, 20.0, 1e6, -1e6, 1e300]))
Series = NDArray[np.float64]


class Judged:
    """What one series' readings are said to be: typical, lower and upper, and the row that is left."""

    def __init__(
        self, values: Any, *, every_ms: int = 5 * MINUTE_MS, time_ms: NDArray[np.int64] | None = None,
        offset_ms: NDArray[np.int64] | None = None, successor: Any = None, dtype: np.dtype[Any] = EXPERTS,
        state: State | None = None,
    ) -> None:
        self.values = np.asarray(values, float)
        n = self.values.size
        times = np.arange(n) * every_ms if time_ms is None else time_ms
        offsets = np.zeros(n, np.int64) if offset_ms is None else offset_ms
        successors = np.full(n, np.nan) if successor is None else np.asarray(successor, float)
        self.rows = zero_rows(1, dtype)
        if state is not None:
            restore_rows(self.rows, SLOT, state)
        self.typical, self.lower, self.upper = (np.empty(n) for _ in range(3))
        process_all(
            self.rows, np.zeros(n, np.int32), times, self.values, offsets, successors,
            self.typical, self.lower, self.upper)

    @property
    def inside(self) -> NDArray[np.bool_]:
        return (self.values >= self.lower) & (self.values <= self.upper)

    def error(self, since: int = FIRST) -> float:
        """Mean absolute error of the typical value over that of the last value."""
        last = np.abs(np.diff(self.values, prepend=self.values[0]))
        return float(np.mean(np.abs(self.values - self.typical)[since:]) / np.mean(last[since:]))


def noise(n: int = 2000, seed: int = 0) -> Series:
    return 20.0 + np.random.default_rng(seed).normal(size=n)


def by_day(n: int, every_ms: int = 5 * MINUTE_MS) -> Series:
    return np.asarray(10.0 * np.sin(np.arange(n) * every_ms * (math.tau / DAY_MS)))


def working_hours(local_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    hour = local_ms % DAY_MS / (60 * MINUTE_MS)
    return (hour >= 8.0) & (hour < 18.0)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(READING, st.integers(1, 25), st.sampled_from([0, 1, 7, 30, 30, 200, -45, 3000])), min_size=1,
             max_size=25),
    st.sampled_from([0.0, 0.25, 3.0]), st.sampled_from([(48, 168), (24, 1)]), st.integers(0, 2**16))
def test_the_kernel_agrees_with_the_definition(
    stretches: list[tuple[float, int, int]], spread: float, slots: tuple[int, int], seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.full(times, value) for value, times, _ in stretches])
    values = values + spread * rng.normal(size=values.size)
    time_ms = np.cumsum(np.concatenate([np.full(times, pause * MINUTE_MS) for _, times, pause in stretches]))
    successor = np.where(rng.random(values.size) < 0.5, np.nan, values + rng.normal(size=values.size))
    offset = np.full(values.size, int(rng.integers(-14, 15)) * 15 * MINUTE_MS, np.int64)
    dtype = EXPERTS if slots[1] > 1 else EXPERTS_LIGHT
    said = Judged(values, time_ms=time_ms, offset_ms=offset, successor=successor, dtype=dtype)
    twin = naive_experts.Experts(*slots)
    expected = np.array([
        twin.judge(*point) for point in zip(
            time_ms.tolist(), values.tolist(), offset.tolist(), successor.tolist(), strict=True)])
    for column, name in enumerate(("typical", "lower", "upper")):
        np.testing.assert_allclose(getattr(said, name), expected[:, column], rtol=1e-6, atol=1e-9, err_msg=name)


def test_it_has_no_opinion_of_the_first_five_readings_and_one_of_each_later() -> None:
    said = Judged(noise(100))
    assert np.isnan([said.typical[:warmup], said.lower[:warmup], said.upper[:warmup]]).all()
    assert np.isfinite([said.typical[warmup:], said.lower[warmup:], said.upper[warmup:]]).all()
    assert warmup == FIRST == 5


def test_two_absurd_values_among_the_first_five_do_not_matter() -> None:
    damaged = noise(400)
    damaged[[0, 3]] = 1e9, -1e9
    clean, said = Judged(noise(400)), Judged(damaged)
    assert said.typical[10] == pytest.approx(20.0, abs=2.0)
    assert said.upper[200] - said.lower[200] < 2 * (clean.upper[200] - clean.lower[200])


def test_the_typical_value_of_a_constant_is_the_constant_exactly() -> None:
    for value in (20.1, 0.0, -1e300, 1e-5):
        said = Judged(np.full(3000, value))
        assert (said.typical[FIRST:] == value).all()
        assert (said.lower[FIRST:] == value).all() and (said.upper[FIRST:] == value).all()


def test_one_odd_reading_of_a_constant_leaves_it_as_it_was() -> None:
    values = np.full(3000, 20.1)
    values[[1000, 2000]] = 1e6, 21.0
    said = Judged(values)
    assert (said.typical[FIRST:] == 20.1).all()


def test_the_typical_value_of_a_mostly_zero_series_is_zero() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(10_000) < 0.02, rng.exponential(10, 10_000), 0.0)
    said = Judged(values)
    assert (said.typical[500:] == 0.0).mean() > 0.99
    assert np.abs(said.typical[FIRST:]).max() < 30.0


def test_the_typical_value_of_a_coarsely_quantised_series_is_one_of_its_values() -> None:
    values = np.round(20.0 + 0.3 * np.random.default_rng(2).normal(size=5000))
    said = Judged(values)
    assert (said.typical[200:] == 20.0).mean() > 0.99


def test_a_counter_is_expected_to_go_on_counting_also_where_it_is_read_irregularly() -> None:
    rng = np.random.default_rng(3)
    time_ms = np.cumsum(rng.integers(30_000, 90_000, 5000))
    for counted in (time_ms * 0.003, np.arange(5000) * 7.0, np.cumsum(rng.poisson(5, 5000))):
        assert Judged(counted, time_ms=time_ms).error(200) < 0.6
    assert Judged(np.arange(5000) * 7.0).error(200) < 1e-6


def test_a_counter_that_is_reset_is_followed_from_the_second_reading_on() -> None:
    values = np.concatenate([np.arange(2000) * 7.0, np.arange(200) * 7.0])
    assert np.abs(Judged(values).typical - values)[2003:].max() < 10.0


@settings(deadline=None, max_examples=40)
@given(st.floats(1e3, 1e300), st.booleans(), st.sampled_from(["noise", "day"]))
def test_no_value_however_absurd_moves_anything_by_more_than_a_bounded_step(size: float, up: bool, kind: str) -> None:
    values = noise(4000) if kind == "noise" else noise(4000) + by_day(4000)
    before, after = Judged(values[:3000]).rows[0], Judged(np.append(values[:3000], size if up else -size)).rows[0]
    for name in ("last", "recent", "slow", "trend", "day_level", "week_level", "anchor"):
        assert abs(after[name] - before[name]) <= before["scale"] * 4.0, name
    assert before["scale"] <= after["scale"] <= 1.07 * before["scale"]
    assert before["step"] <= after["step"] <= 1.02 * before["step"]
    assert max(after["above"] / before["above"], after["below"] / before["below"]) <= 1.04
    assert np.abs(after["day"].astype(int) - before["day"]).max() <= 32 * 4
    damaged = values.copy()
    damaged[3000] = size if up else -size
    there, without = Judged(damaged), Judged(values)
    assert np.abs(there.typical - without.typical)[3001:].max() < 2.0
    assert np.abs(there.typical - without.typical)[3400:].max() < 0.5


def test_a_shift_far_beyond_the_noise_is_followed_from_the_third_reading_on_and_a_small_one_soon() -> None:
    far = Judged(np.concatenate([noise(), noise(300, 1) + 1000.0]))
    assert far.typical[2001] < 30.0
    assert far.typical[2002] == pytest.approx(1020.0, abs=4.0)
    near = Judged(np.concatenate([noise(), noise(300, 1) + 4.0]))
    assert near.typical[2010] == pytest.approx(24.0, abs=1.5)
    assert near.typical[2030:2100].mean() == pytest.approx(24.0, abs=0.3)


def test_a_series_that_jumps_again_and_again_is_followed_at_once() -> None:
    rng = np.random.default_rng(4)
    values = np.where(np.cumsum(rng.random(8000) < 0.03) % 2, 1000.0, 0.0) + 0.05 * rng.normal(size=8000)
    jumps = np.flatnonzero(np.abs(np.diff(values)) > 500)[-50:] + 1
    assert np.mean(np.abs(Judged(values).typical - values)[jumps[:-1] + 1] < 50.0) > 0.8


def test_a_daily_season_is_learned_in_two_days() -> None:
    n = 288 * 21
    values = by_day(n) + 0.3 * noise(n)
    said = Judged(values)
    assert said.error(288 * 2) < 0.8
    assert said.rows["error"][0][DAY] < 0.8 * said.rows["error"][0][LAST]
    assert Judged(values, dtype=EXPERTS_LIGHT).error(288 * 2) < 0.8


def test_sharp_edges_of_the_day_are_expected() -> None:
    time_ms = np.arange(288 * 21) * 5 * MINUTE_MS
    values = np.where(working_hours(time_ms), 100.0, 0.0) + 0.2 * noise(time_ms.size)
    hourly = np.arange(24 * 60) * 60 * MINUTE_MS
    coarse = np.where(working_hours(hourly), 100.0, 0.0) + 0.2 * noise(hourly.size)
    assert Judged(coarse, time_ms=hourly).error(24 * 7) < 0.25
    assert Judged(values, time_ms=time_ms).error(288 * 7) < 0.95


def test_a_weekly_season_is_learned_in_two_weeks() -> None:
    time_ms = np.arange(24 * 7 * 10) * 60 * MINUTE_MS
    working_day = (time_ms // DAY_MS) % 7 < 5
    values = np.where(working_day & working_hours(time_ms), 100.0, 0.0) + 0.5 * noise(time_ms.size)
    said = Judged(values, time_ms=time_ms)
    error = said.rows["error"][0]
    assert error[WEEK] < min(error[DAY], error[LAST])
    assert said.error(24 * 7 * 3) < 0.3
    assert NAMES[WEEK] == "week"


@pytest.mark.parametrize("from_day", ["2026-03-08", "2026-10-04"])
def test_the_tables_follow_civil_time_through_a_clock_change(from_day: str) -> None:
    start_ms = int(np.datetime64(from_day, "ms").astype(np.int64))
    time_ms = start_ms + np.arange(96 * 28) * 15 * MINUTE_MS
    zone = civil.transitions("Europe/Berlin")
    offset_ms = np.array([civil.offset_at(*zone, at, 0) for at in time_ms.tolist()])
    values = np.where(working_hours(time_ms + offset_ms), 100.0, 0.0) + 0.5 * noise(time_ms.size)
    changed = int(np.flatnonzero(np.diff(offset_ms))[0]) + 1
    said, in_utc = Judged(values, time_ms=time_ms, offset_ms=offset_ms), Judged(values, time_ms=time_ms)
    week = slice(changed, changed + 96 * 7)
    odd = np.abs(said.typical - values)[week] > 30.0
    assert odd.sum() <= 6
    assert (np.abs(in_utc.typical - values)[week] > 30.0).sum() > odd.sum()


def test_what_the_nearest_pattern_was_followed_by_is_believed_as_far_as_it_was_right() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=3000)
    assert Judged(values, successor=values + 0.01 * rng.normal(size=3000)).error(200) < 0.05
    nonsense = np.where(rng.random(3000) < 0.5, np.nan, 1e9 * rng.normal(size=3000))
    assert Judged(values, successor=nonsense).error(200) < 0.8


def test_a_gap_of_a_month_changes_no_table() -> None:
    n = 288 * 10
    values = by_day(n) + 0.3 * noise(n)
    time_ms = np.arange(n) * 5 * MINUTE_MS
    gap = np.where(np.arange(n) < 288 * 5 + 100, 0, 30 * DAY_MS)
    said, without = Judged(values, time_ms=time_ms + gap), Judged(values)
    assert np.abs(said.typical - values)[288 * 5 + 95 : 288 * 5 + 120].max() < 1.5
    assert np.abs(said.rows["day"][0].astype(int) - without.rows["day"][0]).max() < 32 * 2


def test_steps_back_in_time_teach_the_tables_nothing_and_repeated_times_do_no_harm() -> None:
    n = 288 * 6
    values = by_day(n) + 0.3 * noise(n)
    time_ms = np.arange(n) * 5 * MINUTE_MS
    time_ms[288 * 4 : 288 * 4 + 20] -= 7 * 60 * MINUTE_MS
    late = Judged(values, time_ms=time_ms)
    assert np.abs(late.typical - values)[288 * 4 + 25 :].mean() < 0.6
    assert Judged(noise(), every_ms=0).error(100) < 0.8
    assert Judged(noise(), every_ms=-MINUTE_MS).error(100) < 0.8
    anywhen = np.random.default_rng(6).integers(-(2**62), 2**62, 2000)
    assert np.isfinite(Judged(noise(), time_ms=anywhen).typical[FIRST:]).all()


def test_values_up_to_the_end_of_the_range_give_nothing_infinite() -> None:
    rng = np.random.default_rng(7)
    scale = 10.0 ** rng.integers(-300, 309, 4000)
    for values in (rng.choice([-1.7, 1.7], 4000) * 1e308, np.clip(rng.normal(size=4000), -1, 1) * scale):
        said = Judged(values, successor=-values)
        assert np.isfinite([said.typical[5:], said.lower[5:], said.upper[5:]]).all()
        assert (said.lower[5:] <= said.typical[5:]).all() and (said.typical[5:] <= said.upper[5:]).all()


KINDS: dict[str, Callable[[np.random.Generator, int], Series]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Student t(3)": lambda rng, n: rng.standard_t(3, n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Poisson(1)": lambda rng, n: rng.poisson(1, n).astype(float),
    "random walk": lambda rng, n: np.cumsum(rng.normal(size=n)),
    "seasonal": lambda rng, n: by_day(n) + rng.normal(size=n),
    "quantised": lambda rng, n: np.round(20 + 0.8 * rng.normal(size=n)),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.05, rng.exponential(10, n), 0.0),
    "autoregressive": lambda rng, n: lfilter([1.0], [1.0, -0.9], rng.normal(size=n)),
    "counter": lambda rng, n: np.cumsum(rng.poisson(5, n)).astype(float),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_band_holds_98_of_100_readings_and_the_typical_value_is_no_worse_than_the_last(name: str) -> None:
    said = Judged(KINDS[name](np.random.default_rng(8), 20_000))
    assert said.inside[100:].mean() == pytest.approx(0.98, abs=0.006)
    assert said.error(100) < 1.03
    assert np.mean(said.values > said.upper) < 0.016


def test_above_and_below_are_learned_apart() -> None:
    said = Judged(np.random.default_rng(9).lognormal(size=10_000))
    assert np.nanmedian(said.upper - said.typical) > 3.0 * np.nanmedian(said.typical - said.lower)


def test_the_band_is_never_narrower_than_the_resolution() -> None:
    values = 20.0 + 0.5 * (np.random.default_rng(10).random(20_000) < 0.005)
    said = Judged(values)
    after = int(np.flatnonzero(values > 20.0)[0]) + 1
    assert (said.upper - said.lower)[after:].min() >= 0.49


def test_a_series_of_640_bytes_is_saved_and_goes_on_bit_for_bit() -> None:
    assert (EXPERTS.itemsize, EXPERTS_LIGHT.itemsize) == (640, 256)
    values = by_day(2000) + noise()
    for dtype in (EXPERTS, EXPERTS_LIGHT):
        whole, first = Judged(values, dtype=dtype), Judged(values[:1234], dtype=dtype)
        rest = Judged(values[1234:], time_ms=np.arange(1234, 2000) * 5 * MINUTE_MS, dtype=dtype, state=save_rows(
            first.rows, SLOT))
        for name in ("typical", "lower", "upper"):
            np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name)[1234:])
        assert rest.rows.tobytes() == whole.rows.tobytes()
