"""``offbeat verify``: is what is stored what the journal says?"""
from __future__ import annotations

import os
from pathlib import Path

import click

from offbeat.cli.exits import Status


@click.command()
@click.option(
    "--state-dir",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The daemon's state directory.",
)
@click.pass_context
def verify(ctx: click.Context, state_dir: Path) -> None:
    """Replay the journal and compare with what is stored, bit for bit. The daemon must not be running.

    Ends with status 7 if anything differs, and lists what.
    """
    from offbeat.cli.serve import place_compiled_code

    place_compiled_code(os.environ)
    from offbeat import assembly

    report = assembly.verify(state_dir)
    entries = f"{report.entries} journal {'entry' if report.entries == 1 else 'entries'} replayed"
    if not report.differences:
        click.echo(f"{entries}: the results are the same, bit for bit")
        return
    for difference in report.differences:
        click.echo(difference)
    click.echo(
        f"{entries}: {len(report.differences)} {'difference' if len(report.differences) == 1 else 'differences'}"
    )
    ctx.exit(Status.DIFFERENT)
