"""Whatever a program has becomes one line of NDJSON an event, or an error that says which and why."""
from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from offbeat.client import BadEvent
from offbeat.client.events import SLICE_ROWS, lines_of


def written(events: Any, **options: Any) -> list[Any]:
    lines = list(lines_of(events, **options))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def test_one_mapping_is_one_event_and_several_are_several() -> None:
    assert written({"v": 1}) == [{"v": 1}]
    assert written([{"v": 1}, {"text": "two\nlines"}]) == [{"v": 1}, {"text": "two\nlines"}]
    assert written({"v": n} for n in range(3)) == [{"v": 0}, {"v": 1}, {"v": 2}]
    assert written([]) == []
    assert written([MappingProxyType({"v": 1}), OrderedDict(v=2)]) == [{"v": 1}, {"v": 2}]


def test_moments_and_numbers_of_numpy_are_written_as_what_they_mean() -> None:
    event = {"time": datetime(2026, 1, 5, 8, tzinfo=UTC), "v": np.float32(0.5), "n": np.int64(3), "ok": np.bool_(True)}
    assert written(event) == [{"time": "2026-01-05T08:00:00+00:00", "v": 0.5, "n": 3, "ok": True}]
    assert written({"time": np.datetime64("2026-01-05T08:00:00.250")}) == [{"time": "2026-01-05T08:00:00.250000"}]


def test_what_is_not_finite_in_a_mapping_goes_out_for_the_daemon_to_reject() -> None:
    assert list(lines_of({"source": "a", "v": float("nan")})) == [b'{"source":"a","v":NaN}\n']
    assert list(lines_of({"a": {"v": np.float32("inf")}, "w": None})) == [b'{"a":{"v":Infinity},"w":null}\n']
    time = datetime(2026, 1, 5, tzinfo=UTC)
    assert list(lines_of({"time": time, "v": -np.inf, "n": np.int8(1)})) == [
        b'{"time":"2026-01-05T00:00:00+00:00","v":-Infinity,"n":1}\n']
    assert written({"v": None, "w": "null"}) == [{"v": None, "w": "null"}]


def test_extra_members_are_added_where_an_event_has_none_of_the_name() -> None:
    assert written([{"v": 1}, {"source": "b"}], extra={"source": "a"}) == [
        {"source": "a", "v": 1}, {"source": "b"}]


def test_rows_are_named_by_the_columns() -> None:
    assert written([(1, "x"), [2, "y"]], columns=["v", "s"]) == [{"v": 1, "s": "x"}, {"v": 2, "s": "y"}]


