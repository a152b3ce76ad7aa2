"""``offbeat jobs results``: what a job with detectors found."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from offbeat.cli.options import TIMES, as_parameters, list_options

if TYPE_CHECKING:
    from offbeat.cli.output import Column

KINDS = ("records", "buckets", "influencers", "categories", "plot")


@click.command()
@click.argument("job")
@click.option("--kind", type=click.Choice(KINDS), default="records", show_default=True, help="What to list.")
@click.option("--start", metavar="TIME", help=f"First bucket, inclusive ({TIMES}).")
@click.option("--end", metavar="TIME", help="Last bucket, exclusive.")
@click.option("--min-score", type=click.FloatRange(0, 100), help="Only those scored at least this.")
@click.option(
    "--order",
    type=click.Choice(["time", "-time", "-score"]),
    help="Oldest, newest or strongest first.  [default: time]",
)
@click.option("--interim", is_flag=True, help="With interim results of open buckets.")
@list_options
def results(
    limit: int,
    everything: bool,
    as_json: bool,
    url: str,
    job: str,
    kind: str,
    interim: bool,
    **filters: str | float | None,
) -> None:
    """List what JOB found: records, buckets, influencers, categories of messages, or points of the model plot."""
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import print_pages, run

    async def show() -> None:
        parameters = as_parameters(**filters, interim=interim or None)
        async with Daemon(url) as daemon:
            path = f"{job_path(job)}/results/{kind}"
            pages = daemon.pages(path, kind, parameters, None if everything else limit)
            await print_pages(pages, columns_of(kind), as_json=as_json, nothing=f"there are no {kind}")

    run(show())


def columns_of(kind: str) -> Sequence[Column]:
    """What is shown of each kind."""
    from offbeat.cli.output import Column, column, number

    if kind == "categories":
        return number("id"), number("matches"), column("terms"), column("regex")
    shared = number("score"), number("probability")
    if kind == "buckets":
        return column("start"), *shared, number("event_count", "events"), number("record_count", "records")
    start = column("bucket_start", "start")
    if kind == "influencers":
        return start, *shared, column("field"), column("value")
    whose = (
        Column("what", lambda one: " ".join(word for word in (one["measure"], one["field"]) if word)),
        Column("of", of),
    )
    if kind == "plot":
        return start, *whose, *map(number, ("lower", "typical", "upper", "actual"))
    return (
        start,
        *shared,
        *whose,
        Column("actual", lambda one: values(one["actual"]), right=True),
        Column("typical", lambda one: values(one["typical"]), right=True),
    )


def of(record: Mapping[str, Any]) -> str:
    """Whose record it is: each value that divides the data, under its field; and whom it does not follow any more."""
    parts = [record[name] for name in ("partition", "over", "by") if record[name]]
    words = [f"{part['field']} {part['value'] or ''}".rstrip() for part in parts]
    beside = record.get("correlated_by")
    return ", ".join([*words, f"not as {beside['value']}"] if beside else words)


def values(numbers: Sequence[float]) -> str:
    """One number, or the two of a position."""
    from offbeat.cli.output import text

    return ",".join(map(text, numbers))


COMMANDS = {"results": results}
