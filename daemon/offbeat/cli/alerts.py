"""``offbeat alerts``: what is active, who knows of it, what nobody was told, what was given up."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import TIMES, as_parameters, json_option, list_options, url_option, who

CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=CONTEXT)
def alerts() -> None:
    """List alerts, acknowledge one, see what nobody was told and why, and what was given up."""


def _listed(path: str, key: str, parameters: list[tuple[str, str]], columns: Any, nothing: str, given: Any) -> None:
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_pages, run

    async def show() -> None:
        async with Daemon(given["url"]) as daemon:
            pages = daemon.pages(path, key, parameters, None if given["everything"] else given["limit"])
            await print_pages(pages, columns, as_json=given["as_json"], nothing=nothing)

    run(show())


@alerts.command("list")
@click.option("--state", type=click.Choice(["active", "cleared"]), help="Only those in this state.")
@click.option("--rule", metavar="ID", help="Only of this rule.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only of this source; may be repeated.")
@click.option("--start", metavar="TIME", help=f"Only what was active at this time or later ({TIMES}).")
@click.option("--end", metavar="TIME", help="Only what was raised before.")
@list_options
def listed(state: str | None, rule: str | None, sources: tuple[str, ...], start: str | None, end: str | None,
           **given: Any) -> None:
    """List alerts, newest first."""
    from offbeat.cli.output import Column, column, number

    def bad() -> Column:
        """How bad it is: the score of findings, the status of a check."""
        return Column("score", lambda document: document["status"] or document["score"], right=True)

    columns = (
        number("number"), column("rule"), column("source"), column("check"), column("state"), bad(),
        number("finding_count", "findings"), column("raised"), column("cleared"),
        column("acknowledged_by", "acknowledged by"), column("sentence"),
    )
    parameters = as_parameters(state=state, rule=rule, source=sources, start=start, end=end)
    _listed("/alerts", "alerts", parameters, columns, "there is no alert", given)


@alerts.command()
@click.argument("number", type=click.IntRange(min=1))
@json_option
@url_option
def show(number: int, as_json: bool, url: str) -> None:
    """Show the alert NUMBER with its findings or outcomes and what became of its notifications."""
    from offbeat.cli import output
    from offbeat.cli.client import Daemon

    async def shown() -> None:
        async with Daemon(url) as daemon:
            document = await daemon.get(f"/alerts/{number}")
        if as_json:
            output.print_json([document])
            return
        click.echo(f"{document['sentence']}\n")
        click.echo(f"alert {number} of rule {document['rule']} is {document['state']}, raised {document['raised']}")
        column, right = output.column, output.number
        findings = (column("arrived"), right("score"), column("field"), column("source"), column("record"))
        outcomes = (
            column("ran"), column("status"), column("was"), column("check"), right("subject"), column("message"))
        if document["status"] is None:
            output.print_table(findings, document["findings"])
        else:
            output.print_table(outcomes, document["outcomes"])
        deliveries = (
            right("delivery"), column("kind"), column("sink"), column("state"), right("attempts"), column("error"))
        output.print_table(deliveries, document["deliveries"])

    output.run(shown())


@alerts.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--name", metavar="NAME", help="Who knows of it.  [default: you]")
@click.option("--comment", metavar="TEXT", default="", help="What they say.")
@json_option
@url_option
def ack(number: int, name: str | None, comment: str, as_json: bool, url: str) -> None:
    """Say that somebody knows of the alert NUMBER: it is not told again, but its end is."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    async def acknowledge() -> None:
        async with Daemon(url) as daemon:
            said = {"name": name or who(), "comment": comment}
            document = await daemon.post(f"/alerts/{number}/acknowledge", said)
        if as_json:
            print_json([document])
        else:
            click.echo(f"alert {number} is acknowledged by {document['acknowledged_by']}")

    run(acknowledge())


@alerts.command()
@click.option("--rule", metavar="ID", help="Only of this rule.")
@click.option("--reason", metavar="REASON", help="Only for this reason, as silence or repeat_interval.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only of this source; may be repeated.")
@list_options
def suppressed(rule: str | None, reason: str | None, sources: tuple[str, ...], **given: Any) -> None:
    """List what nobody was told, newest first, and why."""
    from offbeat.cli.output import column, number

    columns = (
        column("time"), column("reason"), column("by"), column("rule"), number("alert"), column("kind"),
        column("source"), column("check"), number("score"), column("why"),
    )
    parameters = as_parameters(rule=rule, reason=reason, source=sources)
    _listed("/alerts/suppressed", "suppressed", parameters, columns, "everybody was told everything", given)


@alerts.command("dead-letters")
@list_options
def dead_letters(**given: Any) -> None:
    """List notifications that were given up, newest first."""
    from offbeat.cli.output import column, number

    columns = (
        number("delivery"), column("sink"), column("kind"), number("alert"), number("attempts"), column("ended"),
        column("error"),
    )
    _listed("/alerts/dead-letters", "dead_letters", [], columns, "nothing was given up", given)


@alerts.command()
@click.argument("delivery", type=click.IntRange(min=1))
@json_option
@url_option
def retry(delivery: int, as_json: bool, url: str) -> None:
    """Send the notification DELIVERY again, which was given up."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    async def send() -> None:
        async with Daemon(url) as daemon:
            document = await daemon.post(f"/alerts/dead-letters/{delivery}/retry", {})
        if as_json:
            print_json([document])
        else:
            click.echo(f"delivery {delivery} waits for {document['sink']} again")

    run(send())
