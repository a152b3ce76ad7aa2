"""``offbeat status``: how it is by all checks, a line a problem; its exit status is that of monitoring plug-ins."""
from __future__ import annotations

from typing import Any

import click

from offbeat.cli.options import as_parameters, json_option, url_option
from offbeat.errors import OffbeatError

EXITS = {"GREEN": 0, "YELLOW": 1, "RED": 2}
UNKNOWN = 3


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", metavar="ID", help="Only of this check.")
@click.option("--source", metavar="NAME", help="Only of this source.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Most lines.")
@json_option
@url_option
def status(check: str | None, source: str | None, limit: int, as_json: bool, url: str) -> None:
    """Say how it is by all checks: a line a problem, worst first, and counts.

    Ends with 0 for GREEN, 1 for YELLOW, 2 for RED, 3 if that is unknown: no daemon answers, or no check says anything.
    What is acknowledged or in maintenance does not count.
    """
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    found: dict[str, Any] = {}

    async def ask() -> None:
        async with Daemon(url) as daemon:
            parameters = as_parameters(check=check, source=source, status="YELLOW", limit=limit)
            found.update(await daemon.get("/status", parameters))

    try:
        run(ask())
    except OffbeatError as e:
        click.echo(f"UNKNOWN: {e.message}")
        if e.hint:
            click.echo(f"  hint: {e.hint}", err=True)
        raise click.exceptions.Exit(UNKNOWN) from e
    if as_json:
        print_json([found])
    else:
        for line in _lines(found):
            click.echo(line)
    raise click.exceptions.Exit(_exit(found))


def _exit(found: dict[str, Any]) -> int:
    """The exit status: what everybody knows of is well enough."""
    if found["status"] is not None:
        return EXITS[found["status"]]
    return 0 if found["acknowledged"] or found["maintenance"] else UNKNOWN


def _lines(found: dict[str, Any]) -> list[str]:
    from offbeat.cli.output import text

    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    besides = "".join(f", {found[name]} {word}" for name, word in
                      (("acknowledged", "acknowledged"), ("maintenance", "in maintenance")) if found[name])
    nothing = not any(found["counts"].values()) and not besides
    first = "UNKNOWN: no check has said anything" if nothing else f"{found['status'] or 'GREEN'}: {counts}{besides}"
    lines = [first]
    for one in found["outcomes"]:
        notes = [word for word in ("stale", "acknowledged", "maintenance") if one[word]]
        note = f" ({', '.join(notes)})" if notes else ""
        lines.append(text(
            f"{one['status']} {one['check']} {one['source']} {'+'.join(one['fields'])} [{one['subject']}] since "
            f"{one['since']}{note}: {one['message']}"))
    if found["next_cursor"]:
        lines.append(f"there are more: --limit {10 * len(found['outcomes'])}")
    return lines
