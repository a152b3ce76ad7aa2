"""Events as records: what a record of one is, which events are taken, what the clock may believe."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offbeat.engine.analysis.feed import DELAY_MS_MIN, HOUR_MS, Feed, text_of
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Block
from offbeat.records import Strings, Table
from offbeat.uploads import number_of

Value = float | str
Event = tuple[str, dict[str, Value]]
FIELDS = ("a", "b", "word")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("pump-1", "pump-2", "fan-1")),
        st.dictionaries(
            st.sampled_from((*FIELDS, "other")),
            st.one_of(
                st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, 200.0]),
                st.sampled_from(["x", "y", "", "200", "1.0"]),
            ),
            min_size=1,
        ),
    ),
    min_size=1,
    max_size=30,
)


def catalog() -> Catalog:
    return Catalog(Limits(100, 100, 1000, 64))


def block_of(events: list[Event], known: Catalog) -> Block:
    """*events*, a second apart, as the journal has them."""
    names = {"sources": {}, "fields": {}, "text_fields": {}, "texts": {}}  # type: dict[str, dict[str, int]]

    def number(kind: str, name: str) -> int:
        return names[kind].setdefault(name, len(names[kind]))

    points, texts = [], []
    for row, (_, values) in enumerate(events):
        for name, value in values.items():
            if isinstance(value, str):
                texts.append((row, number("text_fields", name), number("texts", value)))
            else:
                points.append((row, number("fields", name), value))
    source = np.array([number("sources", source) for source, _ in events], np.int32)
    columns = np.array([p[:2] for p in points], np.int32).reshape(-1, 2)
    text = np.array(texts, np.int32).reshape(-1, 3)
    table = Table(
        Strings.of(names["sources"]),
        source,
        np.arange(len(events), dtype=np.int64) * 1_000,
        Strings.of(names["fields"]),
        columns[:, 0].copy(),
        columns[:, 1].copy(),
        np.array([p[2] for p in points], np.float64),
        Strings.of(names["text_fields"]),
        Strings.of(names["texts"]),
        text[:, 0].copy(),
        text[:, 1].copy(),
        text[:, 2].copy(),
    )
    return known.admit(table)[0]


def spec_of(**patterns: tuple[str, ...]) -> AnalysisSpec:
    detectors = DetectorSpec("dc", "a", by="source"), DetectorSpec("info_content", "b"), DetectorSpec("rare", by="word")
    return AnalysisSpec("x", detectors, **patterns)  # type: ignore[arg-type]


def told(feed: Feed, events: list[Event], known: Catalog) -> list[dict[str, str]]:
    """The records of *events* as documents."""
    records = feed.records(block_of(events, known), known)
    lists = [list(texts) for texts in records.texts]
    assert all(len(set(one)) == len(one) for one in lists)
    rows = []
    for i in range(records.size):
        codes = zip(records.fields, lists, records.codes[:, i].tolist(), strict=True)
        rows.append({name: texts[code] for name, texts, code in codes if code >= 0})
    for texts, codes in zip(lists, records.codes, strict=True):  # in order of first sight, each of them used
        assert list(dict.fromkeys(codes[codes >= 0].tolist())) == list(range(len(texts)))
    return rows


def as_records(events: list[Event]) -> list[dict[str, str]]:
    """The same, by its definition."""
    return [
        {"source": source}
        | {
            name: value if isinstance(value, str) else text_of(value)
            for name, value in values.items()
            if name in FIELDS and value != ""
        }
        for source, values in events
    ]


@given(EVENTS)
def test_a_record_has_the_source_and_each_field_as_text(events: list[Event]) -> None:
    assert told(Feed(spec_of(sources=("*",))), events, catalog()) == as_records(events)


@given(EVENTS, st.integers(1, 29))
def test_how_events_are_cut_changes_no_record(events: list[Event], cut: int) -> None:
    known, feed = catalog(), Feed(spec_of(fields=("*",)))
    both = [told(feed, part, known) for part in (events[:cut], events[cut:]) if part]
    assert [row for part in both for row in part] == as_records(events)


@given(EVENTS)
def test_an_event_is_taken_if_its_source_and_one_of_its_fields_match(events: list[Event]) -> None:
    taken = [
        event for event in events
        if event[0].startswith("pump") and any(name[0] in "aw" for name in event[1])
    ]
    assert told(Feed(spec_of(sources=("pump-*",), fields=("a", "w*"))), events, catalog()) == as_records(taken)


@given(EVENTS)
def test_a_column_of_which_only_numbers_are_asked_has_those_of_its_texts(events: list[Event]) -> None:
    detectors = (DetectorSpec("mean", "a", by="source"), DetectorSpec("sum", "b", by="word"))
    numeric = AnalysisSpec("x", detectors, fields=("*",))
    known = catalog()
    block = block_of(events, known)
    records, written = Feed(numeric).records(block, known), Feed(spec_of(fields=("*",))).records(block, known)
    assert set(records.values) == {"a", "b"}
    for name, values in records.values.items():
        assert values.tobytes() == written.numbers(name).tobytes()
        missing = [one.codes[one.fields.index(name)] < 0 for one in (records, written)]
        assert missing[0].tolist() == missing[1].tolist()
    some = np.arange(records.size) % 2 == 0
    assert records.keep(some).values["a"].tobytes() == records.values["a"][some].tobytes()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_that_number(value: float) -> None:
    assert number_of(text_of(value)) == value
    assert math.copysign(1.0, number_of(text_of(0.0 * value))) == 1.0


def test_a_whole_number_has_no_point() -> None:
    told = {200.0: "200", -0.0: "0", 0.5: "0.5", -3.0: "-3", 1e15: "1000000000000000.0", 1e300: "1e+300"}
    assert {value: text_of(value) for value in told} == told


def test_a_name_that_is_taken_back_is_not_remembered() -> None:
    known, feed = catalog(), Feed(spec_of(sources=("pump-*",)))
    told(feed, [("pump-1", {"a": 1.0})], known)
    mark = known.mark()
    block_of([("pump-2", {"a": 1.0})], known)
    feed.records(block_of([("pump-1", {"a": 1.0})], known), known)
    known.back_to(mark)  # the transaction failed: the number goes to another
    assert told(feed, [("fan-1", {"a": 1.0}), ("pump-1", {"a": 2.0})], known) == [{"source": "pump-1", "a": "2"}]


def test_the_clock_is_as_late_as_the_worst_of_this_hour_and_the_one_before() -> None:
    feed = Feed(spec_of(sources=("*",)))
    now = 500 * HOUR_MS
    assert feed.reached(now) is None
    feed.arrived(now, now - 60_000)
    assert feed.reached(now) == now - 60_000
    feed.arrived(now + HOUR_MS, now + HOUR_MS)
    assert feed.reached(now + HOUR_MS) == now + HOUR_MS - 60_000
    feed.arrived(now + 2 * HOUR_MS, now + 2 * HOUR_MS + 5)
    assert feed.reached(now + 2 * HOUR_MS) == now + 2 * HOUR_MS - DELAY_MS_MIN


def test_the_clock_says_nothing_of_the_past_nor_at_rest() -> None:
    feed = Feed(spec_of(sources=("*",)))
    feed.arrived(HOUR_MS, HOUR_MS - 901_000)
    assert feed.reached(HOUR_MS) is None
    feed = Feed(spec_of(sources=("*",)))
    feed.arrived(HOUR_MS, HOUR_MS)
    feed.resting = True
    assert feed.reached(HOUR_MS) is None
