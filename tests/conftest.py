"""What every test may rely on: the same random numbers in each run, and a directory of its own for a daemon."""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a test may compile a kernel, which takes longer than any deadline.
settings.register_profile("offbeat", deadline=None, derandomize=True, database=None)
settings.load_profile("offbeat")


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where one daemon keeps its file; the daemon makes it."""
    return tmp_path / "offbeat-data"
