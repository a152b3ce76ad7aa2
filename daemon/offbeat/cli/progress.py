"""The bar of a long sending, on stderr; nothing at all where stderr is no terminal."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offbeat.cli.sender import Tally


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Callable[[Tally], None]]:
    """A bar with events, rate and time left; call what it gives after each answer.

    total  of Tally.position (bytes, steps, …); None if unknown: then there is no time left to tell
    """
    if not sys.stderr.isatty():
        yield lambda tally: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total, events=0, rate=0.0)
        started_s = time.monotonic()

        def show(tally: Tally) -> None:
            count = tally.accepted + tally.rejected
            progress.update(
                task, completed=tally.position, events=count, rate=count / max(1e-6, time.monotonic() - started_s)
            )

        yield show
