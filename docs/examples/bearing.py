"""A bearing that begins to strike, in Python alone: see docs/vibration.md."""
import numpy as np

from offbeat_detectors.vibration.impacts import envelope, impact_figures
from offbeat_detectors.vibration.kpis import kpis

random, t = np.random.default_rng(5), np.arange(20_000) / 20_000
for strength in (0.0, 0.6, 3.0):
    samples = random.normal(size=t.size) + np.sin(2 * np.pi * 50 * t)
    for start in np.arange(0.001, 1.0, 1 / 107):  # 107 strikes a second; each rings at 6,200 Hz
        after = np.maximum(0.0, t - start)
        samples += (after > 0) * 5 * strength * np.exp(-800 * after) * np.sin(2 * np.pi * 6200 * after)
    heard, figures = envelope(samples, duration_s=1.0), impact_figures(samples, duration_s=1.0)
    print(f"rms {kpis(samples, 1.0)['rms']:.2f}  kurtosis {figures['kurtosis']:.2f}  "
          f"{heard.low_hz:.0f} to {heard.high_hz:.0f} Hz: {heard.kurtosis:.2f}, {heard.impact_hz:.0f} strikes a second")
