"""``offbeat buckets``."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import as_parameters, finding_filters, list_options


@click.command()
@click.option(
    "--scope",
    type=click.Choice(["source", "job"]),
    help="Buckets of each source, or of the whole job.  [default: source]",
)
@finding_filters
@list_options
def buckets(
    limit: int, everything: bool, as_json: bool, url: str, sources: tuple[str, ...], scope: str | None, **filters: Any
) -> None:
    """List bucket scores.

    Start and end are of the bucket's start. With --min-score, or by --order -score, only buckets that hold a finding.
    """
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import column, number, print_pages, run

    whose = number("source_count", "sources") if scope == "job" else column("source")
    columns = (
        column("start"),
        column("job"),
        whose,
        number("score"),
        number("novelty"),
        number("event_count", "events"),
        number("record_count", "records"),
        number("bucket_span_s", "span s"),
        column("interim"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages(
                "/buckets",
                "buckets",
                as_parameters(scope=scope, source=sources, **filters),
                None if everything else limit,
            )
            await print_pages(pages, columns, as_json=as_json, nothing="no bucket fits")

    run(show())
