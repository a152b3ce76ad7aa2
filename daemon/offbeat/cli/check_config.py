"""``offbeat check-config``: is a config file good, and what does it come to?"""
from __future__ import annotations

from pathlib import Path

import click


@click.command("check-config")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--print", "show", is_flag=True, help="Print the effective settings as TOML instead.")
def check_config(file: Path, show: bool) -> None:
    """Say whether FILE is a good config file; ends with status 2 and says where if it is not."""
    from offbeat import config as configuration

    config = configuration.load(file)
    if show:
        from offbeat.cli.sample import effective_toml

        click.echo(effective_toml(config), nl=False)
    else:
        click.echo(f"{file} is good")
