"""Gaussian modes along a path that seldom switches: which there are, how many, and which each point belongs to.

Points come in the order of time. Each mode is a normal density; a path that assigns each point a mode pays for its
switches. Densities and path are found in turn, from several starts; how many modes there are is what explains most for
its number of parameters.

Sources: D. Hallac, S. Vare, S. Boyd, J. Leskovec, "Toeplitz inverse covariance-based clustering of multivariate time
series data", 2017, with windows of one point and full covariances; G. Schwarz, "Estimating the dimension of a model",
1978; D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", 2007; A. Viterbi, "Error bounds for
convolutional codes", 1967. The prior of a covariance stands for d + 1 points that are as a mode usually is: so a mode
of few points has one too.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.kernel import kernel
from offbeat_detectors.vibration.measurements import Floats, TooFew

FLOOR = 0.003
"""Variance that every mode has at least, where the variance of all points is about 1: closer ones are one mode."""
ROUNDS_MAX = 30
POINTS_MIN = 3
"""Of a mode: fewer are odd points, not a mode."""
POINTS_PER_MODE = 5
LOG_2_PI = math.log(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Densities of k modes in d dimensions.

    means     (k, d) float64
    whiten    (k, d, d) float64, lower triangles: |whiten · (x − mean)|² is Mahalanobis's distance, squared
    constant  (k,) float64: log density of a mode at its mean, and the log of its share where shares count
    penalty   of a switch, in logarithms of density
    """

    means: Floats
    whiten: Floats
    constant: Floats
    penalty: float

    def densities(self, points: Floats) -> tuple[Floats, Floats]:
        """Log density and squared distance of *points* (n, d) by mode: each (n, k)."""
        log_density, distance = np.empty((2, len(points), len(self.means)))
        judge(np.ascontiguousarray(points), self.means, self.whiten, self.constant, log_density, distance)
        return log_density, distance

    def path(self, log_density: Floats, free: NDArray[np.bool_]) -> tuple[NDArray[np.int64], float]:
        """The modes (n,) that explain all points best, by their *log_density* (n, k), and how well they do.

        free  (n,) bool: to switch from the point before to this one costs nothing
        """
        labels = np.zeros(len(log_density), np.int64)
        before = np.empty(log_density.shape, np.int8)
        return labels, best_path(log_density, self.penalty, free, before, labels)

    def renumbered(self, order: NDArray[np.int64]) -> Mixture:
        """The same, mode i being what mode order[i] was."""
        return Mixture(self.means[order], self.whiten[order], self.constant[order], self.penalty)


@dataclass(frozen=True, slots=True)
class Found:
    """A mixture, the mode of each point (n,), and how well it explains them: the log of densities less penalties."""

    mixture: Mixture
    labels: NDArray[np.int64]
    objective: float


@dataclass(frozen=True, slots=True)
class Search:
    """How modes are looked for.

    count    how many modes; None: as many as explain the points best, from 1 to ``most``
    most     modes, at most
    trials   starts for each number of modes
    seed     of the starts
    penalty  of a switch
    shares   whether a mode that holds few points is less likely for it
    """

    count: int | None = None
    most: int = 12
    trials: int = 10
    seed: int = 0
    penalty: float = 5.0
    shares: bool = False


@kernel
def judge(
    points: NDArray[np.float64], means: NDArray[np.float64], whiten: NDArray[np.float64],
    constant: NDArray[np.float64], log_density: NDArray[np.float64], distance: NDArray[np.float64],
) -> None:
    """Set log density and squared distance (n, k) of each point (n, d) under each mode."""
    n, d = points.shape
    for mode in range(len(means)):
        for at in range(n):
            total = 0.0
            for i in range(d):
                part = 0.0
                for j in range(i + 1):
                    part += whiten[mode, i, j] * (points[at, j] - means[mode, j])
                total += part * part
            distance[at, mode] = total
            log_density[at, mode] = constant[mode] - 0.5 * total


