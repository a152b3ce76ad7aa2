"""What vibration costs: nothing until it is used; then a bounded time of the processor."""
from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from offbeat_detectors.vibration.kpis import kpis
from offbeat_detectors.vibration.measurements import Waveforms
from offbeat_detectors.vibration.modes import identify_series
from tests.detectors.vibration.machines import ReadAsAsked

HEAVY = """
import sys
import offbeat.service
from offbeat_detectors.vibration import blacksheep, impacts, kpis, labels, measurements, mixture, modes, principal, rows
print(sorted({"scipy.fft", "scipy.linalg", "scipy.signal", "sklearn", "joblib"} & set(sys.modules)))
"""


def test_neither_it_nor_the_daemon_loads_scipy_or_scikit_learn_before_they_are_needed() -> None:
    ran = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_figures_of_400_000_samples_take_less_than_a_tenth_of_a_second() -> None:
    samples = np.random.default_rng(0).normal(size=400_000)
    took = []
    for _ in range(5):
        begin = time.thread_time()
        kpis(samples, 1.0)
        took.append(time.thread_time() - begin)
    assert min(took) < 0.1


def test_the_modes_of_500_waveforms_of_40_000_samples_take_less_than_a_minute() -> None:
    stored = ReadAsAsked(np.repeat([0, 1, 2, 3], 125).tolist(), n=40_000)
    series = Waveforms(stored, np.full(500, 40_000 / 4096), np.arange(500), np.full(500, 40_000))
    begin = time.process_time()
    found = identify_series(series, {})
    assert time.process_time() - begin < 60.0
    assert found.labels.tolist() == stored.modes
