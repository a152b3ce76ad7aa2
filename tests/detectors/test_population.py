"""The detector "population": against its definition, calm fleets, and a member that stops following its peers."""
from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors import conformance, registry
from offbeat_detectors.conformance import Points
from offbeat_detectors.contract import Explaining, Grouped
from offbeat_detectors.population import Population
from offbeat_detectors.warm import warm_up
from tests.detectors import fleets, naive_peers


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


def test_it_passes_all_checks() -> None:
    assert conformance.check(Population) == []


def test_a_job_can_name_it() -> None:
    detector = registry.create("population", 3, {"warmup_readings": 80})
    assert isinstance(detector, Grouped) and detector.group_by == "field"
    assert isinstance(detector, Explaining) and detector.pieces == ("peers",)


@settings(deadline=None, max_examples=25)
@given(st.integers(4, 20), st.sampled_from(fleets.KINDS), st.integers(0, 2**16), st.sampled_from([0.0, 0.01, 1.0]))
def test_the_kernel_agrees_with_the_definition(members: int, kind: str, seed: int, steps: float) -> None:
    rng = np.random.default_rng(seed)
    values = fleets.fleet(kind, members, 120, seed)
    if steps:
        values = np.round(values / steps) * steps
    values[rng.random(values.shape) < 0.01] += rng.choice([30.0, 1e6, -1e6])
    some = fleets.points(values, seed)
    some = some[rng.random(len(some)) < rng.choice([0.8, 1.0], len(some))]
    twin = naive_peers.Population()
    triples = zip(some.slot.tolist(), some.time_ms.tolist(), some.value.tolist(), strict=True)
    expected = np.array([twin.judge(*triple) for triple in triples])
    said = fleets.judged(Population, some)
    for column, name in enumerate(conformance.COLUMNS):
        np.testing.assert_allclose(getattr(said, name), expected[:, column], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", fleets.KINDS)
def test_fleets_without_a_fault_are_quiet(kind: str) -> None:
    fifty, seventy_five = fleets.rates(Population, [
        fleets.fleet(kind, 8, 6000, 1), fleets.fleet(kind, 40, 2500, 2), fleets.fleet(kind, 8, 6000, 3)])
    assert fifty < 3.0
    assert seventy_five < 0.7


@pytest.mark.parametrize("kind", ["normal", "seasonal"])
def test_a_member_that_parts_from_its_peers_is_found_at_its_second_reading_and_nobody_else(kind: str) -> None:
    found = 0
    for seed in range(10):
        values = fleets.fleet(kind, 12, 2200, seed)
        noise = np.diff(values[:, 3]).std() / np.sqrt(2.0)
        values[2000:, 3] += 8.0 * noise
        some = fleets.points(values, seed)
        strength = fleets.strengths(some, fleets.judged(Population, some))
        late = fleets.minute(some) >= 2000
        found += bool((strength[late & (some.slot == 3) & (fleets.minute(some) <= 2002)] >= 1.4).any())
        assert (strength[late & (some.slot != 3)] < 1.4).all()
    assert found >= 9


def test_when_all_fall_except_one_the_one_is_found_and_those_that_fell_are_not() -> None:
    found, blamed = 0, 0
    for seed in range(10):
        values = fleets.fleet("seasonal", 12, 2300, seed)
        drop = 8.0 * np.diff(values, axis=0).std(axis=0) / np.sqrt(2.0)
        drop[3] = 0.0
        values[2000:] -= drop
        some = fleets.points(values, seed)
        strong = (fleets.strengths(some, fleets.judged(Population, some)) >= 1.4) & (fleets.minute(some) >= 2000)
        found += bool(strong[(some.slot == 3) & (fleets.minute(some) < 2010)].any())
        blamed += int(strong[some.slot != 3].sum())
    assert found >= 9
    assert blamed <= 1


def test_one_absurd_peer_moves_nobody() -> None:
    values = fleets.fleet("normal", 6, 1000, 4)
    some = fleets.points(values, 4)
    usual = fleets.judged(Population, some)
    values[900:, 0] = 1e12
    absurd = fleets.judged(Population, fleets.points(values, 4))
    others = (some.slot != 0) & (fleets.minute(some) >= 900)
    spread = (usual.upper - usual.lower)[others]
    assert (np.abs(absurd.typical - usual.typical)[others] < spread).all()


@pytest.mark.parametrize("members", [1, 2, 3])
def test_a_group_too_small_for_a_median_has_no_opinion_and_its_warm_up_stays(members: int) -> None:
    detector = Population(members)
    slots = np.arange(members, dtype=np.int32)
    detector.join(slots, np.zeros(members, np.int32))
    some = fleets.points(fleets.fleet("normal", members, 500, 5), 5)
    assert np.isnan(detector.process(some.slot, some.time_ms, some.value).novelty).all()
    assert detector.warmup_left(slots).tolist() == [60] * members


def test_peers_that_fell_silent_do_not_count() -> None:
    values = fleets.fleet("normal", 6, 400, 6)
    some = fleets.points(values, 6)
    some = some[(some.slot == 0) | (fleets.minute(some) < 300)]
    said = fleets.judged(Population, some)
    minute = fleets.minute(some)
    assert not np.isnan(said.novelty[(minute > 200) & (minute < 300)]).any()
    assert np.isnan(said.novelty[minute > 310]).all()


def test_a_fleet_of_constants_that_moves_together_is_quiet() -> None:
    values = np.full((1500, 10), 20.0)
    values[1000:] = 21.0
    some = fleets.points(values, 7)
    assert fleets.strengths(some, fleets.judged(Population, some)).max() < 1.4


def test_it_keeps_at_most_so_many_bytes_a_series() -> None:
    detector = Population(50)
    detector.join(np.arange(50, dtype=np.int32), np.arange(50, dtype=np.int32))
    some = fleets.points(fleets.fleet("normal", 50, 20, 8), 8)
    detector.process(some.slot, some.time_ms, some.value)
    assert detector.bytes_per_series == 628
    kept = sum(column.nbytes for column in detector.save(np.arange(50, dtype=np.int32)).values())
    assert kept <= 50 * detector.bytes_per_series


def test_a_series_with_points_cannot_change_its_group_and_groups_have_a_range() -> None:
    detector = Population(4)
    slot = np.zeros(1, np.int32)
    detector.join(slot, slot + 1)
    detector.join(slot, slot)
    detector.process(slot, np.zeros(1, np.int64), np.ones(1))
    with pytest.raises(ValueError, match="cannot change"):
        detector.join(slot, slot + 1)
    with pytest.raises(ValueError, match="outside 0 to 3"):
        detector.join(slot + 1, slot + 4)
    with pytest.raises(ValueError, match="expected 1"):
        Population(4).restore(slot + 2, {**detector.save(slot + 2), "member_rank": np.zeros(2, np.int32)})


@pytest.mark.parametrize("parameters", [
    {"half_life_readings": 1.0}, {"warmup_readings": 4}, {"relearn_readings": 1}, {"relearn_readings": True}])
def test_a_parameter_out_of_range_is_refused_by_name(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Population(1, **parameters)  # type: ignore[arg-type]


def test_a_thousand_series_are_judged_fast() -> None:
    some = fleets.points(fleets.fleet("seasonal", 1000, 300, 9), 9)
    best = min(_seconds(some) for _ in range(3))
    assert best / len(some) < 3e-6  # a loose bound, for a machine that does something else as well


def _seconds(some: Points) -> float:
    start = time.thread_time()
    fleets.judged(Population, some)
    return time.thread_time() - start
