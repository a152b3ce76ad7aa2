"""Options that several commands share, and how they become parameters of the API."""
from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

from offbeat.cli.exits import WrongUsage

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:7373"
TIMES = "ISO 8601, or an epoch number"


class Duration(click.ParamType[float]):
    """A time that passes, in seconds: a number, or one with a unit as 90s, 15m, 2h, 1d."""

    name = "duration"
    UNITS: ClassVar[dict[str, float]] = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no duration: expected seconds, or 90s, 15m, 2h, 1d", param, ctx)
        return float(found[1]) * self.UNITS[found[2]]


DURATION = Duration()


def who() -> str:
    """The name of whoever runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return f"user {os.getuid()}"


def patterns(command: Command) -> Command:
    """``--job``, ``--source``, ``--field``: which findings, by patterns."""
    for name in ("field", "source", "job"):
        command = click.option(
            f"--{name}", f"{name}s", multiple=True, metavar="PATTERN",
            help=f"Only of {name}s like this, as boiler-*; may be repeated.",
        )(command)  # fmt: skip
    return command


def span_options(command: Command) -> Command:
    """``--reason``, ``--for``, ``--until``, ``--from``, ``--who``: when, and why, as ``span_of`` takes it."""
    for option in (
        click.option("--who", metavar="NAME", help="Who says so.  [default: you]"),
        click.option("--from", "begin", metavar="TIME", help="From when.  [default: now]"),
        click.option("--until", metavar="TIME", help=f"Until when ({TIMES})."),
        click.option("--for", "duration_s", type=DURATION, help="How long, as 2h."),
        click.option("--reason", required=True, metavar="TEXT", help="Why."),
    ):
        command = option(command)
    return command


def span_of(**values: Any) -> dict[str, Any]:
    """The document of what ``span_options`` and patterns were given. Raises WrongUsage unless it ends in one way."""
    if (values["duration_s"] is None) == (values["until"] is None):
        raise WrongUsage("how long?", hint="give --for or --until, one of them")
    begin = values.pop("begin")
    return given(**{**values, "who": values["who"] or who(), "from": begin})


def given(**values: object) -> dict[str, Any]:
    """The members of a document that were given: None and empty lists are left out."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if v not in (None, ())}


def _keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    ctx.meta[f"offbeat.{param.name}"] = value


def token_options(command: Command) -> Command:
    """``--token``, ``--token-file``: who calls. Kept with the command's context, for whatever client it makes."""
    command = click.option(
        "--token-file", envvar="OFFBEAT_TOKEN_FILE", metavar="FILE", expose_value=False, callback=_keep,
        help="A file that holds the token (or OFFBEAT_TOKEN_FILE).",
    )(command)  # fmt: skip
    return click.option(
        "--token", envvar="OFFBEAT_TOKEN", metavar="TOKEN", expose_value=False, callback=_keep,
        help="The token to show, if the daemon wants one (or OFFBEAT_TOKEN, which others do not see).",
    )(command)  # fmt: skip


def given_token() -> str:
    """The token that the running command was given, empty if none was. Raises WrongUsage for what can be none."""
    ctx = click.get_current_context(silent=True)
    meta = ctx.meta if ctx is not None else {}
    token, path = meta.get("offbeat.token"), meta.get("offbeat.token_file")
    if not token and path:
        try:
            token = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as e:
            reason = e.strerror if isinstance(e, OSError) else "it is no text"
            raise WrongUsage(f"cannot read the token file {path}: {reason}") from e
        if not token:
            raise WrongUsage(f"the token file {path} is empty")
    if token and re.fullmatch(r"[!-~]+", token) is None:
        raise WrongUsage("the token is none: it has spaces, or characters beyond ASCII")
    return token or ""


def url_option(command: Command) -> Command:
    """``--url``: which daemon; with it the options of the token."""
    return click.option(
        "--url",
        envvar="OFFBEAT_URL",
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
        help="Where the daemon listens (or OFFBEAT_URL).",
    )(token_options(command))


def json_option(command: Command) -> Command:
    """``--json``: the API's own documents."""
    return click.option("--json", "as_json", is_flag=True, help="Print the raw documents, one a line.")(command)


def list_options(command: Command) -> Command:
    """``--limit`` and ``--all``, for lists with a cursor; ``--json`` and ``--url`` besides."""
    command = url_option(json_option(command))
    command = click.option("--all", "everything", is_flag=True, help="List all rows, however many.")(command)
    return click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most rows.")(
        command
    )


def finding_filters(command: Command) -> Command:
    """The filters that buckets and records share."""
    for option in reversed(
        (
            click.option("--job", metavar="NAME", help="The job.  [default: watch]"),
            click.option(
                "--source", "sources", multiple=True, metavar="NAME", help="Only this source; may be repeated."
            ),
            click.option("--start", metavar="TIME", help=f"First time, inclusive ({TIMES})."),
            click.option("--end", metavar="TIME", help="Last time, exclusive."),
            click.option("--min-score", type=click.FloatRange(0, 100), help="Only those scored at least this."),
            click.option(
                "--order",
                type=click.Choice(["time", "-time", "-score"]),
                help="Oldest, newest or strongest first.  [default: time]",
            ),
        )
    ):
        command = option(command)
    return command


def as_parameters(**values: object) -> list[tuple[str, str]]:
    """The parameters that were given: None is left out, a tuple is repeated."""
    parameters: list[tuple[str, str]] = []
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None:
                parameters.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return parameters
