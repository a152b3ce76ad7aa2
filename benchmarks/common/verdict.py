"""What must be reached, and whether it is: rows of one table, kept as JSON between the commands. Measures nothing."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from common.report import digits, median, table

LEAST, MOST = "≥", "≤"
HEADS = ("what", "against", "measured", "min–max", "target", "reached", "rounds", "how it came out")


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement as it was measured.

    what     is measured    against  what stood beside it in the same run, "–" if nothing
    values   of the rounds, in *unit*: a ratio has "×"    bound  ``LEAST`` or ``MOST``    target  in *unit* too
    told     figures that the values came from, for a reader
    """

    what: str
    against: str
    values: tuple[float, ...]
    unit: str
    bound: str
    target: float
    told: str = ""

    @property
    def value(self) -> float:
        """The median of the rounds, which is what counts."""
        return median(self.values)

    @property
    def reached(self) -> bool:
        """Whether the median keeps the bound. A value that is not a number does not."""
        return self.value >= self.target if self.bound == LEAST else self.value <= self.target

    def cells(self) -> list[str]:
        """As the table has it."""
        return [self.what, self.against, f"{digits(self.value)} {self.unit}",
                f"{digits(min(self.values))}–{digits(max(self.values))}", f"{self.bound} {self.target:g} {self.unit}",
                "yes" if self.reached else "**no**", str(len(self.values)), self.told]


def ratios(upper: Sequence[float], lower: Sequence[float]) -> tuple[float, ...]:
    """By round: the one measured just beside the other, never two medians of different moments."""
    return tuple(a / b for a, b in zip(upper, lower, strict=True))


def rows_table(rows: Sequence[Row]) -> str:
    """All *rows* as Markdown."""
    return table(HEADS, [row.cells() for row in rows])


def keep(path: Path, rows: Sequence[Row], facts: dict[str, str]) -> None:
    """Write *rows* and what they were measured on for the command that joins them."""
    whole = {"facts": facts, "rows": [asdict(row) for row in rows]}
    path.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))


def kept(path: Path) -> tuple[list[Row], dict[str, str]]:
    """What ``keep`` wrote."""
    whole = orjson.loads(path.read_bytes())
    return [Row(**{**row, "values": tuple(row["values"])}) for row in whole["rows"]], whole["facts"]
