"""The example of docs/checks.md: one file, and it is a check of equal rank."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import BadParameters
from offbeat_detectors.checks.trying import readings

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "runs_dry.py"


def test_the_example_is_found_by_its_file_with_its_parameters(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (info,) = [info for info in registry.kinds(tmp_path) if info.origin == "folder"]
    assert (info.kind, [each.name for each in info.parameters or ()]) == ("runs_dry", ["hours"])
    assert registry.create("runs_dry", {}, tmp_path).needs.history_s == 86_400
    with pytest.raises(BadParameters, match="runs_dry: hours is 'soon': expected a finite number"):
        registry.create("runs_dry", {"hours": "soon"}, tmp_path)


@pytest.mark.parametrize(("levels", "status", "reason"), [
    ([100 - at for at in range(24)], Status.GREEN, "judged"), ([50 - 2 * at for at in range(24)], Status.RED, "judged"),
    ([5 + at for at in range(24)], Status.GREEN, "judged"), ([5, 4], Status.YELLOW, "no_data"),
])
def test_the_example_says_what_its_page_says(
    tmp_path: Path, levels: list[float], status: Status, reason: str,
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    data = readings([3600.0 * hour for hour in range(len(levels))], levels)
    outcome = outcomes.run(registry.create("runs_dry", {}, tmp_path), data)
    assert outcome is not None
    assert (outcome.status, outcome.reason) == (status, reason)
