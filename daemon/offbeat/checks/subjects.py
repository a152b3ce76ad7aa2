"""Which series of the catalog the bindings of a check mean now. Pure: the catalog's numbers in, columns out."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate

import numpy as np
from numpy.typing import NDArray

from offbeat.checks.spec import Binding, CheckSpec, Column, Columns, EachSeries, EachSource
from offbeat.engine.catalog import Catalog

Run = tuple[tuple[Column, ...], float]
"""The columns of a run, and for how many seconds a value of one counts."""


def joining(spec: CheckSpec, catalog: Catalog, first: int, count: int) -> Iterator[Run]:
    """The runs of *spec* that series from number *first* on, of *count*, bring, in the order of the catalog.

    Names that come later have higher numbers, so that what was there keeps its place. The same columns may come again,
    by another binding or by another field of their source.
    """
    for binding in spec.series:
        yield from _of(binding, catalog, first, count)


def _of(binding: Binding, catalog: Catalog, first: int, count: int) -> Iterator[Run]:
    match binding:
        case Columns():
            if first == 0:
                yield binding.columns, binding.tolerance_s
        case EachSource():
            for source in _sources_with_any(binding, catalog, first, count):
                yield tuple((source, field) for field in binding.fields), 0.0
        case EachSeries():
            yield from (((column,), 0.0) for column in _series(binding, catalog, first, count))


def _series(binding: EachSeries, catalog: Catalog, first: int, count: int) -> Iterator[Column]:
    source, field = catalog.series_source[first:count], catalog.series_field[first:count]
    wanted = np.flatnonzero(_like(binding.field, field, catalog.fields.text)[field])
    if not wanted.size:
        return
    like = _like(binding.source, source[wanted], catalog.sources.text)
    for number in wanted[like[source[wanted]]].tolist():
        yield catalog.sources.text(int(source[number])), catalog.fields.text(int(field[number]))


def _sources_with_any(binding: EachSource, catalog: Catalog, first: int, count: int) -> Iterator[str]:
    source, field = catalog.series_source[first:count], catalog.series_field[first:count]
    named = [number for number in np.unique(field).tolist() if catalog.fields.text(number) in binding.fields]
    having = np.unique(source[np.isin(field, named)])
    if having.size:
        like = _like(binding.source, having, catalog.sources.text)
        yield from (catalog.sources.text(number) for number in having[like[having]].tolist())


def _like(pattern: str, numbers: NDArray[np.int32], text: Callable[[int], str]) -> NDArray[np.bool_]:
    """By number: whether the name of it is like *pattern*; of those *numbers* alone, each looked at once."""
    like = np.zeros(int(numbers.max(initial=-1)) + 1, np.bool_)
    if pattern == "*":
        like[:] = True
        return like
    fits = re.compile(translate(pattern)).match
    for number in np.unique(numbers).tolist():
        like[number] = fits(text(number)) is not None
    return like


def binds(spec: CheckSpec, source: str | None, field: str | None) -> bool:
    """Whether a binding of *spec* may mean a series of this *source* and this *field*; None: of any."""
    return any(_binds(binding, source, field) for binding in spec.series)


def _binds(binding: Binding, source: str | None, field: str | None) -> bool:
    if isinstance(binding, Columns):
        return any((source is None or source == s) and (field is None or field == f) for s, f in binding.columns)
    if source is not None and re.match(translate(binding.source), source) is None:
        return False
    if field is None:
        return True
    if isinstance(binding, EachSource):
        return field in binding.fields
    return re.match(translate(binding.field), field) is not None
