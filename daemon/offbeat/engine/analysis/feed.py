"""Events as records of an analysis: which of them it takes, what a record of one is, how far the clock has come."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.engine.catalog import Catalog
from offbeat.engine.entries import Block
from offbeat.records import Strings
from offbeat.uploads import MISSING, Records, numbers_of
from offbeat_detectors.buckets.functions import function_of
from offbeat_detectors.contract import State

SOURCE_FIELD = "source"
"""The column that holds the name of an event's source."""
HOUR_MS = 3_600_000
DELAY_MS_MIN = 10_000
"""The clock closes a bucket so long after its end at least, however promptly events come."""
WHOLE_MAX = 1e15
_Text = Callable[[int], str]
OF_TEXTS = ("distinct_count", "info_content", "position")
"""What is computed of texts, numbers too."""
NO_TEXT = Strings.of([""])


def text_of(value: float) -> str:
    """*value* as the text of a record: without a point if it is whole, else as many digits as tell it from all others.

    Zero has no sign, so that the text does not depend on which of several equal values came first.
    """
    return str(int(value)) if value.is_integer() and abs(value) < WHOLE_MAX else repr(value)


class Feed:
    """What an analysis that listens to events knows of them. An event is a record of it

    * if its source matches one of ``sources``, and one at least of its fields, numeric or text, one of ``fields``;
    * unless the analysis rests.

    The clock may close its buckets if events come near their own time: none of those that counted lately (in this hour
    of arrival and the one before it) was later than ``live_lag_max_s``. It is believed to be as late as the worst.
    """

    def __init__(self, spec: AnalysisSpec) -> None:
        self._spec = spec
        self._columns = {name: i for i, name in enumerate(spec.columns)}
        self._sources, self._fields = spec.sources or ("*",), spec.fields or ("*",)
        self._numeric = _numeric(spec)
        self._takes_source = np.zeros(0, np.bool_)
        self._takes_field = np.zeros(0, np.bool_)
        self._column_of = np.zeros(0, np.int32)  # of each numeric field; −1: no detector asks for it
        self.resting = False
        self._hour = -1  # of the newest arrival
        self._worst_ms = self._worst_before_ms = 0  # delay of events, of that hour and of the one with any before it

    # ── records ───────────────────────────────────────────────────────────────────────────────────────────────

    def records(self, block: Block, catalog: Catalog) -> Records:
        """The records that the events of *block* are, in their order."""
        taken = self._of_sources(block, catalog)[block.source]
        self._know_fields(block, catalog)
        if "*" not in self._fields:
            taken &= self._with_fields(block, catalog)
        rows = np.flatnonzero(taken)
        codes = np.full((len(self._columns), rows.size), MISSING, np.int32)
        texts = [NO_TEXT] * len(self._columns)
        known: dict[str, NDArray[np.float64]] = {}
        column = self._column_of[catalog.series_field[block.series]]
        names = list(block.text_fields)
        for name, i in self._columns.items():
            whole = np.full(block.size, -1, np.int64)
            if name == SOURCE_FIELD:
                whole[:] = block.source
                codes[i], texts[i] = self._coded(whole[rows], catalog.sources.text)
                continue
            of_column = np.flatnonzero(column == i)
            of_text = np.flatnonzero(block.text_field == names.index(name)) if name in names else of_column[:0]
            if name in self._numeric:
                number = np.full(block.size, np.nan)
                number[block.point_row[of_column]] = block.value[of_column] + 0.0  # zero has no sign
                whole[block.point_row[of_column]] = 0
                if of_text.size:
                    code, row = block.text_code[of_text], block.text_row[of_text]
                    number[row] = numbers_of(block.texts)[code]
                    whole[row] = np.where(_lengths(block.texts)[code] > 0, 0, MISSING)
                codes[i], known[name] = whole[rows], number[rows]
                continue
            values, where = np.unique(block.value[of_column], return_inverse=True)
            whole[block.point_row[of_column]] = where.ravel()
            whole[block.text_row[of_text]] = values.size + block.text_code[of_text]
            codes[i], texts[i] = self._coded(whole[rows], _texts_of(values, block.texts))
        return Records(block.time_ms[rows], tuple(self._columns), codes, tuple(texts), known)

    @staticmethod
    def _coded(numbers: NDArray[np.int64], text: _Text) -> tuple[NDArray[np.int32], Strings]:
        """Texts in order of first sight, and (n,) codes into them; a negative number, and no text, is MISSING."""
        distinct, first, where = np.unique(numbers, return_index=True, return_inverse=True)
        known: dict[str, int] = {}
        code_of = np.full(distinct.size, MISSING, np.int32)
        for j in np.argsort(first, kind="stable").tolist():
            number = int(distinct[j])
            if number >= 0 and (said := text(number)):
                code_of[j] = known.setdefault(said, len(known))
        return code_of[where.ravel()], Strings.of(known)

    def _of_sources(self, block: Block, catalog: Catalog) -> NDArray[np.bool_]:
        """Of each source up to the largest number in *block*, which alone is sure to stay: does it match?"""
        first, count = self._takes_source.size, int(block.source.max(initial=-1)) + 1
        if count > first:
            new = [_matches(catalog.sources.text(number), self._sources) for number in range(first, count)]
            self._takes_source = np.concatenate([self._takes_source, np.array(new, np.bool_)])
        return self._takes_source

    def _know_fields(self, block: Block, catalog: Catalog) -> None:
        first = self._takes_field.size
        count = int(catalog.series_field[block.series].max(initial=-1)) + 1
        if count > first:
            names = [catalog.fields.text(number) for number in range(first, count)]
            takes = np.array([_matches(name, self._fields) for name in names], np.bool_)
            columns = np.array([self._columns.get(name, -1) for name in names], np.int32)
            self._takes_field = np.concatenate([self._takes_field, takes])
            self._column_of = np.concatenate([self._column_of, columns])

    def _with_fields(self, block: Block, catalog: Catalog) -> NDArray[np.bool_]:
        has = np.zeros(block.size, np.bool_)
        has[block.point_row[self._takes_field[catalog.series_field[block.series]]]] = True
        matching = np.array([_matches(name, self._fields) for name in block.text_fields], np.bool_)
        if matching.any():
            has[block.text_row[matching[block.text_field]]] = True
        return has

    # ── the clock ─────────────────────────────────────────────────────────────────────────────────────────────

    def arrived(self, at_ms: int, oldest_ms: int) -> None:
        """Events that count arrived, the oldest of them of this time."""
        delay_ms, hour = max(0, at_ms - oldest_ms), at_ms // HOUR_MS
        if hour != self._hour:
            self._worst_before_ms, self._worst_ms, self._hour = self._worst_ms, 0, hour
        self._worst_ms = max(self._worst_ms, delay_ms)

    def reached(self, now_ms: int) -> int | None:
        """The event time up to which all has come, by the clock; None if the clock says nothing of it."""
        delay_ms = max(self._worst_ms, self._worst_before_ms)
        if self.resting or self._hour < 0 or delay_ms > 1000 * self._spec.live_lag_max_s:
            return None
        return now_ms - max(delay_ms, DELAY_MS_MIN)

    def save(self) -> State:
        """What of it is no consequence of the catalog."""
        clock = [int(self.resting), self._hour, self._worst_ms, self._worst_before_ms]
        return {"clock": np.array(clock, np.int64)}

    def restore(self, state: State) -> None:
        """As ``save`` gave it."""
        resting, self._hour, self._worst_ms, self._worst_before_ms = (int(x) for x in state["clock"])
        self.resting = bool(resting)


def _numeric(spec: AnalysisSpec) -> frozenset[str]:
    """The columns of which only the numbers are asked for: to write them as texts would take longer than all else."""
    functions = [(one.field, function_of(one.function).features) for one in spec.detectors]
    numbers = {field for field, features in functions if not set(features) & set(OF_TEXTS)}
    texts = {field for field, features in functions if set(features) & set(OF_TEXTS)}
    for one in spec.detectors:
        texts |= {one.by, one.over, one.partition}
    texts |= {*spec.influencers, spec.categorization_field, SOURCE_FIELD}
    return frozenset({*numbers, spec.summary_count_field} - texts - {""})


def _lengths(texts: Strings) -> NDArray[np.int64]:
    return np.diff(texts.end, prepend=np.int64(0))


def _texts_of(values: NDArray[np.float64], texts: Strings) -> _Text:
    numbers = values.tolist()
    return lambda number: text_of(numbers[number]) if number < len(numbers) else texts[number - len(numbers)]


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
