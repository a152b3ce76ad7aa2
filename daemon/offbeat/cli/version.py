"""``offbeat version``."""
from __future__ import annotations

import click


@click.command()
def version() -> None:
    """Print the version."""
    from importlib import metadata

    try:
        number = metadata.version("offbeat")
    except metadata.PackageNotFoundError:
        number = "(from a source tree that is not installed)"
    click.echo(f"offbeat {number}")
