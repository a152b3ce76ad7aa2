"""``offbeat feeds``."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from offbeat.cli.options import as_parameters, json_option, url_option


@click.group(invoke_without_command=True)
@json_option
@url_option
@click.pass_context
def feeds(context: click.Context, as_json: bool, url: str) -> None:
    """List the feeds of jobs: what they read, whether they are at work, what troubles them."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def show() -> None:
        async with Daemon(url) as daemon:
            listed(list((await daemon.get("/feeds"))["feeds"]), as_json)

    if context.invoked_subcommand is None:
        run(show())


@feeds.command()
@click.argument("job")
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@url_option
def put(job: str, document: Path, as_json: bool, url: str) -> None:
    """Give JOB the feed that the JSON file DOCUMENT describes."""
    _called("PUT", job, "", as_json, url, body=document.read_bytes())


@feeds.command()
@click.argument("job")
@click.option("--start", metavar="TIME", help="Only records from this time on.")
@click.option("--end", metavar="TIME", help="Only records before it; then stop and close the job.")
@json_option
@url_option
def start(job: str, start: str | None, end: str | None, as_json: bool, url: str) -> None:
    """Begin to read for JOB, or go on where it was."""
    _called("POST", job, "/start", as_json, url, parameters=as_parameters(start=start, end=end))


@feeds.command()
@click.argument("job")
@json_option
@url_option
def stop(job: str, as_json: bool, url: str) -> None:
    """Stop reading for JOB, and close it."""
    _called("POST", job, "/stop", as_json, url)


@feeds.command()
@click.argument("job")
@url_option
def delete(job: str, url: str) -> None:
    """Take the feed of JOB away; the job stays."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def go() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(f"/jobs/{quote(job, safe='')}/feed")

    run(go())


def _called(
    method: str, job: str, what: str, as_json: bool, url: str, *, body: bytes | None = None,
    parameters: list[tuple[str, str]] | None = None,
) -> None:
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def go() -> None:
        async with Daemon(url) as daemon:
            path, headers = f"/api/v1/jobs/{quote(job, safe='')}/feed{what}", {"Content-Type": "application/json"}
            async with daemon.request(method, path, parameters=parameters or (), body=body, headers=headers) as answer:
                listed([await daemon.document(answer)], as_json)

    run(go())


def listed(documents: list[dict[str, Any]], as_json: bool) -> None:
    """Print feeds, one a row."""
    from offbeat.cli.output import Column, column, number, print_json, print_table

    if as_json:
        print_json(documents)
        return
    if not documents:
        click.echo("no job has a feed", err=True)
        return
    columns = (
        column("job"),
        column("state"),
        Column("source", where),
        number("record_count", "records"),
        number("trouble_count", "troubles"),
        column("last_read", "last read"),
        Column("trouble", lambda feed: (feed.get("trouble") or {}).get("message", "")),
    )
    print_table(columns, documents)


def where(feed: Mapping[str, Any]) -> str:
    """What a feed reads, in a few words."""
    source = feed["feed"]["source"]
    place = source.get("path") or source.get("url") or source.get("base_url", "")
    return f"{place}/{source['pattern']}" if source.get("pattern") else str(place)
