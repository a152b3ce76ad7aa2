"""The kernels of mixtures agree with slow, obvious twins; a point by itself is as far as it is."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal

from offbeat_detectors.vibration.mixture import FLOOR, Mixture, Search, densities_of, find, left_out, moments_of

POINTS = arrays(np.float64, (12, 2), elements=st.floats(-3, 3))
LABELS = arrays(np.int64, 12, elements=st.integers(0, 2))


def naive_path(log_density: np.ndarray, penalty: float, free: np.ndarray) -> float:
    """The best value of all paths, each tried."""
    n, modes = log_density.shape
    return max(
        sum(log_density[at, mode] for at, mode in enumerate(path))
        - penalty * sum(path[at] != path[at - 1] and not free[at] for at in range(1, n))
        for path in itertools.product(range(modes), repeat=n))


@settings(deadline=None)  # the first call compiles
@given(log_density=arrays(np.float64, (5, 3), elements=st.floats(-20, 5)), penalty=st.floats(0, 10),
       free=arrays(np.bool_, 5))
def test_no_path_is_better_than_the_one_found(log_density: np.ndarray, penalty: float, free: np.ndarray) -> None:
    mixture = Mixture(np.zeros((3, 1)), np.zeros((3, 1, 1)), np.zeros(3), penalty)
    labels, value = mixture.path(log_density, free)
    switches = (np.diff(labels) != 0) & ~free[1:]
    assert value == pytest.approx(log_density[np.arange(5), labels].sum() - penalty * switches.sum(), abs=1e-9)
    assert value == pytest.approx(naive_path(log_density, penalty, free), abs=1e-9)


@settings(deadline=None)
@given(points=POINTS, labels=LABELS)
def test_moments_agree_with_their_definition(points: np.ndarray, labels: np.ndarray) -> None:
    count, means, scatter = moments_of(points, labels, 3)
    for mode in range(3):
        own = points[labels == mode]
        assert count[mode] == len(own)
        if len(own):
            np.testing.assert_allclose(means[mode], own.mean(axis=0), atol=1e-12)
            away = own - own.mean(axis=0)
            np.testing.assert_allclose(scatter[mode], away.T @ away, atol=1e-10)


@settings(deadline=None)
@given(points=POINTS, labels=LABELS.filter(lambda labels: len(np.unique(labels)) == 3))
def test_densities_are_those_of_normal_laws(points: np.ndarray, labels: np.ndarray) -> None:
    mixture, fewest = densities_of(points, labels, 3, Search())
    log_density, distance = mixture.densities(points)
    assert fewest == np.bincount(labels).min()
    for mode in range(3):
        covariance = np.linalg.inv(mixture.whiten[mode].T @ mixture.whiten[mode])
        law = multivariate_normal(mixture.means[mode], covariance)
        np.testing.assert_allclose(log_density[:, mode], law.logpdf(points), rtol=1e-6, atol=1e-6)
        away = points - mixture.means[mode]
        expected = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
        np.testing.assert_allclose(distance[:, mode], expected, rtol=1e-6, atol=1e-9)


def test_a_covariance_is_that_of_its_points_and_of_a_prior_of_a_few_usual_ones() -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    mixture, _ = densities_of(points, np.zeros(50, np.int64), 1, Search())
    scatter = np.cov(points.T, bias=True) * 50
    usual = np.diag(np.diag(scatter) / 50 + FLOOR)
    expected = (scatter + 3 * usual) / 53 + FLOOR * np.eye(2)
    np.testing.assert_allclose(np.linalg.inv(mixture.whiten[0].T @ mixture.whiten[0]), expected, rtol=1e-9)


def test_the_distance_from_a_mode_without_the_point_is_what_the_mode_of_the_others_says() -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    points[4] += 10.0
    labels = np.repeat([0, 1], 10)
    found = left_out(points, labels)
    for at in (0, 4, 13):
        others = np.delete(np.arange(20), at)
        mixture, _ = densities_of(points[others], labels[others], 2, Search())
        assert found[at] == pytest.approx(mixture.densities(points[at:at + 1])[1][0, labels[at]])
    assert found[4] > 10 * np.delete(found, 4).max()


def test_the_only_point_of_a_mode_is_at_no_distance_from_it() -> None:
    assert left_out(np.array([[0.0], [1.0], [9.0]]), np.array([0, 0, 1]))[2] == 0.0


def test_shares_keep_a_few_points_from_being_a_mode() -> None:
    points = np.random.default_rng(2).normal(size=(300, 1))
    points[100:103] += 4.0
    free = np.zeros(300, np.bool_)
    assert len(find(points, free, Search(shares=True, penalty=1.0)).mixture.means) == 1
