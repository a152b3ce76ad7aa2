"""Labels of few measurements reach all: by the rule of modes, and along clusters of any shape."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_moons

from offbeat_detectors.vibration.labels import propagate, spread
from offbeat_detectors.vibration.measurements import TooFew, Unsuitable, WrongParameter
from offbeat_detectors.vibration.modes import identify
from tests.detectors.vibration import machines


def moons(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """400 points on two moons, on which each is, and labels of which one point of each knows its own."""
    points, moon = make_moons(400, noise=0.05, random_state=seed)
    labels = np.full(400, -1)
    for one in (0, 1):
        labels[np.flatnonzero(moon == one)[0]] = one
    return points, moon, labels


@pytest.mark.parametrize("seed", range(3))
def test_one_label_on_each_of_two_moons_reaches_its_whole_moon(seed: int) -> None:
    points, moon, labels = moons(seed)
    found = spread(points, labels)
    np.testing.assert_array_equal(found.labels, moon)
    assert found.added.sum() == 398
    assert (found.confidence > 0.5).all()


def test_by_the_straight_distance_alone_moons_are_mixed_and_modes_keep_them_apart() -> None:
    points, moon, labels = moons(0)
    assert (propagate(points, labels).labels == moon).mean() < 0.95
    np.testing.assert_array_equal(propagate(points, labels, modes=moon).labels, moon)


def test_labels_follow_the_modes_that_were_identified() -> None:
    schedule = [0] * 15 + [1] * 15 + [0] * 10
    modes = identify(machines.waveforms(schedule), np.ones(40), np.arange(40), {})
    labels = np.full(40, -1)
    labels[[3, 20]] = [7, 5]
    severities = np.zeros(40, np.int64)
    severities[[3, 20]] = [2, 1]
    found = propagate(modes.mode_probabilities, labels, modes.labels, modes.timestamps, severities)
    assert found.labels.tolist() == [7] * 15 + [5] * 15 + [7] * 10
    assert found.severities.tolist() == [2 if at == 3 else 1 if at == 20 else -1 for at in range(40)]
    assert np.flatnonzero(~found.added).tolist() == [3, 20]
    assert set(found.like.tolist()) == {3, 20}


def test_the_nearest_label_of_the_own_mode_is_taken_even_if_another_mode_has_a_nearer_one() -> None:
    found = propagate([[0.0], [0.1], [5.0]], [4, -1, 6], modes=[0, 1, 1])
    assert found.labels.tolist() == [4, 6, 6]


def test_a_mode_without_labels_takes_the_nearest_of_all() -> None:
    assert propagate([[0.0], [4.0], [5.0]], [4, -1, 6], modes=[0, 1, 2]).labels.tolist() == [4, 6, 6]


def test_among_equally_near_ones_the_nearest_in_time_counts_and_then_the_earlier() -> None:
    features = np.ones((5, 2))
    found = propagate(features, [1, -1, -1, -1, 2], timestamps=[0, 10, 50, 60, 100])
    assert found.labels.tolist() == [1, 1, 1, 2, 2]


@given(seed=st.integers(0, 99))
def test_the_order_of_measurements_does_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    features, times = random.normal(size=(30, 2)), np.arange(30)
    labels = np.where(random.random(30) < 0.3, random.integers(0, 3, 30), -1)
    labels[0] = 1
    order = random.permutation(30)
    straight = propagate(features, labels, timestamps=times).labels
    np.testing.assert_array_equal(propagate(features[order], labels[order], timestamps=times[order]).labels,
                                  straight[order])


@given(seed=st.integers(0, 99))
def test_propagation_agrees_with_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    features, modes = random.integers(0, 3, (20, 2)).astype(float), random.integers(0, 3, 20)
    labels = np.where(random.random(20) < 0.3, random.integers(0, 3, 20), -1)
    labels[3] = 0
    found = propagate(features, labels, modes)
    given_labels = [at for at in range(20) if labels[at] >= 0]
    for at in set(range(20)) - set(given_labels):
        own = [other for other in given_labels if modes[other] == modes[at]] or given_labels
        expected = min(own, key=lambda other: (((features[other] - features[at]) ** 2).sum(), abs(other - at), other))
        assert (found.like[at], found.labels[at]) == (expected, labels[expected])


def test_spreading_agrees_with_its_closed_form() -> None:
    random = np.random.default_rng(4)
    points = random.normal(size=(40, 2))
    labels = np.where(random.random(40) < 0.2, random.integers(0, 3, 40), -1)
    distance = ((points[:, np.newaxis] - points) ** 2).sum(axis=2) + np.diag(np.full(40, np.inf))
    graph = np.zeros((40, 40))
    np.put_along_axis(graph, distance.argsort(axis=1)[:, :5], 1.0, axis=1)
    graph = np.maximum(graph, graph.T)
    degree = graph.sum(axis=1)
    classes = np.unique(labels[labels >= 0])
    reached = 0.01 * np.linalg.solve(
        np.eye(40) - 0.99 * graph / np.sqrt(np.outer(degree, degree)), (labels[:, np.newaxis] == classes).astype(float))
    found = spread(points, labels, neighbours=5)
    np.testing.assert_array_equal(found.labels[found.added], classes[reached.argmax(axis=1)][found.added])
    share = reached.max(axis=1) / reached.sum(axis=1)
    np.testing.assert_allclose(found.confidence[found.added], share[found.added], rtol=1e-6)


def test_what_no_path_leads_to_stays_without_a_label() -> None:
    points = np.concatenate([np.zeros((20, 1)), np.full((20, 1), 100.0)]) + np.linspace(0, 1, 40)[:, np.newaxis]
    found = spread(points, [5] + [-1] * 39, neighbours=3)
    assert found.labels.tolist() == [5] * 20 + [-1] * 20
    assert found.confidence[20:].tolist() == [0.0] * 20


def test_labels_that_contradict_one_another_stay_as_they_were_given() -> None:
    found = spread(np.zeros((6, 1)), [1, 2, 1, 1, -1, -1])
    assert found.labels[:4].tolist() == [1, 2, 1, 1]


def test_what_cannot_be_propagated_is_refused_in_words() -> None:
    for function in (propagate, spread):
        with pytest.raises(TooFew, match="at least one measurement with a label"):
            function([[0.0]], [-1])
        with pytest.raises(Unsuitable, match="labels: expected 1 integers"):
            function([[0.0]], [1, 2])
        with pytest.raises(Unsuitable, match="finite features"):
            function([[np.nan]], [1])
    with pytest.raises(WrongParameter, match="neighbours"):
        spread([[0.0]], [1], neighbours=0)
    with pytest.raises(Unsuitable, match="at most 20000"):
        spread(np.zeros((20_001, 1)), np.zeros(20_001, np.int64))