def test_arrays_are_tables_and_a_reading_that_is_missing_is_absent() -> None:
    table = np.array([(1.5, 1), (np.nan, 2)], [("v", float), ("n", int)])
    assert written(table) == [{"v": 1.5, "n": 1}, {"v": None, "n": 2}]
    assert written(np.array([[1.0, 2.0], [3.0, 4.0]]), columns=["a", "b"]) == [
        {"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    columns = {"time": np.array(["2026-01-05", "NaT"], "datetime64[ns]"), "v": np.array([np.inf, 2.0])}
    assert list(lines_of(columns)) == [b'{"time":"2026-01-05T00:00:00","v":Infinity}\n', b'{"time":null,"v":2.0}\n']


def test_a_long_table_is_cut_without_a_seam() -> None:
    values = np.arange(2 * SLICE_ROWS + 3)
    assert [event["v"] for event in written({"v": values})] == values.tolist()


@pytest.mark.parametrize(("events", "options", "place", "words"), [
    (17, {}, None, "int is nothing to send"),
    ("text", {}, None, "str is nothing to send"),
    ([{"v": 1}, 7], {}, 1, "event 1 is int"),
    ([{"v": 1}, {"v": object()}], {}, 1, "event 1 cannot be written: Type is not JSON serializable: object"),
    ([{1: 2}], {}, 0, "event 0 cannot be written: Dict key must be str"),
    ([(1, 2, 3)], {"columns": ["a", "b"]}, 0, "row 0 has 3 parts: expected 2"),
    ([5], {"columns": ["a"]}, 0, "row 0 is int"),
    (np.zeros((2, 3)), {"columns": ["a"]}, None, "no table"),
    (np.zeros(3), {}, None, "no table"),
    ({"a": np.zeros(2), "b": np.zeros(3)}, {}, None, r"different lengths: \[2, 3\]"),
])
def test_what_is_no_event_is_refused_with_its_place(events: Any, options: Any, place: int | None, words: str) -> None:
    with pytest.raises(BadEvent, match=words) as refused:
        list(lines_of(events, **options))
    assert refused.value.where == ({} if place is None else {"event": place})


def test_those_before_a_bad_event_are_given() -> None:
    lines = lines_of([{"v": 1}, {"v": 2}, object()])
    assert [next(lines), next(lines)] == [b'{"v":1}\n', b'{"v":2}\n']
    with pytest.raises(BadEvent):
        next(lines)


class Series:
    """A column as pandas has one."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.dtype = self._values.dtype

    def to_numpy(self, dtype: Any = None) -> Any:
        return self._values if dtype is None else self._values.astype(dtype)

    def isna(self) -> Any:
        return np.array([v is None or v != v for v in self._values.tolist()])


class PandasLike:
    """A frame as pandas has one: columns by place through ``iloc``, and an index."""

    def __init__(self, index: Any, columns: dict[str, Any]) -> None:
        self.index, self._columns = Series(index), columns
        self.columns = list(columns)

    def __len__(self) -> int:
        return len(self.index.to_numpy())

    @property
    def iloc(self) -> PandasLike:
        return self

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return Series(self._columns[self.columns[key[1]]])
        return PandasLike(self.index.to_numpy()[key], {name: values[key] for name, values in self._columns.items()})


class PolarsLike:
    """A frame as polars has one."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def iter_rows(self) -> Iterator[Any]:
        raise AssertionError("slow")

    def slice(self, at: int, length: int) -> PolarsLike:
        return PolarsLike({name: values[at : at + length] for name, values in self._columns.items()})

    def to_dict(self, *, as_series: bool) -> dict[str, list[Any]]:
        assert not as_series
        return self._columns


class Schema:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class ArrowLike:
    """A table as pyarrow has one."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns, self.schema = columns, Schema(list(columns))
        self.num_rows = len(next(iter(columns.values())))

    def slice(self, at: int, length: int) -> ArrowLike:
        return ArrowLike({name: values[at : at + length] for name, values in self._columns.items()})

    def to_pydict(self) -> dict[str, list[Any]]:
        return self._columns


LENGTH = SLICE_ROWS + 2
VALUES = [float(n) for n in range(LENGTH)]
NAMES = ["a" if n else None for n in range(LENGTH)]
EXPECTED = [{"v": v, "s": s} for v, s in zip(VALUES, NAMES, strict=True)]


@pytest.mark.parametrize("frame", [
    PandasLike(np.arange(LENGTH), {"v": np.array(VALUES), "s": np.array(NAMES, object)}),
    PolarsLike({"v": VALUES, "s": NAMES}),
    ArrowLike({"v": VALUES, "s": NAMES}),
], ids=["pandas", "polars", "pyarrow"])
def test_frames_are_known_by_what_they_can_do(frame: Any) -> None:
    assert written(frame) == EXPECTED


def test_an_index_of_moments_is_the_time_of_a_frame() -> None:
    index = np.array(["2026-01-05T08:00", "2026-01-05T08:01"], "datetime64[ns]")
    assert written(PandasLike(index, {"v": np.array([1.0, np.nan])})) == [
        {"time": "2026-01-05T08:00:00", "v": 1.0}, {"time": "2026-01-05T08:01:00", "v": None}]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_of_the_libraries_themselves_where_they_are_installed(library: str) -> None:
    made = importlib.import_module(library)
    moments = [datetime(2026, 1, 5, 8, minute, tzinfo=UTC) for minute in range(2)]
    columns = {"time": moments, "v": [1.5, None], "n": [1, 2], "s": ["x", None]}
    frame = made.table(columns) if library == "pyarrow" else made.DataFrame(columns)
    assert written(frame) == [
        {"time": written({"t": moment})[0]["t"] if library != "pandas" else f"{moment:%Y-%m-%dT%H:%M:%S}",
         "v": v, "n": n, "s": s} for moment, v, n, s in zip(moments, [1.5, None], [1, 2], ["x", None], strict=True)]



def test_importing_the_library_brings_no_library_of_frames_nor_the_daemon() -> None:
    heavy = "{'pandas', 'polars', 'pyarrow', 'numpy', 'numba', 'click', 'sqlite3', 'offbeat.config'}"
    program = f"import sys, offbeat.client; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"
