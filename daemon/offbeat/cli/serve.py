"""``offbeat serve``: settings from a file and from options, then the daemon. What the daemon is, service.py says."""
from __future__ import annotations

import gc
import os
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from offbeat.config import Config


def settings(config_path: Path | None, *, host: str | None, port: int | None, state_dir: str | None,
             allow_anonymous: bool = False) -> Config:
    """The settings of the file at *config_path* (the defaults without one), with what the command line says instead."""
    from offbeat import config as configuration

    config = configuration.load(config_path) if config_path else configuration.from_mapping({})
    if host is not None:
        config = replace(config, http=replace(config.http, host=host))
    if port is not None:
        config = replace(config, http=replace(config.http, port=port))
    if allow_anonymous:
        config = replace(config, http=replace(config.http, allow_anonymous=True))
    if state_dir is not None:
        config = replace(config, store=replace(config.store, state_dir=state_dir))
    return config


def place_compiled_code(environment: MutableMapping[str, str]) -> None:
    """Keep compiled kernels in the service manager's cache directory: an installed package may be read-only.

    Takes effect only before numba is first imported. A NUMBA_CACHE_DIR that is set already stays.
    """
    given = environment.get("CACHE_DIRECTORY", "").split(":")[0]
    if given and "NUMBA_CACHE_DIR" not in environment:
        environment["NUMBA_CACHE_DIR"] = given


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes any free one.  [default: 7373]")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False),
    help="The one directory that is written to.  [default: offbeat-data]",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file of settings; options override it.",
)
@click.option("--allow-anonymous", is_flag=True, help="Listen beyond loopback though there is no token.")
@click.pass_context
def serve(
    ctx: click.Context, host: str | None, port: int | None, state_dir: str | None, config_path: Path | None,
    allow_anonymous: bool,
) -> None:
    """Run the daemon until it is stopped (SIGTERM, or Ctrl-C). SIGHUP reads the config file again."""
    config = settings(config_path, host=host, port=port, state_dir=state_dir, allow_anonymous=allow_anonymous)
    place_compiled_code(os.environ)
    gc.disable()  # until the daemon recovers: what is imported stays, and looking at it again and again took 0.1 s
    from offbeat import serving

    ctx.exit(serving.serve(config, config_path=config_path))
