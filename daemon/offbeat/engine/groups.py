"""Which series of a job learn from one another: dense numbers of groups, for detectors that are Grouped."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offbeat.engine.catalog import Catalog

PATTERNS_MAX = 64


class Groups:
    """The groups of one job, numbered from 0 in the order in which their first series is given, the free ones first.

    by        "source": the series of one source. "field": those of one field, of sources of one shard; a shard is
              checkpointed and replayed by itself, so nobody may learn from beyond it
    patterns  of sources: with "field", those that match the same one first are peers, and those that match none;
              without any, all are
    """

    def __init__(self, by: Literal["field", "source"], patterns: tuple[str, ...], catalog: Catalog) -> None:
        self._by_source, self._patterns, self._catalog = by == "source", patterns, catalog
        self._number: dict[int, int] = {}
        self._members: dict[int, int] = {}  # by number
        self._free: list[int] = []

    def join(self, series: NDArray[np.int32]) -> NDArray[np.int32]:
        """The group of each of n series that are members from now on, (n,) int32."""
        if not series.size:
            return np.zeros(0, np.int32)
        keys, first, at, counts = np.unique(
            self._key_of(series), return_index=True, return_inverse=True, return_counts=True
        )
        for i in np.argsort(first).tolist():
            key = int(keys[i])
            if key not in self._number:
                self._number[key] = self._free.pop() if self._free else len(self._number)
            number = self._number[key]
            self._members[number] = self._members.get(number, 0) + int(counts[i])
        return np.array([self._number[one] for one in keys.tolist()], np.int32)[at]

    def leave(self, series: int) -> None:
        """*series* is no member any more; the number of a group without members is free for another group."""
        key = int(self._key_of(np.array([series], np.int32))[0])
        number = self._number[key]
        self._members[number] -= 1
        if not self._members[number]:
            del self._number[key], self._members[number]
            self._free.append(number)

    def _key_of(self, series: NDArray[np.int32]) -> NDArray[np.int64]:
        """What the members of a group, and nobody else, have in common, (n,) int64."""
        catalog = self._catalog
        source = catalog.series_source[series].astype(np.int64)
        key = source
        if not self._by_source:
            key = catalog.source_shard[source].astype(np.int64) << 32 | catalog.series_field[series]
            if self._patterns:
                key = key * (len(self._patterns) + 1) + self._matches(source)
        return key

    def _matches(self, source: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first pattern that each source matches, (n,); as many as there are for none."""
        sources, at = np.unique(source, return_inverse=True)
        names = [self._catalog.sources.text(int(one)) for one in sources]
        found = [
            next((i for i, pattern in enumerate(self._patterns) if fnmatchcase(name, pattern)), len(self._patterns))
            for name in names
        ]
        return np.array(found, np.int64)[at]
