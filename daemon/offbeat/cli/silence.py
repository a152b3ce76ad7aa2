"""``offbeat silence``: nobody is told for a while; what would have been told is listed with the reason."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import json_option, list_options, patterns, span_of, span_options, url_option

CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=CONTEXT)
def silence() -> None:
    """Tell nobody for a while. `offbeat alerts suppressed` lists what would have been told."""


@silence.command()
@span_options
@click.option("--rule", "rules", multiple=True, metavar="PATTERN", help="Only of rules like this; may be repeated.")
@patterns
@json_option
@url_option
def add(as_json: bool, url: str, **values: Any) -> None:
    """Tell nobody of what matches; without a pattern of nothing at all."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = span_of(**values)

    async def keep() -> None:
        async with Daemon(url) as daemon:
            kept = await daemon.post("/silences", document)
        if as_json:
            print_json([kept])
        else:
            click.echo(f"silence {kept['silence']} until {kept['until']}; `offbeat silence remove {kept['silence']}` "
                       "ends it")

    run(keep())


@silence.command("list")
@list_options
def listed(limit: int, everything: bool, as_json: bool, url: str) -> None:
    """List silences, newest first, also those that are over."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_pages, run

    def joined(name: str) -> Column:
        return Column(name, lambda document: ", ".join(document.get(name, ())))

    columns = (
        number("silence"), column("state"), column("from"), column("until"), joined("rules"), joined("jobs"),
        joined("sources"), joined("fields"), column("who"), column("reason"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/silences", "silences", [], None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="there is no silence")

    run(show())


@silence.command()
@click.argument("number", type=click.IntRange(min=1))
@url_option
def remove(number: int, url: str) -> None:
    """End the silence NUMBER now."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def end() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(f"/silences/{number}")
        click.echo(f"silence {number} is over")

    run(end())
