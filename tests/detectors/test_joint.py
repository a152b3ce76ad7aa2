"""The detector "joint": against its definition, calm sources, and a relation between fields that breaks."""
from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors import conformance, registry
from offbeat_detectors.conformance import Points
from offbeat_detectors.contract import Explaining, Grouped
from offbeat_detectors.joint import Joint
from offbeat_detectors.warm import warm_up
from tests.detectors import fleets, naive_peers


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


def test_it_passes_all_checks() -> None:
    assert conformance.check(Joint) == []


def test_a_job_can_name_it() -> None:
    detector = registry.create("joint", 3, {"warmup_readings": 80})
    assert isinstance(detector, Grouped) and detector.group_by == "source"
    assert isinstance(detector, Explaining) and detector.pieces == ("joint",)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 20), st.integers(0, 2**16), st.booleans(), st.sampled_from([0.0, 0.01, 1.0]))
def test_the_kernel_agrees_with_the_definition(count: int, seed: int, together: bool, steps: float) -> None:
    rng = np.random.default_rng(seed)
    values = fleets.fields(count, 160, seed)
    if steps:
        values = np.round(values / steps) * steps
    values[rng.random(values.shape) < 0.01] += rng.choice([30.0, 1e6, -1e6])
    some = fleets.points(values, seed, together=together)
    some = some[rng.random(len(some)) < rng.choice([0.8, 1.0], len(some))]
    twin = naive_peers.Joint()
    triples = zip(some.slot.tolist(), some.time_ms.tolist(), some.value.tolist(), strict=True)
    expected = np.array([twin.judge(*triple) for triple in triples])
    said = fleets.judged(Joint, some)
    for column, name in enumerate(conformance.COLUMNS):
        np.testing.assert_allclose(getattr(said, name), expected[:, column], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("heavy", [False, True])
def test_sources_without_a_fault_are_quiet(heavy: bool, together: bool) -> None:
    counts = (2, 6) if heavy else (2, 6, 16)
    fifty, seventy_five = fleets.rates(
        Joint, [fleets.fields(count, 40_000 // count, count, heavy=heavy) for count in counts], together=together)
    assert fifty < 3.0
    assert seventy_five < 0.7


@pytest.mark.parametrize("kind", fleets.KINDS)
def test_fields_of_every_kind_are_quiet(kind: str) -> None:
    fifty, seventy_five = fleets.rates(Joint, [fleets.fleet(kind, 6, 6000, seed) for seed in (1, 2)])
    assert fifty < 3.0
    assert seventy_five < 0.7


@pytest.mark.parametrize("count", [2, 4, 12])
def test_a_relation_that_breaks_is_found_though_each_field_alone_is_as_usual(count: int) -> None:
    found, before = 0, 0
    for seed in range(10):
        values = fleets.fields(count, 2300, seed, noise=0.2)
        values[2000:, 1] = np.random.default_rng(seed).permutation(values[:2000, 1])[:300]
        some = fleets.points(values, seed, together=True)
        strong = fleets.strengths(some, fleets.judged(Joint, some)) >= 1.4
        after = fleets.minute(some) >= 2000
        found += bool(strong[after & (fleets.minute(some) < 2100)].any())
        before += int(strong[~after].sum())
    assert found >= 9
    assert before <= 1e-4 * 10 * 2000 * count


def test_one_reading_that_contradicts_the_others_is_found_at_once() -> None:
    values = fleets.fields(4, 2000, 3, noise=0.1)
    values[1900] = values[:1900].mean(axis=0) + 1.5 * values[:1900].std(axis=0)
    values[1900, 3] -= 3.0 * values[:1900, 3].std()
    some = fleets.points(values, 3, together=True)
    said = fleets.judged(Joint, some)
    at = (some.slot == 3) & (fleets.minute(some) == 1900)
    assert said.novelty[at] > 3.0
    assert said.typical[at] > said.upper[at] - 2.0 * values[:, 3].std()


def test_an_absurd_field_is_not_blamed_on_the_others() -> None:
    values = fleets.fields(5, 1500, 4)
    values[1400:, 0] = 1e9
    some = fleets.points(values, 4, together=True)
    strength = fleets.strengths(some, fleets.judged(Joint, some))
    late = fleets.minute(some) >= 1400
    assert strength[late & (some.slot == 0)].max() > 5.0
    assert strength[late & (some.slot != 0)].max() < 1.4


def test_a_field_beyond_the_sixteenth_is_judged_by_the_first_sixteen() -> None:
    values = fleets.fields(20, 1500, 5)
    values[1400, 19] += 8.0 * values[:, 19].std()
    some = fleets.points(values, 5, together=True)
    said = fleets.judged(Joint, some)
    assert said.novelty[(some.slot == 19) & (fleets.minute(some) == 1400)] > 3.0


def test_the_only_field_of_a_source_has_no_opinion_and_its_warm_up_stays() -> None:
    detector = Joint(1)
    slot = np.zeros(1, np.int32)
    detector.join(slot, slot)
    some = fleets.points(fleets.fields(1, 500, 6), 6)
    assert np.isnan(detector.process(some.slot, some.time_ms, some.value).novelty).all()
    assert detector.warmup_left(slot).tolist() == [100]


def test_nearly_equal_fields_do_no_harm() -> None:
    rng = np.random.default_rng(7)
    values = np.repeat(rng.normal(size=(3000, 1)), 16, axis=1) + 1e-9 * rng.normal(size=(3000, 16))
    some = fleets.points(values, 7, together=True)
    said = fleets.judged(Joint, some)
    known = ~np.isnan(said.typical)
    assert np.abs(said.typical[known]).max() < 20.0


def test_it_keeps_at_most_so_many_bytes_a_series() -> None:
    detector = Joint(50)
    slots = np.arange(50, dtype=np.int32)
    detector.join(slots, slots)
    some = fleets.points(fleets.fields(50, 20, 8), 8)
    detector.process(some.slot, some.time_ms, some.value)
    assert detector.bytes_per_series == 1172
    assert sum(column.nbytes for column in detector.save(slots).values()) <= 50 * detector.bytes_per_series


@pytest.mark.parametrize("parameters", [
    {"half_life_readings": 1.0}, {"warmup_readings": 4}, {"relearn_readings": 1}, {"relearn_readings": True}])
def test_a_parameter_out_of_range_is_refused_by_name(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Joint(1, **parameters)  # type: ignore[arg-type]


def test_a_thousand_series_are_judged_fast() -> None:
    some = fleets.points(fleets.fleet("seasonal", 1000, 300, 9), 9, together=True)
    best = min(_seconds(some) for _ in range(3))
    assert best / len(some) < 3e-6  # a loose bound, for a machine that does something else as well


def _seconds(some: Points) -> float:
    start = time.thread_time()
    fleets.judged(Joint, some, (np.arange(1000) // 8).astype(np.int32))
    return time.thread_time() - start
