"""Principal directions agree with those of the library, and have the same bits with any number of threads."""
from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from offbeat_detectors.vibration.principal import multiplied, principal
from tests.project.conftest import TOP

BITS = """
import hashlib
import numpy as np
from offbeat_detectors.vibration.modes import identify
samples = [np.random.default_rng(at).normal(size=4_000) for at in range(700)]
found = identify(samples, np.full(700, 0.1), np.arange(700), {"n_trials": 2})
print(hashlib.sha256(found.model.pack() + found.mode_probabilities.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("shape", [(200, 12), (30, 90), (50, 3)])
def test_they_are_the_eigenvectors_with_the_largest_eigenvalues(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    spread = 2.0 ** -np.arange(shape[1])
    turn = np.linalg.qr(random.normal(size=(shape[1], shape[1])))[0]
    rows = (random.normal(size=shape) * spread) @ turn
    rows -= rows.mean(axis=0)
    found = principal(rows, 0.95, 5)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    share = np.cumsum(values[::-1]) / values.sum()
    assert found.shape[1] == min(5, 1 + int(np.searchsorted(share, 0.95)))
    for at in range(found.shape[1]):
        assert abs(found[:, at] @ vectors[:, -1 - at]) == pytest.approx(1.0, abs=1e-6)
        assert found[np.abs(found[:, at]).argmax(), at] > 0.0


def test_noise_in_all_directions_alike_gives_five_that_hold_nearly_as_much_as_any() -> None:
    rows = np.random.default_rng(1).normal(size=(100, 300))
    rows -= rows.mean(axis=0)
    found = principal(rows, 0.95, 5)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-9)
    held = np.square(rows @ found).sum()
    assert held > 0.98 * np.linalg.eigvalsh(rows @ rows.T)[-5:].sum()


def test_points_on_a_line_have_one_direction_and_equal_points_any() -> None:
    line = np.linspace(-1, 1, 30)[:, np.newaxis] * np.array([[3.0, 0.0, 4.0]])
    np.testing.assert_allclose(principal(line, 0.95, 5), [[0.6], [0.0], [0.8]], atol=1e-12)
    assert principal(np.zeros((30, 3)), 0.95, 5).shape == (3, 1)


def test_a_product_of_a_row_has_the_same_bits_in_whatever_company() -> None:
    random = np.random.default_rng(2)
    rows, directions = random.normal(size=(64, 200)), random.normal(size=(200, 5))
    whole = multiplied(rows, directions)
    np.testing.assert_allclose(whole, rows @ directions, atol=1e-10)
    np.testing.assert_array_equal(whole[7:8], multiplied(rows[7:8], directions))


def test_modes_have_the_same_bits_with_any_number_of_threads() -> None:
    found = set()
    for threads in ("1", "2", "4"):
        several = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        ran = subprocess.run([sys.executable, "-c", BITS], env=several, cwd=TOP, capture_output=True, text=True,
                             timeout=100, check=True)
        found.add(ran.stdout)
    assert len(found) == 1
