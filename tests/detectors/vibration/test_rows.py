"""What a row of a measurement is: levels of bands of frequency, whatever lengths, rates and places."""
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat_detectors.vibration.measurements import DoesNotFit, Series, Spectra, Table, Unsuitable, Waveforms
from offbeat_detectors.vibration.rows import BANDS_MAX, CELLS_MAX, hann, power_density, rows_of, scale_of
from tests.detectors.vibration import machines


def waves(samples: list[np.ndarray], durations: list[float] | None = None) -> Waveforms:
    return Waveforms(samples, np.array(durations or [1.0] * len(samples)), np.arange(len(samples)))


def test_the_power_of_noise_and_tones_is_in_the_bands_where_they_are() -> None:
    t = np.arange(8000) / 8000
    layout, rows = rows_of([waves([3.0 * np.sin(2 * np.pi * 1225 * t)])])
    assert (layout.bands, layout.band_hz) == (80, 50.0)
    assert int(rows[0].argmax()) == 24
    power = power_density(np.random.default_rng(0).normal(size=(1, 8000)), 1.0, hann(8000))
    assert power.sum() == pytest.approx(0.5, rel=0.1)  # Parseval, in steps of 1 Hz: half of the variance


def test_a_level_depends_neither_on_the_duration_nor_on_the_rate() -> None:
    noise = np.random.default_rng(0).normal(size=32_000)
    _, rows = rows_of([waves([noise, noise[:16_000]], [4.0, 2.0])])
    assert rows[0].mean() == pytest.approx(rows[1].mean(), rel=0.02)


@pytest.mark.parametrize(("n", "duration", "bands", "band_hz"), [
    (40_000, 1.0, 400, 50.0),
    (200, 1.0, 20, 5.0),           # 100 Hz: two bands of 50 would say too little
    (1_000, 0.01, 500, 100.0),     # a bin each 100 Hz: no band without one
    (400_000, 0.5, BANDS_MAX, 400_000 / BANDS_MAX),
    (10_010, 10.0, 10, 50.0),      # the half Hz above 500 is no band
    (4, 1.0, 2, 1.0), (1, 1.0, 1, 1.0),
])
def test_bands_are_as_fine_as_serves(n: int, duration: float, bands: int, band_hz: float) -> None:
    layout, rows = rows_of([waves([np.random.default_rng(0).normal(size=n)], [duration])])
    assert (layout.bands, rows.shape) == (bands, (1, bands))
    assert layout.band_hz == pytest.approx(band_hz)
    assert n < 4 or (rows[0] > 0.0).all()


def test_rows_of_several_lengths_are_cut_to_the_shortest_range() -> None:
    layout, rows = rows_of([waves([np.ones(4096), machines.waveform(0, 0), np.ones(2048)])])
    assert (layout.bands, rows.shape[0]) == (20, 3)


def test_spectra_that_begin_elsewhere_are_compared_where_all_are() -> None:
    hz = np.linspace(0.0, 1000.0, 1001)
    peak = np.exp(-0.5 * ((hz - 600.0) / 5.0) ** 2)
    spectra = Spectra([peak, peak[300:]], np.array([[0.0, 1000.0], [300.0, 1000.0]]), np.arange(2))
    layout, rows = rows_of([spectra])
    assert (layout.low_hz, layout.band_hz, layout.bands) == (300.0, 50.0, 14)
    np.testing.assert_allclose(rows[0], rows[1])


def test_spectra_that_share_no_frequency_are_refused() -> None:
    with pytest.raises(DoesNotFit, match="share a range"):
        rows_of([Spectra([np.ones(9)] * 2, np.array([[0.0, 10.0], [20.0, 30.0]]), np.arange(2))])


@given(seed=st.integers(0, 99))
def test_a_row_depends_on_its_measurement_alone(seed: int) -> None:
    samples = machines.waveforms([0, 1, 2, 3])
    order = np.random.default_rng(seed).permutation(4)
    straight, shuffled = rows_of([waves(samples)])[1], rows_of([waves([samples[at] for at in order])])[1]
    np.testing.assert_array_equal(straight[order], shuffled)


def test_columns_of_a_table_count_alike_and_those_that_do_not_move_not_at_all() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [1e300, 1e-300, 0.0] + [0.0, 0.0, 0.1]
    layout, rows = rows_of([Table(rows, np.arange(50))])
    points = scale_of(layout, rows).points(rows)
    np.testing.assert_allclose(points.std(axis=0), [1.0, 1.0, 0.0])
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=1e-12)


def test_levels_together_have_a_variance_of_one() -> None:
    layout, rows = rows_of([waves(machines.waveforms([0] * 5 + [1] * 5))])
    points = scale_of(layout, rows).points(rows)
    assert 0.95 <= points.var(axis=0).sum() <= 1.0 + 1e-12


def far_away() -> Table:
    return Table(np.array([[1e308, -1e308]]), np.array([1]))


def test_numbers_without_measure_are_cut_off_and_stay_finite() -> None:
    layout, rows = rows_of([Table(np.array([[1e-300, 1.0], [2e-300, 2.0], [3e-300, 1.0]]), np.arange(3))])
    scale = scale_of(layout, rows)
    assert np.isfinite(scale.points(rows_of([far_away()], layout)[1])).all()
    _, loud = rows_of([waves([1e300 * machines.waveform(0, 0), 1e-300 * machines.waveform(0, 0)])])
    assert np.isfinite(loud).all()


@pytest.mark.parametrize(("make", "said"), [
    (lambda: waves([np.ones(9)], [0.0]), "durations above 0"),
    (lambda: waves([np.ones(9)], [math.inf]), "durations above 0"),
    (lambda: Waveforms([np.ones(9)] * 2, np.ones(2), np.array([2, 1])), "ascending"),
    (lambda: Waveforms([np.ones(9)], np.ones(1), np.array([0.5])), "integer timestamps"),
    (lambda: Spectra([np.ones(9)], np.array([[5.0, 5.0]]), np.array([1])), "ranges of frequency"),
    (lambda: Spectra([np.ones(9)], np.array([[-5.0, 5.0]]), np.array([1])), "from 0 Hz"),
    (lambda: Table(np.ones(3), np.arange(3)), "one number a column"),
    (lambda: Table(np.ones((100_001, 1)), np.arange(100_001)), "at most 100000"),
])
def test_a_series_that_cannot_be_is_refused_when_it_is_made(make: object, said: str) -> None:
    with pytest.raises(Unsuitable, match=said):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(("series", "said"), [
    (waves([np.array([1.0, math.nan])]), "measurement 0: expected finite"),
    (waves([np.empty(0)]), "expected samples"),
    (waves([np.ones((65, 8))]), "at most 64 channels"),
    (waves([np.ones((2, 8)), np.ones(8)]), "2 channels, not 1"),
    (Table(np.array([[math.inf]]), np.array([1])), "finite numbers in every column"),
    (Table(np.broadcast_to(1.0, (100_000, CELLS_MAX // 100_000 + 1)), np.arange(100_000)), "narrow the window"),
])
def test_measurements_that_cannot_be_read_are_refused_in_words(series: Series, said: str) -> None:
    with pytest.raises(Unsuitable, match=said):
        rows_of([series])
