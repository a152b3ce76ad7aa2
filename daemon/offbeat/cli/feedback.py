"""``offbeat feedback``: what a person says of a finding, weighed before it is accepted, and taken back by its name."""
from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import click

from offbeat.cli.exits import WrongUsage
from offbeat.cli.options import TIMES, as_parameters, json_option, list_options, url_option

Command = TypeVar("Command", bound=Callable[..., Any])
CONTEXT = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=CONTEXT)
def feedback() -> None:
    """Say that a finding was normal, or that one was missed: later findings of its series are made weaker or stronger.

    What it would do is shown first. Nothing that was said before changes, and `offbeat feedback undo` takes it back.
    """


def saying(command: Command) -> Command:
    """What normal and missed share: of what it is said, and how it is confirmed."""
    for option in reversed(
        (
            click.argument("record", required=False),
            click.option("--job", metavar="NAME", help="The job, with a span.  [default: watch]"),
            click.option("--source", metavar="NAME", help="The source, with a span."),
            click.option("--field", metavar="NAME", help="The field, with a span."),
            click.option("--start", metavar="TIME", help=f"First time of the span, inclusive ({TIMES})."),
            click.option("--end", metavar="TIME", help="Last time of the span, exclusive."),
            click.option("--note", metavar="TEXT", help="Why, for those who read the list."),
            click.option("--preview", is_flag=True, help="Only show what it would do."),
            click.option("--yes", is_flag=True, help="Accept without asking."),
        )
    ):
        command = option(command)
    return json_option(url_option(command))


@feedback.command()
@click.option("--below", type=click.FloatRange(1, 100), help="What it should have scored less than.  [default: 25]")
@saying
def normal(**given: Any) -> None:
    """Say that RECORD, by its id, or the findings of a series in a span were normal."""
    _say("normal", given)


@feedback.command()
@saying
def missed(**given: Any) -> None:
    """Say that a series was odd in a span, or in RECORD's bucket, and no finding, or too weak a one, told of it."""
    _say("missed", given)


def _say(verdict: str, given: Mapping[str, Any]) -> None:
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = {"verdict": verdict}
    for name in ("record", "job", "source", "field", "start", "end", "note", "below"):
        if given.get(name) is not None:
            document[name] = given[name]
    if given["preview"] and given["yes"]:
        raise WrongUsage("--preview and --yes do not go together", hint="give one of them")
    if "record" not in document and "source" not in document:
        raise WrongUsage(
            "of what is it said?",
            hint="give a RECORD, by its id in `offbeat records --json`, or --source --field --start --end",
        )

    async def say() -> None:
        async with Daemon(given["url"]) as daemon:
            if not given["yes"]:
                preview = await daemon.post("/feedback", document, [("preview", "true"), ("sequence", "latest")])
                if given["as_json"]:
                    print_json([preview])
                else:
                    print_weighed(preview)
                if given["preview"] or not confirmed():
                    return
            accepted = await daemon.post("/feedback", document, [("sequence", "latest")])
            if given["as_json"]:
                print_json([accepted])
                return
            if given["yes"]:
                print_weighed(accepted)
            click.echo(f"{accepted['name']} is in force; `offbeat feedback undo {accepted['name']}` takes it back")

    run(say())


def confirmed() -> bool:
    """Does whoever sits there say yes? Raises WrongUsage if nobody answers."""
    click.echo("accept it? [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise WrongUsage(
            "nobody answered; nothing was changed", hint="--yes accepts without asking, --preview only shows"
        )
    if answer.strip().lower() in ("y", "yes"):
        return True
    click.echo("nothing was changed", err=True)
    return False


def print_weighed(document: Mapping[str, Any]) -> None:
    """What an adjustment does, in words, and the past records that it would have changed."""
    from offbeat.cli.output import column, number, print_table

    click.echo(document.get("sentence", ""))
    records = document.get("records", [])
    if records:
        print_table(
            (
                column("time"),
                number("score"),
                number("score_now", "now"),
                number("score_then", "then"),
                column("id", "record"),
            ),
            records,
        )
    if document.get("records_omitted"):
        click.echo(f"and {document['records_omitted']} more", err=True)


@feedback.command("list")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only of this source; may be repeated.")
@list_options
def listed(limit: int, everything: bool, as_json: bool, url: str, sources: tuple[str, ...]) -> None:
    """List what was accepted, newest first, also what was taken back."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import column, number, print_pages, run

    columns = (
        column("name"),
        column("source"),
        column("field"),
        column("job"),
        number("factor"),
        number("hidden_count", "hidden"),
        number("revealed_count", "revealed"),
        column("created"),
        column("undone"),
        column("note"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/feedback", "feedback", as_parameters(source=sources), None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="there is no feedback")

    run(show())


@feedback.command()
@click.argument("name")
@json_option
@url_option
def undo(name: str, as_json: bool, url: str) -> None:
    """Take the adjustment NAME back: what comes later is scored as if it had never been."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    async def take_back() -> None:
        path = f"/feedback/{quote(name, safe='')}"
        async with Daemon(url) as daemon:
            await daemon.delete(path)
            document = await daemon.get(path)
            if as_json:
                print_json([document])
                return
            click.echo(
                f"{name} is taken back; while it was in force, {document['hidden_count']} findings of "
                f"{document['field']} of {document['source']} were hidden and {document['revealed_count']} revealed"
            )

    run(take_back())
