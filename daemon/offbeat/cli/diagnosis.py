"""``offbeat diagnosis``."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from offbeat.cli.options import as_parameters, list_options


@click.command()
@click.option("--source", metavar="NAME", help="Only this source.")
@list_options
def diagnosis(limit: int, everything: bool, as_json: bool, url: str, source: str | None) -> None:
    """Show why the daemon says what it says, or nothing: its counters and limits, then each source.

    With --source, each series of it too, and what was found and not told. With --json the first line is the daemon's
    document, each further line a source's.
    """
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_json, print_pages, print_table, run

    columns = (
        column("source"),
        column("last_event", "last event"),
        number("lag_s", "lag s"),
        number("silent_for_s", "silent for s"),
        column("live"),
        number("event_count", "events"),
        number("late_count", "late"),
        Column("says", says),
    )

    of_series = (column("job"), column("field"), column("state"), column("says"))
    of_rules = (
        column("job", "not told by job"),
        number("held", "held by an incident"),
        number("damped", "damped by peaks"),
        number("silence", "silence that was told"),
        number("adjusted", "by feedback"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            parameters = as_parameters(source=source)
            document = await daemon.get("/diagnosis", [*parameters, ("limit", "1")])
            state = document.get("daemon", {})
            if as_json:
                print_json([state])
            else:
                print_table((column("daemon"), column("value")), daemon_rows(state))
            pages = daemon.pages("/diagnosis", "sources", parameters, None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="nothing has sent yet")
            if source and not as_json:
                for its in document.get("sources", []):
                    print_table(of_series, its.get("series", []))
                    print_table(of_rules, its.get("suppressed", []))

    run(show())


def daemon_rows(state: Mapping[str, Any]) -> list[dict[str, object]]:
    """The daemon's own document as rows of a name and a value; rejections and limits one a row."""
    rows: list[dict[str, object]] = [
        {"daemon": name.replace("_", " "), "value": value}
        for name, value in state.items()
        if name not in ("rejected", "limits")
    ]
    rows += [{"daemon": f"rejected: {code}", "value": count} for code, count in state.get("rejected", {}).items()]
    rows += [
        {"daemon": limit["name"], "value": f"{limit['used']} of {limit['limit']}"} for limit in state.get("limits", [])
    ]
    return rows


def says(source: Mapping[str, Any]) -> str:
    """What a source's series say, in a line: each distinct saying with how many series say it if there are several."""
    counted = Counter(str(series.get("says", "")) for series in source.get("series", []))
    if len(counted) == 1:
        return next(iter(counted))
    return "; ".join(f"{count} {saying}" for saying, count in counted.items())
