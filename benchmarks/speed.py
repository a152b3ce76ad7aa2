"""Everything that must be reached in speed, as one table: runs peers, latency and growth, and joins what they give."""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common import command
from common.verdict import Row, kept

COMMANDS = ("peers", "latency", "growth")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line: what every command has; *only* names commands here."""
    return command.parser(__doc__, COMMANDS).parse_args(given)


def passed_on(options: argparse.Namespace, file: Path) -> list[str]:
    """The options that each command gets."""
    return [*(["--quick"] if options.quick else []), *(["--rounds", str(options.rounds)] if options.rounds else []),
            "--seed", str(options.seed), "--directory", str(options.directory), "--packages", str(options.packages),
            "--json", str(file)]


def joined(files: Sequence[Path]) -> tuple[list[Row], dict[str, str]]:
    """The rows of all *files* in their order, and the facts: of the machine as the first has them, its own of each."""
    rows: list[Row] = []
    facts: dict[str, str] = {}
    for file in files:
        mine, said = kept(file)
        rows += mine
        facts = {**said, **facts}
    return rows, {name: facts[name] for name in (*kept(files[0])[1], *facts)}


def main(given: Sequence[str] | None = None) -> None:
    """Run, join, write. The first command that fails ends it with its status: half a table is none."""
    options = arguments(given)
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory) / f"{name}.json" for name in options.only]
        for name, file in zip(options.only, files, strict=True):
            print(f"== {name}", flush=True)
            ran = subprocess.run([sys.executable, command.HERE / f"{name}.py", *passed_on(options, file)])
            if ran.returncode:
                raise SystemExit(ran.returncode)
        rows, facts = joined(files)
    command.write("Speed", options, rows, facts)


if __name__ == "__main__":
    main()
