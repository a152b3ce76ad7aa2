"""What docs/*.md show at a prompt of Python is what happens.

A fenced block of the language ``pycon`` is run if the line before its fence is the comment ``<!-- run -->``. The blocks
of one document are one session, against a daemon of their own; ``…`` in what is printed stands for anything.
"""
from __future__ import annotations

import doctest
import os
import re
from pathlib import Path

import pytest

from tests.project.conftest import TOP, running_daemon

DOCUMENTS = sorted(TOP.glob("docs/*.md"))
BLOCK = re.compile(r"^<!-- run -->\n+```pycon\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def session(document: str, name: str) -> doctest.DocTest:
    """All blocks of *document* that are to be run, as one session with the lines of the document."""
    lines = [""] * (document.count("\n") + 1)
    for block in BLOCK.finditer(document):
        first = document.count("\n", 0, block.start(1))
        for number, line in enumerate(block[1].splitlines(), first):
            # An ellipsis in code is text; in what is printed it is doctest's.
            lines[number] = line if line.startswith((">>> ", "... ")) else line.replace("…", "...")
    return doctest.DocTestParser().get_doctest("\n".join(lines), {}, name, name, 0)


def with_sessions() -> list[Path]:
    return [path for path in DOCUMENTS if BLOCK.search(path.read_text())]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", with_sessions(), ids=lambda path: path.name)
def test_what_a_document_shows_at_a_prompt_of_python_is_what_happens(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with running_daemon(tmp_path / "offbeat-data", dict(os.environ)) as url:
        monkeypatch.setenv("OFFBEAT_URL", url)
        monkeypatch.delenv("OFFBEAT_TOKEN", raising=False)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        ran = runner.run(session(path.read_text(), path.name), out=said.append)
    assert ran.attempted > 0
    assert ran.failed == 0, "".join(said)


def test_the_library_is_shown_at_work() -> None:
    assert TOP / "docs" / "client.md" in with_sessions()


def test_only_marked_blocks_are_run_with_an_ellipsis_for_what_varies() -> None:
    document = "```pycon\n>>> 1\n2\n```\n<!-- run -->\n```pycon\n>>> print('a…b')\na…b\n```\n"
    examples = session(document, "d").examples
    assert [(one.lineno + 1, one.source, one.want) for one in examples] == [(7, "print('a…b')\n", "a...b\n")]
