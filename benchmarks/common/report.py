"""Figures as text and as Markdown. Measures nothing."""
from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up, for a terminal as well: texts to the left, figures to the right."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    left = [all(not row[i][:1].isdigit() for row in rows) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(cells, widths, left, strict=True)) + " |"

    rules = [":" + "-" * (w + 1) if to_left else "-" * (w + 1) + ":" for w, to_left in zip(widths, left, strict=True)]
    rule = "|" + "|".join(rules) + "|"
    return "\n".join([line(heads), rule, *(line(row) for row in rows)])


def listed(facts: Mapping[str, str]) -> str:
    """*facts* as a Markdown list."""
    return "\n".join(f"- {name}: {text}" for name, text in facts.items())


def short(rate: float) -> str:
    """A rate in three digits: 1.23 M, 456 k, 7.89 k."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if rate >= 0.9995 * size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate:.3g}"


def digits(value: float) -> str:
    """A figure in three digits, in full: 4231, 42.3, 0.042, 0.000042."""
    if value >= 100 or value == 0:
        return f"{value:.0f}"
    places = 2 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(places, 6)}f}"


def spread(values: Sequence[float]) -> str:
    """Lowest to highest."""
    return f"{short(min(values))}–{short(max(values))}"


def median(values: Sequence[float]) -> float:
    """The median, as a float whatever *values* are."""
    return float(statistics.median(values))
