"""Names get numbers in order of first sight, once and for all; beyond a limit only what is new is refused."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.engine.catalog import Catalog, Limits
from offbeat.interning import Interner
from offbeat.records import Strings
from tests.engine.run import Event, table_of

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
EVENTS = st.lists(
    st.builds(
        Event,
        st.sampled_from("abcdef"),
        st.just(0),
        st.dictionaries(st.sampled_from("uvwxyz"), st.just(1.0), max_size=4),
    ),
    max_size=30,
)


class Numbers:
    """The catalog once more, as dictionaries."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sources: dict[str, int] = {}
        self.fields: dict[str, int] = {}
        self.series: dict[tuple[str, str], int] = {}

    def event(self, event: Event) -> list[int] | None:
        """The series of its values; None, and no trace of it, if it does not fit."""
        sources = {event.source} - self.sources.keys()
        fields = [name for name in event.values if name not in self.fields]
        series = [(event.source, name) for name in event.values if (event.source, name) not in self.series]
        for new, held, limit in (
            (sources, self.sources, self.limits.sources),
            (fields, self.fields, self.limits.fields),
            (series, self.series, self.limits.series),
        ):
            if new and len(held) + len(new) > limit:
                return None
        for source in sources:
            self.sources[source] = len(self.sources)
        for name in fields:
            self.fields[name] = len(self.fields)
        for pair in series:
            self.series[pair] = len(self.series)
        return [self.series[event.source, name] for name in event.values]


def held(catalog: Catalog) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    sources, fields = list(catalog.sources.texts()), list(catalog.fields.texts())
    pairs = zip(
        catalog.series_source[: catalog.series_count].tolist(),
        catalog.series_field[: catalog.series_count].tolist(),
        strict=True,
    )
    return sources, fields, [(sources[s], fields[f]) for s, f in pairs]


def agree(catalog: Catalog, numbers: Numbers) -> None:
    assert held(catalog) == (list(numbers.sources), list(numbers.fields), list(numbers.series))
    for (source, name), number in numbers.series.items():
        assert catalog.series_of(numbers.sources[source], numbers.fields[name]) == number


@settings(max_examples=300)
@given(
    batches=st.lists(EVENTS, max_size=6),
    sources=st.integers(1, 7),
    fields=st.integers(1, 7),
    series=st.integers(1, 20),
    undone=st.sets(st.integers(0, 5)),
)
def test_the_catalog_agrees_with_dictionaries_whatever_the_batches_limits_and_failed_commits(
    batches: list[list[Event]], sources: int, fields: int, series: int, undone: set[int]
) -> None:
    limits = Limits(sources, fields, series, 4)
    catalog, numbers = Catalog(limits), Numbers(limits)
    for i, batch in enumerate(batches):
        mark = catalog.mark()
        block, taken = catalog.admit(table_of(batch))
        if i in undone:
            catalog.back_to(mark)
            agree(catalog, numbers)
            continue
        said = [numbers.event(event) for event in batch]
        assert taken.tolist() == [one is not None for one in said]
        assert block.series.tolist() == [number for one in said if one is not None for number in one]
        assert block.source.tolist() == [
            numbers.sources[e.source] for e, one in zip(batch, said, strict=True) if one is not None
        ]
        agree(catalog, numbers)


def test_limits_that_were_lowered_beneath_what_is_held_refuse_only_what_is_new() -> None:
    catalog = Catalog(Limits(9, 9, 9, 4))
    catalog.admit(table_of([Event(s, 0, {"x": 1.0, "y": 1.0}) for s in "abc"]))
    catalog.limits = Limits(2, 1, 3, 4)
    later = [Event("c", 0, {"y": 1.0}), Event("d", 0, {"x": 1.0}), Event("a", 0, {"z": 1.0})]
    _, taken = catalog.admit(table_of(later))
    assert taken.tolist() == [True, False, False]


