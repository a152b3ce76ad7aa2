"""What the commands that give rows of the table share: options, a place for state, how results are written."""
from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from common import machine
from common.packages import cache_directory
from common.report import listed
from common.verdict import Row, keep, rows_table

HERE = Path(__file__).resolve().parent.parent
Section = Callable[[argparse.Namespace, Path, dict[str, str]], list[Row]]
"""Measures, in a directory of its own; adds to the facts of the run what belongs to all of its rows."""


def parser(about: str | None, sections: Sequence[str]) -> argparse.ArgumentParser:
    """The options that every command has."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--quick", action="store_true", help="fewer rounds of less: shows that it works, not how fast")
    made.add_argument("--rounds", type=int, help="how often each figure is measured (default 5; 2 if --quick)")
    made.add_argument("--only", nargs="+", choices=sections, default=list(sections), help="only these sections")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--directory", type=Path, default=HERE, help="where state goes (default: beside the programs)")
    made.add_argument("--packages", type=Path, default=cache_directory(), help="where unpacked packages are kept")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    return made


def run(title: str, options: argparse.Namespace, sections: dict[str, Section]) -> list[Row]:
    """Measure the sections that are wanted, print and write what they give."""
    options.rounds = options.rounds or (2 if options.quick else 5)
    facts = machine.facts(options.directory)
    print(listed(facts), flush=True)
    rows: list[Row] = []
    for name in options.only:
        print(f"-- {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix=".state-", dir=options.directory) as directory:
            rows += sections[name](options, Path(directory), facts)
    write(title, options, rows, facts)
    return rows


def write(title: str, options: argparse.Namespace, rows: Sequence[Row], facts: dict[str, str]) -> None:
    """Print the report; write it where that was asked for."""
    text = f"# {title}\n\n{listed(facts)}\n\n{rows_table(rows)}\n"
    print(f"\n{text}")
    if options.json:
        keep(options.json, rows, facts)
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text)
