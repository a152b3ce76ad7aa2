"""``offbeat explain``."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from offbeat.cli.exits import CommandFailed, WrongUsage
from offbeat.cli.options import TIMES, as_parameters, json_option, url_option


@click.command()
@click.argument("record", required=False)
@click.option("--last", is_flag=True, help="The newest finding, of those that the filters leave.")
@click.option("--job", metavar="NAME", help="Of this job.  [default: watch]")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Of this source; may be repeated.")
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Of this field; may be repeated.")
@click.option("--min-score", type=click.FloatRange(0, 100), help="Scored at least this.")
@click.option("--at", "at", metavar="TIME", help=f"The newest in a bucket that began by then ({TIMES}).")
@json_option
@url_option
def explain(
    url: str,
    as_json: bool,
    at: str | None,
    min_score: float | None,
    fields: tuple[str, ...],
    sources: tuple[str, ...],
    job: str | None,
    last: bool,
    record: str | None,
) -> None:
    """Say why RECORD, the id of a finding, is one: what was seen and expected, the evidence, what it resembles.

    Without RECORD, the newest finding that --source, --field, --job, --min-score and --at leave.
    """
    from offbeat.cli.client import Daemon, record_path
    from offbeat.cli.output import print_json, run

    filters = as_parameters(job=job, source=sources, field=fields, min_score=min_score, end=after(at))
    if record is not None and (last or filters):
        raise WrongUsage("a RECORD and filters do not go together", hint="give one of them")
    if record is None and not (last or filters):
        raise WrongUsage("which finding?", hint="give the id of a record, or --last; `offbeat records --json` has ids")

    async def show() -> None:
        async with Daemon(url) as daemon:
            id = record
            if id is None:
                newest = [*filters, ("order", "-time"), ("limit", "1"), ("explain", "false")]
                found = (await daemon.get("/records", newest)).get("records")
                if not found:
                    raise CommandFailed("no record fits", hint="`offbeat records` lists them")
                id = str(found[0]["id"])
            document = await daemon.get(record_path(id))
            if as_json:
                print_json([document])
            else:
                tell(document)

    run(show())


def after(at: str | None) -> str | None:
    """The first moment after *at*, for a bound that is exclusive. Raises WrongUsage for what is no time."""
    if at is None:
        return None
    import numpy as np

    from offbeat.wire.times import TIME_MS_MAX, parse_text_ms

    ms = parse_text_ms(at, None)
    if ms is None:
        raise WrongUsage(f"--at is {at!r}: expected a time, {TIMES}")
    return f"{np.datetime64(min(ms + 1, TIME_MS_MAX), 'ms')}Z"


def tell(record: Mapping[str, Any]) -> None:
    """One record for a person: its sentence, then the evidence, what acted, what is similar, and the plain facts."""
    from offbeat.cli.output import Column, column, number, print_table, text

    said = record.get("explain") or {}
    click.echo(f"{text(said.get('sentence'))}\n")
    score = f"score {text(record.get('score'))}, novelty {text(record.get('novelty'))}, {text(said.get('bits'))} bits"
    click.echo(f"{text(record.get('id'))}: {score}, by {text(said.get('model'))}")
    print_table(
        (
            column("piece"),
            number("bits"),
            Column("share", lambda piece: f"{100 * piece['share']:.0f} %", right=True),
            column("meaning"),
        ),
        said.get("evidence", []),
    )
    if said.get("acted"):
        print_table((column("name", "acted"), number("factor"), column("text", "what it did")), said["acted"])
    if said.get("similar"):
        print_table((number("readings_ago", "readings ago"), column("time", "similar moment")), said["similar"])
    for line in facts(said.get("history") or {}):
        click.echo(line)


def facts(history: Mapping[str, Any]) -> list[str]:
    """The plain facts of the series, in sentences."""
    if not history:
        return []
    reached, readings = history["reached"], history["reading_count"]
    often = "once" if reached == 1 else f"{reached:,} times"
    return [
        f"The series has scored this much {often}, watched since {history['watched_since']}"
        f" ({readings:,} reading{'s' if readings != 1 else ''})."
    ]