def test_a_catalog_of_many_names_grows_and_is_the_same_when_loaded_again() -> None:
    rng = random.Random(1)
    events = [Event(f"source-{rng.randrange(3000)}", 0, {f"field-{rng.randrange(900)}": 1.0}) for _ in range(12_000)]
    catalog, numbers = Catalog(Limits(10_000, 10_000, 100_000, 64)), Numbers(Limits(10_000, 10_000, 100_000, 64))
    for first in range(0, len(events), 1700):
        catalog.admit(table_of(events[first : first + 1700]))
    for event in events:
        numbers.event(event)
    assert held(catalog) == (list(numbers.sources), list(numbers.fields), list(numbers.series))
    again = Catalog(catalog.limits)
    count = catalog.series_count
    again.load(
        catalog.sources.texts(),
        catalog.source_shard[: catalog.sources.count],
        catalog.fields.texts(),
        catalog.series_source[:count],
        catalog.series_field[:count],
    )
    assert held(again) == held(catalog)
    more = [*events[:100], Event("new", 0, {"field-1": 1.0, "new": 1.0})]
    one, other = catalog.admit(table_of(more))[0], again.admit(table_of(more))[0]
    assert one.series.tolist() == other.series.tolist()
    total = catalog.sources.count
    assert again.source_shard[:total].tolist() == catalog.source_shard[:total].tolist()


def test_the_series_of_a_source_are_in_its_shard_and_shards_fill_in_order() -> None:
    catalog = Catalog(Limits(100, 100, 1000, 4))
    catalog.admit(table_of([Event(f"s{i}", 0, {"x": 1.0, "y": 1.0, "z": 1.0}) for i in range(12)]))
    assert catalog.source_shard[:12].tolist() == [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]


# ── the table of texts beneath it ─────────────────────────────────────────────────────────────────────────────────


def found(interner: Interner, text: str) -> int | None:
    """The number that *text* has, None if it has none; adds nothing."""
    (number,) = interner.number(Strings.of([text]), limit=interner.count).tolist()
    return number if number >= 0 else None


@settings(max_examples=200)
@given(batches=st.lists(st.lists(NAMES, max_size=60), max_size=6), limit=st.integers(0, 80), keep=st.integers(0, 80))
def test_texts_are_numbered_as_a_dictionary_would(batches: list[list[str]], limit: int, keep: int) -> None:
    interner, numbers = Interner(), dict[str, int]()
    for batch in batches:
        numbered = interner.number(Strings.of(batch), limit).tolist()
        for text, number in zip(batch, numbered, strict=True):
            if text not in numbers and len(numbers) < limit:
                numbers[text] = len(numbers)
            assert number == numbers.get(text, -1)
    assert list(interner.texts()) == list(numbers)
    assert all(interner.text(number) == text and found(interner, text) == number for text, number in numbers.items())
    keep = min(keep, len(numbers))
    interner.forget_after(keep)
    assert list(interner.texts()) == list(numbers)[:keep]
    for text, number in numbers.items():
        assert found(interner, text) == (number if number < keep else None)
    assert interner.number(Strings.of(["never seen before, longer than any"])).tolist() == [keep]


@pytest.mark.parametrize("length", [1, 40, 3000])
def test_a_table_of_texts_grows_by_texts_of_any_length(length: int) -> None:
    interner = Interner()
    texts = [f"{i:x}".rjust(length, "·") for i in range(5000 if length < 100 else 300)]
    assert interner.number(Strings.of(texts)).tolist() == list(range(len(texts)))
    assert interner.number(Strings.of(reversed(texts))).tolist() == list(range(len(texts)))[::-1]
    assert list(interner.texts(len(texts) - 2)) == texts[-2:]
    assert interner.count == len(texts)


def test_finding_a_text_adds_none() -> None:
    interner = Interner()
    assert found(interner, "a") is None
    assert interner.number(Strings.of(["b"])).dtype == np.int32
    assert (found(interner, "a"), found(interner, "b"), interner.count) == (None, 0, 1)
