"""Where an entity is found, and where it is not."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors.buckets.earth import EarthModel, EarthOpinions, position_of
from tests.detectors.naive_appearances import Earth

VIENNA, NEW_YORK, SYDNEY = (48.2, 16.37), (40.71, -74.0), (-33.87, 151.2)
Array = NDArray[np.float64]


def process(model: EarthModel, latitude: Array, longitude: Array) -> EarthOpinions:
    n = latitude.size
    return model.process(np.zeros(n, np.int32), np.arange(n), latitude, longitude)


def at(model: EarthModel, *where: tuple[float, float]) -> EarthOpinions:
    latitude, longitude = np.array(where, np.float64).T.copy()
    return model.judge(np.zeros(len(where), np.int32), latitude, longitude)


def traveller(n: int) -> tuple[Array, Array]:
    """Two days in Vienna, one in New York, within some kilometres."""
    rng = np.random.default_rng(1)
    home = rng.random(n) < 0.67
    return (np.where(home, VIENNA[0], NEW_YORK[0]) + rng.normal(0, 0.03, n),
            np.where(home, VIENNA[1], NEW_YORK[1]) + rng.normal(0, 0.03, n))


SPOT = st.tuples(st.floats(-89, 89), st.floats(-179, 179))


@given(st.lists(SPOT, min_size=1, max_size=16, unique=True), st.lists(st.integers(0, 15), max_size=60),
       st.integers(0, 99))
def test_the_kernel_agrees_with_the_definition(spots: list[tuple[float, float]], visits: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    twin, model = Earth(), EarthModel(1)
    for bucket, visit in enumerate(visits):
        latitude, longitude = np.array(spots[visit % len(spots)]) + rng.normal(0.0, 0.01, 2)
        said = model.process(np.zeros(1, np.int32), np.array([bucket]), np.array([latitude]), np.array([longitude]))
        np.testing.assert_allclose(said.probability[0], twin.probability(latitude, longitude), rtol=1e-6)
        twin.learn(latitude, longitude)


def test_known_places_are_not_odd_and_others_are_the_odder_the_farther() -> None:
    model = EarthModel(1)
    p = process(model, *traveller(1500)).probability
    assert np.isnan(p[:5]).all()
    assert (p[200:] < 0.01).mean() < 0.015
    said = at(model, VIENNA, NEW_YORK, (48.6, 16.4), (47.1, 15.4), SYDNEY)
    assert (said.probability[:2] > 0.2).all()
    assert (np.diff(said.probability[2:]) < 0.0).all()
    assert said.probability[2] < 0.01
    assert said.probability[4] < 1e-4
    assert said.typical[0] == pytest.approx(VIENNA, abs=0.02)
    assert said.typical[1] == pytest.approx(NEW_YORK, abs=0.02)
    assert said.typical[3] == pytest.approx(VIENNA, abs=0.02)


def test_who_is_somewhere_else_every_day_is_odd_nowhere() -> None:
    rng = np.random.default_rng(2)
    model = EarthModel(1)
    p = process(model, rng.uniform(35.0, 60.0, 800), rng.uniform(-5.0, 30.0, 800)).probability
    assert (p[100:] < 0.001).mean() < 0.005


def test_the_date_line_and_the_poles_divide_nothing() -> None:
    rng = np.random.default_rng(3)
    model = EarthModel(1)
    longitude = (180.0 + rng.normal(0.0, 0.05, 300) + 180.0) % 360.0 - 180.0
    process(model, -17.0 + rng.normal(0.0, 0.05, 300), longitude)
    said = at(model, (-17.0, 179.99), (-17.0, -179.99), (-17.0, 0.0))
    assert said.probability[0] == pytest.approx(said.probability[1], rel=0.3)
    assert said.probability[0] > 0.2 and said.probability[2] < 1e-4
    pole = EarthModel(1)
    process(pole, 90.0 - np.abs(rng.normal(0.0, 0.05, 300)), rng.uniform(-180.0, 180.0, 300))
    assert (at(pole, (89.99, 0.0), (89.99, 180.0), (89.99, -90.0)).probability > 0.2).all()


def test_it_goes_on_bit_for_bit_and_forgets() -> None:
    latitude, longitude = traveller(300)
    whole = process(EarthModel(1), latitude, longitude).probability
    one, other = EarthModel(1), EarthModel(1)
    first = process(one, latitude[:120], longitude[:120]).probability
    other.grow(3)
    other.restore(np.array([2], np.int32), one.save(np.zeros(1, np.int32)))
    last = other.process(np.full(180, 2, np.int32), np.arange(180), latitude[120:], longitude[120:]).probability
    np.testing.assert_array_equal(np.concatenate([first, last]), whole)
    other.forget(np.array([2], np.int32))
    for name, column in other.save(np.array([2], np.int32)).items():
        np.testing.assert_array_equal(column, other.save(np.array([0], np.int32))[name])
    assert other.bytes_per_entity <= 4096


def test_what_is_no_position_is_not_judged_and_teaches_nothing() -> None:
    model = EarthModel(1)
    process(model, *traveller(50))
    state = model.save(np.zeros(1, np.int32))
    said = process(model, np.array([np.nan, 91.0, 10.0]), np.array([0.0, 0.0, np.inf]))
    assert np.isnan(said.probability).all() and np.isnan(said.typical).all()
    for name, column in model.save(np.zeros(1, np.int32)).items():
        np.testing.assert_array_equal(column, state[name])


@pytest.mark.parametrize(("text", "expected"), [
    ("48.2,16.37", (48.2, 16.37)), (" -33.87 , 151.2 ", (-33.87, 151.2)), ("90,-180", (90.0, -180.0)),
    ("91,0", None), ("0,181", None), ("nan,0", None), ("48.2", None), ("48.2,16.37,0", None), ("a,b", None), ("", None),
])
def test_positions_are_read_from_text(text: str, expected: tuple[float, float] | None) -> None:
    assert position_of(text) == expected
