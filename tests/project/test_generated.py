"""The sample file and the docs' table of settings are those of config.py, the page of functions of functions.py."""
from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from offbeat import config
from offbeat.config import SECTIONS, Config
from offbeat_detectors.buckets.functions import BY_NAME
from tests.project.generated import generated

NAMES = [(section, f.name) for section, holder in SECTIONS.items() for f in fields(holder)]


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_a_generated_file_is_what_make_docs_would_write(path: Path) -> None:
    assert path.read_text() == generated()[path], "run `make docs`"


@pytest.mark.parametrize("name", BY_NAME)
def test_every_function_is_in_the_docs(name: str, top: Path) -> None:
    plain = re.sub(r"^(high|low)_", "", name)
    rows = [line.split(" | ") for line in (top / "docs" / "functions.md").read_text().splitlines() if line[:3] == "| `"]
    (sided,) = [row[2] for row in rows if f"`{plain}`" in f"{row[0]} {row[1]}"]
    assert plain == name or sided == "yes"


@pytest.mark.parametrize(("section", "name"), NAMES)
def test_every_setting_is_in_the_docs_and_in_the_sample(section: str, name: str, top: Path) -> None:
    assert f"| `{section}.{name}` |" in (top / "docs" / "settings.md").read_text()
    sample = (top / "deploy" / "offbeat.toml").read_text()
    of_section = sample.split(f"\n[{section}]\n", 1)[1].split("\n[", 1)[0]
    assert f"\n#{name} = " in of_section


def test_the_sample_as_it_is_changes_nothing(top: Path) -> None:
    assert config.load(top / "deploy" / "offbeat.toml") == Config()


def test_the_sample_uncommented_says_the_defaults(top: Path, tmp_path: Path) -> None:
    uncommented = re.sub(r"^#(?=\w+ = )", "", (top / "deploy" / "offbeat.toml").read_text(), flags=re.MULTILINE)
    assert [(section, name) for section, holds in tomllib.loads(uncommented).items() for name in holds] == NAMES
    path = tmp_path / "offbeat.toml"
    path.write_text(uncommented)
    assert config.load(path) == Config()


def test_the_command_line_says_that_the_sample_is_good(top: Path) -> None:
    run = subprocess.run([sys.executable, "-m", "offbeat", "check-config", "deploy/offbeat.toml"], cwd=top,
                         capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, "deploy/offbeat.toml is good\n"), run.stderr
