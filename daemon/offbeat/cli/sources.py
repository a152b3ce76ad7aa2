"""``offbeat sources``."""
from __future__ import annotations

import click

from offbeat.cli.exits import WrongUsage
from offbeat.cli.options import as_parameters, list_options


@click.command()
@click.argument("name", required=False)
@click.option("--prefix", metavar="TEXT", help="Only sources whose name begins so.")
@list_options
def sources(limit: int, everything: bool, as_json: bool, url: str, name: str | None, prefix: str | None) -> None:
    """List what sends; with NAME, show that source and its series."""
    from offbeat.cli.client import Daemon, source_path
    from offbeat.cli.output import column, number, print_json, print_pages, print_table, run

    if name is not None and prefix is not None:
        raise WrongUsage("a NAME and --prefix do not go together", hint="give one of them")
    columns = (
        column("source"),
        number("series_count", "series"),
        number("event_count", "events"),
        number("late_count", "late"),
        column("first_event", "first event"),
        column("last_event", "last event"),
        column("last_arrival", "last arrival"),
    )
    series_columns = (
        column("field"),
        number("reading_count", "readings"),
        number("last_value", "last value"),
        column("last_time", "last time"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            if name is None:
                pages = daemon.pages("/sources", "sources", as_parameters(prefix=prefix), None if everything else limit)
                await print_pages(
                    pages,
                    columns,
                    as_json=as_json,
                    nothing="nothing has sent yet" if prefix is None else "no source begins so",
                )
                return
            source = await daemon.get(source_path(name))
            if as_json:
                print_json([source])
                return
            print_table(columns, [source])
            print_table(series_columns, source.get("series", []))
            if source.get("metadata"):
                print_table(
                    (column("key"), column("value")), [{"key": k, "value": v} for k, v in source["metadata"].items()]
                )

    run(show())
