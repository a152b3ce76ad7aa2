"""The checkout itself: how its files are cut, what it installs, what its commands do."""
from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES_MAX = 500
LONGER_FILES: list[str] = []
"""Files that may be longer. None is; before one is added here, cut it in two."""

ROOMS = ("daemon", "detectors", "tests", "benchmarks")


def sources(top: Path) -> list[Path]:
    return sorted(path for room in ROOMS for path in (top / room).rglob("*.py"))


def project(top: Path) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((top / "pyproject.toml").read_text())["project"]
    return found


def pins(top: Path) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (top / "constraints.txt").read_text().splitlines()]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what a make that runs this test hands down: its variables, its options, its depth.
    plain = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    return subprocess.run(["make", *arguments], cwd=directory, env=plain, capture_output=True, text=True, timeout=60)


def test_no_file_is_too_long_to_be_read_in_one_go(top: Path) -> None:
    long = {str(path.relative_to(top)): count for path in sources(top)
            if (count := len(path.read_text().splitlines())) > LINES_MAX}
    assert sorted(long) == LONGER_FILES, long


def test_every_module_begins_by_saying_what_belongs_there(top: Path) -> None:
    silent = [str(path.relative_to(top)) for path in sources(top)
              if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_the_two_products_stand_at_the_top_and_every_room_is_a_package(top: Path) -> None:
    assert not (top / "daemon" / "__init__.py").exists()
    assert not (top / "detectors" / "__init__.py").exists()
    rooms = {path.parent for path in sources(top) if path.is_relative_to(top / "daemon" / "offbeat")}
    rooms |= {path.parent for path in sources(top) if path.is_relative_to(top / "detectors" / "offbeat_detectors")}
    assert [str(room.relative_to(top)) for room in sorted(rooms) if not (room / "__init__.py").exists()] == []


def test_every_dependency_is_pinned_and_says_what_it_is_for(top: Path) -> None:
    text = (top / "pyproject.toml").read_text()
    found = project(top)
    groups = found["optional-dependencies"]
    extras = [one for extra in ("dev", "bench", "postgres") for one in groups[extra]]  # type: ignore[index,call-overload]
    named = [*found["dependencies"], *extras]  # type: ignore[misc]
    assert len(named) > 10
    for requirement in named:
        assert re.fullmatch(r"[\w-]+==[\d.]+", requirement)
        assert re.search(rf'"{re.escape(requirement)}", +# \w', text), f"{requirement} says nothing of itself"
        name, _, version = requirement.partition("==")
        assert pins(top)[canonicalize_name(name)] == version


def test_what_the_dependencies_need_in_turn_is_pinned_and_installed_as_pinned(top: Path) -> None:
    pinned, waiting, seen = pins(top), ["offbeat"], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        if name != "offbeat":
            assert pinned.get(name) == metadata.version(name), f"{name} in constraints.txt"
        extra = "dev" if name == "offbeat" else ""
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting.append(requirement.name)
    assert len(seen) > 30


def test_the_program_and_the_detectors_are_found_by_name(top: Path) -> None:
    installed = metadata.distribution("offbeat")
    named = {(entry.group, entry.name): entry for entry in installed.entry_points}
    assert callable(named["console_scripts", "offbeat"].load())
    assert named["offbeat.detectors", "ewma"].load().__name__ == "Ewma"
    assert named["offbeat.checks", "range"].load().__name__ == "Range"
    assert installed.version == project(top)["version"]


def test_both_packages_say_that_they_are_typed(top: Path) -> None:
    assert (top / "daemon" / "offbeat" / "py.typed").exists()
    assert (top / "detectors" / "offbeat_detectors" / "py.typed").exists()


def test_make_alone_lists_what_it_can_do(top: Path) -> None:
    listed = make(top)
    targets = re.findall(r"^([a-z]+):", (top / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[1] for line in listed.stdout.splitlines()] == targets
    assert {"serve", "test", "bench", "soak", "docs", "clean"} <= set(targets)


@pytest.fixture
def checkout(top: Path, tmp_path: Path) -> Path:
    """The files that set-up needs, in a directory with a space in its name."""
    directory = tmp_path / "off beat"
    directory.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(top / name, directory)
    return directory


def test_without_a_python_that_is_new_enough_set_up_says_so(checkout: Path) -> None:
    refused = make(checkout, "serve", "PYTHONS=python2.7 python-of-tomorrow")
    assert refused.returncode != 0
    assert "Offbeat needs Python 3.11 or newer" in refused.stderr
    assert not (checkout / ".venv").exists()


def test_set_up_is_done_again_only_when_what_it_installs_changes(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    for order, name in enumerate(("pyproject.toml", "constraints.txt", ".venv/.made", ".venv/.installed-dev")):
        (checkout / name).touch()
        os.utime(checkout / name, (1_700_000_000 + order,) * 2)
    assert "pip" not in make(checkout, "--dry-run", "test").stdout
    os.utime(checkout / "constraints.txt", (1_800_000_000,) * 2)
    assert "pip" in make(checkout, "--dry-run", "test").stdout


def test_make_test_checks_style_arrows_and_types_before_it_runs_the_tests(top: Path) -> None:
    planned = make(top, "--dry-run", "--assume-old=.venv/.installed-dev", "test").stdout.splitlines()
    tools = [re.search(r"ruff|lint-imports|mypy|pytest", line) for line in planned]
    assert [tool[0] for tool in tools if tool] == ["ruff", "lint-imports", "mypy", "pytest"]


def test_the_whole_check_from_nothing_can_be_run(top: Path) -> None:
    script = top / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], timeout=60).returncode == 0
    assert "make clean\nexec make test" in script.read_text()
