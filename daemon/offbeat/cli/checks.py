"""``offbeat checks``: rules on series; given as JSON, listed, run, tried on the past, acknowledged."""
from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import quote

import click

from offbeat.cli.exits import WrongUsage
from offbeat.cli.options import TIMES, as_parameters, json_option, list_options, url_option, who

CONTEXT = {"help_option_names": ["-h", "--help"]}
STATUSES = ("GREEN", "YELLOW", "RED")


@click.group(context_settings=CONTEXT)
def checks() -> None:
    """Rules on series that say GREEN, YELLOW or RED. `offbeat status` says how it is."""


def check_path(id: str) -> str:
    """The path of one check below /api/v1, whatever its id holds."""
    return f"/checks/{quote(id, safe='')}"


@checks.command("list")
@click.option("--source", metavar="NAME", help="Only checks that are bound to this source.")
@click.option("--field", metavar="NAME", help="Only checks that are bound to this field.")
@list_options
def listed(source: str | None, field: str | None, limit: int, everything: bool, as_json: bool, url: str) -> None:
    """List the checks."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_pages, run

    columns = (
        column("id"), column("kind"), column("status"),
        *(Column(status, lambda check, status=status: check["counts"][status], right=True)  # type: ignore[misc]
          for status in STATUSES),
        number("interval_s", "every s"), column("enabled"), Column("series", _series), column("description"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            parameters = as_parameters(source=source, field=field)
            pages = daemon.pages("/checks", "checks", parameters, None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="there is no check")

    run(show())


def _series(check: Mapping[str, Any]) -> str:
    """What a check is bound to, in a few words."""
    words = []
    for one in check["series"]:
        if "columns" in one:
            words.append("+".join(f"{c['source']}.{c['field']}" for c in one["columns"]))
        else:
            words.append(f"{one['source']}.{'+'.join(one.get('fields', [one.get('field')]))}")
    return ", ".join(words)


@checks.command()
@click.argument("id")
@url_option
def show(id: str, url: str) -> None:
    """Show the check ID as the document that `offbeat checks update` takes."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def shown() -> None:
        async with Daemon(url) as daemon:
            _print_document(await daemon.get(check_path(id)))

    run(shown())


def _print_document(document: object) -> None:
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _document(file: IO[bytes]) -> dict[str, Any]:
    import orjson

    try:
        document = orjson.loads(file.read())
    except orjson.JSONDecodeError as e:
        raise WrongUsage(f"{file.name} is not JSON: {e}") from e
    if not isinstance(document, dict):
        raise WrongUsage(f"{file.name} is not an object of JSON")
    return document


@checks.command()
@click.argument("file", type=click.File("rb"))
@json_option
@url_option
def create(file: IO[bytes], as_json: bool, url: str) -> None:
    """Make the check that the JSON FILE describes; - reads it from the standard input."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = _document(file)

    async def make() -> None:
        async with Daemon(url) as daemon:
            made = await daemon.post("/checks", document)
        if as_json:
            print_json([made])
        else:
            click.echo(f"check {made['id']} is in force")

    run(make())


@checks.command()
@click.argument("file", type=click.File("rb"))
@json_option
@url_option
def update(file: IO[bytes], as_json: bool, url: str) -> None:
    """Replace the check whose id the JSON FILE has; - reads it from the standard input."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = _document(file)
    if not isinstance(document.get("id"), str):
        raise WrongUsage(f"{file.name} has no id")

    async def put() -> None:
        async with Daemon(url) as daemon:
            made = await daemon.put(check_path(document["id"]), document)
        if as_json:
            print_json([made])
        else:
            click.echo(f"check {made['id']} is replaced")

    run(put())


@checks.command()
@click.argument("id")
@url_option
def delete(id: str, url: str) -> None:
    """Take the check ID away, with all that it ever said."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def take_away() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(check_path(id))
        click.echo(f"check {id} is gone")

    run(take_away())


@checks.command()
@json_option
@url_option
def kinds(as_json: bool, url: str) -> None:
    """List the kinds of checks and their parameters, and the plug-ins that are broken."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, print_json, print_table, run

    def parameters(kind: Mapping[str, Any]) -> str:
        return ", ".join(f"{p['name']}{'!' if p['required'] else ''}" for p in kind["parameters"])

    async def show() -> None:
        async with Daemon(url) as daemon:
            document = await daemon.get("/check-kinds")
        if as_json:
            print_json([document])
            return
        print_table((column("kind"), column("from"), Column("parameters", parameters), column("about")),
                    document["kinds"])
        for one in document["broken"]:
            click.echo(f"broken: {one['where']}, line {one['line']}: {one['message']}", err=True)

    run(show())


