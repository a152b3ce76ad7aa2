"""The example of docs/plugins.md is a detector of equal rank."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_example_passes_all_checks_as_an_installed_distribution_too(top: Path, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text((top / "docs/examples/steps.py").read_text())
    info = tmp_path / "steps-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: steps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[offbeat.detectors]\nsteps = steps:Steps\n")
    code = ("from offbeat_detectors import conformance, registry; from offbeat_detectors.banded import Banded;"
            "made = registry.create('steps', 1, {'least': 0.1}); assert isinstance(made, Banded);"
            "assert made.inner.least == 0.1;"
            "print(conformance.check(lambda n: registry.create('steps', n, {'least': 0.1}), readings=200))")
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, text=True,
                         capture_output=True, timeout=100)
    assert (run.stdout, run.stderr) == ("[]\n", "")
