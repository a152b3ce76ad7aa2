"""Compiled kernels between runs: used as long as nothing that they were made from changes, and never after."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offbeat_detectors.kernel import Kernel
from offbeat_detectors.machine_code import KernelCache, stamp

CALLED = "def called(x):\n    return x * FACTOR + 1.0\n"
CALLER = "def caller(x):\n    total = 0.0\n    for i in range(3):\n        total += called(x)\n    return total\n"


def stamp_of(called: str = CALLED, caller: str = CALLER, factor: object = 2.0, **options: Any) -> str:
    """The stamp of a kernel *caller* that calls a kernel *called* that uses a constant."""
    names: dict[str, Any] = {"FACTOR": factor, "__name__": "some_detector"}
    exec(called, names)
    names["called"] = Kernel(names["called"], options)
    exec(caller, names)
    return stamp(Kernel(names["caller"], {}))


def test_the_same_code_has_the_same_stamp_wherever_it_stands() -> None:
    assert stamp_of() == stamp_of()
    assert stamp_of(caller="# what it does\n\n" + CALLER) == stamp_of()


@pytest.mark.parametrize("change", [
    {"caller": CALLER.replace("range(3)", "range(4)")},
    {"caller": CALLER.replace("total +=", "total -=")},
    {"called": CALLED.replace("+ 1.0", "+ 1.5")},
    {"called": CALLED.replace("+ 1.0", "- 1.0")},
    {"called": CALLED.replace("def called(x)", "def called(x, y=1)")},
    {"factor": 3.0},
    {"factor": 2},
    {"forceinline": True},
], ids=str)
def test_what_a_kernel_calls_and_names_is_in_its_stamp(change: Mapping[str, Any]) -> None:
    assert stamp_of(**change) != stamp_of()


def test_a_constant_of_another_of_our_modules_is_in_its_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    def stamp_with(factor: float) -> str:
        other = ModuleType("offbeat_detectors.other")
        other.FACTOR = factor  # type: ignore[attr-defined]
        names: dict[str, Any] = {"other": other, "__name__": "some_detector"}
        exec("def f(x):\n    return x * other.FACTOR\n", names)
        return stamp(Kernel(names["f"], {}))

    assert stamp_with(2.0) == stamp_with(2.0)
    assert stamp_with(2.0) != stamp_with(3.0)


PROGRAM = """
import numba, numpy as np
from numba.core import event
from outer import summed

class Count(event.Listener):
    count = 0
    def on_start(self, event):
        self.count += 1
    def on_end(self, event):
        pass

with event.install_listener("numba:compile", Count()) as compiled:
    found = summed(np.ones(3))
print(found, compiled.count)
"""
OUTER = """
from offbeat_detectors.kernel import kernel
from inner import weighed

@kernel
def summed(values):
    total = 0.0
    for i in range(values.size):
        total += weighed(values[i])
    return total
"""
INNER = """
from offbeat_detectors.kernel import kernel

@kernel
def weighed(value):
    return 2.0 * value
"""


def run(directory: Path, cache: Path) -> tuple[float, int]:
    """What a process makes of three ones, and how many kernels it compiled for that."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(directory)}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    found, count = ran.stdout.split()
    return float(found), int(count)


def test_a_second_process_compiles_nothing_and_an_edited_kernel_takes_its_callers_along(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "outer.py").write_text(OUTER)
    (tmp_path / "inner.py").write_text(INNER)

    assert run(tmp_path, cache) == (6.0, 2)
    assert run(tmp_path, cache) == (6.0, 0)
    files = sorted(cache.rglob("*.kernel"))
    assert [each.name.split("-")[0] for each in files] == ["inner.weighed", "outer.summed"]

    (tmp_path / "inner.py").write_text(INNER.replace("2.0", "30.0"))
    assert run(tmp_path, cache) == (90.0, 2)
    assert len(sorted(cache.rglob("*.kernel"))) == 2, "the machine code of the old source has gone"

    for each in cache.rglob("*.kernel"):
        each.write_bytes(each.read_bytes()[:-100])
    assert run(tmp_path, cache) == (90.0, 2), "a file that was cut short is compiled anew"


def test_without_a_directory_to_write_to_it_compiles_each_time(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(OUTER)
    (tmp_path / "inner.py").write_text(INNER)
    (tmp_path / "file").write_text("no directory")

    for _ in range(2):
        assert run(tmp_path, tmp_path / "file") == (6.0, 2)


def test_a_kernel_is_kept_for_the_types_it_was_compiled_for(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "some_detector"}
    exec("def doubled(x):\n    return x + x\n", names)
    kept = Kernel(names["doubled"], {})
    assert isinstance(kept._cache, KernelCache)

    assert (kept(2), kept(1.5)) == (4, 3.0)

    again = Kernel(names["doubled"], {})
    assert (again(1.5), again(2)) == (3.0, 4)
    assert sum(again.stats.cache_hits.values()) == 2
