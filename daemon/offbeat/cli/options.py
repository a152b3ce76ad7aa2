"""Options that several commands share, and how they become parameters of the API."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:7373"
TIMES = "ISO 8601, or an epoch number"


def url_option(command: Command) -> Command:
    """``--url``: which daemon."""
    return click.option(
        "--url",
        envvar="OFFBEAT_URL",
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
        help="Where the daemon listens (or OFFBEAT_URL).",
    )(command)


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
