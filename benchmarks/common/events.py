"""Seeded events of a fleet of sensors, as NDJSON, CSV and line protocol, made by the column. Pure: no clock."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SOURCES = 2_000
BEAT_MS = 1_000
CHUNK_EVENTS = 65_536
"""Events rendered together: few enough to stay in the processor's cache."""
DAY_MS = 86_400_000
BLIPS = 1e-4
"""Share of the readings that are far off: a load without a single finding would spare the daemon work."""


@dataclass(frozen=True, slots=True)
class Events:
    """Some events: row i is one.

    source  (n,) int64   number of the source    time_ms  (n,) int64  milliseconds since 1970 UTC
    value   (n,) int64   thousandths
    """

    source: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    value: NDArray[np.int64]


class Fleet:
    """*sources* sensors that read once in *beat_ms*, each at its own moment of it, about its own level.

    Levels are spread between -30 and 1,000; a reading follows the day by 5 % of the level, with noise of 1 %. A share
    *blips* of the readings is far off. The same seed and the same questions give the same events.
    """

    def __init__(self, seed: int, sources: int = SOURCES, *, beat_ms: int = BEAT_MS, blips: float = BLIPS) -> None:
        self._rng = np.random.default_rng(seed)
        self.sources, self._beat_ms, self._blips = sources, beat_ms, blips
        self._moment = self._rng.integers(0, beat_ms, sources)
        self._level = self._rng.uniform(-30.0, 1_000.0, sources)
        self._phase = self._rng.uniform(0.0, 2 * np.pi, sources)

    def share(self, part: int, parts: int) -> NDArray[np.int64]:
        """The sources that connection *part* of *parts* speaks for, in the order of their moments: times rise."""
        mine = np.arange(part, self.sources, parts)
        return mine[np.argsort(self._moment[mine], kind="stable")]

    def events(self, share: NDArray[np.int64], count: int, start_ms: int) -> Events:
        """*count* events of the sources in *share*, in turn, from *start_ms* on."""
        turn, place = np.divmod(np.arange(count), share.size)
        source = share[place]
        time_ms = start_ms + turn * self._beat_ms + self._moment[source]
        level = self._level[source]
        spread = 0.01 * np.abs(level) + 0.05
        value = level * (1.0 + 0.05 * np.sin(2 * np.pi / DAY_MS * time_ms + self._phase[source]))
        value += spread * self._rng.standard_normal(count)
        value += 30.0 * spread * (self._rng.random(count) < self._blips)
        return Events(source, time_ms, np.round(value * 1000).astype(np.int64))

    def end_ms(self, share_size: int, count: int, start_ms: int) -> int:
        """A moment behind *count* events of a share of *share_size* sources that began at *start_ms*."""
        return start_ms + (-(-count // share_size) + 1) * self._beat_ms


@dataclass(frozen=True, slots=True)
class Form:
    """One format: how a body is announced, begins, and how its lines look.

    line  text with {source}, {time} (13 digits) and {value} in it, each once, in any order
    """

    name: str
    content_type: str
    head: bytes
    line: str


FORMS = {form.name: form for form in (
    Form("ndjson", "application/x-ndjson", b"", '{{"ts":{time},"sensor":"{source}","temperature":{value}}}\n'),
    Form("csv", "text/csv", b"ts,sensor,temperature\n", "{time},{source},{value}\n"),
    Form("influx", "text/plain", b"", "weather,host={source} temperature={value} {time}000000\n"),
)}
SOURCE, TIME, VALUE = "boiler-", "#" * 13, "-####.###"
"""What a source begins with, a time and a value with all their characters; a value leaves out what nobody writes."""


def bodies(form: Form, events: Events, body_events: int, source_digits: int = 4) -> Iterator[bytes]:
    """*events* as bodies of *body_events* each; what is left over at the end is left out.

    Numbers of sources have *source_digits* digits: as many as the largest needs.
    """
    count = events.source.size // body_events * body_events
    chunk = max(1, CHUNK_EVENTS // body_events) * body_events
    for first in range(0, count, chunk):
        text, ends = _lines(form, events, slice(first, min(first + chunk, count)), source_digits)
        starts = np.concatenate([[0], ends])[::body_events].tolist()
        for start, stop in pairwise(starts):
            yield form.head + text[start:stop]


def _lines(form: Form, events: Events, rows: slice, source_digits: int) -> tuple[bytes, NDArray[np.int64]]:
    """The lines of some rows as one text, and where each of them ends in it."""
    source, time_ms, value = events.source[rows], events.time_ms[rows], events.value[rows]
    filled = {"source": SOURCE + "#" * source_digits, "time": TIME, "value": VALUE}
    pattern = form.line.format(**filled).encode()
    text = np.empty((source.size, len(pattern)), np.uint8)
    text[:] = np.frombuffer(pattern, np.uint8)
    shown = np.ones(text.shape, np.bool_)
    at = _places(form.line, filled)
    _digits(text, at("source") + len(SOURCE), source, source_digits)
    _digits(text, at("time"), time_ms // 1_000_000, 7)
    _digits(text, at("time") + 7, time_ms % 1_000_000, 6)
    sign, size = at("value"), np.abs(value)
    _digits(text, sign + 1, size // 1000, 4)
    _digits(text, sign + 6, size % 1000, 3)
    shown[:, sign] = value < 0
    for place, least in enumerate((1_000_000, 100_000, 10_000), sign + 1):  # no zeros in front
        shown[:, place] = size >= least
    shown[:, sign + 8] = size % 10 != 0  # no zeros behind
    shown[:, sign + 7] = size % 100 != 0
    return text[shown].tobytes(), np.cumsum(shown.sum(axis=1, dtype=np.int64))


def _places(line: str, filled: Mapping[str, str]) -> Callable[[str], int]:
    """Where a name of *line* stands once all are filled in."""
    def at(name: str) -> int:
        before = line[: line.index("{" + name + "}")]
        return len(before.format(**filled))
    return at


def _digits(text: NDArray[np.uint8], at: int, numbers: NDArray[np.int64], width: int) -> None:
    """Write *numbers* in *width* decimal digits, 9 at most, into columns *at* and following."""
    rest = numbers.astype(np.uint32)
    for place in range(at + width - 1, at - 1, -1):
        tenth = rest // np.uint32(10)
        text[:, place] = rest - tenth * np.uint32(10) + np.uint32(ord("0"))
        rest = tenth
