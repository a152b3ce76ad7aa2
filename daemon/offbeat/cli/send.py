"""``offbeat send``: a file of events to the daemon, whole, once, and told what became of each line."""
from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from offbeat.cli.exits import CommandFailed, Status, WrongUsage
from offbeat.cli.options import as_parameters, url_option

if TYPE_CHECKING:
    from offbeat.cli.inputs import Chunk, Idle
    from offbeat.cli.sender import Body, Tally
    from offbeat.wire import Format, Options

ERRORS_SHOWN = 20


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["ndjson", "json", "csv", "influx"]),
    help="What FILE holds.  [default: by its suffix: .ndjson .jsonl .json .csv .lp .txt, also with .gz or .zst]",
)
@click.option(
    "--source", "source", multiple=True, metavar="FIELD", help="The field that names the source; may be repeated."
)
@click.option("--time", "time_", multiple=True, metavar="FIELD", help="The field that holds the time; may be repeated.")
@click.option(
    "--precision", type=click.Choice(["s", "ms", "us", "ns"]), help="Of epoch times.  [default: by magnitude]"
)
@click.option("--delimiter", metavar="CHARACTER", help="Of CSV: one character, or tab.  [default: ,]")
@click.option(
    "--text", "text", multiple=True, metavar="FIELD", help="A field that is text even where it looks like a number."
)
@click.option(
    "--batch",
    "lines_max",
    type=click.IntRange(1, 1_000_000),
    default=20_000,
    show_default=True,
    help="Most lines a request.",
)
@click.option(
    "--batch-bytes",
    "bytes_max",
    type=click.IntRange(1024, 4 * 1024 * 1024),
    default=1024 * 1024,
    show_default=True,
    help="Most bytes a request.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Requests at a time; with more than 1 the order is not the file's.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), metavar="NUMBER", help="Most events a second.")
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to repeat a request that fails.",
)
@click.option(
    "--run",
    "run_name",
    metavar="NAME",
    help="Name this run; the same FILE sent again under it is not counted twice (for a day).",
)
@click.option("--wait/--no-wait", default=True, help="Wait until all is scored, or only until it is durable.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON document.")
@url_option
@click.pass_context
def send(ctx: click.Context, /, **options: Any) -> None:
    """Send FILE (- is standard input) to the daemon.

    The file is read as it is sent, in bounded memory. A request that fails is repeated, and counted once. Rejected
    lines are listed with their numbers in FILE and make the status 6; the other lines are taken.
    """
    from offbeat.cli.output import run

    ctx.exit(run(_send(**options)))


async def _send(
    *,
    file: str,
    format_name: Format | None,
    source: tuple[str, ...],
    time_: tuple[str, ...],
    precision: str | None,
    delimiter: str | None,
    text: tuple[str, ...],
    lines_max: int,
    bytes_max: int,
    connections: int,
    rate: float | None,
    patience_s: float,
    run_name: str | None,
    wait: bool,
    as_json: bool,
    url: str,
) -> int:
    from offbeat.cli import inputs
    from offbeat.cli.client import Daemon
    from offbeat.cli.progress import progress_bar
    from offbeat.cli.sender import Sender, wait_until_scored

    by_name, encoding = inputs.format_of(file)
    opened, size = inputs.open_input(file)
    with opened:
        stream = inputs.chunks(opened, encoding, regular=size is not None)
        format = format_name or by_name
        if format is None:
            format, stream = await _guessed(stream)
        if format is None:
            raise WrongUsage(
                f"the format of {file} is not plain from its name or first byte",
                hint="say --format ndjson, json, csv or influx",
            )
        if delimiter is not None and format != "csv":
            raise WrongUsage(
                f"--delimiter is of CSV, and {file} is sent as {format}", hint="leave it out, or say --format csv"
            )
        options = inputs.options_of(format, delimiter)
        sent_as: Format = "ndjson" if format == "json" else format  # the cutter makes lines of an array's elements
        if rate is not None:
            lines_max = min(lines_max, max(1, int(rate)))  # about a request a second, not one great gulp
        parameters = as_parameters(source=source, time=time_, precision=precision, delimiter=delimiter, text=text)
        run = run_name or secrets.token_hex(8)
        started_s = time.monotonic()
        async with Daemon(url, connections=connections + 1) as daemon:
            with progress_bar(f"sending {file}", size) as on_answer:
                sender = Sender(
                    daemon,
                    parameters=parameters,
                    content_type=inputs.CONTENT_TYPES[sent_as],
                    run=run,
                    connections=connections,
                    rate=rate,
                    patience_s=patience_s,
                    on_answer=on_answer,
                )
                try:
                    await sender.send(_threaded(stream, options, lines_max=lines_max, bytes_max=bytes_max))
                except CommandFailed:
                    _report_what_went_before(sender.tally, file=file, run=run)
                    raise
            seconds = time.monotonic() - started_s
            if wait and sender.tally.bodies:
                await wait_until_scored(daemon, sender.tally.sequence, patience_s=patience_s)
    _report(
        sender.tally,
        file=file,
        seconds=seconds,
        scored=wait,
        as_json=as_json,
        unit="element" if format == "json" else "line",
    )
    return Status.SOME_REJECTED if sender.tally.rejected else Status.GOOD


