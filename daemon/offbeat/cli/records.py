"""``offbeat records``."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import as_parameters, finding_filters, list_options


@click.command()
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Only this field; may be repeated.")
@click.option("--explain/--no-explain", default=True, help="With a sentence for each, or without.")
@finding_filters
@list_options
def records(
    limit: int,
    everything: bool,
    as_json: bool,
    url: str,
    sources: tuple[str, ...],
    fields: tuple[str, ...],
    explain: bool,
    **filters: Any,
) -> None:
    """List findings: which series left its rhythm, when, how far, and why Offbeat says so."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_pages, run

    columns = [
        column("time"),
        column("source"),
        column("field"),
        number("score"),
        number("actual"),
        number("typical"),
        number("lower"),
        number("upper"),
    ]
    if explain:
        columns.append(Column("explanation", lambda record: (record.get("explain") or {}).get("sentence")))

    async def show() -> None:
        async with Daemon(url) as daemon:
            parameters = as_parameters(source=sources, field=fields, explain=explain, **filters)
            await print_pages(
                daemon.pages("/records", "records", parameters, None if everything else limit),
                columns,
                as_json=as_json,
                nothing="no record fits",
            )

    run(show())
