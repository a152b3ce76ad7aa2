"""JSON objects to rows: what is nested gets a dotted name."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from offbeat.wire.records.jsonstream import JsonStream
from offbeat.wire.records.rows import Column, Rows

DEPTH_MAX = 32
"""An object that is nested more deeply is a bad record."""
Flat = dict[str, str]


class Objects:
    """Rows of a stream of JSON objects, of which *needed* fields are kept; anything else in an array is a bad row."""

    def __init__(self, needed: Sequence[str]) -> None:
        self._needed = tuple(needed)
        self._stream = JsonStream()

    def feed(self, text: str, last: bool) -> Iterator[Rows]:
        """The rows that *text* completes."""
        for values in self._stream.feed(text, last):
            yield rows_of(values, self._needed)


def rows_of(values: Sequence[object], needed: Sequence[str]) -> Rows:
    """One row for each of *values*; what is no object, or nested too deeply, is a bad one."""
    flat: Sequence[Mapping[str, str] | None]
    if set(map(type, values)) == {dict} and _is_flat(values):  # type: ignore[arg-type]  # all are dicts
        flat = values  # type: ignore[assignment]
    else:
        flat = [flattened(value) if isinstance(value, dict) else None for value in values]
    bad = np.fromiter((value is None for value in flat), np.bool_, len(flat))
    if bad.any():
        flat = [value or {} for value in flat]
    columns: dict[str, Column] = {name: [value.get(name) for value in flat] for name in needed}  # type: ignore[union-attr]
    return Rows(columns, np.fromiter(map(len, flat), np.int64, len(flat)), bad)  # type: ignore[arg-type]


def _is_flat(values: Sequence[dict[str, object]]) -> bool:
    """Whether all values of all objects are texts or numbers, which are texts here."""
    return set(map(type, chain.from_iterable(map(dict.values, values)))) <= {str}


def flattened(value: dict[str, object]) -> Flat | None:
    """The fields of an object as texts; what is nested by its dotted name, None if it is nested too deeply.

    An array of scalars is its elements joined with commas; an array that holds anything else, and null, is no field.
    """
    flat: Flat = {}
    return flat if _flatten(value, "", flat, 1) else None


def _flatten(value: dict[str, object], prefix: str, flat: Flat, depth: int) -> bool:
    for name, item in value.items():
        if isinstance(item, dict):
            if depth == DEPTH_MAX or not _flatten(item, f"{prefix}{name}.", flat, depth + 1):
                return False
        elif isinstance(item, list) and not _is_shallow(item, depth + 1):
            return False
        elif (text := text_of(item)) is not None:
            flat[prefix + name] = text
    return True


def _is_shallow(item: dict[str, object] | list[object], depth: int) -> bool:
    """Whether nothing in *item* is nested more than DEPTH_MAX deep."""
    elements = item.values() if isinstance(item, dict) else item
    nested = [element for element in elements if isinstance(element, dict | list)]
    return not nested or (depth < DEPTH_MAX and all(_is_shallow(element, depth + 1) for element in nested))


def text_of(item: object) -> str | None:
    """The JSON text of a scalar, a text without its quotes; an array of scalars joined; None for anything else."""
    if isinstance(item, str):
        return item
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, list) and item:
        scalars = [element for element in item if isinstance(element, str | bool)]
        if len(scalars) == len(item) - item.count(None):
            return ",".join(text for element in scalars if (text := text_of(element)) is not None)
    return None
