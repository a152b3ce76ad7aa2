"""The corpora beside the project as arrays: NAB and the labelled series. Runs no detector, scores nothing.

Reading the CSV files takes seconds, so a corpus is kept as one ``.npz`` in the system's directory for temporary files,
under a name made of the paths, sizes and times of its files.
"""
from __future__ import annotations

import csv
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench"
"""Where the corpora and their scorers are, unless told otherwise."""

LATE = 30
"""So many rows after a labelled event a finding still belongs to it: the tolerance of label_score.py."""


@dataclass(frozen=True)
class Corpus:
    """Some series one after the other, each in the order of its file.

    names    k texts, ``set/series``, sorted
    first    (k + 1,) int64    series i has the rows first[i] to first[i + 1] − 1
    time_ms  (n,) int64        milliseconds since 1970 UTC
    value    (n,) float64      finite
    events   (m, 3) int64      what is labelled: number of the series, first and last row counted from its beginning
    """

    names: tuple[str, ...]
    first: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    events: NDArray[np.int64]

    @cached_property
    def slot(self) -> NDArray[np.int32]:
        """(n,) int32: which series a row is of."""
        return np.repeat(np.arange(len(self.names), dtype=np.int32), np.diff(self.first))

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """(n,) int64: which row of its series a row is, from 0."""
        counted: NDArray[np.int64] = np.arange(self.value.size) - np.repeat(self.first[:-1], np.diff(self.first))
        return counted

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """The set of each series."""
        return tuple(name.split("/")[0] for name in self.names)

    def marked(self, late: int) -> NDArray[np.bool_]:
        """(n,) bool: whether a row lies in an event or up to *late* rows after one."""
        marks = np.zeros(self.value.size, np.bool_)
        for series, begin, end in self.events.tolist():
            marks[self.first[series] + begin : min(self.first[series] + end + 1 + late, self.first[series + 1])] = True
        return marks

    def only(self, series: Sequence[int]) -> Corpus:
        """These series alone, in the order given."""
        rows = [np.arange(self.first[i], self.first[i + 1]) for i in series]
        taken = np.concatenate(rows)
        events = [(new, *event[1:]) for new, old in enumerate(series) for event in self.events if event[0] == old]
        return Corpus(
            tuple(self.names[i] for i in series), np.cumsum([0, *map(len, rows)]), self.time_ms[taken],
            self.value[taken], np.array(events, np.int64).reshape(-1, 3))


@dataclass(frozen=True)
class Nab:
    """The Numenta Anomaly Benchmark: 58 records, whose labels are spans of time.

    whole    every row; its events are the windows
    windows  (m, 2) int64   first and last instant of each window, milliseconds since 1970, in the order of whole.events
    """

    whole: Corpus
    windows: NDArray[np.int64]

    def dropped(self, rows: int) -> Corpus:
        """The corpus without the first *rows* rows of each record; a window begins at the first row at its instant."""
        if rows == 0:
            return self.whole
        keep = self.whole.row >= rows
        first = self.whole.first - rows * np.arange(self.whole.first.size)
        events = self.whole.events.copy()
        for event, window in zip(events, self.windows, strict=True):
            start = self.whole.first[event[0]]
            times = self.whole.time_ms[start + rows : self.whole.first[event[0] + 1]]
            event[1:] = window_rows(times, window)
        return Corpus(self.whole.names, first, self.whole.time_ms[keep], self.whole.value[keep], events)


def window_rows(times: NDArray[np.int64], window: NDArray[np.int64]) -> list[int]:
    """First and last row of a window: the first row at or past each instant, by counting, for times may step back."""
    return [min(int((times < instant).sum()), times.size - 1) for instant in window]


def runs(mask: NDArray[Any]) -> NDArray[np.int64]:
    """(m, 2) int64: first and last index of each run of true values."""
    edge = np.diff(np.concatenate([[0], np.asarray(mask, np.int8), [0]]))
    return np.column_stack([np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1])


@cache
def scorer(name: str, bench: Path = BENCH) -> ModuleType:
    """The module ``nab_score`` or ``label_score`` that lies beside the corpora."""
    spec = importlib.util.spec_from_file_location(name, bench / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(bench / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_nab(bench: Path = BENCH) -> Nab:
    """NAB from ``bench/nab``, its records sorted by name. Local times are read as UTC: only their distances matter."""
    directory = bench / "nab"
    labels = scorer("nab_score", bench).load_labels(directory)
    names = sorted(labels)
    paths = [directory / "data" / name for name in names]
    kept = _kept("nab", [*paths, directory / "labels" / "combined_windows.json"])
    if kept is None:
        read = [_columns(path, "timestamp", "value") for path in paths]
        times = [np.array(stamp, "datetime64[ms]").astype(np.int64) for stamp, _ in read]
        windows = [(i, np.array(window, "datetime64[ms]").astype(np.int64))
                   for i, name in enumerate(names) for window in labels[name]]
        events = [(i, *window_rows(times[i], window)) for i, window in windows]
        kept = _keep("nab", [*paths, directory / "labels" / "combined_windows.json"], {
            "first": np.cumsum([0, *map(len, times)]), "time_ms": np.concatenate(times),
            "value": np.concatenate([np.array(value, np.float64) for _, value in read]),
            "events": np.array(events, np.int64), "windows": np.array([window for _, window in windows])})
    windows_ms = kept.pop("windows")
    return Nab(Corpus(tuple(name.removesuffix(".csv") for name in names), **kept), windows_ms)


def load_labelled(bench: Path = BENCH) -> Corpus:
    """The labelled series from ``bench/labelled``, sorted by set and series; an event is a run of labelled rows."""
    directory = bench / "labelled"
    with open(directory / "index.csv", newline="") as file:
        names = sorted(f"{row['set']}/{row['series']}" for row in csv.DictReader(file))
    paths = [directory / f"{name}.csv" for name in names]
    kept = _kept("labelled", paths)
    if kept is None:
        read = [[np.array(c, np.float64) for c in _columns(path, "time", "value", "label")] for path in paths]
        events = [(i, *run) for i, (_, _, label) in enumerate(read) for run in runs(label > 0)]
        kept = _keep("labelled", paths, {
            "first": np.cumsum([0, *(len(value) for _, value, _ in read)]),
            "time_ms": np.concatenate([np.rint(1000 * time).astype(np.int64) for time, _, _ in read]),
            "value": np.concatenate([value for _, value, _ in read]), "events": np.array(events, np.int64)})
    return Corpus(tuple(names), **kept)


def _columns(path: Path, *names: str) -> list[list[str]]:
    with open(path, newline="") as file:
        reader = csv.reader(file)
        heads = [head.strip() for head in next(reader)]
        rows = [row for row in reader if row]
    return [[row[heads.index(name)] for row in rows] for name in names]


def _place(name: str, paths: Sequence[Path]) -> Path:
    facts = [(str(path), status.st_size, status.st_mtime_ns) for path in paths for status in [path.stat()]]
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"offbeat-corpus-{os.getuid()}-{name}-{digest}.npz"


def _kept(name: str, paths: Sequence[Path]) -> dict[str, NDArray[Any]] | None:
    place = _place(name, paths)
    if not place.exists():
        return None
    with np.load(place) as arrays:
        return dict(arrays)


def _keep(name: str, paths: Sequence[Path], arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    place = _place(name, paths)
    with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".npz", delete=False) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(file.name, place)
    return arrays
