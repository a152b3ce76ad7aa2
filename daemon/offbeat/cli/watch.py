"""``offbeat watch``: the daemon's stream in the terminal, going on where it was after a break."""
from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import orjson

from offbeat.cli.exits import CommandFailed, NotReachable
from offbeat.cli.options import as_parameters, json_option, url_option

if TYPE_CHECKING:
    from offbeat.cli.client import Daemon, Parameters

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of the stream: its kind (record, bucket, status) and its document."""

    kind: str
    document: dict[str, Any]


@click.command()
@click.option("--job", metavar="NAME", help="The job.  [default: watch]")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; may be repeated.")
@click.option("--min-score", type=click.FloatRange(0, 100), help="Only what is scored at least this.")
@click.option("--types", metavar="LIST", help="Of record, bucket, status; comma-separated.  [default: record,status]")
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many.")
@json_option
@url_option
def watch(
    url: str,
    as_json: bool,
    count: int | None,
    types: str | None,
    min_score: float | None,
    sources: tuple[str, ...],
    job: str | None,
) -> None:
    """Follow findings as they are made, until Ctrl-C. A lost connection is taken up again without a gap.

    On a terminal a table of the newest; elsewhere a line each.
    """
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    parameters = as_parameters(job=job, source=sources, min_score=min_score, types=types or "record,status")

    async def follow_and_show() -> None:
        async with Daemon(url) as daemon, aclosing(follow(daemon, parameters, trouble=say)) as events:
            if sys.stdout.isatty() and not as_json:
                await _live(events, count)
            else:
                await _lines(events, count, as_json=as_json)

    run(follow_and_show())


def say(problem: str) -> None:
    """Tell of a break on stderr, beside what is shown."""
    click.echo(f"offbeat: {problem}", err=True)


async def follow(
    daemon: Daemon, parameters: Parameters, *, trouble: Callable[[str], None], backoff_first_s: float = BACKOFF_FIRST_S
) -> AsyncGenerator[Heard, None]:
    """The events of the stream without end; after a break, those after the last one heard.

    *trouble* hears of each break. Raises what the first request raises; later ones are repeated after 0.5 s doubling
    to 30 s.
    """
    from offbeat.cli.client import Refusal
    from offbeat.client.sse import Parser

    last_id, reached, backoff_s = "", False, backoff_first_s
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        problem: CommandFailed
        wait_s: float | None = None
        try:
            async with daemon.request("GET", "/api/v1/stream", parameters=parameters, headers=headers) as answer:
                if answer.status != 200 or answer.content_type != "text/event-stream":
                    document = await daemon.document(answer)
                    raise NotReachable(f"the daemon's stream is no stream of events: {sorted(document)}")
                reached, parser = True, Parser()
                async for chunk in answer.content.iter_any():
                    for message in parser.feed(chunk):
                        backoff_s = backoff_first_s
                        yield Heard(message.kind, _document(message.data))
                        last_id = message.id or last_id
                problem = NotReachable("the daemon ended the stream")
        except Refusal as e:
            if not reached or e.status not in (429, 502, 503, 504):
                raise
            problem, wait_s = e, e.retry_after_s
        except NotReachable as e:
            if not reached:
                raise
            problem = e
        except ValueError as e:
            raise CommandFailed(f"the daemon's stream makes no sense: {e}") from e
        wait_s = backoff_s if wait_s is None else wait_s
        trouble(f"{problem.message}; trying again in {wait_s:.1f} s")
        await asyncio.sleep(wait_s)
        backoff_s = min(BACKOFF_MAX_S, 2 * backoff_s)


def _document(data: str) -> dict[str, Any]:
    document = orjson.loads(data)
    if not isinstance(document, dict):
        raise ValueError(f"{data[:80]!r} is no JSON object")
    return document


def line_of(heard: Heard) -> str:
    """One event as a line."""
    from offbeat.cli.output import text

    d = heard.document
    if heard.kind == "record":
        sentence = (d.get("explain") or {}).get("sentence") or f"{d.get('field')} was {text(d.get('actual'))}"
        return f"{d.get('time')}  {float(d.get('score') or 0):5.1f}  {text(d.get('source'))}  {text(sentence)}"
    if heard.kind == "bucket":
        what = f"bucket of {text(d.get('event_count'))} events"
        return f"{d.get('start')}  {float(d.get('score') or 0):5.1f}  {text(d.get('source'))}  {what}"
    return "status  " + ", ".join(f"{key} {text(value)}" for key, value in d.items())


async def _lines(events: AsyncIterator[Heard], count: int | None, *, as_json: bool) -> None:
    shown = 0
    async for heard in events:
        click.echo(orjson.dumps({"type": heard.kind, **heard.document}) if as_json else line_of(heard))
        shown += 1
        if shown == count:
            return


async def _live(events: AsyncIterator[Heard], count: int | None) -> None:
    """The newest events as a table that fits the window."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    newest: deque[Heard] = deque(maxlen=max(5, console.height - 6))
    shown = 0
    with Live(_table(newest, shown), console=console, auto_refresh=False) as live:
        async for heard in events:
            newest.appendleft(heard)
            shown += 1
            live.update(_table(newest, shown), refresh=True)
            if shown == count:
                return


def _table(newest: deque[Heard], shown: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from offbeat.cli.output import text

    caption = f"{shown} so far, the newest first; Ctrl-C ends" if shown else "listening; Ctrl-C ends"
    table = Table(box=box.SIMPLE_HEAD, caption=caption, expand=True)
    for heading, right in (("time", False), ("score", True), ("source", False), ("what", False)):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for heard in newest:
        d = heard.document
        score = d.get("score")
        style = "" if score is None else "bold red" if score >= 75 else "yellow" if score >= 50 else ""
        what = (d.get("explain") or {}).get("sentence") if heard.kind == "record" else line_of(heard)
        table.add_row(
            text(d.get("time") or d.get("start")),
            Text(f"{score:.1f}" if isinstance(score, int | float) else "", style=style),
            text(d.get("source")),
            Text(text(what)),
        )
    return table
