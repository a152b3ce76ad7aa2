"""Rows of answers as columns: arrays of numpy, frames of pandas. Both are imported only when they are asked for."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from offbeat.client.errors import MissingPackage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Readings:
    """Some readings of one series in order of time: *time_ms* since 1970 UTC, and the values, one for each."""

    source: str
    field: str
    time_ms: list[int]
    value: list[float]


def to_arrays(rows: Iterable[Mapping[str, Any] | Readings]) -> dict[str, NDArray[Any]]:
    """The columns of *rows*: one array for each member that any of them has, all of one length.

    Numbers become float64, with NaN for null; whole numbers and truths stay what they are where all rows have one;
    times become datetime64[ms]; anything else, objects. Of readings: ``source``, ``field``, ``time``, ``value``.
    """
    np = import_module("numpy")
    flat = _flat(rows)
    names: dict[str, None] = {}
    for row in flat:
        names.update(dict.fromkeys(row))
    return {name: _array(np, [row.get(name) for row in flat]) for name in names}


def to_structured(rows: Iterable[Mapping[str, Any] | Readings]) -> NDArray[np.void]:
    """The same as one structured array, a row for each."""
    np = import_module("numpy")
    columns = to_arrays(rows)
    length = len(next(iter(columns.values()), ()))
    table = np.empty(length, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    structured: NDArray[Any] = table
    return structured


def to_pandas(rows: Iterable[Mapping[str, Any] | Readings]) -> Any:
    """The same as a DataFrame. Raises MissingPackage if pandas is not installed."""
    try:
        pandas = import_module("pandas")
    except ImportError as e:
        raise MissingPackage(
            "pandas is not installed", hint="pip install pandas; to_arrays and to_structured need numpy alone"
        ) from e
    return pandas.DataFrame(to_arrays(rows))


def _flat(rows: Iterable[Mapping[str, Any] | Readings]) -> list[Mapping[str, Any]]:
    flat: list[Mapping[str, Any]] = []
    for row in rows:
        if isinstance(row, Readings):
            import numpy as np

            times = np.array(row.time_ms, "datetime64[ms]")
            flat += ({"source": row.source, "field": row.field, "time": time, "value": value}
                     for time, value in zip(times, row.value, strict=True))  # fmt: skip
        else:
            flat.append(row)
    return flat


def _array(np: Any, values: Sequence[Any]) -> NDArray[Any]:
    kinds = {type(value) for value in values}
    if kinds <= {bool} or kinds <= {int}:
        dtype: object = bool if bool in kinds else np.int64
    elif kinds <= {int, float, type(None)} and kinds != {type(None)}:
        dtype, values = np.float64, [np.nan if value is None else value for value in values]
    elif np.datetime64 in kinds:
        dtype = "datetime64[ms]"
    elif kinds <= {str, type(None)} and str in kinds and all(v is None or TIME.fullmatch(v) for v in values):
        dtype, values = "datetime64[ms]", [None if value is None else value[:-1] for value in values]
    else:
        column = np.empty(len(values), object)
        column[:] = values
        objects: NDArray[Any] = column
        return objects
    array: NDArray[Any] = np.array(values, dtype)
    return array
