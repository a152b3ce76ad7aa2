"""What the checks' own parts do, said slowly and plainly."""
from __future__ import annotations

import math


def aligned(columns: list[list[tuple[int, float]]], tolerance_ms: int) -> list[tuple[int, list[float]]]:
    """A row for each moment at which a column has a reading: the newest value of each that is not too old."""
    found = []
    for moment in sorted({time for column in columns for time, _ in column}):
        row = []
        for column in columns:
            fitting = [(time, i) for i, (time, _) in enumerate(column) if moment - tolerance_ms <= time <= moment]
            row.append(column[max(fitting)[1]][1] if fitting else math.nan)
        found.append((moment, row))
    return found