async def _guessed(stream: Iterator[Chunk | Idle]) -> tuple[Format | None, Iterator[Chunk | Idle]]:
    """The format that the first byte says, and the whole stream; of a stream of nothing any format will do."""
    from offbeat.cli import inputs

    held: list[Chunk | Idle] = []
    while True:
        piece = await asyncio.to_thread(next, stream, None)
        if piece is None:
            return "ndjson", iter(held)
        if isinstance(piece, inputs.Chunk):
            held.append(piece)
            if piece.data.strip():
                return inputs.format_by_first_byte(piece.data), chain(held, stream)


async def _threaded(stream: Iterator[Any], options: Options, *, lines_max: int, bytes_max: int) -> AsyncIterator[Body]:
    """The bodies of *stream*, read in a thread, each when it is asked for; cancelling waits 0.2 s at most."""
    from offbeat.cli import inputs
    from offbeat.cli.sender import Body

    cut: Iterator[Body | Idle] = inputs.bodies(stream, options, lines_max=lines_max, bytes_max=bytes_max)
    end = object()
    while True:
        body = await asyncio.to_thread(next, cut, end)
        if body is end:
            return
        if isinstance(body, Body):
            yield body


def _report_what_went_before(tally: Tally, *, file: str, run: str) -> None:
    """Before an error that ends the sending: what was counted until there, on stderr."""
    if tally.bodies:
        click.echo(
            f"{tally.accepted:,} events of {file} were taken before the error, {tally.rejected:,} lines rejected",
            err=True,
        )
        if file != "-":
            click.echo(f"to go on: the same command with --run {run}; what was taken is not counted again", err=True)


def _report(tally: Tally, *, file: str, seconds: float, scored: bool, as_json: bool, unit: str) -> None:
    errors = tally.first_errors(ERRORS_SHOWN)
    omitted = tally.rejected - len(errors)
    if as_json:
        from offbeat.cli.output import print_json

        outcome = {
            "accepted": tally.accepted,
            "rejected": tally.rejected,
            "errors": [error.as_dict() for error in errors],
            "errors_omitted": omitted,
            "sequence": tally.sequence,
            "requests": tally.bodies,
            "retries": tally.retries,
            "seconds": round(seconds, 3),
        }
        print_json([outcome])
        return
    sys.stdout.flush()
    for error in errors:
        click.echo(f"{file}: {unit} {error.line}: {error.code}: {error.reason}", err=True)
    if omitted:
        click.echo(f"{file}: {omitted:,} more; `offbeat quarantine` lists the newest", err=True)
    rate = f"{tally.accepted / seconds:,.0f} a second" if seconds > 0 else ""
    retried = f", {tally.retries} requests repeated" if tally.retries else ""
    click.echo(
        f"{tally.accepted:,} events accepted, {tally.rejected:,} rejected, in {seconds:.1f} s ({rate}){retried};"
        f" {'all is scored' if scored else 'all is durable'} up to entry {tally.sequence}"
    )
