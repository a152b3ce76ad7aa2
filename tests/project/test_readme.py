"""What README.md and docs/**/*.md show at a prompt is what happens.

A fenced block of the language ``console`` is run if the line before its fence is the comment ``<!-- run -->``, or
``<!-- run if PATH -->`` and PATH exists, seen from the top of the checkout. In it

* a line that begins with ``$ `` is a command for bash, and goes on over lines that end with a backslash;
* the lines after it, up to the next command, are what it prints, on both streams; its exit status must be 0;
* ``…`` in such a line stands for any text of that line, ``…`` alone on a line for any number of lines, none too;
  spaces stand for any spaces and tabs, so that a document may show columns as columns.

The blocks of one document run in their order, each command at the top of the checkout, with an empty home, against one
daemon that started with an empty directory. It listens on a free port: http://127.0.0.1:7373 in a command means it, and
is what its address is printed as. ``offbeat`` is the one under test.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project.conftest import TOP, running_daemon

DOCUMENTS = sorted([*TOP.glob("README.md"), *TOP.glob("docs/**/*.md")])
DOCUMENTED_URL = "http://127.0.0.1:7373"
COMMAND_TIMEOUT_S = 100


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document, the number of its line, and what it is said to print."""

    line: int
    text: str
    output: str


def commands(document: str, top: Path = TOP) -> list[Command]:
    """The commands of *document* that are to be run, in order."""
    found = []
    pattern = r"^<!-- run(?: if (?P<path>\S+))? -->\n+```console\n(?P<block>.*?)^```$"
    for block in re.finditer(pattern, document, flags=re.MULTILINE | re.DOTALL):
        if block["path"] and not (top / block["path"]).exists():
            continue
        command = r"^\$ (?P<text>(?:.*\\\n)*.*\n)(?P<output>(?:(?!\$ ).*\n)*)"
        for part in re.finditer(command, block["block"], flags=re.MULTILINE):
            line = document.count("\n", 0, block.start("block") + part.start()) + 1
            found.append(Command(line, part["text"].rstrip("\n"), part["output"]))
    return found


def prints(documented: str, printed: str) -> bool:
    """Is *printed* what is *documented*, where an ellipsis stands for anything?"""
    pattern = ""
    for line in documented.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*"
        else:
            told = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
            pattern += re.sub(r"(?:\\[ \t])+", r"[ \\t]+", told) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed if printed.endswith("\n") or not printed else printed + "\n") is not None


def with_commands() -> list[Path]:
    return [path for path in DOCUMENTS if commands(path.read_text())]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", with_commands(), ids=lambda path: path.name)
def test_what_a_document_shows_at_a_prompt_is_what_happens(path: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OFFBEAT", "NOTIFY", "LISTEN"))},
        "HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb",
    }
    with running_daemon(tmp_path / "offbeat-data", environment) as url:
        environment["OFFBEAT_URL"] = url
        for command in commands(path.read_text()):
            text = command.text.replace(DOCUMENTED_URL, url).replace(DOCUMENTED_URL[7:], url[7:])
            run = subprocess.run(["bash", "-o", "pipefail", "-c", text], cwd=TOP, env=environment, text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 timeout=COMMAND_TIMEOUT_S)
            printed = run.stdout.replace(url[7:], DOCUMENTED_URL[7:])
            place = f"{path.name}, line {command.line}: {command.text}\n"
            assert run.returncode == 0, f"{place}ended with {run.returncode} and printed\n{printed}"
            assert prints(command.output, printed), f"{place}is said to print\n{command.output}\nand printed\n{printed}"


def test_the_readme_shows_something_that_runs(top: Path) -> None:
    assert top / "README.md" in with_commands()


def test_the_first_two_commands_of_the_readme_are_make_serve_and_make_test(top: Path) -> None:
    readme = (top / "README.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    shown = [line.split("#")[0].strip() for line in "".join(blocks).splitlines() if line.startswith("$ ")]
    assert shown[:2] == ["$ make serve", "$ make test"]


def test_the_links_of_the_documents_lead_somewhere(top: Path) -> None:
    dead = []
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(top)}: {target}")
    assert dead == []


EXAMPLE = """\
Text.

<!-- run -->
```console
$ echo one
one
$ printf '%s\\n' \\
    two three
two
…
$ true
```

```console
$ not run
```

<!-- run if nowhere/at/all -->
```console
$ not run either
```
"""


def test_only_marked_blocks_are_run_command_by_command() -> None:
    assert commands(EXAMPLE) == [
        Command(5, "echo one", "one\n"),
        Command(7, "printf '%s\\n' \\\n    two three", "two\n…\n"),
        Command(11, "true", ""),
    ]


@pytest.mark.parametrize(("documented", "printed", "same"), [
    ("a\n", "a\n", True), ("a\n", "a", True), ("", "", True),
    ("", "a\n", False), ("a\n", "", False), ("a\n", "b\n", False),
    ("a … c\n", "a b c\n", True), ("a … c\n", "a b\nc\n", False), ("a.c\n", "abc\n", False),
    ("…\nz\n", "x\ny\nz\n", True), ("…\nz\n", "z\n", True), ("…\nz\n", "x\n", False), ("a\n…\n", "a\n", True),
])
def test_an_ellipsis_stands_for_what_varies_and_for_nothing_more(documented: str, printed: str, same: bool) -> None:
    assert prints(documented, printed) is same
