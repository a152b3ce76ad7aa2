"""Features of buckets once more, slow and obvious: from all the rows of one entity in one bucket."""
from __future__ import annotations

import math
import statistics
import zlib
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

Row = tuple[Any, float]
"""A value, and how many events it stands for."""


def good(rows: Sequence[Row]) -> list[Row]:
    """Those with a finite value."""
    return [(x, w) for x, w in rows if math.isfinite(x)]


def count(rows: Sequence[Row]) -> float:
    return math.fsum(w for _, w in rows)


def total(rows: Sequence[Row]) -> float:
    return float(sum(Fraction(x) * Fraction(w) for x, w in rows))


def exact_mean(rows: Sequence[Row]) -> Fraction:
    return sum(Fraction(x) * Fraction(w) for x, w in rows) / sum(Fraction(w) for _, w in rows)


def varp(rows: Sequence[Row]) -> float:
    middle = exact_mean(rows)
    return float(sum(Fraction(w) * (Fraction(x) - middle) ** 2 for x, w in rows) / sum(Fraction(w) for _, w in rows))


def median(rows: Sequence[Row]) -> float:
    """Of whole weights."""
    return float(statistics.median([x for x, w in rows for _ in range(int(w))]))


FEATURES: dict[str, Callable[[Sequence[Row]], float]] = {
    "sum": total, "mean": lambda rows: float(exact_mean(rows)), "min": lambda rows: min(x for x, _ in rows),
    "max": lambda rows: max(x for x, _ in rows), "varp": varp, "median": median}


def feature(name: str, rows: Sequence[Row]) -> float:
    """Feature *name* of all *rows*; NaN without a value."""
    if name == "count":
        return count(rows)
    return FEATURES[name](good(rows)) if good(rows) else math.nan


def kept_apart(rows: Iterable[Row], values_max: int) -> tuple[dict[int, float], set[int], float]:
    """The events of each influencer value that is kept apart, which may lack rows, and the events laid together."""
    events: dict[int, float] = {}
    late: set[int] = set()
    beyond = 0.0
    for code, weight in rows:
        if code < 0:
            continue
        if code not in events and len(events) == 2 * values_max:
            for lighter in sorted(events, key=lambda each: (-events[each], each))[values_max:]:
                beyond += events.pop(lighter)
                late.discard(lighter)
        if code not in events and beyond:
            late.add(code)
        events[code] = events.get(code, 0.0) + weight
    return events, late, beyond


def information(texts: Iterable[str]) -> int:
    return len(zlib.compress(b"\n".join(sorted({text.encode() for text in texts})), 6))


def estimate(hashes: Iterable[int]) -> float:
    """HyperLogLog of 4096 registers with Ertl's improved estimator, by its definition: series, not loops to a limit."""
    registers = np.zeros(4096, np.int64)
    for each in hashes:
        rest = format(each, "064b")[12:]
        register = each >> 52
        registers[register] = max(registers[register], len(rest) - len(rest.lstrip("0")) + 1)
    c = np.bincount(registers, minlength=54) / 4096
    sigma = c[0] + sum(c[0] ** 2.0**k * 2.0 ** (k - 1) for k in range(1, 60))
    return 4096 / (2 * math.log(2)) / (sigma + sum(c[k] * 2.0**-k for k in range(1, 54)))
