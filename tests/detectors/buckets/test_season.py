"""The tables of the seasons: entries of 16 bits, and counts of one byte, that forget no small step."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from offbeat_detectors.buckets.model import BucketModel
from offbeat_detectors.buckets.season import ENTRY_MAX, SEEN, chances, counted, teach, unit_for
from offbeat_detectors.kernel import kernel


@kernel
def taught(
    table: NDArray[Any], seen: NDArray[Any], unit: float, first: int, at: float, errors: NDArray[np.float64],
    weight: float, seen_max: float,
) -> float:
    for i in range(errors.size):
        unit = teach(table, seen, unit, first + i, at, errors[i], weight, seen_max)
    return unit


def fresh() -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    return np.zeros(96, np.int16), np.zeros(96, np.uint8)


@pytest.mark.parametrize("weight", [0.01, 0.3, 1.0])
def test_small_weights_add_up(weight: float) -> None:
    counts = []
    for first in range(0, 40_000, 1_000):
        table, seen = fresh()
        taught(table, seen, 0.0, first, 3.0, np.zeros(400), weight, 1e4)
        counts.append(SEEN[seen[3]])
    assert np.mean(counts) == pytest.approx(400 * weight, rel=0.05)


def test_no_count_passes_its_limit_and_none_falls() -> None:
    assert SEEN[0] == 0.0
    assert (np.diff(SEEN) > 0.0).all()
    for code in range(SEEN.size):
        for times in (0.0, SEEN[code], SEEN[code] * 1.02, 1e9):
            for chance in (0.0, 0.5, 1.0 - 2.0**-26):
                found = counted(code, times, chance)
                assert code <= found < SEEN.size
                assert SEEN[max(code, found - 1)] <= max(times, SEEN[code])


def test_errors_of_a_fraction_of_a_unit_add_up_too() -> None:
    """A long mean of half a unit an error: rounding would never begin to move."""
    table, seen = fresh()
    table[:] = 20_000  # the largest; the unit stays
    seen[3] = SEEN.size - 1
    unit = taught(table, seen, 1.0, 0, 3.0, np.full(20_000, 500.0), 1.0, 1_000.0)
    assert unit == 1.0
    assert table[3] - 20_000 == pytest.approx(20_000 * 500.0 / 1_000.0, rel=0.05)
    assert (np.delete(table, [3, 4]) == 20_000).all()


def test_an_entry_beyond_the_unit_makes_it_larger_and_leaves_the_others_where_they_are() -> None:
    table, seen = fresh()
    unit = taught(table, seen, 0.0, 0, 3.0, np.array([1.7]), 1.0, 7.0)
    assert table[3] * unit == pytest.approx(1.7, rel=1e-3)
    larger = taught(table, seen, unit, 1, 9.0, np.array([-4e6]), 1.0, 7.0)
    assert math.log2(larger / unit) % 1.0 == 0.0
    assert table[9] * larger == pytest.approx(-4e6, rel=1e-4)
    assert abs(table[3] * larger - 1.7) <= larger
    assert np.abs(table.astype(np.int64)).max() <= ENTRY_MAX
    assert unit_for(table, larger, 4e6) == larger


@pytest.mark.parametrize("error", [1e-300, 1e-30, 1e36, 1e150])
def test_absurd_errors_stay_within_the_table(error: float) -> None:
    table, seen = fresh()
    unit = np.float32(taught(table, seen, 0.0, 0, 3.0, np.array([error, -error, error]), 1.0, 7.0))
    assert np.isfinite(unit)
    assert np.isfinite(float(unit) * table.astype(np.float64)).all()


def test_chances_are_spread_evenly_and_apart() -> None:
    found = np.array([chances(bucket, step) for bucket in range(-500, 20_000, 7) for step in range(2)])
    assert ((found >= 0.0) & (found < 1.0)).all()
    counts = np.histogram2d(found[:, 0], found[:, 1], bins=4, range=[[0, 1], [0, 1]])[0]
    assert counts == pytest.approx(len(found) / 16, rel=0.15)
    assert np.array_equal(found, [chances(bucket, step) for bucket in range(-500, 20_000, 7) for step in range(2)])


def test_a_season_a_thousand_times_the_noise_is_foretold_but_for_the_noise() -> None:
    rng = np.random.default_rng(5)
    entities, buckets = 5, 96 * 40
    at = np.arange(buckets)
    value = 1_000.0 * np.sin(2.0 * np.pi * at / 96)[:, None] + rng.normal(0.0, 1.0, (buckets, entities))
    model = BucketModel(entities, 900, "metric")
    said = model.process(np.tile(np.arange(entities, dtype=np.int32), buckets), np.repeat(at, entities),
                         value.ravel(), np.ones(value.size))
    off = (said.typical - value.ravel())[value.size // 2 :]
    assert np.sqrt(np.mean(off**2)) < 1.1
    p = said.probability[value.size // 2 :]
    assert np.mean(p < 0.01) < 0.01
