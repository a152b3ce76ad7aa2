"""``offbeat maintenance``: what checks say is not counted for a while."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import json_option, span_of, span_options, url_option


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def maintenance() -> None:
    """Leave outcomes of checks out of the counts for a while. The checks run on."""


@maintenance.command()
@span_options
@click.option("--check", "checks", multiple=True, metavar="PATTERN", help="Only checks like this; may be repeated.")
@click.option("--source", "sources", multiple=True, metavar="PATTERN", help="Only sources like this; may be repeated.")
@json_option
@url_option
def add(as_json: bool, url: str, **values: Any) -> None:
    """Begin it; without a pattern for everything."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = span_of(**values)

    async def keep() -> None:
        async with Daemon(url) as daemon:
            kept = await daemon.post("/maintenance", document)
        if as_json:
            print_json([kept])
        else:
            number = kept["number"]
            click.echo(f"maintenance {number} until {kept['until']}; `offbeat maintenance remove {number}` ends it")

    run(keep())


@maintenance.command("list")
@json_option
@url_option
def listed(as_json: bool, url: str) -> None:
    """List maintenance, newest first, also that which is over."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_json, print_table, run

    columns = (
        number("number"), column("state"), column("from"), column("until"),
        Column("checks", lambda one: ", ".join(one["checks"])),
        Column("sources", lambda one: ", ".join(one["sources"])), column("who"), column("reason"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            found = (await daemon.get("/maintenance"))["maintenance"]
        if as_json:
            print_json(found)
        elif found:
            print_table(columns, found)
        else:
            click.echo("there is no maintenance", err=True)

    run(show())


@maintenance.command()
@click.argument("number", type=click.IntRange(min=1))
@url_option
def remove(number: int, url: str) -> None:
    """Take the maintenance NUMBER away."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def end() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(f"/maintenance/{number}")
        click.echo(f"maintenance {number} is gone")

    run(end())
