"""How rows are shown: raw documents, a table on a terminal, tab-separated lines elsewhere. Nothing is cut off."""
from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import click
import orjson


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading, and the cell of a document. *right* aligns numbers."""

    heading: str
    cell: Callable[[Mapping[str, Any]], object]
    right: bool = False


def column(name: str, heading: str = "", *, right: bool = False) -> Column:
    """The column of the document's member *name*."""
    return Column(heading or name, lambda document: document.get(name), right)


def number(name: str, heading: str = "") -> Column:
    """The column of the number *name*, at the right."""
    return column(name, heading, right=True)


def text(value: object) -> str:
    """*value* for a person: numbers to six digits, nothing for null; a name's control characters are made visible."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) and abs(value) < 1e15 and value != int(value) else f"{value:.15g}"
    if isinstance(value, str):
        return value if value.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return str(value)


def print_json(documents: Iterable[object]) -> None:
    """One document a line."""
    for document in documents:
        click.echo(orjson.dumps(document))


def print_table(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, heading: bool = True, file: IO[str] | None = None
) -> None:
    """A table with lines and folded cells on a terminal; else a heading and tab-separated lines, for other programs."""
    out = file or sys.stdout
    if not out.isatty():
        if heading:
            click.echo("\t".join(c.heading for c in columns), file=out)
        for row in rows:
            click.echo("\t".join(text(c.cell(row)) for c in columns), file=out)
        return
    if rows:
        from rich.console import Console

        Console(file=out).print(rich_table(columns, rows))


def rich_table(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> Any:
    """The rows as a rich Table; a cell that is too wide is folded, never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for c in columns:
        table.add_column(c.heading, justify="right" if c.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text(c.cell(row))) for c in columns))
    return table


async def print_pages(
    pages: AsyncIterator[tuple[list[Any], bool]], columns: Sequence[Column], *, as_json: bool, nothing: str
) -> None:
    """Print a list as its pages come; on stderr, *nothing* if it is empty, and a word if the limit hides more."""
    shown, more, first = 0, False, True
    async for rows, follows in pages:
        more = follows
        shown += len(rows)
        if as_json:
            print_json(rows)
        else:
            print_table(columns, rows, heading=first)
        first = False
    if shown == 0 and not as_json:
        click.echo(nothing, err=True)
    if more:
        click.echo(f"{shown} shown, there are more: --limit {10 * max(shown, 1)}, or --all", err=True)


def run(task: Coroutine[Any, Any, int | None]) -> int:
    """Run *task* to its end and return its exit status; Ctrl-C cancels it first, so that what it holds is released."""
    return asyncio.run(task) or 0