@checks.command("run")
@click.argument("id")
@click.option("--as-of", metavar="TIME", help=f"As it was then, stored nowhere ({TIMES}).  [default: now]")
@json_option
@url_option
def run_check(id: str, as_of: str | None, as_json: bool, url: str) -> None:
    """Run the check ID for all its subjects."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def go() -> None:
        async with Daemon(url, timeout_s=600.0) as daemon:
            document = await daemon.post(f"{check_path(id)}/run", {} if as_of is None else {"as_of": as_of})
        _print_outcomes(document["outcomes"], as_json)

    run(go())


def _outcome_columns() -> Any:
    from offbeat.cli.output import Column, column, number

    return (
        number("outcome"), column("ran"), column("check"), number("subject"), column("source"),
        Column("fields", lambda one: ", ".join(one["fields"])), column("status"), column("reason"), column("message"),
    )


def _print_outcomes(outcomes: list[Any], as_json: bool) -> None:
    from offbeat.cli.output import print_json, print_table

    if as_json:
        print_json(outcomes)
    elif outcomes:
        print_table(_outcome_columns(), outcomes)
    else:
        click.echo("there is no outcome", err=True)


@checks.command()
@click.option("--check", metavar="ID", help="Only of this check.")
@click.option("--subject", type=click.IntRange(min=1), help="Only of this subject.")
@click.option("--source", metavar="NAME", help="Only of this source.")
@click.option("--field", metavar="NAME", help="Only of this field.")
@click.option("--status", type=click.Choice(STATUSES), help="Only this, or worse.")
@click.option("--start", metavar="TIME", help=f"Only of runs at this time or later ({TIMES}).")
@click.option("--end", metavar="TIME", help="Only of runs before.")
@list_options
def history(limit: int, everything: bool, as_json: bool, url: str, **asked: Any) -> None:
    """List what checks said at each change, newest first."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_pages, run

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/outcomes", "outcomes", as_parameters(**asked), None if everything else limit)
            await print_pages(pages, _outcome_columns(), as_json=as_json, nothing="there is no outcome")

    run(show())


@checks.command()
@click.argument("subject", type=click.IntRange(min=1))
@click.option("--comment", default="", metavar="TEXT", help="What is done about it.")
@click.option("--who", "name", metavar="NAME", help="Who knows of it.  [default: you]")
@click.option("--undo", is_flag=True, help="Take it back.")
@url_option
def acknowledge(subject: int, comment: str, name: str | None, undo: bool, url: str) -> None:
    """Say that you know of what SUBJECT says; that ends once it is GREEN again."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    async def go() -> None:
        path = f"/status/{subject}/acknowledgement"
        async with Daemon(url) as daemon:
            if undo:
                await daemon.delete(path)
                click.echo(f"subject {subject} is not acknowledged any more")
                return
            one = await daemon.put(path, {"who": name or who(), "comment": comment})
        known = one["acknowledged"]["who"]
        click.echo(f"{one['check']} of {one['source']} is {one['status']}, which {known} knows")

    run(go())


@checks.command()
@click.argument("file", type=click.File("rb"))
@click.option("--start", required=True, metavar="TIME", help=f"From when on ({TIMES}).")
@click.option("--end", required=True, metavar="TIME", help="Until when, exclusive.")
@json_option
@url_option
def preview(file: IO[bytes], start: str, end: str, as_json: bool, url: str) -> None:
    """Say what the check in the JSON FILE would have said of stored readings; nothing is stored."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import print_json, run

    document = _document(file)

    async def ask() -> None:
        async with Daemon(url, timeout_s=600.0) as daemon:
            found = await daemon.post("/checks/preview", {**document, "start": start, "end": end})
        if as_json:
            print_json([found])
            return
        _print_outcomes(found["outcomes"], False)
        counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items())
        click.echo(f"{found['runs']} runs: {counts}", err=True)
        if found["cut"]:
            click.echo(f"cut: {found['cut']}", err=True)

    run(ask())
