"""``offbeat quarantine``."""
from __future__ import annotations

import click

from offbeat.cli.options import as_parameters, list_options


@click.command()
@click.option("--code", metavar="CODE", help="Only lines rejected for this, as bad_time.")
@list_options
def quarantine(limit: int, everything: bool, as_json: bool, url: str, code: str | None) -> None:
    """List rejected lines, newest first, each with the reason and how it began."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import column, number, print_pages, run

    columns = (
        column("arrived"),
        column("format"),
        number("line"),
        column("code"),
        column("reason"),
        column("start", "begins"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/quarantine", "rejected", as_parameters(code=code), None if everything else limit)
            await print_pages(
                pages,
                columns,
                as_json=as_json,
                nothing="no line was rejected" if code is None else "no rejected line fits",
            )

    run(show())
