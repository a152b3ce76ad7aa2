"""``offbeat calendar``: windows in which nobody is told, from a file of iCalendar or JSON; a rule names them."""
from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import click

from offbeat.cli.exits import WrongUsage
from offbeat.cli.options import as_parameters, json_option, list_options, url_option

CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=CONTEXT)
def calendar() -> None:
    """Import calendars in whose windows nobody is told; `offbeat alert-rules add --calendar ID` names one."""


@calendar.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--id", "id", metavar="ID", help="Its name.  [default: that of the file]")
@click.option("--description", metavar="TEXT", help="What it is for.")
@json_option
@url_option
def import_(file: Path, id: str | None, description: str | None, as_json: bool, url: str) -> None:
    """Import FILE, iCalendar (.ics) or the API's own JSON (.json); - reads iCalendar from standard input.

    It takes the place of a calendar of the same id.
    """
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    piped = str(file) == "-"
    if piped and id is None:
        raise WrongUsage("the calendar needs a name", hint="give it with --id")
    body = sys.stdin.buffer.read() if piped else file.read_bytes()
    is_json = file.suffix.lower() == ".json"
    name = id if is_json else id or file.stem
    media = "application/json" if is_json else "text/calendar"

    async def send() -> None:
        async with Daemon(url) as daemon:
            parameters = as_parameters(id=name, description=description)
            document = await daemon.post_body("/calendars", body, media, parameters)
        if as_json:
            print_json([document])
        else:
            click.echo(f"calendar {document['id']} has {len(document['windows'])} windows")

    run(send())


@calendar.command("list")
@list_options
def listed(limit: int, everything: bool, as_json: bool, url: str) -> None:
    """List the calendars, a line for each window."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import column, number, print_json, print_table, run

    columns = (
        column("id"), column("start"), column("time_zone", "time zone"), number("length_s", "lasts s"),
        column("repeat"), column("title"),
    )

    async def show() -> None:
        rows = []
        async with Daemon(url) as daemon:
            async for page, _ in daemon.pages("/calendars", "calendars", [], None if everything else limit):
                rows += page
        if as_json:
            print_json(rows)
        elif not rows:
            click.echo("there is no calendar", err=True)
        else:
            print_table(columns, [
                {**window, "id": one["id"], "length_s": window["wall_s"] + window["exact_s"]}
                for one in rows for window in one["windows"]
            ])

    run(show())


@calendar.command()
@click.argument("id")
@url_option
def remove(id: str, url: str) -> None:
    """Take the calendar ID away, which no rule names."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def take_away() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(f"/calendars/{quote(id, safe='')}")
        click.echo(f"calendar {id} is gone")

    run(take_away())
