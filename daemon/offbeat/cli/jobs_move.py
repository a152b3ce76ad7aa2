"""``offbeat jobs export`` and ``offbeat jobs import``: a job as one file, to go on in another daemon."""
from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from offbeat.cli.exits import CommandFailed, WrongUsage
from offbeat.cli.options import as_parameters, json_option, url_option

PIECE_BYTES = 256 * 1024
PATIENCE_S = 3600.0
"""A large job is packed, or written, before the daemon answers."""


@click.command("export")
@click.argument("job")
@click.argument("file", required=False)
@click.option("--no-results", is_flag=True, help="Without its results: only what it is asked, and its models.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@url_option
def export_job(job: str, file: str | None, no_results: bool, force: bool, url: str) -> None:
    """Write JOB to FILE ('-': standard output; default JOB.offbeat.zip): what it is asked, its models, its results."""
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import run

    name = file or f"{job}.offbeat.zip"
    if name != "-" and Path(name).exists() and not force:
        raise WrongUsage(f"{name} is there already", hint="--force replaces it")
    part = f"{name}.part"

    async def ask() -> None:
        parameters = as_parameters(results=False if no_results else None)
        async with Daemon(url, timeout_s=PATIENCE_S) as daemon, daemon.request(
            "GET", f"/api/v1{job_path(job)}/export", parameters=parameters
        ) as answer:
            if answer.status != 200:
                await daemon.document(answer)
            size = 0
            try:
                with click.open_file("-" if name == "-" else part, "wb") as out:
                    async for piece in answer.content.iter_chunked(PIECE_BYTES):
                        size += len(piece)
                        await asyncio.to_thread(out.write, piece)
                if name != "-":
                    os.replace(part, name)
            except OSError as e:
                raise CommandFailed(f"cannot write {name}: {e.strerror}") from e
            click.echo(f"{job} is in {name}, {size:,} bytes", err=name == "-")

    try:
        run(ask())
    finally:
        Path(part).unlink(missing_ok=True)  # what broke off is no file of a job


@click.command("import")
@click.argument("file")
@click.option("--as", "name", metavar="NAME", help="Its name here.  [default: that which it had]")
@json_option
@url_option
def import_job(file: str, name: str | None, as_json: bool, url: str) -> None:
    """Go on with the job in FILE ('-': standard input), as if nothing had happened."""
    from offbeat.cli import inputs
    from offbeat.cli.client import Daemon
    from offbeat.cli.jobs import print_job
    from offbeat.cli.jobs_send import pieces
    from offbeat.cli.output import run

    opened, _ = inputs.open_input(file)

    async def ask() -> None:
        async with Daemon(url, timeout_s=PATIENCE_S) as daemon:
            made = await daemon.post_bytes(
                "/jobs/import",
                pieces(opened),
                parameters=[] if name is None else [("as", name)],
                headers={"Content-Type": "application/zip"},
            )
        print_job(made, as_json=as_json)

    with opened:
        run(ask())


COMMANDS = {"export": export_job, "import": import_job}
