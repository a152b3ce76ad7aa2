"""Mean shift: against scikit-learn, on events of a meter and on rows of every kind, and where it has nothing to do."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import MeanShift, estimate_bandwidth

from offbeat_detectors import mean_shift
from tests.gateways.energy.meters import Meter


def events(count: int, seed: int) -> NDArray[np.float64]:
    """The eight features of events of a meter."""
    meter = Meter(seed)
    rows = []
    for _ in range(count):
        event = meter.event()
        rows.append([*event["Power"].values(), event["Line"]["Current"], event["Line"]["Voltage"], *event["Peaks"][:3]])
    return np.array(rows, np.float64)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("times", [1, 2])
def test_the_clusters_of_a_meters_events_are_those_of_scikit_learn(seed: int, times: int) -> None:
    rows = np.concatenate([events(1000, seed)] * times)
    h = estimate_bandwidth(rows, quantile=0.2, n_samples=200, random_state=0)
    theirs = MeanShift(bandwidth=h, bin_seeding=True, cluster_all=False).fit(rows)
    ours = mean_shift.cluster(rows)
    assert ours.bandwidth == pytest.approx(h, rel=1e-12)
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, rtol=1e-9)
    np.testing.assert_array_equal(ours.labels, theirs.labels_)
    assert len(ours.centres) >= 3 and (ours.labels == -1).any()


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 320), st.integers(1, 8), st.integers(0, 2**16), st.integers(1, 6))
def test_it_agrees_with_scikit_learn_on_rows_of_every_kind(n: int, width: int, seed: int, places: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(places, width))[rng.integers(0, places, n)] * 5.0 + rng.normal(size=(n, width))
    h = estimate_bandwidth(rows, quantile=0.2, n_samples=200, random_state=0)
    ours = mean_shift.cluster(rows)
    assert ours.bandwidth == pytest.approx(h, rel=1e-9)
    if h == 0.0:  # of few rows the nearest is the row itself: theirs guesses another width
        return
    theirs = MeanShift(bandwidth=ours.bandwidth, bin_seeding=True, cluster_all=False).fit(rows)
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(ours.labels, theirs.labels_)


def test_rows_that_are_all_equal_are_one_cluster() -> None:
    found = mean_shift.cluster(np.ones((7, 8)))
    assert (found.bandwidth, found.labels.tolist(), found.centres.tolist()) == (0.0, [0] * 7, [[1.0] * 8])


def test_no_rows_have_no_cluster() -> None:
    found = mean_shift.cluster(np.zeros((0, 8)))
    assert (len(found.labels), len(found.centres)) == (0, 0)


def test_the_densest_centre_is_the_first() -> None:
    rng = np.random.default_rng(4)
    rows = np.concatenate([rng.normal(m, 0.5, (n, 2)) for m, n in ((0.0, 50), (100.0, 150), (200.0, 100))])
    counts = np.bincount(mean_shift.cluster(rows).labels + 1)[1:]
    assert counts.tolist() == [150, 100, 50]


def test_a_row_that_no_centre_reaches_belongs_nowhere() -> None:
    rows = np.concatenate([np.random.default_rng(5).normal(size=(100, 2)), [[0.0, 4.0]]])
    found = mean_shift.cluster(rows)
    distance = np.linalg.norm(found.centres - rows[-1], axis=1).min()
    assert (found.labels[-1] == -1) == (distance > found.bandwidth)
    assert (found.labels == -1).any()
