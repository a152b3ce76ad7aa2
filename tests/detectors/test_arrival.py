"""The rhythm of arrival: silences and changes of rate are found, and irregular arrival is left in peace."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.arrival import ARRIVAL, overdue
from offbeat_detectors.kernel import kernel
from offbeat_detectors.rows import zero_rows
from tests.detectors.naive_arrival import Arrival
from tests.detectors.pieces import MINUTE_MS, Array, findings, findings_per_10_000, judged

STRETCH = st.tuples(st.sampled_from(["steady", "poisson", "batch", "back", "pause"]), st.integers(1, 100))


@kernel
def overdue_of(rows: Array, now_ms: int) -> tuple[float, float]:
    return overdue(rows, 0, now_ms)


def said_of(time_ms: Array, rows: Array | None = None) -> Array:
    return judged("arrival", np.zeros(time_ms.size), time_ms, rows=rows)


def from_gaps(*gaps_ms: Array) -> Array:
    return np.cumsum(np.concatenate([np.asarray(gaps, np.int64) for gaps in gaps_ms]))


def every(seconds: float, n: int) -> Array:
    return np.full(n, int(1000 * seconds))


@settings(deadline=None, max_examples=100)
@given(st.lists(STRETCH, max_size=12), st.integers(0, 2**16))
def test_the_kernels_agree_with_the_definition(stretches: list[tuple[str, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[int], Array]] = {
        "steady": lambda n: np.full(n, 60_000), "poisson": lambda n: rng.exponential(9e4, n),
        "batch": lambda n: rng.choice([0, 0, 600_000], n), "back": lambda n: rng.choice([-5000, 5000, -80], n),
        "pause": lambda n: 60_000 * 1.1 ** np.arange(min(n, 40))}
    time_ms = from_gaps(np.zeros(1), *(kinds[kind](n) for kind, n in stretches))
    rows, twin = zero_rows(1, ARRIVAL), Arrival()
    for t in time_ms.tolist():
        silence, latest = overdue_of(rows, t)
        np.testing.assert_allclose((silence, latest), twin.overdue(t), rtol=1e-4, atol=1e-4)
        (said,) = said_of(np.array([t]), rows)
        assert said == pytest.approx(twin.judge(t), rel=1e-4, abs=1e-4)


def poisson(rng: np.random.Generator, n: int) -> Array:
    return rng.exponential(60_000, n)


def phases(rng: np.random.Generator, n: int) -> Array:
    return rng.exponential(np.repeat(rng.choice([3000, 90_000], n // 50), 50))


IRREGULAR: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "a minute and jitter": lambda rng, n: 60_000 + 5000 * rng.normal(size=n).clip(-4, 4),
    "one in 50 is lost": lambda rng, n: 60_000 * rng.geometric(0.98, n),
    "Poisson": poisson,
    "lognormal gaps": lambda rng, n: 60_000 * rng.lognormal(size=n),
    "fast and slow phases": phases,
    "batches of 20": lambda rng, n: np.where(np.arange(n) % 20 == 0, poisson(rng, n) * 20, 0),
    "batches out of order": lambda rng, n: np.where(np.arange(n) % 20 == 0, 1_200_000, rng.integers(-9000, 9000, n)),
    "on change": lambda rng, n: 1000 * rng.geometric(0.05, n),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_it_is_nearly_silent_on_arrivals_without_anomalies(name: str) -> None:
    rng = np.random.default_rng(5)
    time_ms = np.cumsum([IRREGULAR[name](rng, 20_000).astype(np.int64) for _ in range(40)], axis=1)
    most = 0.3 if name == "fast and slow phases" else 0.1  # the first slow phase is a change of rate
    assert findings_per_10_000("arrival", np.zeros(time_ms.shape), time_ms) <= most


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_a_regular_sensor_is_overdue_after_about_five_missed_readings(seconds: int) -> None:
    rows = zero_rows(1, ARRIVAL)
    last = int(from_gaps(every(seconds, 2000))[-1])
    said_of(from_gaps(every(seconds, 2000)), rows)
    novelty = np.array([overdue_of(rows, last + 1000 * seconds * k)[0] for k in range(2000)])
    assert overdue_of(rows, last + 1)[1] - last == pytest.approx(1000 * seconds, rel=0.01)
    assert (novelty[:4] == 0.0).all()
    assert 4 <= int(np.argmax(novelty >= 1.4)) <= 8
    assert (np.diff(novelty) >= 0.0).all()
    assert 2.0 < novelty[15] < 4.0
    assert novelty[-1] == 5.0


def test_the_reading_that_ends_a_silence_is_as_novel_as_the_silence_was_and_silence_teaches_nothing() -> None:
    for missed in (3, 6, 50, 5000):
        rows = zero_rows(1, ARRIVAL)
        times = from_gaps(every(60, 2000))
        said_of(times, rows)
        now = int(times[-1]) + missed * MINUTE_MS
        before = rows.copy()
        silence, _ = overdue_of(rows, now)
        assert (rows == before).all()
        assert said_of(np.array([now]), rows)[0] == silence


def test_it_has_no_opinion_of_silence_before_32_gaps() -> None:
    rows = zero_rows(1, ARRIVAL)
    said_of(from_gaps(every(60, 32)), rows)
    assert np.isnan(overdue_of(rows, 10**9)).all()
    said_of(np.array([33 * MINUTE_MS, 34 * MINUTE_MS]), rows)
    assert overdue_of(rows, 10**9)[0] > 1.4


def test_a_poisson_stream_is_not_overdue_after_eight_mean_gaps() -> None:
    rows = zero_rows(1, ARRIVAL)
    times = from_gaps(poisson(np.random.default_rng(6), 5000))
    said_of(times, rows)
    assert overdue_of(rows, int(times[-1]) + 8 * MINUTE_MS)[0] < 0.7
    assert overdue_of(rows, int(times[-1]) + 30 * MINUTE_MS)[0] > 1.4


@pytest.mark.parametrize("factor", [0.1, 0.25, 5.0, 10.0])
def test_a_lasting_change_of_rate_is_found_once_and_then_normal(factor: float) -> None:
    said = said_of(from_gaps(every(60, 3000), every(60 * factor, 3000)))
    (at,) = findings(said)
    assert at - 3000 <= 32
    assert said[3080:].max() < 0.35


def test_a_silence_is_one_finding_and_the_next_one_of_its_length_is_found_as_well() -> None:
    hour = every(3600, 1)
    said = said_of(from_gaps(every(60, 3000), hour, every(60, 2000), hour, every(60, 500)))
    assert findings(said) == [3000, 5001]


def test_a_nightly_pause_is_known_after_three_nights() -> None:
    day = np.append(every(60, 960), 8 * 3_600_000)
    said = said_of(from_gaps(*[day] * 20))
    assert {at // day.size for at in findings(said)} <= {0, 1, 2}


def test_a_weekend_without_readings_is_known_after_three_weeks() -> None:
    night = np.append(every(60, 960), 8 * 3_600_000)
    week = np.concatenate([*[night] * 5, every(48 * 3600, 1)])
    said = said_of(from_gaps(*[week] * 10))
    assert {at // week.size for at in findings(said)} <= {0, 1, 2}


def test_readings_of_the_past_teach_nothing_until_a_thousand_in_a_row_say_that_the_clock_was_wrong() -> None:
    rows = zero_rows(1, ARRIVAL)
    times = from_gaps(every(60, 2000))
    said_of(times, rows)
    before = rows[0]["gap"].copy()
    assert not said_of(times[:900], rows).any()
    assert rows[0]["gap"] == before and rows[0]["last"] == times[-1]
    ahead = int(times[-1]) + 10**12
    said_of(np.array([ahead]), rows)
    assert not said_of(times[-1] + from_gaps(every(60, 3000)), rows).any()
    assert rows[0]["last"] == times[-1] + 3000 * MINUTE_MS


def test_absurd_times_do_no_harm() -> None:
    rows = zero_rows(1, ARRIVAL)
    for t in (0, 2**63 - 1, -(2**63), 5, 5, -(2**62), 2**62):
        assert np.isfinite(said_of(np.array([t], np.int64), rows)).all()
    assert all(np.isfinite(rows[0][name]) for name in rows.dtype.names or ())


def test_it_goes_on_bit_for_bit_wherever_it_is_cut() -> None:
    time_ms = from_gaps(every(60, 500), every(6, 500), every(900, 3), every(6, 100))
    whole = said_of(time_ms)
    for cut in (1, 9, 500, 515, 1001):
        rows = zero_rows(1, ARRIVAL)
        np.testing.assert_array_equal(
            np.concatenate([said_of(time_ms[:cut], rows), said_of(time_ms[cut:], rows)]), whole)


def test_a_series_takes_48_bytes() -> None:
    assert ARRIVAL.itemsize == 48
