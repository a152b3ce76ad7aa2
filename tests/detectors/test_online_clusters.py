"""The detector "clusters": against its definition, kinds of events that come and go, and an event like none."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from offbeat_detectors import conformance, online_clusters, registry
from offbeat_detectors.conformance import Points
from offbeat_detectors.contract import Clustering, Explaining, Found, Grouped
from offbeat_detectors.online_clusters import OnlineClusters
from offbeat_detectors.warm import warm_up
from tests.detectors import fleets, naive_clusters


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


def kinds(count: int, seed: int, *, levels: tuple[float, ...] = (0.0, 10.0, 30.0), width: int = 4,
          noise: float = 0.5) -> NDArray[np.float64]:
    """(count, width): events of a few kinds, each with a level of its own in every field."""
    rng = np.random.default_rng(seed)
    shape = rng.permutation(np.arange(1.0, width + 1.0))
    level = np.array(levels)[rng.integers(0, len(levels), count)]
    return np.asarray(level[:, None] * shape + 5.0 + rng.normal(0.0, noise, (count, width)))


def found(detector: OnlineClusters, some: Points) -> Found:
    """The clusters that a new detector makes of the points of one source."""
    slots = np.unique(some.slot)
    detector.join(slots, np.zeros(slots.size, np.int32))
    detector.process(some.slot, some.time_ms, some.value)
    return detector.clusters(slots)


def test_it_passes_all_checks() -> None:
    assert conformance.check(OnlineClusters) == []


def test_a_job_can_name_it() -> None:
    detector = registry.create("clusters", 3, {"warmup_readings": 80})
    assert isinstance(detector, Grouped) and detector.group_by == "source"
    assert isinstance(detector, Explaining) and detector.pieces == ("clusters",)
    assert isinstance(detector, Clustering)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 18), st.integers(0, 2**16), st.booleans(), st.integers(1, 5), st.sampled_from([0.0, 0.05, 0.5]))
def test_the_kernel_agrees_with_the_definition(
    width: int, seed: int, together: bool, levels: int, strays: float
) -> None:
    rng = np.random.default_rng(seed)
    values = kinds(260, seed, levels=tuple(10.0 * np.arange(levels) ** 1.5), width=width)
    values[rng.random(260) < strays] *= rng.uniform(0.0, 5.0)
    some = fleets.points(values, seed, together=together)
    some = some[rng.random(len(some)) < rng.choice([0.8, 1.0], len(some))]
    twin = naive_clusters.Clusters()
    triples = zip(some.slot.tolist(), some.time_ms.tolist(), some.value.tolist(), strict=True)
    expected = np.array([twin.judge(*triple) for triple in triples])
    said = fleets.judged(OnlineClusters, some)
    for column, name in enumerate(conformance.COLUMNS):
        np.testing.assert_allclose(getattr(said, name), expected[:, column], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("width", [2, 4, 16])
def test_the_kinds_of_events_are_its_clusters(seed: int, width: int) -> None:
    values = kinds(2000, seed, width=width)
    made = found(OnlineClusters(20), fleets.points(values, seed, together=True))
    assert made.events == 2000
    assert 1980 <= made.count[:3].sum() <= made.count.sum() <= 2000
    nearest = np.abs(values[:, None, :] - made.centre[:3]).sum(axis=2)
    assert (nearest.min(axis=1) < 4.0 * width).all()
    counts = np.bincount(nearest.argmin(axis=1))
    assert np.abs(counts - made.count[:3]).max() <= 20
    assert ((made.spread[:3] > 0.2) & (made.spread[:3] < 1.0)).all()


def test_a_new_kind_is_found_at_its_first_event_and_is_usual_after_a_few() -> None:
    values = kinds(1500, 5)
    values[1200::10] = kinds(30, 5, levels=(60.0,))
    some = fleets.points(values, 5, together=True)
    strength = fleets.strengths(some, fleets.judged(OnlineClusters, some))
    minute = fleets.minute(some)
    assert strength[minute == 1200].max() > 3.0
    assert strength[minute > 1200 + 10 * online_clusters.SETTLED].max() < 1.4
    assert strength[(minute > 300) & (minute < 1200)].max() < 1.4


def test_a_combination_that_no_kind_has_is_found_though_each_field_alone_is_as_usual() -> None:
    values = kinds(1500, 6, levels=(0.0, 30.0))
    low, high = values[values[:, 0] < values[:, 0].mean()], values[values[:, 0] > values[:, 0].mean()]
    values[1400] = low[0]
    values[1400, 2] = high[0, 2]
    some = fleets.points(values, 6, together=True)
    said = fleets.judged(OnlineClusters, some)
    strength = fleets.strengths(some, said)
    assert strength[fleets.minute(some) == 1400].max() > 1.4


@pytest.mark.parametrize("kind", fleets.KINDS)
def test_fields_of_every_kind_are_quiet(kind: str) -> None:
    fifty, seventy_five = fleets.rates(
        OnlineClusters, [fleets.fleet(kind, 6, 6000, seed) for seed in (1, 2)], together=True)
    assert fifty < 3.0
    assert seventy_five < 0.7


def test_its_state_is_bounded_whatever_comes() -> None:
    values = np.random.default_rng(8).uniform(-1e6, 1e6, (5000, 3))
    made = found(OnlineClusters(3), fleets.points(values, 8, together=True))
    assert made.events == 5000
    assert 1 <= len(made.count) <= online_clusters.CLUSTERS


def test_it_keeps_at_most_so_many_bytes_a_series() -> None:
    detector = OnlineClusters(50)
    slots = np.arange(50, dtype=np.int32)
    detector.join(slots, slots)
    some = fleets.points(fleets.fields(50, 20, 8), 8)
    detector.process(some.slot, some.time_ms, some.value)
    assert detector.bytes_per_series == online_clusters.PANEL.itemsize + 76
    assert sum(column.nbytes for column in detector.save(slots).values()) <= 50 * detector.bytes_per_series


@pytest.mark.parametrize("parameters", [{"half_life_readings": 1.0}, {"warmup_readings": 39}])
def test_a_parameter_out_of_range_is_refused_by_name(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        OnlineClusters(1, **parameters)  # type: ignore[arg-type]
