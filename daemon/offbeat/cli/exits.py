"""What a command ends with: the statuses, and how any error becomes one of them with a message. No command here."""
from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import click

from offbeat.errors import OffbeatError


class Status(IntEnum):
    """The exit statuses of ``offbeat``. A CannotStart brings its own, the same numbers."""

    GOOD = 0
    FAILED = 1
    USAGE = 2
    STATE_IN_USE = 3
    STORE_UNUSABLE = 4
    NOT_REACHABLE = 5
    SOME_REJECTED = 6
    DIFFERENT = 7
    INTERRUPTED = 130
    READER_LEFT = 141


MEANINGS = {
    Status.GOOD: "good",
    Status.FAILED: "the command failed; the message says why",
    Status.USAGE: "wrong usage, or a setting that is wrong",
    Status.STATE_IN_USE: "another daemon holds the state directory",
    Status.STORE_UNUSABLE: "the store is corrupt, locked, or newer than this program",
    Status.NOT_REACHABLE: "no daemon answers at the address",
    Status.SOME_REJECTED: "send: some lines were rejected, the others were taken",
    Status.DIFFERENT: "verify, backtest: something differs, and that was asked",
    Status.INTERRUPTED: "interrupted by Ctrl-C",
    Status.READER_LEFT: "whoever read the output went away",
}


class CommandFailed(OffbeatError):
    """The command could not do what it was asked to."""

    code = "failed"
    exit_status: int = Status.FAILED


class WrongUsage(CommandFailed):
    """The arguments do not fit together, or the daemon says that one of them is wrong."""

    code = "usage"
    exit_status = Status.USAGE


class NotReachable(CommandFailed):
    """Nothing answers at the address, or what answers is not Offbeat."""

    code = "not_reachable"
    exit_status = Status.NOT_REACHABLE


@dataclass(frozen=True, slots=True)
class Failure:
    """How a command that failed ends: a sentence, what to do about it (may be empty), the exit status."""

    message: str
    hint: str
    status: int


def one_cause(error: BaseException) -> BaseException:
    """*error*, or the first error inside if it is a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def describe(error: BaseException) -> Failure:
    """What to say of *error*, whatever it is."""
    if isinstance(error, OffbeatError):
        return Failure(error.message, error.hint, int(getattr(error, "exit_status", Status.FAILED)))
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure("interrupted", "", Status.INTERRUPTED)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return Failure(error.format_message(), "", Status.USAGE)
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "offbeat"
        return Failure(error.format_message().rstrip("."), f"`{path} --help` lists what it takes", Status.USAGE)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), "", Status.FAILED)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return Failure(f"{place}{error.strerror}", "", Status.FAILED)
    return Failure(
        f"an error that this program did not expect: {type(error).__name__}: {error}",
        "OFFBEAT_TRACEBACK=1 shows where; please report it",
        Status.FAILED,
    )
