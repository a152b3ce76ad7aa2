"""What a program has, as lines of NDJSON: mappings, rows, arrays, frames. Pure; no library of frames is imported.

A frame is known by what it can do: pandas' has ``iloc``, polars' ``iter_rows``, pyarrow's ``to_pydict``. It is read a
few thousand rows at a time, so that one of any length needs no second copy of itself.
"""
from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from offbeat.client.errors import BadEvent

SLICE_ROWS = 4096
OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
Columns = Mapping[str, Sequence[Any]]
FORMS = "a mapping, an iterable of mappings, rows with columns=, a dict of arrays, a structured array, or a frame"


def lines_of(
    events: Any, *, columns: Sequence[str] | None = None, extra: Mapping[str, Any] | None = None
) -> Iterator[bytes]:
    """Each event as one line of NDJSON, its line end included.

    events   one mapping or several; sequences, of which *columns* names the parts; a dict of arrays; an array of numpy,
             structured or with two dimensions and *columns*; a frame of pandas, polars or pyarrow
    extra    members of each event that has none of that name

    Of mappings and rows, NaN and infinity go out as they are, and the daemon rejects them; in arrays and frames NaN and
    NaT are readings that are missing, as there they are meant. The index of a frame of pandas, if it is one of moments,
    is its ``time``. Raises BadEvent where an event cannot be written; those before it have been given.
    """
    tables = _tables(events, columns)
    if tables is not None:
        for first, table in tables:
            names, values = list(table), list(table.values())
            rows = (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
            yield from _written(rows, first, extra, nan_is_missing=True)
        return
    if isinstance(events, Mapping):
        events = (events,)
    if isinstance(events, str | bytes) or not isinstance(events, Iterable):
        raise BadEvent(f"{type(events).__name__} is nothing to send: expected {FORMS}")
    if columns is not None:
        events = _named(events, list(columns))
    yield from _written(events, 0, extra, nan_is_missing=False)


def _written(
    events: Iterable[Any], first: int, extra: Mapping[str, Any] | None, *, nan_is_missing: bool
) -> Iterator[bytes]:
    for number, event in enumerate(events, first):
        if not isinstance(event, Mapping):
            raise BadEvent(
                f"event {number} is {type(event).__name__}: expected a mapping", hint="rows need columns=",
                where={"event": number})
        whole = {**extra, **event} if extra else event if type(event) is dict else dict(event)
        try:
            line = orjson.dumps(whole, _plain, OPTIONS)
            # orjson writes null for what is not finite: a daemon that never sees it cannot reject it.
            if b"null" in line and _not_finite(whole, nan_is_missing):
                line = json.dumps(whole, default=_as_json, separators=(",", ":")).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as e:
            raise BadEvent(f"event {number} cannot be written: {e}", where={"event": number}) from e
        yield line


def _plain(value: Any) -> Any:
    """What orjson does not write by itself: moments of other libraries, other mappings."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _as_json(value: Any) -> Any:
    """The same for ``json``, which writes NaN, and knows neither moments nor numbers of numpy."""
    if getattr(value, "dtype", None) is not None and value.dtype.kind == "f":
        return float(value)
    return orjson.loads(orjson.dumps(value, _plain, OPTIONS))


def _not_finite(event: Mapping[str, Any], nan_is_missing: bool) -> bool:
    """Is infinity in *event*, or NaN where that is not meant to be missing?"""
    for value in event.values():
        if isinstance(value, Mapping):
            if _not_finite(value, nan_is_missing):
                return True
        elif isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f":
            number = float(value)
            if math.isinf(number) or (math.isnan(number) and not nan_is_missing):
                return True
    return False


def _named(rows: Iterable[Any], columns: list[str]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        if isinstance(row, str | bytes | Mapping) or not isinstance(row, Iterable):
            raise BadEvent(
                f"row {number} is {type(row).__name__}: expected a sequence of {len(columns)}", where={"event": number})
        values = list(row)
        if len(values) != len(columns):
            raise BadEvent(f"row {number} has {len(values)} parts: expected {len(columns)}", where={"event": number})
        yield dict(zip(columns, values, strict=True))


def _tables(events: Any, columns: Sequence[str] | None) -> Iterator[tuple[int, Columns]] | None:
    """Columns of plain values, a slice of rows after the other with the number of its first; None: no table at all."""
    if isinstance(events, Mapping):
        arrays = {name: value for name, value in events.items() if getattr(value, "ndim", None) == 1}
        return _sliced_columns(events) if arrays and len(arrays) == len(events) else None
    if hasattr(events, "iloc") and hasattr(events, "columns"):
        return _of_pandas(events)
    if hasattr(events, "iter_rows") and hasattr(events, "to_dict"):
        return ((at, events.slice(at, SLICE_ROWS).to_dict(as_series=False)) for at in range(0, len(events), SLICE_ROWS))
    if hasattr(events, "to_pydict") and hasattr(events, "schema"):
        if len(set(events.schema.names)) < len(events.schema.names):
            raise BadEvent("two columns have one name")
        return ((at, events.slice(at, SLICE_ROWS).to_pydict()) for at in range(0, events.num_rows, SLICE_ROWS))
    if hasattr(events, "dtype") and hasattr(events, "ndim"):
        return _of_array(events, columns)
    return None


def _sliced_columns(arrays: Mapping[str, Any]) -> Iterator[tuple[int, Columns]]:
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        raise BadEvent(f"the columns have different lengths: {sorted(lengths)}")
    for at in range(0, lengths.pop(), SLICE_ROWS):
        yield at, {name: _listed(array[at : at + SLICE_ROWS]) for name, array in arrays.items()}


def _of_array(array: Any, columns: Sequence[str] | None) -> Iterator[tuple[int, Columns]]:
    names = array.dtype.names
    if names and array.ndim == 1:
        return _sliced_columns({name: array[name] for name in names})
    if array.ndim == 2 and columns is not None and array.shape[1] == len(columns):
        return _sliced_columns({name: array[:, at] for at, name in enumerate(columns)})
    raise BadEvent(
        f"an array of {array.dtype} with shape {array.shape} is no table:"
        " expected named parts and one dimension, or two dimensions and columns= with as many names")


def _of_pandas(frame: Any) -> Iterator[tuple[int, Columns]]:
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise BadEvent("two columns have one name")
    moments = getattr(frame.index.dtype, "kind", "") == "M" and "time" not in names
    for at in range(0, len(frame), SLICE_ROWS):
        part = frame.iloc[at : at + SLICE_ROWS]
        table = {"time": _of_series(part.index)} if moments else {}
        yield at, table | {name: _of_series(part.iloc[:, place]) for place, name in enumerate(names)}


def _of_series(series: Any) -> Sequence[Any]:
    # With a zone it is an array of objects otherwise; so it is in UTC, as without one.
    moments = getattr(series.dtype, "kind", "") == "M"
    values = _listed(series.to_numpy(dtype="datetime64[ns]") if moments else series.to_numpy())
    missing = series.isna()
    if missing.any():
        values = [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]
    return values


def _listed(array: Any) -> Sequence[Any]:
    """The values of one column as plain ones; moments to the microsecond, which is more than the daemon keeps."""
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
    values: Sequence[Any] = array.tolist()
    return values