@kernel
def best_path(
    log_density: NDArray[np.float64], penalty: float, free: NDArray[np.bool_], before: NDArray[np.int8],
    labels: NDArray[np.int64],
) -> float:
    """Set *labels* (n,) to the path of largest Σ log density − penalty · switches, and return that; ties: lowest mode.

    before  (n, k) int8: scratch
    """
    n, modes = log_density.shape
    score, next_score = np.zeros(modes), np.zeros(modes)
    for at in range(n):
        best = 0
        for mode in range(1, modes):
            if score[mode] > score[best]:
                best = mode
        cost = 0.0 if at == 0 or free[at] else penalty
        for mode in range(modes):
            stays = score[mode] >= score[best] - cost
            before[at, mode] = mode if stays else best
            next_score[mode] = (score[mode] if stays else score[best] - cost) + log_density[at, mode]
        for mode in range(modes):
            score[mode] = next_score[mode]
    best = 0
    for mode in range(1, modes):
        if score[mode] > score[best]:
            best = mode
    total, mode = score[best], best
    for at in range(n - 1, -1, -1):
        labels[at] = mode
        mode = before[at, mode]
    return float(total)


@kernel
def moments(
    points: NDArray[np.float64], labels: NDArray[np.int64], count: NDArray[np.int64], means: NDArray[np.float64],
    scatter: NDArray[np.float64],
) -> None:
    """Set count (k,), means (k, d) and scatter (k, d, d), Σ (x − mean)(x − mean)ᵀ, of the points of each mode."""
    n, d = points.shape
    count[:] = 0
    means[:] = 0.0
    scatter[:] = 0.0
    for at in range(n):
        count[labels[at]] += 1
        for i in range(d):
            means[labels[at], i] += points[at, i]
    for mode in range(len(count)):
        for i in range(d):
            means[mode, i] /= max(1, count[mode])
    for at in range(n):
        mode = labels[at]
        for i in range(d):
            for j in range(d):
                scatter[mode, i, j] += (points[at, i] - means[mode, i]) * (points[at, j] - means[mode, j])


