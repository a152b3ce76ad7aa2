"""A comparison for a person: a table of what differs and the sums below it; or as JSON."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import orjson

from offbeat.backtest.comparison import Comparison, model_of
from offbeat.backtest.diff import Kind, iso
from offbeat.backtest.document import differences, summary
from offbeat.cli.output import Column, column, print_table

LEFT_OUT = {
    "of_silence": "are of silence",
    "not_packed_yet": "are of readings since the last checkpoint",
    "readings_gone": "are of readings that retention has removed",
}


def report(c: Comparison, show: tuple[Kind, ...], limit: int, *, as_json: bool, as_lines: bool) -> None:
    """Print *c*: of a table at most *limit* rows, of the kinds to *show*; JSON has them all."""
    rows = differences(c, show)
    if as_json:
        click.echo(orjson.dumps({**summary(c), "differences": rows}))
        return
    if as_lines:
        for row in rows:
            click.echo(orjson.dumps(row))
        click.echo(orjson.dumps({"summary": summary(c)}))
        return
    if limit and rows:
        print_table(COLUMNS, rows[:limit])
    if limit < len(rows):
        click.echo(f"{limit} shown of {len(rows)}: --limit {len(rows)}", err=True)
    for line in sums(c):
        click.echo(line)


def _score(side: str) -> Column:
    def cell(row: Mapping[str, Any]) -> object:
        return None if row[side] is None else round(row[side]["score"], 1)

    return Column("was" if side == "baseline" else "is", cell, right=True)


COLUMNS = [
    column("change"), column("time"), column("source"), column("field"),
    _score("baseline"), _score("candidate"), column("reason"),
]


def sums(c: Comparison) -> list[str]:
    """The sums as sentences."""
    counts, ran = c.counts, c.ran
    kept = f"{counts['kept']:,} kept"
    if counts["kept"]:
        same = c.unchanged_count
        kept += " (all exactly)" if same == counts["kept"] else f" ({same:,} exactly)"
    lines = [
        f"{kept}, {counts['moved']:,} moved, {counts['gone']:,} gone, {counts['new']:,} new: "
        f"{c.baseline_count:,} by {model_of(c.baseline)}{' as stored' if c.stored else ''}, "
        f"{c.candidate_count:,} by {model_of(c.candidate)}"
    ]
    was, now = c.weekly(c.baseline_count), c.weekly(c.candidate_count)
    if was is not None and now is not None:
        lines.append(f"findings per series and week: {was:.3g}, now {now:.3g} (score {c.score_min:g} and more)")
    if ran.first_ms is not None and ran.last_ms is not None:
        lines.append(
            f"{ran.reading_count:,} readings of {ran.series_count:,} series, {iso(ran.first_ms)} to "
            f"{iso(ran.last_ms)}, in {c.seconds:.1f} s ({ran.reading_count / max(c.run_seconds, 1e-9):,.0f} a second, "
            f"{c.workers} {'process' if c.workers == 1 else 'processes'})"
        )
    lines += [f"left out: {count:,} stored findings {LEFT_OUT[why]}" for why, count in c.left_out.items()]
    return lines + [f"note: {note}" for note in c.notes]
