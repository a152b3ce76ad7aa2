"""``offbeat demo``: a simulated fleet with faults of known place, and what the daemon found of them."""
from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import click

from offbeat.cli.options import token_options

if TYPE_CHECKING:
    from offbeat.cli.client import Daemon
    from offbeat.cli.demo_fleet import Fleet
    from offbeat.cli.demo_report import Label, Report
    from offbeat.cli.sender import Body, Tally

DAY_MS = 86_400_000
BODY_EVENTS = 5_000
PATIENCE_S = 300.0


@click.command()
@click.option("--url", metavar="URL", help="A daemon that runs already; without it one is started for the demo.")
@token_options
@click.option("--sensors", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many sensors.")
@click.option(
    "--days",
    type=click.IntRange(3, 365),
    default=14,
    show_default=True,
    help="How many days of history, a reading a minute.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same values and faults.",
)
@click.option("--keep", is_flag=True, help="Leave the daemon of the demo running, with its data.")
@click.option("--live", is_flag=True, help="Go on after the report until Ctrl-C: each sensor an event a second.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.pass_context
def demo(
    ctx: click.Context, url: str | None, sensors: int, days: int, seed: int, keep: bool, live: bool, as_json: bool
) -> None:
    """Simulate sensors with labelled faults, and report which were found.

    A fault counts as found if a record scored 32 or more lies between its start and 16 minutes after its end. What was
    missed is said, too: the demo ends well when it ran, whatever was found.
    """
    from offbeat.cli.output import run

    ctx.exit(run(_demo(url, sensors=sensors, days=days, seed=seed, keep=keep, live=live, as_json=as_json)))


async def _demo(url: str | None, *, sensors: int, days: int, seed: int, keep: bool, live: bool, as_json: bool) -> int:
    from offbeat.cli.client import Daemon
    from offbeat.cli.demo_daemon import own_daemon
    from offbeat.cli.demo_fleet import Fleet
    from offbeat.clock import SystemClock

    async with AsyncExitStack() as stack:
        # In somebody's own daemon, each run has names of its own: another run's readings would come late.
        prefix = "demo-" if url is None else f"demo-{secrets.token_hex(3)}-"
        if url is None:
            click.echo("starting a daemon for the demo; the first start ever compiles its kernels …", err=True)
            own = await stack.enter_async_context(own_daemon(keep=keep))
            url = own.url
            click.echo(f"it listens at {url}", err=True)
            if keep:
                stack.callback(
                    click.echo,
                    f"the daemon goes on at {url}; `kill {own.pid}` stops it, its data is in {own.directory}",
                    err=True,
                )
        daemon = await stack.enter_async_context(Daemon(url))
        fleet = Fleet(sensors, seed, prefix=prefix)
        now_ms = SystemClock().now_ms()
        first_ms = now_ms - now_ms % 60_000 - days * DAY_MS
        started_s = time.monotonic()
        labels, tally = await send_history(daemon, fleet, days=days, first_ms=first_ms)
        seconds = time.monotonic() - started_s
        report = await report_on(daemon, fleet, labels, days=days, first_ms=first_ms, sequence=tally.sequence)
        facts = {
            "url": url,
            "sensors": sensors,
            "days": days,
            "seed": seed,
            "events": tally.accepted,
            "rejected": tally.rejected,
            "seconds": round(seconds, 3),
            "events_per_s": round(tally.accepted / seconds),
        }
        show(facts, report, as_json=as_json)
        if live:
            click.echo(
                f"live: {sensors} events a second, each a simulated minute; `offbeat watch --url {url}` shows findings;"
                " Ctrl-C ends",
                err=True,
            )
            try:
                await go_on_live(daemon, fleet, first_day=days)
            except asyncio.CancelledError:  # Ctrl-C is how it ends, and no failure
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
    return 0


async def send_history(daemon: Daemon, fleet: Fleet, *, days: int, first_ms: int) -> tuple[list[Label], Tally]:
    """Send *days* days of *fleet* from *first_ms* on and wait until they are scored; the labels of their faults."""
    from offbeat.cli.demo_fleet import STEP_S, STEPS_A_DAY
    from offbeat.cli.demo_report import Label
    from offbeat.cli.progress import progress_bar
    from offbeat.cli.sender import Body, Sender, wait_until_scored

    labels: list[Label] = []

    async def bodies() -> AsyncIterator[Body]:
        index, line, waiting = 0, 1, list[bytes]()
        for number in range(days):
            day = fleet.day(number)
            labels.extend(Label.of(fleet, fault, first_ms=first_ms) for fault in day.faults)
            for step in range(STEPS_A_DAY):
                waiting += fleet.lines(day, step, first_ms + number * DAY_MS + step * STEP_S * 1000)
                if len(waiting) >= BODY_EVENTS:
                    yield Body(index, b"\n".join(waiting) + b"\n", line, 0, len(waiting), number)
                    index, line, waiting = index + 1, line + len(waiting), []
        if waiting:
            yield Body(index, b"\n".join(waiting) + b"\n", line, 0, len(waiting), days)

    with progress_bar("sending", days) as on_answer:
        sender = Sender(
            daemon,
            parameters=(),
            content_type="application/x-ndjson",
            run=secrets.token_hex(8),
            patience_s=PATIENCE_S,
            on_answer=on_answer,
        )
        tally = await sender.send(bodies())
    await wait_until_scored(daemon, tally.sequence, patience_s=PATIENCE_S)
    return labels, tally


async def report_on(
    daemon: Daemon, fleet: Fleet, labels: list[Label], *, days: int, first_ms: int, sequence: int
) -> Report:
    """What the daemon found of *labels*."""
    from offbeat.cli.demo_report import SCORE_MIN, findings_of, judge

    names = [sensor.source for sensor in fleet.sensors]
    records: list[dict[str, Any]] = []
    parameters = [
        ("min_score", f"{SCORE_MIN:g}"),
        ("start", str(first_ms)),
        ("explain", "false"),
        ("sequence", str(sequence)),
    ]
    async for rows, _ in daemon.pages("/records", "records", parameters, None):
        records += rows
    return judge(labels, findings_of(records, names), series_count=len(names), days=days)


def show(facts: dict[str, Any], report: Report, *, as_json: bool) -> None:
    """Print the report: one document, or a table and what it leaves open."""
    from offbeat.cli.output import Column, column, number, print_json, print_table

    if as_json:
        print_json([{**facts, **report.as_dict()}])
        return
    click.echo(
        f"{facts['events']:,} events of {facts['sensors']} sensors over {facts['days']} days (seed {facts['seed']}) "
        f"in {facts['seconds']:.1f} s, {facts['events_per_s']:,} a second, scored"
    )
    if facts["rejected"]:
        click.echo(f"{facts['rejected']:,} events were rejected; `offbeat quarantine` says why")
    columns = (
        column("kind", "fault"),
        number("injected"),
        number("found"),
        number("found_at_end", "only at its end"),
        Column("median delay", lambda row: delay_text(row["median_delay_s"]), right=True),
        column("why_missed", "why some are missed, or late"),
    )
    print_table(columns, report.as_dict()["kinds"])
    click.echo(
        f"found: {report.found} of {report.injected} faults; so counts a fault with a record scored"
        f" {report.score_min:g} or more from its start to {report.tolerance_s / 60:g} minutes after its end"
    )
    precision = "" if report.precision is None else f"precision {100 * report.precision:.0f} %: "
    click.echo(
        f"{precision}{report.false_findings} of {report.findings} findings are false,"
        f" {report.false_per_series_week:.2f} per series and week"
    )


def delay_text(seconds: float | None) -> str:
    """A delay for a person."""
    if seconds is None:
        return "–"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


async def go_on_live(daemon: Daemon, fleet: Fleet, *, first_day: int) -> None:
    """Send one step of *fleet* a second, from day *first_day* on, until cancelled; say when a fault begins."""
    from offbeat.cli.demo_fleet import STEPS_A_DAY
    from offbeat.cli.sender import Body, Sender
    from offbeat.clock import SystemClock

    clock, loop = SystemClock(), asyncio.get_running_loop()

    async def bodies() -> AsyncIterator[Body]:
        index, due_s = 0, loop.time()
        while True:
            number = first_day + index // STEPS_A_DAY
            day = fleet.day(number)
            begins = {fault.first: fault for fault in day.faults}
            for step in range(STEPS_A_DAY):
                await asyncio.sleep(due_s - loop.time())
                due_s = max(due_s + 1, loop.time())  # after a stall, no burst
                if (fault := begins.get(number * STEPS_A_DAY + step)) is not None:
                    source, lasts_s = fleet.sensors[fault.sensor].source, fault.stop - fault.first
                    click.echo(f"fault: {fault.kind} of {source} for the next {lasts_s} s", err=True)
                lines = fleet.lines(day, step, clock.now_ms())
                yield Body(index, b"\n".join(lines), 1, 0, len(lines), index)
                index += 1

    await Sender(
        daemon, parameters=(), content_type="application/x-ndjson", run=secrets.token_hex(8), patience_s=PATIENCE_S
    ).send(bodies())
