"""The command ``offbeat``: from arguments to an exit status. One command a file, imported when it is called for."""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from offbeat.cli.exits import Status, describe, one_cause

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; an error is a sentence and a hint on stderr, never a traceback.

    arguments  those after the program's name; None takes the process's own
    Setting OFFBEAT_TRACEBACK=1 shows the traceback of an error besides, for a bug report.
    """
    import click

    from offbeat.cli.group import offbeat

    if "_OFFBEAT_COMPLETE" in os.environ:  # the shell asks for completions
        offbeat.main(prog_name="offbeat")
    try:
        # Not click's own main(): it ends the process itself when a pipe breaks, with the status of a failure.
        with offbeat.make_context("offbeat", list(sys.argv[1:] if arguments is None else arguments)) as context:
            offbeat.invoke(context)
        sys.stdout.flush()
        return Status.GOOD
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BaseException as raised:
        error = one_cause(raised)
        if isinstance(error, SystemExit):
            raise
        if isinstance(error, BrokenPipeError):
            return _reader_left()
        failure = describe(error)
        try:
            if failure.message:
                print(f"offbeat: {failure.message}", file=sys.stderr)
            if failure.hint:
                print(f"  hint: {failure.hint}", file=sys.stderr)
        except BrokenPipeError:
            return _reader_left()
        if os.environ.get("OFFBEAT_TRACEBACK") == "1":
            sys.excepthook(type(error), error, error.__traceback__)
        return failure.status


def _reader_left() -> int:
    """Whoever read the output is gone: stop without a word, and let the interpreter's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    return Status.READER_LEFT
