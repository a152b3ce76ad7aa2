"""``offbeat jobs send``: a file of records to a job with detectors."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import FileIO

import click

from offbeat.cli.options import as_parameters, json_option, url_option

PIECE_BYTES = 256 * 1024
PATIENCE_S = 3600.0
"""The daemon answers when all is analysed."""


@click.command()
@click.argument("job")
@click.argument("file")
@click.option(
    "--format", "forced", type=click.Choice(["ndjson", "json", "csv"]), help="Of FILE.  [default: by its suffix]"
)
@click.option("--time-field", metavar="NAME", help="The field that holds the time.")
@click.option("--time-format", metavar="TEXT", help="any, epoch, epoch_ms, or a date pattern of Java.  [default: any]")
@click.option("--delimiter", metavar="CHARACTER", help="Of CSV, or tab.  [default: comma]")
@json_option
@url_option
def send(
    job: str,
    file: str,
    forced: str | None,
    time_field: str | None,
    time_format: str | None,
    delimiter: str | None,
    as_json: bool,
    url: str,
) -> None:
    """Send the records in FILE ('-': standard input) to JOB, and say what became of them.

    They are analysed in the order in which they stand. NDJSON, JSON or CSV, also compressed (.gz, .zst).
    """
    from offbeat.cli import inputs
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import print_json, run

    said, encoding = inputs.format_of(file)
    format = forced or said
    headers = {} if encoding == "identity" else {"Content-Encoding": encoding}
    if format is not None:
        headers["Content-Type"] = inputs.CONTENT_TYPES[format]  # type: ignore[index]
    parameters = as_parameters(time_field=time_field, time_format=time_format, delimiter=delimiter)
    opened, _ = inputs.open_input(file)

    async def ask() -> None:
        async with Daemon(url, timeout_s=PATIENCE_S) as daemon:
            counts = await daemon.post_bytes(
                f"{job_path(job)}/records", pieces(opened), parameters=parameters, headers=headers
            )
        if as_json:
            print_json([counts])
            return
        words = [f"{counts['processed']:,} of {counts['received']:,} records analysed"]
        for name, why in (("out_of_order", "came too late"), ("bad_time", "have no time that can be read")):
            if counts[name]:
                words.append(f"{counts[name]:,} {why}")
        if counts["missing_fields"]:
            words.append(f"{counts['missing_fields']:,} fields are missing")
        click.echo(f"{', '.join(words)}; {counts['buckets']:,} buckets are final")

    with opened:
        run(ask())


async def pieces(file: FileIO) -> AsyncIterator[bytes]:
    """*file* as it can be read, without holding up the loop."""
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece


COMMANDS = {"send": send}
