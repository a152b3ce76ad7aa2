"""``offbeat alert-rules``: which findings or checks raise an alert, when it ends, who is told; and does a sink work?"""
from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from offbeat.cli.options import DURATION, given, json_option, list_options, patterns, url_option

CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group("alert-rules", context_settings=CONTEXT)
def alert_rules() -> None:
    """Say which findings or checks raise an alert, and who is told. Sinks are in the settings, under [alerts.sinks]."""


@alert_rules.command("list")
@list_options
def listed(limit: int, everything: bool, as_json: bool, url: str) -> None:
    """List the rules."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_pages, run

    def joined(name: str, heading: str) -> Column:
        return Column(heading, lambda document: ", ".join(document.get(name, ())))

    columns = (
        column("id"), joined("sources", "sources"), joined("fields", "fields"), joined("checks", "checks"),
        column("status_at", "status at"), number("raise_at", "raise at"),
        number("clear_below", "clear below"), number("clear_after_s", "after s"), joined("group_by", "group by"),
        number("repeat_s", "repeat s"), joined("sinks", "sinks"), joined("calendars", "calendars"),
        column("description"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/alert-rules", "rules", [], None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="there is no rule")

    run(show())


@alert_rules.command()
@click.argument("id")
@click.option("--sink", "sinks", multiple=True, metavar="NAME", help="Who is told; may be repeated.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@patterns
@click.option("--check", "checks", multiple=True, metavar="PATTERN",
              help="Of checks like this, not of findings; may be repeated.")
@click.option("--status-at", type=click.Choice(["YELLOW", "RED"]),
              help="The status of a check that raises an alert.  [default: RED]")
@click.option("--raise-at", type=click.FloatRange(0, 100), help="The score that raises an alert.  [default: 50]")
@click.option("--clear-below", type=click.FloatRange(0, 100),
              help="Findings that reach this hold it.  [default: half of that]")
@click.option("--clear-after", type=DURATION, help="So long after the last of these it is cleared.  [default: 15m]")
@click.option("--group-by", type=click.Choice(["job", "source", "field", "check"]), multiple=True,
              help="What is alike in this shares an alert; may be repeated.  [default: source; of checks all but job]")
@click.option("--together", is_flag=True, help="All that the rule is of shares one alert.")
@click.option("--repeat", type=DURATION, help="Tell again after so long, while it goes on.  [default: once]")
@click.option("--calendar", "calendars", multiple=True, metavar="ID", help="Silent in its windows; may be repeated.")
@click.option("--replace", is_flag=True, help="In the place of the rule of this id.")
@json_option
@url_option
def add(id: str, clear_after: float | None, repeat: float | None, together: bool, replace: bool, as_json: bool,
        url: str, **values: Any) -> None:
    """Make the rule ID."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = {"id": id, "sinks": [], **given(**values, clear_after_s=clear_after, repeat_s=repeat)}
    if together:
        document["group_by"] = []

    async def make() -> None:
        async with Daemon(url) as daemon:
            if replace:
                made = await daemon.put(f"/alert-rules/{quote(id, safe='')}", document)
            else:
                made = await daemon.post("/alert-rules", document)
        if as_json:
            print_json([made])
        else:
            tells = ", ".join(made["sinks"]) or "nobody"
            status = made["status_at"]
            bad = f"of a check that is {status}" if status else f"from a score of {made['raise_at']:g}"
            click.echo(f"rule {id} is in force: {bad} it tells {tells}")

    run(make())


@alert_rules.command()
@click.argument("id")
@url_option
def remove(id: str, url: str) -> None:
    """Take the rule ID away; its alerts are cleared."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def take_away() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(f"/alert-rules/{quote(id, safe='')}")
        click.echo(f"rule {id} is gone")

    run(take_away())


@alert_rules.command("test-sink")
@click.argument("name")
@json_option
@url_option
def test_sink(name: str, as_json: bool, url: str) -> None:
    """Send a notification that is a test to the sink NAME."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    async def test() -> None:
        async with Daemon(url, timeout_s=660.0) as daemon:
            document = await daemon.post(f"/alert-sinks/{quote(name, safe='')}/test", {})
        if as_json:
            print_json([document])
        else:
            click.echo(f"the sink {name} took a test, {document['id']}")

    run(test())
