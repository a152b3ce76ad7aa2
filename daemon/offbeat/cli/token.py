"""``offbeat token``: tokens made, listed and revoked in the store itself, beside a daemon that runs or without one."""
from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offbeat.cli.exits import CommandFailed, WrongUsage
from offbeat.cli.options import DURATION, TIMES, Command, json_option

if TYPE_CHECKING:
    from offbeat.store.tokens import KeptToken

CONTEXT = {"help_option_names": ["-h", "--help"]}


def state_dir_option(command: Command) -> Command:
    """``--state-dir``: of which daemon."""
    return click.option(
        "--state-dir", type=click.Path(file_okay=False, path_type=Path), default="offbeat-data", show_default=True,
        help="The daemon's state directory.",
    )(command)  # fmt: skip


@click.group(context_settings=CONTEXT)
def token() -> None:
    """Say who may send (ingest), ask (read) and change things (admin).

    The store itself is changed, so whoever may write the state directory may do this, whether the daemon runs or not.
    A daemon that runs takes a new token at once, and a revoked one for half a second more.
    """


@token.command()
@click.option("--scope", "scopes", required=True, metavar="SCOPES", help="Some of ingest, read, admin; by commas.")
@click.option("--name", required=True, metavar="NAME", help="Who it is for.")
@click.option("--expires", metavar="WHEN", help=f"After a time as 90d, or at one ({TIMES}).  [default: never]")
@state_dir_option
def create(scopes: str, name: str, expires: str | None, state_dir: Path) -> None:
    """Make a token and print it, this once: what is kept is only a hash."""
    from offbeat.clock import SystemClock
    from offbeat.errors import BadRequest
    from offbeat.store import tokens

    now_ms = SystemClock().now_ms()
    until_ms = None if expires is None else when_ms(expires, now_ms)
    with tokens.beside(state_dir) as db:
        try:
            known, asked = tokens.kept(db.execute(tokens.SELECT)), [scope for scope in scopes.split(",") if scope]
            made, secret, statements = tokens.made(known, name, asked, until_ms, now_ms)
        except BadRequest as e:
            raise WrongUsage(e.message, hint=e.hint, where=e.where) from None
        tokens.write(db, statements)
    click.echo(secret)
    click.echo(f"the token {made.name} ({', '.join(made.scopes)}) {_until(made)}; it is shown this once", err=True)


def when_ms(text: str, now_ms: int) -> int:
    """The time that *text* says: a duration with its unit from now on, or a time. Raises WrongUsage."""
    from offbeat.wire.times import TIME_MS_MAX, parse_text_ms

    if re.fullmatch(r"\d.*[smhd]", text, re.ASCII):
        return min(now_ms + int(DURATION.convert(text, None, None) * 1000), TIME_MS_MAX)
    ms = parse_text_ms(text, None)
    if ms is None:
        raise WrongUsage(f"--expires is {text!r:.80}: expected a duration as 90d, or a time: {TIMES}")
    return ms


def _until(one: KeptToken) -> str:
    from offbeat.alerts.payload import iso

    return "for good" if one.expires_ms is None else f"until {iso(one.expires_ms)}"


@token.command("list")
@json_option
@state_dir_option
def listed(as_json: bool, state_dir: Path) -> None:
    """List the tokens, the oldest first, also those that are revoked."""
    from offbeat.cli.output import column, print_json, print_table
    from offbeat.clock import SystemClock
    from offbeat.http.tokens import token as document
    from offbeat.store import tokens

    now_ms = SystemClock().now_ms()
    _needs_store(state_dir)
    with tokens.beside(state_dir) as db:
        rows: list[dict[str, Any]] = [document(one, now_ms) for one in tokens.kept(db.execute(tokens.SELECT))]
    if as_json:
        print_json(rows)
        return
    shown = [{**row, "scopes": ",".join(row["scopes"])} for row in rows]
    print_table([column(name) for name in ("id", "name", "scopes", "state", "created", "expires")], shown)
    if not rows:
        click.echo("there is no token: everything is open on loopback", err=True)


@token.command()
@click.argument("token")
@state_dir_option
def revoke(token: str, state_dir: Path) -> None:
    """Revoke TOKEN, by its name or id. The doors stay shut, also when it was the last: `token forget` opens them."""
    from offbeat.clock import SystemClock
    from offbeat.store import tokens

    _needs_store(state_dir)
    with tokens.beside(state_dir) as db:
        one, statements = tokens.revoked(tokens.kept(db.execute(tokens.SELECT)), token, SystemClock().now_ms())
        tokens.write(db, statements)
    click.echo(f"the token {one.name} ({one.id}) is revoked")


@token.command()
@click.option("--all", "everything", is_flag=True, help="Yes, all of them.")
@state_dir_option
def forget(everything: bool, state_dir: Path) -> None:
    """Forget all tokens, revoked ones too: on loopback everything is open again, as before the first."""
    from offbeat.store import tokens

    if not everything:
        raise WrongUsage("all tokens would be forgotten", hint="say --all if that is meant")
    _needs_store(state_dir)
    with tokens.beside(state_dir) as db:
        count = len(tokens.kept(db.execute(tokens.SELECT)))
        tokens.write(db, tokens.FORGET)
    click.echo(f"{count} {'token is' if count == 1 else 'tokens are'} forgotten; there is none now")


def _needs_store(state_dir: Path) -> None:
    from offbeat.store.database import FILE_NAME

    if not (state_dir / FILE_NAME).exists():
        raise CommandFailed(f"there is no store in {state_dir}", hint="--state-dir says where the daemon has its own")
