"""Checks from Python files in a folder."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.contract import Status
from offbeat_detectors.checks.parameters import UnknownCheck
from offbeat_detectors.checks.trying import readings
from tests.detectors.checks.said import minutes

HOT = """\
from offbeat_detectors.checks.contract import Status

def hot(data, parameters):
    "It is not hot."
    return Status.RED if data.value() > parameters["max"] else Status.GREEN
"""
SEVERAL = HOT + """
from offbeat_detectors.checks.range import Range

class Wet:
    about = "It is not wet."
    def __init__(self, parameters):
        pass
    def run(self, data):
        return Status.YELLOW

def _helper(data, parameters):
    return Status.RED

def other(one, two):
    return one
"""
DATACLASS = """\
from __future__ import annotations
from dataclasses import dataclass
from offbeat_detectors.checks.contract import Needs, Result, Status

@dataclass
class Mine:
    parameters_given: dict
    needs: Needs = Needs(readings=3)

    def run(self, data) -> Result:
        return Result(Status.GREEN)
"""
DATA = readings(minutes(1), [30.0])


def names(folder: Path) -> list[str]:
    return [info.kind for info in registry.kinds(folder) if info.origin == "folder"]


def test_a_file_with_one_check_gives_it_its_name(tmp_path: Path) -> None:
    (tmp_path / "too-hot.py").write_text(HOT)
    assert names(tmp_path) == ["too-hot"]
    check = registry.create("too-hot", {"max": 20}, tmp_path)
    assert outcomes.run(check, DATA) == outcomes.Outcome(Status.RED, "judged")
    (info,) = [info for info in registry.kinds(tmp_path) if info.origin == "folder"]
    assert (info.about, info.parameters) == ("It is not hot.", None)


def test_a_file_with_several_puts_its_name_before_theirs(tmp_path: Path) -> None:
    (tmp_path / "weather.py").write_text(SEVERAL)
    assert names(tmp_path) == ["weather.Wet", "weather.hot"]
    assert registry.create("weather.Wet", {}, tmp_path).run(DATA) is Status.YELLOW


def test_a_dataclass_with_annotations_as_text_is_a_check_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(DATACLASS)
    assert registry.create("mine", {"any": 1}, tmp_path).needs.readings == 3


@pytest.mark.parametrize(("text", "line", "said"), [
    ("x = 1\ndef hot(data, parameters:\n", 2, "SyntaxError"),
    ("import math\n\nlimit = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
    ("import no_such_module\n", 1, "ModuleNotFoundError"),
    ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    ("open('/no/such/file')\n", 1, "FileNotFoundError"),
    ("x = 1\n", 0, "it defines no check"),
    ("from math import sqrt\nx = '\\0'\n", 0, "it defines no check"),
])
def test_a_broken_file_is_told_with_its_line_and_the_rest_is_well(
    tmp_path: Path, text: str, line: int, said: str,
) -> None:
    (tmp_path / "hot.py").write_text(HOT)
    (tmp_path / "worse.py").write_text(text)
    assert names(tmp_path) == ["hot"]
    (broken,) = registry.broken(tmp_path)
    assert (broken.where, broken.line) == (str(tmp_path / "worse.py"), line)
    assert said in broken.message
    assert "offbeat_checks_folder.worse" not in sys.modules or "no check" in said
    with pytest.raises(UnknownCheck, match="'worse' is broken"):
        registry.create("worse", {}, tmp_path)


def test_a_name_that_is_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "range.py").write_text(HOT)
    (tmp_path / "flat.py").write_text("\n" + HOT)
    (tmp_path / "a b.py").write_text(HOT)
    assert names(tmp_path) == []
    assert sorted((Path(each.where).name, each.line) for each in registry.broken(tmp_path)) == [
        ("a b.py", 0), ("flat.py", 4), ("range.py", 3)]


def test_a_file_that_changes_is_read_again_also_within_the_same_second(tmp_path: Path) -> None:
    file = tmp_path / "hot.py"
    file.write_text(HOT)
    os.utime(file, ns=(10**18, 10**18))
    assert registry.create("hot", {"max": 20}, tmp_path).run(DATA) is Status.RED
    file.write_text(HOT.replace(">", "<"))
    os.utime(file, ns=(10**18 + 1, 10**18 + 1))
    assert registry.create("hot", {"max": 20}, tmp_path).run(DATA) is Status.GREEN
    file.unlink()
    assert names(tmp_path) == []


def test_only_python_files_that_are_meant_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("_shared.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).write_text("raise RuntimeError")
    (tmp_path / "hot.py").write_text(HOT)
    assert names(tmp_path) == ["hot"]
    assert registry.broken(tmp_path) == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden.py", "_shared.py", "hot.py", "notes.txt"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (broken,) = registry.broken(tmp_path / "nowhere")
    assert "cannot be read" in broken.message
    assert names(tmp_path / "nowhere") == []
