"""Lines to rows: each is one record with the one field ``raw``, which transforms take apart."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from offbeat.wire.records.rows import RECORD_CHARACTERS_MAX, ROWS_MAX, Pieces, Rows

FIELD = "raw"


class SingleLines:
    """Rows of lines; a line that is too long is a bad row. A return before the end of a line is no part of it."""

    def __init__(self, needed: Sequence[str]) -> None:
        self._needed = tuple(needed)
        self._pieces = Pieces("\n")
        self._skips = False

    def feed(self, text: str, last: bool) -> Iterator[Rows]:
        """The rows that *text* completes."""
        whole = self._pieces.add(text, last, RECORD_CHARACTERS_MAX)
        if whole is None:
            return
        lines = whole.split("\n")
        rest = lines.pop()
        if self._skips and lines:
            del lines[0]  # the rest of a line that was too long
            self._skips = False
        if not self._skips and (len(rest) > RECORD_CHARACTERS_MAX or (last and rest)):
            lines.append(rest)
            self._skips = not last
        self._pieces.put_back("" if self._skips or last else rest)
        for start in range(0, len(lines), ROWS_MAX):
            yield self._rows(lines[start : start + ROWS_MAX])

    def _rows(self, lines: list[str]) -> Rows:
        raw = [line.removesuffix("\r") if len(line) <= RECORD_CHARACTERS_MAX else None for line in lines]
        bad = np.fromiter((line is None for line in raw), np.bool_, len(raw))
        nothing = [None] * len(raw)
        return Rows({name: raw if name == FIELD else nothing for name in self._needed}, (~bad).astype(np.int64), bad)