def moments_of(points: Floats, labels: NDArray[np.int64], modes: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Count (k,), mean (k, d) and scatter (k, d, d) of the *points* (n, d) that *labels* (n,) give each mode."""
    d = points.shape[1]
    count, means, scatter = np.empty(modes, np.int64), np.empty((modes, d)), np.empty((modes, d, d))
    moments(points, labels, count, means, scatter)
    return count, means, scatter


def densities_of(points: Floats, labels: NDArray[np.int64], modes: int, search: Search) -> tuple[Mixture, int]:
    """The densities of the *modes* that *labels* (n,) give *points* (n, d), and the points of the smallest mode."""
    n, d = points.shape
    count, means, scatter = moments_of(points, labels, modes)
    pooled = np.diagonal(scatter.sum(axis=0)) / n
    usual = np.diag(pooled + FLOOR)
    strength = d + 1.0
    covariance = (scatter + strength * usual) / (count + strength)[:, np.newaxis, np.newaxis] + FLOOR * np.eye(d)
    whiten = np.tril(np.linalg.inv(np.linalg.cholesky(covariance)))
    constant = np.log(np.diagonal(whiten, axis1=1, axis2=2)).sum(axis=1) - 0.5 * d * LOG_2_PI
    if search.shares:
        constant = constant + np.log(np.maximum(count, 1) / n)
    return Mixture(means, whiten, constant, search.penalty), int(count.min())


def start(points: Floats, modes: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each point's nearest (n,) of *modes* points far from one another; fewer where fewer differ."""
    chosen = [int(generator.integers(len(points)))]
    distance = np.square(points - points[chosen[0]]).sum(axis=1)
    labels = np.zeros(len(points), np.int64)
    for mode in range(1, modes):
        reached = np.cumsum(distance)
        if reached[-1] <= 0.0:
            break
        chosen.append(int(np.searchsorted(reached, generator.random() * reached[-1], side="right")))
        other = np.square(points - points[chosen[-1]]).sum(axis=1)
        labels[other < distance] = mode
        distance = np.minimum(distance, other)
    return labels


def settle(
    points: Floats, free: NDArray[np.bool_], labels: NDArray[np.int64], modes: int, search: Search,
) -> tuple[Found, int] | None:
    """What densities and path come to from *labels* (n,), and the points of its smallest mode; None without all modes.

    Where a mode loses its last point on the way, it is what was found before that.
    """
    kept: tuple[Found, int] | None = None
    for _ in range(ROUNDS_MAX):
        mixture, fewest = densities_of(points, labels, modes, search)
        if fewest == 0:
            break
        following, objective = mixture.path(mixture.densities(points)[0], free)
        if np.array_equal(following, labels):
            return Found(mixture, labels, objective), fewest
        if len(np.unique(following)) != modes:
            kept = kept or (Found(mixture, labels, objective), fewest)
            break
        kept = Found(mixture, following, objective), int(np.bincount(following, minlength=modes).min())
        labels = following
    return kept


def with_modes(points: Floats, free: NDArray[np.bool_], modes: int, search: Search) -> Found | None:
    """The best of all starts with exactly this many *modes*; None if none has them all.

    A mode of fewer than 3 points is taken only where the number of modes is given and nothing else is found.
    """
    best: dict[bool, Found] = {}
    for trial in range(search.trials if modes > 1 else 1):
        generator = np.random.default_rng([search.seed, modes, trial])
        settled = settle(points, free, start(points, modes, generator), modes, search)
        if settled is not None:
            found, fewest = settled
            whole = fewest >= POINTS_MIN
            if whole not in best or found.objective > best[whole].objective:
                best[whole] = found
    return best.get(True) or (best.get(False) if search.count is not None or modes == 1 else None)


def find(points: Floats, free: NDArray[np.bool_], search: Search) -> Found:
    """The modes of *points* (n, d), n > 0, in the order of time.

    free  (n,) bool: to switch from the point before to this one costs nothing

    Raises TooFew if ``search.count`` modes are asked for and fewer points differ.
    """
    points = np.ascontiguousarray(points)
    n, d = points.shape
    if search.count is not None:
        found = with_modes(points, free, search.count, search)
        if found is None:
            raise TooFew(f"expected measurements of at least {search.count} different kinds, for as many modes")
        return found
    best, least = None, math.inf
    for modes in range(1, max(1, min(search.most, n // POINTS_PER_MODE)) + 1):
        found = with_modes(points, free, modes, search)
        if found is None:
            continue
        parameters = modes * (d + d * (d + 1) // 2) + modes - 1
        criterion = -2.0 * found.objective + parameters * math.log(n)
        if criterion < least:
            best, least = found, criterion
    assert best is not None  # one mode is always found
    return best


def left_out(points: Floats, labels: NDArray[np.int64]) -> Floats:
    """Squared distance (n,) of each of *points* (n, d) from its mode as that would be without it.

    In a mode of few points, one that is far away makes the covariance so wide that it no longer seems far: of n points
    none is further than √n standard deviations. The only point of a mode has distance 0.
    """
    n, d = points.shape
    count, means, scatter = moments_of(points, labels, int(labels.max()) + 1)
    size = count[labels][:, np.newaxis, np.newaxis].astype(np.float64)
    rest = np.maximum(1.0, size - 1.0)
    away = points - means[labels]
    outer = (size / rest) * away[:, :, np.newaxis] * away[:, np.newaxis, :]
    pooled = (np.diagonal(scatter.sum(axis=0)) - np.diagonal(outer, axis1=1, axis2=2)) / max(1, n - 1)
    usual = (np.maximum(0.0, pooled) + FLOOR)[:, :, np.newaxis] * np.eye(d)
    covariance = (scatter[labels] - outer + (d + 1.0) * usual) / (rest + d + 1.0) + FLOOR * np.eye(d)
    away = away * (size / rest)[:, :, 0]
    distance = np.einsum("ni,ni->n", away, np.linalg.solve(covariance, away[:, :, np.newaxis])[:, :, 0])
    return np.where(count[labels] > 1, distance, 0.0)
