"""Kernels before the port opens: compiled, with a second process, while it is told how far that is, and kept."""
from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from offbeat import kernels
from offbeat.kernels import Kernels
from offbeat_detectors import machine_code
from offbeat_detectors.kernel import Kernel


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def two_kernels() -> None:
    """Compile two kernels that no directory holds."""
    for line in ("return x + 1.0", "return x - 1.0"):
        names: dict[str, Any] = {"__name__": "two_kernels"}
        exec(f"def f(x):\n    {line}\n", names)
        made = Kernel(names["f"], {})
        made._cache.disable()
        made(1.0)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kernels to compile, one processor, and every one of them is told."""
    monkeypatch.setattr(kernels, "warm_up", lambda model, parameters: two_kernels())
    monkeypatch.setattr(kernels, "warm_up_engine", lambda: None)
    monkeypatch.setattr(kernels.wire, "warm_up", lambda: None)
    monkeypatch.setattr(kernels, "_processors", lambda: 1)
    monkeypatch.setattr(kernels, "SAY_EVERY_S", 0.0)
    monkeypatch.setattr(kernels, "DRAW_EVERY_S", 0.0)


def said_by(stream: io.StringIO) -> list[str]:
    prepared = Kernels("rhythm", {}, stream)
    prepared.prepare()
    prepared.stop()
    return stream.getvalue().split("\n")


@pytest.mark.usefixtures("alone")
def test_what_must_be_compiled_is_said_before_it_is_and_how_far_it_is_while_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "needed_names", lambda: {"two_kernels.f", "another", "a third", "a fourth"})

    begun, first, one, two, last, end = said_by(io.StringIO())

    assert begun == "offbeat: preparing the kernels"
    assert first == ("offbeat: preparing the kernels: compiling, which takes about half a minute the first time; they "
                     f"are kept in {machine_code.directory()}")
    assert one.startswith("offbeat: preparing the kernels: 25%, about ")
    assert two.startswith("offbeat: preparing the kernels: 25%, about ")
    assert last.startswith("offbeat: preparing the kernels took ")
    assert end == ""


@pytest.mark.usefixtures("alone")
def test_a_terminal_shows_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "needed_names", lambda: {"two_kernels.f", "another"})

    *_, drawn, _ = said_by(Terminal())

    bars = drawn.split("\r\x1b[K")
    assert bars[0] == ""
    assert bars[1].startswith(f"{'━' * 15}{'─' * 15} preparing the kernels: 50%, about ")
    assert bars[-1].startswith("offbeat: preparing the kernels took ")


def test_no_more_than_a_line_is_said_where_nothing_must_be_compiled() -> None:
    said_by(io.StringIO())  # whatever was missing is there now
    assert said_by(io.StringIO()) == ["offbeat: preparing the kernels", ""]


@pytest.mark.usefixtures("alone")
def test_that_compiled_kernels_cannot_be_kept_is_said_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "directory", lambda: None)
    started: list[str] = []
    monkeypatch.setattr(kernels.subprocess, "Popen", lambda *_, **__: started.append("a process"))

    _, first, *_ = said_by(io.StringIO())
    Kernels("rhythm", {}, io.StringIO()).prepare_others()

    assert "at each start: no directory can be written to keep them" in first
    assert "NUMBA_CACHE_DIR" in first
    assert started == [], "nobody would find what it compiles"


def test_the_other_process_compiles_all_the_rest_and_is_not_started_again() -> None:
    said_by(io.StringIO())
    program = [sys.executable, "-m", "offbeat.kernels", json.dumps(["rhythm", {}])]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (ran.returncode, ran.stderr) == (0, "")

    again = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (again.returncode, again.stdout) == (0, ""), "all is compiled"
    left = Kernels("rhythm", {}, io.StringIO())
    left.prepare_others()
    assert left.helper is None


def test_the_other_process_ends_with_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine_code, "is_marked", lambda kernels: False)
    held = Kernels("rhythm", {}, io.StringIO())
    held.prepare_others()
    process = held.helper
    assert process is not None
    assert process.poll() is None

    held.stop()

    assert process.poll() is not None



async def test_nothing_of_the_other_process_stays_behind_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    said_by(io.StringIO())  # all is compiled, so it has little to do
    monkeypatch.setattr(machine_code, "is_marked", lambda kernels: False)
    held = Kernels("rhythm", {}, io.StringIO())
    held.prepare_others()
    process = held.helper
    assert process is not None
    held.attend(asyncio.get_running_loop())
    async with asyncio.timeout(100):
        while held.helper is not None:  # noqa: ASYNC110 - what is waited for is that it says nothing
            await asyncio.sleep(0.01)
    assert process.returncode == 0
    assert process.stdout is not None and process.stdout.closed


def test_an_analysis_finds_all_kernels_compiled_once_the_other_process_is_done() -> None:
    helper = [sys.executable, "-m", "offbeat.kernels", json.dumps(["rhythm", {}])]
    subprocess.run(helper, capture_output=True, check=True, timeout=100)
    program = """
from numba.core import event
from offbeat.kernels import Names
from tests.engine.analysis.logs import analysed
from tests.engine.analysis.test_analysis import ROWS, Analysis, every
with event.install_listener("numba:compile", Names()):
    analysis = Analysis(every())
    analysed(analysis, ROWS)
    analysis.interim(None, None)
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, cwd=root)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")
